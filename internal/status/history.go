package status

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/lease/notice"
)

// Cause is why the lease changed its holder, or a node was started again.
type Cause string

// The causes.
const (
	// CauseFirst: there was no holder before.
	CauseFirst Cause = "first start"
	// CausePlanned: a person asked for a switchover.
	CausePlanned Cause = "planned switchover"
	// CauseStopped: the agent was stopped in order.
	CauseStopped Cause = "planned stop"
	// CauseNode: the node ended by itself or was not well.
	CauseNode Cause = "node failed"
	// CauseDatabase: the holder could not renew the lease, and said so in time.
	CauseDatabase Cause = "database lost"
	// CauseCutOff: the holder was silent, and later said that it could not keep the lease: it was frozen, or the
	// database could be reached by others only.
	CauseCutOff Cause = "cut off or frozen"
	// CauseLost: the holder fell silent and has not been heard of its term since.
	CauseLost Cause = "machine or agent lost"
	// CauseUnknown: what was before lies outside of the events that were read.
	CauseUnknown Cause = "unknown"
)

// Bound says how a measured time has to be read.
type Bound string

// The bounds.
const (
	// Exact: both ends were written down when they happened.
	Exact Bound = "exact"
	// AtMost: it began no sooner than the holder's last renewal.
	AtMost Bound = "atMost"
	// AtLeast: it began some time before the lease was claimed.
	AtLeast Bound = "atLeast"
)

// Takeover is one change of holder, or one restart of the node in place. All times are by the database's clock.
type Takeover struct {
	// At is when the node was ready again, or when the lease was claimed where it never was.
	At time.Time `json:"at"`
	// From is empty where nobody held the lease before, or where that is not known.
	From  string `json:"from,omitempty"`
	To    string `json:"to"`
	Epoch uint64 `json:"epoch"`
	// Restart: the same term; the node was started again in place.
	Restart bool   `json:"restart,omitempty"`
	Cause   Cause  `json:"cause"`
	Detail  string `json:"detail,omitempty"`
	// Ready: the node became ready. Ended: the term is over.
	Ready bool `json:"ready"`
	Ended bool `json:"ended,omitempty"`
	// DownSeconds is how long no node was ready, to be read as Bound says; missing where it is not known.
	DownSeconds *float64 `json:"downSeconds,omitempty"`
	Bound       Bound    `json:"bound,omitempty"`
}

// Entry is one event as a person reads it.
type Entry struct {
	ID       int64     `json:"id"`
	At       time.Time `json:"at"`
	Instance string    `json:"instance"`
	Epoch    uint64    `json:"epoch"`
	Kind     string    `json:"kind"`
	Text     string    `json:"text"`
}

// History is what became of a lease, the oldest first. Its JSON names are stable.
type History struct {
	Lease     string     `json:"lease"`
	Takeovers []Takeover `json:"takeovers"`
	Events    []Entry    `json:"events"`
}

// HistoryOf reads the events of one lease, in whatever order they come.
func HistoryOf(leaseName string, events []notice.Event) History {
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b notice.Event) int { return int(min(1, max(-1, a.ID-b.ID))) })
	h := History{Lease: leaseName, Takeovers: []Takeover{}, Events: []Entry{}}
	var s story
	for _, e := range events {
		d := document(e)
		h.Events = append(h.Events, Entry{ID: e.ID, At: e.At, Instance: e.Instance, Epoch: e.Epoch, Kind: e.Kind, Text: d.words()})
		s.tell(e, d.Document)
	}
	h.Takeovers = append(h.Takeovers, s.takeovers()...)
	return h
}

// story is the terms of a lease as its events tell them.
type story struct {
	terms  map[uint64]*term
	newest uint64 // greatest epoch that was claimed so far
}

// term is one holder's time.
type term struct {
	epoch   uint64
	holder  string
	claimed time.Time
	silence time.Duration // age of the row when it was claimed; zero where not told
	ready   time.Time     // first time; zero: never
	served  bool          // it was ready at some time, be it before the events that were read
	down    time.Time     // since when it has not been ready, where it had been
	cause   Cause         // why it has not been ready
	detail  string
	planned bool // a switchover was accepted
	ended   bool // nothing more will come of it
	resumes []Takeover
}

// tell adds one event. Those that do not belong to a term are for the list of events only.
func (s *story) tell(e notice.Event, d agent.Document) {
	switch e.Kind {
	case agent.EventClaimed, agent.EventStarted, agent.EventReady, agent.EventUnready, agent.EventExited, agent.EventStopping,
		agent.EventStopped, agent.EventFencing, agent.EventFenced, agent.EventReleased, agent.EventLost, agent.EventFailed, agent.EventSwitchover:
	default:
		return
	}
	if s.terms == nil {
		s.terms = map[uint64]*term{}
	}
	t := s.terms[e.Epoch]
	if t == nil {
		t = &term{epoch: e.Epoch, holder: e.Instance}
		s.terms[e.Epoch] = t
	}
	if e.Epoch < s.newest {
		t.tellLate(e, d)
		return
	}
	s.newest = e.Epoch
	t.tell(e, d)
}

