package e2e

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The time of day of a whole machine is set, for a moment, so this is done only
// where somebody says that nothing else minds.
func TestAClockThatJumpsStopsTrafficAndNotTheNode(t *testing.T) {
	if os.Getenv("HOTCOLD_E2E_CLOCK") != "1" {
		t.Skip("HOTCOLD_E2E_CLOCK=1 lets this test set the clock of this machine")
	}
	p := sleeperPair(t, database(t))
	p.startBoth()
	before, err := p.a.state()
	if err != nil {
		t.Fatal(err)
	}
	for _, jump := range []time.Duration{3 * time.Second, -3 * time.Second} {
		was, err := p.a.state()
		if err != nil {
			t.Fatal(err)
		}
		back := moveClock(t, jump)
		p.a.awaitState(settleLimit, "to have seen the jump and asked the database", func(s state) bool {
			return s.Counters.ClockJumps > was.Counters.ClockJumps && s.Hot
		})
		back()
		p.a.awaitState(settleLimit, "to be hot after the jump back", func(s state) bool {
			return s.Counters.ClockJumps > was.Counters.ClockJumps+1 && s.Hot
		})
	}
	after, err := p.a.state()
	if err != nil {
		t.Fatal(err)
	}
	if after.Epoch != before.Epoch || after.Counters.Fences != 0 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	p.stays(p.a)
}

// moveClock moves the time of day, and returns how to move it back: to what the
// boot clock says that it would be.
func moveClock(t *testing.T, by time.Duration) (back func()) {
	t.Helper()
	var wall unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &wall); err != nil {
		t.Fatal(err)
	}
	boot, moved := now(), true
	set := func(offset time.Duration) {
		at := unix.NsecToTimespec(wall.Nano() + int64(now()-boot+offset))
		if err := unix.ClockSettime(unix.CLOCK_REALTIME, &at); err != nil {
			t.Fatalf("set the clock: %v", err)
		}
	}
	back = func() {
		if moved {
			moved = false
			set(0)
		}
	}
	t.Cleanup(back)
	set(by)
	return back
}
