package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// freezer is a cgroup v2 whose processes the kernel stops as a whole, as it does
// with a virtual machine that is paused: none of them runs, whatever they wait for.
type freezer struct {
	t   testing.TB
	dir string
}

// newFreezer makes a cgroup below the test's own, and removes it when the test
// ends. It skips the test where none can be made: that takes root, or a delegated cgroup.
func newFreezer(t testing.TB, name string) freezer {
	t.Helper()
	root, err := cgroupRoot()
	if err != nil {
		t.Skipf("no machine can be frozen here: %v", err)
	}
	f := freezer{t, filepath.Join(root, fmt.Sprintf("hotcold-e2e-%d-%s", os.Getpid(), name))}
	if err := os.Mkdir(f.dir, 0o755); err != nil {
		t.Skipf("no machine can be frozen here: %v", err)
	}
	t.Cleanup(func() {
		f.thaw()
		until(t, deathLimit, "the cgroup "+f.dir+" to be empty", func() (bool, string) {
			err := os.Remove(f.dir)
			return err == nil, fmt.Sprint(err)
		})
	})
	if _, err := os.Stat(filepath.Join(f.dir, "cgroup.freeze")); err != nil {
		t.Skipf("no machine can be frozen here: %v", err)
	}
	return f
}

// cgroupRoot is this process's own place in the tree of cgroup v2.
func cgroupRoot() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	var at string
	for line := range strings.Lines(string(own)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			at = path
		}
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == "cgroup2" {
			return filepath.Join(fields[1], at), nil
		}
	}
	return "", errors.New("cgroup v2 is not mounted")
}

func (f freezer) procs() string { return filepath.Join(f.dir, "cgroup.procs") }

// take puts a running process into the cgroup.
func (f freezer) take(pid int) { f.write(f.procs(), strconv.Itoa(pid)) }

func (f freezer) thaw() { f.write(filepath.Join(f.dir, "cgroup.freeze"), "0") }

// freeze stops all that is in the cgroup, and returns once nothing of it runs.
func (f freezer) freeze() {
	f.t.Helper()
	f.write(filepath.Join(f.dir, "cgroup.freeze"), "1")
	until(f.t, deathLimit, "the cgroup to be frozen", func() (bool, string) {
		events, err := os.ReadFile(filepath.Join(f.dir, "cgroup.events"))
		if err != nil {
			f.t.Fatal(err)
		}
		return strings.Contains(string(events), "frozen 1"), string(events)
	})
}

func (f freezer) write(path, text string) {
	f.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0); err != nil {
		f.t.Fatal(err)
	}
}
