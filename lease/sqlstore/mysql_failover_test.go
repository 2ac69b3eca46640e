package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// ledger is what the test sees from outside: which node may live until when, and
// the greatest epoch, as a shared drive keeps it.
type ledger struct {
	mu     sync.Mutex // guards all below
	epochs map[uint64]string
	floor  uint64
	alive  map[string]time.Duration // until when, by the one clock of this machine
	faults []string
	turns  chan string // who has begun; holds a few
}

// begin is called when a node starts, and demands that nobody else's may live.
func (l *ledger) begin(name string, epoch uint64, now time.Duration) {
	l.mu.Lock()
	for other, until := range l.alive {
		if other != name && until > now {
			l.faults = append(l.faults, fmt.Sprintf("%s began with epoch %d while the node of %s may live for another %v", name, epoch, other, until-now))
		}
	}
	if holder, twice := l.epochs[epoch]; twice {
		l.faults = append(l.faults, fmt.Sprintf("epoch %d was given to %s and to %s", epoch, holder, name))
	}
	l.epochs[epoch] = name
	l.floor = max(l.floor, epoch)
	l.mu.Unlock()
	select {
	case l.turns <- name:
	default:
	}
}

func (l *ledger) live(name string, until time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alive[name] = until
}

func (l *ledger) greatest(context.Context) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.floor, nil
}

// node is a work whose node lives for as long as it is trusted.
func (l *ledger) node(name string) lease.Work {
	return func(ctx context.Context, term *lease.Term) lease.Ending {
		k := clock.System()
		l.begin(name, term.Trust().Epoch, k.Now().Boot)
		for {
			l.live(name, term.Trust().DeadBy)
			if clock.Wait(ctx, k, 5*time.Millisecond) != nil {
				l.live(name, 0) // seen dead
				return lease.Ending{}
			}
		}
	}
}

// agent claims, holds and claims again until ctx ends.
func (l *ledger) agent(ctx context.Context, t *testing.T, name string, store lease.Store, timing lease.Timing) {
	for n := 0; ctx.Err() == nil; n++ {
		h, err := lease.New(lease.Options{Name: "node", Self: lease.Identity{Instance: name, Nonce: fmt.Sprint(name, n), Boot: "boot"},
			Timing: timing, Store: store, Floor: l.greatest})
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := h.Run(ctx, l.node(name)); err != nil && ctx.Err() == nil {
			t.Errorf("agent %s: %v", name, err)
			return
		}
	}
}

// next waits for a node to begin.
func (l *ledger) next(t *testing.T) string {
	t.Helper()
	select {
	case name := <-l.turns:
		return name
	case <-timeout(t, 2*patience):
		t.Fatal("nobody began")
		return ""
	}
}

// The goal: whatever a failover of the database does, no two nodes may live at once
// and no epoch is given twice. The method: real agents with short waits on a real
// pair, others that write as fast as they can, and promotions: of a replica that
// has all that was acknowledged, and of one that heard nothing for a while, while
// the lease changed hands.
func TestAFailoverOfMySQLMakesNoTwoHolders(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		for name, lossless := range map[string]bool{"lossless": true, "lossy": false} {
			t.Run(name, func(t *testing.T) { failover(t, my, lossless) })
		}
	})
}

func failover(t *testing.T, my myKind, lossless bool) {
	timing, err := lease.Settings{Update: 500 * time.Millisecond, Wait: 6 * time.Second, Fence: time.Second, Attempt: time.Second}.Timing()
	must(t, err)
	pair := my.pair(t, lossless)
	relay := testserver.Proxy(t, pair.Primary.Addr())
	c := sqlstore.Config{Dialect: my.dialect, DSN: testserver.Via(t, pair.Primary.DSN(), relay.Addr()), Attempt: timing.Attempt}
	seen := claimed(t, open(t, c), "load")
	l := &ledger{epochs: map[uint64]string{}, alive: map[string]time.Duration{}, turns: make(chan string, 16)}

	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	agents := map[string]context.CancelFunc{}
	start := func(name string) {
		ctx, stop := context.WithCancel(ctx)
		agents[name] = stop
		db := open(t, c)
		wg.Go(func() { l.agent(ctx, t, name, db, timing) })
	}
	for range 2 {
		db := open(t, c)
		wg.Go(func() { hammer(ctx, db, seen) })
	}
	start("a")
	start("b")
	holder := l.next(t)
	for round := range 2 {
		if !lossless {
			// The replica keeps the row of now. Then the lease changes hands, which it never hears of.
			pair.CutReplication(t)
			agents[holder]()
			holder = l.next(t)
			start(fmt.Sprint("c", round))
		}
		pair.Primary.Kill(t)
		pair.Promote(t)
		relay.Redirect(pair.Primary.Addr())
		// A primary that was killed has written what it had not acknowledged yet, also with
		// a replica that has all the rest: it comes back as a fresh copy.
		pair.Replica.Start(t)
		pair.Reseed(t)
		agents[holder]() // whoever holds it by now ends in order, or has ended
		start(fmt.Sprint("d", round))
		holder = l.next(t)
	}
	cancel()
	wg.Wait()
	for _, fault := range l.faults {
		t.Error(fault)
	}
	t.Logf("%d terms: %v", len(l.epochs), l.epochs)
}

// hammer renews a lease of its own as fast as the database answers.
func hammer(ctx context.Context, db *sqlstore.DB, seen lease.Observation) {
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, time.Second)
		err := db.Swap(attempt, seen, renewal(seen))
		if err == nil {
			seen.Record = renewal(seen)
		} else if now, bad := db.Read(attempt, "load"); bad == nil {
			seen = now
		} else if !errors.Is(err, lease.ErrChanged) {
			_ = clock.Wait(ctx, clock.System(), 20*time.Millisecond) // the server is away
		}
		cancel()
	}
}
