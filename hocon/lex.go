package hocon

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// tokenKind is the type of a token.
type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokNewline
	tokComma
	tokColon
	tokEquals
	tokPlusEquals
	tokOpenBrace
	tokCloseBrace
	tokOpenBracket
	tokCloseBracket
	tokSubst         // "${"
	tokSubstOptional // "${?"
	tokQuoted        // a string in quotes, escapes already undone
	tokText          // unquoted text
	tokNumber        // a number, as written
	tokBool
	tokNull
	tokBad // not a token; the lexer's fault says why
)

// token is a piece of the text together with the whitespace before it, which
// counts when two simple values stand side by side.
type token struct {
	kind  tokenKind
	text  string
	space string
	at    place
}

// place is a position inside the file being parsed.
type place struct {
	line, col int32
}

// simple reports whether whitespace beside the token is part of a value.
func (t token) simple() bool {
	switch t.kind {
	case tokSubst, tokSubstOptional, tokQuoted, tokText, tokNumber, tokBool, tokNull:
		return true
	}
	return false
}

// String describes the token for an error text. The text of a value is shown
// only as far as it cannot be a secret: keywords and punctuation.
func (t token) String() string {
	switch t.kind {
	case tokEnd:
		return "the end of the file"
	case tokNewline:
		return "the end of the line"
	case tokSubst, tokSubstOptional:
		return "a substitution"
	case tokQuoted:
		return "a quoted string"
	case tokText:
		return "unquoted text"
	case tokNumber:
		return "a number"
	case tokBool, tokNull:
		return t.text
	}
	return "'" + t.text + "'"
}

// lexer cuts a text into tokens. Text that is not UTF-8 has been made so before.
type lexer struct {
	text     string
	off      int  // where the next token starts
	comments bool // # and // begin comments, which JSON and paths do not have

	at    place // the place of seen
	seen  int   // how far at has been counted
	fault string
	hint  place // the place of the fault
}

// here returns the place of offset off, which never runs backwards.
func (l *lexer) here(off int) place {
	for l.seen < off {
		c := l.text[l.seen]
		switch {
		case c == '\n':
			l.at.line++
			l.at.col = 1
		case c < utf8.RuneSelf || utf8.RuneStart(c):
			l.at.col++
		}
		l.seen++
	}
	return l.at
}

// bad returns a token that stands for a fault at offset off.
func (l *lexer) bad(off int, format string, args ...any) token {
	l.fault = fmt.Sprintf(format, args...)
	l.hint = l.here(off)
	return token{kind: tokBad, at: l.hint}
}

// next returns the next token. Comments are passed over: the newline which
// ends one is a token of its own.
func (l *lexer) next() token {
	start := l.off
	l.skipSpace()
	space := l.text[start:l.off]
	if l.comment() {
		l.skipLine()
		space = ""
	}
	if l.off >= len(l.text) {
		return token{kind: tokEnd, at: l.here(len(l.text))}
	}
	t := l.token()
	t.space = space
	return t
}

// token reads one token at a character that is neither space nor comment.
func (l *lexer) token() token {
	at := l.here(l.off)
	c := l.text[l.off]
	if kind := punctuation(c); kind != tokBad {
		l.off++
		return token{kind: kind, text: l.text[l.off-1 : l.off], at: at}
	}
	switch {
	case c == '"':
		return l.quoted(at)
	case c == '$':
		return l.substitution(at)
	case c == '+':
		if strings.HasPrefix(l.text[l.off:], "+=") {
			l.off += 2
			return token{kind: tokPlusEquals, text: "+=", at: at}
		}
		l.off++
		return l.bad(l.off-1, "'+' stands only in '+=' outside quotes: put the text in double quotes")
	case c >= '0' && c <= '9' || c == '-':
		return l.number(at)
	case reserved(c):
		l.off++
		return l.bad(l.off-1, "%q is reserved outside quotes: put the text in double quotes", c)
	}
	return l.unquoted(at)
}

