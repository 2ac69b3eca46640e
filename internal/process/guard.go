package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
)

// The guard's inherited file descriptors, in the order in which startGuard
// hands them over.
const (
	fdControl = 3 + iota
	fdOutRead
	fdOutWrite
	fdErrRead
	fdErrWrite
	fdLock // held until the guard ends, so that Clean knows that it ended
	fdEnd
)

// guardFlush is how long the guard, with nothing left to guard, waits for a
// slow disk or a stopped agent before it ends.
const guardFlush = 5 * time.Second

// guardGC makes the guard collect early: it holds one small message at a time
// and lives beside every node.
const guardGC = 20

// IsGuard tells whether args, an os.Args, are those of a guard. It costs
// nothing, so that main can ask first.
func IsGuard(args []string) bool { return len(args) >= 2 && args[1] == "guard" }

// GuardMain is the guard process: it starts the node it is told to start, obeys
// the agent, and ends the node by itself when the deadline comes or the agent
// is gone. It returns the exit code. args are what follows the word "guard": a
// guard is also what becomes the node. The caller's goroutine stays on its thread,
// because the kernel kills the node with the thread that started it.
func GuardMain(args []string) int {
	if len(args) > 0 && args[0] == launchWord {
		return launchMain(args[1:])
	}
	runtime.LockOSThread()
	debug.SetGCPercent(guardGC)
	g, err := newGuard()
	if err != nil {
		fmt.Fprintln(os.Stderr, "hotcold: error:", err)
		fmt.Fprintln(os.Stderr, "hotcold: hint: the agent starts its guard by itself; this command is not for people")
		return 2
	}
	if err := lockMemory(); err != nil {
		g.unlocked = err.Error()
	}
	g.run()
	g.close()
	return 0
}

type guard struct {
	spec     spec
	clock    clock.Clock
	timer    clock.Timer
	fate     fate
	cg       cgroup
	kids     [roles]child
	failed   bool   // there is no node
	noCgroup string // why the node has none
	unlocked string // why our memory is not locked
	watchdog *watchdog
	orders   <-chan order
	agent    <-chan struct{} // closed when the agent is dead
	childs   chan os.Signal
	empty    <-chan struct{} // closed when the cgroup is seen empty
	talk     *talker
	records  *recorder
	sweeps   *sweeper
	valve    *valve
}

func newGuard() (*guard, error) {
	if _, err := unix.GetsockoptInt(fdControl, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
		return nil, fmt.Errorf("guard: no agent on file descriptor %d: %w", fdControl, err)
	}
	for fd := fdControl; fd < fdEnd; fd++ {
		unix.CloseOnExec(fd)
	}
	// What the agent was itself started with is not for the node either. A
	// kernel before 5.11 cannot do that, and a leaked file is no danger.
	_ = unix.CloseRange(fdEnd, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)
	for _, fd := range []int{fdControl, fdOutRead, fdErrRead} {
		if err := unix.SetNonblock(fd, true); err != nil {
			return nil, fmt.Errorf("guard: prepare file descriptor %d: %w", fd, err)
		}
	}
	ignoreTerminal()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("guard: become subreaper: %w", err)
	}
	// The name in ps; it would be "exe" otherwise. Cosmetic, so it may fail.
	_ = os.WriteFile("/proc/self/comm", []byte("hotcold-guard"), 0)

	control := os.NewFile(fdControl, "agent")
	dec := json.NewDecoder(control)
	g := &guard{clock: clock.System(), childs: make(chan os.Signal, 1)}
	if err := dec.Decode(&g.spec); err != nil {
		return nil, fmt.Errorf("guard: read what to do: %w", err)
	}
	agent, err := watchAgent(g.spec.AgentPID)
	if err != nil {
		return nil, err
	}
	signal.Notify(g.childs, unix.SIGCHLD)
	g.agent = agent
	g.orders = readOrders(dec)
	g.talk = newTalker(control)
	g.records = newRecorder(g.spec.RecordPath)
	g.cg = cgroup(g.spec.Cgroup)
	g.sweeps = newSweeper(g.cg)
	g.fate = fate{deadline: g.spec.Deadline, lossGrace: g.spec.LossGrace, lossCause: AgentLost}
	g.timer = g.clock.Timer(g.fate.wake())
	return g, nil
}

// ignoreTerminal takes the signals that are meant for the agent or for a
// terminal's foreground group. They are caught and thrown away, not ignored: an
// ignored signal would stay ignored in the node.
func ignoreTerminal() {
	signal.Notify(make(chan os.Signal, 1), unix.SIGTERM, unix.SIGINT, unix.SIGHUP,
		unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGPIPE)
}

// watchAgent returns a channel that is closed when the agent is dead. The end
// of the control socket would tell it too, but a child of the agent that hangs
// between fork and exec keeps that open.
func watchAgent(pid int) (<-chan struct{}, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("guard: watch agent: %w", err)
	}
	if os.Getppid() != pid {
		unix.Close(fd)
		return nil, errors.New("guard: the agent is gone already")
	}
	dead := make(chan struct{})
	go func() {
		defer close(dead)
		for {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
			if n > 0 || (err != nil && !errors.Is(err, unix.EINTR)) {
				return
			}
		}
	}()
	return dead, nil
}

// readOrders returns the agent's orders; the channel is closed when there can
// be no more.
func readOrders(dec *json.Decoder) <-chan order {
	c := make(chan order)
	go func() {
		defer close(c)
		for {
			var o order
			if err := dec.Decode(&o); err != nil {
				return
			}
			c <- o
		}
	}()
	return c
}
