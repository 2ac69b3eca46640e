package hocon

import (
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// include parses an include statement, whose keyword has been read, and puts
// the fields of what it names into n.
func (p *parser) include(n *node, keyword token) bool {
	if p.skipNewlines(); p.peek().kind == tokQuoted {
		return p.includeFile(n, keyword, includeTarget{name: p.take().text})
	}
	t := p.peek()
	if t.kind != tokText {
		return p.unexpected(t, `a file name in quotes, file("...") or required(...) after include`)
	}
	p.take()
	target, ok := p.includeCall(t)
	if !ok {
		return false
	}
	return p.includeFile(n, keyword, target)
}

// includeTarget is what an include statement names.
type includeTarget struct {
	name     string
	absolute bool // from the working directory, not from the including file
	required bool
}

// includeCall parses file("x"), required("x") and required(file("x")), whose
// words and opening parentheses are one token of unquoted text.
func (p *parser) includeCall(t token) (includeTarget, bool) {
	var target includeTarget
	words := t.text
	open := 0
	if rest, ok := strings.CutPrefix(words, "required("); ok {
		target.required = true
		words = rest
		open++
		if words == "" && p.peek().kind == tokText {
			words = p.take().text
		}
	}
	switch {
	case words == "file(":
		target.absolute = true
		open++
	case strings.HasPrefix(words, "url("), strings.HasPrefix(words, "classpath("):
		word := words[:strings.IndexByte(words, '(')]
		return target, p.fail(t.at, `%s(...) cannot be included here, only files can: copy it to a file and write include file("...")`, word)
	case words != "":
		return target, p.fail(t.at, `want a file name in quotes, file("...") or required(...) after include, with no space before a '('`)
	}
	p.skipNewlines()
	name := p.peek()
	if name.kind != tokQuoted {
		return target, p.unexpected(name, "a file name in quotes")
	}
	p.take()
	target.name = name.text
	return target, p.closeParens(open)
}

// closeParens reads n closing parentheses, which may be several tokens.
func (p *parser) closeParens(n int) bool {
	for n > 0 {
		p.skipNewlines()
		t := p.peek()
		if t.kind != tokText || len(t.text) > n || strings.Trim(t.text, ")") != "" {
			return p.unexpected(t, "a ')' after the file name")
		}
		n -= len(t.text)
		p.take()
	}
	return true
}

// includeFile reads the file, or the three that a name without ending stands
// for, and puts their fields into n.
func (p *parser) includeFile(n *node, at token, target includeTarget) bool {
	if i := strings.Index(target.name, "://"); i > 0 && !target.absolute {
		return p.fail(at.at, "%q is a URL, and only files can be included: copy it to a file", target.name)
	}
	names := []string{target.name}
	lenient := !target.absolute
	switch filepath.Ext(target.name) {
	case ".conf", ".json", ".properties":
	default:
		// The one named first has the highest priority, so it is laid on last.
		lenient = false
		names = []string{target.name + ".properties", target.name + ".json", target.name + ".conf"}
	}
	found := false
	for _, name := range names {
		seen, ok := p.includeOne(n, at, p.resolveName(name, target.absolute), lenient)
		if !ok {
			return false
		}
		found = found || seen
	}
	if target.required && !found {
		return p.fail(at.at, "the required file %s does not exist", strings.Join(p.resolveNames(names, target.absolute), ", "))
	}
	return true
}

// resolveName makes the path of an included file: from the including file's
// directory, or from the working directory.
func (p *parser) resolveName(name string, fromDir bool) string {
	dir := p.dir
	if !fromDir {
		dir = filepath.Dir(p.file)
	}
	if filepath.IsAbs(name) || dir == "" {
		return name
	}
	return filepath.Join(dir, name)
}

func (p *parser) resolveNames(names []string, fromDir bool) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = p.resolveName(name, fromDir)
	}
	sort.Strings(out)
	return out
}

// includeOne includes one file if it exists.
func (p *parser) includeOne(n *node, at token, file string, lenient bool) (found, ok bool) {
	text, err := p.readFile(file)
	if err != nil {
		if missing(err) {
			return false, true
		}
		p.record(&Error{Pos: p.pos(at.at), Path: joinPath(p.keys), Text: file + ": " + readFault(err), IncludedFrom: p.src.from, Err: err})
		return false, false
	}
	if e := p.includeLimit(file); e != "" {
		return true, p.abort(at.at, "%s", e)
	}
	p.files++
	inner := &parser{
		src:     &source{name: file, kind: p.kind, from: append([]Pos{p.pos(at.at)}, p.src.from...)},
		lenient: lenient,
		keys:    clone(p.keys),
		prefix:  len(p.keys),
		depth:   p.depth,
	}
	before := len(p.errs)
	root := p.reader.parse(file, text, inner)
	if p.full() {
		p.over = true
	}
	if len(p.errs) > before {
		return true, true
	}
	if p.lists > 0 && root.open {
		return true, p.fail(at.at, "a file with substitutions cannot be included inside a list: move the include statement out of the list")
	}
	n.open = n.open || root.open
	for i := range root.obj.fields {
		n.obj.put(&root.obj.fields[i], false)
	}
	return true, true
}

// includeLimit says why a file may not be included, if so.
func (p *parser) includeLimit(file string) string {
	clean := filepath.Clean(file)
	for _, open := range p.stack {
		if open == clean {
			return "include makes a circle: " + strings.Join(append(clone(p.stack), clean), " includes ")
		}
	}
	if len(p.stack) > p.limits.IncludeDepth {
		return "include statements are nested deeper than " + strconv.Itoa(p.limits.IncludeDepth) + " files"
	}
	if p.files >= p.limits.Includes {
		return "more than " + strconv.Itoa(p.limits.Includes) + " files are included"
	}
	return ""
}