// punctuation returns the kind of a one-character token, or tokBad.
func punctuation(c byte) tokenKind {
	switch c {
	case '\n':
		return tokNewline
	case ',':
		return tokComma
	case ':':
		return tokColon
	case '=':
		return tokEquals
	case '{':
		return tokOpenBrace
	case '}':
		return tokCloseBrace
	case '[':
		return tokOpenBracket
	case ']':
		return tokCloseBracket
	}
	return tokBad
}

// reserved reports whether c may not stand in unquoted text.
func reserved(c byte) bool {
	return strings.IndexByte("$\"{}[]:=,+#`^?!@*&\\", c) >= 0
}

func (l *lexer) comment() bool {
	return l.comments && l.off < len(l.text) && (l.text[l.off] == '#' || strings.HasPrefix(l.text[l.off:], "//"))
}

// skipLine goes to the newline that ends the line, or to the end of the text.
func (l *lexer) skipLine() {
	if i := strings.IndexByte(l.text[l.off:], '\n'); i >= 0 {
		l.off += i
	} else {
		l.off = len(l.text)
	}
}

func (l *lexer) skipSpace() {
	for l.off < len(l.text) {
		c := l.text[l.off]
		if c == '\n' {
			return
		}
		if c < utf8.RuneSelf {
			if !isSpace(rune(c)) {
				return
			}
			l.off++
			continue
		}
		r, size := utf8.DecodeRuneInString(l.text[l.off:])
		if !isSpace(r) {
			return
		}
		l.off += size
	}
}

// isSpace reports what HOCON calls whitespace: Unicode's spaces, the
// non-breaking ones and the byte order mark included, and ASCII separators.
func isSpace(r rune) bool {
	switch {
	case r == ' ' || r >= '\t' && r <= '\r' || r >= 0x1c && r <= 0x1f:
		return true
	case r < 0xa0:
		return false
	case r == 0xa0 || r == 0x1680 || r >= 0x2000 && r <= 0x200a:
		return true
	}
	return r == 0x2028 || r == 0x2029 || r == 0x202f || r == 0x205f || r == 0x3000 || r == 0xfeff
}

// trimSpace cuts whitespace in HOCON's sense from both ends.
func trimSpace(s string) string { return strings.TrimFunc(s, isSpace) }

func (l *lexer) substitution(at place) token {
	rest := l.text[l.off:]
	switch {
	case strings.HasPrefix(rest, "${?"):
		l.off += 3
		return token{kind: tokSubstOptional, text: "${?", at: at}
	case strings.HasPrefix(rest, "${"):
		l.off += 2
		return token{kind: tokSubst, text: "${", at: at}
	}
	l.off++
	return l.bad(l.off-1, "'$' stands only in ${path} outside quotes: put the text in double quotes")
}

// number reads the longest run of characters a number may hold. What then is
// no number, such as an IP address or a date, is unquoted text.
func (l *lexer) number(at place) token {
	end := l.off + 1
	for end < len(l.text) && strings.IndexByte("0123456789eE+-.", l.text[end]) >= 0 {
		end++
	}
	text := l.text[l.off:end]
	if isNumber(text) {
		l.off = end
		return token{kind: tokNumber, text: text, at: at}
	}
	if i := strings.IndexByte(text, '+'); i >= 0 {
		at := l.off + i
		l.off = end
		return l.bad(at, "'+' is reserved outside quotes: put the text in double quotes")
	}
	l.off = end
	return token{kind: tokText, text: text, at: at}
}

// isNumber reports whether text is a number to the reference implementation:
// a whole number of 64 bits, or a decimal one, which may end in its point.
func isNumber(text string) bool {
	if strings.IndexByte(text, '_') >= 0 {
		return false
	}
	if !strings.ContainsAny(text, ".eE") {
		_, err := strconv.ParseInt(text, 10, 64)
		return err == nil
	}
	_, err := strconv.ParseFloat(text, 64)
	return err == nil || isRangeError(err)
}

