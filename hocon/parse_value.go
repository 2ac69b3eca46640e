package hocon

import "fmt"

// value parses one value, or several side by side.
func (p *parser) value() (*node, bool) {
	first := p.peek()
	if !p.strict && !first.simple() && first.kind != tokOpenBrace && first.kind != tokOpenBracket {
		return nil, p.unexpected(first, "a value")
	}
	n, ok := p.piece()
	if !ok || p.strict {
		return n, ok
	}
	var pieces []*node
	for simple := first.simple(); ; {
		t := p.peek()
		if t.kind == tokBad {
			return nil, p.unexpected(t, "")
		}
		if !t.simple() && t.kind != tokOpenBrace && t.kind != tokOpenBracket {
			break
		}
		if pieces == nil {
			pieces = append(pieces, n)
		}
		if simple && t.simple() && t.space != "" {
			space := p.node(nodeString, t.at)
			space.text, space.bare = t.space, true
			pieces = append(pieces, space)
		}
		simple = t.simple()
		n, ok := p.piece()
		if !ok {
			return nil, false
		}
		pieces = append(pieces, n)
	}
	if pieces == nil {
		return n, true
	}
	return p.concat(pieces, first.at)
}

// concat joins pieces that stand side by side as far as they are known.
func (p *parser) concat(pieces []*node, at place) (*node, bool) {
	joined, e := join(pieces)
	if e != nil {
		e.Path = joinPath(p.keys)
		p.record(e)
		return nil, false
	}
	if len(joined) == 1 {
		return joined[0], true
	}
	n := p.node(nodeConcat, at)
	n.list, n.open = joined, true
	return n, true
}

// piece parses one value.
func (p *parser) piece() (*node, bool) {
	t := p.peek()
	if p.values >= p.limits.Values {
		return nil, p.abort(t.at, "there are more than %d values", p.limits.Values)
	}
	switch t.kind {
	case tokOpenBrace, tokOpenBracket:
		return p.nested()
	case tokSubst, tokSubstOptional:
		if p.strict {
			return nil, p.fail(t.at, "JSON has no substitutions")
		}
		return p.substitution()
	case tokQuoted, tokNumber, tokBool, tokNull, tokText:
		if p.strict && t.kind == tokText {
			return nil, p.fail(t.at, "want a JSON value, got text without quotes")
		}
		p.take()
		return p.scalar(t), true
	}
	return nil, p.unexpected(t, "a value")
}

func (p *parser) scalar(t token) *node {
	kind := nodeString
	switch t.kind {
	case tokNumber:
		kind = nodeNumber
	case tokBool:
		kind = nodeBool
	case tokNull:
		kind = nodeNull
	}
	n := p.node(kind, t.at)
	n.text = t.text
	n.bare = t.kind == tokText
	return n
}

// nested parses an object in braces or a list in brackets.
func (p *parser) nested() (*node, bool) {
	open := p.take()
	if p.depth >= p.limits.Depth {
		return nil, p.abort(open.at, "values are nested deeper than %d levels", p.limits.Depth)
	}
	p.depth++
	defer func() { p.depth-- }()
	if open.kind == tokOpenBracket {
		n := p.node(nodeList, open.at)
		p.lists++
		p.elements(n, open)
		p.lists--
		return n, !p.over
	}
	n := p.node(nodeObject, open.at)
	n.obj = &object{}
	p.fields(n, &open)
	n.refresh()
	return n, !p.over
}

// elements parses the elements of a list up to its ']'.
func (p *parser) elements(n *node, open token) {
	for comma := false; !p.over; {
		p.skipNewlines()
		t := p.peek()
		switch t.kind {
		case tokCloseBracket:
			if p.strict && comma {
				p.fail(t.at, "JSON allows no comma before ']'")
			}
			p.take()
			return
		case tokEnd, tokCloseBrace:
			p.abort(open.at, "the '[' that opens here is not closed")
			return
		}
		element, ok := p.value()
		if ok {
			n.list = append(n.list, element)
			n.open = n.open || element.open
			comma, ok = p.separator(inList)
		}
		if !ok {
			p.recover()
		}
	}
}

// substitution parses ${path} or ${?path}.
func (p *parser) substitution() (*node, bool) {
	open := p.take()
	var b pathBuilder
	for first := true; ; first = false {
		t := p.peek()
		if !first && t.simple() {
			b.text(t.space)
		}
		switch t.kind {
		case tokQuoted:
			b.quote(t.text)
		case tokText, tokNumber, tokBool, tokNull:
			b.text(t.text)
		case tokCloseBrace:
			p.take()
			return p.reference(open, &b)
		case tokEnd, tokNewline:
			return nil, p.fail(open.at, "the substitution that opens here is not closed: end it with '}'")
		default:
			p.unexpected(t, "a path inside "+open.text+"...}")
			p.skipSubstitution()
			return nil, false
		}
		p.take()
	}
}

// skipSubstitution goes behind the brace that closes a faulty substitution, as
// far as it is on the same line.
func (p *parser) skipSubstitution() {
	for depth := 1; depth > 0; p.take() {
		switch p.peek().kind {
		case tokEnd, tokNewline:
			return
		case tokOpenBrace, tokSubst, tokSubstOptional:
			depth++
		case tokCloseBrace:
			depth--
		}
	}
}

// reference makes the node of a substitution whose path has been read.
func (p *parser) reference(open token, b *pathBuilder) (*node, bool) {
	path, err := b.path()
	if err != nil {
		if len(path) == 1 {
			err = fmt.Errorf("the substitution names no path: write %sa.path}", open.text)
		}
		return nil, p.fail(open.at, "%s", err)
	}
	n := p.node(nodeRef, open.at)
	n.open = true
	n.ref = &ref{
		path:     append(clone(p.keys[:p.prefix]), path...),
		optional: open.kind == tokSubstOptional,
		prefix:   p.prefix,
		at:       clone(p.keys),
	}
	return n, true
}

// String writes a substitution as it stands in the text.
func (r *ref) String() string {
	mark := ""
	if r.optional {
		mark = "?"
	}
	return "${" + mark + joinPath(r.path[r.prefix:]) + "}"
}

func clone(path []string) []string { return append([]string(nil), path...) }
