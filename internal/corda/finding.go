package corda

import (
	"cmp"
	"slices"

	"github.com/hotcold/hotcold/hocon"
)

// Severity says how bad a finding is.
type Severity string

// The severities.
const (
	// Error is what keeps the node from starting, or the pair from working.
	Error Severity = "error"
	// Warning is what can be used and is probably not meant.
	Warning Severity = "warning"
)

// Finding is one fault of a file: where, what was read, and what would be right.
type Finding struct {
	Severity Severity
	// Rule is a word that stands for the kind of fault, for machines.
	Rule string
	Pos  hocon.Pos
	Path string
	// Text says what was read and why it is wrong.
	Text string
	// Mend says what would be right; empty where the text says it.
	Mend string
}

// String is "node.conf:12:5: path: text; mend", without what is empty.
func (f Finding) String() string {
	text := f.Text
	if f.Mend != "" {
		text += "; " + f.Mend
	}
	if f.Path != "" {
		text = f.Path + ": " + text
	}
	if f.Pos != (hocon.Pos{}) {
		text = f.Pos.String() + ": " + text
	}
	return text
}

// Sort puts findings in the order of the text. Of several at one value the worst stays: the others follow from it.
func Sort(all []Finding) []Finding {
	rank := func(f Finding) int {
		if f.Severity == Error {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Col, b.Pos.Col),
			cmp.Compare(a.Path, b.Path), rank(a)-rank(b))
	})
	return slices.CompactFunc(all, func(a, b Finding) bool { return a.Pos == b.Pos && a.Path == b.Path })
}

// FromErrors makes findings of what was wrong with a file.
func FromErrors(all hocon.Errors) []Finding {
	var found []Finding
	for _, e := range all {
		found = append(found, Finding{Severity: Error, Rule: "file", Pos: e.Pos, Path: e.Path, Text: e.Text})
	}
	return found
}
