package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
)

// Node is one start of a node, seen from the agent. Its methods may be called
// from any goroutine and, but for Result and Wait, never block.
type Node struct {
	o       Options
	clock   clock.Clock
	log     *slog.Logger
	id      string
	deadBy  time.Duration // of the first deadline
	record  record
	path    string
	guard   guardHandle
	conn    *os.File
	out     *output
	started chan struct{}
	exited  chan struct{}
	done    chan struct{}
	over    chan struct{}
	reports chan report
	heard   chan struct{} // the guard says no more
	ended   chan struct{} // the guard was reaped
	swept   chan sweepResult
	poke    chan struct{} // there is a new wish
	orders  chan struct{} // there is a new order

	mu    sync.Mutex
	wish  order // what callers want, not yet seen by run
	order order // what the guard is told

	// What follows belongs to run until done is closed.
	timer     clock.Timer
	fate      fate
	main      ident
	cg        cgroup
	orphans   *orphans
	askBy     time.Duration // when to ask the node to end ourselves; 0 if not waiting
	obeyed    bool          // the guard said that it kills, or that main exited
	ackBy     time.Duration // when to stop waiting for that; 0 if not waiting
	overdue   bool          // what is left was told, or is about to be
	tellBy    time.Duration // when to tell it at the latest; 0 if not waiting
	resorted  bool          // the last resort was run, or there is none
	guardless bool          // the guard is gone; we kill and look by ourselves
	sweeping  bool
	left      []procStat // what the last pass without a guard found
	calm      int        // passes in a row that found nothing
	failure   error
	startedAt time.Duration
	result    Result
	helpers   sync.WaitGroup
}

type guardHandle struct{ pid, pidfd int }

// Result tells how a node ended.
type Result struct {
	PID int
	// Known tells whether the status of the main process is known; it is not
	// where the guard took it to its grave.
	Known bool
	// Code is the exit code, -1 where a signal ended the process.
	Code   int
	Signal syscall.Signal
	// Cause is what began the end.
	Cause Cause
	// Forced tells that SIGKILL was sent, to the last part of the tree at least.
	Forced bool
	// StartedAt, ExitedAt and GoneAt are boot-clock readings: main process
	// started, main process exited, nothing of the tree left.
	StartedAt, ExitedAt, GoneAt time.Duration
	// Kill is how long it took from the first SIGKILL, or from the exit of
	// the main process, until the tree was seen dead; 0 if it went in peace.
	Kill time.Duration
	// Cgroup tells whether a cgroup held the tree.
	Cgroup bool
	// Tail holds the last 20 lines of output, each cut at 1 KiB.
	Tail []Line
	// DroppedLines counts lines that the sink was too slow for.
	DroppedLines int
}

// Status returns the end of the main process in words.
func (r Result) Status() string {
	switch {
	case !r.Known:
		return "unknown"
	case r.Code < 0:
		return "signal " + unix.SignalName(r.Signal)
	}
	return fmt.Sprintf("exit code %d", r.Code)
}

func newNode(o Options, s *spec, g guardHandle, conn *os.File) *Node {
	n := &Node{
		o: o, clock: o.Clock, log: o.Log, id: s.ID, deadBy: s.Deadline.DeadBy, record: s.Record, path: s.RecordPath,
		guard: g, conn: conn, cg: cgroup(s.Cgroup), order: order{Deadline: s.Deadline},
		started: make(chan struct{}), exited: make(chan struct{}), done: make(chan struct{}), over: make(chan struct{}),
		reports: make(chan report), heard: make(chan struct{}), ended: make(chan struct{}), swept: make(chan sweepResult, 1),
		poke: make(chan struct{}, 1), orders: make(chan struct{}, 1),
		orphans: newOrphans(s.ID, g.pid),
		// Without a guard there is nothing between us and a node on the loose.
		fate: fate{deadline: s.Deadline, lossGrace: 0, lossCause: GuardLost},
	}
	n.timer = n.clock.Timer(n.fate.wake())
	return n
}

// PID returns the main process's id, 0 for a node that never ran.
func (n *Node) PID() int {
	if !n.hasStarted() {
		return 0
	}
	return n.main.PID
}

// StartedAt returns the boot-clock reading right before the main process was
// made, 0 for a node that never ran.
func (n *Node) StartedAt() time.Duration {
	if !n.hasStarted() {
		return 0
	}
	return n.startedAt
}

func (n *Node) hasStarted() bool {
	select {
	case <-n.started:
		return true
	default:
		return false
	}
}

// Extend moves the deadline later. Once the moment to stop has come it does
// nothing: a node that is being fenced stays fenced.
func (n *Node) Extend(d Deadline) {
	n.want(func(w *order) { w.Deadline = w.Deadline.later(d) })
}

// Stop asks the node to end and kills its tree after grace, or at the
// deadline if that is earlier. Extend goes on to move the deadline meanwhile.
func (n *Node) Stop(grace time.Duration) {
	by := n.clock.Now().Boot + max(grace, 0)
	n.want(func(w *order) {
		if !w.Stop || by < w.StopBy {
			w.Stop, w.StopBy = true, by
		}
	})
}

