package lease_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/lease"
)

const ms = time.Millisecond

// rig is a database, a clock that all agents read, and what they report. It
// lives in a synctest bubble: settle returns when every goroutine waits, so
// that stepping the clock never races with what is under way, and a goroutine
// that is left behind fails the test.
type rig struct {
	t     *testing.T
	db    *memory
	clock *clock.Stepped
}

func inBubble(t *testing.T, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(&rig{t: t, db: newMemory(), clock: clock.NewStepped()}) })
}

// pass lets time pass, and stops at each instant for which a timer is set.
func (r *rig) pass(d time.Duration) {
	end := r.clock.Now().Boot + d
	for {
		synctest.Wait()
		next := end
		at, _ := r.clock.Armed()
		for _, a := range at {
			next = min(next, a)
		}
		r.clock.Advance(max(0, next-r.clock.Now().Boot))
		synctest.Wait()
		if r.clock.Now().Boot >= end {
			return
		}
	}
}

// agent is one holder whose work is driven by the test.
type agent struct {
	r      *rig
	self   lease.Identity
	store  *memoryStore
	holder *lease.Holder
	stop   context.CancelFunc
	// begun gets the term when work begins; ending lets work return.
	begun  chan *lease.Term
	ending chan lease.Ending
	done   chan struct{}

	mu     sync.Mutex // guards all below
	events []lease.Event
	told   error // why work was told to end
	toldAt time.Duration
	workAt time.Duration
	end    lease.End
	err    error
}

func identity(instance string) lease.Identity {
	return lease.Identity{Instance: instance, Nonce: "nonce-" + instance, Boot: "boot-" + instance}
}

func defaultTiming(t *testing.T) lease.Timing {
	t.Helper()
	timing, err := lease.Default().Timing()
	if err != nil {
		t.Fatal(err)
	}
	return timing
}

// agent makes an agent; run starts it.
func (r *rig) agent(instance string, edits ...func(*lease.Options)) *agent {
	r.t.Helper()
	a := &agent{r: r, self: identity(instance), store: r.db.store(r.clock),
		begun: make(chan *lease.Term, 1), ending: make(chan lease.Ending, 1), done: make(chan struct{})}
	o := lease.Options{Name: "node", Self: a.self, Timing: defaultTiming(r.t), Store: a.store, Clock: r.clock,
		Report: func(e lease.Event) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.events = append(a.events, e)
		}}
	for _, edit := range edits {
		edit(&o)
	}
	h, err := lease.New(o)
	if err != nil {
		r.t.Fatal(err)
	}
	a.holder = h
	return a
}

func (a *agent) run() *agent {
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	go func() {
		defer close(a.done)
		defer stop()
		end, err := a.holder.Run(ctx, a.work)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.end, a.err = end, err
	}()
	synctest.Wait()
	return a
}

func (a *agent) work(ctx context.Context, term *lease.Term) lease.Ending {
	a.mu.Lock()
	a.workAt = a.r.clock.Now().Boot
	a.mu.Unlock()
	a.begun <- term
	select {
	case <-ctx.Done():
		a.mu.Lock()
		a.told, a.toldAt = context.Cause(ctx), a.r.clock.Now().Boot
		a.mu.Unlock()
		return <-a.ending
	case e := <-a.ending:
		return e
	}
}

// hot lets time pass until work has begun, and returns the term.
func (a *agent) hot() *lease.Term {
	a.r.t.Helper()
	for range 100 {
		select {
		case term := <-a.begun:
			return term
		default:
			a.r.pass(a.r.step())
		}
	}
	a.r.t.Fatalf("%s does not begin to work: %v", a.self.Instance, a.kinds())
	return nil
}

func (r *rig) step() time.Duration { return 500 * ms }

// idle demands that work has not begun.
func (a *agent) idle() {
	a.r.t.Helper()
	synctest.Wait()
	select {
	case <-a.begun:
		a.r.t.Fatalf("%s has begun to work", a.self.Instance)
	default:
	}
}

// over lets work return and Run end.
func (a *agent) over(e lease.Ending) (lease.End, error) {
	a.r.t.Helper()
	select {
	case a.ending <- e:
	default:
	}
	for range 100 {
		synctest.Wait()
		select {
		case <-a.done:
			a.mu.Lock()
			defer a.mu.Unlock()
			return a.end, a.err
		default:
			a.r.pass(a.r.step())
		}
	}
	a.r.t.Fatalf("%s does not end: %v", a.self.Instance, a.kinds())
	return lease.End{}, nil
}

// quit stops the agent and demands nothing.
func (a *agent) quit() {
	a.stop()
	close(a.store.unhang)
	a.over(lease.Ending{})
}

// cause tells when, and why, work was told to end; nil: not yet.
func (a *agent) cause() (time.Duration, error) {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.toldAt, a.told
}

// kinds are the kinds of the events, repetitions left out.
func (a *agent) kinds() []lease.Kind {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	var kinds []lease.Kind
	for _, e := range a.events {
		kinds = append(kinds, e.Kind)
	}
	return slices.Compact(kinds)
}

// last is the last event of a kind.
func (a *agent) last(k lease.Kind) lease.Event {
	a.r.t.Helper()
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range slices.Backward(a.events) {
		if e.Kind == k {
			return e
		}
	}
	a.r.t.Fatalf("%s reported no %v", a.self.Instance, k)
	return lease.Event{}
}

// count is how often something was reported.
func (a *agent) count(k lease.Kind) (n int) {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.events {
		if e.Kind == k {
			n++
		}
	}
	return n
}

// suffer sets what becomes of the agent's calls.
func (a *agent) suffer(f func(call) fault) {
	a.r.db.mu.Lock()
	defer a.r.db.mu.Unlock()
	a.store.fault = f
}

// always is the same fault for all calls.
func always(f fault) func(call) fault { return func(call) fault { return f } }

// writes is a fault of the first n writes.
func writes(n int, f fault) func(call) fault {
	return func(c call) fault {
		if c.read || n == 0 {
			return fault{}
		}
		n--
		return f
	}
}

// free makes a row that was released, so that an agent becomes hot at once.
func (r *rig) free() *rig {
	r.db.put(lease.Record{Name: "node", Holder: "z", Nonce: "nonce-z", Epoch: 4, Version: 10, Released: true, Incarnation: "1"})
	return r
}

// row is what the database holds.
func (r *rig) row() lease.Record {
	synctest.Wait()
	return r.db.row("node").Record
}
