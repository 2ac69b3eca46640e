package lease

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// world is a simulation of some agents, a database and all that goes wrong
// between them. It has one goroutine and one source of chance, so that a seed
// replays to the letter. Its time is real time; each agent has a clock of its own.
type world struct {
	rng    *rand.Rand
	timing Timing
	mutant mutant
	now    time.Duration
	queue  queue
	events int

	db *database
	// old is a database server that lost its peers, or nil: who still talks to
	// it sees his writes there, and none is ever acknowledged.
	old    *database
	down   time.Duration // until when no request arrives
	floor  uint64        // the epoch file on the drive
	agents []*simAgent

	greatest uint64 // epoch of a node that was started
	starts   int
	fault    string   // the sentence that was broken
	trace    []string // nil: not kept
}

// mutant names a rule that is broken; empty: none.
type mutant string

func newWorld(seed uint64, m mutant, tracing bool) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 0)), mutant: m, db: &database{incarnation: 1}}
	if tracing {
		w.trace = []string{}
	}
	settings := []Settings{Default(), {Update: 300 * ms, Wait: time.Second, Attempt: 98 * ms}, {Update: time.Second, Wait: 4 * time.Second, Attempt: time.Second}}
	w.timing = must(settings[w.rng.IntN(len(settings))].Timing())
	switch m {
	case "wait just above update":
		w.timing.Wait = w.timing.Update + w.timing.Update/20
	case "kill time left out":
		w.timing.Trust += w.timing.Fence
	case "slack left out":
		w.timing.Trust = w.timing.Wait - w.timing.Wait/100
	}
	for i := range 2 + w.rng.IntN(2) {
		a := &simAgent{w: w, self: Identity{Instance: string(rune('a' + i))}, offset: w.upTo(time.Hour)}
		a.rate = 1 + ClockRateError*[]float64{-1, 1, 2*w.rng.Float64() - 1}[w.rng.IntN(3)]
		w.agents = append(w.agents, a)
		a.boot()
	}
	w.after(w.upTo(w.timing.Wait), w.harm)
	return w
}

// run lets time pass until the end or a fault.
func (w *world) run(end time.Duration) {
	for len(w.queue) > 0 && w.fault == "" {
		e := heap.Pop(&w.queue).(event)
		if w.now = e.at; w.now > end {
			return
		}
		e.do()
	}
}

type event struct {
	at  time.Duration
	seq int
	do  func()
}

type queue []event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	*q = (*q)[:last]
	return e
}

func (w *world) after(d time.Duration, do func()) {
	w.events++
	heap.Push(&w.queue, event{w.now + max(0, d), w.events, do})
}

// upTo draws from zero to d.
func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d) + 1)) }

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

func (w *world) log(format string, args ...any) {
	if w.trace != nil {
		w.trace = append(w.trace, fmt.Sprintf("%12v ", w.now)+fmt.Sprintf(format, args...))
	}
}

func (w *world) broken(format string, args ...any) {
	w.log("BROKEN: "+format, args...)
	if w.fault == "" {
		w.fault = fmt.Sprintf(format, args...)
	}
}

// database is one server: the writes of one row.
type database struct {
	incarnation int
	writes      []Record
}

func (d *database) row() Observation {
	o := Observation{Record: Record{Name: "node"}, Incarnation: strconv.Itoa(d.incarnation)}
	if n := len(d.writes); n > 0 {
		o.Exists, o.Record = true, d.writes[n-1]
	}
	return o
}

// clone is the same rows on another server; lose is how many writes it lacks.
func (d *database) clone(incarnation, lose int) *database {
	kept := d.writes[:max(0, len(d.writes)-lose)]
	return &database{incarnation: incarnation, writes: append([]Record(nil), kept...)}
}

// execute does what an attempt asks for.
func (w *world) execute(d *database, a Attempt) (Observation, error) {
	o, seen := d.row(), a.Seen
	if w.mutant == "incarnation ignored" {
		o.Incarnation, o.Record.Incarnation, seen.Incarnation, seen.Record.Incarnation = "", "", "", ""
	}
	switch {
	case a.Read:
		return o, nil
	case !o.Same(seen):
		return Observation{}, ErrChanged
	}
	d.writes = append(d.writes, a.Next)
	if d == w.old {
		return Observation{}, errors.New("canceling wait for synchronous replication")
	}
	return Observation{}, nil
}

// harm does one bad thing, or one that operators do, and comes again.
func (w *world) harm() {
	wait := w.timing.Wait
	w.after(w.upTo(wait), w.harm)
	a := w.agents[w.rng.IntN(len(w.agents))]
	if w.chance(0.6) { // rather the one that matters
		for _, b := range w.agents {
			if b.node != nil {
				a = b
			}
		}
	}
	switch n := w.rng.IntN(14); n {
	case 0, 1:
		a.pause(w.upTo(2 * wait))
	case 2:
		a.crash(w.chance(0.5))
	case 3:
		a.storm = w.now + w.upTo(wait)
		w.log("%s has a bad network until %v", a.self.Instance, a.storm)
	case 4, 5:
		a.cut = w.now + w.upTo(2*wait)
		w.log("%s is cut off until %v", a.self.Instance, a.cut)
	case 6:
		w.down = w.now + w.upTo(wait/2)
		w.log("the database is down until %v", w.down)
	case 7:
		w.failOver(0)
	case 8, 9:
		w.failOver(1 + w.rng.IntN(4))
	case 10, 11:
		w.split()
	case 12:
		a.plannedStop()
	case 13:
		if a.node != nil && w.chance(0.5) {
			a.node.die("crashed")
		} else {
			a.doubt()
		}
	}
}

func (w *world) failOver(lose int) {
	if w.old != nil {
		return
	}
	w.db = w.db.clone(w.db.incarnation+1, lose)
	w.log("the database failed over and lost %d writes; it is %d with %v", lose, w.db.incarnation, w.db.row())
}

// split fails over while the old server lives on, cut off from the new one,
// with some of the agents. Replication is synchronous: nothing is lost, and
// nothing is acknowledged over there.
func (w *world) split() {
	if w.old != nil {
		return
	}
	w.old = w.db
	w.db = w.db.clone(w.db.incarnation+1, 0)
	for _, a := range w.agents {
		a.onOld = w.chance(0.5)
	}
	w.log("the database split; the new one is %d", w.db.incarnation)
	w.after(w.upTo(3*w.timing.Wait), func() {
		w.old = nil
		w.log("the old database is gone")
	})
}

// serverOf is the server that a request of a arrives at now.
func (w *world) serverOf(a *simAgent) *database {
	if a.onOld && w.old != nil {
		return w.old
	}
	return w.db
}

// delay draws how long a message of a takes on its way.
func (w *world) delay(a *simAgent) time.Duration {
	switch {
	case w.chance(0.005):
		return w.upTo(2 * w.timing.Wait)
	case w.now < a.storm || w.chance(0.02):
		return w.upTo(w.timing.Attempt * 3 / 2)
	}
	return w.upTo(w.timing.Attempt / 20)
}

func (w *world) lost(a *simAgent) bool {
	return w.now < a.cut || w.now < w.down || w.chance(0.01) || w.now < a.storm && w.chance(0.3)
}
