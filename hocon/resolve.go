package hocon

import "fmt"

// Layers are documents that are resolved together as one tree, the one of the
// highest priority first: command line, environment, file, defaults.
type Layers []*Document

// ResolveOption changes how layers are resolved.
type ResolveOption func(*resolver)

// Env sets where substitutions look for what no layer has, for which a process
// passes os.LookupEnv. Without it there is no environment.
func Env(lookup func(name string) (string, bool)) ResolveOption {
	return func(r *resolver) { r.env = lookup }
}

// WithSecrets sets what is a secret, DefaultSecrets otherwise.
func WithSecrets(s Secrets) ResolveOption {
	return func(r *resolver) { r.secrets = s }
}

// Resolve lays the layers over each other and then resolves every substitution,
// once, over the whole. The layers stay as they are. The error, if any, is of
// type Errors.
func Resolve(l Layers, opts ...ResolveOption) (*Config, error) {
	return newResolver(opts).resolve(l)
}

func newResolver(opts []ResolveOption) *resolver {
	r := &resolver{
		env:    func(string) (string, bool) { return "", false },
		limits: Limits{}.withDefaults(),
		memo:   map[*node]*node{},
		fields: map[fieldKey]answer{},
		told:   map[*node]bool{},
		free:   noView,

		secrets: DefaultSecrets(),
	}
	for _, o := range opts {
		o(r)
	}
	return r
}

func (r *resolver) resolve(l Layers) (*Config, error) {
	r.lay(l)
	root, err := r.value(r.root, nil)
	if err != nil { // a circle that no substitution closes cannot be
		r.record(r.root.fault("", "the substitutions make a circle"))
	}
	if len(r.errs) == 0 {
		r.measure(root)
	}
	if err := r.errs.or(); err != nil {
		return nil, err
	}
	return &Config{root: root, secrets: r.secrets}, nil
}

// lay makes one tree of the layers, which it does not change.
func (r *resolver) lay(l Layers) {
	r.root = &node{kind: nodeObject, src: &source{}, obj: &object{}}
	r.maxSteps = minSteps
	for i := len(l) - 1; i >= 0; i-- {
		r.maxSteps += stepsPerValue * l[i].values
		if i == len(l)-1 {
			r.root = l[i].root
		} else {
			r.root = merge(l[i].root, r.root)
		}
	}
	if len(l) > 0 {
		r.limits = l[0].limits
	}
}

const (
	// maxNesting bounds the recursion of the resolver: substitutions inside of
	// what substitutions refer to.
	maxNesting = 10_000

	// minSteps and stepsPerValue bound its work. An honest file takes a few steps
	// for each of its values; many optional substitutions that all refer to each
	// other take more than anyone could wait for.
	minSteps      = 2_000_000
	stepsPerValue = 20

	noView = int(^uint(0) >> 1)
)

type fieldKey struct {
	field *field
	from  int
}

// answer is the value of a field and how many of its layers are in it. What is
// below those is shadowed.
type answer struct {
	node *node
	used int
}

// resolver evaluates one tree.
type resolver struct {
	root   *node
	env    func(string) (string, bool)
	limits Limits
	errs   Errors
	told   map[*node]bool

	secrets Secrets

	// memo and fields keep what was evaluated, but only answers that did not
	// depend on the view: without them a chain of pairs costs two to its length.
	memo   map[*node]*node
	fields map[fieldKey]answer

	// free is the lowest level of the views that the answer in the making
	// depended on.
	free int

	nesting  int
	steps    int
	maxSteps int
	made     int // bytes and elements put together so far
	circles  int // how often a substitution was come to while being evaluated
	stopped  bool
}

func (r *resolver) record(e *Error) {
	if len(r.errs) < maxFaults {
		r.errs = append(r.errs, e)
	}
}

// fault records a fault once for each node and returns the node that stands for
// a faulty value.
func (r *resolver) fault(n *node, path []string, format string, args ...any) *node {
	if !r.told[n] {
		r.told[n] = true
		r.record(n.fault(joinPath(path), fmt.Sprintf(format, args...)))
	}
	return &node{kind: nodeBad, src: n.src}
}

// stop ends the run for want of means; what is still evaluated comes out faulty.
func (r *resolver) stop(n *node, format string, args ...any) *node {
	if !r.stopped {
		r.stopped = true
		r.record(n.fault(joinPath(whereOf(n)), fmt.Sprintf(format, args...)))
	}
	return &node{kind: nodeBad, src: n.src}
}

