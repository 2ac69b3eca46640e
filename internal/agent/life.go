package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"sync"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/process"
	"github.com/hotcold/hotcold/lease"
)

// grant is what a node may live by: a term of the lease, or the lack of one.
type grant interface {
	Trusted() context.Context
	Trust() lease.Trust
	MayServe(clock.Reading) bool
	Memo(string)
}

// work runs the node for one term. It returns when the node has been seen dead.
func (a *Agent) work(ctx context.Context, g grant) lease.Ending {
	epoch := g.Trust().Epoch
	a.enter(Starting, "the lease is ours")
	if err := a.raiseEpoch(ctx, g); ctx.Err() != nil {
		return a.ended(ctx)
	} else if err != nil {
		return a.giveUp(g, streak{}, fmt.Sprintf("the epoch file could not be written: %v", err))
	}
	leave := a.holdDrive(epoch)
	defer leave() // the node is dead by then
	a.change(func(s *Snapshot) {
		s.Node.Restarts = 0
		s.Trust, s.serve = g.Trust(), g.MayServe
	})
	g.Memo(a.memo().encode())
	if end, ok := a.lockOut(ctx, g); !ok {
		return end
	}
	var s streak
	for {
		end := a.life(ctx, g)
		if end.fenced {
			// An agent that was frozen may see the dead node before its own
			// clock has told it that trust is over. A trust that is not over
			// by then lets the node start again.
			_ = clock.Wait(ctx, a.o.Clock, a.o.Timing.Update)
		}
		if ctx.Err() != nil {
			return a.ended(ctx)
		}
		a.note(EventExited, epoch, Document{Text: end.reason})
		a.o.Log.Warn("the node ended", "machine", a.o.Machine, "epoch", epoch, "reason", end.reason, "planned", end.planned)
		if !a.untilResumed(ctx, end.reason) {
			return a.ended(ctx)
		}
		n := afterEnd(a.o.Restart, s, end)
		if s = n.streak; n.handOver {
			return a.giveUp(g, s, end.reason)
		}
		a.enter(Starting, fmt.Sprintf("restart in %v: %s", n.after, end.reason))
		a.change(func(s *Snapshot) { s.Node.Restarts++ })
		if clock.Wait(ctx, a.o.Clock, n.after) != nil {
			return a.ended(ctx)
		}
	}
}

// raiseEpoch writes the epoch to the shared drive before the node starts. A
// drive that hangs must not keep the lease from a machine where it answers.
func (a *Agent) raiseEpoch(ctx context.Context, g grant) error {
	if a.o.EpochFile == "" {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, fitnessLimit, errDriveHangs)
	defer cancel()
	_, err := aside(ctx, func() (struct{}, error) { return struct{}{}, a.epochs.raise(ctx, g.Trust().Epoch) })
	return err
}

// ended is what a term leaves that was ended from outside: by a person, by the
// agent's own end, or because trust was over.
func (a *Agent) ended(ctx context.Context) lease.Ending {
	var s *switchover
	if errors.As(context.Cause(ctx), &s) {
		return lease.Ending{Successor: s.target}
	}
	return lease.Ending{}
}

// giveUp hands a node that fails here to the other machine.
func (a *Agent) giveUp(g grant, s streak, reason string) lease.Ending {
	m := memo{Failures: a.memo().Failures + 1, Why: reason, By: a.o.Self.Instance, Epoch: g.Trust().Epoch}
	a.note(EventFailed, g.Trust().Epoch, Document{Text: "the node failed here and is handed over", Cause: reason})
	a.o.Log.Error("the node failed here: handing over", "machine", a.o.Machine, "epoch", g.Trust().Epoch,
		"reason", reason, "failures", s.failures, "handOvers", m.Failures, "budget", a.o.Failover.Budget)
	a.mu.Lock()
	a.standing.notBefore = a.o.Clock.Now().Boot + 2*a.o.Timing.Wait
	a.lastMemo = m
	a.mu.Unlock()
	a.enter(Stopping, reason)
	return lease.Ending{Memo: m.encode()}
}

