package lease

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Causes for which a term ends; match with errors.Is on the cause of the work's
// context.
var (
	// ErrLost: the database says that the row is no longer ours.
	ErrLost = errors.New("the lease is lost")
	// ErrTrustEnded: no renewal was acknowledged in time.
	ErrTrustEnded = errors.New("trust has run out")
	// ErrDatabaseLost: a renewal failed, and onDatabaseLoss = exit asks to stop then.
	ErrDatabaseLost = errors.New("the database is lost")
)

// Tenure is what a holder knows during one term. It is a value; its methods
// are pure: facts go in, and Next says what to do.
type Tenure struct {
	timing Timing
	self   Identity
	// stopOnLoss: the first failed renewal ends the term.
	stopOnLoss bool

	// row is the row known to be ours, as acknowledged or read.
	row Observation
	// anchor is the boot-clock reading taken before the last acknowledged
	// write was sent. A row that was only read never moves it: a database
	// server that lost its peers still shows what it can no longer make good.
	anchor time.Duration
	// pending: a write of version row+1 was sent whose outcome is unknown.
	pending bool
	// reread: what the database holds has to be read before the next write.
	reread bool
	// flying: an attempt is under way, sent at this boot-clock reading.
	flying bool
	sent   time.Duration
	// next is when the next attempt is due.
	next time.Duration
	// doubt: the machine may have been paused, and nothing that was sent since
	// has been acknowledged.
	doubt bool
	// stale: the attempt under way was sent before that pause.
	stale bool
	// refusals counts the refused writes since the last acknowledged one.
	refusals int
	// memo is what the next write carries.
	memo string
	// end is why the term is over: the first reason there was.
	end error
	// lost is set once the database has said that the row is not ours.
	lost error
}

// NewTenure begins a term with an acknowledged claim, whose write was sent at
// the boot-clock reading sent.
func NewTenure(t Timing, self Identity, row Observation, sent time.Duration, stopOnLoss bool) Tenure {
	return Tenure{timing: t, self: self, stopOnLoss: stopOnLoss, row: row, anchor: sent, next: sent + t.Update, memo: row.Record.Memo}
}

// Trust is how long the node may live without another acknowledged renewal.
func (t Tenure) Trust() Trust { return t.timing.trustFrom(t.row.Record.Epoch, t.anchor) }

// Doubt tells whether the machine's clock jumped and the database has not yet
// confirmed the lease since: no traffic then.
func (t Tenure) Doubt() bool { return t.doubt }

// Row is the row as it is known.
func (t Tenure) Row() Observation { return t.row }

// Attempt is one call to make on the store.
type Attempt struct {
	// Read: read the row. Otherwise write Next if the row is still Seen.
	Read bool
	Seen Observation
	Next Record
	// Sent is the boot-clock reading taken before the call.
	Sent time.Duration
}

// Step is what a holder should do now.
type Step struct {
	// End is not nil when the term is over: fence the node.
	End error
	// Attempt is due now, if not nil.
	Attempt *Attempt
	// Until is when to ask again at the latest. An attempt that is under way
	// by then, and is older than one may be, has to be given up: its outcome is
	// unknown.
	Until time.Duration
}

// Next decides. When it hands out an attempt, the returned tenure knows that
// it is under way: its outcome has to be reported by Landed.
func (t Tenure) Next(now Reading) (Tenure, Step) {
	stopAt := t.Trust().StopAt
	if t.end == nil && now.Boot >= stopAt {
		t.end = fmt.Errorf("%w: no renewal was acknowledged for %v", ErrTrustEnded, (now.Boot - t.anchor).Round(time.Millisecond))
	}
	switch {
	case t.end != nil:
		return t, Step{End: t.end}
	case t.flying:
		return t, Step{Until: min(stopAt, t.sent+t.timing.Attempt)}
	case now.Boot < t.next:
		return t, Step{Until: min(stopAt, t.next)}
	}
	t.flying, t.stale, t.sent = true, false, now.Boot
	a := &Attempt{Read: t.reread, Seen: t.row, Sent: now.Boot}
	if !a.Read {
		a.Next = t.renewal()
	}
	return t, Step{Attempt: a, Until: min(stopAt, now.Boot+t.timing.Attempt)}
}

// renewal is the next version of our row.
func (t Tenure) renewal() Record {
	r := t.row.Record
	r.Version++
	// Also into another database: nobody else can have claimed within our
	// trust and before we tried to release.
	r.Incarnation = t.row.Incarnation
	r.Memo = t.memo
	return r
}

// errNotHere is why a row of another database is not released, not even while
// trust lasts. An earlier try of this release may have been written and believed,
// and that database may have lost it together with the claim of somebody who is
// alive: all have to wait.
var errNotHere = errors.New("the row was written in another database, which a release would hide")

// Release is the next attempt to give the lease back: a read where it is not
// known what the database holds, and then a write. It may be made only when the
// node has been seen dead. The error says why the lease cannot be released.
func (t Tenure) Release(successor string, now Reading) (Attempt, error) {
	a := Attempt{Seen: t.row, Sent: now.Boot}
	switch {
	case t.lost != nil:
		return Attempt{}, t.lost
	case t.reread:
		a.Read = true
		return a, nil
	case t.row.Incarnation != t.row.Record.Incarnation && !t.timing.breaks(releasedElsewhere):
		return Attempt{}, errNotHere
	}
	a.Next = t.renewal()
	a.Next.Released, a.Next.Successor = true, successor
	return a, nil
}

