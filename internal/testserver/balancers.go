package testserver

import (
	"fmt"
	"os/exec"
	"testing"
)

// HAProxy returns the path of the program haproxy.
func HAProxy(t testing.TB) string { t.Helper(); return program(t, "haproxy") }

// Nginx returns the path of the program nginx.
func Nginx(t testing.TB) string { t.Helper(); return program(t, "nginx") }

// program finds what Debian keeps in a folder that is not in everybody's PATH.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, at := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(at); err == nil {
			return path
		}
	}
	missing(t, fmt.Errorf("no program %s", name))
	return ""
}
