package process

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// selfExe is this very program, even after its file was replaced or removed by
// an update: agent and guard are always of one version.
const selfExe = "/proc/self/exe"

// Start starts a guard, which starts the node, and returns once the node's
// main process runs. It refuses with ErrNoTime when d leaves no room.
//
// When it fails, nothing is left running, with one exception: if what was
// started could not be seen dead by d.DeadBy, the error is ErrAlive and the
// Node, which is not nil then, goes on trying.
func Start(ctx context.Context, o Options, d Deadline) (*Node, error) {
	n, err := start(ctx, o, d)
	if err != nil {
		return n, fmt.Errorf("start node: %w", err)
	}
	return n, nil
}

func start(ctx context.Context, o Options, d Deadline) (*Node, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s, err := newSpec(o, d)
	if err != nil {
		return nil, err
	}
	if err := makeRuntimeDir(o.RuntimeDir); err != nil {
		return nil, err
	}
	lock, err := flock(guardLockPath(o.RuntimeDir))
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("%w in %s", ErrGuardLives, o.RuntimeDir)
	}
	if err != nil {
		return nil, err
	}
	defer lock.Close() // the guard has its own copy
	if err := s.takeCgroup(o); err != nil {
		return nil, err
	}
	// From here on something may live, and the record has to say so first.
	if err := s.Record.write(s.RecordPath); err != nil {
		return nil, errors.Join(err, cgroup(s.Cgroup).remove())
	}
	n, err := launch(o, s, lock)
	if err != nil {
		s.Record.Dead = true
		return nil, errors.Join(err, cgroup(s.Cgroup).remove(), s.Record.write(s.RecordPath))
	}
	return n.await(ctx)
}

// newSpec checks what can be checked before anything is started.
func newSpec(o Options, d Deadline) (*spec, error) {
	now := o.Clock.Now().Boot
	if !d.ordered() {
		return nil, fmt.Errorf("deadline is out of order: stop at %v, kill at %v, dead by %v", d.StopAt, d.KillAt, d.DeadBy)
	}
	if now >= d.StopAt {
		return nil, fmt.Errorf("%w: stopping would have begun %v ago", ErrNoTime, now-d.StopAt)
	}
	if err := checkDir(o.Dir); err != nil {
		return nil, err
	}
	path, err := lookPath(o.Argv[0], o.Dir, o.Env)
	if err != nil {
		return nil, err
	}
	machine, err := BootID()
	if err != nil {
		return nil, err
	}
	self, err := readStat(os.Getpid())
	if err != nil {
		return nil, fmt.Errorf("read own process: %w", err)
	}
	id := newID()
	s := &spec{
		ID: id, AgentPID: self.pid, Path: path, Argv: o.Argv, Dir: o.Dir, Env: nodeEnv(o, id),
		Deadline: d, LossGrace: o.LossGrace, StopSignal: o.StopSignal, LastResort: o.LastResort, Watchdog: o.Watchdog,
		RecordPath: recordPath(o.RuntimeDir),
		Record: record{Version: recordVersion, Machine: machine, ID: id, Instance: o.Instance,
			Epoch: o.Epoch, Agent: self.ident()},
	}
	s.findStopCommand(o)
	return s, nil
}

// findStopCommand leaves out a stop command that is not there: the signal does
// the same work, and a node that runs is worth more than its politest end.
func (s *spec) findStopCommand(o Options) {
	if len(o.StopCommand) == 0 {
		return
	}
	path, err := lookPath(o.StopCommand[0], o.Dir, o.Env)
	if err != nil {
		o.Log.Warn("stop command cannot be run, the stop signal will be sent", "err", err)
		return
	}
	s.StopPath, s.StopCommand = path, o.StopCommand
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	return hex.EncodeToString(b[:])
}

// nodeEnv puts our variables in the place of any that are there: most programs
// take the first one of a name, and a wrong epoch or mark would be believed.
func nodeEnv(o Options, id string) []string {
	ours := []string{EpochVar, InstanceVar, NodeMark, GuardMark, NodePIDVar, resortMark}
	var env []string
	for _, kv := range o.Env {
		if name, _, _ := strings.Cut(kv, "="); !slices.Contains(ours, name) {
			env = append(env, kv)
		}
	}
	return append(env, EpochVar+"="+strconv.FormatUint(o.Epoch, 10), InstanceVar+"="+o.Instance, NodeMark+"="+id)
}

