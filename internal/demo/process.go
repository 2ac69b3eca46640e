package demo

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// nursery starts children that die with the demo, and reaps those that come to
// it because their parent died.
type nursery struct {
	jobs chan func()
	done chan struct{}

	mu  sync.Mutex // guards own; held from the start of a child until it is noted
	own map[int]bool
}

func newNursery() (*nursery, error) {
	// A guard or a node whose agent was killed has to come to us: then its end
	// can be seen, and it does not stay as a zombie where process 1 is careless.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become subreaper: %w", err)
	}
	n := &nursery{jobs: make(chan func()), done: make(chan struct{}), own: map[int]bool{}}
	go func() {
		defer close(n.done)
		// The kernel sends the death signal when the thread that started the
		// child ends, so all children are started by one that stays. It is
		// never unlocked: it ends with this goroutine, and takes along what
		// should be dead by then.
		runtime.LockOSThread()
		for job := range n.jobs {
			job()
		}
	}()
	return n, nil
}

// close ends the thread. All children have to be dead before.
func (n *nursery) close() {
	close(n.jobs)
	<-n.done
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) // as it was before
}

// start starts a child in a process group of its own. The caller has to call
// wait.
func (n *nursery) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	n.jobs <- func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		err := cmd.Start()
		if err == nil {
			n.own[cmd.Process.Pid] = true
		}
		started <- err
	}
	return <-started
}

// wait waits for the end of a child.
func (n *nursery) wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.own, cmd.Process.Pid)
	return err
}

// reap runs until ctx ends.
func (n *nursery) reap(ctx context.Context) {
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	defer signal.Stop(died)
	for {
		n.reapOnce()
		select {
		case <-died:
		case <-ctx.Done():
			return
		}
	}
}

func (n *nursery) reapOnce() {
	n.mu.Lock()
	defer n.mu.Unlock()
	self := os.Getpid()
	for _, p := range processes() {
		if p.parent == self && p.zombie() && !n.own[p.pid] {
			_, _ = syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil) // it is dead already
		}
	}
}

// left are the processes that descend from the demo, without zombies.
func (n *nursery) left() []int {
	n.reapOnce()
	return descendants(processes(), os.Getpid())
}

// proc is one line of the process table.
type proc struct {
	pid, parent int
	state       string // one letter, see proc_pid_stat(5)
}

func (p proc) zombie() bool { return p.state == "Z" || p.state == "X" }

// processes reads the process table. What ends meanwhile is left out.
func processes() []proc {
	entries, _ := os.ReadDir("/proc") // without it nothing of hotcold works
	var all []proc
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		if p, ok := parseStat(pid, string(text)); ok {
			all = append(all, p)
		}
	}
	return all
}

// parseStat reads "pid (name) state ppid ...", where a name may hold anything.
func parseStat(pid int, text string) (proc, bool) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return proc{}, false
	}
	parent, err := strconv.Atoi(fields[1])
	return proc{pid: pid, parent: parent, state: fields[0]}, err == nil
}

// stopped tells whether a process has been stopped, or is gone.
func stopped(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	p, ok := parseStat(pid, string(text))
	return !ok || p.state == "T" || p.zombie()
}

// locks tells whether a process holds a lock on a file.
func locks(pid int, path string) bool {
	var stat unix.Stat_t
	if unix.Stat(path, &stat) != nil {
		return false
	}
	text, _ := os.ReadFile("/proc/locks") // without it nobody knows
	return holdsLock(string(text), pid, stat.Ino)
}

// holdsLock reads lines such as "1: POSIX ADVISORY WRITE 123 08:01:4711 0 EOF";
// one that waits for a lock has an arrow before the kind.
func holdsLock(table string, pid int, inode uint64) bool {
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 6 || f[1] == "->" || f[4] != strconv.Itoa(pid) {
			continue
		}
		if f[5][strings.LastIndexByte(f[5], ':')+1:] == strconv.FormatUint(inode, 10) {
			return true
		}
	}
	return false
}

// descendants lists the living children of root and theirs, parents first.
func descendants(all []proc, root int) []int {
	found := []int{root}
	for i := 0; i < len(found); i++ {
		for _, p := range all {
			if p.parent == found[i] && !p.zombie() && !slices.Contains(found, p.pid) {
				found = append(found, p.pid)
			}
		}
	}
	return found[1:]
}

// kill sends SIGKILL to each. One that is gone already is what was wanted.
func kill(pids ...int) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
