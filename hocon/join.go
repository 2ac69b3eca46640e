package hocon

import (
	"sort"
	"strconv"
	"strings"
)

// join joins values that stand side by side: text to text, list to list, object
// over object. Substitutions among them stay pieces of their own.
func join(pieces []*node) ([]*node, *Error) {
	var out []*node
	own := false // the last of out was made here and may be added to
	for i := 0; i < len(pieces); {
		run := textRun(pieces[i:])
		if len(out) == 0 || out[len(out)-1].kind >= nodeRef {
			if run > 1 {
				out = append(out, joinText(pieces[i:i+run]))
				i += run
			} else {
				out = append(out, pieces[i])
				i++
			}
			own = false
			continue
		}
		next := pieces[i]
		i++
		if next.kind >= nodeRef {
			out = append(out, next)
			continue
		}
		last := out[len(out)-1]
		sum, e := joinTwo(last, next, own)
		if e != nil {
			return nil, e
		}
		own = own || sum != last
		out[len(out)-1] = sum
	}
	return out, nil
}

// textRun returns how many scalars pieces begins with.
func textRun(pieces []*node) int {
	for i, n := range pieces {
		if n.kind > nodeString {
			return i
		}
	}
	return len(pieces)
}

// joinText joins scalars to one text. What was joined counts as quoted.
func joinText(run []*node) *node {
	var b strings.Builder
	for _, n := range run {
		b.WriteString(n.text)
	}
	c := *run[0]
	c.kind, c.bare, c.text = nodeString, false, b.String()
	for _, n := range run[1:] {
		if c.via == nil {
			c.via = n.via
		}
		c.secret = c.secret || n.secret
	}
	c.list = parts(run)
	return &c
}

// parts returns the pieces of a text without the spaces between them, if any came
// from elsewhere; the origin of the others is that of the whole.
func parts(run []*node) []*node {
	var out []*node
	elsewhere := false
	for _, n := range run {
		if n.bare && strings.TrimFunc(n.text, isSpace) == "" && n.via == nil {
			continue
		}
		if n.kind == nodeString && n.list != nil && n.via == nil {
			out = append(out, n.list...)
		} else {
			out = append(out, n)
		}
		elsewhere = elsewhere || n.via != nil || n.list != nil
	}
	if !elsewhere || len(out) > maxParts {
		return nil
	}
	return out
}

// maxParts bounds the memory that origins take: a text of more pieces has none of
// its own for each.
const maxParts = 100

// joinTwo joins two values that are both known. With own set, left may be
// changed.
func joinTwo(left, right *node, own bool) (*node, *Error) {
	if left.kind == nodeObject && right.kind == nodeList {
		left = listOf(left)
	} else if left.kind == nodeList && right.kind == nodeObject {
		right = listOf(right)
	}
	switch {
	case left.kind == nodeObject && right.kind == nodeObject:
		return merge(right, left), nil
	case left.kind == nodeList && right.kind == nodeList:
		return appendList(left, right, own), nil
	case left.kind >= nodeList && right.kind == nodeString && right.bare:
		return left, nil
	case left.kind <= nodeString && right.kind <= nodeString:
		return joinText([]*node{left, right}), nil
	}
	return nil, right.fault("", kindOf(left)+" and "+kindOf(right)+
		" stand side by side: only texts, only lists or only objects can be joined")
}

func appendList(left, right *node, own bool) *node {
	if !own {
		c := *left
		c.list = append(make([]*node, 0, 2*(len(left.list)+len(right.list))), throughEach(left.list, left)...)
		c.via, c.secret = nil, false
		left = &c
	}
	left.list = append(left.list, throughEach(right.list, right)...)
	left.open = left.open || right.open
	return left
}

// throughEach keeps the substitutions that a list came through with each of its
// elements, since the list itself is about to become part of another.
func throughEach(list []*node, of *node) []*node {
	if of.via == nil && !of.secret {
		return list
	}
	out := make([]*node, len(list))
	for i, n := range list {
		out[i] = n.throughAll(of.via).hidden(of.secret)
	}
	return out
}

// listOf turns an object whose keys are whole numbers into a list, in the order
// of the numbers; other keys are left out. Without any such key it returns n.
func listOf(n *node) *node {
	type item struct {
		at   int
		node *node
	}
	var items []item
	for i := range n.obj.fields {
		f := &n.obj.fields[i]
		if at, err := strconv.ParseInt(f.key, 10, 32); err == nil && at >= 0 {
			items = append(items, item{int(at), f.node})
		}
	}
	if len(items) == 0 {
		return n
	}
	sort.SliceStable(items, func(i, j int) bool { return items[i].at < items[j].at })
	c := *n
	c.kind, c.obj, c.list = nodeList, nil, nil
	for i, it := range items {
		if i+1 < len(items) && items[i+1].at == it.at {
			continue // written as 1 and 01: the later one counts
		}
		c.list = append(c.list, it.node)
	}
	return &c
}

// merge lays the object high over the object low. Neither is changed, and
// fields that only one of them has are shared.
func merge(high, low *node) *node { return mergeIn(high, low, false) }

func mergeIn(high, low *node, stacked bool) *node {
	if high.sealed {
		return high
	}
	c := *high
	c.via, c.secret = nil, false
	c.open = high.open || low.open
	c.sealed = low.sealed
	c.obj = &object{fields: make([]field, 0, len(low.obj.fields)+len(high.obj.fields))}
	for i := range low.obj.fields {
		c.obj.add(low.obj.fields[i].through(low))
	}
	for i := range high.obj.fields {
		newer := high.obj.fields[i].through(high)
		f := c.obj.find(newer.key)
		if f == nil {
			c.obj.add(newer)
			continue
		}
		if newer.delayed() {
			f.stack(&newer)
			continue
		}
		f.older = f.older[:len(f.older):len(f.older)]
		for _, l := range newer.older {
			f.lay(l, stacked)
		}
		f.lay(newer.layer, stacked)
	}
	c.open = c.open && c.obj.open()
	return &c
}

// lay puts a newer value on the field without changing any node.
func (f *field) lay(l layer, stacked bool) {
	if l.node.kind == nodeObject && f.node.kind == nodeObject && !l.node.sealed {
		f.node = mergeIn(l.node, f.node, stacked || f.delayed())
		return
	}
	if l.node.kind == nodeObject && !l.node.sealed {
		c := *l.node
		l.node = &c
	}
	f.beat(l.node, stacked)
	f.older = append(f.older, f.layer)
	f.layer = l
}

// through returns the field with its value as seen through the substitutions that
// the object around it came through.
func (f field) through(of *node) field {
	f.node = f.node.throughAll(of.via).hidden(of.secret)
	return f
}

// kindOf names the kind of a value, for error texts.
func kindOf(n *node) string {
	switch n.kind {
	case nodeNull:
		return "null"
	case nodeBool:
		return "true or false"
	case nodeNumber:
		return "a number"
	case nodeString:
		return "text"
	case nodeList:
		return "a list"
	case nodeObject:
		return "an object"
	}
	return "a substitution"
}
