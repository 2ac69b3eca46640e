package hocon

import "errors"

// circle says that a substitution was needed for finding itself. It rises to the
// nearest optional substitution on the way, which is undefined then, or else to
// the one that it names, which is at fault.
type circle struct{ ref *node }

func (c *circle) Error() string { return "circle of substitutions" }

// closes reports whether err is a circle through ref.
func closes(err error, ref *node) bool {
	var c *circle
	return errors.As(err, &c) && c.ref == ref
}

// view is what a substitution can see, as a chain of what it is inside of. Each
// link is either a field or a substitution.
//
// While a layer of a field is evaluated, the field consists of the layers below
// it: that is how a = ${a}":b" finds the earlier a. While a substitution is
// evaluated, coming to it again makes a circle.
type view struct {
	field *field
	from  int // the first layer of field that is visible

	ref *node

	up    *view
	depth int
}

func (v *view) level() int {
	if v == nil {
		return 0
	}
	return v.depth
}

// below returns the view from inside a layer of a field. A field with but one
// layer is not hidden: coming back to it comes back to its substitution too.
func (v *view) below(f *field, layer int) *view {
	if f.layers() == 1 {
		return v
	}
	return &view{field: f, from: layer + 1, up: v, depth: v.level() + 1}
}

// inside returns the view from inside a substitution.
func (v *view) inside(ref *node) *view {
	return &view{ref: ref, up: v, depth: v.level() + 1}
}

// item is a layer of a field as found by a lookup, and the view it was found in.
type item struct {
	node  *node
	field *field // nil when node does not belong to a field that may look back
	layer int
	view  *view

	secret bool // it was found by way of a secret place
}

// inside returns the view from inside the layer.
func (it item) inside() *view {
	if it.field != nil && (it.node.kind == nodeRef || it.node.kind == nodeConcat) {
		return it.view.below(it.field, it.layer)
	}
	return it.view
}

// visible returns the first layer of a field that the view shows.
func (r *resolver) visible(f *field, v *view) int {
	for ; v != nil; v = v.up {
		if v.field == f {
			r.free = min(r.free, v.depth)
			return v.from
		}
	}
	return 0
}

// circular reports whether a substitution is being evaluated already. If some
// field has come to look back since, the question is a new one.
func (r *resolver) circular(ref *node, v *view) bool {
	for hidden := false; v != nil; v = v.up {
		if v.ref == ref {
			r.free = min(r.free, v.depth)
			r.circles++
			return !hidden
		}
		hidden = hidden || v.field != nil
	}
	return false
}
