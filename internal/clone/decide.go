package clone

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Kind is what is done with a file.
type Kind string

// The kinds of steps.
const (
	// Make: it is not there.
	Make Kind = "new"
	// Replace: what is there is another.
	Replace Kind = "replace"
	// Permit: only its permissions differ.
	Permit Kind = "permissions"
	// Delete: it is not on the side that is copied from.
	Delete Kind = "delete"
	// Keep: it is there, and not on the side that is copied from; nobody asked for it to be deleted.
	Keep Kind = "keep"
	// Same: nothing is to be done.
	Same Kind = "same"
)

// Step is what is to be done with one file.
type Step struct {
	Kind Kind `json:"kind"`
	// Entry is what it shall be; of a file that is deleted or kept, what it is.
	Entry
}

// Intent is what whoever asked wants.
type Intent struct {
	// Delete removes what the side that is copied from does not have.
	Delete bool
	// ReplaceIdentity lets key stores with another identity be replaced.
	ReplaceIdentity bool
	// From and To name the sides for people.
	From, To string
}

// Refusal says why nothing is copied.
type Refusal struct {
	Path string
	Text string
	// Identity: the other side has another identity, and it can be asked for that it is replaced.
	Identity bool
}

// Decide says what is to be done so that a side becomes like another, in the order
// in which it is done: keys and parameters last, so that an interruption leaves no
// new identity among old code. A refusal means that nothing may be done.
func Decide(from, to Manifest, sel Selection, i Intent) ([]Step, []Refusal) {
	refusals := refusals(from, to, sel, i)
	var steps []Step
	for _, e := range from.Entries {
		e.Mode = sel.modeFor(e)
		if e.Link != "" {
			e.Mode = 0
		}
		was, ok := to.At(e.Path)
		s := Step{Same, e}
		switch {
		case !ok && slices.Contains(to.Dirs, e.Path+"/"):
			refusals = append(refusals, Refusal{Path: e.Path, Text: fmt.Sprintf("is a directory on %s and a file on %s: move it away first", i.To, i.From)})
		case !ok:
			s.Kind = Make
		case was.Link != e.Link || was.SHA256 != e.SHA256:
			s.Kind = Replace
		case e.Link == "" && was.Mode != e.Mode:
			s.Kind = Permit
		}
		steps = append(steps, s)
	}
	for _, e := range to.Entries {
		if _, ok := from.At(e.Path); ok {
			continue
		}
		kind := Keep
		if i.Delete && !sel.identity(e.Path) {
			kind = Delete
		}
		steps = append(steps, Step{kind, e})
	}
	last := func(s Step) int {
		switch {
		case s.Kind == Delete:
			return 2
		case sel.identity(s.Path) || !strings.Contains(s.Path, "/"):
			return 1
		}
		return 0
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return last(a) - last(b) })
	return steps, refusals
}

// refusals are why a side must not be made like another.
func refusals(from, to Manifest, sel Selection, i Intent) (all []Refusal) {
	for _, w := range sel.Missing(from) {
		text := fmt.Sprintf("is not on %s, and a node cannot do without: is this the side to copy from?", i.From)
		all = append(all, Refusal{Path: w.Path, Text: text})
	}
	for _, name := range sel.Identity {
		mine, ours := from.At(name)
		theirs, others := to.At(name)
		switch {
		case !ours && others:
			all = append(all, Refusal{Path: name, Text: fmt.Sprintf("is on %s and not on %s: is this the right direction?", i.To, i.From)})
		case !ours || !others || mine.SHA256 == theirs.SHA256 || i.ReplaceIdentity:
		default:
			if w, text := compareStores(mine, theirs, i.To); w == Fault {
				all = append(all, Refusal{Path: name, Text: fmt.Sprintf("%s (here is %s)", text, i.From), Identity: true})
			}
		}
	}
	return all
}

// parents are the directories that a step needs, the outermost first.
func parents(name string) []string {
	var all []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		all = append([]string{dir}, all...)
	}
	return all
}
