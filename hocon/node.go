package hocon

// nodeKind is the type of a node. The first six are those of values; ref and
// concat await resolution.
type nodeKind uint8

const (
	nodeNull nodeKind = iota
	nodeBool
	nodeNumber
	nodeString
	nodeList
	nodeObject
	nodeRef    // a substitution
	nodeConcat // values side by side, at least one of them unknown so far
	nodeBad    // what a faulty substitution gives; it silences later faults
)

// node is one value, parsed or resolved. Once parsing has ended a node is never
// changed, so resolved trees share what needed no resolving.
type node struct {
	kind nodeKind

	// bare marks text that had no quotes. Beside an object or a list such text
	// is dropped, where quoted text is a fault.
	bare bool

	// open marks a node that holds a substitution somewhere below.
	open bool

	// secret marks a value that came from a secret place. It says nothing of the
	// place where it stands now.
	secret bool

	// stale marks an object, while it is parsed, in which a value with a
	// substitution was beaten: open may say too much.
	stale bool

	// sealed marks an object that has beaten a value of another kind. Nothing below
	// it merges into it, not even where a substitution copies it to.
	sealed bool

	line, col int32
	src       *source
	text      string  // a scalar as written; a string without quotes and escapes
	list      []*node // the elements of a list, the pieces of a concatenation
	obj       *object
	ref       *ref
	via       *via // the substitutions a resolved value came through
}

// source is a file, or another place that values come from.
type source struct {
	name string     // of the file; of the variable if kind is FromEnv
	kind OriginKind // what kind of place it is
	from []Pos      // the include statements that led here, innermost first
}

// ref is what a substitution refers to.
type ref struct {
	path     []string
	optional bool

	// prefix is how many leading elements of path come from the place of an
	// include statement. The path is tried with them first and then without.
	prefix int

	at []string // the path of the field the substitution stands in
}

// via is a chain of substitutions, the outermost first.
type via struct {
	node *node
	next *via
}

func (n *node) pos() Pos {
	if n.src.kind == FromEnv {
		return Pos{}
	}
	return Pos{File: n.src.name, Line: int(n.line), Col: int(n.col)}
}

// fault makes an error at the node.
func (n *node) fault(path, text string) *Error {
	return &Error{Pos: n.pos(), Path: path, Text: text, IncludedFrom: n.src.from}
}

// hidden returns n as a secret.
func (n *node) hidden(secret bool) *node {
	if !secret || n.secret {
		return n
	}
	c := *n
	c.secret = true
	return &c
}

// through returns n as seen through the substitution at ref.
func (n *node) through(ref *node) *node {
	c := *n
	c.via = &via{node: ref, next: n.via}
	return &c
}

// throughAll returns n as seen through a chain of substitutions.
func (n *node) throughAll(v *via) *node {
	if v == nil {
		return n
	}
	return n.throughAll(v.next).through(v.node)
}

// layer is one of the values that were written for a key.
type layer struct {
	node    *node
	keyLine int32
	keyCol  int32
	keySrc  *source
}

// field is a key with every value that was written for it.
type field struct {
	key   string
	layer         // the newest value, which beats the older ones or merges over them
	older []layer // the values before it, the oldest first
}

func (f *field) keyPos() Pos {
	if f.keySrc == nil || f.keySrc.kind == FromEnv {
		return Pos{}
	}
	return Pos{File: f.keySrc.name, Line: int(f.keyLine), Col: int(f.keyCol)}
}

// layers returns how many values the field has.
func (f *field) layers() int { return 1 + len(f.older) }

// at returns the field's i-th value, the newest being 0.
func (f *field) at(i int) *node {
	if i == 0 {
		return f.node
	}
	return f.older[len(f.older)-i].node
}

// barrier reports whether nothing below the node as a layer can count.
func (n *node) barrier() bool {
	if n.kind == nodeObject {
		return n.sealed
	}
	return !n.open
}

// seal returns the object with nothing below it counting any more.
func (n *node) seal() *node {
	if n.sealed {
		return n
	}
	c := *n
	c.sealed = true
	return &c
}

// mark returns a node that only marks where n stands.
func (n *node) mark() *node {
	return &node{kind: nodeNull, line: n.line, col: n.col, src: n.src}
}

