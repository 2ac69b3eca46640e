package lease

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// Options are what a [Holder] needs.
type Options struct {
	// Name is the name of the lease.
	Name string
	// Self is this agent.
	Self Identity
	// Timing is the checked timing, the same on all machines.
	Timing Timing
	// Store keeps the row.
	Store Store
	// Clock is that of this machine; nil: the system's.
	Clock Clock
	// ProvenEpoch is the greatest epoch for which the node that an earlier
	// agent of this instance started since the machine booted is proven gone,
	// so that its lease need not be waited for. Zero: there is no such proof.
	ProvenEpoch uint64
	// ExitIfHeld: Run ends with a [*HeldError] instead of waiting for a living holder.
	ExitIfHeld bool
	// StopOnLoss: the first failed renewal ends the term, instead of trying
	// again for as long as trust lasts.
	StopOnLoss bool
	// Floor returns the greatest epoch known outside the database; nil: none.
	// While it fails nothing is claimed. It is given up after one attempt's
	// time, and not called again before the call that was given up has ended.
	Floor func(context.Context) (uint64, error)
	// Admit is asked before each claim; its error says why this agent should
	// not claim now. nil: always. It must not block.
	Admit func(Observation) error
	// Report is told what happens, in order, by one goroutine at a time. It
	// must not block: deadlines wait for it.
	Report func(Event)
}

// Holder takes a lease and holds it while work is done. One Run at a time.
type Holder struct {
	o       Options
	running atomic.Bool
	nudge   chan struct{} // a hint that somebody released

	// A place for each call that may be under way. What hangs on the drive or
	// in a watch does not take the places of the calls that renew.
	calls, floors, watches chan struct{}
}

// maxCalls bounds the calls that a hung driver can keep: one under way and
// those that were given up. When all places are taken an attempt fails at once.
const maxCalls = 8

// New checks the options.
func New(o Options) (*Holder, error) {
	if o.Clock == nil {
		o.Clock = clock.System()
	}
	if o.Report == nil {
		o.Report = func(Event) {}
	}
	if err := o.named(); err != nil {
		return nil, err
	}
	s := Settings{Update: o.Timing.Update, Wait: o.Timing.Wait, Fence: o.Timing.Fence, Attempt: o.Timing.Attempt}
	if checked, err := s.Timing(); err != nil {
		return nil, err
	} else if checked != o.Timing {
		return nil, fmt.Errorf("%w: the timing was not made by Settings.Timing", ErrUnsafe)
	}
	return &Holder{o: o, nudge: make(chan struct{}, 1), calls: make(chan struct{}, maxCalls),
		floors: make(chan struct{}, 1), watches: make(chan struct{}, 1)}, nil
}

// named checks the options that say who and where.
func (o Options) named() error {
	switch {
	case o.Name == "":
		return errors.New("a lease needs a name")
	case o.Self.Instance == "" || o.Self.Nonce == "":
		return errors.New("a holder needs an identity")
	case o.ProvenEpoch > 0 && o.Self.Boot == "":
		return errors.New("a proof for this boot of the machine needs the boot's id")
	case o.Store == nil:
		return errors.New("a holder needs a store")
	}
	for _, text := range []string{o.Name, o.Self.Instance, o.Self.Nonce, o.Self.Boot} {
		if err := keepable(text); err != nil {
			return fmt.Errorf("a lease cannot have the name or identity %q: %w", text, err)
		}
	}
	return nil
}

// Ending is what a work leaves for whoever is next.
type Ending struct {
	// Successor, if not empty, is the instance that is meant to be next.
	Successor string
	// Memo, if not empty, replaces the record's memo; see [Term.Memo].
	Memo string
}

// Work runs while the lease is held. Its context ends, with a cause, when it
// should end in order: because the caller of Run wants it, or because the term
// is over. [Term.Trusted] ends only in the second case. Work returns when the
// node has been seen dead, and not before: what it returned from is released.
type Work func(ctx context.Context, term *Term) Ending

// Term is a holder's view of the lease that it holds.
type Term struct {
	trusted context.Context
	slack   time.Duration
	state   atomic.Pointer[termState]
	memos   chan string
}

// termState is what the loop knew when it last looked at the clock.
type termState struct {
	trust Trust
	doubt bool
	at    Reading
}

// Trusted ends, with a cause, when the node has to be dead by Trust().DeadBy:
// the lease is lost or cannot be renewed. It also ends when the work has
// returned, before the lease is released. Until then a node that is being
// stopped in order may take its time.
func (t *Term) Trusted() context.Context { return t.trusted }

// Trust is how long the node may live as of now; it grows with every renewal.
func (t *Term) Trust() Trust { return t.state.Load().trust }

// Doubt tells whether traffic has to wait for the database to confirm the lease.
func (t *Term) Doubt() bool { return t.state.Load().doubt }

