package lease

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// simAgent is an agent: a process that runs Holder.Run, and its way to the
// database. It outlives its processes.
type simAgent struct {
	w       *world
	number  int
	name    string
	machine *machine
	timing  Timing
	self    Identity
	starts  int // of its process; part of the nonce

	// network
	storm, cut, hangs time.Duration
	deaf              time.Duration // no answer arrives until then
	stopNext          time.Duration // for how long the process is stopped when it asks again
	onOld             bool
	hinted            func() // tells the process that somebody released

	// process
	life     int           // what belongs to an earlier life is dropped
	running  bool          // a process is there
	stopped  time.Duration // until when it does not run (SIGSTOP)
	woke     time.Duration // when it last went on
	inbox    []func()
	timers   map[*simTimer]struct{}
	killed   chan struct{}
	holder   *Holder
	quit     context.CancelCauseFunc
	leaving  bool // it was asked to end
	hold     *simHold
	node     *simNode
	recorded uint64 // the greatest epoch of a node that was started from here
}

func (a *simAgent) String() string { return a.name }

// own makes a step of this process: they wait while it is stopped, and are
// dropped when it has ended.
func (a *simAgent) own(do func()) func() { return a.ownOf(a.life, do) }

func (a *simAgent) ownOf(life int, do func()) func() {
	return func() {
		switch {
		case a.life != life:
		case a.asleep():
			a.inbox = append(a.inbox, do)
		default:
			do()
			a.w.settle()
		}
	}
}

func (a *simAgent) asleep() bool { return a.w.now < a.stopped || a.machine.stands() }

// wake gives a process that runs again what came meanwhile. What a select finds
// ready at one time it takes in any order.
func (a *simAgent) wake() {
	if a.asleep() {
		return
	}
	a.w.checkTraffic()
	inbox := a.inbox
	a.inbox = nil
	a.w.rng.Shuffle(len(inbox), func(i, j int) { inbox[i], inbox[j] = inbox[j], inbox[i] })
	for _, do := range inbox {
		a.own(do)()
	}
}

// boot starts the process.
func (a *simAgent) boot() {
	if a.running {
		return
	}
	w := a.w
	a.life++
	a.starts++
	a.running, a.leaving, a.stopped, a.inbox, a.hold = true, false, 0, nil, nil
	a.timers, a.killed = map[*simTimer]struct{}{}, make(chan struct{})
	a.self.Nonce, a.self.Boot = fmt.Sprint(a.number, ".", a.starts), fmt.Sprint(a.machine.name, a.machine.boots)
	proven := uint64(0)
	if w.chance(0.5) {
		if a.node != nil {
			a.node.die("cleaned up by the next agent")
		}
		if a.node == nil {
			proven = a.recorded
		}
	}
	store := simStore{a, a.life, a.killed}
	a.holder = must(New(Options{Name: "node", Self: a.self, Timing: a.timing, Store: store, Clock: &simClock{a: a, life: a.life},
		ProvenEpoch: proven, Floor: store.epochFile, Admit: a.admit, Report: a.hear(a.life)}))
	a.holder.o.Timing = w.broken.timing(a.timing)
	w.log("%s starts, with proof for epoch %d", a, proven)
	a.run()
	w.settle()
}

// run calls Run once.
func (a *simAgent) run() {
	w, life, holder, killed := a.w, a.life, a.holder, a.killed
	ctx, quit := context.WithCancelCause(context.Background())
	a.quit, a.hinted = quit, nil
	go func() {
		end, err := holder.Run(ctx, func(ctx context.Context, term *Term) Ending { return a.work(ctx, term, killed) })
		w.ask(a, rankEnd, func() {
			if a.life == life {
				a.ended(end, err)
			}
		})
	}()
}

// ended is what an agent does when Run has returned: it goes cold and watches,
// or leaves. One that was refused comes back as a person has set it right.
func (a *simAgent) ended(_ End, err error) {
	a.hold = nil
	var other *DisagreementError
	switch {
	case err == nil && !a.leaving:
		a.run()
		return
	case errors.As(err, &other):
		a.timing = a.w.timing
	}
	a.w.log("%s has left: %v", a, err)
	a.kill() // also the calls that hang
	a.comeBack()
}

// comeBack starts the process again after a while.
func (a *simAgent) comeBack() {
	life, late := a.life, a.w.upTo(2*a.w.timing.Wait)
	a.w.restore(late)
	a.w.after(late, func() {
		if a.life == life {
			a.boot()
		}
	})
}

