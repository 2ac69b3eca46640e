package status

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// LiveCheck tells whether the loop of an agent or a balancer still turns. The loop touches it on every turn; /live and the feeder of
// systemd's watchdog ask it. It counts with the clock that stands still while the machine sleeps: a machine that
// slept has not hung.
type LiveCheck struct {
	clock clock.Clock
	limit time.Duration
	last  atomic.Int64 // Mono reading of the last touch, in nanoseconds
}

// NewLiveCheck returns a check that allows the loop one turn within limit; being made counts as the first.
func NewLiveCheck(c clock.Clock, limit time.Duration) *LiveCheck {
	l := &LiveCheck{clock: c, limit: limit}
	l.Touch()
	return l
}

// Touch says that the loop has just turned.
func (l *LiveCheck) Touch() { l.last.Store(int64(l.clock.Now().Mono)) }

// Age is how long ago the loop turned.
func (l *LiveCheck) Age() time.Duration {
	// The touch is read first: one that falls between the two reads must not make the age negative.
	last := time.Duration(l.last.Load())
	return l.clock.Now().Mono - last
}

// Err is nil while the loop turns.
func (l *LiveCheck) Err() error {
	if age := l.Age(); age > l.limit {
		return fmt.Errorf("the loop that decides has not turned for %s, want a turn within %s", Span(age), Span(l.limit))
	}
	return nil
}
