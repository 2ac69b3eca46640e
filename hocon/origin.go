package hocon

import "strconv"

// OriginKind is the kind of place that a value came from.
type OriginKind uint8

// The kinds of places.
const (
	FromFile    OriginKind = iota // a file, or text that was parsed
	FromEnv                       // an environment variable
	FromLayer                     // a layer that the program made: a command line, properties
	FromDefault                   // a layer of defaults
)

// String returns the kind's name.
func (k OriginKind) String() string {
	switch k {
	case FromFile:
		return "file"
	case FromEnv:
		return "environment"
	case FromLayer:
		return "layer"
	case FromDefault:
		return "default"
	}
	return "OriginKind(" + strconv.Itoa(int(k)) + ")"
}

// Origin says where a value came from.
type Origin struct {
	Kind    OriginKind
	Pos     Pos    // where the final text stands; the zero Pos if in the environment
	EnvName string // the environment variable that held the text, if one did
	Via     []Pos  // each substitution it came through, the outermost first
	Shadows []Pos  // the earlier values that it beat, the nearest first

	// Parts has an origin for each piece of a text that was put together.
	Parts []Origin
}

// String says in a few words where the value came from.
func (o Origin) String() string {
	out := o.Pos.String()
	if o.Kind == FromEnv {
		out = "environment variable " + o.EnvName
	}
	for _, p := range o.Via {
		out += ", through " + p.String()
	}
	return out
}

// Origin returns where the value came from.
func (v Value) Origin() Origin {
	if v.at().node == nil {
		return Origin{}
	}
	o := v.at().node.origin(joinVia(v.at().via, v.at().node.via))
	if v.at().field != nil {
		for i := len(v.at().field.older) - 1; i >= 0; i-- {
			o.Shadows = append(o.Shadows, v.at().field.older[i].node.pos())
		}
	}
	for _, part := range v.at().node.list {
		if v.at().node.kind == nodeString {
			o.Parts = append(o.Parts, part.origin(part.via))
		}
	}
	return o
}

func (n *node) origin(through *via) Origin {
	o := Origin{Kind: n.src.kind, Pos: n.pos()}
	if n.src.kind == FromEnv {
		o.EnvName = n.src.name
	}
	for at := through; at != nil; at = at.next {
		o.Via = append(o.Via, at.node.pos())
	}
	return o
}

// Entry is one value of a layer that a program makes.
type Entry struct {
	Path  string // points part its keys, as in a properties file; quotes mean nothing
	Value string

	// Pos is where the value was found, if that is a place: a line of a file, or
	// only a name such as "command line".
	Pos Pos

	// EnvName is the environment variable that held the value, if one did.
	EnvName string
}

// FromEntries makes a layer of texts: of a command line, of properties, of
// environment variables that stand for keys. The name stands for positions that an
// entry does not have. Values are text as they are, nothing in them is substituted.
// Of two entries with one path the later counts; where a path is both a value and
// the beginning of another, the longer one counts, as in a properties file.
func FromEntries(name string, kind OriginKind, entries []Entry, opts ...Option) (*Document, error) {
	r := newReader(opts)
	p := &parser{reader: r, src: &source{name: name, kind: kind}}
	list := make([]property, len(entries))
	for i, e := range entries {
		list[i] = property{key: e.Path, value: e.Value, src: p.src}
		switch {
		case e.EnvName != "":
			list[i].src = &source{name: e.EnvName, kind: FromEnv}
		case e.Pos != (Pos{}):
			list[i].src = &source{name: e.Pos.File, kind: kind}
			list[i].at = place{int32(e.Pos.Line), int32(e.Pos.Col)}
			list[i].valueAt = list[i].at
		}
	}
	root := p.entries(list)
	if err := r.errs.or(); err != nil {
		return nil, err
	}
	return &Document{root: root, limits: r.limits, values: r.values}, nil
}
