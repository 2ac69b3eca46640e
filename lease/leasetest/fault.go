package leasetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/lease"
)

// endedContext calls with a context that is over: there is no answer to be had.
func endedContext(ctx context.Context, f Fixture) error {
	held, err := claim(ctx, f.A, record("node", "a", 1, 1))
	if err != nil {
		return err
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := f.A.Read(over, "node"); err == nil {
		return errors.New("read answered under a context that had ended")
	}
	err = f.A.Swap(over, held, next(held))
	return outcome(ctx, f, err, held, next(held))
}

// outcome reads the row and demands that it agrees with what Swap said. An
// unknown outcome agrees with both.
func outcome(ctx context.Context, f Fixture, swapped error, seen lease.Observation, r lease.Record) error {
	now, err := f.B.Read(ctx, seen.Record.Name)
	if err != nil {
		return err
	}
	wrote := now.Exists && now.Record == r
	switch {
	case swapped == nil && !wrote:
		return fmt.Errorf("swap returned nil, and the row is %+v", now.Record)
	case errors.Is(swapped, lease.ErrChanged) && wrote:
		return errors.New("swap returned ErrChanged, and the row was written")
	case !wrote && !now.Same(seen):
		return fmt.Errorf("the row is neither the old nor the new one: %+v", now.Record)
	}
	return nil
}

// interruptedSwap ends the context of a renewal at ever later instants, from
// before it is sent until after it was answered, and compares what was said
// with what was done. The key is always the true one, so ErrChanged is a lie too.
func interruptedSwap(ctx context.Context, f Fixture) error {
	held, err := claim(ctx, f.A, record("node", "a", 1, 1))
	if err != nil {
		return err
	}
	delay := 20 * time.Microsecond
	for done := 0; done < 3 && ctx.Err() == nil; delay += delay / 4 {
		limited, cancel := context.WithTimeout(ctx, delay)
		r := next(held)
		swapped := f.A.Swap(limited, held, r)
		cancel()
		if errors.Is(swapped, lease.ErrChanged) {
			return fmt.Errorf("swap with the true key, interrupted after %v, returned ErrChanged", delay)
		}
		if err := outcome(ctx, f, swapped, held, r); err != nil {
			return fmt.Errorf("swap interrupted after %v: %w", delay, err)
		}
		if held, err = settled(ctx, f.B, "node"); err != nil {
			return err
		}
		if swapped == nil {
			done++
		}
	}
	return context.Cause(ctx)
}

// settled writes a row over whatever an abandoned swap may still do, so that a
// late write cannot be mistaken for one of the next swap.
func settled(ctx context.Context, s lease.Store, name string) (lease.Observation, error) {
	for {
		seen, err := s.Read(ctx, name)
		if err != nil {
			return seen, err
		}
		err = s.Swap(ctx, seen, next(seen))
		if err == nil {
			return readBack(ctx, s, next(seen))
		}
		if !errors.Is(err, lease.ErrChanged) {
			return seen, err
		}
	}
}

// attemptLimit is the context of a call to a hung database, and late is how much
// longer than that a call may take to come back on a loaded machine.
const (
	attemptLimit = 300 * time.Millisecond
	late         = 3 * time.Second
)

// hungDatabase demands that reads, renewals and claims of a database that does
// not answer end with their contexts, one after the other and many at once.
func hungDatabase(ctx context.Context, f Fixture) error {
	held, err := claim(ctx, f.A, record("node", "a", 1, 1))
	if err != nil {
		return err
	}
	f.Hang()
	defer f.Restore()
	calls := map[string]func(context.Context) error{
		"read": func(ctx context.Context) error { _, err := f.A.Read(ctx, "node"); return err },
		"swap": func(ctx context.Context) error { return f.A.Swap(ctx, held, next(held)) },
	}
	var faults []error
	for name, call := range calls {
		for range 3 {
			err, returned := limited(attemptLimit+late, func() error {
				attempt, cancel := context.WithTimeout(ctx, attemptLimit)
				defer cancel()
				return call(attempt)
			})
			switch {
			case !returned:
				faults = append(faults, fmt.Errorf("%s did not come back %v after its context of %v", name, late, attemptLimit))
			case err == nil || errors.Is(err, lease.ErrChanged):
				faults = append(faults, fmt.Errorf("%s of a hung database returned %v, want an unknown outcome", name, err))
			}
		}
	}
	return errors.Join(faults...)
}

// usedAgain demands that a store finds a database again that hung for a while,
// and that what was sent meanwhile did no harm.
func usedAgain(ctx context.Context, f Fixture) error {
	held, err := claim(ctx, f.A, record("node", "a", 1, 1))
	if err != nil {
		return err
	}
	f.Hang()
	attempt, cancel := context.WithTimeout(ctx, attemptLimit)
	err = f.A.Swap(attempt, held, next(held))
	cancel()
	f.Restore()
	if err == nil || errors.Is(err, lease.ErrChanged) {
		return fmt.Errorf("swap of a hung database returned %v, want an unknown outcome", err)
	}
	for _, s := range []lease.Store{f.A, f.B} {
		if err := renewedWithin(ctx, f, s); err != nil {
			return err
		}
	}
	return nil
}

// renewedWithin reads and renews until it is taken, with a limit on each attempt as
// an agent has it.
func renewedWithin(ctx context.Context, f Fixture, s lease.Store) error {
	ctx, cancel := context.WithTimeout(ctx, f.patience())
	defer cancel()
	var last error
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, late)
		seen, err := s.Read(attempt, "node")
		if err == nil {
			err = s.Swap(attempt, seen, next(seen))
		}
		cancel()
		if err == nil {
			return nil
		}
		last = err
		if err := clock.Wait(ctx, clock.System(), 20*time.Millisecond); err != nil {
			break
		}
	}
	return fmt.Errorf("the database was not found again within %v: %w", f.patience(), last)
}