// ReleasedBy tells whether an observation shows that a release of ours, whose
// outcome was unknown, was written.
func (t Tenure) ReleasedBy(o Observation) bool {
	mine := t.row.Record
	return t.self.owns(o) && o.Record.Released && o.Record.Epoch == mine.Epoch && o.Record.Version == mine.Version+1
}

// Landed takes in what became of an attempt: what was read, and the store's error.
func (t Tenure) Landed(a Attempt, o Observation, err error, now Reading) Tenure {
	switch {
	case err == nil && a.Read:
		t = t.Observed(o, now)
		if t.timing.breaks(readGivesTrust) && t.lost == nil {
			t.anchor = a.Sent
		}
		return t
	case err == nil:
		if t.timing.breaks(anchorAtAnswer) {
			a.Sent = now.Boot
		}
		return t.Renewed(a)
	case !a.Read && errors.Is(err, ErrChanged):
		return t.Refused(now)
	case !a.Read && t.timing.breaks(unknownIsYes):
		return t.Renewed(a)
	}
	return t.Unknown(a, now)
}

// Renewed takes in an acknowledged write.
func (t Tenure) Renewed(a Attempt) Tenure {
	stale := t.stale
	t.flying, t.stale = false, false
	if a.Next.Version != t.row.Record.Version+1 {
		return t // an attempt that was given up and has been resolved since
	}
	t.row.Record = a.Next
	t.anchor = max(t.anchor, a.Sent)
	t.pending, t.reread, t.refusals = false, false, 0
	t.next = a.Sent + t.timing.Update
	if t.doubt && stale {
		t.next = a.Sent // it tells nothing about the time since the pause
		return t
	}
	t.doubt = false
	return t
}

// Refused takes in that a write changed nothing because the row, or the
// database, is not what we knew. It may be our own earlier write that came
// late, or a database that failed over with our row intact: so the row is read
// once more, at once. Trust does not grow by that, and traffic ends meanwhile.
func (t Tenure) Refused(now Reading) Tenure {
	t.flying = false
	t.reread = true
	if !t.timing.breaks(refusalIgnored) {
		t = t.InDoubt(now)
	}
	if t.refusals++; t.refusals > 1 {
		// The database shows a row and refuses it: do not ask in a circle.
		t.next = now.Boot + t.pause()
	}
	return t
}

// pause keeps an attempt that fails at once from being made more than about
// four times in the time that one may take.
func (t Tenure) pause() time.Duration { return t.timing.Attempt / 4 }

// Unknown takes in that nobody knows what became of an attempt. The anchor
// stays where it is.
func (t Tenure) Unknown(a Attempt, now Reading) Tenure {
	t.flying, t.stale = false, false
	t.reread = true
	t.pending = t.pending || !a.Read
	if (t.stopOnLoss || t.timing.breaks(firstFailureEnds)) && t.end == nil {
		t.end = ErrDatabaseLost
	}
	t.next = max(now.Boot, a.Sent+t.pause())
	return t
}

// Observed takes in the answer to a read. It tells which row the next write has
// to name, or that the lease is lost; it never gives trust.
func (t Tenure) Observed(o Observation, now Reading) Tenure {
	t.flying, t.stale = false, false
	r, mine := o.Record, t.row.Record
	arrived := t.pending && r.Version == mine.Version+1
	if !t.self.owns(o) || r.Epoch != mine.Epoch || r.Released || r.Version != mine.Version && !arrived {
		t.lost = fmt.Errorf("%w: ours was epoch %d, version %d, and now %v", ErrLost, mine.Epoch, mine.Version, o)
		if t.end == nil {
			t.end = t.lost
		}
		return t
	}
	if arrived {
		t.pending = false
	}
	t.row, t.reread = o, false
	t.next = now.Boot
	return t
}

// InDoubt takes in that the machine may have been paused: traffic ends until a
// renewal that is sent from now on has been acknowledged.
func (t Tenure) InDoubt(now Reading) Tenure {
	t.doubt = true
	if t.flying {
		t.stale = true
	} else {
		t.next = now.Boot
	}
	return t
}

// WithMemo sets what the next write carries for the agent. What no database
// keeps is not taken: it would make every renewal fail.
func (t Tenure) WithMemo(memo string) (Tenure, error) {
	if err := keepable(memo); err != nil {
		return t, fmt.Errorf("memo: %w", err)
	}
	t.memo = memo
	return t, nil
}

// keepable tells whether every database gives a text back as it was written.
func keepable(text string) error {
	switch {
	case len(text) > MaxMemoBytes:
		return fmt.Errorf("%d bytes, want at most %d", len(text), MaxMemoBytes)
	case !utf8.ValidString(text):
		return errors.New("not valid UTF-8")
	case strings.ContainsRune(text, 0):
		return errors.New("contains a zero byte")
	}
	return nil
}
