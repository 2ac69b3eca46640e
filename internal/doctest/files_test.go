package doctest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What a page shows of commands that look at files is what they print, with the page's own files and environment.
func TestCommandsOnFilesPrintWhatThePageSays(t *testing.T) {
	// A column is as wide as the names of this machine's folders.
	blanks := regexp.MustCompile(`(\S) {2,}`)
	narrow := func(text string) string { return strings.TrimRight(blanks.ReplaceAllString(text, "$1  "), "\n") }
	for _, name := range manual(t) {
		p := readPage(t, name)
		dir := ""
		for _, b := range p.Blocks {
			if !b.Is("console files") {
				continue
			}
			if dir == "" {
				dir = filesOf(t, p)
			}
			for part := range strings.SplitSeq("\n"+b.Text, "\n$ ") {
				command, want, _ := strings.Cut(part, "\n")
				if command = strings.TrimSpace(command); command == "" {
					continue
				}
				if got := inFolder(t, dir, command); narrow(got) != narrow(want) {
					t.Errorf("%s:%d: %s prints\n%s\nand the page says\n%s", name, b.Line, command, got, want)
				}
			}
		}
	}
}

// filesOf makes a folder with the files of a page.
func filesOf(t *testing.T, p page) string {
	t.Helper()
	dir := t.TempDir()
	for _, b := range p.Blocks {
		file, isFile := strings.CutPrefix(b.Info, "hocon file ")
		switch {
		case b.Is("hocon node"):
			file = "node.conf"
		case b.Is("hocon conf"):
			file = "hotcold.conf"
		case !isFile:
			continue
		}
		write(t, filepath.Join(dir, file), b.Text, 0o600)
	}
	return dir
}

// inFolder runs a line of the shell in a folder, which the page calls /opt/corda, and returns all that it prints.
func inFolder(t *testing.T, dir, command string) string {
	t.Helper()
	c := exec.Command("/bin/sh", "-c", command)
	c.Dir = dir
	c.Env = []string{"PATH=" + filepath.Dir(binary) + ":" + os.Getenv("PATH"), "HOME=" + dir}
	for _, name := range []string{"DB_JDBC_URL", "DB_USER", "DB_PASSWORD", "LOAD_BALANCER_ADDRESS", "NODE_MACHINE_ADDRESS", "KEY_STORE_PASSWORD", "TRUST_STORE_PASSWORD", "RPC_PASSWORD"} {
		value, _ := environment(name)
		c.Env = append(c.Env, name+"="+value)
	}
	out, err := c.CombinedOutput()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		t.Fatalf("%s: %v", command, err)
	}
	return strings.ReplaceAll(string(out), dir, "/opt/corda")
}
