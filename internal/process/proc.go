package process

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// procStat is what /proc/PID/stat tells about one process. Reading it takes no
// lock of the process's memory, so it does not hang on one that is stuck.
type procStat struct {
	pid, ppid, pgrp, session int
	state                    byte
	flags                    uint32 // the kernel's PF_ flags
	threads                  int
	start                    uint64 // clock ticks since boot; tells a reused pid
	name                     string
}

// dead tells whether nothing of the process can run any more. A main thread
// that has ended leaves a Z behind while other threads go on: not dead.
func (p procStat) dead() bool {
	return (p.state == 'Z' || p.state == 'X') && p.threads <= 1
}

// pfExiting is set from the first step of a process's end on (linux/sched.h).
const pfExiting = 0x4

// exiting tells whether the main thread has begun to end. From then on its
// environment reads empty, though it was not.
func (p procStat) exiting() bool { return p.flags&pfExiting != 0 }

func (p procStat) ident() ident { return ident{PID: p.pid, Start: p.start} }

// ident names a process for as long as the machine is up.
type ident struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
}

// alive tells whether exactly this process is there and not dead.
func (id ident) alive() bool {
	p, err := readStat(id.PID)
	return err == nil && p.start == id.Start && !p.dead()
}

// kill sends SIGKILL to exactly this process.
func (id ident) kill() error { return id.signal(unix.SIGKILL) }

// signal sends a signal to exactly this process; one that is gone is no error.
// The pidfd pins it between the look at its start time and the signal, so a
// reused pid is never hit.
func (id ident) signal(s syscall.Signal) error {
	if id.PID <= 1 {
		return fmt.Errorf("signal process %d: refused", id.PID)
	}
	fd, err := unix.PidfdOpen(id.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", id.PID, err)
	}
	defer unix.Close(fd)
	if p, err := readStat(id.PID); err != nil || p.start != id.Start {
		return nil
	}
	err = unix.PidfdSendSignal(fd, s, nil, 0)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal process %d: %w", id.PID, err)
	}
	return nil
}

func procPath(pid int, name string) string {
	return "/proc/" + strconv.Itoa(pid) + "/" + name
}

func readStat(pid int) (procStat, error) {
	// Straight system calls: a pass over /proc is made while a node is to be
	// killed, and os.ReadFile takes twice as many.
	path := procPath(pid, "stat")
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return procStat{}, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var b [1024]byte // 52 numbers and a name of at most 64 bytes fit
	n, err := unix.Read(fd, b[:])
	if err != nil {
		return procStat{}, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return parseStat(b[:n])
}

// parseStat reads "pid (name) state ppid pgrp session ...". The name may hold
// anything, parentheses and newlines too, so it ends at the last parenthesis.
func parseStat(b []byte) (procStat, error) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 2 || end < open {
		return procStat{}, fmt.Errorf("parse process state %q", b)
	}
	f := strings.Fields(string(b[end+1:]))
	if len(f) < 20 {
		return procStat{}, fmt.Errorf("parse process state %q", b)
	}
	p := procStat{state: f[0][0], name: string(b[open+1 : end])}
	var errs [7]error
	flags, err := strconv.ParseUint(f[6], 10, 32)
	p.flags, errs[6] = uint32(flags), err
	p.pid, errs[0] = strconv.Atoi(strings.TrimSpace(string(b[:open])))
	p.ppid, errs[1] = strconv.Atoi(f[1])
	p.pgrp, errs[2] = strconv.Atoi(f[2])
	p.session, errs[3] = strconv.Atoi(f[3])
	p.threads, errs[4] = strconv.Atoi(f[17])
	p.start, errs[5] = strconv.ParseUint(f[19], 10, 64)
	return p, errors.Join(errs[:]...)
}

// table is one look at all processes. It is not atomic: a process that was
// born while it was taken may be missing.
type table map[int]procStat

func readTable() (table, error) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	t := make(table, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		p, err := readStat(pid)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it ended meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read process %d: %w", pid, err)
		}
		t[pid] = p
	}
	return t, nil
}

// oldestFirst lists the processes in the order in which they were started.
// Whoever kills in this order kills a shell before the command it waits for, and
// so before it can start the next one.
func (t table) oldestFirst() []procStat {
	return slices.SortedFunc(maps.Values(t), func(a, b procStat) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.pid, b.pid))
	})
}

// childOf returns the child of root from which pid descends, or pid itself
// where it is that child; 0 if it does not descend from root.
func (t table) childOf(root, pid int) int {
	// The bound keeps a table that was taken while pids were reused, and so
	// may hold a ring, from turning this into an endless loop.
	for range len(t) {
		p, ok := t[pid]
		if !ok || p.ppid == 0 {
			return 0
		}
		if p.ppid == root {
			return pid
		}
		pid = p.ppid
	}
	return 0
}

// environ returns the value of each wanted variable of a process. It may hang
// on a process that is stuck in the kernel: callers have a way out.
func environ(pid int, wanted ...string) (map[string]string, error) {
	b, err := readEnviron(pid)
	if err != nil {
		return nil, err
	}
	vars := map[string]string{}
	for kv := range bytes.SplitSeq(b, []byte{0}) {
		name, value, _ := strings.Cut(string(kv), "=")
		for _, w := range wanted {
			if name == w {
				vars[name] = value
			}
		}
	}
	return vars, nil
}

// readEnviron reads the environment of a process through any of its threads: a
// main thread that has ended shows none, while the others go on. It returns
// ESRCH where no thread has one.
func readEnviron(pid int) ([]byte, error) {
	b, err := os.ReadFile(procPath(pid, "environ"))
	if len(b) > 0 || (err != nil && !errors.Is(err, unix.ESRCH)) {
		return b, err
	}
	threads, err := filepath.Glob(procPath(pid, "task/[0-9]*/environ"))
	if err != nil {
		return nil, err
	}
	for _, path := range threads {
		// A thread that has ended meanwhile has nothing to show either.
		if b, err := os.ReadFile(path); err == nil && len(b) > 0 {
			return b, nil
		}
	}
	return nil, unix.ESRCH
}

// Leftover is a process that would not go.
type Leftover struct {
	PID   int    `json:"pid"`
	Name  string `json:"name"`
	State string `json:"state"`
	// Wait is the kernel function in which it hangs, if that may be known.
	Wait string `json:"wait,omitempty"`
}

// String returns, for example, "java[4711] D nfs_wait_bit_killable".
func (l Leftover) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s[%d] %s %s", l.Name, l.PID, l.State, l.Wait))
}

// leftover describes p. The name is the kernel's own, not the command line,
// which may hold secrets and may hang when read.
func leftover(p procStat) Leftover {
	wait, err := os.ReadFile(procPath(p.pid, "wchan"))
	if err != nil || string(wait) == "0" {
		wait = nil
	}
	return Leftover{PID: p.pid, Name: p.name, State: string(p.state), Wait: string(wait)}
}
