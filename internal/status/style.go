package status

import (
	"os"
	"strings"
	"time"
	"unicode/utf8"

	terminal "golang.org/x/term"
)

// Style is how a rendering looks.
type Style struct {
	// Color puts ANSI colours around what matters.
	Color bool
	// Width is how many columns there are; zero means that lines are not wrapped.
	Width int
	// Zone is the time zone of the reader; nil is this machine's own.
	Zone *time.Location
}

// StyleOf is plain, and as wide as it likes, unless f is a terminal. A NO_COLOR that is not empty (no-color.org) and
// the terminal named dumb turn colours off.
func StyleOf(f *os.File, lookup func(string) (string, bool)) Style {
	fd := int(f.Fd())
	if !terminal.IsTerminal(fd) {
		return Style{}
	}
	s := Style{Color: true}
	if v, ok := lookup("NO_COLOR"); ok && v != "" {
		s.Color = false
	}
	if v, _ := lookup("TERM"); v == "dumb" {
		s.Color = false
	}
	if width, _, err := terminal.GetSize(fd); err == nil {
		s.Width = width
	}
	return s
}

// tone is what a colour means.
type tone string

// The ANSI colours of the tones: bold for headings, the rest as traffic lights.
const (
	plain  tone = ""
	strong tone = "1"
	good   tone = "32"
	busy   tone = "33"
	bad    tone = "1;31"
)

func (s Style) paint(t tone, text string) string {
	if !s.Color || t == plain || text == "" {
		return text
	}
	return "\x1b[" + string(t) + "m" + text + "\x1b[0m"
}

// minText is the narrowest column that text is wrapped into; a terminal that leaves less wraps by itself.
const minText = 24

// wrap breaks a text at its spaces into lines that fit beside an indent. A word that is too long stays whole, so
// that paths can be copied.
func (s Style) wrap(text string, indent int) []string {
	if s.Width == 0 {
		return []string{text}
	}
	room := max(minText, s.Width-indent)
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) <= room:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

func columns(text string) int { return utf8.RuneCountInString(text) }
