package hocon

import "strings"

// target finds what a substitution refers to without evaluating it: in an
// included file first under the place of the include statement, then from the
// root, then in the environment.
func (r *resolver) target(n *node, v *view) ([]item, error) {
	path := n.ref.path
	items, err := r.find(path, v)
	if err != nil || len(items) > 0 {
		return items, err
	}
	if n.ref.prefix > 0 {
		path = path[n.ref.prefix:]
		items, err = r.find(path, v)
		if err != nil || len(items) > 0 {
			return items, err
		}
	}
	for _, key := range path {
		if strings.Contains(key, ".") {
			return nil, nil
		}
	}
	name := strings.Join(path, ".")
	if text, ok := r.env(name); ok {
		secret := r.secrets.env(name) || r.secrets.along(path)
		return []item{{node: &node{kind: nodeString, text: text, secret: secret, src: &source{name: name, kind: FromEnv}}}}, nil
	}
	return nil, nil
}

// find walks a path from the root, through layers that are not evaluated yet.
func (r *resolver) find(path []string, v *view) ([]item, error) {
	items := []item{{node: r.root, view: v}}
	for _, key := range path {
		next, _, err := r.child(items, key, nil)
		if err != nil || len(next) == 0 {
			return nil, err
		}
		items = next
	}
	return items, nil
}

// child appends the layers that items have under a key. It reports whether a
// layer was met below which nothing counts.
func (r *resolver) child(items []item, key string, out []item) ([]item, bool, error) {
	for _, it := range items {
		var done bool
		var err error
		before := len(out)
		switch it.node.kind {
		case nodeObject:
			out, done, err = r.childOfObject(it, key, out)
		case nodeRef:
			out, done, err = r.childOfRef(it, key, out)
		case nodeConcat:
			out, done, err = r.childOfConcat(it, key, out)
		case nodeBad:
			return append(out, it), true, nil
		default:
			done = true
		}
		secret := it.secret || it.node.kind == nodeRef && r.secrets.along(it.node.ref.path)
		for i := before; secret && i < len(out); i++ {
			out[i].secret = true
		}
		if err != nil || done {
			return out, done, err
		}
	}
	return out, false, nil
}

func (r *resolver) childOfObject(it item, key string, out []item) ([]item, bool, error) {
	f := it.node.obj.find(key)
	if f == nil {
		return out, it.node.sealed, nil
	}
	if !it.node.open {
		n := f.node
		if it.node.via != nil {
			n = n.throughAll(it.node.via)
		}
		n = n.hidden(it.node.secret)
		return append(out, item{node: n}), it.node.sealed || n.barrier(), nil
	}
	for i := r.visible(f, it.view); i < f.layers(); i++ {
		n := f.at(i)
		out = append(out, item{node: n, field: f, layer: i, view: it.view})
		if n.barrier() {
			return out, true, nil
		}
	}
	return out, it.node.sealed, nil
}

func (r *resolver) childOfRef(it item, key string, out []item) ([]item, bool, error) {
	n := it.node
	if known, ok := r.memo[n]; ok {
		if known == nil {
			return out, false, nil
		}
		return r.child([]item{{node: known}}, key, out)
	}
	v := it.inside()
	if !r.spend(n) {
		return append(out, item{node: &node{kind: nodeBad, src: n.src}}), true, nil
	}
	if r.circular(n, v) {
		return nil, false, &circle{n}
	}
	r.nesting++
	defer func() { r.nesting-- }()
	items, err := r.target(n, v.inside(n))
	if err == nil && len(items) > 0 {
		var found []item
		var done bool
		found, done, err = r.child(items, key, out)
		if err == nil {
			return found, done, nil
		}
	}
	switch {
	case n.ref.optional:
		return out, false, nil
	case err != nil && !closes(err, n):
		return nil, false, err
	}
	return append(out, item{node: r.unfound(n, err)}), true, nil
}

// childOfConcat evaluates the pieces: what they make together is not known before.
func (r *resolver) childOfConcat(it item, key string, out []item) ([]item, bool, error) {
	val, err := r.item(it)
	if err != nil || val == nil {
		return out, false, err
	}
	return r.child([]item{{node: val}}, key, out)
}
