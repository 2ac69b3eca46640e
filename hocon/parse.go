package hocon

import (
	"fmt"
	"strings"
)

// maxFaults is how many faults of one run are told. After so many the rest is
// hardly news.
const maxFaults = 25

// parser turns the text of one file into nodes.
type parser struct {
	*reader
	lex    lexer
	src    *source
	file   string // the file's name, for includes relative to it
	strict bool   // JSON: no comments, no bare text, no substitutions

	// lenient reads HOCON whatever the name's ending. So the reference reads a file
	// that is included by its full name from where the including one lies.
	lenient bool

	ahead token
	have  bool

	keys   []string // the path of the value being parsed, include prefix first
	last   []string // the path of the field before, until the next key is read
	prefix int      // how many of keys come from the include statement
	lists  int      // how many lists the value is inside of
	depth  int
	synced bool // after a fault: the next field starts right here
	over   bool // the rest of the text makes no sense
}

func (p *parser) peek() token {
	if !p.have {
		p.ahead = p.lex.next()
		p.have = true
	}
	return p.ahead
}

func (p *parser) take() token {
	t := p.peek()
	p.have = false
	return t
}

// skipNewlines reports whether there were any.
func (p *parser) skipNewlines() bool {
	seen := false
	for p.peek().kind == tokNewline {
		p.have = false
		seen = true
	}
	return seen
}

func (p *parser) pos(at place) Pos {
	return Pos{File: p.src.name, Line: int(at.line), Col: int(at.col)}
}

// fail records a fault and returns false. Once parsing is over, what follows is
// but the consequence and is not told.
func (p *parser) fail(at place, format string, args ...any) bool {
	if p.over {
		return false
	}
	p.record(&Error{Pos: p.pos(at), Path: p.shownPath(), Text: fmt.Sprintf(format, args...), IncludedFrom: p.src.from})
	if p.full() {
		p.over = true
	}
	return false
}

// abort records a fault after which the rest of the text makes no sense.
func (p *parser) abort(at place, format string, args ...any) bool {
	p.fail(at, format, args...)
	p.over = true
	return false
}

// shownPath returns the path for a fault. Where a separator was forgotten a secret
// may have become part of its key.
func (p *parser) shownPath() string {
	keys := p.keys
	for i, key := range keys {
		word := strings.FieldsFunc(key, isSpace)
		if len(word) > 1 && p.secret != nil && p.secret(p.keys[:i+1]) {
			keys = append(clone(keys[:i]), word[0]+" "+mask)
			break
		}
	}
	return joinPath(keys)
}

// unexpected records what was wanted in place of a token.
func (p *parser) unexpected(t token, want string) bool {
	if rules := (Secrets{Path: p.secret}); rules.along(p.keys) && t.kind != tokEnd && t.kind != tokNewline {
		return p.fail(t.at, "what stands here cannot; it is not shown, since the key is that of a secret: put the value in double quotes")
	}
	if t.kind == tokBad {
		return p.fail(t.at, "%s", p.lex.fault)
	}
	return p.fail(t.at, "want %s, got %s", want, t)
}

func (p *parser) node(kind nodeKind, at place) *node {
	p.values++
	return &node{kind: kind, line: at.line, col: at.col, src: p.src}
}

// root parses a whole file.
func (p *parser) root() *node {
	p.skipNewlines()
	t := p.peek()
	n := p.node(nodeObject, t.at)
	n.obj = &object{}
	switch {
	case t.kind == tokOpenBrace:
		p.take()
		p.fields(n, &t)
		n.refresh()
		p.skipNewlines()
		if t := p.peek(); !p.over && t.kind != tokEnd {
			p.unexpected(t, "nothing after the '}' that closes the root object")
		}
	case t.kind == tokOpenBracket:
		p.fail(t.at, "want an object at the root of the file, got a list")
	case p.strict && t.kind == tokEnd:
		p.fail(t.at, "want a JSON object, got an empty file")
	case p.strict:
		p.unexpected(t, "a JSON object")
	default:
		p.fields(n, nil)
		n.refresh()
	}
	return n
}

// fields parses the fields of an object up to its '}', or up to the end of the
// file where the object has no brace of its own.
func (p *parser) fields(n *node, open *token) {
	comma := false
	in := inObject
	if open == nil {
		in = inRoot
	}
	for !p.over {
		p.skipNewlines()
		t := p.peek()
		switch {
		case t.kind == tokCloseBracket || t.kind == tokCloseBrace && open == nil:
			p.abort(t.at, "this %s closes nothing", t)
			return
		case t.kind == tokCloseBrace:
			if p.strict && comma {
				p.fail(t.at, "JSON allows no comma before '}'")
			}
			p.take()
			return
		case t.kind == tokEnd:
			if open != nil {
				p.abort(open.at, "the '{' that opens here is not closed")
			}
			return
		}
		comma = false
		ok := p.field(n)
		if ok {
			comma, ok = p.separator(in)
		}
		if !ok {
			p.recover()
		}
	}
}

// separator passes over what parts one field or element from the next. It
// reports whether that was a comma, and false for ok when the next token
// neither continues nor closes.
func (p *parser) separator(in container) (comma, ok bool) {
	newline := p.skipNewlines()
	t := p.peek()
	switch t.kind {
	case tokComma:
		p.take()
		return true, true
	case tokCloseBrace, tokCloseBracket, tokEnd:
		return false, true
	}
	if newline && !p.strict {
		return false, true
	}
	had := p.keys
	if in != inList {
		p.keys = p.last
	}
	p.unseparated(t, in)
	p.keys = had
	return false, false
}

