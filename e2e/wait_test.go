package e2e

import (
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// lookPause is between two looks at something that tells nobody of its changes.
const lookPause = 5 * time.Millisecond

// until waits until done says so, and fails the test with what it last said when
// limit has passed.
func until(t testing.TB, limit time.Duration, what string, done func() (ok bool, state string)) {
	t.Helper()
	c := clock.System()
	end := c.Now().Boot + limit
	for {
		ok, state := done()
		if ok {
			return
		}
		if c.Now().Boot >= end {
			t.Fatalf("waited %v for %s; last seen: %s", limit, what, state)
		}
		if err := clock.Wait(t.Context(), c, lookPause); err != nil {
			t.Fatalf("waiting for %s: %v", what, err)
		}
	}
}

// pause lets a span pass in which something must not happen.
func pause(t testing.TB, d time.Duration) {
	t.Helper()
	if err := clock.Wait(t.Context(), clock.System(), d); err != nil {
		t.Fatal(err)
	}
}

// now reads the clock by which all instants of these tests are told.
func now() time.Duration { return clock.System().Now().Boot }
