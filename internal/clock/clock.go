package clock

import (
	"context"
	"time"
)

// Reading is one look at this machine's clocks.
type Reading struct {
	// Boot is the time since this machine booted, sleep included.
	Boot time.Duration
	// Mono is the time since this machine booted, sleep left out.
	Mono time.Duration
	// Wall is the time of day, for people and for finding jumps.
	Wall time.Time
}

// Jump tells by how much the time of day moved against the boot clock between
// the earlier reading and r. Slewing by NTP moves it by less than 500 ppm; more
// means that the clock was set or that the machine was paused as a whole.
func (r Reading) Jump(earlier Reading) time.Duration {
	// UnixNano leaves the monotonic reading of the two times out on purpose.
	wall := time.Duration(r.Wall.UnixNano() - earlier.Wall.UnixNano())
	return wall - (r.Boot - earlier.Boot)
}

// Clock reads the time and wakes its callers.
type Clock interface {
	// Now reads all three clocks.
	Now() Reading
	// Timer returns a timer that fires once Now().Boot has reached at.
	Timer(at time.Duration) Timer
}

// Timer fires once for each instant it was set to.
type Timer interface {
	// C delivers one value when the instant is reached. After Reset or Stop
	// a value of the former instant may still be there: look at the clock.
	C() <-chan struct{}
	// Reset sets the timer to fire once Now().Boot has reached at.
	Reset(at time.Duration)
	// Stop ends the timer for good and frees what it holds.
	Stop()
}

// Wait blocks until d has passed or ctx ends, whichever is first; in the
// second case it returns the cause of the context.
func Wait(ctx context.Context, c Clock, d time.Duration) error {
	return WaitUntil(ctx, c, c.Now().Boot+d)
}

// WaitUntil blocks until Now().Boot has reached at or ctx ends; in the second
// case it returns the cause of the context.
func WaitUntil(ctx context.Context, c Clock, at time.Duration) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	t := c.Timer(at)
	defer t.Stop()
	for c.Now().Boot < at {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C():
		}
	}
	return nil
}