// unseparated records that fields or elements are not parted.
func (p *parser) unseparated(t token, in container) {
	want := "a comma"
	if !p.strict {
		want += " or a new line"
	}
	switch {
	case in == inRoot:
	case p.strict:
		want += " or " + string(in)
	default:
		want = "a comma, a new line or " + string(in)
	}
	if secret := (Secrets{Path: p.secret}).along(p.keys); !secret && (t.kind == tokColon || t.kind == tokEquals) {
		p.fail(t.at, "want %s, got %s: text that holds it must be in double quotes", want, t)
		return
	}
	p.unexpected(t, want)
}

// container is what fields or elements are inside of, named by what closes it.
type container string

const (
	inRoot   container = ""
	inObject container = "'}'"
	inList   container = "']'"
)

// recover goes on after a fault, to where the next field or element may start.
func (p *parser) recover() {
	if p.synced {
		p.synced = false
		return
	}
	for depth := 0; !p.over; p.take() {
		switch p.peek().kind {
		case tokEnd:
			return
		case tokNewline:
			if depth == 0 {
				return
			}
		case tokComma:
			if depth == 0 {
				p.take()
				return
			}
		case tokOpenBrace, tokOpenBracket, tokSubst, tokSubstOptional:
			depth++
		case tokCloseBrace, tokCloseBracket:
			if depth == 0 {
				return
			}
			depth--
		}
	}
}

// field parses one field or include statement into n.
func (p *parser) field(n *node) bool {
	t := p.peek()
	if !p.strict && t.kind == tokText && t.text == "include" {
		p.take()
		return p.include(n, t)
	}
	key, ok := p.key()
	if !ok {
		return false
	}
	if p.depth+len(key) > p.limits.Depth {
		return p.abort(t.at, "values are nested deeper than %d levels", p.limits.Depth)
	}
	had := len(p.keys)
	p.keys = append(p.keys, key...)
	p.depth += len(key)
	value, ok := p.fieldValue(t)
	p.depth -= len(key)
	if ok {
		ok = p.store(n, key, value, t)
	}
	p.last = p.keys
	p.keys = p.keys[:had]
	return ok
}

// fieldValue parses what stands between a key and the end of its value.
func (p *parser) fieldValue(key token) (*node, bool) {
	newline := p.skipNewlines()
	t := p.peek()
	switch {
	case t.kind == tokOpenBrace && !p.strict:
		return p.piece() // nothing joins an object that follows its key at once
	case t.kind == tokColon, !p.strict && t.kind == tokEquals:
		p.take()
		p.skipNewlines()
		return p.value()
	case !p.strict && t.kind == tokPlusEquals:
		p.take()
		p.skipNewlines()
		return p.plusEquals(t)
	}
	want := "'=', ':' or '{' after the key"
	if p.strict {
		want = "':' after the key"
	}
	if newline && t.kind != tokBad {
		p.synced = true
		return nil, p.fail(key.at, "want %s, got the end of the line", want)
	}
	return nil, p.unexpected(t, want)
}

// plusEquals parses the value of +=, which adds one element to a list: the list
// that the same key had before, if it had any.
func (p *parser) plusEquals(t token) (*node, bool) {
	if p.lists > 0 {
		return nil, p.fail(t.at, "'+=' cannot be used inside a list: write the list in full")
	}
	p.lists++
	element, ok := p.value()
	p.lists--
	if !ok {
		return nil, false
	}
	before := p.node(nodeRef, place{element.line, element.col})
	before.open = true
	before.ref = &ref{path: clone(p.keys), optional: true, prefix: p.prefix, at: clone(p.keys)}
	list := p.node(nodeList, place{element.line, element.col})
	list.list = []*node{element}
	list.open = element.open
	sum := p.node(nodeConcat, place{element.line, element.col})
	sum.open = true
	sum.list = []*node{before, list}
	return sum, true
}

// store puts a value under a path of keys into n.
func (p *parser) store(n *node, key []string, value *node, t token) bool {
	l := layer{node: value, keyLine: t.at.line, keyCol: t.at.col, keySrc: p.src}
	into := n
	stacked, beaten := false, n.open && !value.open
	for ; len(key) > 1; key = key[1:] {
		into.open = into.open || value.open
		f := into.obj.find(key[0])
		if f == nil || f.node.kind != nodeObject {
			nested := p.node(nodeObject, t.at)
			nested.obj = &object{}
			nested.open = value.open
			f = into.obj.set(key[0], layer{nested, l.keyLine, l.keyCol, l.keySrc}, stacked)
		}
		stacked = stacked || f.delayed()
		into.stale = into.stale || beaten
		into = f.node
	}
	into.open = into.open || value.open
	if p.strict && into.obj.find(key[0]) != nil {
		return p.fail(t.at, "JSON allows a key only once, and this one was there before")
	}
	into.stale = into.stale || beaten
	into.obj.set(key[0], l, stacked)
	return true
}

// key parses a key path. A newline ends it.
func (p *parser) key() ([]string, bool) {
	first := p.peek()
	if p.strict {
		if first.kind != tokQuoted {
			return nil, p.unexpected(first, "a key in double quotes")
		}
		p.take()
		return []string{first.text}, true
	}
	var b pathBuilder
	for t := first; ; t = p.peek() {
		if t.at != first.at && t.simple() {
			b.text(t.space)
		}
		switch t.kind {
		case tokQuoted:
			b.quote(t.text)
		case tokText, tokNumber, tokBool, tokNull:
			b.text(t.text)
		default:
			if t.at == first.at || t.kind == tokBad {
				return nil, p.unexpected(t, "a key")
			}
			path, err := b.path()
			if err != nil {
				return nil, p.fail(first.at, "%s", err)
			}
			return path, true
		}
		p.take()
	}
}
