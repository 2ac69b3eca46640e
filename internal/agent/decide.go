package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/notice"
)

// Restart says how often a node that failed is started again on this machine.
type Restart struct {
	// Attempts is how many restarts in a row are tried; zero hands over at once.
	Attempts int
	// Backoff is the wait before the first restart; it doubles up to MaxBackoff.
	Backoff, MaxBackoff time.Duration
	// ResetAfter is how long a node has to be ready until earlier failures are forgotten.
	ResetAfter time.Duration
}

// Failover says how often a failing node is handed from machine to machine.
type Failover struct {
	// Budget is how many hand-overs because of failure are made in a row;
	// then all agents wait for a person.
	Budget int
	// Window is how long a node has to be ready until they are forgotten.
	Window time.Duration
}

// PlannedExit is an end of the node which asks to be started again right here.
type PlannedExit struct {
	Code    int
	Line    *regexp.Regexp
	Meaning string
}

// ending is what is known when a node's life is over.
type ending struct {
	reason   string        // why it ended, in words
	planned  bool          // it asked to be started again here (see PlannedExit)
	hopeless bool          // a restart here cannot help: the command is not there
	fenced   bool          // its guard ended it, because nobody told it that the node may live on
	ready    bool          // it had become ready
	served   time.Duration // for how long it was ready
}

// streak counts what happened in a row during one term.
type streak struct {
	failures int
	planned  int
}

// next is what becomes of the node after it ended by itself.
type next struct {
	handOver bool
	after    time.Duration // wait before the restart, when handOver is false
	streak   streak
}

// maxPlannedInARow bounds restarts that the node itself asks for: a flag day
// comes once, not three times in a row without the node ever becoming ready.
const maxPlannedInARow = 3

// afterEnd decides between a restart in place and a hand-over.
func afterEnd(p Restart, s streak, e ending) next {
	if e.ready && e.served >= p.ResetAfter {
		s = streak{}
	}
	if e.fenced {
		return next{streak: s} // no fault of the node
	}
	if e.planned {
		if e.ready {
			s.planned = 0
		}
		s.planned++
		if s.planned <= maxPlannedInARow {
			return next{streak: s}
		}
	}
	s.failures++
	if e.hopeless || s.failures > p.Attempts {
		return next{handOver: true, streak: s}
	}
	wait := p.Backoff
	for range s.failures - 1 {
		if wait >= p.MaxBackoff/2 {
			wait = p.MaxBackoff
			break
		}
		wait *= 2
	}
	return next{after: min(wait, max(p.MaxBackoff, p.Backoff)), streak: s}
}

// memo is what one holder leaves for the next in the lease's row.
type memo struct {
	// Failures counts hand-overs because of failure, in a row.
	Failures int `json:"failures,omitempty"`
	// Why is the last of them in words.
	Why string `json:"why,omitempty"`
	// By is the instance where it happened, Epoch the term.
	By    string `json:"by,omitempty"`
	Epoch uint64 `json:"epoch,omitempty"`
}

// The texts of a memo are cut so that it stays below lease.MaxMemoBytes: a byte
// that JSON escapes takes six.
const maxWhyBytes, maxByBytes = 200, 100

func (m memo) encode() string {
	m.Why, m.By = m.Why[:min(len(m.Why), maxWhyBytes)], m.By[:min(len(m.By), maxByBytes)]
	b, err := json.Marshal(m)
	if err != nil {
		panic("encode a memo: " + err.Error()) // strings and a number cannot fail
	}
	return string(b)
}

// decodeMemo reads what another agent left. A memo that cannot be read is as
// good as none: it only limits how often a failing node is handed over.
func decodeMemo(text string) memo {
	var m memo
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return memo{}
	}
	return m
}

// FailedError says that the node failed too often on all machines.
type FailedError struct {
	Failures int
	Why, By  string
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("the node failed %d times in a row, last on %s: %s; mend it and run `hotcold resume`", e.Failures, e.By, e.Why)
}

// standing is what an agent knows when it is asked whether it may claim.
type standing struct {
	paused    string        // who asked for hands off; empty: nobody
	faults    []string      // why this machine could not run the node
	drive     string        // why it could not for want of the shared drive
	twins     []string      // why its node would be somebody else
	unsure    bool          // whether it would is not known yet, and soon will be
	notBefore time.Duration // boot clock: a node that failed here leaves the other machine its chance
	forgiven  uint64        // a person resumed when this was the greatest epoch
	budget    int
}

