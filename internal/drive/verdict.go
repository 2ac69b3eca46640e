package drive

import (
	"fmt"
	"time"
)

// view is all that is known of a drive when it is judged.
type view struct {
	expect Expect
	seen   Seen // the last answer; its N is zero where there was none
	// id is the marker's that was seen first; empty: none yet.
	id string
	// silent is how long ago the last good answer came, or this kind of watching began.
	silent time.Duration
	// waiting is how long the present look has been taking.
	waiting time.Duration
	// epoch is our own while hot.
	epoch uint64
	hang  time.Duration
	// stuck are probing processes that were left behind.
	stuck int
}

// fault says why the drive does not do what it is there for; empty: it does.
func (v view) fault() string {
	for _, f := range v.seen.Findings {
		if f.Unfit() {
			return f.String()
		}
	}
	switch {
	case v.waiting >= v.patience():
		// The same words for as long as it lasts: a reason that changes is logged anew.
		return fmt.Sprintf("the shared drive %s has not answered within %v: is the network drive alive?", v.expect.Path, v.patience())
	case v.stuck >= MaxAbandoned:
		return fmt.Sprintf("the shared drive %s hangs: %d looks at it are stuck in the kernel", v.expect.Path, v.stuck)
	case v.seen.N == 0:
		return "the shared drive has not been looked at yet"
	case v.seen.Fault != "":
		return v.seen.Fault
	case v.id != "" && v.seen.ID == "":
		return fmt.Sprintf("the shared drive's marker is gone from %s: is the drive mounted?", v.expect.Path)
	}
	return ""
}

// well tells whether an answer counts as one of a living drive. A drive without room
// lives: another machine would find no more room on it.
func (v view) well() bool {
	return v.fault() == "" || v.seen.Full && v.waiting < v.patience()
}

// patience is how long a look may take until the drive counts as one that hangs.
func (v view) patience() time.Duration { return min(answerLimit, v.hang) }

// lost says why a hot node has to be killed; empty: it need not. A drive that is gone
// does not come back by waiting.
func (v view) lost() (why string, gone bool) {
	if v.seen.Greatest > v.epoch {
		return fmt.Sprintf("epoch %d stands on the shared drive (%s), ours is %d: another agent has begun", v.seen.Greatest, named(v.seen.Holder.Instance), v.epoch), true
	}
	for _, f := range v.seen.Findings {
		if f.Unfit() {
			return "the shared drive is lost: " + f.Text, true
		}
	}
	if v.id != "" && v.seen.ID != "" && v.seen.ID != v.id {
		return fmt.Sprintf("the shared drive was exchanged: its marker was %.8s, and is %.8s", v.id, v.seen.ID), true
	}
	// Silence alone may be our own: an agent that was stopped asks first.
	if v.silent >= v.hang && v.fault() != "" {
		return fmt.Sprintf("the shared drive has taken no write for %v: %s", v.silent.Round(time.Second), v.fault()), false
	}
	return "", false
}

func named(instance string) string {
	if instance == "" {
		return "its epoch file"
	}
	return instance
}
