package hocon

import (
	"strconv"
	"strings"
)

// Pos is a place in a file. Lines and columns count from one; a column counts
// characters, not bytes. Line 0 means the file as a whole.
type Pos struct {
	File string
	Line int
	Col  int
}

// String returns "file:line:col", or the file alone where there is no line.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Col)
}

// Error is one fault, with the place and the path it was found at.
type Error struct {
	Pos  Pos    // where the faulty text stands
	Path string // the key path, as far as it is known; may be empty
	Text string // what was read and what would be right

	// IncludedFrom holds the include statements that led to the file, the
	// innermost first. It is empty for the file that was asked for.
	IncludedFrom []Pos

	// Err is the cause where there is one, such as fs.ErrNotExist.
	Err error
}

// Error returns "file:line:col: path: text", then the including places.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Pos != (Pos{}) {
		b.WriteString(e.Pos.String())
		b.WriteString(": ")
	}
	if e.Path != "" {
		b.WriteString(e.Path)
		b.WriteString(": ")
	}
	b.WriteString(e.Text)
	for _, p := range e.IncludedFrom {
		b.WriteString(", included from ")
		b.WriteString(p.String())
	}
	return b.String()
}

// Unwrap returns the cause of the fault, or nil.
func (e *Error) Unwrap() error { return e.Err }

// Errors is every fault found in one run, up to 25, in the order of finding:
// that of the text, but where one thing depends on another.
type Errors []*Error

// Error returns each fault on its own line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the faults one by one, for errors.Is and errors.As.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// or returns es as an error, or nil when there is no fault: a nil Errors in an
// error would not compare equal to nil.
func (es Errors) or() error {
	if len(es) == 0 {
		return nil
	}
	return es
}
