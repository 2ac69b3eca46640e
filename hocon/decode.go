package hocon

import (
	"cmp"
	"encoding"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"
)

// DecodeOption changes how a tree is decoded.
type DecodeOption func(*decoder)

// Strict makes keys that no field of a struct takes faults.
func Strict(d *decoder) { d.strict = true }

// Warn gathers the keys that no field of a struct takes, as faults that do not
// keep the tree from being decoded.
func Warn(into *Errors) DecodeOption {
	return func(d *decoder) { d.warnings = into }
}

// Decode reads the whole tree into what dst points to; see Value.Decode.
func (c *Config) Decode(dst any, opts ...DecodeOption) error { return c.Root().Decode(dst, opts...) }

// Decode reads the value into what dst points to, by the rules of the reading
// methods. Every fault is told, in the order of the text: values of a wrong type at
// their place, missing ones where the object around them opens, and under Strict keys
// that nothing takes, with the nearest one that is known. The error is of type
// Errors, unless dst cannot be decoded into at all.
//
// A struct takes an object. A field takes the key that its tag names, or else that of
// its own name with the first letter in lower case; the fields of an embedded struct
// without a tag count as its own. What is missing or null leaves a field as it is, so
// that defaults can be set before.
//
//	Port    int           `hocon:"port,required"`    // it must be there
//	Wait    time.Duration `hocon:"wait,unit=s"`      // a bare number is seconds, not milliseconds
//	MaxSize int64         `hocon:"maxSize,bytes"`    // 10MB, 64KiB
//	Ignored string        `hocon:"-"`
//
// Beside structs there are bool, whole numbers, floats, string, time.Duration, Period,
// Secret, Value, encoding.TextUnmarshaler, any, and pointers, slices, and maps with
// string keys of all of these. A secret is decoded into a Secret or a Value only, or
// into numbers.
func (v Value) Decode(dst any, opts ...DecodeOption) error {
	d := &decoder{}
	for _, o := range opts {
		o(d)
	}
	to := reflect.ValueOf(dst)
	if to.Kind() != reflect.Pointer || to.IsNil() {
		return errors.New("decode HOCON: want a pointer that is not nil to decode into")
	}
	d.value(v, to.Elem(), rules{})
	d.errs.sort()
	if d.warnings != nil {
		d.warnings.sort()
	}
	return d.errs.or()
}

// sort puts faults in the order of the text.
func (es Errors) sort() {
	slices.SortStableFunc(es, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
}

// decoder gathers faults while a tree is decoded.
type decoder struct {
	strict   bool
	warnings *Errors
	errs     Errors
}

// rules are what a field's tag asks for.
type rules struct {
	required bool
	bytes    bool
	unit     time.Duration // of a bare number; 0 for milliseconds
	fault    string        // what is wrong with the tag itself
}

func (d *decoder) fail(err error) {
	var one *Error
	var many Errors
	switch {
	case len(d.errs) >= maxFaults:
	case errors.As(err, &many):
		d.errs = append(d.errs, many...)
	case errors.As(err, &one):
		d.errs = append(d.errs, one)
	}
}

// value decodes a value that may be missing.
func (d *decoder) value(v Value, to reflect.Value, r rules) {
	if !v.Exists() || v.Kind() == Null {
		if r.required {
			d.fail(v.want(wanted(to.Type(), r)))
		}
		return
	}
	if r.fault != "" {
		d.fail(v.Errorf("%s", r.fault))
		return
	}
	if to.Kind() == reflect.Pointer && !to.Type().Implements(textUnmarshaler()) {
		inner := reflect.New(to.Type().Elem())
		if !to.IsNil() {
			inner.Elem().Set(to.Elem()) // what is there already is the default
		}
		d.value(v, inner.Elem(), r)
		to.Set(inner)
		return
	}
	if !d.special(v, to, r) {
		d.kind(v, to, r)
	}
}

func textUnmarshaler() reflect.Type { return reflect.TypeFor[encoding.TextUnmarshaler]() }

// special decodes the types that are known by name. It reports whether to is one.
func (d *decoder) special(v Value, to reflect.Value, r rules) bool {
	switch to.Type() {
	case reflect.TypeFor[Value]():
		to.Set(reflect.ValueOf(v))
	case reflect.TypeFor[Secret]():
		if _, e := v.scalar("text"); e != nil {
			d.fail(e)
		} else {
			to.Set(reflect.ValueOf(v.Secret()))
		}
	case reflect.TypeFor[time.Duration]():
		span, err := v.Duration(cmp.Or(r.unit, time.Millisecond))
		d.set(err, func() { to.SetInt(int64(span)) })
	case reflect.TypeFor[Period]():
		period, err := v.Period()
		d.set(err, func() { to.Set(reflect.ValueOf(period)) })
	default:
		if to.CanAddr() && to.Addr().Type().Implements(textUnmarshaler()) {
			d.unmarshal(v, to.Addr())
			return true
		}
		if to.Kind() == reflect.Pointer { // it implements TextUnmarshaler
			fresh := reflect.New(to.Type().Elem())
			d.unmarshal(v, fresh)
			to.Set(fresh)
			return true
		}
		return false
	}
	return true
}

func (d *decoder) unmarshal(v Value, to reflect.Value) {
	text, err := v.Text()
	if err == nil {
		if bad := to.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); bad != nil {
			e := v.Errorf("%v", bad)
			e.Err = bad
			err = e
		}
	}
	d.fail(err)
}

