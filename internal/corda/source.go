package corda

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hotcold/hotcold/hocon"
)

// Override is one value that stands over node.conf.
type Override struct {
	// Name is the name as it was given: corda.devMode, corda_devMode.
	Name string
	// Value is its text.
	Value string
}

// Sources are what a node puts its configuration together from, beside its file.
type Sources struct {
	// BaseDir is the base directory, which beats whatever is written; empty where it is not known.
	BaseDir string
	// Bare leaves the defaults out: what somebody wrote is all that there is.
	Bare bool
	// Arguments are overrides of the command line, by their paths: devMode, noLocalShell, sshd.port.
	Arguments []Override
	// Properties are the JVM's system properties; those that begin with "corda." or "corda_" count.
	Properties []Override
	// Environ is the node's environment, NAME=value.
	Environ []string
	// WorkDir is the directory that relative names start from.
	WorkDir string
	// ReadFile reads a file; nil for the file system.
	ReadFile func(string) ([]byte, error)
	// Lenient goes on where a variable is not set: values that hang on it are not known then.
	Lenient bool
}

// Node is a node's configuration as the node sees it.
type Node struct {
	// File is the node.conf that was read.
	File string
	// Config is the whole of it.
	Config *hocon.Config
	// Findings are what was found while it was put together.
	Findings []Finding
	// Unset are the variables that a Lenient reading found not to be set.
	Unset []string
}

// Load reads a node.conf and lays what stands over it over it. The error is hocon.Errors.
func Load(file string, s Sources) (*Node, error) {
	n := &Node{File: file}
	opts := []hocon.Option{hocon.WithDir(s.WorkDir), hocon.WithSecretPaths(Secrets().Path)}
	if s.ReadFile != nil {
		opts = append(opts, hocon.WithReadFile(s.ReadFile))
	}
	doc, err := hocon.ParseFile(file, opts...)
	if err != nil {
		return nil, err
	}
	layers, err := n.layers(doc, s)
	if err != nil {
		return nil, err
	}
	n.Config, err = n.resolve(layers, s)
	return n, err
}

// layers are the sources, the highest first.
func (n *Node) layers(doc *hocon.Document, s Sources) (hocon.Layers, error) {
	var known []hocon.Entry
	if s.BaseDir != "" {
		known = append(known, hocon.Entry{Path: "baseDirectory", Value: s.BaseDir})
	}
	base, err := hocon.FromEntries("base directory", hocon.FromLayer, known)
	if err != nil {
		return nil, err
	}
	arguments := make([]hocon.Entry, len(s.Arguments))
	for i, a := range s.Arguments {
		arguments[i] = hocon.Entry{Path: a.Name, Value: a.Value}
	}
	cli, err := hocon.FromEntries("command line", hocon.FromLayer, arguments)
	if err != nil {
		return nil, err
	}
	properties, err := hocon.FromEntries("system property", hocon.FromLayer, n.overrides(s.Properties, "system property", false))
	if err != nil {
		return nil, err
	}
	var variables []Override
	for _, line := range s.Environ {
		name, value, _ := strings.Cut(line, "=")
		variables = append(variables, Override{name, value})
	}
	environment, err := hocon.FromEntries("environment", hocon.FromEnv, n.overrides(variables, "environment variable", true))
	if err != nil {
		return nil, err
	}
	layers := hocon.Layers{base, cli, properties, environment, doc}
	if !s.Bare {
		layers = append(layers, defaults())
	}
	return layers, nil
}

// overrides are the entries that names with the prefix of Corda make.
func (n *Node) overrides(all []Override, kind string, env bool) []hocon.Entry {
	var entries []hocon.Entry
	names := map[string]string{}
	for _, o := range all {
		path, ok := overridden(o.Name)
		if !ok {
			continue
		}
		at := hocon.Pos{File: kind + " " + o.Name}
		if why := refused(path); why != "" {
			n.Findings = append(n.Findings, Finding{Severity: Warning, Rule: "override", Pos: at, Path: path, Text: why + ", so the node passes it over", Mend: nearest(path)})
			continue
		}
		if other, twice := names[path]; twice {
			n.Findings = append(n.Findings, Finding{Severity: Error, Rule: "override", Pos: at, Path: path,
				Text: "stands for the same key as " + other + ", and the node refuses both", Mend: "keep one of them"})
			continue
		}
		names[path] = o.Name
		e := hocon.Entry{Path: path, Value: o.Value, Pos: at}
		if env {
			e.EnvName = o.Name
		}
		entries = append(entries, e)
	}
	return entries
}

