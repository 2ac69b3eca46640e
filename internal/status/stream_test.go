package status_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/status"
)

// words is the answer to one GET /hot?watch.
type words struct {
	*bufio.Reader
	b      *bench
	reused bool
}

func (b *bench) watch(t *testing.T) *words {
	t.Helper()
	w := &words{b: b}
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { w.reused = c.Reused }})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.URL()+"/hot?watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != 200 || kind != "application/x-ndjson" {
		t.Fatalf("answered %s, %s", answer.Status, kind)
	}
	w.Reader = bufio.NewReader(answer.Body)
	return w
}

func (w *words) next(t *testing.T) balancer.Word {
	t.Helper()
	text, err := w.ReadBytes('\n')
	if err != nil {
		t.Fatalf("no further word: %v", err)
	}
	word, err := balancer.ParseWord(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return word
}

// step moves the clock once the stream waits for it.
func (b *bench) step(t *testing.T, d time.Duration) {
	t.Helper()
	patience := time.After(limit)
	for {
		armed, changed := b.clock.Armed()
		for _, at := range armed {
			if now := b.clock.Now().Boot; at > now && at <= now+status.StreamLook {
				b.clock.Advance(d)
				return
			}
		}
		select {
		case <-changed:
		case <-patience:
			t.Fatal("no stream waits")
		}
	}
}

// waitFor looks until something is so.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for !so() {
		if clock.Wait(ctx, clock.System(), time.Millisecond) != nil {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func withBell(bell *status.Bell) func(*status.Options) {
	return func(o *status.Options) { o.Bell = bell }
}

func TestStreamSaysNotHotExactlyWhenStoppingBeginsThoughTheAgentHangs(t *testing.T) {
	b := serve(t, nil, nil)
	w := b.watch(t)
	want := balancer.Word{Lease: "corda-node", Machine: "machine-a", State: "hot", Ready: true, Hot: true, Epoch: 7, Trust: 5 * time.Second}
	if got := w.next(t); got != want {
		t.Fatalf("got %+v\nwant %+v", got, want)
	}
	b.step(t, 5*time.Second-time.Nanosecond)
	if got := w.next(t); !got.Hot || got.Trust != 0 || got.Held != 4999*time.Millisecond {
		t.Fatalf("a moment before: %+v", got)
	}
	b.step(t, time.Nanosecond)
	want = balancer.Word{Lease: "corda-node", Machine: "machine-a", State: "hot", Ready: true, Epoch: 7, Held: 5 * time.Second,
		Why: "trust has run out: no renewal of the lease was confirmed in time"}
	if got := w.next(t); got != want {
		t.Fatalf("got %+v\nwant %+v", got, want)
	}
}

func TestStreamTellsAChangeAsSoonAsTheBellRings(t *testing.T) {
	bell := status.NewBell()
	b := serve(t, withBell(bell), nil)
	w := b.watch(t)
	w.next(t)
	cold := coldSnapshot()
	b.set(cold)
	bell.Ring()
	if got := w.next(t); got.Hot || got.Machine != "machine-b" || got.State != "cold" || got.Held != 0 {
		t.Fatalf("the clock stands, and it said %+v", got)
	}
	hot := hotSnapshot(b.clock.Now())
	hot.Epoch = 8
	b.set(hot)
	bell.Ring()
	if got := w.next(t); !got.Hot || got.Epoch != 8 {
		t.Fatalf("got %+v", got)
	}
}

func TestStreamTellsOfEveryRenewalAndOfNothingElse(t *testing.T) {
	bell := status.NewBell()
	b := serve(t, withBell(bell), nil)
	w := b.watch(t)
	w.next(t)
	s := hotSnapshot(b.clock.Now())
	s.Counters.Looks++
	b.set(s)
	bell.Ring() // nothing that a balancer would want to know
	s.Trust.StopAt += 2 * time.Second
	b.set(s)
	bell.Ring()
	if got := w.next(t); got.Trust != 7*time.Second {
		t.Fatalf("got %+v", got)
	}
}

func TestStreamHasAHeartbeat(t *testing.T) {
	b := serve(t, nil, nil)
	w := b.watch(t)
	w.next(t)
	for i := range 3 {
		b.step(t, balancer.WordHeartbeat)
		if got := w.next(t); got.Held != time.Duration(i+1)*balancer.WordHeartbeat {
			t.Fatalf("got %+v", got)
		}
	}
}

func TestStreamFindsATermThatEndedWithoutTheBell(t *testing.T) {
	b := serve(t, nil, nil)
	w := b.watch(t)
	w.next(t)
	b.set(coldSnapshot())
	b.step(t, status.StreamLook)
	if got := w.next(t); got.Hot {
		t.Fatalf("got %+v", got)
	}
}

func TestAnAgentWithoutALeaseIsBelievedForAFewHeartbeats(t *testing.T) {
	b := serve(t, nil, nil)
	s := hotSnapshot(b.clock.Now())
	s.Leaseless, s.Trust, s.Epoch = true, coldSnapshot().Trust, 0
	b.set(s)
	if got := b.watch(t).next(t); !got.Hot || got.Trust != 10*time.Second {
		t.Fatalf("got %+v", got)
	}
}

func TestStreamEndsInOrderAfterItsLifeAndTheConnectionServesTheNext(t *testing.T) {
	b := serve(t, nil, nil)
	w := b.watch(t)
	w.next(t)
	b.step(t, balancer.WordStreamLife)
	w.next(t)
	if _, err := w.ReadByte(); err == nil || err.Error() != "EOF" {
		t.Fatalf("ended with %v", err)
	}
	if next := b.watch(t); !next.reused {
		t.Error("the next stream needed a connection of its own")
	}
}

func TestWhoeverFindsNoPlaceForAStreamGetsOneWord(t *testing.T) {
	b := serve(t, nil, func(s *status.Server) { s.SetStreams(1, time.Second) })
	b.watch(t).next(t)
	w := b.watch(t)
	w.next(t)
	if _, err := w.ReadByte(); err == nil || err.Error() != "EOF" {
		t.Fatalf("ended with %v", err)
	}
}

func TestStreamGivesItsPlaceBackWhenTheClientGoes(t *testing.T) {
	b := serve(t, nil, nil)
	c := dial(t, b)
	fmt.Fprint(c, "GET /hot?watch HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	waitFor(t, "the place is free", func() bool { return b.Streams() == 0 })
}

func TestAClientThatDoesNotReadItsStreamIsCutOff(t *testing.T) {
	bell := status.NewBell()
	b := serve(t, withBell(bell), func(s *status.Server) { s.SetStreams(1, 50*time.Millisecond) })
	c := dial(t, b)
	if err := c.(*net.TCPConn).SetReadBuffer(1 << 10); err != nil { // else the kernel reads megabytes for it
		t.Fatal(err)
	}
	fmt.Fprint(c, "GET /hot?watch HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	s := coldSnapshot()
	s.Ready, s.Reasons = false, []string{strings.Repeat("<", 200)} // a long line
	waitFor(t, "the stream is cut", func() bool {
		for range 100 { // the kernel takes megabytes of it before it says stop
			s.Epoch++
			b.set(s)
			bell.Ring()
			runtime.Gosched()
		}
		return b.Streams() == 0
	})
}

func TestStreamsEndWithTheServer(t *testing.T) {
	b := serve(t, nil, func(s *status.Server) { s.SetLimits(0, 0, 0, time.Minute) })
	w := b.watch(t)
	w.next(t)
	b.end()
	select {
	case err, running := <-b.ended:
		if err != nil || !running {
			t.Fatalf("ended with %v", err)
		}
	case <-time.After(limit):
		t.Fatal("the server waits for its streams")
	}
}

func TestHotTellsABalancerWhoseWordItIsAndHowLongItHolds(t *testing.T) {
	b := serve(t, nil, nil)
	b.clock.Advance(1500 * time.Microsecond)
	answer, _ := b.ask(t, http.MethodGet, "/hot")
	for name, want := range map[string]string{"Lease": "corda-node", "Machine": "machine-a", "Epoch": "7", "Trust-Ms": "4998"} {
		if got := answer.Header.Get("Hotcold-" + name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	b.set(coldSnapshot())
	if answer, _ := b.ask(t, http.MethodGet, "/hot"); answer.Header.Get("Hotcold-Trust-Ms") != "0" {
		t.Errorf("cold, and trusted for %s ms", answer.Header.Get("Hotcold-Trust-Ms"))
	}
}
