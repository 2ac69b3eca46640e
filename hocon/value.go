package hocon

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind is the type of a value.
type Kind int

// The kinds of values.
const (
	Null Kind = iota
	Bool
	Number
	String
	List
	Object
)

// String returns the kind's name with its article, as error texts use it.
func (k Kind) String() string { return kindOf(&node{kind: nodeKind(k)}) }

// Config is a resolved tree. It never changes, so any number of goroutines may
// read it.
type Config struct {
	root *node
}

// Root returns the root object.
func (c *Config) Root() Value { return Value{node: c.root, within: c.root} }

// At returns the value at a dotted path, in which quoted parts may hold points:
// dataSourceProperties."dataSource.url". A whole number picks an element of a
// list. Where there is no such value, and also where path is none, the result
// does not exist.
func (c *Config) At(path string) Value {
	v := c.Root()
	keys, err := splitPath(path)
	if err != nil {
		return Value{within: c.root, step: &step{key: path}}
	}
	for _, key := range keys {
		v = v.Get(key)
	}
	return v
}

// MarshalJSON returns the tree as JSON, keys in their order, numbers as written.
func (c *Config) MarshalJSON() ([]byte, error) { return c.Root().JSON(), nil }

// Value is one value of a resolved tree, or the lack of one: then Exists is
// false, Pos is where the enclosing object opens, and every reading method
// returns an error which says that the key is missing.
type Value struct {
	node   *node
	within *node  // the nearest object or list that exists
	field  *field // the field that holds the value, if one does
	step   *step
	via    *via // what the enclosing values came through
}

// step is the last part of a value's path.
type step struct {
	key string
	up  *step
}

func (s *step) path() []string {
	if s == nil {
		return nil
	}
	return append(s.up.path(), s.key)
}

// Exists reports whether there is a value. A null exists.
func (v Value) Exists() bool { return v.node != nil }

// Kind returns the type of the value as it was written, Null if there is none.
func (v Value) Kind() Kind {
	if v.node == nil {
		return Null
	}
	return Kind(v.node.kind)
}

// Path returns the path from the root in a form that At reads.
func (v Value) Path() string { return joinPath(v.step.path()) }

// Pos returns where the value's text stands. A value from the environment has
// the place of the substitution that asked for it.
func (v Value) Pos() Pos {
	n, _ := v.place()
	return n
}

// place returns the position and the include statements that led to its file.
func (v Value) place() (Pos, []Pos) {
	n := v.node
	if n == nil {
		n = v.within
	}
	if n == nil {
		return Pos{}, nil
	}
	if !n.src.env {
		return n.pos(), n.src.from
	}
	for at := n.via; at != nil; at = at.next {
		n = at.node
	}
	return n.pos(), n.src.from
}

// KeyPos returns where the value's key stands. Elements of a list and the root
// have none: they return the place of the value.
func (v Value) KeyPos() Pos {
	if v.field == nil {
		return v.Pos()
	}
	return v.field.keyPos()
}

// Get returns the value under one key, which is not read as a path. On a list a
// whole number picks an element.
func (v Value) Get(key string) Value {
	child := Value{within: v.within, step: &step{key, v.step}}
	if v.node == nil {
		return child
	}
	child.via = joinVia(v.via, v.node.via)
	switch v.node.kind {
	case nodeObject:
		child.within = v.node
		if f := v.node.obj.find(key); f != nil {
			child.field, child.node = f, f.node
		}
	case nodeList:
		child.within = v.node
		if i, err := strconv.ParseUint(key, 10, 31); err == nil && int(i) < len(v.node.list) {
			child.node = v.node.list[i]
		}
	}
	return child
}

// joinVia puts one chain of substitutions before another.
func joinVia(outer, inner *via) *via {
	if outer == nil {
		return inner
	}
	if inner == nil {
		return outer
	}
	return &via{outer.node, joinVia(outer.next, inner)}
}

// Keys returns the keys of an object in the order in which they first appeared,
// those of the lowest layer before the others. It is nil for other kinds.
func (v Value) Keys() []string {
	if v.node == nil || v.node.kind != nodeObject {
		return nil
	}
	keys := make([]string, len(v.node.obj.fields))
	for i := range keys {
		keys[i] = v.node.obj.fields[i].key
	}
	return keys
}