func (t *term) tell(e notice.Event, d agent.Document) {
	switch e.Kind {
	case agent.EventClaimed:
		t.holder, t.claimed, t.silence = e.Instance, e.At, fromSeconds(d.Seconds)
	case agent.EventReady:
		t.becameReady(e)
	case agent.EventSwitchover:
		t.planned = true
		if t.cause == CauseStopped {
			t.cause = CausePlanned // written a moment too late
		}
	case agent.EventUnready:
		t.served = true // only a node that was ready stops being so
		t.fell(e, "", "")
	case agent.EventExited, agent.EventFailed:
		t.fell(e, CauseNode, reason(d))
	case agent.EventStopping:
		cause := CauseStopped
		if t.planned {
			cause = CausePlanned
		}
		t.fell(e, cause, reason(d))
	case agent.EventLost, agent.EventFencing:
		t.fell(e, CauseDatabase, reason(d))
	case agent.EventStopped, agent.EventFenced, agent.EventReleased:
		t.ended = true
	}
}

// tellLate takes in what a former holder wrote after another had claimed: when it was written says nothing about when
// it happened.
func (t *term) tellLate(e notice.Event, d agent.Document) {
	if (e.Kind == agent.EventLost || e.Kind == agent.EventFencing) && t.cause == "" {
		t.cause, t.detail = CauseCutOff, reason(d)
	}
}

// fell notes that the node is not ready any more. The first cause that is named counts: what follows are its effects.
func (t *term) fell(e notice.Event, c Cause, detail string) {
	if t.served && t.down.IsZero() {
		t.down = e.At
	}
	if t.cause == "" {
		t.cause, t.detail = c, detail
	}
}

func (t *term) becameReady(e notice.Event) {
	if t.served && !t.down.IsZero() {
		back := Takeover{At: e.At, From: t.holder, To: t.holder, Epoch: t.epoch, Restart: true, Cause: t.cause, Detail: t.detail, Ready: true}
		back.measure(t.down, e.At, Exact)
		t.resumes = append(t.resumes, back)
	}
	if t.ready.IsZero() {
		t.ready = e.At
	}
	t.served, t.down, t.cause, t.detail, t.ended = true, time.Time{}, "", "", false
}

// reason prefers why to what.
func reason(d agent.Document) string {
	if d.Cause != "" {
		return d.Cause
	}
	return d.Text
}

func (k *Takeover) measure(from, to time.Time, b Bound) {
	down := seconds(max(0, to.Sub(from)))
	k.DownSeconds, k.Bound = &down, b
}

// outage is a time in which no node was ready; the zero value is none that is known of.
type outage struct {
	since time.Time
	bound Bound
}

// takeovers pairs each term with the one before it. A term whose node never became ready prolongs the outage.
func (s *story) takeovers() (all []Takeover) {
	epochs := make([]uint64, 0, len(s.terms))
	for epoch := range s.terms {
		epochs = append(epochs, epoch)
	}
	slices.Sort(epochs)
	var before *term
	var down outage
	for i, epoch := range epochs {
		t := s.terms[epoch]
		if !t.claimed.IsZero() {
			down = outageBetween(before, t, down)
			k := change(before, t)
			k.Ended = t.ended || i < len(epochs)-1
			if k.Ready && !down.since.IsZero() {
				k.measure(down.since, t.ready, down.bound)
			}
			all = append(all, k)
		}
		all = append(all, t.resumes...)
		if t.served {
			down = outage{}
		}
		before = t
	}
	return all
}

// outageBetween says since when no node is ready as t takes over.
func outageBetween(before, t *term, down outage) outage {
	switch {
	case before == nil || !before.served:
		return down // prolonged, or there was none
	case !before.down.IsZero():
		return outage{before.down, Exact}
	case t.silence > 0:
		return outage{t.claimed.Add(-t.silence), AtMost}
	}
	return outage{t.claimed, AtLeast}
}

func change(before, t *term) Takeover {
	k := Takeover{At: t.claimed, To: t.holder, Epoch: t.epoch, Cause: CauseLost, Ready: !t.ready.IsZero()}
	if k.Ready {
		k.At = t.ready
	}
	switch {
	case before == nil && t.epoch == 1:
		k.Cause = CauseFirst
	case before == nil:
		k.Cause = CauseUnknown
	default:
		k.From, k.Detail = before.holder, before.detail
		if before.cause != "" {
			k.Cause = before.cause
		}
	}
	return k
}

// told is an event's document, or what there is instead of one.
type told struct {
	agent.Document
	raw string // where it could not be read
}

// maxRaw bounds how much of a document that cannot be read is shown.
const maxRaw = 200

func document(e notice.Event) told {
	var d told
	if len(e.Document) == 0 {
		return d
	}
	if err := json.Unmarshal(e.Document, &d.Document); err != nil {
		d = told{raw: oneLine(string(e.Document))}
		if len(d.raw) > maxRaw {
			d.raw = d.raw[:maxRaw] + "..."
		}
	}
	return d
}

// words is the event's text on one line.
func (d told) words() string {
	text := d.Text
	if text == "" {
		text = d.raw
	}
	if d.Cause != "" {
		if text != "" {
			text += ": "
		}
		text += d.Cause
	}
	if d.Seconds > 0 {
		text += " (" + Span(fromSeconds(d.Seconds)) + ")"
	}
	return oneLine(text)
}
