package hocon

import (
	"errors"
	"strings"
)

var errPathEmpty = errors.New(`the path has an empty part: two points side by side, or one at an end; write "" for an empty key`)

// pathBuilder puts a key path together from the pieces of its text.
type pathBuilder struct {
	done []string
	part strings.Builder

	// quoted is set when a quoted piece is in the part, which may be empty then.
	quoted bool
	fault  error
}

// text adds unquoted text, in which a point ends a part.
func (b *pathBuilder) text(s string) {
	for {
		i := strings.IndexByte(s, '.')
		if i < 0 {
			b.part.WriteString(s)
			return
		}
		b.part.WriteString(s[:i])
		b.endPart()
		s = s[i+1:]
	}
}

// quote adds the content of a quoted string.
func (b *pathBuilder) quote(s string) {
	b.part.WriteString(s)
	b.quoted = true
}

func (b *pathBuilder) endPart() {
	if b.part.Len() == 0 && !b.quoted && b.fault == nil {
		b.fault = errPathEmpty
	}
	b.done = append(b.done, b.part.String())
	b.part.Reset()
	b.quoted = false
}

// path returns the finished path.
func (b *pathBuilder) path() ([]string, error) {
	b.endPart()
	return b.done, b.fault
}

// splitPath reads a path as it is written before a value: a.b."c d".
func splitPath(text string) ([]string, error) {
	l := lexer{text: text, at: place{1, 1}}
	var b pathBuilder
	for first := true; ; first = false {
		t := l.next()
		if !first && t.kind != tokEnd {
			b.text(t.space)
		}
		switch t.kind {
		case tokEnd:
			return b.path()
		case tokBad:
			return nil, errors.New(l.fault)
		case tokQuoted:
			b.quote(t.text)
		case tokText, tokNumber, tokBool, tokNull:
			b.text(t.text)
		default:
			return nil, errors.New("the path holds " + t.String() + ": put that part in double quotes")
		}
	}
}

// joinPath writes a path so that splitPath reads it back.
func joinPath(path []string) string {
	var b strings.Builder
	for i, key := range path {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(quoteKey(key))
	}
	return b.String()
}

// quoteKey puts a key in quotes where a path needs them.
func quoteKey(key string) string {
	plain := key != ""
	for i := 0; i < len(key) && plain; i++ {
		c := key[i]
		plain = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
	}
	if plain {
		return key
	}
	return string(appendJSONString(nil, key))
}