// Origin says where a value came from.
type Origin struct {
	Pos     Pos    // where the final text stands; the zero Pos if in the environment
	EnvName string // the environment variable that held the text, if one did
	Via     []Pos  // each substitution it came through, the outermost first
	Shadows []Pos  // the earlier values that it beat, the nearest first
}

// Origin returns where the value came from.
func (v Value) Origin() Origin {
	var o Origin
	if v.node == nil {
		return o
	}
	o.Pos = v.node.pos()
	if v.node.src.env {
		o.EnvName = v.node.src.name
	}
	for at := joinVia(v.via, v.node.via); at != nil; at = at.next {
		o.Via = append(o.Via, at.node.pos())
	}
	if v.field != nil {
		for i := len(v.field.older) - 1; i >= 0; i-- {
			o.Shadows = append(o.Shadows, v.field.older[i].node.pos())
		}
	}
	return o
}

// Errorf makes an error at the value's position and path. Its text should say
// what was read and what would be right.
func (v Value) Errorf(format string, args ...any) *Error {
	pos, from := v.place()
	return &Error{Pos: pos, Path: v.Path(), Text: fmt.Sprintf(format, args...), IncludedFrom: from}
}

// want makes the error of a value that is of another kind.
func (v Value) want(what string) *Error {
	if v.node == nil {
		return v.Errorf("want %s, but the key is missing", what)
	}
	return v.Errorf("want %s, got %s", what, v.Kind())
}

// scalar returns the text of a value that is a number, text, true or false.
func (v Value) scalar(what string) (string, *Error) {
	if v.node == nil || v.node.kind == nodeNull || v.node.kind > nodeString {
		return "", v.want(what)
	}
	return v.node.text, nil
}

// Text returns text, or a number, true or false as it was written.
func (v Value) Text() (string, error) {
	text, e := v.scalar("text")
	if e != nil {
		return "", e
	}
	return text, nil
}

// Bool returns true or false. The texts true, yes, on, false, no and off count
// as such.
func (v Value) Bool() (bool, error) {
	const what = "true or false"
	text, e := v.scalar(what)
	if e != nil {
		return false, e
	}
	if v.node.kind != nodeNumber {
		switch text {
		case "true", "yes", "on":
			return true, nil
		case "false", "no", "off":
			return false, nil
		}
	}
	return false, v.want(what)
}

// Int returns a whole number. Text that is one counts as such, and so does 1.0.
func (v Value) Int() (int64, error) {
	const what = "a whole number"
	text, e := v.scalar(what)
	if e != nil {
		return 0, e
	}
	text = trimSpace(text)
	if v.node.kind == nodeBool || !looksNumeric(text) {
		return 0, v.want(what)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	} else if !strings.ContainsAny(text, ".eE") {
		return 0, v.Errorf("want %s between %d and %d, got one outside", what, minInt64, maxInt64)
	}
	n, fault := scaled(text, 1)
	if fault != "" {
		return 0, v.Errorf("want %s, got %s", what, fault)
	}
	return n, nil
}

// Float returns a number. Text that is one counts as such.
func (v Value) Float() (float64, error) {
	const what = "a number"
	text, e := v.scalar(what)
	if e != nil {
		return 0, e
	}
	text = trimSpace(text)
	if v.node.kind == nodeBool || !looksNumeric(text) {
		return 0, v.want(what)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !isRangeError(err) {
		return 0, v.want(what)
	}
	return f, nil
}

// List returns the elements of a list. An object whose keys are whole numbers
// counts as one, in the order of the numbers: this is how a list is written in a
// properties file.
func (v Value) List() ([]Value, error) {
	list := v
	if v.node != nil && v.node.kind == nodeObject {
		list.node = listOf(v.node)
	}
	if v.node == nil || list.node.kind != nodeList {
		return nil, v.want("a list")
	}
	out := make([]Value, len(list.node.list))
	for i := range out {
		out[i] = list.Get(strconv.Itoa(i))
	}
	return out, nil
}

// Strings returns the texts of a list. Every element that is not a text, a
// number, true or false is told in the error, which is of type Errors then.
func (v Value) Strings() ([]string, error) {
	list, err := v.List()
	if err != nil {
		return nil, err
	}
	var errs Errors
	out := make([]string, len(list))
	for i, element := range list {
		text, e := element.scalar("text")
		if e != nil {
			errs = append(errs, e)
		}
		out[i] = text
	}
	if err := errs.or(); err != nil {
		return nil, err
	}
	return out, nil
}
