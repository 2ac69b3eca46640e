package hocon_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/hocon"
)

// tree writes files into a new directory and returns its path.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// loadTree parses main.conf of a tree and resolves it. Faults name files
// relative to the tree.
func loadTree(t *testing.T, files map[string]string, opts ...hocon.Option) (json, fault string) {
	t.Helper()
	dir := tree(t, files)
	doc, err := hocon.ParseFile(filepath.Join(dir, "main.conf"), append([]hocon.Option{hocon.WithDir(dir)}, opts...)...)
	var c *hocon.Config
	if err == nil {
		c, err = hocon.Resolve(hocon.Layers{doc}, hocon.Env(environment))
	}
	if err != nil {
		return "", strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
	}
	return mustJSON(t, c), ""
}

func TestInclude(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"fields come where the statement stands", map[string]string{
			"main.conf": "a = 1\ninclude \"x.conf\"\nb = 2",
			"x.conf":    "a = 10, b = 20, c = 30",
		}, `{"a":10,"b":2,"c":30}`},
		{"objects merge across files", map[string]string{
			"main.conf": "o { x = 1 }\ninclude \"x.conf\"\no { z = 3 }",
			"x.conf":    "o { y = 2 }",
		}, `{"o":{"x":1,"y":2,"z":3}}`},
		{"a file that does not exist is nothing", map[string]string{
			"main.conf": "include \"nope.conf\"\ninclude file(\"nope\")\na = 1",
		}, `{"a":1}`},
		{"a name without ending stands for three files", map[string]string{
			"main.conf":    `include "x"`,
			"x.properties": "p=props\nj=props\nc=props",
			"x.json":       `{"j":"json","c":"json"}`,
			"x.conf":       "c = conf",
		}, `{"p":"props","j":"json","c":"conf"}`},
		{"a file that is named in full is read as HOCON, whatever its ending", map[string]string{
			"main.conf": "n = 7\ninclude \"x.properties\"\ninclude \"y.json\"", "x.properties": "a = ${n}", "y.json": "b = [1] // HOCON",
		}, `{"n":7,"a":7,"b":[1]}`},
		{"but inside file() its ending counts", map[string]string{
			"main.conf": "include file(\"x.properties\")", "x.properties": "a = ${n}",
		}, `{"a":"${n}"}`},
		{"a name with another ending is one without", map[string]string{
			"main.conf": `include "x.txt"`, "x.txt": "a = 1", "x.txt.conf": "b = 2",
		}, `{"b":2}`},
		{"a bare name starts from the including file", map[string]string{
			"main.conf": `include "sub/x.conf"`, "sub/x.conf": `include "y.conf"`, "sub/y.conf": "a = sub", "y.conf": "a = top",
		}, `{"a":"sub"}`},
		{"file() starts from the working directory", map[string]string{
			"main.conf": `include "sub/x.conf"`, "sub/x.conf": `include file("y.conf")`, "sub/y.conf": "a = sub", "y.conf": "a = top",
		}, `{"a":"top"}`},
		{"required() of what is there", map[string]string{
			"main.conf": "include required(\"x\")\ninclude required( file( \"y.conf\" ) )", "x.json": `{"a":1}`, "y.conf": "b = 2",
		}, `{"a":1,"b":2}`},
		{"into an object", map[string]string{
			"main.conf": `o { include "x.conf" }`, "x.conf": "a = 1, p.q = 2",
		}, `{"o":{"a":1,"p":{"q":2}}}`},
		{"substitutions try the place of the statement first, then the root", map[string]string{
			"main.conf": "top = root\nboth = root\no { include \"x.conf\" }",
			"x.conf":    "both = inner\na = ${both}, b = ${top}, c = ${USER_NAME}",
		}, `{"top":"root","both":"root","o":{"both":"inner","a":"inner","b":"root","c":"jane"}}`},
		{"places of nested statements add up", map[string]string{
			"main.conf": `a { include "x.conf" }`,
			"x.conf":    "v = x\nb { include \"y.conf\" }",
			"y.conf":    "w = ${u}, u = 1, z = ${?v}",
		}, `{"a":{"v":"x","b":{"w":1,"u":1}}}`},
		{"a self-reference in an included file looks back across the statement", map[string]string{
			"main.conf": "o { l = [1] }\no { include \"x.conf\" }", "x.conf": "l = ${l} [2]\nl += 3",
		}, `{"o":{"l":[1,2,3]}}`},
		{"in a list, without substitutions", map[string]string{
			"main.conf": `l = [ { include "x.conf" }, 2 ]`, "x.conf": "a = 1",
		}, `{"l":[{"a":1},2]}`},
		{"include may be a key in quotes or part of one", map[string]string{
			"main.conf": "\"include\" = 1\nincluded = 2\no.include = 3",
		}, `{"include":1,"included":2,"o":{"include":3}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, fault := loadTree(t, test.files); got != test.want {
				t.Errorf("got  %s %s\nwant %s", got, fault, test.want)
			}
		})
	}
}

func TestIncludeFaults(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"a required file is missing", map[string]string{
			"main.conf": "a = 1\n  include required(\"x\")",
		}, `main.conf:2:3: the required file x.conf, x.json, x.properties does not exist`},
		{"url()", map[string]string{"main.conf": `include url("http://example.com/x.conf")`},
			`main.conf:1:9: url(...) cannot be included here, only files can: copy it to a file and write include file("...")`},
		{"classpath()", map[string]string{"main.conf": `include required(classpath("x.conf"))`},
			`main.conf:1:9: classpath(...) cannot be included here, only files can: copy it to a file and write include file("...")`},
		{"a URL as the name", map[string]string{"main.conf": `include "https://example.com/x.conf"`},
			`main.conf:1:1: "https://example.com/x.conf" is a URL, and only files can be included: copy it to a file`},
		{"no name", map[string]string{"main.conf": "include = 1"},
			`main.conf:1:9: want a file name in quotes, file("...") or required(...) after include, got '='`},
		{"a name without quotes", map[string]string{"main.conf": "include x.conf"},
			`main.conf:1:9: want a file name in quotes, file("...") or required(...) after include, with no space before a '('`},
		{"no closing parenthesis", map[string]string{"main.conf": "include required(file(\"x\")\na = 1"},
			`main.conf:2:1: want a ')' after the file name, got unquoted text`},
		{"faults say where their file was included", map[string]string{
			"main.conf":  "\n  include \"x.conf\"",
			"x.conf":     "a {\n include \"sub/y.conf\"\n}",
			"sub/y.conf": "b = 1 +\nc = @",
		}, "sub/y.conf:1:7: a.b: '+' stands only in '+=' outside quotes: put the text in double quotes, included from x.conf:2:2, included from main.conf:2:3\n" +
			"sub/y.conf:2:5: a.c: '@' is reserved outside quotes: put the text in double quotes, included from x.conf:2:2, included from main.conf:2:3"},
		{"and so do those of substitutions", map[string]string{
			"main.conf": `o { include "x.conf" }`, "x.conf": "a = ${b.c}",
		}, `x.conf:1:5: o.a: ${b.c} refers to nothing: there is no such key, and no environment variable of that name, included from main.conf:1:5`},
		{"faults before and after are told too", map[string]string{
			"main.conf": "a = &\ninclude \"x.conf\"\nb = &", "x.conf": "c = &",
		}, "main.conf:1:5: a: '&' is reserved outside quotes: put the text in double quotes\n" +
			"x.conf:1:5: c: '&' is reserved outside quotes: put the text in double quotes, included from main.conf:2:1\n" +
			"main.conf:3:5: b: '&' is reserved outside quotes: put the text in double quotes"},
		{"substitutions inside a list", map[string]string{
			"main.conf": `l = [ { include "x.conf" } ]`, "x.conf": "a = ${b}",
		}, `main.conf:1:9: l: a file with substitutions cannot be included inside a list: move the include statement out of the list`},
		{"a circle", map[string]string{
			"main.conf": `include "x.conf"`, "x.conf": `include "main.conf"`,
		}, `x.conf:1:1: include makes a circle: main.conf includes x.conf includes main.conf, included from main.conf:1:1`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, fault := loadTree(t, test.files); fault != test.want {
				t.Errorf("got\n%s%s\nwant\n%s", got, fault, test.want)
			}
		})
	}
}

func TestUnreadableIncludeIsNotTakenForMissing(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "x.conf", Err: fs.ErrPermission}
	read := func(string) ([]byte, error) { return nil, denied }
	_, err := hocon.Parse("main.conf", []byte(`include "x.conf"`), hocon.WithReadFile(read))
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want fs.ErrPermission in it", err)
	}
	if err.Error() != "main.conf:1:1: x.conf: the file cannot be read: permission denied" {
		t.Errorf("got %q", err)
	}
}

func TestIncludeLimits(t *testing.T) {
	files := 0
	read := func(path string) ([]byte, error) {
		files++
		name := strings.TrimSuffix(path, ".conf")
		return []byte("include \"" + name + "a.conf\"\ninclude \"" + name + "b.conf\"\n"), nil
	}
	_, err := hocon.Parse("x.conf", []byte(`include "y.conf"`), hocon.WithReadFile(read))
	if err == nil || !strings.Contains(err.Error(), "include statements are nested deeper than 50 files") {
		t.Errorf("got %.300v", err)
	}
	files = 0
	_, err = hocon.Parse("x.conf", []byte(`include "y.conf"`), hocon.WithReadFile(func(path string) ([]byte, error) {
		if len(path) > 15 {
			return nil, fs.ErrNotExist
		}
		return read(path)
	}), hocon.WithLimits(hocon.Limits{Includes: 20}))
	if err == nil || !strings.Contains(err.Error(), "more than 20 files are included") {
		t.Errorf("got %.300v", err)
	}
	if files > 200 {
		t.Errorf("%d files were read", files)
	}
}
