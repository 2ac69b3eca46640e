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
	root    *node
	secrets Secrets
}

// Root returns the root object.
func (c *Config) Root() Value {
	return Value{&spot{node: c.root, within: c.root, config: c, secret: c.root.secret}}
}

// At returns the value at a dotted path, in which quoted parts may hold points:
// dataSourceProperties."dataSource.url". A whole number picks an element of a
// list. Where there is no such value, and also where path is none, the result
// does not exist.
func (c *Config) At(path string) Value {
	v := c.Root()
	keys, err := splitPath(path)
	if err != nil {
		return v.below(path, nil)
	}
	for _, key := range keys {
		v = v.Get(key)
	}
	return v
}

// MarshalJSON returns the tree as JSON, keys in their order, numbers as written and
// secrets as ***.
func (c *Config) MarshalJSON() ([]byte, error) { return c.Root().JSON(), nil }

// String returns the tree as JSON, secrets as ***.
func (c *Config) String() string { return c.Root().String() }

// Format prints the tree as JSON, secrets as ***, whatever the verb.
func (c *Config) Format(f fmt.State, verb rune) { printMasked(f, verb, c.String()) }

// Value is one value of a resolved tree, or the lack of one: then Exists is
// false, Pos is where the enclosing object opens, and every reading method
// returns an error which says that the key is missing.
type Value struct {
	// A pointer to pointers: package fmt calls no methods on what an unexported
	// field holds, and under a verb of the wrong type it follows the first pointer.
	spot *spot
}

// spot is a place in a tree, and what stands there.
type spot struct {
	key    string
	up     *spot
	node   *node
	within *node  // the nearest object or list that exists
	field  *field // the field that holds the value, if one does
	via    *via   // what the enclosing values came through
	config *Config
	secret bool
}

// at returns the place, which is nowhere for the zero Value.
func (v Value) at() *spot {
	if v.spot == nil {
		return &spot{}
	}
	return v.spot
}

// path returns the keys from the root.
func (s *spot) path() []string {
	n := 0
	for at := s; at.up != nil; at = at.up {
		n++
	}
	keys := make([]string, n)
	for at := s; at.up != nil; at = at.up {
		n--
		keys[n] = at.key
	}
	return keys
}

// Exists reports whether there is a value. A null exists.
func (v Value) Exists() bool { return v.at().node != nil }

// Kind returns the type of the value as it was written, Null if there is none.
func (v Value) Kind() Kind {
	if v.at().node == nil {
		return Null
	}
	return Kind(v.at().node.kind)
}

// Path returns the path from the root in a form that At reads.
func (v Value) Path() string { return joinPath(v.at().path()) }

// Pos returns where the value's text stands. A value from the environment has
// the place of the substitution that asked for it.
func (v Value) Pos() Pos {
	n, _ := v.place()
	return n
}

