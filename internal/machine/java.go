package machine

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Java is how the node starts Java.
type Java struct {
	// Program is what is run, Dir from where, Env its environment.
	Program, Dir string
	Env          []string
	// CordaJar is the node's jar where it is a Corda node; else empty.
	CordaJar string
}

const (
	// javaLimit bounds java -version, which takes a second on a busy machine.
	javaLimit = 15 * time.Second
	// maxManifestBytes bounds the manifest of a jar.
	maxManifestBytes = 64 << 10
)

// javaWord is the version in the output of java -version: "17.0.9", "1.8.0_392", "22-ea".
var javaWord = regexp.MustCompile(`version "(?:1\.)?(\d+)[^"]*"`)

// ParseJava reads the major version from what java -version prints.
func ParseJava(output string) (int, bool) {
	found := javaWord.FindStringSubmatch(output)
	if found == nil {
		return 0, false
	}
	n, err := strconv.Atoi(found[1])
	return n, err == nil
}

// look asks Java for its version and the jar for its own.
func (j Java) look(ctx context.Context) Finding {
	ctx, cancel := context.WithTimeout(ctx, javaLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, j.Program, "-version")
	cmd.Dir, cmd.Env = j.Dir, j.Env
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return finding(Fault, "java", "install the Java that the node needs, or name it in hotcold.node.command", "%s -version: %v", j.Program, err)
	}
	have, ok := ParseJava(string(out))
	if !ok {
		return finding(Note, "java", "", "%s does not say its version as others do", j.Program)
	}
	corda := ""
	if j.CordaJar != "" {
		corda, err = CordaVersion(j.CordaJar)
		if err != nil {
			return finding(Note, "java", "", "Java %d; which one %s needs is not known (%v)", have, j.CordaJar, err)
		}
	}
	return JudgeJava(have, corda)
}

// jarVersion is a version of Corda in the name of a file.
var jarVersion = regexp.MustCompile(`corda(?:-[a-z]+)*-(\d+\.\d+(?:\.\d+)?)`)

// CordaVersion finds the version of a node's jar: in its manifest, or in the name of the file that it is.
func CordaVersion(jar string) (string, error) {
	real, err := filepath.EvalSymlinks(jar)
	if err != nil {
		return "", err
	}
	if text, err := manifestOf(real); err == nil {
		for _, key := range []string{"Corda-Release-Version", "Implementation-Version"} {
			for line := range strings.Lines(text) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
				if value = strings.TrimSpace(value); name == key && value != "" && value[0] >= '1' && value[0] <= '9' {
					return value, nil
				}
			}
		}
	}
	if found := jarVersion.FindStringSubmatch(filepath.Base(real)); found != nil {
		return found[1], nil
	}
	return "", errors.New("neither its manifest nor its name has a version")
}

func manifestOf(jar string) (string, error) {
	z, err := zip.OpenReader(jar)
	if err != nil {
		return "", err
	}
	defer z.Close()
	f, err := z.Open("META-INF/MANIFEST.MF")
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxManifestBytes))
	return string(text), err
}

// JudgeJava holds a version of Java against the one that a version of Corda starts
// with. The launcher of 4.12 takes 17 and nothing else, that of 4.11 takes 8 and 11;
// releases before are made for 8.
func JudgeJava(have int, corda string) Finding {
	if corda == "" {
		return finding(OK, "java", "", "Java %d", have)
	}
	var major, minor int
	if n, _ := fmt.Sscanf(corda, "%d.%d", &major, &minor); n != 2 {
		return finding(Note, "java", "", "Java %d; which one Corda %s needs is not known", have, corda)
	}
	want, level := []int{8}, Warning
	switch {
	case major > 4 || major == 4 && minor >= 12:
		want, level = []int{17}, Fault
	case major == 4 && minor == 11:
		want, level = []int{8, 11}, Fault
	}
	if slices.Contains(want, have) {
		return finding(OK, "java", "", "Java %d, which Corda %s runs on", have, corda)
	}
	words := make([]string, len(want))
	for i, n := range want {
		words[i] = strconv.Itoa(n)
	}
	needed := strings.Join(words, " or ")
	return finding(level, "java", "install Java "+needed+" and name it in hotcold.node.command", "Java %d, and Corda %s wants %s", have, corda, needed)
}
