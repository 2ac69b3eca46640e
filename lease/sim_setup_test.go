package lease

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing/synctest"
	"time"
)

// The assumptions that are broken on purpose; docs/lease.md lists them.
const (
	pausedAndSeen    assumption = "a whole machine is paused, and its time of day shows it"
	pausedUnseen     assumption = "a whole machine is paused, and all its clocks with it"
	fastClock        assumption = "a clock is further off than rho"
	deadGuard        assumption = "a guard is dead, and its agent stands still"
	unkillable       assumption = "a node cannot be killed within K"
	bothAcknowledge  assumption = "both halves of a database that split acknowledge"
	incarnationComes assumption = "a former incarnation of the database comes back"
)

// usual is what the promise is made for.
func usual() setting { return setting{waits: 12} }

// simulate runs a world until its end or the first sentence that is broken.
// It has to be called in a synctest bubble.
func simulate(seed uint64, b breach, s setting, tracing bool) *world {
	w := newWorld(seed, b, s, tracing)
	longest := max(w.timing.Wait, w.timing.Trust)
	w.until(time.Duration(w.set.waits) * longest)
	if w.fault == "" && w.assumed == "" && w.set.may == "" {
		w.checkLiveness()
	}
	w.end()
	return w
}

// end kills all processes, so that no goroutine is left.
func (w *world) end() {
	w.over = true
	for _, a := range w.agents {
		a.kill()
	}
	synctest.Wait()
	w.queue, w.asked = nil, nil
}

func newWorld(seed uint64, b breach, s setting, tracing bool) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 0)), broken: b, set: s}
	w.incarnations, w.lastWrite = 1, map[*simAgent]time.Duration{}
	w.db = &database{incarnation: 1, lockedOut: map[int]bool{}}
	if tracing {
		w.trace = []string{}
	}
	settings := []Settings{
		Default(),
		{Update: 300 * ms, Wait: time.Second, Attempt: 98 * ms},
		{Update: time.Second, Wait: 4 * time.Second, Attempt: time.Second},
		{Update: 20 * time.Second, Wait: 40 * time.Second},
		{Update: 100 * ms, Wait: 4 * time.Second, Attempt: 400 * ms},
	}
	if s.timing != nil {
		settings = []Settings{*s.timing}
	}
	w.timing = must(settings[w.rng.IntN(len(settings))].Timing())
	if w.timing.Wait > 20*w.timing.Update {
		w.set.waits /= 2 // a great many looks
	}
	w.set.worst = s.worst || w.chance(0.4)
	w.set.late, w.set.fenced = w.chance(0.7), w.chance(0.5) || s.may != ""
	w.draw()
	w.populate()
	w.after(w.upTo(w.timing.Wait), w.disturb)
	return w
}

// draw chooses which harms this seed knows. Few kinds at a time lead further
// than all of them at once.
func (w *world) draw() {
	all := w.set.harms
	if all == nil {
		all = harms()
	}
	if w.set.may != "" { // one thing at a time: what was locked out is kept
		all = slices.DeleteFunc(all, func(h harm) bool {
			return strings.HasPrefix(h.name, "a lossy failover") || h.name == "the database splits"
		})
	}
	w.set.harms = nil
	for _, h := range all {
		if w.chance(0.4) {
			w.set.harms = append(w.set.harms, h)
		}
	}
	if len(w.set.harms) == 0 {
		w.set.harms = all
	}
	w.set.harms = append(w.set.harms, w.set.may.harms()...)
}

