package leasetest

import (
	"context"
	"fmt"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/lease"
)

// DefaultPatience is the limit of every wait of the suite where the fixture
// names none: a loaded machine has to be slow, not wrong.
const DefaultPatience = 20 * time.Second

// Fixture is one empty database and two ways to it.
type Fixture struct {
	// A and B reach the same database over connections of their own, as two
	// machines do.
	A, B lease.Store

	// Hang makes the database stop answering: connections stay open and calls
	// get no answer. Restore lets it answer again. Both are nil where the
	// database cannot be made to hang.
	Hang, Restore func()

	// ChangeIncarnation makes the database another one, as a failover or a
	// restored backup does, with or without its rows. It is nil where that
	// cannot be done.
	ChangeIncarnation func()

	// WatchWithin is how soon after a release Watch has to call back. Zero
	// means Patience.
	WatchWithin time.Duration

	// Patience limits every wait for something that has to happen; zero is
	// [DefaultPatience].
	Patience time.Duration
}

func (f Fixture) patience() time.Duration {
	if f.Patience > 0 {
		return f.Patience
	}
	return DefaultPatience
}

// us is a duration with a full set of digits down to the microsecond, which is
// as fine as a row keeps it.
const us = time.Microsecond

// record returns a row with a different value in every field, so that two
// fields that were mixed up do not go unseen.
func record(name, holder string, epoch, version uint64) lease.Record {
	return lease.Record{
		Name: name, Holder: holder, Nonce: "nonce of " + holder, Boot: "boot of " + holder,
		Epoch: epoch, Version: version,
		Update: 2*time.Second + us, Wait: 10*time.Second + 2*us, Trust: 9*time.Second - 3*us, Fence: 3*time.Second + 4*us,
		Memo: "memo of " + holder,
	}
}

// next is the row that a holder writes after seen: the same with a new version.
func next(seen lease.Observation) lease.Record {
	r := seen.Record
	r.Version++
	return r
}

// claim writes the first row of a lease and returns what the database holds then.
func claim(ctx context.Context, s lease.Store, r lease.Record) (lease.Observation, error) {
	seen, err := s.Read(ctx, r.Name)
	if err != nil {
		return seen, fmt.Errorf("read lease %q before its first claim: %w", r.Name, err)
	}
	if seen.Exists {
		return seen, fmt.Errorf("lease %q exists in a new database: %v", r.Name, seen)
	}
	r.Incarnation = seen.Incarnation
	if err := s.Swap(ctx, seen, r); err != nil {
		return seen, fmt.Errorf("claim lease %q that has no row: %w", r.Name, err)
	}
	return readBack(ctx, s, r)
}

// readBack reads and demands that the row is r.
func readBack(ctx context.Context, s lease.Store, r lease.Record) (lease.Observation, error) {
	got, err := s.Read(ctx, r.Name)
	if err != nil {
		return got, fmt.Errorf("read lease %q back: %w", r.Name, err)
	}
	if !got.Exists || got.Record != r {
		return got, fmt.Errorf("lease %q came back as\n\t%+v (exists: %v)\nwant\n\t%+v", r.Name, got.Record, got.Exists, r)
	}
	return got, nil
}

// limited runs f and tells whether it returned within d. A call that does not
// is left behind: the contract allows a driver to hang, and the suite reports it.
func limited(d time.Duration, f func() error) (err error, returned bool) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- f() }()
	select {
	case err := <-result:
		return err, true
	case <-ctx.Done():
		return nil, false
	}
}

// pause lets a moment of real time pass; it is used where a check looks again
// and again for something that has no event.
func pause(ctx context.Context) error { return clock.Wait(ctx, clock.System(), 2*time.Millisecond) }