// place returns the position and the include statements that led to its file.
func (v Value) place() (Pos, []Pos) {
	n := v.at().node
	if n == nil {
		n = v.at().within
	}
	if n == nil {
		return Pos{}, nil
	}
	if n.src.kind != FromEnv {
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
	if v.at().field == nil {
		return v.Pos()
	}
	return v.at().field.keyPos()
}

// Get returns the value under one key, which is not read as a path. On a list a
// whole number picks an element.
func (v Value) Get(key string) Value {
	if v.at().node != nil && v.at().node.kind == nodeObject {
		if f := v.at().node.obj.find(key); f != nil {
			return v.child(f)
		}
	}
	if v.at().node != nil && v.at().node.kind == nodeList {
		if i, err := strconv.ParseUint(key, 10, 31); err == nil && int(i) < len(v.at().node.list) {
			return v.element(int(i))
		}
	}
	return v.below(key, nil)
}

// child returns the value of one of the object's fields.
func (v Value) child(f *field) Value {
	c := v.below(f.key, f.node)
	c.spot.field = f
	return c
}

// element returns an element of the list.
func (v Value) element(i int) Value { return v.below(strconv.Itoa(i), v.at().node.list[i]) }

// below returns the value under a key, n, which is nil where there is none.
func (v Value) below(key string, n *node) Value {
	at := v.at()
	c := &spot{key: key, up: at, node: n, within: at.within, config: at.config, secret: at.secret || n != nil && n.secret}
	if !c.secret && at.config != nil && at.config.secrets.Path != nil {
		c.secret = at.config.secrets.path(c.path())
	}
	if at.node != nil {
		c.via = joinVia(at.via, at.node.via)
		if at.node.kind >= nodeList {
			c.within = at.node
		}
	}
	return Value{c}
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
	if v.at().node == nil || v.at().node.kind != nodeObject {
		return nil
	}
	keys := make([]string, len(v.at().node.obj.fields))
	for i := range keys {
		keys[i] = v.at().node.obj.fields[i].key
	}
	return keys
}

// IsSecret reports whether the value is a secret by the rules of WithSecrets.
func (v Value) IsSecret() bool { return v.at().secret }

// Reveal returns the text of a scalar, and JSON of a list or an object, with every
// secret in the clear. It is the only way to the text of a secret. A value that does
// not exist, and null, give the empty text.
func (v Value) Reveal() string {
	switch {
	case v.at().node == nil || v.at().node.kind == nodeNull:
		return ""
	case v.at().node.kind <= nodeString:
		return v.at().node.text
	}
	return string(appendJSON(nil, v, true))
}

// Secret hides what Reveal returns.
func (v Value) Secret() Secret { return NewSecret(v.Reveal()) }

// String returns the text of a scalar, and JSON of a list or an object, secrets as
// ***.
func (v Value) String() string {
	switch {
	case v.at().node == nil:
		return ""
	case v.at().node.kind <= nodeString:
		return v.shown()
	}
	return string(v.JSON())
}

// shown is a scalar's text, masked.
func (v Value) shown() string {
	switch {
	case v.at().node.kind == nodeNull:
		return "null"
	case v.at().secret:
		return mask
	}
	return maskURL(v.at().node.text)
}

// Format prints what String returns, whatever the verb.
func (v Value) Format(f fmt.State, verb rune) { printMasked(f, verb, v.String()) }

// hide returns a part of the value's text for an error, unless it is a secret.
func (v Value) hide(text string) string {
	if v.at().secret {
		return mask
	}
	return text
}

// Errorf makes an error at the value's position and path. Its text should say
// what was read and what would be right.
func (v Value) Errorf(format string, args ...any) *Error {
	pos, from := v.place()
	return &Error{Pos: pos, Path: v.Path(), Text: fmt.Sprintf(format, args...), IncludedFrom: from}
}

// want makes the error of a value that is of another kind.
func (v Value) want(what string) *Error {
	if v.at().node == nil {
		return v.Errorf("want %s, but the key is missing", what)
	}
	return v.Errorf("want %s, got %s", what, v.Kind())
}

// scalar returns the text of a value that is a number, text, true or false.
func (v Value) scalar(what string) (string, *Error) {
	if v.at().node == nil || v.at().node.kind == nodeNull || v.at().node.kind > nodeString {
		return "", v.want(what)
	}
	return v.at().node.text, nil
}

// Text returns text, or a number, true or false as it was written. Of a secret it
// returns an error: see Reveal.
func (v Value) Text() (string, error) {
	text, e := v.text()
	if e != nil {
		return "", e
	}
	return text, nil
}

func (v Value) text() (string, *Error) {
	text, e := v.scalar("text")
	if e == nil && v.at().secret {
		e = v.Errorf("is a secret, and is not wanted in the clear here")
	}
	return text, e
}

// Bool returns true or false. The texts true, yes, on, false, no and off count
// as such.
func (v Value) Bool() (bool, error) {
	const what = "true or false"
	text, e := v.scalar(what)
	if e != nil {
		return false, e
	}
	if v.at().node.kind != nodeNumber {
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
	if v.at().node.kind == nodeBool || !looksNumeric(text) {
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
	if v.at().node.kind == nodeBool || !looksNumeric(text) {
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
	n := v.at().node
	if n != nil && n.kind == nodeObject {
		n = listOf(n)
	}
	if n == nil || n.kind != nodeList {
		return nil, v.want("a list")
	}
	out := make([]Value, len(n.list))
	for i := range out {
		out[i] = v.below(strconv.Itoa(i), n.list[i])
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
		text, e := element.text()
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
