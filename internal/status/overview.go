package status

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/drive"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/notice"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// Facts are what the database holds about one pair at one moment.
type Facts struct {
	// Lease is the lease's name, Database the database in words, without secrets.
	Lease, Database string
	// WritersClock: times are by the clocks of the machines that wrote them,
	// because the database has none for us.
	WritersClock bool
	// Observation is the row of the lease.
	Observation lease.Observation
	// Instances are what the agents last said of themselves.
	Instances []notice.Instance
	// Requests are what people asked for and what is not done yet.
	Requests []notice.Request
	// Replication is how the database is replicated; zero where that is not known.
	Replication sqlstore.Replication
	// Fencing: the reader's own configuration asks for it.
	Fencing bool
	// Timing is that of the reader's own configuration; zero where it has none.
	Timing lease.Timing
	// AnnounceEvery is how often a living agent renews its word at the least. Zero: every 5 s, as package agent does.
	AnnounceEvery time.Duration
}

// defaultAnnounce is the pause between two words of an agent of this release.
const defaultAnnounce = 5 * time.Second

// staleAfter is how many words in a row an agent has to miss until it counts as gone: one may be lost with a
// connection, and one may be on its way.
const staleAfter = 3

// Condition is what the pair is in.
type Condition string

// The conditions of a pair.
const (
	// Never: nobody has ever held the lease.
	Never Condition = "never"
	// Free: the lease was given back and nobody has taken it.
	Free Condition = "free"
	// Serving: the holder is hot and its node is ready.
	Serving Condition = "serving"
	// Changing: the lease is renewed, but the holder's node is not ready.
	Changing Condition = "changing"
	// Late: a renewal is overdue, and the lease is not yet free to be taken.
	Late Condition = "late"
	// Due: the lease has stood still for longer than the wait interval.
	Due Condition = "due"
)

// Overview is a pair at one moment. Its JSON names are stable.
type Overview struct {
	Lease    string `json:"lease"`
	Database string `json:"database"`
	// WritersClock tells people whose clock the times are by.
	WritersClock bool      `json:"-"`
	Incarnation  string    `json:"incarnation,omitempty"`
	Condition    Condition `json:"condition"`
	// Summary is the condition in one sentence.
	Summary string `json:"summary"`
	// Holder is missing where the lease has never been held.
	Holder    *Holder   `json:"holder,omitempty"`
	Instances []Member  `json:"instances"`
	Standby   []string  `json:"standby"` // instances that could take over now
	Requests  []Request `json:"requests"`
	// Timing is that of the lease's row, or of the reader's configuration where there is no row.
	Timing *agent.Timing `json:"timing,omitempty"`
	// Guarantee is how far the promise goes now; missing where the replication of the database is not known.
	Guarantee *sqlstore.Guarantee `json:"guarantee,omitempty"`
	// Fencing is what the holder last said of locking the others out of the database; missing where it does not do that.
	Fencing *agent.FencingState `json:"fencing,omitempty"`
	// Warnings are what a person should know, Hint the next thing to do, if there is one.
	Warnings []string `json:"warnings"`
	Hint     string   `json:"hint,omitempty"`
}

// Holder is who wrote the lease's row last.
type Holder struct {
	Instance string `json:"instance"`
	Nonce    string `json:"nonce"`
	Epoch    uint64 `json:"epoch"`
	Version  uint64 `json:"version"`
	Released bool   `json:"released"`
	// Successor is who is meant to be next, where a switchover named one.
	Successor string `json:"successor,omitempty"`
	// RenewedAt and AgeSeconds are by the database's clock.
	RenewedAt  time.Time `json:"renewedAt"`
	AgeSeconds float64   `json:"ageSeconds"`
	// State, Ready and Since are what the holder said of itself, by its own clock; empty where it has said nothing.
	State agent.State `json:"state,omitempty"`
	Ready bool        `json:"ready"`
	Since time.Time   `json:"since,omitzero"`
}

// Member is one agent and its last word.
type Member struct {
	ID      string      `json:"id"`
	Machine string      `json:"machine"`
	Nonce   string      `json:"nonce"`
	State   agent.State `json:"state"`
	Ready   bool        `json:"ready"`
	// Holder: this run of the agent wrote the lease's row, and has not released it.
	Holder bool `json:"holder"`
	// Stale: the last word is too old to be believed.
	Stale      bool      `json:"stale"`
	WrittenAt  time.Time `json:"writtenAt"`
	AgeSeconds float64   `json:"ageSeconds"`
	Since      time.Time `json:"since,omitzero"`
	Epoch      uint64    `json:"epoch"`
	Paused     bool      `json:"paused,omitempty"`
	Reasons    []string  `json:"reasons,omitempty"`
	NodePID    int       `json:"nodePid,omitempty"`
	LastExit   string    `json:"lastExit,omitempty"`
	LastLine   string    `json:"lastLine,omitempty"`
	Version    string    `json:"version,omitempty"`
	// Twins is how its machine compares with another; missing where it was not compared.
	Twins *agent.Twins `json:"twins,omitempty"`
	// Checks is what it found about its machine; missing where it has not looked.
	Checks *agent.Checks `json:"checks,omitempty"`
	// Problem says why the last word could not be read.
	Problem string `json:"problem,omitempty"`

	current bool               // its last word is not older than it may be while it lives
	fencing agent.FencingState // what it said of locking others out
	drive   drive.State        // what it said of the shared drive
}

