package hocon

import "fmt"

// extent is the size of a tree when written out.
type extent struct{ bytes, height int }

// measure checks the size of the result, which shares what it copied and so can
// be exponentially larger on paper than in memory.
func (r *resolver) measure(root *node) {
	if !r.root.open {
		return
	}
	m := measurer{known: map[any]extent{}, limit: r.limits}
	total := m.extent(root, 0)
	switch {
	case m.deep:
		r.record(root.fault("", fmt.Sprintf("the resolved tree is nested deeper than %d levels", r.limits.Depth)))
	case total.bytes > r.limits.Output:
		r.record(root.fault("", fmt.Sprintf("the resolved tree is larger than %d bytes: the substitutions copy copies", r.limits.Output)))
	}
}

type measurer struct {
	known map[any]extent
	limit Limits
	deep  bool
}

func (m *measurer) extent(n *node, depth int) extent {
	if n.kind < nodeList {
		return extent{len(n.text) + 3, 0}
	}
	var id any = n.obj
	if n.kind == nodeList {
		if len(n.list) == 0 {
			return extent{2, 0}
		}
		id = &n.list[0]
	}
	e, ok := m.known[id]
	if depth+e.height > m.limit.Depth {
		m.deep = true
		return e
	}
	if ok {
		return e
	}
	for _, element := range n.list {
		e = e.add(m.extent(element, depth+1), m.limit.Output)
	}
	if n.kind == nodeObject {
		for i := range n.obj.fields {
			f := &n.obj.fields[i]
			e = e.add(m.extent(f.node, depth+1), m.limit.Output)
			e.bytes += len(f.key) + 4
		}
	}
	m.known[id] = e
	return e
}

// add adds a child's extent. What exceeds the limit grows no further, so that
// the sum does not overflow.
func (e extent) add(child extent, limit int) extent {
	e.bytes = min(e.bytes+child.bytes+1, limit+1)
	e.height = max(e.height, child.height+1)
	return e
}
