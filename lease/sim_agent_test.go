package lease

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// simAgent drives Challenge and Tenure as the loop does, without goroutines.
type simAgent struct {
	w      *world
	self   Identity
	rate   float64       // of its clock
	offset time.Duration // of its clock
	starts int           // of its process; part of the nonce
	boots  int
	node   *simNode

	// network
	storm, cut time.Duration
	onOld      bool

	// process
	life   int // events of an earlier life are dropped
	paused time.Duration
	inbox  []func()

	challenge Challenge
	tenure    *Tenure // nil: a challenger
	flight    int     // the attempt under way; 0: none
	flights   int
	turns     int
	begun     bool // a node was started in this term
	ending    bool // the node is being stopped, or has ended
	adoptable *Attempt
}

func (a *simAgent) clock(at time.Duration) time.Duration {
	return a.offset + time.Duration(float64(at)*a.rate)
}

func (a *simAgent) reading() Reading { return onReading(a.clock(a.w.now)) }

// at calls do once the agent's clock shows boot, if it is still the same process.
func (a *simAgent) at(boot time.Duration, do func()) {
	real := time.Duration(float64(boot-a.offset)/a.rate) + 1
	a.w.after(real-a.w.now, a.own(do))
}

// own makes a step of this process: it waits while the process is stopped, and
// is dropped when the process has ended.
func (a *simAgent) own(do func()) func() {
	life := a.life
	return func() {
		switch {
		case a.life != life:
		case a.w.now < a.paused:
			a.inbox = append(a.inbox, do)
		default:
			do()
		}
	}
}

// boot starts the process.
func (a *simAgent) boot() {
	a.life++
	a.starts++
	a.self.Nonce, a.self.Boot = fmt.Sprint(a.self.Instance, a.starts), fmt.Sprint("boot", a.boots)
	a.tenure, a.flight, a.ending, a.paused, a.inbox, a.adoptable = nil, 0, false, 0, nil, nil
	proven := uint64(0)
	if a.w.chance(0.5) {
		if a.node != nil {
			a.node.die("cleaned up by the next agent")
		}
		if a.starts > 1 {
			proven = math.MaxInt64 // nobody else has this agent's name here
		}
	}
	a.w.log("%s starts, proven %v", a.self.Nonce, proven)
	a.contend(proven)
}

// pause stops the process (SIGSTOP) for d; the guard is another process.
func (a *simAgent) pause(d time.Duration) {
	a.w.log("%s is stopped for %v", a.self.Nonce, d)
	a.paused = a.w.now + d
	life := a.life
	a.w.after(d, func() {
		if a.life != life || a.w.now < a.paused {
			return
		}
		inbox := a.inbox
		a.inbox = nil
		for _, do := range inbox {
			a.own(do)()
		}
	})
}

// crash ends the process, and the machine with it or not. It comes back.
func (a *simAgent) crash(machine bool) {
	a.w.log("%s is killed, its machine too: %v", a.self.Nonce, machine)
	a.life++
	if machine {
		a.boots++
	}
	if a.node != nil && (machine || a.w.chance(0.5)) {
		a.node.die("killed with its agent")
	}
	life := a.life
	a.w.after(a.w.upTo(2*a.w.timing.Wait), func() {
		if a.life == life {
			a.boot()
		}
	})
}

// call makes an attempt: the request, and its answer if both arrive, or after
// the time that one may take the knowledge of nothing.
func (a *simAgent) call(attempt Attempt, done func(Observation, error)) {
	w := a.w
	a.flights++
	id, life := a.flights, a.life
	a.flight = id
	land := func(o Observation, err error) {
		if a.flight == id && a.life == life {
			a.flight = 0
			done(o, err)
		}
	}
	arrive := func() {
		if w.now < w.down || w.now < a.cut {
			return
		}
		o, err := w.execute(w.serverOf(a), attempt)
		if !attempt.Read {
			w.log("%s wrote %v: %v", a.self.Nonce, Observation{Exists: true, Record: attempt.Next}, err)
		}
		if !w.lost(a) {
			w.after(w.delay(a), a.own(func() { land(o, err) }))
		}
	}
	if !w.lost(a) {
		w.after(w.delay(a), arrive)
		if w.chance(0.05) { // the network says it twice
			w.after(w.delay(a)+w.upTo(w.timing.Wait), arrive)
		}
	}
	a.at(attempt.Sent+w.timing.Attempt, func() { land(Observation{}, errors.New("silence")) })
}

// contend begins to watch the lease.
func (a *simAgent) contend(proven uint64) {
	a.tenure, a.ending = nil, false
	a.challenge = NewChallenge(a.w.timing, a.self, proven)
	a.look()
}