func (d *decoder) set(err error, set func()) {
	if err != nil {
		d.fail(err)
		return
	}
	set()
}

// kind decodes by the kind of the Go type.
func (d *decoder) kind(v Value, to reflect.Value, r rules) {
	switch to.Kind() {
	case reflect.Bool:
		b, err := v.Bool()
		d.set(err, func() { to.SetBool(b) })
	case reflect.String:
		text, err := v.Text()
		d.set(err, func() { to.SetString(text) })
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.integer(v, to, r)
	case reflect.Float32, reflect.Float64:
		f, err := v.Float()
		d.set(err, func() { to.SetFloat(f) })
	case reflect.Struct:
		d.structure(v, to)
	case reflect.Slice:
		d.slice(v, to, r)
	case reflect.Map:
		d.table(v, to, r)
	case reflect.Interface:
		if to.NumMethod() == 0 {
			d.any(v, to)
			return
		}
		fallthrough
	default:
		d.fail(v.Errorf("cannot be decoded into a Go value of type %s", to.Type()))
	}
}

func (d *decoder) integer(v Value, to reflect.Value, r rules) {
	read := Value.Int
	if r.bytes {
		read = Value.Bytes
	}
	n, err := read(v)
	if err != nil {
		d.fail(err)
		return
	}
	unsigned := to.CanUint()
	if unsigned && (n < 0 || to.OverflowUint(uint64(n))) || !unsigned && to.OverflowInt(n) {
		d.fail(v.Errorf("want a whole number that fits %s, got one outside", to.Kind()))
		return
	}
	if unsigned {
		to.SetUint(uint64(n))
	} else {
		to.SetInt(n)
	}
}

func (d *decoder) slice(v Value, to reflect.Value, r rules) {
	list, err := v.List()
	if err != nil {
		d.fail(err)
		return
	}
	out := reflect.MakeSlice(to.Type(), len(list), len(list))
	r.required = true // a null among the elements has no default to leave
	for i, element := range list {
		d.value(element, out.Index(i), element.lenient(out.Index(i), r))
	}
	to.Set(out)
}

// lenient lets a null be an element where the Go type can say so.
func (v Value) lenient(to reflect.Value, r rules) rules {
	if k := to.Kind(); k == reflect.Pointer || k == reflect.Interface || to.Type() == reflect.TypeFor[Value]() {
		r.required = false
	}
	return r
}

func (d *decoder) table(v Value, to reflect.Value, r rules) {
	t := to.Type()
	if t.Key().Kind() != reflect.String {
		d.fail(v.Errorf("cannot be decoded into a Go value of type %s: want a map with string keys", t))
		return
	}
	if v.Kind() != Object {
		d.fail(v.want("an object"))
		return
	}
	if to.IsNil() {
		to.Set(reflect.MakeMap(t))
	}
	r.required = true
	for _, key := range v.Keys() {
		element, child := reflect.New(t.Elem()).Elem(), v.Get(key)
		d.value(child, element, child.lenient(element, r))
		to.SetMapIndex(reflect.ValueOf(key).Convert(t.Key()), element)
	}
}

