package cloud

import (
	"regexp"
	"strings"
)

// plainWord is what a shell takes as it stands.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9@%+=:,./_-]+$`)

// Quote writes a text as one word of a shell.
func Quote(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// Script is a shell script in the making.
type Script struct{ b strings.Builder }

// NewScript begins a script with comments.
func NewScript(comment string) *Script {
	s := &Script{}
	s.Line("#!/usr/bin/env bash")
	for line := range strings.Lines(comment) {
		s.Line(strings.TrimRight("# "+strings.TrimSuffix(line, "\n"), " "))
	}
	s.Line("set -euo pipefail")
	return s
}

// Line writes lines as they stand.
func (s *Script) Line(lines ...string) {
	for _, line := range lines {
		s.b.WriteString(line + "\n")
	}
}

// Part begins a part with an empty line and a comment.
func (s *Script) Part(comment string) { s.Line("", "# "+comment) }

// width is where a command goes on in the next line.
const width = 110

// Run writes a command of words: a Raw stands as it is, a string is quoted. before stands in front of it (`id=$(`),
// after behind (`)`).
func (s *Script) Run(before string, words []any, after string) {
	line := before
	for i, word := range words {
		text := ""
		switch w := word.(type) {
		case Raw:
			text = string(w)
		case string:
			text = Quote(w)
		}
		switch {
		case i == 0:
			line += text
		case len(line)+len(text) > width && strings.HasPrefix(text, "-"):
			s.Line(line + " \\")
			line = "  " + text
		default:
			line += " " + text
		}
	}
	s.Line(line + after)
}

// Raw is a word of a command that the shell is to read: "$id".
type Raw string

// Words are the words of a command, for Run.
func Words(words ...any) []any { return words }

// String is the script.
func (s *Script) String() string { return s.b.String() }