// memo is what the row says, or will say, of failures before this term.
func (a *Agent) memo() memo {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lastMemo
}

// untilResumed holds a node that ended while a person asked for hands off. It
// returns false when ctx ended.
func (a *Agent) untilResumed(ctx context.Context, reason string) bool {
	for {
		by, poke := a.pause()
		if by == "" {
			return ctx.Err() == nil
		}
		a.enter(Paused, "paused by "+by+", and the node ended meanwhile: "+reason)
		select {
		case <-poke:
		case <-ctx.Done():
			return false
		}
	}
}

// life is one life of the node's process, from its start until it is seen dead.
func (a *Agent) life(ctx context.Context, g grant) ending {
	lines := newTail(a.o.Process.Output, a.o.ReadyLines, a.o.PlannedExits)
	o := a.o.Process
	o.Epoch, o.Instance, o.Output, o.Clock, o.Log = g.Trust().Epoch, a.o.Self.Instance, lines, a.o.Clock, a.o.Log
	a.settle()
	if ctx.Err() != nil {
		return ending{} // it ended while the last one's output was written
	}
	began := a.o.Clock.Now()
	node, err := process.Start(ctx, o, deadlineOf(g.Trust()))
	if err != nil {
		if node != nil {
			node.Wait() // what was started is not seen dead yet, and nothing goes on before it is
		}
		a.change(func(s *Snapshot) { s.Node.LastExit = err.Error() })
		return ending{
			reason: "the node could not be started: " + err.Error(), hopeless: hopeless(err),
			fenced: errors.Is(err, process.ErrNoTime), // either trust ends, or a renewal has made time
		}
	}
	a.former = node
	a.node.Store(node)
	a.extend(g.Trust()) // a renewal may have come between
	defer a.node.Store(nil)
	a.o.Log.Info("started the node", "machine", a.o.Machine, "epoch", o.Epoch, "pid", node.PID())
	a.note(EventStarted, o.Epoch, Document{Text: fmt.Sprintf("started the node as process %d", node.PID())})
	a.change(func(s *Snapshot) {
		s.Counters.NodeStarts++
		s.Node.PID, s.Node.Started, s.Node.Ready, s.Node.Healthy = node.PID(), began.Wall, time.Time{}, false
	})
	return a.attend(ctx, g, &life{a: a, g: g, node: node, began: began, tail: lines})
}

// settle waits until the guard of the node before has ended and its output has
// been written. The lease need not wait for that: it is free for others as soon
// as the node has been seen dead.
func (a *Agent) settle() {
	if a.former != nil {
		a.former.Wait()
		a.former = nil
	}
}

// hopeless tells whether a start failed for a reason that a second try here
// cannot change.
func hopeless(err error) bool {
	return errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}

// life is one running node.
type life struct {
	a     *Agent
	g     grant
	node  *process.Node
	tail  *tail
	began clock.Reading
	ready time.Duration // boot clock when it became ready; zero: not yet
	told  bool          // the history knows that traffic has ended
	sick  error         // what the health watch believes; nil: it is well
	lost  error         // why the drive counts as lost; nil: it does not
	gone  bool          // the node was killed for that
	fault string        // why the agent stopped a node that did not end by itself
}

