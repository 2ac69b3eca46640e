package lease

import "time"

// assumption is what is broken on purpose; none: the promise has to hold.
type assumption string

// assume says that an assumption does not hold any more: from here on two nodes
// may be alive at once, and it is counted how often they are.
func (w *world) assume(what string) {
	if w.assumed == "" {
		w.assumed = what
		w.log("an assumption is broken: %s", what)
	}
}

// checkStart is called before a node is started: no other is alive, and its
// epoch is greater than any before.
func (w *world) checkStart(a *simAgent, trust Trust) {
	for _, b := range w.agents {
		if b.node == nil {
			continue
		}
		if w.assumed != "" {
			w.overlaps++
			w.log("two nodes alive: %s with epoch %d and %s with epoch %d", b, b.node.epoch, a, trust.Epoch)
			continue
		}
		w.violated("two nodes alive: %s with epoch %d and %s with epoch %d", b, b.node.epoch, a, trust.Epoch)
	}
	switch {
	case w.assumed != "" && (w.set.may == bothAcknowledge || w.set.may == incarnationComes):
		// two databases count for themselves, or one counts again
	case trust.Epoch == w.greatest:
		w.violated("an epoch used twice: %d by %s and then by %s", trust.Epoch, w.started, a)
	case trust.Epoch < w.greatest:
		w.violated("an epoch that goes back: %s starts with %d after %d", a, trust.Epoch, w.greatest)
	}
	w.greatest = max(w.greatest, trust.Epoch)
	w.starts++
	if w.started != a.self.Instance {
		w.takeovers++
	}
	w.started = a.self.Instance
}

// checkTraffic asks every agent that can answer whether it may serve.
func (w *world) checkTraffic() {
	var serves *simAgent
	for _, a := range w.agents {
		if h := a.hold; h == nil || a.asleep() || !h.term.MayServe(a.machine.now()) {
			continue
		}
		if serves != nil && (w.assumed == "" || w.set.may == pausedAndSeen) {
			w.violated("traffic for two: %s and %s", serves, a)
		}
		serves = a
	}
}

// checkRefused is called when an agent has heard of a refused write: it has no
// traffic until it knows more.
func (w *world) checkRefused(a *simAgent) {
	if h := a.hold; h != nil && !a.asleep() && h.term.MayServe(a.machine.now()) {
		w.violated("traffic for %s right after its write was refused", a)
	}
}

// checkWrite is called when the row is written: nothing is released while the
// node of that epoch is alive.
func (w *world) checkWrite(a *simAgent, next Record) {
	if n := a.node; next.Released && n != nil && n.epoch == next.Epoch && n.life == a.life {
		w.violated("%s releases epoch %d while its node is alive", a, next.Epoch)
	}
}

// checkStopping is called when the guard finds a node's time over: its agent,
// if it runs, begins to stop by itself before the slack has passed.
func (w *world) checkStopping(n *simNode) {
	a, h := n.a, n.a.hold
	if h == nil || a.life != n.life {
		return
	}
	w.after(w.timing.Slack, func() {
		if a.hold != h || n.dead || a.asleep() || w.now-a.woke <= w.timing.Slack || h.term.Trusted().Err() != nil {
			return
		}
		w.violated("%s has not noticed that stopping has to begin", a)
	})
}

// lockOut is what a new holder does in the database before it starts its node:
// the roles of all others lose their logins and their sessions.
func (w *world) lockOut(a *simAgent, epoch uint64) {
	if !w.set.fenced {
		return
	}
	d := w.serverOf(a)
	d.greatest = max(d.greatest, epoch)
	lock := func() {
		d.lockedOut = map[int]bool{}
		for _, b := range w.agents {
			d.lockedOut[b.number] = b != a
		}
	}
	if w.broken == startBeforeLockOut {
		w.after(w.upTo(w.timing.Wait), lock)
		return
	}
	lock()
}

// checkNodeWrite is a write of a node to its own database. None of an old epoch
// is taken once a newer node was started there.
func (w *world) checkNodeWrite(n *simNode) {
	a := n.a
	if !w.set.fenced || w.now < w.down || w.now < a.cut {
		return
	}
	d := w.serverOf(a)
	if d.lockedOut[a.number] {
		w.refusedWrites++
		return
	}
	if n.epoch < d.greatest {
		w.violated("a write of epoch %d is taken after the node of epoch %d was started", n.epoch, d.greatest)
	}
	d.greatest = max(d.greatest, n.epoch)
}

// claimed is told of every acknowledged claim.
func (w *world) claimed(a *simAgent, t Trust) {
	w.lastClaim = w.now
	w.log("%s holds the lease at epoch %d", a, t.Epoch)
}

// restore notes that the harm that was done is not over before d has passed.
func (w *world) restore(d time.Duration) { w.restless = max(w.restless, w.now+d) }

// alive is the agent whose node is alive and not about to end, or nil.
func (w *world) alive() *simAgent {
	for _, a := range w.agents {
		if a.node != nil && a.hold != nil && !a.hold.asked && a.node.life == a.life {
			return a
		}
	}
	return nil
}

// checkLiveness ends all harm and demands that a node runs again, and then that
// the death of its machine is made good, both within the time that is promised.
func (w *world) checkLiveness() {
	w.calm, w.handsOff, w.betray = true, false, false
	for _, a := range w.agents {
		a.stopNext = 0
		w.restless = max(w.restless, a.storm, a.cut, a.deaf, a.hangs, a.stopped, a.machine.standsUntil)
	}
	w.restless = max(w.restless, w.down)
	w.until(w.restless)
	for _, a := range w.agents {
		if !a.running {
			a.boot()
		}
	}
	if w.mixed {
		return // who is refused is away for a while: that is no promise
	}
	if !w.expect(w.now+w.recovery(), func() bool { return w.alive() != nil }) {
		w.violated("no node runs %v after all harm has ended", w.recovery().Round(ms))
		return
	}
	// Everybody has looked, and nothing is owed to an earlier database.
	w.until(w.now + 2*w.timing.Wait + w.timing.Wait/2)
	a := w.alive()
	if a == nil || w.fault != "" {
		return
	}
	w.checkTakeover(a)
}

// recovery is the time from the end of all harm until a node runs: what is
// left of a term that has ended (K, and the slack of the guard) or is being
// ended in order, the attempts of a release, a takeover and the start.
func (w *world) recovery() time.Duration {
	t := w.timing
	stop := max(t.Wait, t.Fence+t.Slack)
	return time.Duration(float64(stop+releaseAttempts*t.Attempt+t.Takeover())*(1+2*ClockRateError)) + w.startTime()
}

// expect lets time pass until what is expected is seen.
func (w *world) expect(end time.Duration, seen func() bool) bool {
	for w.fault == "" {
		switch {
		case seen():
			return true
		case len(w.queue) == 0 || w.queue[0].at > end:
			return false
		}
		w.until(w.queue[0].at)
	}
	return false
}

// checkTakeover kills the machine of the hot node for good.
func (w *world) checkTakeover(a *simAgent) {
	claimed := w.lastClaim
	w.log("the machine of %s dies for good", a)
	a.machine.die()
	// A renewal may be on its way: only after an attempt was its write the last.
	w.until(w.now + w.timing.Attempt)
	if !w.expect(w.lastWrite[a]+w.timing.Takeover()+1, func() bool { return w.lastClaim != claimed }) {
		w.violated("nobody has the lease %v after the last write of a machine that died", w.timing.Takeover().Round(ms))
	}
}
