package status_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/status"
	"github.com/hotcold/hotcold/lease/notice"
)

// chronicle writes events as agents do; each comes a while after the one before.
type chronicle struct {
	t      *testing.T
	at     time.Time
	events []notice.Event
}

func (c *chronicle) add(after time.Duration, who string, epoch uint64, kind string, d agent.Document) {
	c.t.Helper()
	document, err := json.Marshal(d)
	if err != nil {
		c.t.Fatal(err)
	}
	c.at = c.at.Add(after)
	c.events = append(c.events, notice.Event{ID: int64(len(c.events) + 1), Lease: "corda-node", Instance: who, Kind: kind,
		Epoch: epoch, Document: document, At: c.at})
}

func (c *chronicle) start(who string, epoch uint64, seconds float64) {
	c.add(10*time.Millisecond, who, epoch, agent.EventClaimed, agent.Document{Text: "claimed the lease", Seconds: seconds})
	c.add(20*time.Millisecond, who, epoch, agent.EventStarted, agent.Document{Text: "started the node as process 4720"})
	c.add(300*time.Millisecond, who, epoch, agent.EventReady, agent.Document{Text: "the node is ready", Seconds: 0.3})
}

// everything is a life with one of each thing that happens to a pair.
func everything(t *testing.T) []notice.Event {
	t.Helper()
	c := &chronicle{t: t, at: noon}
	c.start(onA, 1, 0)

	c.add(time.Hour, onA, 1, agent.EventSwitchover, agent.Document{Text: "switchover to " + onB, Cause: "asked for by root@machine-a"})
	c.add(0, onA, 1, agent.EventUnready, agent.Document{Text: "traffic ends"})
	c.add(time.Millisecond, onA, 1, agent.EventStopping, agent.Document{Text: "stopping the node", Cause: "switchover to " + onB + ", asked for by root@machine-a"})
	c.add(80*time.Millisecond, onA, 1, agent.EventStopped, agent.Document{Text: "the node was seen dead after a planned stop"})
	c.add(time.Millisecond, onA, 1, agent.EventReleased, agent.Document{Text: "released the lease"})
	c.start(onB, 2, 0.1)

	c.add(time.Hour, onB, 2, agent.EventUnready, agent.Document{Text: "the node ended"})
	c.add(0, onB, 2, agent.EventExited, agent.Document{Text: "killed by SIGKILL"})
	c.add(time.Second, onB, 2, agent.EventStarted, agent.Document{Text: "started the node as process 4800"})
	c.add(300*time.Millisecond, onB, 2, agent.EventReady, agent.Document{Text: "the node is ready"})

	c.add(time.Hour, onB, 2, agent.EventUnready, agent.Document{Text: "the node ended"})
	c.add(0, onB, 2, agent.EventExited, agent.Document{Text: "exit code 1"})
	c.add(time.Second, onB, 2, agent.EventExited, agent.Document{Text: "exit code 1"})
	c.add(0, onB, 2, agent.EventFailed, agent.Document{Text: "the node failed here and is handed over", Cause: "exit code 1"})
	c.add(0, onB, 2, agent.EventReleased, agent.Document{Text: "released the lease"})
	c.start(onA, 3, 0)

	// The machine dies: nothing is written, and the row stands still.
	c.start(onB, 4, 11.2)

	// The database is lost, in time for the holder to say so.
	c.add(time.Hour, onB, 4, agent.EventLost, agent.Document{Text: "the lease could not be kept", Cause: "trust ended: renew lease: connection refused"})
	c.add(0, onB, 4, agent.EventFencing, agent.Document{Text: "fencing the node", Cause: "trust ended"})
	c.add(0, onB, 4, agent.EventFenced, agent.Document{Text: "the node was seen dead after it was fenced"})
	c.start(onA, 5, 12)

	// A frozen agent speaks up when another has long taken over; the claim does not say how old the row was.
	c.add(time.Hour, onB, 6, agent.EventClaimed, agent.Document{Text: "claimed the lease"})
	c.add(0, onA, 5, agent.EventLost, agent.Document{Text: "the lease could not be kept", Cause: "another agent holds the lease"})
	c.add(0, onA, 5, agent.EventFenced, agent.Document{Text: "the node was seen dead after it was fenced"})
	c.add(400*time.Millisecond, onB, 6, agent.EventReady, agent.Document{Text: "the node is ready"})

	// An agent is stopped; the next one's node never comes up, the one after it does; the last is not ready yet.
	c.add(time.Hour, onB, 6, agent.EventUnready, agent.Document{Text: "traffic ends"})
	c.add(0, onB, 6, agent.EventStopping, agent.Document{Text: "stopping the node", Cause: "the agent is being stopped"})
	c.add(time.Second, onB, 6, agent.EventStopped, agent.Document{Text: "the node was seen dead after a planned stop"})
	c.add(0, onB, 6, agent.EventReleased, agent.Document{Text: "released the lease"})
	c.add(time.Second, onA, 7, agent.EventClaimed, agent.Document{Text: "claimed the lease"})
	c.add(time.Second, onA, 7, agent.EventExited, agent.Document{Text: "exit code 127"})
	c.add(0, onA, 7, agent.EventFailed, agent.Document{Text: "the node failed here and is handed over", Cause: "exit code 127"})
	c.add(time.Minute, onB, 8, agent.EventClaimed, agent.Document{Text: "claimed the lease"})
	c.add(time.Minute, onB, 8, agent.EventReady, agent.Document{Text: "the node is ready"})
	c.add(time.Hour, onA, 8, agent.EventPaused, agent.Document{Text: "paused by root@machine-a"})
	c.add(time.Hour, onA, 9, agent.EventClaimed, agent.Document{Text: "claimed the lease", Seconds: 10.5})
	return c.events
}

