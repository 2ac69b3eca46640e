package lease

import (
	"slices"
	"time"
)

// harm is one bad thing, or one that operators do. It is done to an agent.
type harm struct {
	name string
	do   func(w *world, a *simAgent)
}

// harms is all that the promise has to survive.
func harms() []harm {
	return []harm{
		{"a process is stopped", func(w *world, a *simAgent) { a.stop(w.upTo(2 * w.timing.Wait)) }},
		{"a process is stopped while it asks", func(w *world, a *simAgent) { a.stopNext = w.upTo(w.timing.Wait) }},
		{"a process is killed", func(w *world, a *simAgent) { a.crash() }},
		{"a machine dies and comes back", func(w *world, a *simAgent) { a.machine.crash() }},
		{"a machine sleeps", func(w *world, a *simAgent) { a.machine.sleep(w.upTo(2 * w.timing.Wait)) }},
		{"the time of day is set", func(w *world, a *simAgent) { a.machine.setWall(w.upTo(4*w.timing.Wait) - 2*w.timing.Wait) }},
		{"a bad network", func(w *world, a *simAgent) { a.storm = w.now + w.upTo(w.timing.Wait) }},
		{"an agent is cut off", func(w *world, a *simAgent) {
			a.cut = w.now + w.upTo(2*w.timing.Wait)
			w.log("%s is cut off for %v", a, (a.cut - w.now).Round(ms))
		}},
		{"a driver hangs", func(w *world, a *simAgent) { a.hangs = w.now + w.upTo(2*w.timing.Wait) }},
		{"the database restarts", func(w *world, a *simAgent) {
			w.down = w.now + w.upTo(w.timing.Wait/2)
			w.log("the database is down for %v", (w.down - w.now).Round(ms))
		}},
		{"a lossless failover", func(w *world, a *simAgent) { w.failOver(0) }},
		{"a lossy failover", func(w *world, a *simAgent) { w.failOver(1 + w.rng.IntN(4)) }},
		{"a lossy failover after a change of holder", func(w *world, a *simAgent) { w.betray = true }},
		{"the database splits", func(w *world, a *simAgent) { w.split(w.upTo(3 * w.timing.Wait)) }},
		{"a switchover", func(w *world, a *simAgent) { a.switchOver() }},
		{"hands off", func(w *world, a *simAgent) {
			w.handsOff = true
			w.after(w.upTo(w.timing.Wait), func() { w.handsOff = false })
		}},
		{"an agent is asked to end", func(w *world, a *simAgent) { a.leave() }},
		{"a node crashes", func(w *world, a *simAgent) {
			if a.node != nil {
				a.node.die("crashed")
			}
		}},
	}
}

// harmsNamed are some of all harms.
func harmsNamed(names ...string) (some []harm) {
	for _, h := range harms() {
		if slices.Contains(names, h.name) {
			some = append(some, h)
		}
	}
	return some
}

// disturb does one bad thing to one agent, and comes again.
func (w *world) disturb() {
	if w.calm {
		return
	}
	w.after(w.upTo(w.timing.Wait), w.disturb)
	a := w.agents[w.rng.IntN(len(w.agents))]
	if w.chance(0.6) { // rather the one that matters
		for _, b := range w.agents {
			if b.node != nil {
				a = b
			}
		}
	}
	w.set.harms[w.rng.IntN(len(w.set.harms))].do(w, a)
}

// crash kills the process. Its node dies with it, or lives on until its guard
// ends it. It comes back.
func (a *simAgent) crash() {
	if !a.running {
		return
	}
	a.w.log("%s is killed", a)
	a.kill()
	if a.node != nil && a.w.chance(0.5) {
		a.node.die("killed with its agent")
	}
	a.comeBack()
}

// switchOver asks for a planned hand-over, to somebody or to anybody.
func (a *simAgent) switchOver() {
	h := a.hold
	if h == nil || h.asked || a.node == nil {
		return
	}
	if a.w.chance(0.7) {
		h.next = a.w.agents[a.w.rng.IntN(len(a.w.agents))].self.Instance
	}
	a.own(func() {
		a.w.log("%s is asked for a switchover to %q", a, h.next)
		a.stopNode(h)
	})()
}

func (m *machine) agents() (all []*simAgent) {
	for _, a := range m.w.agents {
		if a.machine == m {
			all = append(all, a)
		}
	}
	return all
}

// die ends all that runs on the machine.
func (m *machine) die() {
	m.boots++
	m.rebooting = true
	for _, a := range m.agents() {
		a.kill()
		if a.node != nil {
			a.node.die("killed with its machine")
		}
	}
	m.rebooting = false
}

func (m *machine) crash() {
	m.w.log("%s dies", m.name)
	m.die()
	for _, a := range m.agents() {
		a.comeBack()
	}
}

// sleep suspends the machine: the boot clock goes on, the monotonic one does
// not. A machine that sleeps beyond the time of its node cannot kill it, which
// is no part of the promise, so that it wakes before.
func (m *machine) sleep(d time.Duration) {
	if m.stands() {
		return
	}
	for _, a := range m.agents() {
		if n := a.node; n != nil {
			d = min(d, m.real(n.trust.StopAt)-m.w.now)
		}
		if a.hold != nil && a.node == nil {
			return // about to start one
		}
	}
	if d <= 0 {
		return
	}
	m.w.log("%s sleeps for %v", m.name, d.Round(ms))
	m.stand(d, func() {
		slept := time.Duration(float64(d) * m.rate)
		if m.w.broken == sleepLeftOut { // the boot clock is the monotonic one
			m.offset -= slept
			m.set += slept
			return
		}
		m.slept += slept
	})
}

// stand lets nothing run on the machine for d.
func (m *machine) stand(d time.Duration, end func()) {
	m.standsUntil = m.w.now + d
	m.w.restore(d)
	m.w.after(d, func() {
		end()
		for _, a := range m.agents() {
			a.woke = m.w.now
			a.wake()
		}
	})
}

func (m *machine) setWall(d time.Duration) {
	m.w.log("the time of day of %s is set by %v", m.name, d.Round(ms))
	m.set += d
}