func (a *simAgent) look() {
	asked := a.reading()
	a.call(Attempt{Read: true, Sent: asked.Boot}, func(o Observation, err error) {
		again := asked.Boot + a.w.timing.Look()
		if err != nil {
			a.at(again, a.look)
			return
		}
		now := a.reading()
		if a.w.mutant == "wait counted from the question" {
			a.challenge = a.challenge.Observe(o, asked)
		} else {
			a.challenge = a.challenge.Observe(o, now)
		}
		if a.adopts(o) {
			return
		}
		v, err := a.challenge.Verdict(now)
		switch {
		case err != nil:
			a.w.broken("%s: %v", a.self.Nonce, err) // nobody has other timing here, or a twin
		case v.Claim:
			a.w.log("%s claims: %s", a.self.Nonce, v.Why)
			a.claim(o)
		default:
			a.at(min(again, now.Boot+v.In), a.look)
		}
	})
}

// adopts is a mutant: a claim that is read back is believed.
func (a *simAgent) adopts(o Observation) bool {
	if a.w.mutant != "a claim read back is believed" || a.adoptable == nil || o.Record != a.adoptable.Next {
		return false
	}
	a.hold(o, a.adoptable.Sent)
	return true
}

func (a *simAgent) claim(seen Observation) {
	attempt := Attempt{Seen: seen, Next: a.challenge.Next(a.w.floor), Sent: a.reading().Boot}
	a.adoptable = &attempt
	a.call(attempt, func(_ Observation, err error) {
		if err != nil {
			a.at(attempt.Sent+a.w.timing.Look(), a.look)
			return
		}
		a.hold(Observation{Exists: true, Record: attempt.Next, Incarnation: seen.Incarnation}, a.anchor(attempt))
	})
}

// anchor is what trust counts from.
func (a *simAgent) anchor(attempt Attempt) time.Duration {
	if a.w.mutant == "anchor at the answer" {
		return a.reading().Boot
	}
	return attempt.Sent
}

func (a *simAgent) hold(row Observation, sent time.Duration) {
	t := NewTenure(a.w.timing, a.self, row, sent, false)
	a.tenure, a.begun, a.adoptable = &t, false, nil
	a.w.log("%s holds %v", a.self.Nonce, row)
	a.turn()
}

// turn is one turn of the holder's loop.
func (a *simAgent) turn() {
	if a.tenure == nil {
		return
	}
	now := a.reading()
	t, step := a.tenure.Next(now)
	a.tenure = &t
	if a.node != nil && a.node.life == a.life {
		a.node.deadBy = t.Trust().DeadBy // the guard is told at once
	}
	if step.End != nil {
		a.stop(step.End.Error(), t.Trust().DeadBy)
		return
	}
	if a.node == nil && !a.begun && !a.ending && !t.Doubt() && t.Trust().StopAt-now.Boot >= (t.Trust().StopAt-t.Trust().Anchor)/2 {
		a.start()
	}
	if step.Attempt != nil {
		attempt := *step.Attempt
		a.call(attempt, func(o Observation, err error) {
			if a.tenure == nil {
				return
			}
			t := a.landed(*a.tenure, attempt, o, err)
			a.tenure = &t
			a.turn()
		})
	}
	a.turns++
	turn := a.turns
	a.at(step.Until, func() {
		if turn == a.turns {
			a.turn()
		}
	})
}

// landed is Tenure.Landed, and where a mutant breaks it.
func (a *simAgent) landed(t Tenure, attempt Attempt, o Observation, err error) Tenure {
	unknown := err != nil && !attempt.Read && !errors.Is(err, ErrChanged)
	switch {
	case a.w.mutant == "unknown taken as renewed" && unknown:
		return t.Renewed(attempt)
	case a.w.mutant == "a row read back gives trust" && attempt.Read && err == nil && t.pending && o.Record.Version == t.row.Record.Version+1 && t.self.owns(o):
		return t.Renewed(Attempt{Next: o.Record, Sent: attempt.Sent - a.w.timing.Attempt})
	}
	attempt.Sent = a.anchor(attempt)
	return t.Landed(attempt, o, err, a.reading())
}

// stop ends the node some time before it has to be dead, and then the term.
func (a *simAgent) stop(why string, deadBy time.Duration) {
	if a.ending && a.node != nil && a.node.stopping {
		return
	}
	a.ending = true
	if a.node == nil {
		a.release()
		return
	}
	if a.w.mutant == "released before seen dead" {
		a.release()
	}
	n := a.node
	n.stopping = true
	a.w.log("%s stops its node: %s", a.self.Nonce, why)
	left := max(0, deadBy-a.reading().Boot)
	a.at(a.reading().Boot+a.w.upTo(left), func() {
		if a.node == n {
			n.die("stopped")
		}
	})
}