func render(t *testing.T, h status.History, s status.Style) string {
	t.Helper()
	var b strings.Builder
	if err := status.WriteTakeovers(&b, h, s); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	if err := status.WriteEvents(&b, h.Events, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHistoryPairsTakeoversUp(t *testing.T) {
	h := status.HistoryOf("corda-node", everything(t))
	golden(t, "history.txt", render(t, h, status.Style{Zone: cest, Width: 160}))
	golden(t, "history-terminal.txt", render(t, h, status.Style{Zone: cest, Width: 100, Color: true}))
	body, err := json.MarshalIndent(h.Takeovers, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "takeovers.json", string(body)+"\n")
}

func TestHistoryReadsTheNewestFirstAsWell(t *testing.T) {
	events := everything(t)
	want := render(t, status.HistoryOf("corda-node", events), status.Style{Zone: cest})
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	if got := render(t, status.HistoryOf("corda-node", events), status.Style{Zone: cest}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestHistoryWhoseBeginningIsCutOffInventsNothing(t *testing.T) {
	events := everything(t)
	for cut := range events {
		h := status.HistoryOf("corda-node", events[cut:])
		for _, k := range h.Takeovers {
			if k.Bound == status.Exact && (k.DownSeconds == nil || *k.DownSeconds < 0) {
				t.Errorf("cut at %d: %+v", cut, k)
			}
			if k.Cause == status.CauseFirst && cut > 0 {
				t.Errorf("cut at %d: a first start that was none: %+v", cut, k)
			}
		}
	}
}

func TestHistoryShowsWhatItDoesNotKnow(t *testing.T) {
	events := []notice.Event{
		{ID: 1, Instance: onA, Kind: "transcended", Epoch: 3, Document: []byte(`{"text":"went\nbeyond"}`), At: noon},
		{ID: 2, Instance: onA, Kind: "ready", Epoch: 3, Document: []byte("\x1b[2Jnot JSON " + strings.Repeat("x", 300)), At: noon},
		{ID: 3, Instance: onB, Kind: "claimed", At: noon},
		{ID: 4, Kind: "", Document: []byte("[]"), At: time.Time{}},
	}
	golden(t, "history-strange.txt", render(t, status.HistoryOf("corda-node", events), status.Style{Zone: cest}))
	golden(t, "history-empty.txt", render(t, status.HistoryOf("corda-node", nil), status.Style{Zone: cest}))
}

func FuzzHistoryNeverPanics(f *testing.F) {
	f.Add([]byte("claimed ready unready"), uint64(1))
	kinds := []string{"claimed", "ready", "unready", "exited", "stopping", "released", "lost", "failed", "?"}
	f.Fuzz(func(t *testing.T, steps []byte, epoch uint64) {
		var events []notice.Event
		for i, s := range steps {
			events = append(events, notice.Event{ID: int64(s) * int64(i), Instance: onA, Kind: kinds[int(s)%len(kinds)],
				Epoch: epoch + uint64(s%5), Document: steps, At: noon.Add(time.Duration(s) * time.Second)})
		}
		render(t, status.HistoryOf("x", events), status.Style{Width: 40})
	})
}

func TestAnEventFitsOneLine(t *testing.T) {
	h := status.HistoryOf("corda-node", everything(t)[:1])
	want := "2024-05-01 14:00:00.010 CEST  machine-a:/opt/corda  epoch 1  claimed  claimed the lease"
	if got := h.Events[0].Line(status.Style{Zone: cest}); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
