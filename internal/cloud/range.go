package cloud

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hotcold/hotcold/hocon"
	"github.com/hotcold/hotcold/internal/config"
)

// Range is what a number has to be in, both ends included.
type Range struct {
	Min, Max int
	// Unit is one of the number; 0 for a plain number.
	Unit time.Duration
}

// String is "5 s to 300 s".
func (r Range) String() string {
	unit := ""
	switch r.Unit {
	case time.Second:
		unit = " s"
	case time.Minute:
		unit = " min"
	}
	return fmt.Sprintf("%d%s to %d%s", r.Min, unit, r.Max, unit)
}

// Form is what a text has to look like.
type Form struct {
	// Matches is the whole text; Words says it for people.
	Matches *regexp.Regexp
	Words   string
}

// HostName is the form of a name of a machine.
func HostName() Form {
	return Form{regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`), "1 to 63 lower-case letters, digits and hyphens, as host names are"}
}

func sha256Form() Form {
	return Form{regexp.MustCompile(`^[0-9a-fA-F]{64}$`), "64 hexadecimal digits"}
}

// directoryForm leaves out what a shell, fstab or systemd would read in another way.
func directoryForm() Form {
	return Form{regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`), "an absolute path of letters, digits, dots, underscores and hyphens"}
}

// Faults gathers what a cloud would refuse.
type Faults struct {
	plan *Plan
	file string
	who  string
	errs hocon.Errors
}

// NewFaults gathers for one cloud, which is named in the messages.
func NewFaults(p *Plan, file, who string) *Faults { return &Faults{plan: p, file: file, who: who} }

// Err is all that was gathered, in the order of the text.
func (f *Faults) Err() error {
	if len(f.errs) == 0 {
		return nil
	}
	slices.SortStableFunc(f.errs, func(a, b *hocon.Error) int {
		if a.Pos.Line != b.Pos.Line {
			return a.Pos.Line - b.Pos.Line
		}
		return strings.Compare(a.Path, b.Path)
	})
	return f.errs
}

// Add gathers a fault of a setting.
func (f *Faults) Add(path, format string, args ...any) {
	pos := f.plan.At(path)
	if pos.IsZero() {
		pos.File = f.file
	}
	f.errs = append(f.errs, &hocon.Error{Pos: hocon.Pos(pos), Path: path, Text: fmt.Sprintf(format, args...)})
}

// Form holds a text against its form.
func (f *Faults) Form(v Of[string], form Form) string {
	if !form.Matches.MatchString(v.Value) {
		f.Add(v.Path, "%s takes %s, got %q", f.who, form.Words, v.Value)
	}
	return v.Value
}

// Number holds a number against its range.
func (f *Faults) Number(v Of[int], r Range) int {
	if v.Value < r.Min || v.Value > r.Max {
		f.Add(v.Path, "%s takes %v, got %d", f.who, r, v.Value)
	}
	return v.Value
}

// Span holds a duration against its range and returns it in the range's unit. A part of a unit is a fault: rounding
// would change what was asked for without a word.
func (f *Faults) Span(v Of[time.Duration], r Range) int {
	n := int(v.Value / r.Unit)
	switch {
	case n < r.Min || n > r.Max || n == r.Max && v.Value%r.Unit != 0:
		f.Add(v.Path, "%s takes %v, got %v", f.who, r, v.Value)
	case v.Value%r.Unit != 0:
		f.Add(v.Path, "%s takes whole units of %v, got %v", f.who, r.Unit, v.Value)
	}
	return n
}

// Or is the value where it counts, and the cloud's own default where nobody wrote one. Under the cloud's own profile
// every value counts.
func Or[T any](p *Plan, profile config.Profile, v Of[T], otherwise T) Of[T] {
	if !v.Written() && p.Profile != profile {
		v.Value = otherwise
	}
	return v
}

// nearest finds the place of a setting or of what is around it.
func nearest(where func(string) config.Pos, path string) config.Pos {
	for path != "" {
		if pos := where(path); !pos.IsZero() {
			return pos
		}
		i := strings.LastIndex(path, ".")
		if i < 0 {
			break
		}
		path = path[:i]
	}
	return config.Pos{}
}