// any decodes into what encoding/json would, but whole numbers into int64.
func (d *decoder) any(v Value, to reflect.Value) {
	var out any
	switch v.Kind() {
	case Object:
		m := map[string]any{}
		d.table(v, reflect.ValueOf(&m).Elem(), rules{})
		out = m
	case List:
		var l []any
		d.slice(v, reflect.ValueOf(&l).Elem(), rules{})
		out = l
	case Bool:
		b, err := v.Bool()
		d.fail(err)
		out = b
	case Number:
		if n, err := v.Int(); err == nil {
			out = n
		} else {
			f, err := v.Float()
			d.fail(err)
			out = f
		}
	default:
		text, err := v.Text()
		d.fail(err)
		out = text
	}
	to.Set(reflect.ValueOf(out))
}

func (d *decoder) structure(v Value, to reflect.Value) {
	if v.Kind() != Object {
		d.fail(v.want("an object"))
		return
	}
	fields := fieldsOf(to.Type(), nil)
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.key
	}
	for _, key := range v.Keys() {
		if !slices.Contains(known, key) {
			d.unknown(v.Get(key), key, known)
		}
	}
	for _, f := range fields {
		d.value(v.Get(f.key), f.in(to), f.rules)
	}
}

// unknown tells a key that no field takes.
func (d *decoder) unknown(v Value, key string, known []string) {
	if !d.strict && d.warnings == nil {
		return
	}
	e := &Error{Pos: v.KeyPos(), Path: v.Path(), Text: "no such key"}
	if f := v.at().field; f != nil && f.keySrc != nil {
		e.IncludedFrom = f.keySrc.from
	}
	if near, ok := Nearest(key, known); ok {
		e.Text += "; did you mean " + near + "?"
	}
	switch {
	case d.strict:
		d.fail(e)
	case len(*d.warnings) < maxFaults:
		*d.warnings = append(*d.warnings, e)
	}
}

// goField is a field of a struct, embedded ones counted in.
type goField struct {
	key   string
	index []int
	rules rules
}

// in returns the field's place in a struct, and makes the embedded structs on the
// way that are pointers.
func (f goField) in(to reflect.Value) reflect.Value {
	for _, i := range f.index {
		if to.Kind() == reflect.Pointer {
			if to.IsNil() {
				to.Set(reflect.New(to.Type().Elem()))
			}
			to = to.Elem()
		}
		to = to.Field(i)
	}
	return to
}

// fieldsOf lists the fields of a struct. Of two with one key that of the outer
// struct counts.
func fieldsOf(t reflect.Type, within []int) []goField {
	var out, embedded []goField
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("hocon")
		index := append(slices.Clone(within), i)
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if f.Anonymous && !tagged && inner.Kind() == reflect.Struct && len(index) < maxEmbedded && (f.IsExported() || f.Type.Kind() == reflect.Struct) {
			embedded = append(embedded, fieldsOf(inner, index)...)
			continue
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		key, options, _ := strings.Cut(tag, ",")
		if key == "" {
			key = strings.ToLower(f.Name[:1]) + f.Name[1:]
		}
		out = append(out, goField{key, index, parseRules(options)})
	}
	for _, f := range embedded {
		if !slices.ContainsFunc(out, func(g goField) bool { return g.key == f.key }) {
			out = append(out, f)
		}
	}
	return out
}

// maxEmbedded ends the search in a struct that embeds a pointer to itself.
const maxEmbedded = 10

// parseRules reads what follows the key in a tag.
func parseRules(options string) rules {
	var r rules
	for _, word := range strings.Split(options, ",") {
		unit, isUnit := strings.CutPrefix(word, "unit=")
		switch {
		case word == "":
		case word == "required":
			r.required = true
		case word == "bytes":
			r.bytes = true
		case isUnit:
			known, ok := timeUnit(unit)
			if !ok {
				r.fault = "the tag of the Go field names the unit " + unit + ", which there is not"
			}
			r.unit = known
		default:
			r.fault = "the tag of the Go field has the word " + word + ", which means nothing"
		}
	}
	return r
}

// wanted names what a Go type takes, for the fault that it is missing.
func wanted(t reflect.Type, r rules) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return `a duration such as 500ms, 20s or "2 minutes"`
	case t == reflect.TypeFor[Period]():
		return "a period such as 3d, 2 weeks, 6 months or 1y"
	case t == reflect.TypeFor[Value]() || t.Kind() == reflect.Interface:
		return "a value"
	case t == reflect.TypeFor[Secret]() || reflect.PointerTo(t).Implements(textUnmarshaler()):
		return "text"
	case r.bytes:
		return "a size such as 512, 64KiB or 10MB"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice:
		return "a list"
	}
	return "a whole number"
}
