package lease

import (
	"cmp"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"
)

// world is a simulation of some agents, a database and all that goes wrong
// between them. The agents run [Holder.Run] as it is shipped, with clocks and a
// store that belong to the world. Chance has one source, and only one thing
// happens at a time: the world wakes one goroutine of one agent, and waits until
// all of them wait again. So a seed replays to the letter.
//
// Its time is real time; each machine has clocks of its own.
type world struct {
	rng    *rand.Rand
	timing Timing
	broken breach
	set    setting
	now    time.Duration
	queue  queue
	events int

	// What goroutines of agents ask for is collected until all of them wait.
	mu    sync.Mutex // guards asked
	asked []asking

	databases
	floor    uint64 // the epoch file on the drive
	handsOff bool   // the operator asked for a pause
	agents   []*simAgent
	calm     bool // no more harm is done
	restless time.Duration

	lastWrite map[*simAgent]time.Duration
	lastClaim time.Duration
	mixed     bool // an agent has other settings

	greatest      uint64 // epoch of a node that was started
	refusedWrites int    // of nodes that were locked out
	started       string // by whom
	starts        int
	takeovers     int
	over          bool
	assumed       string   // the assumption that was broken on purpose; empty: none
	overlaps      int      // two nodes alive after that
	fault         string   // the sentence that was broken
	trace         []string // nil: not kept
}

// setting is what may happen in a world.
type setting struct {
	// harms is what may go wrong; nil: all. A seed draws some of them.
	harms  []harm
	worst  bool // clocks and guards are as bad as they may be
	late   bool // messages may be late by far more than an attempt
	fenced bool // new holders lock the others out of the database
	// want is how the sentence begins that is looked for; others do not end
	// the world. Empty: all.
	want string
	// timing is what all agents are given; nil: drawn.
	timing *Settings
	// waits is for how many wait intervals harm is done.
	waits int
	// may tells which assumption is broken on purpose.
	may assumption
}

// asking is what a goroutine of an agent wants of the world.
type asking struct {
	agent, rank int // in this order where several ask at once
	do          func()
}

// The ranks of what one agent asks for at one instant.
const (
	rankTimer = iota
	rankCall
	rankWork
	rankWatch
	rankEnd
)

// ask is called from the goroutines of an agent.
func (w *world) ask(a *simAgent, rank int, do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, asking{a.number, rank, do})
}

// settle waits until all goroutines of agents wait, and hears what they asked.
func (w *world) settle() {
	for {
		synctest.Wait()
		asked := w.asked
		if w.asked = nil; len(asked) == 0 {
			return
		}
		slices.SortStableFunc(asked, func(a, b asking) int {
			return cmp.Or(a.agent-b.agent, a.rank-b.rank)
		})
		for _, a := range asked {
			a.do()
		}
	}
}

// until lets time pass until an instant or a fault.
func (w *world) until(end time.Duration) {
	for len(w.queue) > 0 && w.fault == "" {
		if w.queue[0].at > end {
			w.now = max(w.now, end)
			return
		}
		e := heap.Pop(&w.queue).(happening)
		w.now = e.at
		e.do()
		w.checkTraffic()
	}
}

type happening struct {
	at  time.Duration
	seq int
	do  func()
}

type queue []happening

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(happening)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = happening{}
	*q = (*q)[:last]
	return e
}

func (w *world) after(d time.Duration, do func()) {
	w.events++
	heap.Push(&w.queue, happening{w.now + max(0, d), w.events, do})
}

// upTo draws from zero to d.
func (w *world) upTo(d time.Duration) time.Duration {
	return time.Duration(w.rng.Int64N(int64(max(0, d)) + 1))
}

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

func (w *world) log(format string, args ...any) {
	if w.trace != nil {
		w.trace = append(w.trace, fmt.Sprintf("%11.3fs ", w.now.Seconds())+fmt.Sprintf(format, args...))
	}
}

// violated says that a sentence does not hold.
func (w *world) violated(format string, args ...any) {
	w.log("BROKEN: "+format, args...)
	if text := fmt.Sprintf(format, args...); w.fault == "" && strings.HasPrefix(text, w.set.want) {
		w.fault = text
	}
}
