package lease

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"
)

// database is one server: the writes of one row, and which roles may write.
type database struct {
	incarnation int
	writes      []Record
	written     int           // how many there were ever
	ahead       time.Duration // its clock, of real time
	writtenAt   time.Duration // the last write, by that clock
	// lockedOut are the agents whose role has lost its login and its sessions.
	lockedOut map[int]bool
	// greatest is the epoch of the newest node that may write here.
	greatest uint64
}

// databases are the server that takes writes, and the one that did before.
type databases struct {
	db *database
	// old is a server that lost its peers, or nil: who still talks to it sees
	// his writes there, and none is ever acknowledged.
	old  *database
	down time.Duration // until when no request arrives
	// splitAcknowledges: replication is asynchronous, an assumption is broken.
	splitAcknowledges bool
	incarnations      int  // how many there were
	betray            bool // the next change of holder is lost, after others have seen it
}

func (d *database) row() Observation {
	o := Observation{Record: Record{Name: "node"}, Incarnation: strconv.Itoa(d.incarnation)}
	if n := len(d.writes); n > 0 {
		o.Exists, o.Record = true, d.writes[n-1]
	}
	return o
}

// keptWrites bounds what a server remembers of the row's past.
const keptWrites = 64

func (d *database) write(r Record, now time.Duration) {
	if len(d.writes) >= keptWrites {
		d.writes = append(d.writes[:0], d.writes[keptWrites/2:]...)
	}
	d.writes = append(d.writes, r)
	d.written++
	d.writtenAt = now + d.ahead
}

// clone is the same rows on another server; lose is how many writes it lacks.
func (d *database) clone(incarnation, lose int) *database {
	kept := d.writes[:max(0, len(d.writes)-lose)]
	return &database{incarnation: incarnation, writes: append([]Record(nil), kept...), written: d.written - lose,
		ahead: d.ahead, writtenAt: d.writtenAt, lockedOut: maps.Clone(d.lockedOut), greatest: d.greatest}
}

// execute does what an attempt asks for.
func (w *world) execute(a *simAgent, attempt Attempt) (Observation, error) {
	d := w.serverOf(a)
	o, seen := d.row(), attempt.Seen
	o.Age = w.now + d.ahead - d.writtenAt
	if w.broken == incarnationIgnored {
		o.Incarnation, o.Record.Incarnation, seen.Incarnation, seen.Record.Incarnation = "", "", "", ""
	}
	switch {
	case attempt.Read:
		return o, nil
	case !o.Same(seen) && w.broken != blindWrite:
		w.log("%s writes %v: refused", a, attempt.Next.trace())
		return Observation{}, ErrChanged
	}
	w.checkWrite(a, attempt.Next)
	w.lastWrite[a] = w.now
	d.write(attempt.Next, w.now)
	if d == w.old && !w.splitAcknowledges {
		w.log("%s writes %v into a server that lost its peers", a, attempt.Next.trace())
		return Observation{}, errors.New("canceling wait for synchronous replication")
	}
	w.log("%s writes %v", a, attempt.Next.trace())
	if attempt.Next.Released {
		w.hint()
	}
	if w.betray && d == w.db && (attempt.Next.Released || attempt.Next.Epoch != attempt.Seen.Record.Epoch) {
		w.betray, a.deaf = false, w.now+w.timing.Attempt
		kept := d.written - 1
		w.after(w.upTo(3*w.timing.Attempt), func() {
			if w.db == d {
				w.failOver(d.written - kept)
			}
		})
	}
	return Observation{}, nil
}

// hint tells the others of a release, where the database can and it arrives.
func (w *world) hint() {
	for _, a := range w.agents {
		if changed := a.hinted; changed != nil && w.chance(0.7) && !a.lost() {
			w.after(a.delay(), a.own(changed))
		}
	}
}

// trace is a record in a trace.
func (r Record) trace() string {
	text := fmt.Sprintf("epoch %d, version %d", r.Epoch, r.Version)
	if r.Released {
		text += ", released"
	}
	if r.Successor != "" {
		text += " for " + r.Successor
	}
	return text
}

func (w *world) failOver(lose int) {
	if w.old != nil {
		return
	}
	w.incarnations++
	w.db = w.db.clone(w.incarnations, lose)
	w.db.ahead += w.upTo(2*w.timing.Wait) - w.timing.Wait
	w.log("the database fails over and loses %d writes: it is %d with %v", lose, w.db.incarnation, w.db.row())
	w.restore(0)
}

// split fails over while the old server lives on, cut off from the new one,
// with some of the agents. Replication is synchronous: nothing is lost, and
// nothing is acknowledged over there.
func (w *world) split(d time.Duration) {
	if w.old != nil {
		return
	}
	w.incarnations++
	w.old, w.db = w.db, w.db.clone(w.incarnations, 0)
	for _, a := range w.agents {
		a.onOld = w.chance(0.5)
	}
	w.log("the database splits; the new server is %d", w.db.incarnation)
	w.restore(d)
	w.after(d, func() {
		w.old = nil
		w.log("the old server is gone")
	})
}

// serverOf is the server that a request of a arrives at now.
func (w *world) serverOf(a *simAgent) *database {
	if a.onOld && w.old != nil {
		return w.old
	}
	return w.db
}

// simStore is the way of one process to the database.
type simStore struct {
	a      *simAgent
	life   int
	killed chan struct{}
}

// simCall is a call that somebody waits for.
type simCall struct {
	attempt Attempt
	floor   bool // asks the drive for the greatest epoch
	answers chan answer[Observation]
	found   uint64
	over    bool // it was answered or has ended
	givenUp bool // nobody waits for its answer
	// hangs: the driver does not heed the end of the context.
	hangs bool
}

var errKilled = errors.New("the process was killed")

func (s simStore) make(ctx context.Context, c *simCall) (Observation, error) {
	if s.a.life != s.life {
		return Observation{}, errKilled
	}
	c.answers = make(chan answer[Observation], 1)
	s.a.w.ask(s.a, rankCall, func() {
		if s.a.life == s.life {
			s.a.send(c)
		}
	})
	select {
	case o := <-c.answers:
		return o.value, o.err
	case <-s.killed:
		return Observation{}, errKilled
	case <-ctx.Done():
	}
	c.givenUp = true
	if c.hangs {
		select {
		case <-c.answers:
		case <-s.killed:
		}
	}
	c.over = true
	return Observation{}, context.Cause(ctx)
}

func (s simStore) Read(ctx context.Context, _ string) (Observation, error) {
	return s.make(ctx, &simCall{attempt: Attempt{Read: true}})
}

func (s simStore) Swap(ctx context.Context, seen Observation, next Record) error {
	_, err := s.make(ctx, &simCall{attempt: Attempt{Seen: seen, Next: next}})
	return err
}

func (s simStore) Watch(ctx context.Context, _ string, changed func()) error {
	if s.a.life == s.life {
		s.a.w.ask(s.a, rankWatch, func() { s.a.hinted = changed })
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func (s simStore) epochFile(ctx context.Context) (uint64, error) {
	c := &simCall{floor: true}
	_, err := s.make(ctx, c)
	return c.found, err
}
