package hocon

import "strings"

// properties parses a Java properties file. Points in a key make a path; every
// value is text. Where a key is both a value and the beginning of another key's
// path, the longer one counts.
func (p *parser) properties() *node { return p.entries(splitProperties(p.lex.text)) }

func (p *parser) entries(entries []property) *node {
	root := p.node(nodeObject, place{1, 1})
	if p.src.kind != FromFile {
		root.line, root.col = 0, 0
	}
	root.obj = &object{}
	inner := map[string]bool{}
	last := map[string]int{}
	for i, e := range entries {
		last[e.key] = i
		for j := range e.key {
			if e.key[j] == '.' {
				inner[e.key[:j]] = true
			}
		}
	}
	for i, e := range entries {
		if e.fault && !p.fail(e.at, `\u must be followed by four hex digits: write \\ for a backslash`) {
			continue
		}
		key := strings.Split(e.key, ".")
		if p.depth+len(key) > p.limits.Depth {
			p.fail(e.at, "values are nested deeper than %d levels", p.limits.Depth)
			break
		}
		if p.values >= p.limits.Values {
			p.fail(e.at, "there are more than %d values", p.limits.Values)
			break
		}
		if !inner[e.key] && last[e.key] == i {
			of := *p
			if e.src != nil {
				of.src = e.src
			}
			n := of.node(nodeString, e.valueAt)
			n.text = e.value
			of.store(root, key, n, token{at: e.at})
		}
	}
	return root
}

// property is one entry of a properties file.
type property struct {
	key, value  string
	at, valueAt place
	fault       bool    // an escape is not complete
	src         *source // nil for that of the file
}

// splitProperties reads the lines of a properties file as java.util.Properties
// does: comments, continued lines, three kinds of separator, escapes.
func splitProperties(text string) []property {
	var out []property
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(text, "\ufeff")), "\n")
	for i := 0; i < len(lines); i++ {
		number := i + 1
		line := strings.TrimLeft(lines[i], " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		indent := len(lines[i]) - len(line)
		for continues(line) {
			line = line[:len(line)-1]
			i++
			if i == len(lines) {
				break
			}
			line += strings.TrimLeft(lines[i], " \t\f")
		}
		out = append(out, splitProperty(line, number, indent))
	}
	return out
}

// continues reports whether a line ends in an odd number of backslashes.
func continues(line string) bool {
	n := len(line) - len(strings.TrimRight(line, `\`))
	return n%2 == 1
}

func splitProperty(line string, number, indent int) property {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
		} else if strings.IndexByte(" \t\f=:", line[i]) >= 0 {
			end = i
			break
		}
	}
	rest := strings.TrimLeft(line[end:], " \t\f")
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = strings.TrimLeft(rest[1:], " \t\f")
	}
	key, goodKey := unescapeProperty(line[:end])
	value, goodValue := unescapeProperty(rest)
	return property{
		fault:   !goodKey || !goodValue,
		key:     key,
		value:   value,
		at:      place{int32(number), int32(indent + 1)},
		valueAt: place{int32(number), int32(indent + 1 + len(line) - len(rest))},
	}
}

// unescapeProperty undoes escapes. It reports whether they were complete.
func unescapeProperty(s string) (string, bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, true
	}
	good := true
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			if s[i] != '\\' {
				b.WriteByte(s[i])
			}
			continue
		}
		i++
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			if r, size := unescape(s[i-1:]); size > 0 {
				b.WriteRune(r)
				i += size - 2
				continue
			}
			good = false
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), good
}
