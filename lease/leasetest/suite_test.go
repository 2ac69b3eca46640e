package leasetest

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/lease"
)

// memory is a correct store in this process, and with one of its faults set an
// incorrect one: the suite has to tell them apart.
type memory struct {
	mu          sync.Mutex // guards all below
	rows        map[string]lease.Observation
	incarnation string
	hung        chan struct{} // nil while the database answers
	woken       chan struct{} // closed and renewed by each release
	fault       fault
}

type fault struct {
	name        string
	compare     func(o lease.Observation) lease.Observation // hides what is not compared
	store       func(r lease.Record) lease.Record           // loses what is not kept
	answer      func(error) error                           // says something else than was done
	unguarded   bool                                        // reads, lets others in, writes
	ignoresHang bool
	deafWatch   bool
	oneRow      bool
	noAge       bool
	longMemos   bool
}

func newMemory(f fault) *memory {
	return &memory{rows: map[string]lease.Observation{}, incarnation: "memory-1", woken: make(chan struct{}), fault: f}
}

func (m *memory) fixture() Fixture {
	return Fixture{A: m, B: m,
		Hang: func() { m.mu.Lock(); m.hung = make(chan struct{}); m.mu.Unlock() },
		Restore: func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			close(m.hung)
			m.hung = nil
		},
		ChangeIncarnation: func() { m.mu.Lock(); m.incarnation = "memory-2"; m.mu.Unlock() },
		WatchWithin:       200 * time.Millisecond, Patience: 2 * time.Second,
	}
}

// reach waits while the database hangs.
func (m *memory) reach(ctx context.Context) error {
	m.mu.Lock()
	hung := m.hung
	m.mu.Unlock()
	if hung == nil || m.fault.ignoresHang {
		return context.Cause(ctx)
	}
	select {
	case <-hung:
		return errors.New("the connection was lost while the database hung")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (m *memory) row(name string) lease.Observation {
	if m.fault.oneRow {
		name = "node"
	}
	o, ok := m.rows[name]
	if !ok {
		o = lease.Observation{Record: lease.Record{Name: name}}
	}
	o.Incarnation = m.incarnation
	return o
}

func (m *memory) Read(ctx context.Context, name string) (lease.Observation, error) {
	if err := m.reach(ctx); err != nil {
		return lease.Observation{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.row(name)
	if o.Exists && !m.fault.noAge {
		o.Age = clock.System().Now().Wall.Sub(o.WrittenAt)
	}
	return o, nil
}

func (m *memory) Swap(ctx context.Context, seen lease.Observation, next lease.Record) error {
	if err := m.reach(ctx); err != nil {
		return err
	}
	if next.Version > math.MaxInt64 || len(next.Memo) > lease.MaxMemoBytes && !m.fault.longMemos {
		return errors.New("this row cannot be kept")
	}
	err := m.swap(seen, next)
	if m.fault.answer != nil {
		return m.fault.answer(err)
	}
	return err
}

func (m *memory) swap(seen lease.Observation, next lease.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.row(next.Name)
	if m.fault.compare != nil {
		now, seen = m.fault.compare(now), m.fault.compare(seen)
	}
	if !now.Same(seen) {
		return lease.ErrChanged
	}
	if m.fault.unguarded {
		m.mu.Unlock()
		_ = pause(context.Background())
		m.mu.Lock()
	}
	if m.fault.store != nil {
		next = m.fault.store(next)
	}
	name := next.Name
	if m.fault.oneRow {
		name = "node"
	}
	m.rows[name] = lease.Observation{Exists: true, Record: next, WrittenAt: clock.System().Now().Wall}
	if next.Released {
		close(m.woken)
		m.woken = make(chan struct{})
	}
	return nil
}

func (m *memory) Watch(ctx context.Context, _ string, changed func()) error {
	for {
		m.mu.Lock()
		woken := m.woken
		m.mu.Unlock()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-woken:
			if !m.fault.deafWatch {
				changed()
			}
		}
	}
}

func TestACorrectStorePasses(t *testing.T) {
	Run(t, func(*testing.T) Fixture { return newMemory(fault{}).fixture() })
}

// hide makes a fault that does not compare what f clears.
func hide(name string, f func(*lease.Observation)) fault {
	return fault{name: name, compare: func(o lease.Observation) lease.Observation { f(&o); return o }}
}

// lose makes a fault that does not keep what f clears.
func lose(name string, f func(*lease.Record)) fault {
	return fault{name: name, store: func(r lease.Record) lease.Record { f(&r); return r }}
}

func faults() []fault {
	return []fault{
		hide("the holder is not compared", func(o *lease.Observation) { o.Record.Holder = "" }),
		hide("the nonce is not compared", func(o *lease.Observation) { o.Record.Nonce = "" }),
		hide("the epoch is not compared", func(o *lease.Observation) { o.Record.Epoch = 0 }),
		hide("the version is not compared", func(o *lease.Observation) { o.Record.Version = 0 }),
		hide("released is not compared", func(o *lease.Observation) { o.Record.Released = false }),
		hide("the row's incarnation is not compared", func(o *lease.Observation) { o.Record.Incarnation = "" }),
		hide("the database's incarnation is not compared", func(o *lease.Observation) { o.Incarnation = "" }),
		hide("whether there is a row is not compared", func(o *lease.Observation) {
			if !o.Exists {
				*o = lease.Observation{}
			}
			o.Exists = false
		}),
		hide("numbers are compared as doubles", func(o *lease.Observation) {
			o.Record.Epoch = uint64(float64(o.Record.Epoch))
			o.Record.Version = uint64(float64(o.Record.Version))
		}),
		lose("the boot id is lost", func(r *lease.Record) { r.Boot = "" }),
		lose("the successor is lost", func(r *lease.Record) { r.Successor = "" }),
		lose("durations are cut to milliseconds", func(r *lease.Record) { r.Trust = r.Trust.Truncate(time.Millisecond) }),
		lose("two durations are mixed up", func(r *lease.Record) { r.Update, r.Fence = r.Fence, r.Update }),
		lose("the memo is cut short", func(r *lease.Record) { r.Memo = r.Memo[:min(len(r.Memo), 1000)] }),
		lose("the epoch goes through a double", func(r *lease.Record) { r.Epoch = uint64(float64(r.Epoch)) }),
		lose("an empty holder becomes a word", func(r *lease.Record) {
			if r.Holder == "" {
				r.Holder = "NULL"
			}
		}),
		{name: "read, then write", unguarded: true},
		{name: "always nil", answer: func(error) error { return nil }},
		{name: "always changed", answer: func(error) error { return lease.ErrChanged }},
		{name: "unknown outcomes are not told from refusals", answer: func(err error) error {
			if err != nil {
				return errors.New("no")
			}
			return nil
		}},
		{name: "the hang is not noticed", ignoresHang: true},
		{name: "watch is deaf", deafWatch: true},
		{name: "all names are one row", oneRow: true},
		{name: "no age", noAge: true},
		{name: "long memos are taken", longMemos: true},
	}
}

func TestEveryFaultOfAStoreIsFound(t *testing.T) {
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range checks() {
				fixture := newMemory(f).fixture()
				ctx, cancel := context.WithTimeout(context.Background(), fixture.patience())
				err := c.run(ctx, fixture)
				cancel()
				if err != nil {
					t.Logf("%s: %v", c.name, err)
					return
				}
			}
			t.Fatal("no check found it")
		})
	}
}
