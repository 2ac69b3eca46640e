package leasetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hotcold/hotcold/lease"
)

// watching runs Watch of one store; end stops it and returns its error.
type watching struct {
	woke chan struct{} // holds one
	end  func() (error, bool)
}

func watch(ctx context.Context, f Fixture, s lease.Store, name string) watching {
	ctx, cancel := context.WithCancel(ctx)
	w := watching{woke: make(chan struct{}, 1)}
	ended := make(chan error, 1)
	go func() {
		ended <- s.Watch(ctx, name, func() {
			select {
			case w.woke <- struct{}{}:
			default:
			}
		})
	}()
	w.end = func() (error, bool) {
		cancel()
		return limited(f.patience(), func() error { return <-ended })
	}
	return w
}

// wokenWithin waits for one call of changed.
func (w watching) wokenWithin(d time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	select {
	case <-w.woke:
		return true
	case <-ctx.Done():
		return false
	}
}

// watchWakes releases again and again, from the other connection, and demands a
// call after each. Watch may need a moment until it hears anything and hints may be
// lost, so the first releases do not count.
func watchWakes(ctx context.Context, f Fixture) error {
	held, err := claim(ctx, f.A, record("node", "a", 1, 1))
	if err != nil {
		return err
	}
	w := watch(ctx, f, f.B, "node")
	within := f.WatchWithin
	if within == 0 {
		within = f.patience()
	}
	heard, tries := 0, 0
	for ; heard < 3 && tries < 20; tries++ {
		if held, err = releaseAndClaim(ctx, f, held); err != nil {
			return err
		}
		if w.wokenWithin(within) {
			heard++
		}
	}
	if err, returned := w.end(); !returned || err == nil {
		return fmt.Errorf("watch ended with %v (in time: %v), want its context's error", err, returned)
	}
	if heard < 3 {
		return fmt.Errorf("%d of %d releases were heard within %v each", heard, tries, within)
	}
	return nil
}

// releaseAndClaim gives the lease back and takes it again, so that the next
// release is one.
func releaseAndClaim(ctx context.Context, f Fixture, held lease.Observation) (lease.Observation, error) {
	r := next(held)
	if held.Record.Released {
		r.Released = false
		r.Epoch++
		var err error
		if held, err = swapAndRead(ctx, f.A, held, r); err != nil {
			return held, err
		}
		r = next(held)
	}
	r.Released = true
	return swapAndRead(ctx, f.A, held, r)
}

func watchEnds(ctx context.Context, f Fixture) error {
	over, cancel := context.WithCancel(ctx)
	cancel()
	err, returned := limited(f.patience(), func() error { return f.A.Watch(over, "node", func() {}) })
	if !returned || err == nil {
		return fmt.Errorf("watch under an ended context: %v (in time: %v), want an error at once", err, returned)
	}
	if _, err := claim(ctx, f.A, record("node", "a", 1, 1)); err != nil {
		return err
	}
	w := watch(ctx, f, f.A, "node")
	err, returned = w.end()
	if !returned {
		return fmt.Errorf("watch goes on %v after its context has ended", f.patience())
	}
	if err == nil {
		return errors.New("watch returned nil when its context ended")
	}
	return nil
}
