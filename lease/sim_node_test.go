package lease

import (
	"context"
	"time"
)

// simHold is one work of an agent: from its call to its return.
type simHold struct {
	term  *Term
	life  int
	over  chan Ending
	done  bool // it returns
	begun bool // its node was started, or will not be
	asked bool // the node is being stopped in order
	next  string
}

// work is called by Run, in a goroutine of the process.
func (a *simAgent) work(ctx context.Context, term *Term, killed <-chan struct{}) Ending {
	h := &simHold{term: term, life: a.life, over: make(chan Ending, 1)}
	a.w.ask(a, rankWork, func() { a.begin(h) })
	told, distrusted := ctx.Done(), term.Trusted().Done()
	for {
		select {
		case <-killed:
			return Ending{}
		case e := <-h.over:
			return e
		case <-told:
			told = nil
			a.w.ask(a, rankWork, func() { a.stopNode(h) })
		case <-distrusted:
			distrusted = nil
			a.w.ask(a, rankWork, func() { a.fence(h) })
		}
	}
}

// finish lets the work return: the node has been seen dead.
func (h *simHold) finish() {
	if !h.done {
		h.done = true
		h.over <- Ending{Successor: h.next}
	}
}

// begin starts the node after what has to be done before: the epoch file is
// raised, the others are locked out of the database.
func (a *simAgent) begin(h *simHold) {
	w := a.w
	if a.life != h.life {
		return
	}
	a.hold = h
	now, trust := a.machine.now(), h.term.Trust()
	if left := trust.StopAt - now.Boot; left < (trust.StopAt-trust.Anchor)/2-w.timing.Slack/100 {
		w.violated("%s begins with %v of trust left until stopping begins, which is less than half", a, left.Round(ms))
	}
	takes := w.upTo(w.timing.Attempt)
	if w.set.worst {
		takes /= 20
	} else if !w.calm && w.chance(0.2) {
		takes = w.upTo(w.timing.Wait)
	}
	w.after(takes, a.own(func() {
		switch {
		case a.hold != h || h.done:
		case h.asked || h.term.Trusted().Err() != nil || a.machine.now().Boot >= h.term.Trust().StopAt:
			h.begun = true
			h.finish()
		case w.set.may == unkillable && a.node != nil:
			h.begun = true
			h.finish() // an agent that finds an old node starts no other
		default:
			h.begun = true
			a.start(h)
		}
	}))
}

// stopNode ends the work in order. The lease is renewed meanwhile.
func (a *simAgent) stopNode(h *simHold) {
	if a.hold != h || h.asked {
		return
	}
	h.asked = true
	if a.node == nil {
		if h.begun {
			h.finish()
		}
		return // not started yet: it will not be
	}
	n := a.node
	takes := a.w.upTo(a.w.timing.Wait)
	a.w.restore(takes)
	a.w.after(takes, a.own(func() { n.die("stopped in order") }))
}

// fence ends the node some time before it has to be dead.
func (a *simAgent) fence(h *simHold) {
	if a.hold != h || h.done {
		return
	}
	h.asked = true
	n := a.node
	if n == nil {
		if h.begun {
			h.finish()
		}
		return
	}
	left := max(0, a.machine.real(h.term.Trust().DeadBy)-a.w.now)
	takes := a.w.upTo(left)
	if a.w.set.worst {
		takes = left + a.w.timing.Slack
	}
	a.w.after(takes, a.own(func() { n.die("fenced by its agent") }))
}

// simNode is a running node, with the guard that knows when it has to be dead.
type simNode struct {
	a      *simAgent
	life   int // of the agent that started it
	epoch  uint64
	trust  Trust
	dead   bool
	orphan bool // its main process is dead, a child is not
	stuck  bool // in the kernel: it cannot be killed
}

// start starts the node. This is where the first sentence is checked.
func (a *simAgent) start(h *simHold) {
	w, trust := a.w, h.term.Trust()
	w.checkStart(a, trust)
	w.floor, a.recorded = max(w.floor, trust.Epoch), max(a.recorded, trust.Epoch)
	w.lockOut(a, trust.Epoch)
	n := &simNode{a: a, life: a.life, epoch: trust.Epoch, trust: trust}
	n.stuck = w.set.may == unkillable && w.chance(0.5)
	a.node = n
	w.log("%s starts its node with epoch %d", a, trust.Epoch)
	n.guard()
	n.act()
}

// extend is a new deadline for the guard. A node that is being stopped stays
// so, whatever is learnt later.
func (n *simNode) extend(t Trust) {
	if n.a.machine.now().Boot < n.trust.StopAt && t.DeadBy > n.trust.DeadBy {
		n.trust = t
	}
}

// guard kills the node when the deadline that it was told last has come. It is
// as slow as K, and as late as the slack allows.
func (n *simNode) guard() {
	w, m, trust := n.a.w, n.a.machine, n.trust
	if w.broken == noGuard {
		return
	}
	w.after(m.real(trust.StopAt)-w.now, n.awake(func() {
		switch {
		case n.dead:
			return
		case n.trust != trust, m.now().Boot < trust.StopAt: // or the machine stood still
			n.guard()
			return
		case w.set.may == deadGuard && n.a.asleep():
			w.assume(string(deadGuard))
			w.after(w.upTo(4*w.timing.Wait), func() { n.die("seen dead at last") })
			return
		}
		w.checkStopping(n)
		end := m.real(trust.DeadBy) + w.timing.Slack - w.now
		if !w.set.worst && w.chance(0.5) {
			end = w.upTo(end)
		}
		w.after(end, n.awake(func() { n.die("killed by the guard") }))
	}))
}

// awake makes a step of the guard or the node: a machine that stands still does
// it when it goes on.
func (n *simNode) awake(do func()) func() {
	return func() {
		if m := n.a.machine; m.stands() {
			n.a.w.after(m.standsUntil-n.a.w.now, n.awake(do))
			return
		}
		do()
	}
}

// act writes to the node's own database from time to time, where it is fenced.
func (n *simNode) act() {
	w := n.a.w
	w.after(w.upTo(w.timing.Wait/2), n.awake(func() {
		if !n.dead {
			w.checkNodeWrite(n)
			n.act()
		}
	}))
}

// die ends the node. Its agent sees it, if it lives.
func (n *simNode) die(why string) {
	a := n.a
	if n.dead {
		return
	}
	if n.stuck && !a.machine.rebooting {
		a.w.assume(string(unkillable))
		return
	}
	if a.w.broken == childIgnored && !n.orphan {
		n.orphan = true
		a.w.log("%s's node is dead but for a child: %s", a, why)
		a.w.after(a.w.upTo(a.w.timing.Wait), func() { n.die("its child too") })
	} else {
		a.w.log("%s's node is dead: %s", a, why)
		n.dead, a.node = true, nil
	}
	if a.life != n.life {
		return
	}
	a.own(func() {
		if a.hold != nil && (a.node == nil || n.orphan) {
			a.hold.finish()
		}
	})()
}

// startTime is what passes at most until a claim has become a node, in calm.
func (w *world) startTime() time.Duration { return w.timing.Attempt }
