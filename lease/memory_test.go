package lease_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/leasetest"
)

// memory is a database of one process. Several stores may reach it; faults are
// those of one store's way to it.
type memory struct {
	mu          sync.Mutex // guards all below
	rows        map[string]lease.Observation
	incarnation string
	watchers    map[*memoryStore]func()
	writes      int
	late        []func() // writes that are still on their way
}

func newMemory() *memory {
	return &memory{rows: map[string]lease.Observation{}, incarnation: "1", watchers: map[*memoryStore]func(){}}
}

// memoryStore is one way to a memory.
type memoryStore struct {
	*memory
	clock clock.Clock
	// fault tells what becomes of a call; nil: nothing happens to it.
	fault func(call) fault
	// unhang is closed to let go of the calls that ignore their contexts.
	unhang chan struct{}
}

func (m *memory) store(c clock.Clock) *memoryStore {
	return &memoryStore{memory: m, clock: c, unhang: make(chan struct{})}
}

// call is one call of a store.
type call struct {
	read bool
	next lease.Record // of a write
}

// fault is what becomes of a call.
type fault struct {
	kind  faultKind
	delay time.Duration // of the answer; the database itself answers at once
}

type faultKind int

const (
	fine       faultKind = iota
	lostBefore           // the request never arrives
	lostAfter            // the answer never arrives
	latecomer            // a write arrives when deliver is called, its answer never
	silent               // no answer until the context ends
	stuck                // no answer, and the context is ignored
)

var errLink = errors.New("the link broke")

// meet suffers the fault of a call; do is the call itself.
func (s *memoryStore) meet(ctx context.Context, c call, do func() error) error {
	s.mu.Lock()
	var f fault
	if s.fault != nil {
		f = s.fault(c)
	}
	s.mu.Unlock()
	switch f.kind {
	case lostBefore:
		return errLink
	case latecomer:
		s.mu.Lock()
		s.late = append(s.late, func() { _ = do() })
		s.mu.Unlock()
		return errLink
	case silent:
		<-ctx.Done()
		return context.Cause(ctx)
	case stuck:
		<-s.unhang
		return errLink
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	err := do()
	if f.delay > 0 {
		if waited := clock.Wait(ctx, s.clock, f.delay); waited != nil {
			return waited
		}
	}
	if f.kind == lostAfter {
		return errLink
	}
	return err
}

// deliver lets the late writes arrive.
func (m *memory) deliver() {
	m.mu.Lock()
	late := m.late
	m.late = nil
	m.mu.Unlock()
	for _, do := range late {
		do()
	}
}

func (s *memoryStore) Read(ctx context.Context, name string) (o lease.Observation, err error) {
	err = s.meet(ctx, call{read: true}, func() error { o = s.row(name); return nil })
	return o, err
}

func (s *memoryStore) Swap(ctx context.Context, seen lease.Observation, next lease.Record) error {
	if next.Version > 1<<63-1 || next.Epoch > 1<<63-1 || len(next.Memo) > lease.MaxMemoBytes {
		return errors.New("this row cannot be kept")
	}
	return s.meet(ctx, call{next: next}, func() error { return s.swap(seen, next) })
}

func (m *memory) row(name string) lease.Observation {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rowLocked(name)
}

func (m *memory) rowLocked(name string) lease.Observation {
	o, ok := m.rows[name]
	if !ok {
		o = lease.Observation{Record: lease.Record{Name: name}}
	}
	o.Incarnation = m.incarnation
	if o.Exists {
		o.Age = clock.System().Now().Wall.Sub(o.WrittenAt)
	}
	return o
}

func (m *memory) swap(seen lease.Observation, next lease.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.rowLocked(next.Name).Same(seen) {
		return lease.ErrChanged
	}
	m.writes++
	m.rows[next.Name] = lease.Observation{Exists: true, Record: next, WrittenAt: clock.System().Now().Wall}
	if next.Released {
		for _, changed := range m.watchers {
			changed()
		}
	}
	return nil
}

func (s *memoryStore) Watch(ctx context.Context, _ string, changed func()) error {
	s.mu.Lock()
	s.watchers[s] = changed
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	delete(s.watchers, s)
	s.mu.Unlock()
	return context.Cause(ctx)
}

// put writes a row past all rules, as a test's beginning.
func (m *memory) put(r lease.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[r.Name] = lease.Observation{Exists: true, Record: r, WrittenAt: clock.System().Now().Wall}
}

// failOver makes the database another one; with lose it forgets that many writes
// of the row.
func (m *memory) failOver(incarnation string, lose uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.incarnation = incarnation
	o := m.rows["node"]
	o.Record.Version -= lose
	m.rows["node"] = o
}

func (m *memory) written() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.writes
}

func TestTheMemoryStoreOfTheseTestsPassesTheConformanceSuite(t *testing.T) {
	leasetest.Run(t, func(t *testing.T) leasetest.Fixture {
		m := newMemory()
		a, b := m.store(clock.System()), m.store(clock.System())
		set := func(f func(call) fault) {
			m.mu.Lock()
			a.fault, b.fault = f, f
			m.mu.Unlock()
		}
		return leasetest.Fixture{A: a, B: b,
			Hang:              func() { set(func(call) fault { return fault{kind: silent} }) },
			Restore:           func() { set(nil) },
			ChangeIncarnation: func() { m.failOver("2", 0) },
			WatchWithin:       200 * time.Millisecond, Patience: 5 * time.Second,
		}
	})
}
