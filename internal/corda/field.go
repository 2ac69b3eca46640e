package corda

import (
	"slices"
	"strings"

	"github.com/hotcold/hotcold/hocon"
)

// Kind is how the text of a field is read.
type Kind string

// The kinds of fields.
const (
	Text     Kind = "text"
	Bool     Kind = "true or false"
	Int      Kind = "whole number"
	Float    Kind = "number"
	Duration Kind = "duration"
	Port     Kind = "port"
	Address  Kind = "host:port"
	Path     Kind = "path"
	URL      Kind = "URL"
	Choice   Kind = "one of several words"
	Texts    Kind = "list of texts"
	Addrs    Kind = "list of host:port"
	Objects  Kind = "list of objects"
	Object   Kind = "object"
)

// Edition is a set of editions of Corda.
type Edition uint8

// The editions that differ in what they know.
const (
	OpenSource4 Edition = 1 << iota
	Enterprise3
	Enterprise4

	everywhere = OpenSource4 | Enterprise3 | Enterprise4
	enterprise = Enterprise3 | Enterprise4
	since4     = OpenSource4 | Enterprise4

	// AnyEdition knows what one of them knows: nobody said which it is.
	AnyEdition = everywhere
)

// Editions are the names under which a person asks for an edition.
func Editions() []string { return []string{"any", "open-source", "enterprise", "enterprise-3"} }

// EditionNamed is the edition of one of the names of Editions.
func EditionNamed(name string) (Edition, bool) {
	e, ok := map[string]Edition{"any": AnyEdition, "open-source": OpenSource4, "enterprise": Enterprise4, "enterprise-3": Enterprise3}[name]
	return e, ok
}

// String names the editions of the set.
func (e Edition) String() string {
	var names []string
	for _, one := range []struct {
		edition Edition
		name    string
	}{{OpenSource4, "open source 4.x"}, {Enterprise3, "Enterprise 3.x"}, {Enterprise4, "Enterprise 4.x"}} {
		if e&one.edition != 0 {
			names = append(names, one.name)
		}
	}
	return strings.Join(names, ", ")
}

// Field is all that is known of one field of node.conf.
type Field struct {
	// Path is where it stands, with dots.
	Path string
	// Kind is how it is read.
	Kind Kind
	// Default is what holds where nothing is written, as HOCON; empty where there is none.
	Default string
	// Computed says in words how the default is found where it depends on something else.
	Computed string
	// Unit is the unit of a bare number; empty where there is none.
	Unit string
	// Choices are the words of a Choice.
	Choices []string
	// Required says that the node does not start without it.
	Required bool
	// Secret says that its value is shown nowhere.
	Secret bool
	// Free says that whatever stands below belongs to somebody else, a driver or a JVM, and is not held against the table.
	Free bool
	// PerMachine says that it may, and mostly must, differ between the two machines.
	PerMachine bool
	// Knows are the editions that have the field.
	Knows Edition
	// Deprecated says what takes its place; empty where nothing has to.
	Deprecated string
	// Meaning says what it does.
	Meaning string
	// Pair says what matters about it on two machines; empty where nothing does.
	Pair string
}

// Fields is the table of all fields, in the order of the manual. The caller owns the copy.
func Fields() []Field { return fields() }

// FieldAt is the row of a path. A path below a free object gives the row of that object.
func FieldAt(path string) (Field, bool) {
	path = canonical(path)
	for _, f := range fields() {
		if f.Path == path || f.Free && strings.HasPrefix(path, f.Path+".") {
			return f, true
		}
	}
	return Field{}, false
}

// canonical writes a path without quotes: to Corda dataSource.url and "dataSource.url" are one property.
func canonical(path string) string { return strings.ReplaceAll(path, `"`, "") }

// children are the keys that an edition knows in the object at path; at the root for "".
func children(rows []Field, path string, e Edition) []string {
	var keys []string
	for _, f := range rows {
		rest := f.Path
		if path != "" {
			var ok bool
			if rest, ok = strings.CutPrefix(f.Path, path+"."); !ok {
				continue
			}
		}
		key, _, _ := strings.Cut(rest, ".")
		if f.Knows&e != 0 && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// harmless are the keys of a data source that are no secrets. Corda itself takes all of them for secret, and a driver's
// own keys may be anything; but an address and a user are what a person looks for.
func harmless() []string {
	return []string{
		"dataSourceClassName", "dataSource", "url", "user", "serverName", "portNumber", "databaseName", "maximumPoolSize",
		"minimumIdle", "connectionTimeout", "idleTimeout", "maxLifetime", "autoCommit", "poolName", "schema", "currentSchema",
		"dataSource.url", "dataSource.user", "dataSource.serverName", "dataSource.portNumber", "dataSource.databaseName",
	}
}

// Secrets are the rules by which values of node.conf are secret.
func Secrets() hocon.Secrets {
	rules := hocon.DefaultSecrets()
	return hocon.Secrets{
		Env: rules.Env,
		Path: func(keys []string) bool {
			if len(keys) > 3 && keys[0] == "hotcold" && keys[1] == "node" && keys[2] == "env" {
				return true // whatever a variable is called
			}
			if i := slices.Index(keys, "dataSourceProperties"); i >= 0 {
				return i < len(keys)-1 && !slices.Contains(harmless(), keys[len(keys)-1])
			}
			return rules.Path(keys)
		},
	}
}