// whereOf returns the path of the field that a substitution stands in.
func whereOf(n *node) []string {
	switch {
	case n.ref != nil:
		return n.ref.at
	case n.kind == nodeConcat || n.kind == nodeList:
		for _, piece := range n.list {
			if at := whereOf(piece); at != nil {
				return at
			}
		}
	}
	return nil
}

// spend counts the work and reports whether there are means for more.
func (r *resolver) spend(n *node) bool {
	r.steps++
	switch {
	case r.stopped:
	case r.steps > r.maxSteps:
		r.stop(n, "resolving takes more than %d steps: too many substitutions refer to each other", r.maxSteps)
	case r.nesting > maxNesting:
		r.stop(n, "substitutions are nested deeper than %d", maxNesting)
	}
	return !r.stopped
}

// keep counts what is put together and reports whether there is room for it.
func (r *resolver) keep(n *node, size int) bool {
	r.made += size
	if r.made > r.limits.Output {
		r.stop(n, "the resolved tree is larger than %d bytes: the substitutions copy copies", r.limits.Output)
	}
	return !r.stopped
}

// value evaluates a node as seen from a view. It returns nil for what is
// undefined: an optional substitution that found nothing.
func (r *resolver) value(n *node, v *view) (*node, error) {
	return r.remember(n, v, v.level())
}

// remember evaluates a node, and keeps the answer if it depended on no link of
// the view up to level.
func (r *resolver) remember(n *node, v *view, level int) (*node, error) {
	if !n.open {
		return n, nil
	}
	if known, ok := r.memo[n]; ok {
		return known, nil
	}
	if !r.spend(n) {
		return &node{kind: nodeBad, src: n.src}, nil
	}
	free := r.free
	r.free = noView
	r.nesting++
	out, err := r.evaluate(n, v)
	r.nesting--
	if err == nil && r.free > level {
		r.memo[n] = out
	}
	r.free = min(r.free, free)
	return out, err
}

func (r *resolver) evaluate(n *node, v *view) (*node, error) {
	switch n.kind {
	case nodeObject:
		return r.object(n, v)
	case nodeList:
		return r.list(n, v)
	case nodeRef:
		return r.reference(n, v)
	}
	return r.concat(n, v)
}

func (r *resolver) object(n *node, v *view) (*node, error) {
	out := *n
	out.open = false
	out.obj = &object{fields: make([]field, 0, len(n.obj.fields))}
	if !r.keep(n, len(n.obj.fields)) {
		return &node{kind: nodeBad, src: n.src}, nil
	}
	for i := range n.obj.fields {
		f := &n.obj.fields[i]
		a, err := r.field(f, v)
		if err != nil {
			return nil, err
		}
		if a.node != nil {
			out.obj.add(f.resolved(a))
		}
	}
	return &out, nil
}

// resolved returns the field with its value known. The layers that the value
// beat stay, as marks of where they stand: they hold no substitutions.
func (f *field) resolved(a answer) field {
	c := field{key: f.key, layer: f.layer}
	if a.node.kind != nodeObject && a.used > 1 {
		c.layer = f.older[len(f.older)-a.used+1]
	}
	c.node = a.node
	for _, l := range f.older[:f.layers()-a.used] {
		if l.node.open {
			l.node = l.node.mark()
		}
		c.older = append(c.older, l)
	}
	return c
}

func (r *resolver) list(n *node, v *view) (*node, error) {
	out := *n
	out.open = false
	out.list = make([]*node, 0, len(n.list))
	for _, element := range n.list {
		val, err := r.value(element, v)
		if err != nil {
			return nil, err
		}
		if val != nil {
			out.list = append(out.list, val)
		}
	}
	return &out, nil
}

// field evaluates a field: its layers from the newest down, objects merged, to
// the first that is no object.
func (r *resolver) field(f *field, v *view) (answer, error) {
	from := r.visible(f, v)
	if f.layers() == 1 {
		n, err := r.item(item{node: f.node, field: f, view: v})
		return answer{n, 1}, err
	}
	key := fieldKey{f, from}
	if known, ok := r.fields[key]; ok {
		return known, nil
	}
	free := r.free
	r.free = noView
	var items []item
	for i := from; i < f.layers(); i++ {
		items = append(items, item{node: f.at(i), field: f, layer: i, view: v})
	}
	a, err := r.items(items)
	a.used += from
	if err == nil && r.free > v.level() {
		r.fields[key] = a
	}
	r.free = min(r.free, free)
	return a, err
}

