package demo

import (
	"fmt"
	"slices"
	"time"

	"github.com/hotcold/hotcold/internal/witness"
)

// deed is what somebody did to the pair.
type deed struct {
	at   time.Duration // CLOCK_BOOTTIME
	what string
	// excuse says why no bound can be promised for a takeover after this;
	// empty: one can.
	excuse string
}

// turn is the step from one run of the node to the next. All times are
// measured by the client and by the records of the witness.
type turn struct {
	at       time.Duration // when the next run answered, or began
	what     string        // the deed that it follows
	from, to witness.Life
	// silent is from the last acknowledged write to the next one; 0: the client
	// had none before or after.
	silent time.Duration
	// dark is from the end of the one run to the start of the other.
	dark time.Duration
	// start is how long the node took to be ready, bound the worst case with it.
	start, bound time.Duration
	// unbound says why the bound does not count.
	unbound string
}

// unasked is what a turn follows that nobody caused: a machine that is so busy
// that an agent could not renew in time.
const unasked = "nothing was done"

// Why no bound counts. It is promised for a database that answers each question
// within one attempt.
const (
	unbidden = "unasked"
	tooSlow  = "slow database"
)

func (t turn) takeover() bool { return t.from.Instance != t.to.Instance }

// held tells whether a bound that counts was kept.
func (t turn) held() bool {
	return !t.takeover() || t.unbound != "" || max(t.silent, t.dark) <= t.bound
}

// turns explains each step between two runs by what was done before it. The
// changes and the deeds are in their order.
func turns(changes []witness.Change, stalls []witness.Stall, deeds []deed, s scene) []turn {
	var found []turn
	after := time.Duration(0) // deeds before this belong to an earlier turn
	for _, c := range changes {
		t := turn{at: c.To.Start, from: c.From, to: c.To, dark: c.Dark}
		since := c.To.Start - c.Dark
		if stall, ok := spanning(stalls, c.To.Start); ok {
			t.at, t.silent = stall.Next, stall.Length()
			since = min(since, stall.Last)
		}
		t.start = startOf(c.To, s)
		t.bound = s.bound + t.start
		t.what, t.unbound = explain(deeds, after, t.at)
		if t.unbound == "" && slices.ContainsFunc(s.slow, func(at time.Duration) bool { return at >= since && at <= t.at }) {
			t.unbound = tooSlow
		}
		after = t.at
		found = append(found, t)
	}
	return found
}

// explain says what was done in a time, and why no bound counts for what
// follows from it.
func explain(deeds []deed, from, to time.Duration) (what, unbound string) {
	what = unasked
	for _, d := range deeds {
		if d.at < from || d.at > to {
			continue
		}
		what = d.what
		if d.excuse != "" {
			unbound = d.excuse
		}
	}
	if what == unasked {
		unbound = unbidden
	}
	return what, unbound
}

// startOf is how long a run took to be ready, at the least as its own record
// tells: that begins when the process already runs.
func startOf(l witness.Life, s scene) time.Duration {
	return max(s.starts[l.PID], l.Ready-l.Start, 0)
}

// spanning finds the time without an answer around an instant.
func spanning(stalls []witness.Stall, at time.Duration) (witness.Stall, bool) {
	for _, s := range stalls {
		if s.Last <= at && at <= s.Next {
			return s, true
		}
	}
	return witness.Stall{}, false
}

// changes are the steps between the runs as they are known while the demo
// runs. The audit at the end finds its own.
func changes(lives []witness.Life) []witness.Change {
	var found []witness.Change
	for i := 1; i < len(lives); i++ {
		a, b := lives[i-1], lives[i]
		found = append(found, witness.Change{From: a, To: b, Dark: max(0, b.Start-a.Last)})
	}
	return found
}

// String tells a turn that has just come to its end.
func (t turn) String() string {
	switch {
	case !t.takeover() && t.from.Epoch != t.to.Epoch:
		return fmt.Sprintf("%s is hot again, under the new epoch %d; nobody answered for %s", t.to.Instance, t.to.Epoch, seconds(t.silent))
	case !t.takeover():
		return fmt.Sprintf("%s's node is up again in place, under the same epoch %d; nobody answered for %s", t.to.Instance, t.to.Epoch, seconds(t.silent))
	}
	bound := "bound " + atMost(t.bound)
	if t.unbound != "" {
		bound = "no bound: " + t.unbound
	}
	return fmt.Sprintf("%s is hot under epoch %d; nobody answered for %s (%s)", t.to.Instance, t.to.Epoch, seconds(t.silent), bound)
}
