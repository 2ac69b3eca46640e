package agent

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/hotcold/hotcold/lease/notice"
)

// board is the agent's side of the tables in which agents and operators meet.
// One goroutine talks to the database, so that nothing else waits for it.
type board struct {
	a       *Agent
	say     chan struct{} // announce now
	poll    chan struct{} // look for requests now
	written chan struct{} // there are events to write
	// resumes are the requests to resume that stand there and for which
	// failures were forgiven already.
	resumes map[int64]bool
	looked  replicationLook // of the goroutine alone

	mu     sync.Mutex // guards all below
	events []notice.Event
	lost   int // events that found the queue full
}

const (
	// AnnouncePause is how often an agent says that it is there, at the least.
	// In between it says so whenever its state changes.
	AnnouncePause = 5 * time.Second
	// maxEvents bounds what waits for a database that does not answer.
	maxEvents = 256
	// boardLimit bounds one statement of the board.
	boardLimit = 3 * time.Second
	// flushLimit bounds what is written at the end of an agent.
	flushLimit = 2 * time.Second
	// retryPause is between two tries to write an event.
	retryPause = time.Second
)

func newBoard(a *Agent) *board {
	return &board{a: a, say: make(chan struct{}, 1), poll: make(chan struct{}, 1), written: make(chan struct{}, 1)}
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (b *board) announceSoon() { nudge(b.say) }
func (b *board) pollSoon()     { nudge(b.poll) }

func (b *board) append(e notice.Event) {
	b.mu.Lock()
	if len(b.events) < maxEvents {
		b.events = append(b.events, e)
	} else {
		b.lost++
	}
	b.mu.Unlock()
	nudge(b.written)
}

// run serves the board until ctx ends. A history that cannot be written is
// tried again and holds up neither the agent's row nor the requests.
func (b *board) run(ctx context.Context) {
	c := b.a.o.Clock
	timer, retry := c.Timer(c.Now().Boot), c.Timer(1<<62) // far away
	defer timer.Stop()
	defer retry.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-b.say:
			b.announce(ctx)
		case <-b.poll:
			b.requests(ctx)
		case <-b.written:
		case <-retry.C():
		case <-timer.C():
			b.announce(ctx)
			b.requests(ctx)
			b.replication(ctx)
			timer.Reset(c.Now().Boot + AnnouncePause)
		}
		if !b.drain(ctx) {
			retry.Reset(c.Now().Boot + retryPause)
		}
	}
}

// flush writes what is left when the agent ends, as far as the time allows.
func (b *board) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushLimit)
	defer cancel()
	b.announce(ctx)
	b.drain(ctx)
}

// drain writes the events that wait, oldest first, and returns false where one
// could not be written: it and those behind it stay.
func (b *board) drain(ctx context.Context) bool {
	for {
		b.mu.Lock()
		waiting := b.events
		b.mu.Unlock()
		if len(waiting) == 0 {
			return true
		}
		if !b.write(ctx, waiting[0]) {
			return false
		}
		b.mu.Lock()
		b.events = b.events[1:]
		lost := b.lost
		b.lost = 0
		b.mu.Unlock()
		if lost > 0 {
			b.a.o.Log.Warn("events were left out of the history: the database did not answer for too long", "events", lost)
		}
	}
}

// write adds one event to the history.
func (b *board) write(ctx context.Context, e notice.Event) bool {
	ctx, cancel := context.WithTimeout(ctx, boardLimit)
	defer cancel()
	err := b.a.o.Database.Append(ctx, e)
	if err != nil {
		b.a.o.Log.Debug("could not write an event", "kind", e.Kind, "err", err)
	}
	return err == nil
}

// announce writes this agent's row.
func (b *board) announce(ctx context.Context) {
	s := b.a.Snapshot()
	doc, err := json.Marshal(s)
	if err != nil {
		panic("encode a snapshot: " + err.Error()) // plain values cannot fail
	}
	ctx, cancel := context.WithTimeout(ctx, boardLimit)
	defer cancel()
	err = b.a.o.Database.Announce(ctx, notice.Instance{
		Lease: s.Lease, ID: s.Instance, Machine: s.Machine, Nonce: b.a.o.Self.Nonce, Boot: b.a.o.Self.Boot,
		State: string(s.State), Document: doc,
	})
	if err != nil {
		b.a.o.Log.Debug("could not announce", "err", err) // the next one comes by itself
	}
}
