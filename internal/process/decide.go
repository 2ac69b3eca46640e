package process

import (
	"fmt"
	"time"
)

// Cause tells what began the end of a node.
type Cause uint8

// The causes. The first one to begin the end is kept.
const (
	// ByItself: the main process exited while nobody had asked it to.
	ByItself Cause = iota
	// Planned: Stop was called.
	Planned
	// Asked: Kill was called.
	Asked
	// Fenced: the deadline was not moved in time.
	Fenced
	// AgentLost: the agent died, and the guard stopped the node.
	AgentLost
	// GuardLost: the guard died or did not obey, and the agent killed the tree.
	GuardLost
)

// String returns the cause in words.
func (c Cause) String() string {
	names := [...]string{"by itself", "planned stop", "kill", "deadline", "agent lost", "guard lost"}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

type phase uint8

const (
	running  phase = iota
	stopping       // asked to end, may still do so politely
	killing        // SIGKILL goes out, again and again, until nothing is left
	gone           // seen dead
)

// fate is all that decides about the end of a node. The agent and the guard
// hold one each and feed it with what they see; next has no other input.
type fate struct {
	phase    phase
	cause    Cause
	deadline Deadline
	// lossGrace is the time to end politely once the other process, agent
	// or guard, is lost; 0 kills at once.
	lossGrace time.Duration
	lossCause Cause

	killAt   time.Duration // when stopping turns into killing
	killedAt time.Duration // when killing began
	nextPass time.Duration // when to kill again
	passWait time.Duration // what the next pass waits after this one
	overdue  bool          // DeadBy has passed and was told
}

// A fork that raced with a pass is caught by the next one, so passes are close
// together at first; a process stuck in the kernel is not worth more than the
// slower rate.
const (
	firstPassWait = 2 * time.Millisecond
	lastPassWait  = 64 * time.Millisecond
)

type eventKind uint8

const (
	tick     eventKind = iota // only time has passed
	extend                    // the deadline moves later
	stop                      // a planned stop, polite until killAt
	kill                      // kill now
	lost                      // the other process, agent or guard, is gone
	mainExit                  // the main process exited
	treeGone                  // nothing of the tree is left
)

type event struct {
	kind     eventKind
	deadline Deadline      // extend
	killAt   time.Duration // stop
}

// actions is a set of what is to be done. A number, and not a list: nothing is
// allocated on the way to a kill.
type actions uint8

// The actions, in the order in which they are done.
const (
	askPlanned  actions = 1 << iota // ask the node to end: stop command or signal
	askFenced                       // ask the node to end: signal
	killPass                        // kill all that is there now
	tellOverdue                     // report and run the last resort
)

func (a actions) has(one actions) bool { return a&one != 0 }

// next takes one event at boot-clock reading now. It returns the new fate and
// what is to be done.
func (f fate) next(now time.Duration, e event) (fate, actions) {
	var acts actions
	switch e.kind {
	case extend:
		f = f.extend(now, e.deadline)
	case stop:
		f, acts = f.stop(Planned, e.killAt)
	case kill:
		f = f.kill(Asked, now)
	case lost:
		f, acts = f.lose(now)
	case mainExit:
		if f.phase == running {
			f = f.kill(ByItself, now)
		}
	case treeGone:
		f.phase = gone
	}
	f, due := f.pass(now)
	return f, acts | due
}

// extend moves the deadline, unless its moment has come: a node that is being
// fenced stays fenced, whatever is learnt later.
func (f fate) extend(now time.Duration, d Deadline) fate {
	if f.phase < killing && now < f.deadline.StopAt && d.ordered() {
		f.deadline = f.deadline.later(d)
	}
	return f
}

// stop begins stopping, or shortens the grace of a stop under way.
func (f fate) stop(c Cause, killAt time.Duration) (fate, actions) {
	switch f.phase {
	case running:
		f.phase, f.cause, f.killAt = stopping, c, killAt
		if c == Planned {
			return f, askPlanned
		}
		return f, askFenced
	case stopping:
		f.killAt = min(f.killAt, killAt)
	}
	return f, 0
}

func (f fate) kill(c Cause, now time.Duration) fate {
	if f.phase >= killing {
		return f
	}
	if f.phase == running {
		f.cause = c
	}
	f.phase, f.killedAt, f.nextPass, f.passWait = killing, now, now, firstPassWait
	return f
}

func (f fate) lose(now time.Duration) (fate, actions) {
	if f.lossGrace <= 0 {
		return f.kill(f.lossCause, now), 0
	}
	return f.stop(f.lossCause, now+f.lossGrace)
}

// pass does what the time alone asks for.
func (f fate) pass(now time.Duration) (fate, actions) {
	var acts actions
	if f.phase == running && now >= f.deadline.StopAt {
		f, acts = f.stop(Fenced, f.deadline.KillAt)
	}
	if f.phase == stopping && now >= min(f.killAt, f.deadline.KillAt) {
		f = f.kill(f.cause, now)
	}
	if f.phase == killing && now >= f.nextPass {
		acts |= killPass
		f.nextPass = now + f.passWait
		f.passWait = min(2*f.passWait, lastPassWait)
	}
	if f.phase == killing && now >= f.deadline.DeadBy && !f.overdue {
		f.overdue = true
		acts |= tellOverdue
	}
	return f, acts
}

// wake returns when next has to be called even if nothing happens.
func (f fate) wake() time.Duration {
	switch f.phase {
	case running:
		return f.deadline.StopAt
	case stopping:
		return min(f.killAt, f.deadline.KillAt)
	case killing:
		if !f.overdue {
			return min(f.nextPass, f.deadline.DeadBy)
		}
		return f.nextPass
	}
	return 1<<63 - 1
}
