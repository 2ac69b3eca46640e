package agent

import (
	"time"

	"github.com/hotcold/hotcold/internal/clone"
	"github.com/hotcold/hotcold/lease/notice"
)

// TwinsState says whether two machines are alike.
type TwinsState string

// The states of twins.
const (
	// TwinsAlike: they are, but for what does not matter.
	TwinsAlike TwinsState = "alike"
	// TwinsDiffer: they are not.
	TwinsDiffer TwinsState = "differ"
	// TwinsUnknown: the other machine has not told what it has.
	TwinsUnknown TwinsState = "unknown"
)

// Twins is how this machine compares with another.
type Twins struct {
	// Digest stands for what this machine has; empty until it has been listed.
	Digest string `json:"digest,omitempty"`
	Files  int    `json:"files,omitempty"`
	// With is the agent that it was compared with; empty: there is no other.
	With  string     `json:"with,omitempty"`
	State TwinsState `json:"state,omitempty"`
	// Since is when this agent first saw that they differ, ToldAt when the other told what it has.
	Since  time.Time `json:"since,omitzero"`
	ToldAt time.Time `json:"toldAt,omitzero"`
	// Differences are the worst, the first of them; Faults, Warnings and Notes count all.
	Differences []clone.Difference `json:"differences,omitempty"`
	Faults      int                `json:"faults,omitempty"`
	Warnings    int                `json:"warnings,omitempty"`
	Notes       int                `json:"notes,omitempty"`
	// Advice says which command brings what the network signed; empty: none does, or none is needed.
	Advice string `json:"advice,omitempty"`
	// Error says why it is not known now; what else stands here is of the time before.
	Error string `json:"error,omitempty"`

	all []clone.Difference
}

// of fills in what was found.
func (v Twins) of(found []clone.Difference) Twins {
	v.all, v.State = found, TwinsAlike
	for _, d := range found {
		switch d.Weight {
		case clone.Fault:
			v.Faults++
		case clone.Warning:
			v.Warnings++
		default:
			v.Notes++
		}
	}
	if v.Faults+v.Warnings > 0 {
		v.State = TwinsDiffer
	}
	v.Differences = found[:min(len(found), maxDifferencesTold)]
	return v
}

// cut is what can be said where the other machine has too many files to tell them.
func (v Twins) cut(here clone.Manifest, sel, whole clone.Selection, told *Files) Twins {
	if len(sel.Wanted) != len(whole.Wanted) {
		return v // the key stores alone have no digest of their own
	}
	if here.Firm(whole).Digest() == told.Digest {
		return v.of(nil)
	}
	return v.of([]clone.Difference{{Path: ".", Weight: clone.Warning, Text: "some files differ from those of " + v.With + "; there are too many to tell which"}})
}

// twinOf chooses whom to compare with: who had the lease last is right. Where
// that is this agent, or nobody, it is the other one that spoke last.
func twinOf(self, lastHolder string, rows []notice.Instance) string {
	if lastHolder != "" && lastHolder != self {
		return lastHolder
	}
	best := ""
	var age time.Duration
	for _, r := range rows {
		if r.ID != self && (best == "" || r.Age < age) {
			best, age = r.ID, r.Age
		}
	}
	return best
}

// twinSight is what is known when it is decided whether a machine is who the others think.
type twinSight struct {
	self, lastHolder string
	with             string // whom it was compared with
	differences      []clone.Difference
	missing          []string // key stores that are not here
	devMode, allow   bool
}

// twinFaults says why a machine must not take over: its node would be somebody
// else. The machine that had the lease last is right, so that never both are
// kept from it; what is not known keeps nobody from it.
func twinFaults(s twinSight) (faults []string) {
	if s.allow || s.lastHolder == "" || s.lastHolder == s.self {
		return nil
	}
	told := map[string]bool{}
	if s.with == s.lastHolder {
		for _, d := range s.differences {
			if d.Weight == clone.Fault {
				told[d.Path] = true
				faults = append(faults, d.Path+" "+d.Text)
			}
		}
	}
	for _, name := range s.missing {
		if s.devMode && !told[name] {
			faults = append(faults, name+" is missing, and in devMode the node would make itself another identity")
		}
	}
	return faults
}
