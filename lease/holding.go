package lease

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// term is the changing state of one hold; only the goroutine in hold has it.
type term struct {
	h       *Holder
	tenure  Tenure
	view    *Term
	last    Reading // of the loop's former turn, to find jumps
	flying  Attempt
	flight  chan answer[Observation] // nil: no attempt is under way
	landing context.CancelCauseFunc

	stopWork, distrust context.CancelCauseFunc
	working            chan Ending // nil until work has been started
	over               bool        // the term has ended, by End of a Step
}

// hold renews the lease until work has returned, and releases it then.
func (h *Holder) hold(ctx context.Context, begin beginning, work Work) End {
	base := context.WithoutCancel(ctx)
	workCtx, stopWork := context.WithCancelCause(base)
	trusted, distrust := context.WithCancelCause(base)
	defer stopWork(nil)
	defer distrust(nil)
	t := &term{h: h, tenure: begin.tenure, last: begin.sent, stopWork: stopWork, distrust: distrust,
		view: &Term{trusted: trusted, slack: h.slack(), memos: make(chan string, 1)}}
	timer := h.o.Clock.Timer(t.last.Boot)
	defer timer.Stop()
	asked := ctx.Done()
	for {
		until := t.turn(base)
		if ctx.Err() != nil && asked != nil {
			asked = nil
			stopWork(context.Cause(ctx))
		}
		if t.working == nil {
			switch {
			case t.over || ctx.Err() != nil:
				return t.finish(base, Ending{}, context.Cause(workCtx))
			case t.fresh():
				t.working = make(chan Ending, 1)
				go func() { t.working <- work(workCtx, t.view) }()
			}
		}
		if t.flight != nil && h.o.Timing.breaks(deadlineWaits) {
			t.land(<-t.flight)
			continue
		}
		if t.over && h.o.Timing.breaks(releasedAlive) {
			return t.finish(base, Ending{}, context.Cause(workCtx))
		}
		if !t.over {
			timer.Reset(until)
		}
		select {
		case <-timer.C():
		case o := <-t.flight:
			t.land(o)
		case memo := <-t.view.memos:
			t.remember(memo)
		case <-h.nudge:
			h.report(Event{Kind: Hinted})
		case <-asked:
		case ending := <-t.working:
			return t.finish(base, ending, context.Cause(workCtx))
		}
	}
}

// slack is how far the clocks may move apart until a [Term] sees a jump.
func (h *Holder) slack() time.Duration {
	if h.o.Timing.breaks(jumpIgnored) {
		return math.MaxInt64
	}
	return h.o.Timing.Slack
}

// fresh tells whether there is enough trust left to start a node with: at
// least half of what a renewal gives. That is no more than a renewal leaves
// that took as long as one may, so that a slow database cannot keep the node
// from starting for ever.
func (t *term) fresh() bool {
	tr := t.tenure.Trust()
	if t.h.o.Timing.breaks(startWithoutTrust) {
		return true
	}
	return !t.tenure.Doubt() && tr.StopAt-t.last.Boot >= (tr.StopAt-tr.Anchor)/2
}

// turn looks at the clock, gives up what took too long, and does what the
// tenure says. It returns until when nothing is due.
func (t *term) turn(ctx context.Context) time.Duration {
	now := t.h.o.Clock.Now()
	if jump := now.Jump(t.last); jump.Abs() > t.h.o.Timing.Slack && !t.over && !t.h.o.Timing.breaks(jumpIgnored) {
		t.tenure = t.tenure.InDoubt(now)
		t.publish()
		t.h.report(Event{Kind: Jumped, Jump: jump, Trust: t.tenure.Trust(), Doubt: true})
	}
	t.last = now
	if t.flight != nil && now.Boot >= t.flying.Sent+t.h.o.Timing.Attempt {
		t.land(answer[Observation]{err: t.h.silence()})
	}
	var step Step
	t.tenure, step = t.tenure.Next(now)
	if step.End != nil && !t.over {
		t.over = true
		t.distrust(step.End)
		t.stopWork(step.End)
		t.h.report(Event{Kind: TermEnding, Err: step.End, Trust: t.tenure.Trust(), Observation: t.tenure.Row()})
	}
	if step.Attempt != nil {
		t.launch(ctx, *step.Attempt)
	}
	t.publish()
	return step.Until
}

