package corda

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hotcold/hotcold/hocon"
)

// Lint finds what is wrong with a node's configuration, or would go wrong with it on two machines, for the editions
// that it may be for.
func Lint(n *Node, e Edition) []Finding {
	l := &linter{cfg: n.Config, file: n.File, edition: e, rows: fields(), found: slices.Clone(n.Findings)}
	l.keys(l.cfg.Root(), "")
	l.texts(l.cfg.Root())
	for _, f := range l.rows {
		if v := l.at(f.Path); written(v) {
			l.field(f, v)
		}
	}
	l.rules()
	l.pair()
	return Sort(l.found)
}

// linter gathers findings.
type linter struct {
	cfg     *hocon.Config
	file    string
	edition Edition
	rows    []Field
	found   []Finding
}

// written says whether somebody wrote a value; null is as good as nothing, and a default was written by nobody.
func written(v hocon.Value) bool {
	return v.Exists() && v.Kind() != hocon.Null && v.Origin().Kind != hocon.FromDefault
}

// at finds a field, in the spelling in which it is written: dataSource.url nested or as one quoted key.
func (l *linter) at(path string) hocon.Value { return At(l.cfg, path) }

// At finds the value of a field in a configuration. dataSource.url may be written nested or as one quoted key; what is
// written comes before a default.
func At(cfg *hocon.Config, path string) hocon.Value {
	v := cfg.At(path)
	if object, key, ok := strings.Cut(path, ".dataSource."); ok && !written(v) {
		if flat := cfg.At(object).Get("dataSource." + key); written(flat) {
			return flat
		}
	}
	return v
}

// add gathers a finding at a value.
func (l *linter) add(s Severity, rule string, v hocon.Value, text, mend string) {
	l.found = append(l.found, Finding{s, rule, l.place(v), v.Path(), text, mend})
}

// place is where a value stands; an environment variable is a place too.
func (l *linter) place(v hocon.Value) hocon.Pos {
	if o := v.Origin(); o.Kind == hocon.FromEnv && len(o.Via) == 0 {
		return hocon.Pos{File: "environment variable " + o.EnvName}
	}
	return v.Pos()
}

// missing gathers the fault that a field is not there, where the object around it begins.
func (l *linter) missing(rule, path, text, mend string) {
	pos := hocon.Pos{File: l.file}
	for p, _, ok := cutLast(path); ok; p, _, ok = cutLast(p) {
		if v := l.cfg.At(p); written(v) {
			pos = v.KeyPos()
			break
		}
	}
	l.found = append(l.found, Finding{Error, rule, pos, path, text, mend})
}

// keys finds keys that the edition does not know.
func (l *linter) keys(v hocon.Value, path string) {
	known := children(l.rows, path, l.edition)
	for _, key := range v.Keys() {
		child, full := v.Get(key), key
		if path != "" {
			full = path + "." + key
		}
		if full == "hotcold" || child.Kind() == hocon.Null || !l.fromFile(child) {
			continue
		}
		f, isField := l.row(full)
		switch {
		case isField && f.Knows&l.edition == 0 || !isField && !slices.Contains(known, key):
			l.unknown(child, full, known)
		case isField && (f.Free || f.Kind != Object):
			l.freeKeys(f, child)
		case child.Kind() == hocon.Object:
			l.keys(child, full)
		default:
			l.add(Error, "type", child, "want an object, got "+child.Kind().String(), "")
		}
	}
}

// fromFile says whether something below a key was written in a file: overrides have been looked at before.
func (l *linter) fromFile(v hocon.Value) bool {
	if v.Kind() != hocon.Object {
		return v.Exists() && v.Origin().Kind == hocon.FromFile
	}
	return len(v.Keys()) == 0 || slices.ContainsFunc(v.Keys(), func(key string) bool { return l.fromFile(v.Get(key)) })
}

// row is the table's row of exactly this path.
func (l *linter) row(path string) (Field, bool) {
	for _, f := range l.rows {
		if f.Path == path {
			return f, true
		}
	}
	return Field{}, false
}