// takeCgroup makes the node's cgroup. Where none was asked for by name, a
// machine without one is told of and gone on with.
func (s *spec) takeCgroup(o Options) error {
	if o.Cgroup == CgroupOff {
		return nil
	}
	parent, err := cgroupParent(o.Cgroup)
	if err == nil {
		dir := filepath.Join(parent, instancePrefix(o.Instance)+s.ID[:8])
		if err = os.Mkdir(dir, 0o755); err == nil {
			s.Cgroup, s.Record.Cgroup = dir, dir
			s.CgroupMust = o.Cgroup != CgroupAuto
			return nil
		}
	}
	if o.Cgroup != CgroupAuto {
		return fmt.Errorf("make cgroup: %w", err)
	}
	o.Log.Info("no cgroup for the node, its processes are followed one by one", "err", err)
	return nil
}

// launch starts the guard and begins to talk to it.
func launch(o Options, s *spec, lock *os.File) (*Node, error) {
	// Children that outlive the guard have to come to us, where we find them.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become subreaper: %w", err)
	}
	p, err := openPipes()
	if err != nil {
		return nil, err
	}
	defer p.closeTheirs()
	pidfd := -1
	pid, err := forkGuard(o, s, p, lock, &pidfd)
	if err != nil {
		p.closeOurs()
		return nil, fmt.Errorf("start guard: %w", err)
	}
	_ = unix.SetNonblock(p.out[0], true)
	_ = unix.SetNonblock(p.err[0], true)
	n := newNode(o, s, guardHandle{pid: pid, pidfd: pidfd}, os.NewFile(uintptr(p.control[0]), "guard"))
	n.out = newOutput(o.Clock, o.Output, p.out[0], p.err[0])
	go n.listen(json.NewDecoder(n.conn))
	go n.speak(s)
	go n.waitGuard()
	go n.run()
	return n, nil
}

func (o Options) guardArgv() []string {
	if len(o.Guard) > 0 {
		return o.Guard
	}
	return []string{os.Args[0], "guard"}
}

// forkGuard starts the guard in a session of its own. Nothing secret is in its
// arguments or its environment.
func forkGuard(o Options, s *spec, p *pipes, lock *os.File, pidfd *int) (int, error) {
	path, argv := selfExe, o.guardArgv()
	if len(o.Guard) > 0 {
		found, err := lookPath(o.Guard[0], "/", nil)
		if err != nil {
			return 0, err
		}
		path = found
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	return syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Dir: "/",
		Env: []string{GuardMark + "=" + s.ID, InstanceVar + "=" + o.Instance, "GOMAXPROCS=2", "GOTRACEBACK=single"},
		// Standard error is for the trace of a guard that breaks.
		Files: []uintptr{null.Fd(), null.Fd(), 2, fdControl: uintptr(p.control[1]),
			fdOutRead: uintptr(p.out[0]), fdOutWrite: uintptr(p.out[1]),
			fdErrRead: uintptr(p.err[0]), fdErrWrite: uintptr(p.err[1]), fdLock: lock.Fd()},
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: pidfd},
	})
}

// pipes join the agent, the guard and the node. The first of each pair is ours.
type pipes struct{ control, out, err [2]int }

func openPipes() (*pipes, error) {
	p := &pipes{control: [2]int{-1, -1}, out: [2]int{-1, -1}, err: [2]int{-1, -1}}
	var err error
	p.control, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err == nil {
		err = unix.Pipe2(p.out[:], unix.O_CLOEXEC)
	}
	if err == nil {
		err = unix.Pipe2(p.err[:], unix.O_CLOEXEC)
	}
	if err != nil {
		p.closeOurs()
		p.closeTheirs()
		return nil, fmt.Errorf("open pipes to the guard: %w", err)
	}
	for _, fd := range []int{p.out[0], p.err[0]} {
		// More room is a favour of the kernel: without it the pipe is 64 KiB.
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, pipeSize)
	}
	return p, nil
}

func (p *pipes) closeOurs()   { closeAll(p.control[0], p.out[0], p.err[0]) }
func (p *pipes) closeTheirs() { closeAll(p.control[1], p.out[1], p.err[1]) }

func closeAll(fds ...int) {
	for _, fd := range fds {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// await returns once the node runs, or once it is certain that it does not.
func (n *Node) await(ctx context.Context) (*Node, error) {
	var cause error
	select {
	case <-n.started:
		return n, nil
	case <-n.done:
	case <-ctx.Done():
		cause = context.Cause(ctx)
		n.Kill()
	}
	if err := n.awaitDone(); err != nil {
		return n, errors.Join(err, cause)
	}
	n.Wait()
	switch {
	case n.failure != nil:
		return nil, n.failure
	case cause != nil:
		return nil, cause
	}
	return nil, fmt.Errorf("the guard ended before the node ran (%s)", n.result.Cause)
}

// awaitDone waits for Done until the last process has to be gone.
func (n *Node) awaitDone() error {
	t := n.clock.Timer(n.deadBy + time.Millisecond)
	defer t.Stop()
	select {
	case <-n.done:
		return nil
	case <-t.C():
		return ErrAlive
	}
}
