package probe

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"golang.org/x/sys/unix"
)

const (
	// outputLimitBytes is how much of a command's last output is kept.
	outputLimitBytes = 4 << 10
	// reasonLimitBytes is how much of it goes into the reason: one line of a
	// terminal or two.
	reasonLimitBytes = 200
	// killGrace is how long a look waits for a killed command to be gone. A
	// process ends within milliseconds of SIGKILL, or it is stuck in the
	// kernel (a dead network drive) and may stay so for hours.
	killGrace = time.Second
	// pipeGrace is how long the output of a command that has ended is still
	// read, where something that left its process group holds the pipe open.
	pipeGrace = 100 * time.Millisecond
)

// CommandOptions say what to run.
type CommandOptions struct {
	// Argv is the program and its arguments. There is no shell in between.
	Argv []string
	// Dir is the working directory; empty means the agent's.
	Dir string
	// Env is the whole environment; nil means the agent's.
	Env []string
	// Clock measures how long a killed command may take to be gone.
	Clock clock.Clock
}

// Command is a probe that is well when a command exits with 0.
type Command struct {
	o CommandOptions

	mu    sync.Mutex // guards stuck
	stuck *run       // a command that SIGKILL did not end in time
}

// NewCommand checks the options and returns the probe.
func NewCommand(o CommandOptions) (*Command, error) {
	if len(o.Argv) == 0 || o.Argv[0] == "" {
		return nil, errors.New("command probe: no command given")
	}
	if o.Clock == nil {
		return nil, errors.New("command probe: no clock given")
	}
	return &Command{o: o}, nil
}

// Look runs the command in a process group of its own. The whole group is
// killed when ctx ends, and also when the command itself has ended, so that
// nothing it started goes on.
func (c *Command) Look(ctx context.Context) error {
	if err := c.stillStuck(); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return fail(ctx, c.target(), "about to start", err)
	}
	r := &run{out: &tail{}, ended: make(chan struct{})}
	cmd := exec.Command(c.o.Argv[0], c.o.Argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.o.Dir, c.o.Env, r.out, r.out
	cmd.WaitDelay = pipeGrace
	// A killed agent cannot kill the group; the kernel at least ends its leader.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	go r.do(ctx, cmd)
	select {
	case <-r.ended:
	case <-ctx.Done():
		if !c.gone(r) {
			return &Failure{Outcome: TimedOut, Target: c.target(), Reason: "timed out, and does not die of SIGKILL", Cause: context.Cause(ctx)}
		}
	}
	return c.judge(ctx, r)
}

// gone waits for a command that is being killed, and remembers it if it stays.
func (c *Command) gone(r *run) bool {
	limit := c.o.Clock.Timer(c.o.Clock.Now().Boot + killGrace)
	defer limit.Stop()
	select {
	case <-r.ended:
		return true
	case <-limit.C():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stuck = r
	return false
}

func (c *Command) stillStuck() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stuck == nil {
		return nil
	}
	if closed(c.stuck.ended) {
		c.stuck = nil
		return nil
	}
	return &Failure{Outcome: TimedOut, Target: c.target(), Reason: "the run before does not die of SIGKILL; no other one is started"}
}

func (c *Command) judge(ctx context.Context, r *run) error {
	if r.err == nil {
		return nil
	}
	if context.Cause(ctx) != nil {
		return c.withOutput(fail(ctx, c.target(), "running", r.err), r)
	}
	var exit *exec.ExitError
	if !errors.As(r.err, &exit) {
		return &Failure{Outcome: Unreachable, Target: c.target(), Reason: "does not start: " + plain(r.err), Cause: r.err}
	}
	reason := fmt.Sprintf("exited with %d", exit.ExitCode())
	if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		reason = "was ended by " + unix.SignalName(s.Signal())
	}
	return c.withOutput(&Failure{Outcome: Wrong, Target: c.target(), Reason: reason, Cause: r.err}, r)
}

// withOutput adds the last words of the command to the reason.
func (c *Command) withOutput(err error, r *run) error {
	var f *Failure
	if said := r.out.last(); said != "" && errors.As(err, &f) {
		f.Reason += ": " + said
	}
	return err
}

// target names the program only: arguments may hold secrets.
func (c *Command) target() string { return "command " + c.o.Argv[0] }

// run is one run of a command.
type run struct {
	out   *tail
	ended chan struct{} // closed when the command has been reaped
	err   error         // to be read once ended is closed
}

// do starts the command, sees it end and leaves nothing of its group behind.
func (r *run) do(ctx context.Context, cmd *exec.Cmd) {
	defer close(r.ended)
	// Pdeathsig is tied to the thread that started the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if r.err = cmd.Start(); r.err != nil {
		return
	}
	group := cmd.Process.Pid
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(killed)
		killGroup(group)
	})
	// The command is seen dead before it is reaped: until then its number
	// cannot belong to anyone else, so that the group is killed and no other.
	awaitExit(group)
	if !stop() {
		<-killed
	}
	killGroup(group)
	if r.err = cmd.Wait(); errors.Is(r.err, exec.ErrWaitDelay) {
		r.err = nil // it exited with 0; who holds its pipe is not our question
	}
	reapGroup(group)
}

// reapGroup waits for what the command left in its group, which has been killed:
// an agent is the subreaper of all that it starts, so nobody else does.
func reapGroup(group int) {
	for {
		_, err := unix.Wait4(-group, nil, 0, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return // ECHILD: nothing is left
		}
	}
}

// killGroup cannot fail in a way that matters: no such group means none left.
func killGroup(group int) { _ = unix.Kill(-group, unix.SIGKILL) }

func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex // guards kept
	kept []byte
}

// Write never fails and never waits, so that a noisy command is not held up.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p[max(0, len(p)-outputLimitBytes):]...)
	if over := len(t.kept) - outputLimitBytes; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// last is the last line that says something, fit for a message.
func (t *tail) last() string {
	t.mu.Lock()
	text := string(t.kept)
	t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	printable := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return ' '
		}
		return r
	}, lines[len(lines)-1])
	return shorten(oneLine(printable), reasonLimitBytes)
}
