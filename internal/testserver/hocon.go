package testserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// HOCONVersion is the release of lightbend/config that the tests of hocon compare
// with: the one that a Corda node has. scripts/test-deps.sh fetches it.
const HOCONVersion = "1.3.4"

// HOCONReference finds a Java that can run source files and the library
// lightbend/config in the cache. Where either is missing it skips the test, and
// fails it in the build.
func HOCONReference(t testing.TB) (java, jar string) {
	t.Helper()
	java, jar, err := findHOCONReference()
	if err != nil {
		missing(t, err)
	}
	return java, jar
}

func findHOCONReference() (java, jar string, err error) {
	if java, err = exec.LookPath("java"); err != nil {
		return "", "", errors.New("no java in PATH: the reference implementation of HOCON needs Java 17")
	}
	if _, err = exec.LookPath("javac"); err != nil {
		return "", "", errors.New("no javac in PATH: the reference implementation of HOCON is asked by a source file, which needs a JDK")
	}
	cache, err := cacheDir()
	if err != nil {
		return "", "", err
	}
	jar = filepath.Join(cache, "config-"+HOCONVersion+".jar")
	if _, err := os.Stat(jar); err != nil {
		return "", "", fmt.Errorf("the reference implementation of HOCON is not in the cache: %w", err)
	}
	return java, jar, nil
}
