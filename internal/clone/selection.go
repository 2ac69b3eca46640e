package clone

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Wanted is a file, a directory or a pattern of names, relative to the base directory.
type Wanted struct {
	// Path ends in a slash where it is a directory with all that is in it. Else it
	// is a name, or a pattern of path.Match.
	Path string
	// Required is false where a node can do without it.
	Required bool
	// Why says what breaks without it; empty where nobody knows.
	Why string
}

// Selection is what two machines must have alike.
type Selection struct {
	// Wanted is what is listed.
	Wanted []Wanted
	// Exclude are patterns of names, or of whole paths, that are left out nevertheless.
	Exclude []string
	// Never are directories (with a slash behind) and files at the top of the base
	// directory that belong to one machine or to the shared drive.
	Never []string
	// Identity are the key stores that make the node who it is.
	Identity []string
	// Loose are paths and patterns in which the node itself writes while it is hot: a
	// difference there is no more than a note.
	Loose []string
	// Secret are patterns like those of Exclude: what matches is for its owner only.
	Secret []string
}

// never is what no selection lists, wherever it stands: databases of H2, locks of
// NFS, and our own parts.
func never() []string {
	return []string{"*.mv.db", "*.trace.db", "*.h2.db", "*.lock.db", ".nfs*", partPrefix + "*", ".hotcold*", "hotcold.epoch"}
}

// NeverOfAnyNode are the directories and files of one machine that the nodes known to hotcold make.
func NeverOfAnyNode() []string {
	return []string{"artemis/", "brokers/", "logs/", "log/", "data/", "tmp/", "lock/", "process-id", "djvm/", ".capsule/", "capsule/"}
}

// Check finds what in a selection could never be listed.
func (s Selection) Check() error {
	for _, w := range s.Wanted {
		name := strings.TrimSuffix(w.Path, "/")
		switch {
		case name == "" || !local(name) || name == ".":
			return fmt.Errorf("%q is no path in the base directory; want one such as cordapps/ or extra.jar", w.Path)
		case s.neverListed(name):
			return fmt.Errorf("%q belongs to one machine or to the shared drive and is never copied", w.Path)
		}
		if _, err := path.Match(name, ""); err != nil {
			return fmt.Errorf("%q is no pattern: %w", w.Path, err)
		}
	}
	for _, p := range s.Exclude {
		if _, err := path.Match(strings.TrimSuffix(p, "/"), ""); err != nil {
			return fmt.Errorf("%q is no pattern: %w", p, err)
		}
	}
	return nil
}

// local tells whether a name stays in the directory that it is relative to.
func local(name string) bool {
	return path.Clean(name) == name && !path.IsAbs(name) && name != ".." && !strings.HasPrefix(name, "../") && !strings.ContainsRune(name, 0)
}

// lists tells whether a file at a path is listed.
func (s Selection) lists(name string) bool {
	return s.reaches(name, func(w Wanted) bool {
		if dir, ok := strings.CutSuffix(w.Path, "/"); ok {
			return strings.HasPrefix(name, dir+"/")
		}
		return matches(w.Path, name)
	})
}

// enters tells whether a directory may hold something that is listed.
func (s Selection) enters(dir string) bool {
	return s.reaches(dir, func(w Wanted) bool {
		wanted := strings.TrimSuffix(w.Path, "/")
		return dir == wanted || strings.HasPrefix(wanted, dir+"/") || strings.HasSuffix(w.Path, "/") && strings.HasPrefix(dir, wanted+"/")
	})
}

func (s Selection) reaches(name string, wanted func(Wanted) bool) bool {
	return !s.neverListed(name) && !s.excluded(name) && slices.ContainsFunc(s.Wanted, wanted)
}

// neverListed tells whether a path, or a directory that it is in, is never listed.
func (s Selection) neverListed(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	for _, n := range s.Never {
		if strings.TrimSuffix(n, "/") == top {
			return true
		}
	}
	return anyPart(never(), name)
}

func (s Selection) excluded(name string) bool { return anyPart(s.Exclude, name) }

// secret tells whether a file is for its owner only.
func (s Selection) secret(name string) bool { return anyPart(s.Secret, name) }

// identity tells whether a file is one of the key stores that make the node who it is.
func (s Selection) identity(name string) bool { return slices.Contains(s.Identity, name) }

// anyPart tells whether a pattern matches a path, a directory that it is in, or the last name of either.
func anyPart(patterns []string, name string) bool {
	for at := name; at != "." && at != "/"; at = path.Dir(at) {
		for _, p := range patterns {
			p = strings.TrimSuffix(p, "/")
			if matches(p, at) || !strings.Contains(p, "/") && matches(p, path.Base(at)) {
				return true
			}
		}
	}
	return false
}

// matches is path.Match for patterns that Check has seen.
func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