// plannedStop is the end of a term that somebody asked for. The lease is
// renewed meanwhile.
func (a *simAgent) plannedStop() {
	if a.node == nil || a.ending || a.tenure == nil || a.node.life != a.life || a.w.now < a.paused {
		return
	}
	a.w.log("%s is asked to stop its node", a.self.Nonce)
	a.ending = true
	n := a.node
	a.at(a.reading().Boot+a.w.upTo(a.w.timing.Wait), func() {
		if a.node == n {
			n.die("stopped as planned")
		}
	})
}

// doubt tells the holder that its clock jumped.
func (a *simAgent) doubt() {
	if a.tenure != nil && a.w.now >= a.paused {
		t := a.tenure.InDoubt(a.reading())
		a.tenure = &t
	}
}

// release gives the lease back, for a successor or for anybody.
func (a *simAgent) release() {
	t := *a.tenure
	a.tenure = nil
	if a.flight != 0 {
		a.flight = 0
		t = t.Unknown(Attempt{Sent: a.reading().Boot}, a.reading())
	}
	successor := ""
	if a.w.chance(0.2) {
		successor = a.w.agents[a.w.rng.IntN(len(a.w.agents))].self.Instance
	}
	a.releaseWith(t, successor, releaseAttempts)
}

func (a *simAgent) releaseWith(t Tenure, successor string, left int) {
	attempt, err := t.Release(successor, a.reading())
	if a.w.mutant == "a row of another database is released" && errors.Is(err, errNotHere) {
		t.row.Record.Incarnation = t.row.Incarnation
		attempt, err = t.Release(successor, a.reading())
		attempt.Seen = a.w.serverOf(a).row()
	}
	if a.w.mutant == "a row of another database is written anew to release it" && errors.Is(err, errNotHere) &&
		t.end == nil && a.reading().Boot < t.Trust().StopAt {
		attempt, err = Attempt{Seen: t.row, Next: t.renewal(), Sent: a.reading().Boot}, nil
	}
	if err != nil || left == 0 {
		a.w.log("%s does not release: %v", a.self.Nonce, err)
		a.contend(0)
		return
	}
	a.call(attempt, func(o Observation, err error) {
		if err == nil && (attempt.Next.Released || t.ReleasedBy(o)) {
			a.w.log("%s has released", a.self.Nonce)
			a.contend(0)
			return
		}
		a.releaseWith(t.Landed(attempt, o, err, a.reading()), successor, left-1)
	})
}

// simNode is a running node, with the guard that knows when it has to be dead.
type simNode struct {
	a        *simAgent
	life     int // of the agent that started it
	epoch    uint64
	deadBy   time.Duration // by the agent's clock
	stopping bool
}

// start starts the node. This is where the one sentence is checked.
func (a *simAgent) start() {
	w, trust := a.w, a.tenure.Trust()
	for _, b := range w.agents {
		if b != a && b.node != nil {
			w.broken("two nodes alive: %s with epoch %d and %s with epoch %d", b.self.Nonce, b.node.epoch, a.self.Nonce, trust.Epoch)
		}
	}
	if trust.Epoch <= w.greatest {
		w.broken("%s starts with epoch %d after %d", a.self.Nonce, trust.Epoch, w.greatest)
	}
	w.greatest, w.floor = max(w.greatest, trust.Epoch), max(w.floor, trust.Epoch)
	w.starts++
	w.log("%s starts its node with epoch %d", a.self.Nonce, trust.Epoch)
	n := &simNode{a: a, life: a.life, epoch: trust.Epoch, deadBy: trust.DeadBy}
	a.node, a.begun = n, true
	n.guard()
}

// guard kills the node when the deadline that it was told last has come. It is
// as late as the slack allows.
func (n *simNode) guard() {
	a, deadline := n.a, n.deadBy
	real := time.Duration(float64(deadline-a.offset)/a.rate) + 1
	late := a.w.timing.Slack
	if a.w.chance(0.3) {
		late = a.w.upTo(late)
	}
	a.w.after(real+late-a.w.now, func() {
		switch {
		case a.node != n:
		case n.deadBy > deadline:
			n.guard()
		default:
			n.die("killed by the guard")
		}
	})
}

// die ends the node. Its agent sees it, if it lives.
func (n *simNode) die(why string) {
	a := n.a
	a.w.log("%s's node is dead: %s", a.self.Nonce, why)
	a.node = nil
	if a.life != n.life {
		return
	}
	a.own(func() {
		if a.tenure != nil && a.node == nil {
			a.ending = true
			a.release()
		}
	})()
}
