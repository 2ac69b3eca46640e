package clock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

func TestTimerNeverFiresBeforeItsInstant(t *testing.T) {
	c := clock.System()
	for range 20 {
		at := c.Now().Boot + 2*time.Millisecond
		timer := c.Timer(at)
		<-timer.C()
		if now := c.Now().Boot; now < at {
			t.Fatalf("fired %v early", at-now)
		}
		timer.Stop()
	}
}

func TestTimerSetToThePastFiresAtOnce(t *testing.T) {
	timer := clock.System().Timer(-time.Second)
	defer timer.Stop()
	select {
	case <-timer.C():
	case <-t.Context().Done():
		t.Fatal("did not fire")
	}
}

func TestResetMovesATimerBothWays(t *testing.T) {
	c := clock.System()
	timer := c.Timer(c.Now().Boot + time.Hour)
	defer timer.Stop()
	timer.Reset(c.Now().Boot + time.Millisecond)
	<-timer.C()
}

func TestStoppedTimerMayBeStoppedAndResetAgain(t *testing.T) {
	timer := clock.System().Timer(0)
	timer.Stop()
	timer.Stop()
	timer.Reset(0)
}

func TestWaitEndsWithTheCauseOfItsContext(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if err := clock.Wait(ctx, clock.System(), time.Hour); !errors.Is(err, cause) {
		t.Fatalf("got %v, want the cause", err)
	}
}

func TestJumpSeesASetClockAndAPausedMachineButNotSleep(t *testing.T) {
	c := clock.NewStepped()
	before := c.Now()
	c.Sleep(time.Minute)
	if j := c.Now().Jump(before); j != 0 {
		t.Fatalf("sleep counted as a jump of %v", j)
	}
	c.SetWall(-3 * time.Second)
	if j := c.Now().Jump(before); j != -3*time.Second {
		t.Fatalf("jump %v, want -3s", j)
	}
}

func TestSleepMovesBootAndNotMono(t *testing.T) {
	c := clock.NewStepped()
	before := c.Now()
	c.Sleep(time.Minute)
	now := c.Now()
	if now.Boot-before.Boot != time.Minute || now.Mono != before.Mono {
		t.Fatalf("boot moved %v, mono %v", now.Boot-before.Boot, now.Mono-before.Mono)
	}
}

func TestSteppedClockFiresOnlyWhatIsDue(t *testing.T) {
	c := clock.NewStepped()
	near, far := c.Timer(c.Now().Boot+time.Second), c.Timer(c.Now().Boot+time.Hour)
	c.Advance(time.Second)
	<-near.C()
	select {
	case <-far.C():
		t.Fatal("fired an hour early")
	default:
	}
	if at, _ := c.Armed(); len(at) != 1 || at[0] != c.Now().Boot+time.Hour-time.Second {
		t.Fatalf("armed: %v", at)
	}
}