// delayed reports whether the field is more than its newest value: what lies
// below may show through once it is known. The reference implementation then
// evaluates all of it, hidden or not.
func (f *field) delayed() bool { return len(f.older) > 0 && !f.node.barrier() }

// open reports whether a substitution is among the values that count.
func (f *field) open() bool {
	for i := range f.layers() {
		n := f.at(i)
		if n.open {
			return true
		}
		if n.barrier() {
			return false
		}
	}
	return false
}

// open reports whether a substitution is among the values that count.
func (o *object) open() bool {
	for i := range o.fields {
		if o.fields[i].open() {
			return true
		}
	}
	return false
}

// refresh finds out anew whether a stale object is open.
func (n *node) refresh() {
	if n.kind != nodeObject || !n.stale {
		return
	}
	n.stale = false
	for i := range n.obj.fields {
		n.obj.fields[i].node.refresh()
	}
	n.open = n.obj.open()
}

// beat marks what a newer value does to the field's value: a closed object that
// beats something else merges with nothing below it from then on, and an open
// list below it is let go. Whatever the list turns out to hold cannot count, so the
// reference implementation does not resolve it, unless it is part of a stack.
func (f *field) beat(newer *node, stacked bool) {
	if newer.kind != nodeObject || newer.open {
		return
	}
	switch {
	case f.node.kind == nodeList && f.node.open && !stacked && !f.delayed():
		f.node = f.node.mark()
		newer.sealed = true
	case f.node.barrier() && f.node.kind != nodeObject:
		newer.sealed = true
	}
}

// push puts a newer value on the field. An object over an object merges into it
// at once, so nodes under construction must not be shared. Inside of an object
// that is stacked on values to be resolved nothing is let go.
func (f *field) push(l layer, stacked bool) {
	if l.node.kind != nodeObject || f.node.kind != nodeObject {
		f.beat(l.node, stacked)
		f.older = append(f.older, f.layer)
		f.layer = l
		return
	}
	into := f.node
	if l.node.sealed {
		f.older = append(f.older, f.layer)
		f.layer = l
		return
	}
	into.open = into.open || l.node.open
	stacked = stacked || f.delayed()
	for i := range l.node.obj.fields {
		into.obj.put(&l.node.obj.fields[i], stacked)
	}
}

// object is a list of fields in the order in which their keys first appeared.
type object struct {
	fields []field
	index  map[string]int32 // from key to field, once there are many
}

// manyFields is where looking a key up in a map beats comparing one by one.
const manyFields = 12

// find returns the field of a key, or nil.
func (o *object) find(key string) *field {
	if o.index != nil {
		if i, ok := o.index[key]; ok {
			return &o.fields[i]
		}
		return nil
	}
	for i := range o.fields {
		if o.fields[i].key == key {
			return &o.fields[i]
		}
	}
	return nil
}

// add appends a field whose key is new.
func (o *object) add(f field) *field {
	o.fields = append(o.fields, f)
	n := len(o.fields)
	switch {
	case o.index != nil:
		o.index[f.key] = int32(n - 1)
	case n > manyFields:
		o.index = make(map[string]int32, 2*n)
		for i := range o.fields {
			o.index[o.fields[i].key] = int32(i)
		}
	}
	return &o.fields[n-1]
}

// set puts a newer value on a key.
func (o *object) set(key string, l layer, stacked bool) *field {
	if f := o.find(key); f != nil {
		f.push(l, stacked)
		return f
	}
	return o.add(field{key: key, layer: l})
}

// put puts all values of a newer field on its key, the oldest first.
func (o *object) put(newer *field, stacked bool) {
	f := o.find(newer.key)
	if f == nil {
		o.add(*newer)
		return
	}
	if newer.delayed() {
		f.stack(newer)
		return
	}
	for _, l := range newer.older {
		f.push(l, stacked)
	}
	f.push(newer.layer, stacked)
}

// stack puts the values of a newer field that is a stack itself on the field, each
// as it is: what is at the top has yet to show what becomes of the others.
func (f *field) stack(newer *field) {
	older := make([]layer, 0, len(f.older)+1+len(newer.older))
	f.older = append(append(append(older, f.older...), f.layer), newer.older...)
	f.layer = newer.layer
}
