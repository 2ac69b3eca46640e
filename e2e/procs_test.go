package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit of start times in /proc; it is part of the kernel's interface.
const tick = 10 * time.Millisecond

// pids lists all processes.
func pids() ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var found []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			found = append(found, pid)
		}
	}
	return found, nil
}

// argv returns the command line of a process, nil if it is gone.
func argv(pid int) []string {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil || len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}

// started returns when a process was started, rounded down to a tick, and
// whether it is a zombie.
func started(pid int) (at time.Duration, zombie bool, err error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, false, err
	}
	// The name, in brackets, may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const state, startTime = 0, 19 // fields 3 and 22 of proc_pid_stat(5)
	if len(fields) <= startTime {
		return 0, false, fmt.Errorf("stat of process %d is short", pid)
	}
	ticks, err := strconv.ParseInt(fields[startTime], 10, 64)
	return time.Duration(ticks) * tick, fields[state] == "Z", err
}

// processes returns all that runs on a machine: what works in its directory or
// below it, and the guard, which works elsewhere and says whose it is in its
// environment.
func (m *machine) processes() []int {
	m.t.Helper()
	all, err := pids()
	if err != nil {
		m.t.Fatal(err)
	}
	var ours []int
	for _, pid := range all {
		dir := filepath.Join("/proc", strconv.Itoa(pid))
		cwd, err := os.Readlink(filepath.Join(dir, "cwd"))
		if err == nil && (cwd == m.dir || strings.HasPrefix(cwd, m.dir+"/")) || m.isGuard(pid) {
			ours = append(ours, pid)
		}
	}
	return ours
}

// isGuard tells whether a process is the guard of this machine's node.
func (m *machine) isGuard(pid int) bool {
	line := argv(pid)
	if len(line) < 2 || line[1] != "guard" {
		return false
	}
	environ, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	return err == nil && slices.Contains(strings.Split(string(environ), "\x00"), "HOTCOLD_INSTANCE="+m.id())
}

// guard finds the guard of this machine's node.
func (m *machine) guard() int {
	m.t.Helper()
	ours := m.processes()
	i := slices.IndexFunc(ours, m.isGuard)
	if i < 0 {
		m.t.Fatalf("no guard on %s", m.name)
	}
	return ours[i]
}

// killAll ends all processes of a machine as a loss of power does: none of them
// can act on the death of another, because all are stopped first. It returns the
// instant of the first stop.
func (m *machine) killAll() time.Duration {
	t := m.t
	t.Helper()
	var stopped []int
	at := now()
	for {
		fresh := false
		for _, pid := range m.processes() {
			if slices.Contains(stopped, pid) {
				continue
			}
			fresh, stopped = true, append(stopped, pid)
			signal(t, pid, syscall.SIGSTOP)
		}
		if !fresh {
			break
		}
	}
	for _, pid := range stopped {
		signal(t, pid, syscall.SIGKILL)
	}
	return at
}

// signal sends sig; a process that is gone already is as good.
func signal(t testing.TB, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatalf("send %v to process %d: %v", sig, pid, err)
	}
}

// dead asks a file descriptor of a process, without waiting.
func dead(pidfd int) (bool, error) {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return n > 0, err
	}
}
