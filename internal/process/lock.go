package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// LockedError means that another agent of this instance runs on this machine.
type LockedError struct {
	// Path is the lock file.
	Path string
	// PID is the other agent, 0 if it did not say.
	PID int
}

// Error returns who holds the lock.
func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is locked by another agent", e.Path)
	}
	return fmt.Sprintf("%s is locked by another agent, process %d", e.Path, e.PID)
}

// Lock is held by the one agent of an instance on a machine.
type Lock struct{ f *os.File }

// Acquire takes the lock of runtimeDir, which it creates if need be. It does
// not wait. The kernel frees the lock when this process ends, however it ends.
func Acquire(runtimeDir string) (*Lock, error) {
	if err := makeRuntimeDir(runtimeDir); err != nil {
		return nil, err
	}
	path := filepath.Join(runtimeDir, "agent.lock")
	f, err := flock(path)
	if errors.Is(err, unix.EWOULDBLOCK) {
		b, _ := os.ReadFile(path)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
		return nil, &LockedError{Path: path, PID: pid}
	}
	if err != nil {
		return nil, err
	}
	// The pid is only for the message above: a lock without it still locks.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &Lock{f: f}, nil
}

// Release frees the lock. The file stays: removing it would let two agents
// lock two files of one name.
func (l *Lock) Release() error { return unlock(l.f) }

// unlock frees the lock at once. To close the file would not be enough: a program
// that is being started by another goroutine has a copy of every open file for as
// long as it takes from its fork to its exec, and a lock lives until the last copy
// is closed.
func unlock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_UN)
	return errors.Join(err, f.Close())
}

// flock opens path and locks it without waiting.
func flock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// makeRuntimeDir creates dir for this user alone.
func makeRuntimeDir(dir string) error {
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("runtime directory %q is not an absolute path", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make runtime directory: %w", err)
	}
	fi, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at runtime directory: %w", err)
	}
	if fi.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("runtime directory %s may be written by others (mode %#o): others could fake what is in it; chmod 0700", dir, fi.Mode().Perm())
	}
	return nil
}