// failures reads from a memo what counts: what a person has forgiven does not,
// whoever carried it on since.
func (s standing) failures(text string) memo {
	m := decodeMemo(text)
	if m.Epoch <= s.forgiven {
		return memo{}
	}
	return m
}

// unfit is all that keeps the node from running here.
func (s standing) unfit() []string {
	all := append(slices.Clip(s.faults), s.twins...)
	if s.drive != "" {
		all = append([]string{s.drive}, all...)
	}
	return all
}

// chosen tells whether a lease was released for self. A switchover that was
// under way when a person asked for hands off is brought to its end: the node is
// down already.
func chosen(self string, o lease.Observation) bool {
	return o.Exists && o.Record.Released && o.Record.Successor == self
}

// admit decides whether an agent should claim what it saw. The error says why not.
func admit(s standing, chosen bool, o lease.Observation, now time.Duration) error {
	if s.paused != "" && !chosen {
		return &pausedError{by: s.paused}
	}
	if m := s.failures(o.Record.Memo); m.Failures >= s.budget && m.Failures > 0 {
		return &FailedError{Failures: m.Failures, Why: m.Why, By: m.By}
	}
	if faults := s.unfit(); len(faults) > 0 {
		return &unfitError{faults: faults}
	}
	if s.unsure {
		return errUnsure
	}
	return chance(s, now)
}

// errUnsure is why an agent that has just started does not claim yet.
var errUnsure = errors.New("the key stores have not been compared with the other machine's yet")

// chance says why a machine where the node failed does not claim yet.
func chance(s standing, now time.Duration) error {
	if now >= s.notBefore {
		return nil
	}
	return fmt.Errorf("the node failed here: the other machine has its chance for another %v", (s.notBefore - now).Round(time.Second))
}

type pausedError struct{ by string }

func (e *pausedError) Error() string { return "paused by " + e.by }

type unfitError struct{ faults []string }

func (e *unfitError) Error() string {
	if len(e.faults) == 1 {
		return e.faults[0]
	}
	return fmt.Sprintf("%s (and %d more)", e.faults[0], len(e.faults)-1)
}

// outcome is what becomes of a request; all zero: it waits.
type outcome struct {
	grant       bool
	state, text string
}

// switchoverLimit is how long a switchover may wait for somebody who is hot.
// What was asked longer ago is a surprise and not a wish.
const switchoverLimit = 10 * time.Minute

// judgeSwitchover decides about a request for a switchover that this agent is
// not performing at the moment.
func judgeSwitchover(s Snapshot, pausedBy string, r notice.Request) outcome {
	begun := r.State == notice.StateAccepted
	refuse := func(format string, args ...any) outcome {
		return outcome{state: notice.StateRefused, text: fmt.Sprintf(format, args...)}
	}
	switch {
	case s.State == Hot && begun:
		return concludeSwitchover(s, r)
	case s.State == Failed:
		return refuse("nobody is hot: %s", strings.Join(s.Reasons, "; "))
	case pausedBy != "" && (!begun || s.State == Paused):
		return refuse("paused by %s: `hotcold resume` ends that", pausedBy)
	case r.Age > switchoverLimit && (!begun || s.State == Cold && s.Holder == ""):
		return refuse("nobody could do it within %v", switchoverLimit)
	case s.State == Hot:
		return outcome{grant: true}
	}
	return outcome{}
}

// concludeSwitchover answers a switchover that another term accepted, now that
// a node is hot and ready again.
func concludeSwitchover(s Snapshot, r notice.Request) outcome {
	who := r.Target
	switch {
	case who == s.Instance, who == s.Machine, who == "" && r.AcceptedBy != s.Instance:
		return outcome{state: notice.StateDone, text: fmt.Sprintf("%s is hot at epoch %d, its node was ready %.2f s after its start",
			s.Machine, s.Epoch, s.Node.StartSeconds)}
	case who == "":
		who = "the other machine"
	}
	hot := s.Machine + " is hot"
	if r.AcceptedBy == s.Instance {
		hot += " again"
	}
	return outcome{state: notice.StateRefused, text: fmt.Sprintf("%s did not take over; %s at epoch %d", who, hot, s.Epoch)}
}