// item evaluates one layer of a field. Only substitutions and concatenations
// look back, to the layers below; an object or a list sees the whole. Looking
// back is part of what such a layer is, so it does not keep the answer from
// being remembered.
func (r *resolver) item(it item) (*node, error) {
	return r.remember(it.node, it.inside(), it.view.level())
}

// items evaluates layers and lays them over each other. Layers below the one
// that decides are evaluated too, for their faults, as the reference
// implementation does: it would refuse what is hidden by a substitution only.
func (r *resolver) items(items []item) (answer, error) {
	a := answer{used: len(items)}
	decided := false
	for i, it := range items {
		val, err := r.item(it)
		switch {
		case err != nil:
			return answer{}, err
		case val == nil:
			continue
		case val.kind == nodeBad:
			return answer{val, i + 1}, nil
		case decided:
		case val.kind != nodeObject:
			decided = true
			if a.node == nil {
				a = answer{val, i + 1}
			} else {
				a = answer{a.node.seal(), i}
			}
		case a.node == nil:
			a.node = val
		case !r.keep(val, len(a.node.obj.fields)+len(val.obj.fields)):
			return answer{&node{kind: nodeBad, src: val.src}, i + 1}, nil
		default:
			a.node = merge(a.node, val)
		}
		if !decided && a.node.sealed {
			decided = true
			a.used = i + 1
		}
		if it.node.barrier() {
			break
		}
	}
	return a, nil
}

// reference evaluates a substitution.
func (r *resolver) reference(n *node, v *view) (*node, error) {
	if r.circular(n, v) {
		return nil, &circle{n}
	}
	var a answer
	items, err := r.target(n, v.inside(n))
	if err == nil {
		a, err = r.items(items)
	}
	switch {
	case a.node != nil && a.node.kind == nodeBad:
		return a.node, nil
	case a.node != nil:
		secret := r.secrets.along(n.ref.path) || n.ref.prefix > 0 && r.secrets.along(n.ref.path[n.ref.prefix:])
		for _, it := range items {
			secret = secret || it.secret
		}
		return a.node.through(n).hidden(secret), nil
	case n.ref.optional:
		return nil, nil
	case err != nil && !closes(err, n):
		return nil, err
	}
	return r.unfound(n, err), nil
}

// unfound records the fault of a required substitution without a value.
func (r *resolver) unfound(n *node, err error) *node {
	if err != nil {
		return r.fault(n, n.ref.at, "%s refers back to itself: the substitutions make a circle", n.ref)
	}
	return r.fault(n, n.ref.at, "%s", r.nothing(n.ref))
}

// nothing says that a substitution found nothing, and what may have been meant.
func (r *resolver) nothing(ref *ref) string {
	text := fmt.Sprintf("%s refers to nothing: there is no such key, and no environment variable of that name", ref)
	o := r.root.obj
	path := ref.path[ref.prefix:]
	for i, key := range path {
		f := o.find(key)
		if f == nil {
			var known []string
			for j := range o.fields {
				known = append(known, o.fields[j].key)
			}
			if near, ok := Nearest(key, known); ok {
				return text + "; did you mean " + joinPath(append(clone(path[:i]), near)) + "?"
			}
			break
		}
		if f.node.kind != nodeObject {
			break
		}
		o = f.node.obj
	}
	return text
}

// concat evaluates the pieces of a concatenation and joins them.
func (r *resolver) concat(n *node, v *view) (*node, error) {
	var pieces []*node
	var bad *node
	size := 0
	for _, piece := range n.list {
		val, err := r.value(piece, v)
		if err != nil {
			return nil, err
		}
		if val == nil {
			continue
		}
		if val.kind == nodeBad {
			bad = val // and go on, so that the faults of all pieces are told
			continue
		}
		size += len(val.text) + len(val.list)
		if val.kind == nodeObject {
			size += len(val.obj.fields)
		}
		pieces = append(pieces, val)
	}
	if bad != nil {
		return bad, nil
	}
	if !r.keep(n, size) {
		return &node{kind: nodeBad, src: n.src}, nil
	}
	joined, e := join(pieces)
	if e != nil {
		return r.fault(n, whereOf(n), "%s", e.Text), nil
	}
	if len(joined) == 0 {
		return nil, nil
	}
	return joined[0], nil
}