// attend watches the node until it is seen dead.
func (a *Agent) attend(ctx context.Context, g grant, l *life) ending {
	watchCtx, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer stopWatching()
	ready, sick := make(chan error, 1), make(chan error, 1)
	watchers.Go(func() { ready <- a.awaitReady(watchCtx) })
	exited, asked, distrusted, hurry, lost := l.node.Exited(), ctx.Done(), g.Trusted().Done(), a.o.Hurry, a.driveLost()
	forgive := a.o.Clock.Timer(1 << 62) // far away until the node is ready
	defer forgive.Stop()
	for {
		paused, poke := a.pause()
		if paused == "" && l.sick != nil {
			l.fail(watchCtx, "the node is not well: "+l.sick.Error())
		}
		if paused == "" && l.lost != nil {
			l.fenceFromDrive(watchCtx)
		}
		select {
		case <-poke:
		case <-exited:
			exited = nil
			stopWatching()
			l.exited(ctx)
		case <-l.node.Done():
			stopWatching()
			return l.over(ctx)
		case err := <-ready:
			switch {
			case watchCtx.Err() != nil: // it is being stopped
			case err != nil:
				l.fail(watchCtx, fmt.Sprintf("the node was not ready within %v: %v", a.o.ReadyTimeout, err))
			default:
				l.becameReady()
				forgive.Reset(l.ready + a.o.Failover.Window)
				watchers.Go(func() { a.watchHealth(watchCtx, sick) })
			}
		case err := <-sick:
			l.sick = err
			a.change(func(s *Snapshot) { s.Node.Healthy = err == nil })
			if paused, _ := a.pause(); paused != "" && err != nil {
				a.o.Log.Warn("the node is not well, and is left alone because of a pause", "err", err)
			}
		case err := <-lost:
			l.lost = err
			if paused, _ := a.pause(); paused != "" {
				a.o.Log.Warn("the shared drive is lost, and the node is left alone because of a pause", "machine", a.o.Machine, "err", err)
			}
		case <-forgive.C():
			a.forget(g)
		case <-asked:
			asked = nil
			stopWatching()
			l.stop(ctx)
		case <-distrusted:
			distrusted = nil
			stopWatching()
			l.fence(context.Cause(g.Trusted()))
		case <-hurry:
			hurry = nil
			l.node.Kill()
		}
	}
}

// exited ends traffic: the main process is gone, and what is left of the tree is
// being killed. That can take long where a process hangs in the kernel.
func (l *life) exited(ctx context.Context) {
	l.unready("the node ended")
	if ctx.Err() == nil && l.fault == "" {
		l.a.enter(Stopping, "the node's main process has ended")
	}
}

// unready tells the history, once, that traffic ends.
func (l *life) unready(why string) {
	if l.ready != 0 && !l.told {
		l.told = true
		l.a.note(EventUnready, l.g.Trust().Epoch, Document{Text: why})
	}
}

// fail stops a node that runs but does not do its work.
func (l *life) fail(ctx context.Context, reason string) {
	if ctx.Err() != nil || l.fault != "" {
		return // it is being stopped anyway
	}
	l.fault = reason
	l.unready("traffic ends")
	l.a.o.Log.Warn("stopping a node that does not work", "machine", l.a.o.Machine, "reason", reason)
	l.a.enter(Stopping, reason)
	l.node.Stop(l.a.o.StopTimeout)
}

func (l *life) becameReady() {
	a := l.a
	now := a.o.Clock.Now()
	l.ready = now.Boot
	took := now.Boot - l.began.Boot
	a.change(func(s *Snapshot) {
		s.Node.Ready, s.Node.Healthy, s.Node.StartSeconds = now.Wall, true, took.Seconds()
	})
	by, _ := a.pause()
	a.enter(Hot, hotReasons(by)...)
	a.o.Log.Info("the node is ready", "machine", a.o.Machine, "epoch", l.g.Trust().Epoch, "took", took.Round(time.Millisecond))
	a.note(EventReady, l.g.Trust().Epoch, Document{Text: "the node is ready", Seconds: took.Seconds()})
	if a.board != nil {
		a.board.pollSoon() // somebody may be waiting to hear that a switchover worked
	}
}

// stop ends the node in order, while the lease is still renewed. When trust is
// over there is nothing to do here: fence does it. It does not wait.
func (l *life) stop(ctx context.Context) {
	a := l.a
	epoch := l.g.Trust().Epoch
	l.unready("traffic ends")
	if l.g.Trusted().Err() == nil {
		reason := causeText(ctx)
		a.enter(Stopping, reason)
		a.note(EventStopping, epoch, Document{Text: "stopping the node", Cause: reason})
		l.node.Stop(a.o.StopTimeout)
	}
}