// Request is something that a person asked the pair for.
type Request struct {
	ID         int64     `json:"id"`
	Kind       string    `json:"kind"`         // "switchover", "pause", "resume"
	State      string    `json:"state"`        // "open", "accepted"
	To         string    `json:"to,omitempty"` // the instance or machine it is meant for
	By         string    `json:"by,omitempty"` // who asked
	AcceptedBy string    `json:"acceptedBy,omitempty"`
	At         time.Time `json:"at"`
	AgeSeconds float64   `json:"ageSeconds"`
}

// Well tells whether a person may go back to bed: somebody serves, somebody else could take over, and nothing is to
// be warned of.
func (o Overview) Well() bool {
	return o.Condition == Serving && len(o.Standby) > 0 && len(o.Warnings) == 0
}

// OverviewOf puts the facts together.
func OverviewOf(f Facts) Overview {
	o := Overview{
		Lease: f.Lease, Database: f.Database, WritersClock: f.WritersClock, Incarnation: f.Observation.Incarnation,
		Standby: []string{}, Requests: []Request{}, Warnings: []string{},
		Timing: f.timingInSeconds(),
	}
	o.Instances = membersOf(f)
	o.Holder = holderOf(f.Observation, o.Instances)
	o.Condition = conditionOf(f, o.Holder)
	o.Fencing, o.Guarantee = guaranteeOf(f, o.Instances)
	for _, r := range f.Requests {
		o.Requests = append(o.Requests, Request{ID: r.ID, Kind: r.Kind, State: r.State, To: r.Target, By: r.By,
			AcceptedBy: r.AcceptedBy, At: r.AskedAt, AgeSeconds: seconds(r.Age)})
	}
	for _, m := range o.Instances {
		if m.canTakeOver() && !slices.Contains(o.Standby, m.ID) {
			o.Standby = append(o.Standby, m.ID)
		}
	}
	o.Summary = o.summary()
	o.Warnings = append(o.Warnings, o.warnings(f)...)
	o.Hint = o.hint()
	return o
}

// timing is that of the row, with what the row does not hold derived or taken from the reader's own.
func (f Facts) timing() lease.Timing {
	r := f.Observation.Record
	if !f.Observation.Exists || r.Wait <= 0 {
		return f.Timing
	}
	t := lease.Timing{Update: r.Update, Wait: r.Wait, Trust: r.Trust, Fence: r.Fence, Attempt: f.Timing.Attempt}
	if t.Attempt == 0 {
		// An error would mean that the row's numbers are unsafe, which is for its writer to refuse; an attempt of zero
		// only makes a renewal count as late a little sooner.
		derived, _ := lease.Settings{Update: r.Update, Wait: r.Wait, Fence: r.Fence}.Timing()
		t.Attempt = derived.Attempt
	}
	return t
}

func (f Facts) timingInSeconds() *agent.Timing {
	t := f.timing()
	if t.Wait == 0 {
		return nil
	}
	return &agent.Timing{UpdateSeconds: seconds(t.Update), WaitSeconds: seconds(t.Wait), TrustSeconds: seconds(t.Trust),
		FenceSeconds: seconds(t.Fence), AttemptSeconds: seconds(t.Attempt), TakeoverSeconds: secondsAbove(t.Takeover())}
}

// membersOf reads the agents' words, in the order of their names, the newest word of a name first. A stale word of an
// agent that has been started anew since is left out.
func membersOf(f Facts) []Member {
	every := f.AnnounceEvery
	if every == 0 {
		every = defaultAnnounce
	}
	members := []Member{}
	for _, in := range f.Instances {
		m := memberOf(in)
		m.Stale = in.Age > staleAfter*every && m.State != agent.Ended
		m.current = in.Age <= every+every/5 && m.State != agent.Ended
		r := f.Observation.Record
		m.Holder = f.Observation.Exists && !r.Released && r.Holder == in.ID && r.Nonce == in.Nonce
		members = append(members, m)
	}
	slices.SortStableFunc(members, func(a, b Member) int {
		if c := strings.Compare(a.ID, b.ID); c != 0 {
			return c
		}
		return int(sign(a.AgeSeconds - b.AgeSeconds))
	})
	var kept []Member
	for _, m := range members {
		again := len(kept) > 0 && kept[len(kept)-1].ID == m.ID
		if again && !m.Holder && !m.alive() {
			continue
		}
		kept = append(kept, m)
	}
	return append([]Member{}, kept...)
}

