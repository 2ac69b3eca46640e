package drive

import (
	"fmt"
	"path/filepath"
	"strings"
)

// FstabFile is where the machine's mounts are written down.
const FstabFile = "/etc/fstab"

// Entry is one line of fstab, in the order of its fields.
type Entry struct {
	Source  string
	Point   string
	Type    string
	Options []string
	Dump    string
	Pass    string
}

// Line is the entry as fstab has it.
func (e Entry) Line() string {
	dump, pass := e.Dump, e.Pass
	if dump == "" {
		dump = "0"
	}
	if pass == "" {
		pass = "0"
	}
	options := strings.Join(e.Options, ",")
	if options == "" {
		options = "defaults"
	}
	return strings.Join([]string{escape(e.Source), escape(e.Point), e.Type, escape(options), dump, pass}, " ")
}

// mount is what would be mounted.
func (e Entry) mount() Mount {
	return Mount{Root: "/", Point: e.Point, Type: e.Type, Source: e.Source, Options: e.Options}
}

// Fstab is the text of an fstab. Whatever it does not change it keeps byte for byte.
type Fstab struct{ lines []string } // each with its line end, where it has one

// ParseFstab reads a text. There is no text that it refuses: a line that is no entry
// is kept as it is.
func ParseFstab(text string) Fstab {
	var f Fstab
	for line := range strings.Lines(text) {
		f.lines = append(f.lines, line)
	}
	return f
}

// String is the text.
func (f Fstab) String() string { return strings.Join(f.lines, "") }

// parseEntry reads a line; comments and what has fewer than four fields are no entries.
func parseEntry(line string) (Entry, bool) {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "#") {
		return Entry{}, false
	}
	fields := strings.Fields(line)
	if len(fields) < 3 {
		return Entry{}, false
	}
	e := Entry{Source: unescape(fields[0]), Point: unescape(fields[1]), Type: fields[2]}
	if len(fields) > 3 {
		e.Options = strings.Split(unescape(fields[3]), ",")
	}
	if len(fields) > 4 {
		e.Dump = fields[4]
	}
	if len(fields) > 5 {
		e.Pass = fields[5]
	}
	return e, true
}

// Entries are the entries, in order.
func (f Fstab) Entries() []Entry {
	var all []Entry
	for _, line := range f.lines {
		if e, ok := parseEntry(line); ok {
			all = append(all, e)
		}
	}
	return all
}

// At is the entry that is mounted at a point; of several, the last one, which hides
// the others.
func (f Fstab) At(point string) (Entry, bool) {
	var found Entry
	ok := false
	for _, e := range f.Entries() {
		if filepath.Clean(e.Point) == filepath.Clean(point) && e.Type != "swap" {
			found, ok = e, true
		}
	}
	return found, ok
}

// Serving is the entry whose mount would serve a path: the deepest one.
func (f Fstab) Serving(path string) (Entry, bool) {
	var found Entry
	ok := false
	for _, e := range f.Entries() {
		if e.Type != "swap" && e.Point != "none" && e.Point != "/" && Within(path, filepath.Clean(e.Point)) && (!ok || len(e.Point) >= len(found.Point)) {
			found, ok = e, true
		}
	}
	return found, ok
}

// With is the table with an entry: in the place of the one that is there for its
// mount point, else at the end. It tells what it replaced, and whether anything
// changed. Two entries for one mount point are for a person to sort out.
func (f Fstab) With(e Entry) (with Fstab, replaced string, changed bool, err error) {
	at := -1
	for i, line := range f.lines {
		old, ok := parseEntry(line)
		if !ok || filepath.Clean(old.Point) != filepath.Clean(e.Point) {
			continue
		}
		if at >= 0 {
			return f, "", false, fmt.Errorf("line %d and line %d both mount something at %s: take one out", at+1, i+1, e.Point)
		}
		at = i
	}
	lines := append([]string(nil), f.lines...)
	line := e.Line() + "\n"
	switch {
	case at >= 0 && strings.TrimSpace(lines[at]) == e.Line():
		return f, "", false, nil
	case at >= 0:
		replaced, lines[at] = strings.TrimSuffix(lines[at], "\n"), line
	default:
		if n := len(lines); n > 0 && !strings.HasSuffix(lines[n-1], "\n") {
			lines[n-1] += "\n"
		}
		lines = append(lines, line)
	}
	return Fstab{lines}, replaced, true, nil
}

// JudgeEntry says what is right and wrong with the line of a drive, before it is mounted.
func JudgeEntry(e Entry) []Finding {
	m := e.mount()
	var found []Finding
	says := func(level Level, code, next, format string, args ...any) {
		found = append(found, finding(level, "fstab", code, next, format, args...))
	}
	for _, o := range e.Options {
		key, value, _ := strings.Cut(o, "=")
		if _, user, _ := strings.Cut(value, "%"); key == "password" || key == "pass" || key == "password2" || (key == "user" || key == "username") && user != "" {
			says(Fault, "password", "put it into a file of mode 0600 and name that with credentials=FILE; then change the password: it was there for all to see",
				"a password stands in the line, and everybody on this machine may read it")
		}
	}
	if _, ok := m.Option("_netdev"); !ok && m.Kind().Shared() {
		says(Warning, "netdev", "add _netdev", "_netdev is missing: the machine may try to mount before it has a network, and hang at its start")
	}
	if _, ok := m.Option("noauto"); ok {
		says(Warning, "noauto", "take noauto out, or let a unit of systemd mount it", "noauto: nothing mounts it when the machine starts")
	}
	for _, f := range append(place(m, Expect{Path: e.Point, Kind: Any}), judgeOptions(m)...) {
		if f.Level != OK {
			f.About = "fstab"
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		says(OK, "fstab", "", "the line for %s is right", e.Point)
	}
	return found
}