// fence makes certain that the node is dead in time. Its guard has the same
// deadline; what is done here only makes it sooner.
func (l *life) fence(cause error) {
	a, trust := l.a, l.g.Trust()
	l.unready("traffic ends")
	a.change(func(s *Snapshot) { s.Counters.Fences++ })
	a.enter(Fencing, cause.Error())
	a.note(EventFencing, trust.Epoch, Document{Text: "fencing the node", Cause: cause.Error()})
	switch {
	case errors.Is(cause, lease.ErrLost):
		l.node.Kill() // the row is somebody else's: no grace
	case errors.Is(cause, lease.ErrDatabaseLost):
		l.node.Stop(a.o.StopTimeout) // never beyond the deadline
	default:
		l.node.Stop(max(0, trust.KillAt()-a.o.Clock.Now().Boot))
	}
}

// over collects what is known of a node that was seen dead.
func (l *life) over(ctx context.Context) ending {
	a, r := l.a, l.node.Result()
	l.tail.finish(r.Tail)
	now := a.o.Clock.Now()
	text := r.Status()
	if meaning := a.o.ExitMeaning(r.Code); meaning != "" && r.Signal == 0 {
		text += " (" + meaning + ")"
	}
	a.change(func(s *Snapshot) {
		s.Counters.NodeExits++
		s.Ready = false
		s.Node.PID, s.Node.Healthy, s.Node.LastExit, s.Node.LastLine = 0, false, text, l.tail.last()
		s.Node.KillSeconds = max(s.Node.KillSeconds, r.Kill.Seconds())
	})
	e := ending{reason: text, ready: l.ready != 0}
	if l.ready != 0 {
		e.served = now.Boot - l.ready
	}
	epoch := l.g.Trust().Epoch
	switch {
	case ctx.Err() != nil:
		kind, text := EventStopped, "the node was seen dead after a planned stop"
		if l.g.Trusted().Err() != nil {
			kind, text = EventFenced, "the node was seen dead after it was fenced"
		}
		a.o.Log.Info(text, "machine", a.o.Machine, "epoch", epoch, "exit", r.Status(), "trust", l.g.Trust().DeadBy-now.Boot)
		a.note(kind, epoch, Document{Text: text, Cause: r.Status(), Seconds: r.Kill.Seconds()})
		return e
	case l.fault != "":
		e.reason, e.hopeless = l.fault, l.gone // here it would find the same drive
	case r.Cause == process.Fenced:
		e.fenced, e.reason = true, "its guard ended it: it was not told in time that the lease is still ours"
	default:
		e.planned, e.reason = l.plannedExit(r, text)
	}
	return e
}

// plannedExit finds out whether the node asked to be started again here.
func (l *life) plannedExit(r process.Result, text string) (bool, string) {
	for _, p := range l.a.o.PlannedExits {
		if r.Signal == 0 && r.Code == p.Code && l.tail.matches(p.Line) {
			return true, p.Meaning
		}
	}
	if last := l.tail.last(); last != "" {
		text += "; its last line: " + last
	}
	return false, text
}

// forget wipes out earlier hand-overs: the node has been ready for long enough.
func (a *Agent) forget(g grant) {
	a.mu.Lock()
	had := a.lastMemo.Failures
	a.lastMemo = memo{}
	a.mu.Unlock()
	if had > 0 {
		g.Memo(memo{}.encode())
		a.o.Log.Info("the node is stable: earlier failures are forgotten", "machine", a.o.Machine, "handOvers", had)
	}
}

// causeText says why a context ended, in words for a person.
func causeText(ctx context.Context) string {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.Canceled) {
		return "the agent was told to end"
	}
	return cause.Error()
}
