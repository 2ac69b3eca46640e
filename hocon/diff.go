package hocon

import (
	"slices"
	"strings"
)

// ChangeKind is what became of a value between two trees.
type ChangeKind int

// The kinds of changes.
const (
	Added   ChangeKind = iota // only the second tree has it
	Removed                   // only the first tree has it
	Changed                   // both have it, and differ
	Unmet                     // a difference was expected, and there is none
)

// String returns the kind's name.
func (k ChangeKind) String() string {
	return [...]string{"added", "removed", "changed", "expected to differ"}[k]
}

// Change is one difference between two trees.
type Change struct {
	Path string
	Kind ChangeKind

	// A and B are the values as text, secrets as ***: that two secrets differ is all
	// that is told of them.
	A, B             string
	AOrigin, BOrigin Origin

	// Expected is set where Expect names the path, or one above it.
	Expected bool
}

// String tells the change in one line.
func (c Change) String() string {
	switch c.Kind {
	case Added:
		return c.Path + ": only the second has " + c.B + " (" + c.BOrigin.String() + ")"
	case Removed:
		return c.Path + ": only the first has " + c.A + " (" + c.AOrigin.String() + ")"
	case Unmet:
		return c.Path + ": was expected to differ, and does not"
	}
	return c.Path + ": " + c.A + " (" + c.AOrigin.String() + ") against " + c.B + " (" + c.BOrigin.String() + ")"
}

// DiffOption changes how two trees are compared.
type DiffOption func(*differ)

// Expect names paths that are to differ, with all that is below them. Such changes
// are marked, and a path at which nothing differs is told as Unmet.
func Expect(paths ...string) DiffOption {
	return func(d *differ) { d.expected = append(d.expected, paths...) }
}

type differ struct{ expected []string }

// Diff compares two trees by meaning, leaf by leaf, and returns the differences
// sorted by path. Scalars are equal when they are after conversion: 20000 is
// "20000", 1.0 is 1, true is "true". What is null is not there. Below a key that ends
// in Properties, nested keys and one key with points in it are the same.
func Diff(a, b *Config, opts ...DiffOption) []Change {
	d := &differ{}
	for _, o := range opts {
		o(d)
	}
	left, right := leavesOf(a), leavesOf(b)
	var out []Change
	for path, v := range left {
		w, ok := right[path]
		switch {
		case !ok:
			out = append(out, Change{Path: path, Kind: Removed, A: v.told(), AOrigin: v.Origin()})
		case !sameMeaning(v, w):
			out = append(out, Change{Path: path, Kind: Changed, A: v.told(), B: w.told(), AOrigin: v.Origin(), BOrigin: w.Origin()})
		}
	}
	for path, w := range right {
		if _, ok := left[path]; !ok {
			out = append(out, Change{Path: path, Kind: Added, B: w.told(), BOrigin: w.Origin()})
		}
	}
	out = d.expect(out)
	slices.SortFunc(out, func(x, y Change) int { return strings.Compare(x.Path, y.Path) })
	return out
}

// expect marks the changes that were expected and adds those that are not there.
func (d *differ) expect(changes []Change) []Change {
	told := map[string]bool{}
	for _, written := range d.expected {
		path := written
		if keys, err := splitPath(written); err == nil {
			path = joinPath(alike(keys))
		}
		met := false
		for i := range changes {
			if c := &changes[i]; c.Kind != Unmet && (c.Path == path || strings.HasPrefix(c.Path, path+".")) {
				c.Expected, met = true, true
			}
		}
		if !met && !told[path] {
			told[path] = true
			changes = append(changes, Change{Path: path, Kind: Unmet})
		}
	}
	return changes
}

// told is a leaf as text.
func (v Value) told() string { return string(v.JSON()) }

// leavesOf returns every leaf by its path.
func leavesOf(c *Config) map[string]Value {
	leaves := map[string]Value{}
	var walk func(v Value)
	walk = func(v Value) {
		n := v.at().node
		switch {
		case n.kind == nodeNull:
		case n.kind == nodeObject && len(n.obj.fields) > 0:
			for i := range n.obj.fields {
				walk(v.child(&n.obj.fields[i]))
			}
		case n.kind == nodeList && len(n.list) > 0:
			for i := range n.list {
				walk(v.element(i))
			}
		default:
			keys := v.at().path()
			path := joinPath(alike(keys))
			// Written in both ways, the nested one stands for both.
			if had, ok := leaves[path]; !ok || len(keys) > len(had.at().path()) {
				leaves[path] = v
			}
		}
	}
	if c.root.obj != nil && len(c.root.obj.fields) > 0 {
		walk(c.Root())
	}
	return leaves
}

// alike parts keys at their points below a key that ends in Properties.
func alike(keys []string) []string {
	for i, key := range keys {
		head, _, _ := strings.Cut(key, ".")
		if strings.HasSuffix(head, "Properties") {
			return append(clone(keys[:i]), strings.Split(strings.Join(keys[i:], "."), ".")...)
		}
	}
	return keys
}

// sameMeaning reports whether two leaves are equal after conversion.
func sameMeaning(v, w Value) bool {
	n, m := v.at().node, w.at().node
	if n.kind > nodeString || m.kind > nodeString {
		return n.kind == m.kind // both are empty
	}
	if n.text == m.text {
		return true
	}
	if n.kind == nodeBool || m.kind == nodeBool {
		x, err := v.Bool()
		y, err2 := w.Bool()
		return err == nil && err2 == nil && x == y
	}
	// Two texts are compared as numbers only where one was written as one: 010 and
	// 10 as texts may be codes of something.
	if n.kind != nodeNumber && m.kind != nodeNumber {
		return false
	}
	x, y := trimSpace(n.text), trimSpace(m.text)
	if !looksNumeric(x) || !looksNumeric(y) {
		return false
	}
	p, fault := decimal(x)
	q, fault2 := decimal(y)
	return fault == "" && fault2 == "" && p.Cmp(q) == 0
}
