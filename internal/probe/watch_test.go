package probe

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// scripted answers its looks one by one from a channel.
type scripted chan error

func (s scripted) Look(ctx context.Context) error {
	select {
	case err := <-s:
		return err
	case <-ctx.Done():
		return fail(ctx, "node", "answering", ctx.Err())
	}
}

type watched struct {
	clock   *clock.Stepped
	answers scripted
	changes chan Change
	looks   chan Sighting
	end     func() error
}

func watch(t *testing.T, well bool) *watched {
	t.Helper()
	return watchWith(t, func(o *WatchOptions) { o.Well = well })
}

func watchWith(t *testing.T, change func(*WatchOptions)) *watched {
	t.Helper()
	w := &watched{clock.NewStepped(), make(scripted), make(chan Change, 1), make(chan Sighting, 1), nil}
	o := WatchOptions{
		Probe: w.answers, Clock: w.clock, Interval: time.Second, Timeout: 3 * time.Second,
		Threshold: Threshold{Failures: 2, Successes: 1},
		Changed:   func(c Change) { w.changes <- c },
		Looked:    func(s Sighting) { w.looks <- s },
	}
	change(&o)
	watch, err := NewWatch(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- watch.Run(ctx) }()
	w.end = func() error {
		cancel(errTest)
		return receive(t, done)
	}
	t.Cleanup(func() { cancel(nil) })
	return w
}

func (w *watched) answer(t *testing.T, err error) Sighting {
	t.Helper()
	select {
	case w.answers <- err:
	case <-within(t, patience).Done():
		t.Fatal("nobody looks")
	}
	return receive(t, w.looks)
}

func TestWatchLooksAtOnceAndThenAtEveryInterval(t *testing.T) {
	w := watch(t, false)
	start := w.clock.Now().Boot
	for i := range 3 {
		s := w.answer(t, nil)
		if at := start + time.Duration(i)*time.Second; s.Started.Boot != at {
			t.Fatalf("look %d at %v, want %v", i, s.Started.Boot, at)
		}
		if i == 0 {
			if c := receive(t, w.changes); !c.Well || c.Reason != nil || c.Looks != 1 {
				t.Fatalf("got %+v", c)
			}
		}
		stepTo(t, w.clock, s.Started.Boot+time.Second)
	}
	if err := w.end(); !errors.Is(err, errTest) {
		t.Fatalf("ended with %v, want the cause", err)
	}
}

func TestWatchTellsOfAChangeOnlyAfterTheThreshold(t *testing.T) {
	w := watch(t, true)
	bad := &Failure{Outcome: Refused, Target: "node", Reason: "refused"}
	for i, err := range []error{bad, nil, bad} {
		s := w.answer(t, err)
		if !s.Health.Well {
			t.Fatalf("unwell after look %d", i)
		}
		stepTo(t, w.clock, s.Started.Boot+time.Second)
	}
	s := w.answer(t, bad)
	c := receive(t, w.changes)
	if c.Well || !errors.Is(c.Reason, bad) || c.Looks != 2 || c.At != s.Started {
		t.Fatalf("got %+v", c)
	}
	w.end()
}

func TestWatchEndsALookAtItsDeadline(t *testing.T) {
	w := watch(t, true)
	start := w.clock.Now().Boot
	stepTo(t, w.clock, start+3*time.Second)
	s := receive(t, w.looks)
	want(t, s.Err, TimedOut, "node: timed out while answering")
	if s.Took != 3*time.Second {
		t.Fatalf("took %v", s.Took)
	}
	// The look that was late is followed by one at once, not by three.
	if s := w.answer(t, nil); s.Started.Boot != start+3*time.Second {
		t.Fatalf("next look at %v", s.Started.Boot-start)
	}
	stepTo(t, w.clock, start+4*time.Second)
	w.answer(t, nil)
	w.end()
}

func TestAGoodAnswerAfterTheDeadlineComesTooLate(t *testing.T) {
	c := clock.NewStepped()
	looks := make(chan Sighting)
	slow := Func(func(context.Context) error {
		c.Sleep(time.Minute) // the machine was suspended in the middle
		return nil
	})
	w, err := NewWatch(WatchOptions{Probe: slow, Clock: c, Interval: time.Second, Timeout: time.Second,
		Threshold: Threshold{2, 1}, Changed: func(Change) {}, Looked: func(s Sighting) { looks <- s }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	if s := receive(t, looks); OutcomeOf(s.Err) != TimedOut {
		t.Fatalf("got %v", s.Err)
	}
	cancel()
	for {
		select {
		case <-looks:
		case <-done:
			return
		}
	}
}

func TestWatchCountsNothingOnceItIsToEnd(t *testing.T) {
	w := watch(t, true)
	if err := w.end(); !errors.Is(err, errTest) {
		t.Fatal(err)
	}
	select {
	case s := <-w.looks:
		t.Fatalf("counted %v", s.Err)
	case c := <-w.changes:
		t.Fatalf("told %+v", c)
	default:
	}
}

func TestWatchRefusesOptionsThatMakeNoSense(t *testing.T) {
	good := WatchOptions{Probe: All(), Clock: clock.System(), Interval: 1, Timeout: 1, Threshold: Threshold{1, 1}, Changed: func(Change) {}}
	if _, err := NewWatch(good); err != nil {
		t.Fatal(err)
	}
	_, err := NewWatch(WatchOptions{Probe: All(), Clock: clock.System(), Changed: func(Change) {}})
	const text = "watch: interval 0s and timeout 0s have to be positive; threshold of 0 failures and 0 successes: each has to be 1 or more"
	if err == nil || err.Error() != text {
		t.Fatalf("got %v", err)
	}
}

func TestWatchLooksFasterWhileInDoubt(t *testing.T) {
	w := watchWith(t, func(o *WatchOptions) { o.Fast, o.Unknown = 100*time.Millisecond, true })
	bad := &Failure{Outcome: Refused, Target: "node", Reason: "refused"}
	at := w.clock.Now().Boot
	for i, c := range []struct {
		err   error
		pause time.Duration // until the next look
	}{
		{bad, 100 * time.Millisecond}, // nothing is believed yet
		{bad, time.Second},            // unwell, and that is that
		{nil, time.Second},            // one success makes it well
		{bad, 100 * time.Millisecond}, // contradicted
		{nil, time.Second},
	} {
		if s := w.answer(t, c.err); s.Started.Boot != at {
			t.Fatalf("look %d came after %v, want %v", i, s.Started.Boot, at)
		}
		select {
		case <-w.changes:
		default:
		}
		at += c.pause
		stepTo(t, w.clock, at)
	}
	w.answer(t, nil)
	w.end()
}

func TestWatchThatBeginsAnewForgetsAndLooksAtOnce(t *testing.T) {
	anew := make(chan struct{})
	w := watchWith(t, func(o *WatchOptions) { o.Unknown, o.Anew = true, anew })
	w.answer(t, nil)
	receive(t, w.changes)
	select {
	case anew <- struct{}{}:
	case <-within(t, patience).Done():
		t.Fatal("nobody takes it")
	}
	s := w.answer(t, &Failure{Outcome: Refused, Target: "node", Reason: "refused"})
	if want := (Health{Unknown: true, Against: 1}); s.Health != want || s.Started.Boot != w.clock.Now().Boot {
		t.Fatalf("got %+v at %v", s.Health, s.Started.Boot)
	}
	w.end()
}
