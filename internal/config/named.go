package config

import (
	"slices"
	"strings"

	"github.com/hotcold/hotcold/hocon"
)

// anyName is the key of the table that stands for a name that the writer of the file gives.
const anyName = "*"

// splitNamed cuts a path of the table at its name: what is before it, and what is behind.
func splitNamed(path string) (parent, rest string, named bool) {
	return strings.Cut(path, "."+anyName+".")
}

// expand puts one row for each name in the place of a row of the table that has a name in it. Names are keyed by the
// object in which they stand, and written as they stand in a path. Rows of one name stay together.
func expand(rows []Setting, names map[string][]string) []Setting {
	var all []Setting
	for i := 0; i < len(rows); {
		parent, _, named := splitNamed(rows[i].Path)
		end := i + 1
		for named && end < len(rows) && strings.HasPrefix(rows[end].Path, parent+"."+anyName+".") {
			end++
		}
		if !named {
			all = append(all, rows[i])
		}
		for _, name := range names[parent] {
			for _, s := range rows[i:end] {
				_, rest, _ := splitNamed(s.Path)
				s.Path = parent + "." + name + "." + rest
				all = append(all, s)
			}
		}
		i = end
	}
	return all
}

// writtenNames are the names in the object at path, as they stand in a path, in the order in which they are written. One
// that is null is not there.
func (d *decoder) writtenNames(path string) []string {
	var names []string
	v := d.cfg.At(path)
	for _, key := range v.Keys() {
		if written(v.Get(key)) {
			names = append(names, pathKey(v.Get(key), path))
		}
	}
	return names
}

// pathKey is the key of a value as it stands in a path: in quotes, where it needs them.
func pathKey(v hocon.Value, parent string) string { return strings.TrimPrefix(v.Path(), parent+".") }

// plainName takes the quotes from a key of a path.
func plainName(name string) string {
	if keys := tree("name", "x { "+name+" = 1 }").At("x").Keys(); len(keys) == 1 {
		return keys[0]
	}
	return name
}

// leftOut says whether somebody took a name away: it is written, and null.
func (d *decoder) leftOut(parent, name string) bool {
	v := d.cfg.At(parent + "." + name)
	return v.Exists() && v.Kind() == hocon.Null
}

// useRows makes the rows those that the decoder reads.
func (d *decoder) useRows(rows []Setting) {
	d.rows, d.byPath = rows, map[string]Setting{}
	for _, s := range rows {
		d.byPath[s.Path] = s
	}
}

// SettingAt finds the row of a setting. Where its path has a name that the writer of a file has given, the row is that of
// the table with this name in its path.
func SettingAt(path string) (Setting, bool) {
	for _, s := range table() {
		if s.Path == path {
			return s, true
		}
		parent, rest, named := splitNamed(s.Path)
		name, below := strings.CutPrefix(path, parent+".")
		if name, found := strings.CutSuffix(name, "."+rest); named && below && found && isOneKey(name) {
			s.Path = path
			return s, true
		}
	}
	return Setting{}, false
}

// isOneKey says whether a text is one key of a path.
func isOneKey(name string) bool {
	quoted := len(name) > 2 && strings.HasPrefix(name, `"`) && strings.HasSuffix(name, `"`) && !strings.ContainsAny(name[1:len(name)-1], `"\`)
	return quoted || name != "" && !strings.ContainsAny(name, `."`)
}

// wanted says what stands in the object at path, for a fault.
func wanted(path string) string {
	keys := childKeys(table(), patternOf(path))
	if slices.Equal(keys, []string{anyName}) {
		return "names, and for each an object with " + oneOf(childKeys(table(), patternOf(path)+"."+anyName))
	}
	return oneOf(keys)
}

// patternOf is the path of the table for the path of an object.
func patternOf(path string) string {
	for _, s := range table() {
		parent, _, named := splitNamed(s.Path)
		if name, below := strings.CutPrefix(path, parent+"."); named && below && isOneKey(name) {
			return parent + "." + anyName
		}
	}
	return path
}