// populate makes two to five agents, mostly each on a machine of its own.
func (w *world) populate() {
	n := []int{2, 2, 2, 3, 3, 4, 5}[w.rng.IntN(7)]
	twins := w.chance(0.08) && w.set.may == ""
	if twins {
		n = max(n, 3)
	}
	for i := range n {
		name := string(rune('a' + i))
		m := &machine{w: w, name: "machine " + name, offset: time.Hour + w.upTo(time.Hour)}
		m.rate = 1 + ClockRateError*[]float64{-1, 1, 2*w.rng.Float64() - 1}[w.rng.IntN(3)]
		if w.set.worst {
			m.rate = 1 + ClockRateError*[]float64{-1, 1}[i%2]
		}
		if w.set.may == fastClock {
			m.rate = 1 + 0.08*[]float64{-1, 1}[i%2]
			w.assume(string(fastClock))
		}
		w.agents = append(w.agents, &simAgent{w: w, number: i, name: name, machine: m, timing: w.timing, self: Identity{Instance: name}})
	}
	if twins {
		w.twin(w.agents[0], w.agents[1])
	}
	if w.chance(0.1) && w.set.may == "" {
		w.mix(w.agents[n-1])
	}
	for _, a := range w.agents {
		w.after(w.upTo(w.timing.Wait), a.boot)
	}
}

// twin gives b the name of a, and now and then a place on its machine.
func (w *world) twin(a, b *simAgent) {
	b.self.Instance, b.name = a.self.Instance, a.name+"'"
	if w.chance(0.5) {
		b.machine = a.machine
	}
}

// mix gives an agent other settings. Where the database can lose the row, the
// row cannot tell how long another's node may live: that is no part of the promise.
func (w *world) mix(a *simAgent) {
	wait := w.timing.Wait * 2
	if w.chance(0.5) {
		wait = w.timing.Wait * 3 / 4
	}
	other, err := Settings{Update: w.timing.Update, Wait: wait, Attempt: w.timing.Attempt / 2, Fence: w.timing.Fence / 2}.Timing()
	if err != nil {
		return
	}
	a.timing, w.mixed = other, true
	var kept []harm
	for _, h := range w.set.harms {
		if !strings.HasPrefix(h.name, "a lossy failover") {
			kept = append(kept, h)
		}
	}
	if w.set.harms = kept; len(kept) == 0 {
		w.set.harms = harms()[:1]
	}
}

// harms are what breaks an assumption.
func (may assumption) harms() []harm {
	switch may {
	case pausedAndSeen, pausedUnseen:
		return []harm{{string(may), func(w *world, a *simAgent) {
			w.assume(string(may))
			d := w.upTo(3 * w.timing.Wait)
			w.log("%s is paused as a whole for %v", a.machine.name, d.Round(ms))
			a.machine.pauseWhole(d, may == pausedAndSeen)
		}}}
	case deadGuard:
		return []harm{{"a process is stopped", func(w *world, a *simAgent) { a.stop(w.upTo(4 * w.timing.Wait)) }}}
	case unkillable:
		return []harm{{"an agent is cut off", func(w *world, a *simAgent) { a.cut = w.now + w.upTo(4*w.timing.Wait) }}}
	case bothAcknowledge:
		return []harm{{string(may), func(w *world, _ *simAgent) {
			w.assume(string(may))
			w.splitAcknowledges = true
			w.split(w.upTo(3 * w.timing.Wait))
		}}}
	case incarnationComes:
		return []harm{{string(may), func(w *world, _ *simAgent) { w.goAndComeBack() }}}
	}
	return nil
}

// pauseWhole stops a machine with all its clocks. Where seen, the time of day is
// right again when it goes on.
func (m *machine) pauseWhole(d time.Duration, seen bool) {
	if m.stands() {
		return
	}
	m.stand(d, func() {
		stood := time.Duration(float64(d) * m.rate)
		m.offset -= stood
		if seen {
			m.set += stood
		}
	})
}

// goAndComeBack fails over and, before anybody has waited, back to the server
// that was: it lacks what was written meanwhile, and nothing shows that.
func (w *world) goAndComeBack() {
	if w.old != nil {
		return
	}
	before := w.db
	w.failOver(0)
	gone := w.db
	w.after(w.upTo(w.timing.Wait*3/4), func() {
		if w.db == gone && w.old == nil {
			w.assume(string(incarnationComes))
			w.db = before
			w.log("the database is %d again, with %s", before.incarnation, before.row())
		}
	})
}