func (t *term) publish() {
	t.view.state.Store(&termState{trust: t.tenure.Trust(), doubt: t.tenure.Doubt(), at: t.last})
}

// launch starts an attempt in a goroutine of its own: no deadline waits for it.
// Renewals go on while a planned stop takes its time, so ctx is not the one that
// asks for it; the attempt is ended when it lands or is given up.
func (t *term) launch(ctx context.Context, a Attempt) {
	ctx, cancel := context.WithCancelCause(ctx)
	flight := make(chan answer[Observation], 1)
	t.flying, t.flight, t.landing = a, flight, cancel
	if err := spend(t.h.calls, func() {
		o, err := t.h.attempt(ctx, a)
		flight <- answer[Observation]{o, err}
	}); err != nil {
		flight <- answer[Observation]{err: err}
	}
}

func (h *Holder) attempt(ctx context.Context, a Attempt) (Observation, error) {
	if a.Read {
		return h.o.Store.Read(ctx, h.o.Name)
	}
	return Observation{}, h.o.Store.Swap(ctx, a.Seen, a.Next)
}

// land tells the tenure what became of the attempt under way.
func (t *term) land(o answer[Observation]) {
	t.landing(o.err)
	a := t.flying
	t.flight = nil
	now := t.h.o.Clock.Now()
	t.tenure = t.tenure.Landed(a, o.value, o.err, now)
	t.publish()
	e := Event{Kind: Renewed, Trust: t.tenure.Trust(), Doubt: t.tenure.Doubt(), RoundTrip: now.Boot - a.Sent, Observation: t.tenure.Row()}
	if o.err != nil {
		e.Kind, e.Err = RenewFailed, o.err
	}
	if o.err != nil || !a.Read {
		t.h.report(e)
	}
}

func (t *term) remember(memo string) {
	var err error
	if t.tenure, err = t.tenure.WithMemo(memo); err != nil {
		t.h.report(Event{Kind: MemoRefused, Err: err})
	}
}

// errEnded is the outcome of an attempt that nobody waits for any more, and why
// a term may not serve that is not over yet.
var errEnded = errors.New("given up because the node has ended")

// finish releases the lease. The work has returned: the node has been seen dead.
func (t *term) finish(ctx context.Context, ending Ending, cause error) End {
	// Before anything is released: the next holder may serve at once.
	t.distrust(errEnded)
	if t.flight != nil {
		select {
		case o := <-t.flight:
			t.land(o)
		default:
			t.land(answer[Observation]{err: errEnded})
		}
	}
	select {
	case memo := <-t.view.memos:
		t.remember(memo)
	default:
	}
	if ending.Memo != "" {
		t.remember(ending.Memo)
	}
	err := t.release(ctx, ending.Successor)
	if err != nil && !errors.Is(err, ErrLost) {
		t.h.report(Event{Kind: NotReleased, Err: err, Observation: t.tenure.Row()})
	}
	return End{Epoch: t.tenure.Trust().Epoch, Cause: cause, Released: err == nil}
}

// releaseAttempts bounds the reads and writes of a release: it only spares the
// others the wait, and whoever stops the agent waits for it. They are enough
// for three rounds of both.
const releaseAttempts = 6

// release gives the lease back; an error says why it was not, or not to our
// knowledge.
func (t *term) release(ctx context.Context, successor string) error {
	var failed error
	if keepable(successor) != nil {
		successor = "" // such an instance cannot exist
	}
	for range releaseAttempts {
		a, refused := t.tenure.Release(successor, t.h.o.Clock.Now())
		if refused != nil {
			return refused
		}
		o, err := ask(ctx, t.h, t.h.calls, func(ctx context.Context) (Observation, error) { return t.h.attempt(ctx, a) })
		if err == nil && !a.Read {
			o = Observation{Exists: true, Record: a.Next, Incarnation: a.Seen.Incarnation}
		}
		if err == nil && t.tenure.ReleasedBy(o) {
			t.h.report(Event{Kind: Released, Observation: o})
			return nil
		}
		t.tenure = t.tenure.Landed(a, o, err, t.h.o.Clock.Now())
		if err != nil {
			failed = err
		}
		if err != nil && !errors.Is(err, ErrChanged) {
			_ = clock.WaitUntil(ctx, t.h.o.Clock, a.Sent+t.tenure.pause())
		}
	}
	return fmt.Errorf("after %d attempts: %w", releaseAttempts, failed)
}
