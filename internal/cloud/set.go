package cloud

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// File is one rendered file.
type File struct {
	// Name is its path below the directory, with slashes.
	Name string
	// Mode is its permissions: 0644, or 0755 for a script.
	Mode fs.FileMode
	Text string
}

// Set is all that was rendered at once.
type Set struct {
	// Target and Format say what it is: "azure", "terraform".
	Target, Format string
	Files          []File
	// Main is the name of the file that says the values; empty where there is no such one.
	Main string
	// Values are what the files say, by their names: "probes.p2p.intervalSeconds" is "5".
	Values map[string]string
}

// NewSet makes a set. The values are those of a checked set-up, which is told apart as its JSON is.
func NewSet(target, format string, setup any, files ...File) (Set, error) {
	text, err := json.Marshal(setup)
	if err != nil {
		return Set{}, fmt.Errorf("write the set-up as JSON: %w", err)
	}
	var tree any
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		return Set{}, fmt.Errorf("read the set-up as JSON: %w", err)
	}
	values := map[string]string{}
	flatten(values, "", tree)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return Set{Target: target, Format: format, Files: files, Values: values}, nil
}

// flatten names every leaf of a tree by its path. What stands in a list and has a name is known by it, so that one
// more in the middle does not move the others.
func flatten(into map[string]string, at string, tree any) {
	switch v := tree.(type) {
	case map[string]any:
		for key, child := range v {
			flatten(into, path.Join(at, lowerFirst(key)), child)
		}
	case []any:
		for i, child := range v {
			key := strconv.Itoa(i)
			if o, ok := child.(map[string]any); ok {
				if name, ok := o["Name"].(string); ok {
					key = name
				}
			}
			flatten(into, path.Join(at, key), child)
		}
	case nil:
	default:
		into[strings.ReplaceAll(at, "/", ".")] = fmt.Sprint(v)
	}
}

func lowerFirst(key string) string {
	if len(key) > 1 && key[1] >= 'A' && key[1] <= 'Z' {
		return key // VPC
	}
	return strings.ToLower(key[:1]) + key[1:]
}

// manifestName is the file that remembers what was written, so that what somebody else wrote is never overwritten.
const manifestName = ".hotcold-render.json"

// manifestVersion is raised when an older hotcold could not read the file any more.
const manifestVersion = 1

// manifest is what was written to a directory. It holds no time: the same configuration gives the same bytes.
type manifest struct {
	Version int               `json:"version"`
	Target  string            `json:"target"`
	Format  string            `json:"format"`
	Files   map[string]string `json:"files"`
	Values  map[string]string `json:"values"`
}

func (s Set) manifest() manifest {
	m := manifest{Version: manifestVersion, Target: s.Target, Format: s.Format, Files: map[string]string{}, Values: s.Values}
	for _, f := range s.Files {
		m.Files[f.Name] = digest([]byte(f.Text))
	}
	return m
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Drift is one difference between what was rendered and what the configuration says now.
type Drift struct {
	// File is the file; empty for a value that stands in no single one.
	File string
	// What says what has become of the file; empty for a value and for a line.
	What string
	// Value, Was and Now are a value's name and what it was and is; empty means that it is not there. For a line they are
	// what it stands in, what lies there, and what would be written.
	Value, Was, Now string
	// Line is the line in the file, from 1; 0 for what is no line.
	Line int
}

// String is one line for people.
func (d Drift) String() string {
	at := ""
	if d.File != "" {
		at = d.File + ": "
	}
	switch {
	case d.What != "":
		return at + d.What
	case d.Line > 0:
		at = fmt.Sprintf("%s:%d: ", d.File, d.Line)
		if d.Value != "" {
			at += d.Value + ": "
		}
		return at + fmt.Sprintf("has %s, would have %s", quoted(d.Was), quoted(d.Now))
	case d.Was == "":
		return at + fmt.Sprintf("%s: new, %s", d.Value, d.Now)
	case d.Now == "":
		return at + fmt.Sprintf("%s: gone, was %s", d.Value, d.Was)
	}
	return at + fmt.Sprintf("%s: was %s, is now %s", d.Value, d.Was, d.Now)
}

func quoted(line string) string {
	if line == "" {
		return "nothing"
	}
	return "`" + line + "`"
}

// drift compares what was written, what lies there, and what would be written now. What has another value is told by its
// name; the lines of a file are told where no value says it: somebody has changed it by hand, or hotcold writes it in
// another way.
func drift(was manifest, there map[string]string, now Set) []Drift {
	var all, values []Drift
	is := now.manifest()
	for _, name := range slices.Sorted(maps.Keys(both(was.Values, is.Values))) {
		if old, new := was.Values[name], is.Values[name]; old != new {
			values = append(values, Drift{File: now.Main, Value: name, Was: old, Now: new})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(both(was.Files, is.Files))) {
		old, known := was.Files[name]
		wanted, needed := is.Files[name]
		text, exists := there[name]
		got := digest([]byte(text))
		switch {
		case needed && exists && got == wanted:
		case !exists && needed && known:
			all = append(all, Drift{File: name, What: "has been removed"})
		case !exists && needed:
			all = append(all, Drift{File: name, What: "would be new"})
		case !needed && exists:
			all = append(all, Drift{File: name, What: "is not part of it any more"})
		case !needed:
		case got != old:
			all = append(all, Drift{File: name, What: "has been changed by hand"})
			all = append(all, lines(name, text, now.text(name))...)
		default:
			all = append(all, Drift{File: name, What: "the configuration says something else now"})
			if len(values) == 0 {
				all = append(all, lines(name, text, now.text(name))...)
			}
		}
	}
	return append(all, values...)
}

// text is what a file of the set says.
func (s Set) text(name string) string {
	for _, f := range s.Files {
		if f.Name == name {
			return f.Text
		}
	}
	return ""
}

func both(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, b)
	return all
}