// MayServe tells whether the node may have traffic at this reading of the
// machine's clocks. It is computed when asked, so that it turns false on time
// even if all else hangs, and also when the machine was paused a moment ago and
// nothing but the question has run since.
func (t *Term) MayServe(now Reading) bool {
	s := t.state.Load()
	return t.trusted.Err() == nil && !s.doubt && now.Boot < s.trust.StopAt && now.Jump(s.at).Abs() <= t.slack
}

// Memo sets what the next renewal carries; the last call wins. A text that has
// more than [MaxMemoBytes], or is not UTF-8 without zero bytes, is not taken:
// the former one stays, and an event [MemoRefused] says so.
func (t *Term) Memo(memo string) {
	for {
		select {
		case t.memos <- memo:
			return
		default:
		}
		select {
		case <-t.memos:
		default:
		}
	}
}

// End says how a term ended.
type End struct {
	Epoch uint64
	// Cause is why the work's context ended; nil when work returned by itself.
	Cause error
	// Released: the lease was given back and the next holder need not wait.
	Released bool
}

// Run claims the lease, which takes as long as somebody else holds it, calls
// work, waits until work has returned, and only then releases. Where ctx ends or
// the lease is lost before there was trust enough to begin with, work is not
// called. Run returns an error when the lease was never held: the cause of ctx,
// a [*DisagreementError], a [*TwinError] or, with ExitIfHeld, a [*HeldError].
//
// Calls to the store that hang do not keep Run: they are left behind, at most
// ten of them, and end when the store lets them.
func (h *Holder) Run(ctx context.Context, work Work) (End, error) {
	if !h.running.CompareAndSwap(false, true) {
		return End{}, errors.New("this holder is running already")
	}
	defer h.running.Store(false)
	watchCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		h.watch(watchCtx)
	}()
	defer func() {
		stop()
		<-watched
	}()
	begin, err := h.claim(ctx)
	if err != nil {
		return End{}, err
	}
	return h.hold(ctx, begin, work), nil
}

// watch keeps a watch on the store and passes its hints on.
func (h *Holder) watch(ctx context.Context) {
	for ctx.Err() == nil {
		// A watch that fails is only a hint that is missing: looking decides.
		// It ends by itself where the store keeps to its contract; where it
		// does not, it is left behind like any other hung call.
		failed := make(chan struct{})
		if spend(h.watches, func() {
			defer close(failed)
			_ = h.o.Store.Watch(ctx, h.o.Name, h.hint)
		}) == nil {
			select {
			case <-failed:
			case <-ctx.Done():
			}
		}
		_ = clock.Wait(ctx, h.o.Clock, h.o.Timing.Look())
	}
}

func (h *Holder) hint() {
	select {
	case h.nudge <- struct{}{}:
	default:
	}
}

// errBusy is the outcome of a call for which no place is left.
var errBusy = errors.New("too many earlier calls hang")

// spend runs f in a goroutine of its own, which has one of the places until it
// ends. Nobody has to wait for it.
func spend(places chan struct{}, f func()) error {
	select {
	case places <- struct{}{}:
	default:
		return errBusy
	}
	go func() {
		defer func() { <-places }()
		f()
	}()
	return nil
}

// answer is what a call brought.
type answer[T any] struct {
	value T
	err   error
}

// ask calls f and waits for its answer, but no longer than one attempt may
// take, by the clock that the holder was given.
func ask[T any](ctx context.Context, h *Holder, places chan struct{}, f func(context.Context) (T, error)) (T, error) {
	var none T
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	answers := make(chan answer[T], 1)
	timer := h.o.Clock.Timer(h.o.Clock.Now().Boot + h.o.Timing.Attempt)
	defer timer.Stop()
	if err := spend(places, func() {
		value, err := f(ctx)
		answers <- answer[T]{value, err}
	}); err != nil {
		return none, err
	}
	select {
	case a := <-answers:
		return a.value, a.err
	case <-timer.C():
		giveUp(h.silence())
	case <-ctx.Done():
	}
	select {
	case a := <-answers: // both at once: what is known counts
		return a.value, a.err
	default:
		return none, context.Cause(ctx)
	}
}

// silence is the outcome of an attempt that was given up.
func (h *Holder) silence() error { return fmt.Errorf("no answer within %v", h.o.Timing.Attempt) }

// read asks the store for the row.
func (h *Holder) read(ctx context.Context) (Observation, error) {
	return ask(ctx, h, h.calls, func(ctx context.Context) (Observation, error) { return h.o.Store.Read(ctx, h.o.Name) })
}

func (h *Holder) report(e Event) {
	e.At = h.o.Clock.Now()
	h.o.Report(e)
}

// wait sleeps until a boot-clock reading, or until a hint comes or ctx ends.
func (h *Holder) wait(ctx context.Context, until time.Duration) {
	timer := h.o.Clock.Timer(until)
	defer timer.Stop()
	select {
	case <-timer.C():
	case <-h.nudge:
		h.report(Event{Kind: Hinted})
	case <-ctx.Done():
	}
}
