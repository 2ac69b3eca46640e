package lease

import (
	"fmt"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// Reading is one look at this machine's clocks.
type Reading = clock.Reading

// Clock reads the time and wakes its callers.
type Clock = clock.Clock

// Challenge is what a challenger knows: what it saw last and for how long that
// has stood still. It is a value; its methods are pure.
type Challenge struct {
	timing Timing
	self   Identity
	// proven is the greatest epoch of which this machine has proof that no
	// process is left of the node which an earlier agent of this instance
	// started under it, or under an earlier one, since the machine booted.
	proven uint64

	started bool
	seen    Observation
	// since is the first reading, taken after the answer came, at which seen
	// was known.
	since Reading
	// suspectUntil: up to this reading of Mono the database is one that failed
	// over while we watched, and a quick release is not honoured.
	suspectUntil time.Duration
	// changes counts the writes of the present holder that came while we
	// watched, under one incarnation.
	changes int
	// epoch is the greatest ever seen: the database can lose it, we do not.
	epoch uint64
}

// livingChanges is how many writes of one holder prove that it has lived while
// we watched. One may be the late write of a holder that is dead. The second
// was sent after the first had been written, and so by somebody alive.
const livingChanges = 2

// NewChallenge begins to watch a lease. proven is the greatest epoch for which
// the node that an earlier agent of the same instance started on this boot of
// this machine is known to be gone, down to its last process; zero: none. A row
// of a greater epoch is not ours by that proof: a second agent may have been
// given our name, with a place of its own for its proofs.
func NewChallenge(t Timing, self Identity, proven uint64) Challenge {
	return Challenge{timing: t, self: self, proven: proven}
}

// Observe takes in an answer. The reading must be taken after the answer has
// come: the row stood still at least since then, whatever it did before.
func (c Challenge) Observe(o Observation, answered Reading) Challenge {
	if c.started && o.Same(c.seen) {
		c.seen = o // same key; age and memo may be newer
		return c
	}
	switch was := c.seen; {
	case !c.started: // what stands there at first may be as old as it likes
	case o.Incarnation != was.Incarnation:
		c.suspectUntil, c.changes = answered.Mono+c.timing.Wait, 0
	case !o.Exists || o.Record.Released:
		c.changes = 0
	case !was.Exists || o.Record.Holder != was.Record.Holder || o.Record.Nonce != was.Record.Nonce:
		c.changes = 1
	default:
		c.changes++
	}
	c.started, c.seen, c.since = true, o, answered
	c.epoch = max(c.epoch, o.Record.Epoch)
	return c
}

// Seen is the last observation; its Exists is false before there was one.
func (c Challenge) Seen() Observation { return c.seen }

// Held tells whether a holder has been seen to live. An agent's own row does
// not count: see [Challenge.Mine].
func (c Challenge) Held() bool {
	return c.seen.Exists && !c.seen.Record.Released && !c.Mine() && c.changes >= livingChanges
}

// Mine tells whether the row was written by this very agent and not released:
// by a claim whose outcome was unknown, or in a term that ended with the node
// seen dead but without the database.
func (c Challenge) Mine() bool { return c.self.owns(c.seen) && !c.seen.Record.Released }

// Verdict is what a challenger should do.
type Verdict struct {
	// Claim: the lease may be taken by a compare-and-set on exactly what was
	// seen last. Otherwise the challenger looks again.
	Claim bool
	// In is how long nothing may be claimed yet, if nothing changes.
	In time.Duration
	// Why explains the verdict in words.
	Why string
}

// Verdict decides from what was seen. The error is a [*DisagreementError] or a
// [*TwinError]: this agent must not take part.
func (c Challenge) Verdict(now Reading) (Verdict, error) {
	if !c.started {
		return Verdict{In: c.timing.Wait, Why: "the database has not answered yet"}, nil
	}
	r := c.seen.Record
	if c.Held() {
		// Only a row that moves has a living holder. One that stands still
		// may be a dead agent's, and that must not keep us out for ever.
		if r.Holder == c.self.Instance {
			return Verdict{}, &TwinError{Instance: r.Holder}
		}
		if err := c.timing.agrees(r); err != nil && !c.timing.breaks(otherTimingAccepted) {
			return Verdict{}, err
		}
	}
	if why, quick := c.quick(now); quick {
		return Verdict{Claim: true, Why: why}, nil
	}
	// A dead holder with other timing is owed its own wait; also where the row
	// says released and is not believed.
	wait := max(c.timing.Wait, r.Wait)
	// Mono is the clock that errs on the side of having waited less.
	stood := now.Mono - c.since.Mono
	switch c.timing.breach {
	case otherTimingAccepted:
		wait = c.timing.Wait
	case databaseClockDecides:
		stood = c.seen.Age
	case wallClockWait:
		stood = now.Wall.Sub(c.since.Wall)
	}
	if stood >= wait {
		return Verdict{Claim: true, Why: fmt.Sprintf("%v, and has stood still for %v", c.seen, stood.Round(time.Millisecond))}, nil
	}
	return Verdict{In: wait - stood, Why: c.reason()}, nil
}

// quick tells whether the lease may be taken without waiting, and why.
func (c Challenge) quick(now Reading) (string, bool) {
	r := c.seen.Record
	elsewhere := r.Incarnation != c.seen.Incarnation || now.Mono < c.suspectUntil
	if !c.seen.Exists || elsewhere && !c.timing.breaks(quickElsewhere) {
		return "", false
	}
	if r.Released && (r.Successor == "" || r.Successor == c.self.Instance) {
		return c.seen.String(), true
	}
	if c.Mine() {
		return "we held the lease ourselves, and our node has been seen dead", true
	}
	proven := r.Epoch <= c.proven || c.timing.breaks(restartBelieved)
	if !r.Released && proven && r.Holder == c.self.Instance && r.Boot == c.self.Boot && r.Boot != "" {
		return "our own earlier agent held the lease and its node is proven gone", true
	}
	return "", false
}

// reason says why a challenger has to wait.
func (c Challenge) reason() string {
	r := c.seen.Record
	switch {
	case !c.seen.Exists:
		return "the database has no row of this lease yet: somebody else might be about to take it"
	case r.Incarnation != c.seen.Incarnation:
		return fmt.Sprintf("%v, but the database is not the one in which that was written: it failed over or was restored", c.seen)
	case r.Released && r.Successor != "":
		return fmt.Sprintf("%v, for %s", c.seen, r.Successor)
	}
	return c.seen.String()
}

// Next is the row that claims what was seen. floor is the greatest epoch known
// from elsewhere: one may have been lost with the database's last writes, from
// before this challenger looked for the first time.
func (c Challenge) Next(floor uint64) Record {
	r := c.seen.Record
	if c.timing.breaks(epochFromRow) {
		c.epoch, floor = r.Epoch, 0
	}
	return Record{
		Name: r.Name, Holder: c.self.Instance, Nonce: c.self.Nonce, Boot: c.self.Boot,
		Epoch: max(c.epoch, floor) + 1, Version: r.Version + 1, Incarnation: c.seen.Incarnation,
		Update: c.timing.Update, Wait: c.timing.Wait, Trust: c.timing.Trust, Fence: c.timing.Fence,
		Memo: r.Memo,
	}
}

// TwinError says that another agent with the same identity is alive.
type TwinError struct{ Instance string }

func (e *TwinError) Error() string {
	return fmt.Sprintf("another agent is running with our identity %s: give each machine its own machineName", e.Instance)
}

// HeldError says that the lease is held by a living holder; it ends a run with
// [Options.ExitIfHeld].
type HeldError struct {
	Holder string
	Epoch  uint64
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("%s holds the lease at epoch %d", e.Holder, e.Epoch)
}