// overridden is the path that a name stands for. Names all in capitals stand for nothing.
func overridden(name string) (string, bool) {
	if len(name) < len("corda.x") || !strings.EqualFold(name[:5], "corda") || name[5] != '.' && name[5] != '_' {
		return "", false
	}
	if prefix := name[:5]; prefix != "corda" && prefix != "CORDA" || name == strings.ToUpper(name) {
		return "", false
	}
	return strings.ReplaceAll(name[6:], "_", "."), true
}

// refused says why a path cannot be overridden, or "".
func refused(path string) string {
	field, ok := FieldAt(path)
	if ok && field.Kind != Objects {
		return ""
	}
	// The last key may be an index of a list.
	if parent, last, found := cutLast(path); found && strings.Trim(last, "0123456789") == "" {
		if list, ok := FieldAt(parent); ok && (list.Kind == Texts || list.Kind == Addrs) {
			return ""
		}
	}
	for p := path; p != ""; p, _, _ = cutLast(p) {
		if f, ok := FieldAt(p); ok && f.Kind == Objects {
			return "objects in lists cannot be overridden"
		}
	}
	return "is no key that a node knows"
}

// cutLast splits a path before its last key.
func cutLast(path string) (parent, key string, found bool) {
	i := strings.LastIndex(path, ".")
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// nearest names the nearest path that is known, as a mend; "" where none is near.
func nearest(path string) string {
	if near, ok := Nearest(path); ok {
		return "did you mean " + near + "?"
	}
	return ""
}

// Nearest is the path of a field that a misspelt one most likely stands for.
func Nearest(path string) (string, bool) {
	rows := fields()
	known := make([]string, len(rows))
	for i, f := range rows {
		known[i] = f.Path
	}
	return hocon.Nearest(path, known)
}

// placeholder stands before and behind the name of a variable whose value is not known. It is no character, so no file
// has it.
const placeholder = "\uffff"

// unknown says whether a value hangs on a variable that is not set.
func unknown(v hocon.Value) bool { return strings.Contains(v.Reveal(), placeholder) }

// resolve resolves all layers at once.
func (n *Node) resolve(l hocon.Layers, s Sources) (*hocon.Config, error) {
	lookup := func(name string) (string, bool) {
		for _, line := range slices.Backward(s.Environ) {
			if key, value, _ := strings.Cut(line, "="); key == name {
				return value, true
			}
		}
		return "", false
	}
	if !s.Lenient {
		return hocon.Resolve(l, hocon.Env(lookup), hocon.WithSecrets(Secrets()))
	}
	cfg, unset, err := resolveMarked(l, lookup)
	n.Unset = unset
	return cfg, err
}

// resolveMarked resolves layers with a mark in the place of each variable that is wanted and not there, and returns
// their names. Variables that are optional and not there stay so.
func resolveMarked(l hocon.Layers, lookup func(string) (string, bool)) (*hocon.Config, []string, error) {
	var marks []string
	for {
		var asked []string
		cfg, err := hocon.Resolve(l, hocon.WithSecrets(Secrets()), hocon.Env(func(name string) (string, bool) {
			if slices.Contains(marks, name) {
				return placeholder + name + placeholder, true
			}
			value, ok := lookup(name)
			if !ok && !slices.Contains(asked, name) {
				asked = append(asked, name)
			}
			return value, ok
		}))
		if err == nil {
			slices.Sort(marks)
			return cfg, marks, nil
		}
		// One run tells a limited number of faults, so there may be more of them in the next.
		before := len(marks)
		for _, name := range asked {
			if strings.Contains(err.Error(), "${"+name+"}") {
				marks = append(marks, name)
			}
		}
		if len(marks) == before {
			return nil, nil, err
		}
	}
}

// defaults are the constant defaults of the table as the lowest layer.
func defaults() *hocon.Document {
	var b strings.Builder
	for _, f := range fields() {
		if f.Default != "" {
			b.WriteString(f.Path + " = " + f.Default + "\n")
		}
	}
	doc, err := hocon.Parse("default", []byte(b.String()), hocon.WithOriginKind(hocon.FromDefault))
	if err != nil {
		// The table is ours, and a test reads it.
		panic("corda: the defaults cannot be read: " + err.Error())
	}
	return doc
}

// Quote writes a text as HOCON, which takes JSON's form.
func Quote(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		// A string can always be encoded.
		panic("corda: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// BaseDir is the directory that a node.conf lies in, which is where a node is started.
func BaseDir(file, workDir string) string {
	if !filepath.IsAbs(file) {
		file = filepath.Join(workDir, file)
	}
	return filepath.Dir(file)
}