func sign(f float64) float64 {
	switch {
	case f < 0:
		return -1
	case f > 0:
		return 1
	}
	return 0
}

func memberOf(in notice.Instance) Member {
	m := Member{ID: in.ID, Machine: in.Machine, Nonce: in.Nonce, State: agent.State(in.State), WrittenAt: in.WrittenAt, AgeSeconds: seconds(in.Age)}
	var s agent.Snapshot
	if err := json.Unmarshal(in.Document, &s); err != nil {
		m.Problem = "its last word cannot be read: " + err.Error()
		return m
	}
	if s.State != "" {
		m.State = s.State
	}
	m.Ready, m.Since, m.Epoch, m.Paused, m.Reasons = s.Ready, s.Since, s.Epoch, s.Paused, s.Reasons
	m.fencing, m.drive = s.Fencing, s.Drive
	if s.Twins.With != "" {
		m.Twins = &s.Twins
	}
	if !s.Checks.At.IsZero() {
		m.Checks = &s.Checks
	}
	m.NodePID, m.LastExit, m.LastLine, m.Version = s.Node.PID, s.Node.LastExit, s.Node.LastLine, s.Version
	return m
}

// DriveID is the marker of the shared drive that the agent sees; empty where it said nothing of one.
func (m Member) DriveID() string { return m.drive.ID }

func (m Member) alive() bool { return !m.Stale && m.State != agent.Ended }

func (m Member) canTakeOver() bool {
	return m.alive() && m.State == agent.Cold && m.Ready && !m.Paused && !m.Holder
}

// guaranteeOf names the level. A fence counts where the holder made it under the epoch that stands in the row: it
// was refused otherwise.
func guaranteeOf(f Facts, members []Member) (*agent.FencingState, *sqlstore.Guarantee) {
	var said *agent.FencingState
	fencing := sqlstore.FencingOff
	if f.Fencing {
		fencing = sqlstore.FencingDue
	}
	for _, m := range members {
		if !m.Holder || !m.fencing.On {
			continue
		}
		said, fencing = &m.fencing, sqlstore.FencingDue
		if m.fencing.Epoch == f.Observation.Record.Epoch {
			fencing = sqlstore.FencingDone
		}
	}
	if f.Replication.Copies == "" {
		return said, nil
	}
	g := sqlstore.GuaranteeOf(f.Replication, fencing)
	return said, &g
}

func holderOf(o lease.Observation, members []Member) *Holder {
	if !o.Exists {
		return nil
	}
	r := o.Record
	h := &Holder{Instance: r.Holder, Nonce: r.Nonce, Epoch: r.Epoch, Version: r.Version, Released: r.Released,
		Successor: r.Successor, RenewedAt: o.WrittenAt, AgeSeconds: seconds(o.Age)}
	for _, m := range members {
		if m.Holder {
			h.State, h.Ready, h.Since = m.State, m.Ready, m.Since
		}
	}
	return h
}

func conditionOf(f Facts, h *Holder) Condition {
	t, age := f.timing(), f.Observation.Age
	switch {
	case h == nil:
		return Never
	case h.Released:
		return Free
	case t.Wait > 0 && age > t.Wait:
		return Due
	case t.Update > 0 && age > t.Update+t.Attempt:
		// A healthy holder sends a renewal one update interval after the last one, and has its answer one attempt later.
		return Late
	case h.State == agent.Hot && h.Ready:
		return Serving
	}
	return Changing
}

func (o Overview) summary() string {
	h := o.Holder
	switch o.Condition {
	case Never:
		return "nobody has ever held the lease"
	case Free:
		text := fmt.Sprintf("nobody holds the lease: %s gave it back at epoch %d", h.Instance, h.Epoch)
		if h.Successor != "" {
			text += ", for " + h.Successor + " to take"
		}
		return text
	case Due:
		return fmt.Sprintf("%s holds epoch %d and has been silent for %s, which is longer than the wait of %s: a takeover is due",
			h.Instance, h.Epoch, Span(fromSeconds(h.AgeSeconds)), Span(fromSeconds(o.Timing.WaitSeconds)))
	case Late:
		return fmt.Sprintf("%s holds epoch %d and its renewal is overdue: the last one was %s ago",
			h.Instance, h.Epoch, Span(fromSeconds(h.AgeSeconds)))
	case Serving:
		return fmt.Sprintf("%s is hot at epoch %d", h.Instance, h.Epoch)
	}
	switch h.State {
	case "":
		return fmt.Sprintf("%s holds epoch %d, and no agent has said that this is its own", h.Instance, h.Epoch)
	case agent.Hot:
		return fmt.Sprintf("%s holds epoch %d and its node is not ready", h.Instance, h.Epoch)
	}
	return fmt.Sprintf("%s holds epoch %d and is %s", h.Instance, h.Epoch, h.State)
}