// Kill kills the whole tree now.
func (n *Node) Kill() { n.want(func(w *order) { w.Kill = true }) }

// Exited is closed when the main process has exited.
func (n *Node) Exited() <-chan struct{} { return n.exited }

// Done is closed when the node was seen dead: no process of its tree is left.
// It stays open as long as one is.
func (n *Node) Done() <-chan struct{} { return n.done }

// Wait blocks until Done is closed and all that Start started has ended.
func (n *Node) Wait() { <-n.over }

// Result waits for Done and tells how the node ended.
func (n *Node) Result() Result {
	<-n.done
	<-n.out.read
	r := n.result
	r.Tail, r.DroppedLines = n.out.last()
	return r
}

func (n *Node) want(change func(*order)) {
	n.mu.Lock()
	change(&n.wish)
	n.mu.Unlock()
	nudge(n.poke)
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// listen passes on what the guard says.
func (n *Node) listen(dec *json.Decoder) {
	defer close(n.heard)
	for {
		var r report
		if err := dec.Decode(&r); err != nil {
			return // the guard's end is seen by waitGuard
		}
		select {
		case n.reports <- r:
		case <-n.done:
			return
		}
	}
}

// speak sends the spec and then the latest order, whenever there is a new
// one. A guard that is stopped blocks this goroutine and nothing else.
func (n *Node) speak(s *spec) {
	enc := json.NewEncoder(n.conn)
	if err := enc.Encode(s); err != nil {
		return
	}
	for range n.orders {
		n.mu.Lock()
		o := n.order
		n.mu.Unlock()
		if err := enc.Encode(o); err != nil {
			return
		}
	}
}

func (n *Node) waitGuard() {
	defer close(n.ended)
	for {
		_, err := unix.Wait4(n.guard.pid, nil, 0, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// run is the agent's own watch. It counts the same deadline as the guard, does
// what the guard may fail to do, and decides when the node was seen dead.
func (n *Node) run() {
	ended := n.ended
	for n.fate.phase != gone {
		n.timer.Reset(n.wake())
		select {
		case <-n.poke:
			n.grant()
		case r := <-n.reports:
			n.hear(r)
		case <-ended:
			ended = nil
			n.hearRest()
			n.loseGuard()
		case r := <-n.swept:
			n.judge(r)
		case <-n.timer.C():
		}
		n.step(event{kind: tick})
		n.superviseGuard()
	}
	n.finish()
}

// wake is when run has to look again even if nothing happens.
func (n *Node) wake() time.Duration {
	at := n.fate.wake()
	for _, also := range []time.Duration{n.ackBy, n.askBy, n.tellBy} {
		if also > 0 {
			at = min(at, also)
		}
	}
	return at
}

// grant takes over what callers want.
func (n *Node) grant() {
	n.mu.Lock()
	w := n.wish
	n.mu.Unlock()
	n.step(event{kind: extend, deadline: w.Deadline})
	if w.Stop {
		n.step(event{kind: stop, killAt: w.StopBy})
	}
	if w.Kill {
		n.step(event{kind: kill})
	}
	n.tell()
}

// tell gives the guard the state of things.
func (n *Node) tell() {
	n.mu.Lock()
	n.order.Deadline = n.fate.deadline
	if n.fate.phase >= stopping && n.fate.cause == Planned {
		n.order.Stop, n.order.StopBy = true, n.fate.killAt
	}
	n.order.Kill = n.fate.phase >= killing
	n.mu.Unlock()
	nudge(n.orders)
}

// step decides and does. Nothing that it does waits.
func (n *Node) step(e event) {
	before := n.fate.phase
	next, acts := n.fate.next(n.clock.Now().Boot, e)
	n.fate = next
	if acts.has(askPlanned | askFenced) {
		n.log.Info("stopping node", "cause", next.cause.String(), "epoch", n.o.Epoch, "pid", n.main.PID)
		n.askBy = n.clock.Now().Boot + n.patience()
	}
	if acts.has(killPass) {
		n.sweep()
	}
	if acts.has(tellOverdue) {
		n.awaitOverdue()
	}
	if next.phase != before {
		n.tell()
	}
	if before < killing && next.phase == killing {
		n.awaitKilling()
	}
}

func (n *Node) hear(r report) {
	switch r.Kind {
	case reportStarted:
		n.hearStarted(r)
	case reportFailed:
		n.failure = startFailure(r)
	case reportStopping, reportKilling:
		n.hearEnding(r)
	case reportExited:
		n.exit(unix.WaitStatus(r.Status), r.At)
		n.obeyed = true
		n.step(event{kind: mainExit})
	case reportOverdue:
		n.resorted = n.resorted || len(n.o.LastResort) == 0
		if !n.overdue || n.tellBy > 0 {
			n.overdue, n.tellBy = true, 0
			n.tellLeft(r.Left, r.Text)
		}
	case reportResort:
		n.resorted = true
		n.log.Warn("last resort is run by the guard", "err", r.Text)
	case reportGone:
		n.step(event{kind: treeGone})
	case reportNote:
		n.log.Warn("guard reports", "text", r.Text)
	}
}

func (n *Node) hearStarted(r report) {
	n.main, n.startedAt, n.cg = ident{r.PID, r.PIDStart}, r.At, cgroup(r.Cgroup)
	n.record.Cgroup = r.Cgroup
	n.log.Info("node started", "pid", r.PID, "epoch", n.o.Epoch, "cgroup", r.Cgroup)
	if r.MemoryErr != "" {
		n.log.Info("the guard's memory is not locked, it may be swapped out", "err", r.MemoryErr)
	}
	if r.CgroupErr != "" {
		n.log.Warn("the node runs outside of a cgroup, its processes are followed one by one", "err", r.CgroupErr)
	}
	close(n.started)
}

// hearEnding follows the guard, which may have decided before us.
func (n *Node) hearEnding(r report) {
	if n.fate.phase == running {
		n.log.Warn("guard ends the node", "cause", r.Cause.String(), "epoch", n.o.Epoch, "pid", n.main.PID)
		n.fate, _ = n.fate.stop(r.Cause, n.fate.deadline.KillAt)
	}
	n.askBy = 0
	if r.Kind == reportKilling {
		n.obeyed = true
		n.step(event{kind: kill})
	}
}

// startFailure turns what the guard saw into an error that can be matched.
func startFailure(r report) error {
	switch {
	case r.Text == ErrNoTime.Error():
		return ErrNoTime
	case strings.HasPrefix(r.Text, "chdir "):
		return fmt.Errorf("working directory: %w", r.Errno)
	case r.Errno == unix.ENOENT:
		// The file itself is there, so it is what its first line names.
		return fmt.Errorf("run command: its interpreter: %w", errors.Join(exec.ErrNotFound, r.Errno))
	case r.Errno == unix.EACCES:
		return fmt.Errorf("run command: %w", errors.Join(fs.ErrPermission, r.Errno))
	case r.Errno != 0:
		return fmt.Errorf("run command: %w", r.Errno)
	}
	return errors.New(r.Text)
}

func (n *Node) exit(ws unix.WaitStatus, at time.Duration) {
	n.result.Known, n.result.ExitedAt = true, at
	n.result.Code, n.result.Signal = ws.ExitStatus(), 0
	if ws.Signaled() {
		n.result.Code, n.result.Signal = -1, ws.Signal()
	}
	n.closeExited()
}

func (n *Node) closeExited() {
	select {
	case <-n.exited:
	default:
		close(n.exited)
	}
}

// finish publishes the end and tidies up behind it.
func (n *Node) finish() {
	now := n.clock.Now().Boot
	r := &n.result
	r.PID, r.Cause, r.StartedAt, r.GoneAt, r.Cgroup = n.main.PID, n.fate.cause, n.startedAt, now, n.cg != ""
	if r.ExitedAt == 0 {
		r.ExitedAt = now
	}
	if n.fate.killedAt > 0 {
		r.Kill = now - n.fate.killedAt
		r.Forced = r.Cause != ByItself
	}
	n.closeExited()
	n.timer.Stop()
	n.out.settle()
	if n.failure != nil {
		n.log.Debug("node was not started", "err", n.failure)
	} else {
		n.log.Info("node seen dead", "cause", r.Cause.String(), "status", r.Status(), "epoch", n.o.Epoch, "pid", n.main.PID, "kill", r.Kill)
	}
	close(n.done)
	n.tidy()
	close(n.over)
}

// guardPatience is how long the guard may go on after the node is gone; it is
// more than what it allows itself.
const guardPatience = guardFlush + time.Second

func (n *Node) tidy() {
	limit := n.clock.Timer(n.clock.Now().Boot + guardPatience)
	defer limit.Stop()
	select {
	case <-n.ended:
	case <-limit.C():
		n.guard.kill()
	}
	close(n.orders)
	n.conn.Close()
	unix.Close(n.guard.pidfd)
	if n.guardless {
		n.bury()
	}
	n.helpers.Wait()
	n.awaitSink()
}

// bury does what the guard would have done after the end.
func (n *Node) bury() {
	if err := n.cg.remove(); err != nil {
		n.log.Warn("the node's cgroup stays behind", "err", err)
	}
	n.record.Dead = true
	if err := n.record.write(n.path); err != nil {
		n.log.Warn("the node's end cannot be recorded; the next start will have to wait longer", "err", err)
	}
}

func (n *Node) awaitSink() {
	limit := n.clock.Timer(n.clock.Now().Boot + sinkFlush)
	defer limit.Stop()
	select {
	case <-n.out.sunk:
	case <-limit.C():
		n.log.Warn("the node's last output cannot be written")
	}
}
