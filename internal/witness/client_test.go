package witness

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// running is a client at work.
type running struct {
	*Client
	t     *testing.T
	acks  chan struct{} // holds one when there are more acknowledgements
	peers atomic.Pointer[[]string]
	stop  func()
}

func write(t *testing.T, o ClientOptions, addresses ...string) *running {
	t.Helper()
	r := &running{t: t, acks: make(chan struct{}, 1)}
	r.peers.Store(&addresses)
	ctx, cancel := context.WithCancelCause(t.Context())
	o.Name, o.Clock = "c", clock.System()
	o.Candidates = func(context.Context) []string { return *r.peers.Load() }
	o.Acknowledged = func(ID) {
		select {
		case r.acks <- struct{}{}:
		default:
		}
	}
	c, err := NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Client = c
	enough := errors.New("enough")
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	r.stop = func() {
		t.Helper()
		cancel(enough)
		if err := <-done; !errors.Is(err, enough) {
			t.Fatalf("ended with %v", err)
		}
	}
	t.Cleanup(func() { cancel(nil) })
	return r
}

// await waits for n acknowledgements from now on.
func (r *running) await(n int) {
	r.t.Helper()
	enough := r.Progress().Acked + n
	r.until(func(p Progress) bool { return p.Acked >= enough })
}

// until looks at the progress after every acknowledgement.
func (r *running) until(done func(Progress) bool) {
	r.t.Helper()
	ctx := within(r.t, patience)
	for !done(r.Progress()) {
		select {
		case <-r.acks:
		case <-ctx.Done():
			r.t.Fatalf("stuck: %+v", r.Progress())
		}
	}
}

func TestClientLosesNothingOverKillsAndCountsItsStalls(t *testing.T) {
	s := newScene(t)
	a := s.start("A", 1)
	c := write(t, ClientOptions{Pace: time.Millisecond}, a.p2p)
	for epoch, name := range []string{"B", "A", "B"} {
		c.await(60)
		a.kill()
		a = s.start(name, epoch+2)
		c.peers.Store(&[]string{"127.0.0.1:1", a.p2p})
	}
	c.await(60)
	c.stop()
	p := c.Progress()
	r := s.audit(c.Acked()...)
	faultless(t, r)
	if r.Acked != p.Acked || p.Acked < 240 || p.Issued > p.Acked+defaultInFlight || r.Journaled < p.Acked {
		t.Fatalf("%d issued, %d acknowledged, %d in the journal", p.Issued, p.Acked, r.Journaled)
	}
	takeovers := 0
	for _, stall := range p.Stalls {
		if stall.Length() <= 0 || stall.Length() > p.Longest || stall.To.Epoch < stall.From.Epoch {
			t.Errorf("stall %+v, longest %v", stall, p.Longest)
		}
		if stall.To.Epoch == stall.From.Epoch+1 {
			takeovers++ // a slow machine may bring stalls without one
		}
	}
	if takeovers != 3 || p.Peer.Epoch != 4 {
		t.Fatalf("got %+v", p)
	}
}

func TestClientAsksAgainForWhatWasNotAcknowledged(t *testing.T) {
	s := newScene(t)
	a := s.start("A", 1)
	c := write(t, ClientOptions{AnswerTimeout: patience, Pace: time.Millisecond}, a.p2p)
	c.await(3)
	a.freeze()
	ctx := within(t, patience)
	for p := c.Progress(); p.Issued < p.Acked+defaultInFlight; p = c.Progress() {
		if ctx.Err() != nil {
			t.Fatalf("no more writes on their way: %+v", p)
		}
	}
	a.kill()
	b := s.start("B", 2)
	c.peers.Store(&[]string{b.p2p})
	c.await(2 * defaultInFlight)
	c.stop()
	acked := c.Acked()
	faultless(t, s.audit(acked...))
	for n := 1; n <= defaultInFlight; n++ {
		if !slices.Contains(acked, c.id(n)) {
			t.Fatalf("%s was forgotten", c.id(n))
		}
	}
}

func TestClientLeavesAWitnessThatHangs(t *testing.T) {
	s := newScene(t)
	a, b := s.start("A", 1), s.start("B", 1)
	c := write(t, ClientOptions{AnswerTimeout: 200 * time.Millisecond}, a.p2p, b.p2p)
	c.await(3)
	a.hang()
	c.until(func(p Progress) bool { return p.Peer.Instance == "B" })
	c.stop()
}

func TestClientStopsAtItsLimit(t *testing.T) {
	s := newScene(t)
	a := s.start("A", 1)
	c := write(t, ClientOptions{Limit: 5, Pace: time.Millisecond}, a.p2p)
	c.await(5)
	c.stop()
	if p := c.Progress(); p.Issued != 5 || p.Acked != 5 {
		t.Fatalf("got %+v", p)
	}
}

func TestClientRefusesOptionsThatMakeNoSense(t *testing.T) {
	none := func(context.Context) []string { return nil }
	for _, o := range []ClientOptions{
		{Name: "a b", Candidates: none, Clock: clock.System()},
		{Name: "c", Clock: clock.System()},
		{Name: "c", Candidates: none, Clock: clock.System(), InFlight: pipelineLimit + 1},
	} {
		if _, err := NewClient(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}