// freeKeys goes on below a free object where the table has rows there.
func (l *linter) freeKeys(f Field, v hocon.Value) {
	known := children(l.rows, f.Path, l.edition)
	for _, key := range v.Keys() {
		path := f.Path + "." + key
		if slices.Contains(known, key) || !l.fromFile(v.Get(key)) {
			if _, leaf := l.row(path); !leaf && v.Get(key).Kind() == hocon.Object && path != "dataSourceProperties.dataSource" {
				l.keys(v.Get(key), path)
			}
			continue
		}
		if near, ok := hocon.Nearest(key, known); ok && f.Path != "dataSourceProperties" {
			l.found = append(l.found, Finding{Warning, "unknown-key", v.Get(key).KeyPos(), v.Get(key).Path(), "is not known", "did you mean " + near + "?"})
		}
		if f.Path == "dataSourceProperties" && strings.HasPrefix(key, "dataSource.") {
			l.found = append(l.found, Finding{Warning, "quoted-key", v.Get(key).KeyPos(), v.Get(key).Path(),
				"is one quoted key, which the node logs as an error, and which loses or wins by chance against the same key written nested",
				"write " + key + " without quotes"})
		}
	}
}

// unknown tells a key that the edition does not have. An open-source node refuses to start with one; of an Enterprise
// node not all keys are known here.
func (l *linter) unknown(v hocon.Value, path string, known []string) {
	severity, text, mend := Warning, "is no key that a Corda node is known to have, and a node refuses keys that it does not know", ""
	if l.edition == OpenSource4 {
		severity = Error
		text = "an open-source node does not have this key, and refuses to start with it"
	}
	_, key, _ := cutLast(path)
	switch near, ok := hocon.Nearest(key, known); {
	case l.elsewhere(path) != 0:
		text = "is a key of " + l.elsewhere(path).String() + " only: the node would refuse to start"
		mend, severity = "take it out", Error
	case ok:
		mend = "did you mean " + near + "?"
	case path == "webAddress":
		mend = "it belongs to the separate web server's own file"
	case path == "certificatesDirectory":
		mend = "the certificates are always in certificates/ of the base directory"
	case path == "initialiseSchema" || path == "database.initialiseSchema" || path == "database.initialiseAppSchema":
		mend = "it was removed; run java -jar corda.jar run-migration-scripts"
	}
	l.found = append(l.found, Finding{severity, "unknown-key", v.KeyPos(), v.Path(), text, mend})
}

// elsewhere are the other editions that have a key.
func (l *linter) elsewhere(path string) Edition {
	var e Edition
	for _, f := range l.rows {
		if f.Path == path || strings.HasPrefix(f.Path, path+".") {
			e |= f.Knows
		}
	}
	return e
}

// substitution is a ${} or ${?}.
var substitution = regexp.MustCompile(`\$\{\??[^}]*\}`)

// texts finds every text that still holds ${: HOCON substitutes nothing inside quotes.
func (l *linter) texts(v hocon.Value) {
	switch v.Kind() {
	case hocon.Object:
		for _, key := range v.Keys() {
			if v.Path() != "" || key != "hotcold" {
				l.texts(v.Get(key))
			}
		}
	case hocon.List:
		items, err := v.List()
		if err != nil {
			return
		}
		for _, item := range items {
			l.texts(item)
		}
	case hocon.String:
		if literal(v) {
			read, mend := respell(v)
			l.add(Error, "quoted-substitution", v, "is the text "+read+": nothing is substituted inside quotes", mend)
		}
	}
}

// literal says whether a text still holds a substitution.
func literal(v hocon.Value) bool {
	return v.Kind() == hocon.String && substitution.MatchString(v.Reveal())
}

// respell shows a text that holds substitutions, and how it would be right. What stands around them in a secret stays
// hidden.
func respell(v hocon.Value) (read, mend string) {
	text := v.Reveal()
	rest := substitution.ReplaceAllString(text, "")
	if rest != "" && (v.IsSecret() || v.String() != text) {
		return "***", "write ${NAME} outside of quotes"
	}
	var b strings.Builder
	for text != "" {
		at := substitution.FindStringIndex(text)
		if at == nil {
			b.WriteString(Quote(text))
			break
		}
		if at[0] > 0 {
			b.WriteString(Quote(text[:at[0]]))
		}
		b.WriteString(text[at[0]:at[1]])
		text = text[at[1]:]
	}
	return Quote(v.Reveal()), "write " + b.String()
}
