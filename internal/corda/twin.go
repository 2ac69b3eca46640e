package corda

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/hotcold/hotcold/hocon"
)

// Neighbour is what another machine has in the place of what this one has of its own.
type Neighbour struct {
	// Hosts are the other machine's hosts, by those of this one in whose place they stand.
	Hosts map[string]string
	// Name and Other are this machine's name and the other's; both empty where they are not known.
	Name, Other string
	// Fields are the other machine's values for fields, whatever this one has.
	Fields []Override
	// Environ is this machine's environment, to tell what comes from it.
	Environ []string
	// WorkDir is the directory that relative names start from.
	WorkDir string
}

// Twin is the node.conf of another machine.
type Twin struct {
	// Text is that of this machine with the other's values in it, comments and all.
	Text []byte
	// Changed are the fields that have other values.
	Changed []string
	// Open are the fields that have this machine's own values, and nobody said what the other has; each with its value.
	Open []Override
	// Environment are the fields of one machine that come from the environment of each.
	Environment []string
}

// ForNeighbour makes the node.conf of another machine out of this one's. The text
// stays as it is but for values that belong to one machine and are written out;
// where such a value hangs on a substitution, the other machine's environment
// decides, and it is left alone. What was made is read again: if anything but those fields
// has another meaning than before, it is an error.
func ForNeighbour(file string, n Neighbour) (Twin, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Twin{}, err
	}
	before, err := readText(file, text, n)
	if err != nil {
		return Twin{}, err
	}
	t := Twin{Text: text}
	var edits []edit
	for _, path := range mustDiffer() {
		v := before.Config.At(path)
		if !written(v) {
			continue
		}
		l := &linter{}
		if l.fromEnvironment(v) {
			t.Environment = append(t.Environment, path)
			continue
		}
		value, known := n.value(path, v.Reveal())
		if !known {
			t.Open = append(t.Open, Override{Name: path, Value: v.String()})
			continue
		}
		if value == v.Reveal() {
			continue
		}
		e, ok := editAt(text, file, v, value)
		if !ok {
			t.Open = append(t.Open, Override{Name: path, Value: v.String()})
			continue
		}
		edits, t.Changed = append(edits, e), append(t.Changed, path)
	}
	t.Text = apply(text, edits)
	return t, proveTwin(file, before, t, n)
}

// readText reads a node.conf that is at hand as text.
func readText(file string, text []byte, n Neighbour) (*Node, error) {
	return Load(file, Sources{Bare: true, Lenient: true, Environ: n.Environ, WorkDir: n.WorkDir, ReadFile: func(name string) ([]byte, error) {
		if name == file {
			return text, nil
		}
		return os.ReadFile(name)
	}})
}

// value is what the other machine has for a field; not known where this machine's
// own value is none that somebody named.
func (n Neighbour) value(path, own string) (string, bool) {
	for _, f := range n.Fields {
		if f.Name == path {
			return f.Value, true
		}
	}
	if strings.HasSuffix(path, "machineName") {
		return n.Other, n.Other != "" && own == n.Name
	}
	if unspecified(own) || loopback(own) {
		return own, true // it means each machine itself
	}
	host, port, err := net.SplitHostPort(own)
	if err != nil {
		return "", false
	}
	other, ok := n.Hosts[host]
	return net.JoinHostPort(other, port), ok
}

// edit puts a text in the place of a part of another.
type edit struct {
	from, to int
	text     string
}

// editAt finds the value in the text where it stands. A value that is put together of pieces has no such place.
func editAt(text []byte, file string, v hocon.Value, value string) (edit, bool) {
	pos := v.Pos()
	if pos.File != file || len(v.Origin().Via) > 0 || len(v.Origin().Parts) > 0 {
		return edit{}, false
	}
	at, ok := offset(text, pos.Line, pos.Col)
	if !ok {
		return edit{}, false
	}
	rest := string(text[at:])
	if strings.HasPrefix(rest, `"`) && !strings.HasPrefix(rest, `"""`) {
		var read string
		d := json.NewDecoder(strings.NewReader(rest))
		if d.Decode(&read) != nil || read != v.Reveal() {
			return edit{}, false
		}
		return edit{at, at + int(d.InputOffset()), Quote(value)}, true
	}
	own := v.Reveal()
	return edit{at, at + len(own), Quote(value)}, own != "" && strings.HasPrefix(rest, own)
}

// offset is where a line and column are in a text; columns count characters.
func offset(text []byte, line, col int) (int, bool) {
	at := 0
	for ; line > 1; line-- {
		end := strings.IndexByte(string(text[at:]), '\n')
		if end < 0 {
			return 0, false
		}
		at += end + 1
	}
	for i := range string(text[at:]) {
		if col--; col == 0 {
			return at + i, true
		}
	}
	return 0, false
}

func apply(text []byte, edits []edit) []byte {
	slices.SortFunc(edits, func(a, b edit) int { return b.from - a.from }) // the last one first
	out := string(text)
	for _, e := range edits {
		out = out[:e.from] + e.text + out[e.to:]
	}
	return []byte(out)
}

// errOtherMeaning is why a text that was made is not given out.
var errOtherMeaning = errors.New("the other machine's values cannot be put into it without changing more than them: write them by hand there")

// proveTwin reads what was made: it must differ in the changed fields and in nothing else.
func proveTwin(file string, before *Node, t Twin, n Neighbour) error {
	after, err := readText(file, t.Text, n)
	if err != nil {
		return fmt.Errorf("%s: %w", file, errOtherMeaning)
	}
	var changed []string
	for _, c := range hocon.Diff(before.Config, after.Config) {
		changed = append(changed, c.Path)
	}
	slices.Sort(changed)
	want := slices.Sorted(slices.Values(t.Changed))
	if !slices.Equal(changed, want) {
		return fmt.Errorf("%s: %w", file, errOtherMeaning)
	}
	return nil
}