// unquoted reads text without quotes. The words true, false and null are
// tokens of their own wherever such text begins with them.
func (l *lexer) unquoted(at place) token {
	start := l.off
	for l.off < len(l.text) {
		c := l.text[l.off]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(l.text[l.off:])
			if isSpace(r) {
				break
			}
			l.off += size
			continue
		}
		if reserved(c) || isSpace(rune(c)) || l.comment() {
			break
		}
		l.off++
		switch l.text[start:l.off] {
		case "true", "false":
			return token{kind: tokBool, text: l.text[start:l.off], at: at}
		case "null":
			return token{kind: tokNull, text: "null", at: at}
		}
	}
	return token{kind: tokText, text: l.text[start:l.off], at: at}
}

// quoted reads a string in one or three double quotes.
func (l *lexer) quoted(at place) token {
	if strings.HasPrefix(l.text[l.off:], `"""`) {
		return l.tripleQuoted(at)
	}
	start := l.off
	l.off++
	for i := l.off; i < len(l.text); i++ {
		switch c := l.text[i]; {
		case c == '"':
			text := l.text[l.off:i]
			l.off = i + 1
			return token{kind: tokQuoted, text: text, at: at}
		case c == '\\':
			return l.escaped(start, at)
		case c < ' ':
			return l.control(start, i)
		}
	}
	l.off = len(l.text)
	return l.bad(start, "the string that opens here has no closing quote")
}

// escaped reads a quoted string that holds a backslash.
func (l *lexer) escaped(start int, at place) token {
	var b strings.Builder
	for l.off < len(l.text) {
		switch c := l.text[l.off]; {
		case c == '"':
			l.off++
			return token{kind: tokQuoted, text: b.String(), at: at}
		case c < ' ':
			return l.control(start, l.off)
		case c != '\\':
			b.WriteByte(c)
			l.off++
		default:
			r, size := unescape(l.text[l.off:])
			if size == 0 {
				at := l.off
				l.skipString()
				return l.bad(at, `a backslash must be followed by one of "\/bfnrt or by u and four hex digits: write \\ for a backslash`)
			}
			b.WriteRune(r)
			l.off += size
		}
	}
	return l.bad(start, "the string that opens here has no closing quote")
}

// control is the fault of a control character inside a quoted string.
func (l *lexer) control(start, at int) token {
	if l.text[at] == '\n' {
		l.off = at
		return l.bad(start, `the string that opens here is not closed on its line: close it, or use """ for text of several lines`)
	}
	c := l.text[at]
	l.off = at
	l.skipString()
	return l.bad(at, `a quoted string holds the control character U+%04X: write it as \u%04x`, c, c)
}

// skipString goes behind the quote that closes the string, or to the line's end.
func (l *lexer) skipString() {
	for ; l.off < len(l.text) && l.text[l.off] != '\n'; l.off++ {
		switch l.text[l.off] {
		case '"':
			l.off++
			return
		case '\\':
			if l.off+1 < len(l.text) && l.text[l.off+1] == '"' {
				l.off++
			}
		}
	}
}

// unescape decodes the escape sequence s begins with and returns its length,
// which is 0 when it is none. A pair of surrogates is one character.
func unescape(s string) (rune, int) {
	if len(s) < 2 {
		return 0, 0
	}
	if s[1] != 'u' {
		i := strings.IndexByte(`"\/bfnrt`, s[1])
		if i < 0 {
			return 0, 0
		}
		return rune("\"\\/\b\f\n\r\t"[i]), 2
	}
	r, ok := hex4(s[2:])
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(r) && len(s) > 7 && s[6] == '\\' && s[7] == 'u' {
		if low, ok := hex4(s[8:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 12
			}
		}
	}
	return r, 6
}

// hex4 reads four hex digits.
func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:4], 16, 16)
	return rune(n), err == nil
}

// tripleQuoted reads raw text up to three quotes. Quotes beyond the last three
// belong to the text.
func (l *lexer) tripleQuoted(at place) token {
	start := l.off
	body := l.text[l.off+3:]
	end := strings.Index(body, `"""`)
	if end < 0 {
		l.off = len(l.text)
		return l.bad(start, `the string that opens here with """ is not closed: end it with """`)
	}
	for end+3 < len(body) && body[end+3] == '"' {
		end++
	}
	l.off += 3 + end + 3
	return token{kind: tokQuoted, text: body[:end], at: at}
}
