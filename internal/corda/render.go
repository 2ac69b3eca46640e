package corda

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hotcold/hotcold/hocon"
)

// Machine is what one machine has of its own.
type Machine struct {
	// Variables are its values for substitutions.
	Variables map[string]string
	// Fields are its values for fields, over what the shared file says.
	Fields []Override
	// Mask shows *** in the place of each secret that the shared file holds as text.
	Mask bool
	// Reveal puts the values of secret substitutions in, which stay substitutions otherwise.
	Reveal bool
	// WorkDir is the directory that relative names start from.
	WorkDir string
}

// Rendered is the node.conf of one machine.
type Rendered struct {
	Text string
	// Kept are the variables that stayed substitutions: the node takes them from its environment.
	Kept []string
	// Masked says whether a secret was masked, so that the text is to be looked at and not to be used.
	Masked bool
}

// Render makes the node.conf of one machine out of one that both share. A substitution of a variable that the machine
// gives becomes its value; one of a secret stays a substitution, and so does one that nobody gives, so that the node
// takes it from its environment. An optional one that nobody gives is left out, as the node would. Includes become part
// of the file, comments do not. The error is hocon.Errors.
func Render(file string, m Machine) (Rendered, error) {
	doc, err := hocon.ParseFile(file, hocon.WithDir(m.WorkDir), hocon.WithSecretPaths(Secrets().Path))
	if err != nil {
		return Rendered{}, err
	}
	entries := make([]hocon.Entry, len(m.Fields))
	for i, f := range m.Fields {
		entries[i] = hocon.Entry{Path: f.Name, Value: f.Value}
	}
	over, err := hocon.FromEntries("--set", hocon.FromLayer, entries)
	if err != nil {
		return Rendered{}, err
	}
	// Given variables are marked too: whether one goes in is decided where its value stands.
	cfg, _, err := resolveMarked(hocon.Layers{over, doc}, func(name string) (string, bool) {
		_, given := m.Variables[name]
		return placeholder + name + placeholder, given
	})
	if err != nil {
		return Rendered{}, err
	}
	r := &renderer{machine: m}
	r.fields(cfg.Root(), "")
	slices.Sort(r.kept)
	return Rendered{r.b.String(), r.kept, r.masked}, nil
}

// mark is a variable in a resolved text.
var mark = regexp.MustCompile(placeholder + "([^" + placeholder + "]*)" + placeholder)

type renderer struct {
	machine Machine
	b       strings.Builder
	kept    []string
	masked  bool
}

// plainKey is a key that needs no quotes.
var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

func (r *renderer) fields(v hocon.Value, indent string) {
	for _, key := range v.Keys() {
		child := v.Get(key)
		if !plainKey.MatchString(key) {
			key = Quote(key)
		}
		r.b.WriteString(indent + key)
		if child.Kind() == hocon.Object {
			r.b.WriteString(" ")
		} else {
			r.b.WriteString(" = ")
		}
		r.value(child, indent)
		r.b.WriteString("\n")
	}
}

const indentStep = "    "

func (r *renderer) value(v hocon.Value, indent string) {
	switch v.Kind() {
	case hocon.Object:
		if len(v.Keys()) == 0 {
			r.b.WriteString("{}")
			return
		}
		r.b.WriteString("{\n")
		r.fields(v, indent+indentStep)
		r.b.WriteString(indent + "}")
	case hocon.List:
		items, err := v.List()
		if err != nil {
			return // a list is one
		}
		r.b.WriteString("[")
		for i, item := range items {
			if i > 0 {
				r.b.WriteString(",")
			}
			r.b.WriteString("\n" + indent + indentStep)
			r.value(item, indent+indentStep)
		}
		if len(items) > 0 {
			r.b.WriteString("\n" + indent)
		}
		r.b.WriteString("]")
	case hocon.String:
		r.text(v)
	default:
		if v.IsSecret() && r.machine.Mask {
			r.masked = true
			r.b.WriteString(`"***"`)
			return
		}
		r.b.WriteString(v.Reveal() + map[bool]string{true: "null"}[v.Kind() == hocon.Null])
	}
}

// text writes a text, of which parts may be variables.
func (r *renderer) text(v hocon.Value) {
	text, before, wrote := v.Reveal(), "", false
	flush := func() {
		switch {
		case before == "":
		case r.machine.Mask && v.IsSecret():
			r.masked, wrote = true, true
			r.b.WriteString(`"***"`)
		default:
			shown := before
			if r.machine.Mask && v.String() != v.Reveal() { // an address with a password inside
				r.masked, shown = true, "***"
			}
			wrote = true
			r.b.WriteString(Quote(shown))
		}
		before = ""
	}
	for text != "" {
		at := mark.FindStringSubmatchIndex(text)
		if at == nil {
			before += text
			break
		}
		before += text[:at[0]]
		name := text[at[2]:at[3]]
		text = text[at[1]:]
		if value, ok := r.machine.Variables[name]; ok && (r.machine.Reveal || !v.IsSecret() && !hocon.DefaultSecrets().Env(name)) {
			before += value
			continue
		}
		flush()
		wrote = true
		r.b.WriteString("${" + name + "}")
		if !slices.Contains(r.kept, name) {
			r.kept = append(r.kept, name)
		}
	}
	flush()
	if !wrote {
		r.b.WriteString(`""`)
	}
}
