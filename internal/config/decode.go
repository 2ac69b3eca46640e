package config

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hotcold/hotcold/hocon"
)

// decoder reads settings one by one and gathers what is wrong with them. A setting that is wrong reads as its zero
// value, so that reading can go on to the next fault.
type decoder struct {
	rows   []Setting
	byPath map[string]Setting

	env      Env
	cfg      *hocon.Config
	defaults *hocon.Config
	preset   PresetName
	baseDir  string
	// front is set where only what a balancer needs is read.
	front bool
	// setup is set where no file with a secret is there to be read.
	setup bool

	errs     hocon.Errors
	warnings []Warning
	where    map[string]Pos
	origins  map[string]hocon.Origin
	shown    map[string]string
}

// nodeExclusion is the block of node.conf that Corda Enterprise's hot-cold guide describes.
const nodeExclusion = "enterpriseConfiguration.mutualExclusionConfiguration"

// aliases are the places in node.conf that stand for a setting where hotcold's own block does not say it.
func aliases() map[string]string {
	return map[string]string{
		"hotcold.mutualExclusion.on":             nodeExclusion + ".on",
		"hotcold.mutualExclusion.machineName":    nodeExclusion + ".machineName",
		"hotcold.mutualExclusion.updateInterval": nodeExclusion + ".updateInterval",
		"hotcold.mutualExclusion.waitInterval":   nodeExclusion + ".waitInterval",
	}
}

// written says whether somebody wrote this value; null is as good as nothing.
func written(v hocon.Value) bool { return v.Exists() && v.Kind() != hocon.Null }

// setting finds what is in force for a row of the table: hotcold's own block, then what stands for it in node.conf,
// then the default. The value does not exist where there is none of them.
func (d *decoder) setting(path string) (Setting, hocon.Value) {
	s, ok := d.byPath[path]
	if !ok {
		panic("config: a setting is read that is not in the table: " + path)
	}
	v := d.cfg.At(path)
	if alias, ok := aliases()[path]; ok && !written(v) {
		v = d.cfg.At(alias)
	}
	if written(v) {
		d.where[path], d.origins[path] = Pos(v.Pos()), v.Origin()
	} else {
		v = d.defaults.At(path)
	}
	if _, ok := d.shown[path]; !ok {
		d.shown[path] = ""
	}
	return s, v
}

// isWritten says whether hotcold's own block or its place in node.conf has the setting.
func (d *decoder) isWritten(path string) bool {
	alias, ok := aliases()[path]
	return written(d.cfg.At(path)) || ok && written(d.cfg.At(alias))
}

// fail gathers a fault.
func (d *decoder) fail(err error) {
	var one *hocon.Error
	var many hocon.Errors
	switch {
	case err == nil:
	case errors.As(err, &many):
		d.errs = append(d.errs, many...)
	case errors.As(err, &one):
		d.errs = append(d.errs, one)
	default:
		d.errs = append(d.errs, &hocon.Error{Text: err.Error(), Err: err})
	}
}

// missing gathers the fault that a setting is not there. It is reported where the nearest object around it begins.
func (d *decoder) missing(path, text string) {
	at := hocon.Pos{}
	for p := path; at.Line == 0 && p != ""; {
		p, _, _ = cutLast(p)
		if v := d.cfg.At(p); p != "" && v.Exists() {
			at = v.Pos()
		}
	}
	if at.Line == 0 {
		at.File = d.cfg.Root().Pos().File
	}
	d.errs = append(d.errs, &hocon.Error{Pos: at, Path: path, Text: text})
}

// cutLast splits a path before its last key.
func cutLast(path string) (parent, key string, found bool) {
	i := strings.LastIndex(path, ".")
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// warn gathers a warning at a value.
func (d *decoder) warn(v hocon.Value, text string) {
	d.warnings = append(d.warnings, Warning{Pos: Pos(v.Pos()), Path: v.Path(), Text: text})
}

func (d *decoder) bool(path string) bool {
	_, v := d.setting(path)
	if !written(v) {
		return false
	}
	b, err := v.Bool()
	d.fail(err)
	d.show(path, b)
	return b
}

// text reads a text; control characters are refused, since it goes to logs, tables and statements.
func (d *decoder) text(path string) string {
	_, v := d.setting(path)
	if !written(v) {
		return ""
	}
	text, err := v.Text()
	if err != nil {
		d.fail(err)
		return ""
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		d.fail(v.Errorf("holds a control character, want plain text"))
		return ""
	}
	d.show(path, text)
	return text
}

func (d *decoder) choice(path string) string {
	s, v := d.setting(path)
	if !written(v) {
		return ""
	}
	text, err := v.Text()
	if err != nil {
		d.fail(err)
		return ""
	}
	if !slices.Contains(s.Choices, text) {
		hint := ""
		if near, ok := hocon.Nearest(text, s.Choices); ok {
			hint = "; did you mean " + near + "?"
		}
		d.fail(v.Errorf("want %s, got %q%s", oneOf(s.Choices), text, hint))
		return ""
	}
	d.show(path, text)
	return text
}

// oneOf is "a, b or c".
func oneOf(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func (d *decoder) int(path string) int {
	s, v := d.setting(path)
	if !written(v) {
		return 0
	}
	n, err := v.Int()
	if err != nil {
		d.fail(err)
		return 0
	}
	low, high := bounds(s, hocon.Value.Int)
	if low != nil && n < *low || high != nil && n > *high {
		d.fail(v.Errorf("want a whole number from %s to %s, got %d", s.Min, s.Max, n))
		return 0
	}
	d.show(path, n)
	return int(n)
}

func (d *decoder) duration(path string) time.Duration {
	s, v := d.setting(path)
	if !written(v) {
		return 0
	}
	span, err := milliseconds(v)
	if err != nil {
		d.fail(err)
		return 0
	}
	low, high := bounds(s, milliseconds)
	if low != nil && span < *low || high != nil && span > *high {
		d.fail(v.Errorf("want a duration from %s to %s, got %v (a number without a unit is milliseconds)", s.Min, s.Max, span))
		return 0
	}
	d.show(path, span)
	return span
}

// milliseconds reads a duration; a number without a unit is milliseconds, as in Corda's own updateInterval.
func milliseconds(v hocon.Value) (time.Duration, error) { return v.Duration(time.Millisecond) }

func (d *decoder) size(path string) int64 {
	s, v := d.setting(path)
	if !written(v) {
		return 0
	}
	n, err := v.Bytes()
	if err != nil {
		d.fail(err)
		return 0
	}
	low, high := bounds(s, hocon.Value.Bytes)
	if low != nil && n < *low || high != nil && n > *high {
		d.fail(v.Errorf("want a size from %s to %s, got %d bytes", s.Min, s.Max, n))
		return 0
	}
	d.show(path, n)
	return n
}

// bounds reads the range of a row by the rule by which its value is read. The table is ours: a test reads all of it,
// so that a bound that cannot be read never gets here.
func bounds[T any](s Setting, read func(hocon.Value) (T, error)) (low, high *T) {
	bound := func(text string) *T {
		if text == "" {
			return nil
		}
		value, err := read(constant(text))
		if err != nil {
			panic("config: " + s.Path + ": the table has an unreadable bound: " + err.Error())
		}
		return &value
	}
	return bound(s.Min), bound(s.Max)
}

// constant makes a value of a text of the table.
func constant(text string) hocon.Value { return tree("table", "value = "+text).At("value") }
