package leasetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hotcold/hotcold/lease"
)

const (
	challengers = 12 // at once, over two connections
	rounds      = 8  // of each race
)

// attempt is one swap in a race.
type attempt struct {
	store lease.Store
	seen  lease.Observation
	next  lease.Record
}

// race makes all attempts at once and demands that exactly one is taken, that
// all others are told so, and that the row is the winner's.
func race(ctx context.Context, reader lease.Store, attempts []attempt) (lease.Observation, error) {
	var (
		wg     sync.WaitGroup
		gate   = make(chan struct{})
		errs   = make([]error, len(attempts))
		faults []error
		winner = -1
	)
	for i, a := range attempts {
		wg.Go(func() {
			<-gate
			errs[i] = a.store.Swap(ctx, a.seen, a.next)
		})
	}
	close(gate)
	wg.Wait()
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			faults = append(faults, fmt.Errorf("%s and %s both won", attempts[winner].next.Holder, attempts[i].next.Holder))
		case err == nil:
			winner = i
		case !errors.Is(err, lease.ErrChanged):
			faults = append(faults, fmt.Errorf("%s: %w", attempts[i].next.Holder, err))
		}
	}
	if winner < 0 {
		return lease.Observation{}, errors.Join(append(faults, errors.New("nobody won"))...)
	}
	now, err := readBack(ctx, reader, attempts[winner].next)
	return now, errors.Join(append(faults, err)...)
}

// pack makes challengers that all saw the same.
func pack(f Fixture, seen lease.Observation, version uint64) []attempt {
	attempts := make([]attempt, challengers)
	for i := range attempts {
		s := f.A
		if i%2 == 1 {
			s = f.B
		}
		r := record(seen.Record.Name, fmt.Sprintf("challenger-%d", i), seen.Record.Epoch+1, version)
		r.Incarnation = seen.Incarnation
		attempts[i] = attempt{s, seen, r}
	}
	return attempts
}

func oneFirstClaim(ctx context.Context, f Fixture) error {
	for round := range rounds {
		seen, err := f.A.Read(ctx, fmt.Sprintf("node-%d", round))
		if err != nil {
			return err
		}
		if _, err := race(ctx, f.B, pack(f, seen, 1)); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	return nil
}

func oneTakeover(ctx context.Context, f Fixture) error {
	seen, err := claim(ctx, f.A, record("node", "a", 1, 1))
	if err != nil {
		return err
	}
	for round := range rounds {
		if seen, err = race(ctx, f.B, pack(f, seen, seen.Record.Version+1)); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	return nil
}

// renewAgainstClaim lets a holder renew at the moment in which a challenger,
// having waited long enough, claims.
func renewAgainstClaim(ctx context.Context, f Fixture) error {
	seen, err := claim(ctx, f.A, record("node", "a", 1, 1))
	if err != nil {
		return err
	}
	for round := range 3 * rounds {
		taken := record("node", "b", seen.Record.Epoch+1, seen.Record.Version+1)
		taken.Incarnation = seen.Incarnation
		if seen, err = race(ctx, f.B, []attempt{{f.A, seen, next(seen)}, {f.B, seen, taken}}); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	return nil
}
