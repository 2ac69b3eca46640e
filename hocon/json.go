package hocon

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSON returns the value as JSON, keys in their order, numbers as written and secrets
// as "***". A value that does not exist is null.
func (v Value) JSON() []byte { return appendJSON(nil, v, false) }

// MarshalJSON returns the value as JSON, secrets as "***".
func (v Value) MarshalJSON() ([]byte, error) { return v.JSON(), nil }

func appendJSON(b []byte, v Value, reveal bool) []byte {
	n := v.at().node
	switch {
	case n == nil || n.kind == nodeNull:
		return append(b, "null"...)
	case n.kind == nodeList:
		b = append(b, '[')
		for i := range n.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, v.element(i), reveal)
		}
		return append(b, ']')
	case n.kind == nodeObject:
		b = append(b, '{')
		for i := range n.obj.fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSONString(b, n.obj.fields[i].key), ':')
			b = appendJSON(b, v.child(&n.obj.fields[i]), reveal)
		}
		return append(b, '}')
	}
	text := n.text
	if !reveal {
		text = v.shown()
	}
	switch {
	case n.kind == nodeString || !reveal && v.at().secret:
		return appendJSONString(b, text)
	case n.kind == nodeNumber:
		return append(b, jsonNumber(text)...)
	}
	return append(b, text...)
}

// jsonNumber returns a number's text as JSON allows it: no leading zeros, a digit
// on each side of the point.
func jsonNumber(text string) string {
	digits := strings.TrimPrefix(text, "-")
	whole := len(digits) - len(strings.TrimLeft(digits, "0123456789"))
	rest := digits[whole:]
	fits := whole > 0 && (whole == 1 || digits[0] != '0') &&
		(rest == "" || rest[0] != '.' || len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9')
	if fits {
		return text
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return strconv.FormatInt(n, 10)
	}
	f, _ := strconv.ParseFloat(text, 64)
	if math.IsInf(f, 0) {
		return strconv.FormatFloat(math.Copysign(math.MaxFloat64, f), 'g', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// appendJSONString writes a string in quotes. Beyond what JSON demands it writes
// the line separators U+2028 and U+2029 as escapes, for the sake of JavaScript.
func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == '\u2028' || r == '\u2029' {
				b = append(append(b, s[start:i]...), `\u202`...)
				b = append(b, hex[r&0xf])
				start = i + size
			}
			i += size
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