// kill ends the process where it stands.
func (a *simAgent) kill() {
	if !a.running {
		return
	}
	a.running, a.leaving, a.hold, a.inbox, a.hinted = false, false, nil, nil, nil
	a.life++
	for t := range a.timers {
		t.fire()
	}
	close(a.killed)
	a.quit(errKilled)
	a.w.settle()
}

// stop stops the process (SIGSTOP) for d; the guard is another process.
func (a *simAgent) stop(d time.Duration) {
	if !a.running {
		return
	}
	a.w.log("%s is stopped for %v", a, d.Round(ms))
	a.stopped = a.w.now + d
	a.w.restore(d)
	life := a.life
	a.w.after(d, func() {
		if a.life == life {
			a.woke = a.w.now
			a.wake()
		}
	})
}

// leave asks the process to end in order.
func (a *simAgent) leave() {
	if !a.running || a.leaving {
		return
	}
	a.own(func() {
		a.w.log("%s is asked to end", a)
		a.leaving = true
		a.quit(errors.New("asked to end"))
	})()
}

func (a *simAgent) admit(Observation) error {
	if a.w.handsOff {
		return errors.New("paused by an operator")
	}
	return nil
}

// hear is told by the process's own goroutine what happens.
func (a *simAgent) hear(life int) func(Event) {
	return func(e Event) {
		if a.life != life {
			return
		}
		switch e.Kind {
		case Renewed:
			if a.hold != nil && a.node != nil && a.node.life == life {
				a.node.extend(e.Trust) // the guard is told at once
			}
		case Claimed:
			a.w.claimed(a, e.Trust)
		case TermEnding:
			a.w.log("%s has to end its term: %v", a, e.Err)
			if errors.Is(e.Err, ErrDatabaseLost) {
				a.w.violated("the first failed renewal ends %s's term, and nobody asked for that", a)
			}
		case Jumped:
			a.w.log("%s sees its clock jump by %v: no traffic", a, e.Jump.Round(ms))
		case NotReleased:
			a.w.log("%s does not release: %v", a, e.Err)
		case Claiming:
			a.w.log("%s claims: %s", a, e.Verdict.Why)
		}
	}
}

// delay draws how long a message of a takes on its way.
func (a *simAgent) delay() time.Duration {
	w := a.w
	switch {
	case w.calm:
		return w.upTo(w.timing.Attempt * 49 / 100)
	case w.set.late && w.chance(0.005):
		return w.upTo(2 * w.timing.Wait)
	case w.now < a.storm || w.chance(0.02):
		return w.upTo(w.timing.Attempt * 3 / 2)
	}
	return w.upTo(w.timing.Attempt / 20)
}

func (a *simAgent) lost() bool {
	w := a.w
	return w.now < a.cut || w.now < w.down || !w.calm && (w.chance(0.01) || w.now < a.storm && w.chance(0.3))
}

// send is a call on its way: the request, and its answer if both arrive.
func (a *simAgent) send(c *simCall) {
	w, life := a.w, a.life
	c.hangs = w.now < a.hangs
	late := time.Duration(0)
	if d := a.stopNext; d > 0 {
		a.stopNext = 0
		if w.chance(0.5) {
			late = w.upTo(d)
		}
		w.after(0, func() { a.stop(d) })
	}
	reply := func(o Observation, err error) func() {
		return a.ownOf(life, func() {
			if c.over {
				return // the second of two answers, or one that nobody waits for
			}
			c.over = true
			c.answers <- answer[Observation]{o, err}
			if errors.Is(err, ErrChanged) && !c.givenUp {
				w.settle()
				w.checkRefused(a)
			}
		})
	}
	if c.floor {
		w.after(a.delay(), func() { c.found = w.floor; reply(Observation{}, nil)() })
		return
	}
	if w.now < a.cut && w.chance(0.3) {
		w.after(a.delay(), reply(Observation{}, errors.New("connection refused")))
		return
	}
	arrive := func() {
		if w.now < w.down || w.now < a.cut {
			return
		}
		found, err := w.execute(a, c.attempt)
		if !a.lost() && w.now >= a.deaf {
			w.after(a.delay(), reply(found, err))
		}
	}
	if !a.lost() {
		w.after(a.delay()+late, arrive)
		if !w.calm && w.chance(0.03) { // the network says it twice
			again := a.delay() + w.upTo(w.timing.Wait)
			w.restore(again)
			w.after(again, arrive)
		}
	}
	if c.hangs {
		w.after(max(0, a.hangs-w.now), reply(Observation{}, errors.New("the driver lets go")))
	}
}
