package clone

import (
	"fmt"
	"slices"
	"strings"
)

// Weight is what a difference means for a takeover.
type Weight string

// The weights, the worst first.
const (
	// Fault: the node would be somebody else here.
	Fault Weight = "fault"
	// Warning: the node may not start, or may not be the same.
	Warning Weight = "warning"
	// Note: worth knowing, and no more.
	Note Weight = "note"
)

// Difference is one file in which two machines differ.
type Difference struct {
	Path   string `json:"path"`
	Weight Weight `json:"weight"`
	// Text says how they differ, seen from here; Why what it breaks, where that is known.
	Text string `json:"text"`
	Why  string `json:"why,omitempty"`
}

// Compare says in what the manifest of this machine differs from another's, the
// worst first. theirs names the other machine for people. What was left out of
// either manifest is told as a note: whether it differs is not known.
func Compare(here, there Manifest, sel Selection, theirs string) []Difference {
	var all []Difference
	add := func(path string, w Weight, format string, args ...any) {
		all = append(all, Difference{Path: path, Weight: w, Text: fmt.Sprintf(format, args...), Why: sel.why(path)})
	}
	for _, e := range here.Entries {
		other, ok := there.At(e.Path)
		switch {
		case !ok && sel.identity(e.Path):
			add(e.Path, Fault, "is here and missing on %s", theirs)
		case !ok:
			add(e.Path, Warning, "is here and missing on %s", theirs)
		default:
			if d, ok := compare(e, other, sel, theirs); ok {
				d.Why = sel.why(e.Path)
				all = append(all, d)
			}
		}
	}
	for _, e := range there.Entries {
		if _, ok := here.At(e.Path); ok {
			continue
		}
		if sel.identity(e.Path) {
			add(e.Path, Fault, "is missing here and there on %s", theirs)
		} else {
			add(e.Path, Warning, "is missing here and there on %s", theirs)
		}
	}
	for _, left := range here.Left {
		path, why, _ := strings.Cut(left, " ")
		add(path, Note, "%s", why)
	}
	for _, left := range there.Left {
		path, why, _ := strings.Cut(left, " ")
		add(path, Note, "on %s %s", theirs, why)
	}
	for i := range all {
		if anyPart(sel.Loose, all[i].Path) && all[i].Weight == Warning {
			all[i].Weight = Note
		}
	}
	slices.SortStableFunc(all, func(a, b Difference) int { return a.Weight.rank() - b.Weight.rank() })
	return all
}

func (w Weight) rank() int { return slices.Index([]Weight{Fault, Warning, Note}, w) }

// compare says how one file differs.
func compare(here, there Entry, sel Selection, theirs string) (Difference, bool) {
	d := Difference{Path: here.Path, Weight: Warning}
	switch {
	case here.Link != there.Link:
		d.Text = fmt.Sprintf("%s here and %s on %s", here.kind(), there.kind(), theirs)
	case here.SHA256 != there.SHA256 && sel.identity(here.Path):
		d.Weight, d.Text = compareStores(here, there, theirs)
	case here.SHA256 != there.SHA256:
		d.Text = fmt.Sprintf("differs from that of %s (%s here, %s there)", theirs, short(here.SHA256), short(there.SHA256))
	case here.Link == "" && sel.modeFor(here) != sel.modeFor(there):
		d.Weight, d.Text = Note, fmt.Sprintf("has permissions %v here and %v on %s", here.Mode, there.Mode, theirs)
	default:
		return d, false
	}
	return d, true
}

func (e Entry) kind() string {
	if e.Link != "" {
		return "is a link to " + e.Link
	}
	return "is a file"
}

func short(digest string) string { return digest[:min(len(digest), 12)] }

// compareStores says how two key stores differ. Another public key is another
// identity. A certificate that was issued anew for the same key is not. Where
// one cannot be opened, nobody can say that they are the same.
func compareStores(here, there Entry, theirs string) (Weight, string) {
	if here.Keys == nil || there.Keys == nil {
		why := here.Closed
		if here.Keys != nil {
			why = there.Closed
		}
		return Fault, fmt.Sprintf("differs from that of %s, and what is in it is not known (%s)", theirs, why)
	}
	var mine, others []Key
	for _, k := range here.Keys {
		if !slices.ContainsFunc(there.Keys, func(o Key) bool { return o.Public == k.Public && o.Trusted == k.Trusted }) {
			mine = append(mine, k)
		}
	}
	for _, k := range there.Keys {
		if !slices.ContainsFunc(here.Keys, func(o Key) bool { return o.Public == k.Public && o.Trusted == k.Trusted }) {
			others = append(others, k)
		}
	}
	switch {
	case len(mine)+len(others) > 0:
		return Fault, fmt.Sprintf("holds another identity than on %s: %s here, %s there", theirs, fingerprints(mine), fingerprints(others))
	case slices.Equal(here.Keys, there.Keys):
		return Note, fmt.Sprintf("is written otherwise than on %s, and holds the same keys and certificates", theirs)
	}
	return Warning, fmt.Sprintf("holds the same keys as on %s with certificates that were issued anew: %s here, %s there",
		theirs, fingerprints(here.Keys), fingerprints(there.Keys))
}

// maxFingerprints is how many a person is shown of one store.
const maxFingerprints = 4

func fingerprints(keys []Key) string {
	if len(keys) == 0 {
		return "none"
	}
	var all []string
	for _, k := range keys[:min(len(keys), maxFingerprints)] {
		all = append(all, Fingerprint(k.Certificate))
	}
	if more := len(keys) - maxFingerprints; more > 0 {
		all = append(all, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(all, ", ")
}

// why is what breaks without a file, where somebody said it.
func (s Selection) why(name string) string {
	for _, w := range s.Wanted {
		one := Selection{Wanted: []Wanted{w}}
		if one.lists(name) {
			return w.Why
		}
	}
	return ""
}

// modeFor is what the permissions of a file shall be: a secret is for its owner only.
func (s Selection) modeFor(e Entry) Mode {
	if s.secret(e.Path) {
		return e.Mode & 0o600
	}
	return e.Mode & 0o777
}

// Missing says which of what a node cannot do without is not in a manifest. A
// directory may be empty, unless the node's keys belong into it.
func (s Selection) Missing(m Manifest) []Wanted {
	var missing []Wanted
	for _, w := range s.Wanted {
		one := Selection{Wanted: []Wanted{w}}
		there := slices.ContainsFunc(m.Entries, func(e Entry) bool { return one.lists(e.Path) }) ||
			slices.Contains(m.Dirs, w.Path) && !slices.ContainsFunc(s.Identity, one.lists)
		if w.Required && !there {
			missing = append(missing, w)
		}
	}
	return missing
}
