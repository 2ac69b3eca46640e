package hocon_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"testing"

	"github.com/hotcold/hotcold/hocon"
)

// FuzzParse feeds arbitrary text. Whatever it is: nothing panics or runs for
// long; a fault has a place in a file; a result is JSON, and read back as JSON
// it is the same.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		guide,
		"a = ${?a} [1]\na += { b = ${a} }\n",
		"a { include \"x.conf\" }\nb = ${a.x.y}${?c}\n",
		"a = \"\\u00e9\\ud83d\\ude00\" \"\"\"x\"\"\"\" # c\n",
		"x { y = 1 }\nx = ${z}\nx.y += 2\nz = ${?x} { w = ${x.y} }\n",
		"a = ${b}\nb = ${a}\n",
		"{\"a\": [1, 2.50, -3e4, true, null, {\"b\": \"c\"}]}",
		"a = [1] {0:x} text\nb = 10.0.0.1 1.50s\n",
		"v0 = x\nv1 = ${v0}${v0}\nv2 = [${v1}, ${v1}]\nv3 { a = ${v2}, b = ${v2} }\n",
	} {
		f.Add(seed)
	}
	limits := hocon.WithLimits(hocon.Limits{Depth: 200, Values: 20_000, Output: 1 << 20, Includes: 20})
	f.Fuzz(func(t *testing.T, text string) {
		files := hocon.WithReadFile(func(path string) ([]byte, error) {
			switch path {
			case "x.conf":
				return []byte(text), nil
			case "x.properties":
				return []byte("a.b = 1\nc = ${a}"), nil
			}
			return nil, fs.ErrNotExist
		})
		for _, name := range []string{"t.conf", "t.json", "t.properties"} {
			doc, err := hocon.Parse(name, []byte(text), files, limits)
			if err != nil {
				wantPlaces(t, err)
				continue
			}
			c, err := hocon.Resolve(hocon.Layers{doc}, hocon.Env(environment))
			if err != nil {
				wantPlaces(t, err)
				continue
			}
			wantSameAsJSON(t, c)
		}
	})
}

// wantPlaces checks that every fault names a file and says something.
func wantPlaces(t *testing.T, err error) {
	var es hocon.Errors
	if !errors.As(err, &es) || len(es) == 0 {
		t.Fatalf("got %T, want Errors", err)
	}
	for _, e := range es {
		if e.Pos.File == "" || e.Text == "" {
			t.Fatalf("got %+v", e)
		}
	}
}

// wantSameAsJSON writes a tree as JSON and reads it back.
func wantSameAsJSON(t *testing.T, c *hocon.Config) {
	text, err := c.MarshalJSON()
	if err != nil || !json.Valid(text) {
		t.Fatalf("not JSON: %v\n%s", err, text)
	}
	doc, err := hocon.Parse("back.json", text)
	if err != nil {
		t.Fatalf("read back: %v\n%s", err, text)
	}
	back, err := hocon.Resolve(hocon.Layers{doc})
	if err != nil {
		t.Fatalf("resolve what was read back: %v", err)
	}
	if again, err := back.MarshalJSON(); err != nil || string(again) != string(text) {
		t.Fatalf("got  %s\nthen %s, %v", text, again, err)
	}
}

// FuzzResolve lays two texts over each other, and asks of the result all that can
// be asked. Whatever the texts are: nothing panics, the rendering reads back, no
// tree differs from itself, and a secret is not shown.
func FuzzResolve(f *testing.F) {
	f.Add("a = ${b}, b { c = 1 }", "b { d = ${?a.c} }")
	f.Add("a = text, a { b = [1] }, a.b += ${?a.c}", "a = 5, x = ${password}, password = p")
	f.Add("dataSourceProperties.a.b = 1, l = [{ x = ${?y} }] ${?l}", "l { 0 = a }, y = 1.50")
	limits := hocon.WithLimits(hocon.Limits{Depth: 100, Values: 5_000, Output: 1 << 18, Includes: 5})
	none := hocon.WithReadFile(func(string) ([]byte, error) { return nil, fs.ErrNotExist })
	f.Fuzz(func(t *testing.T, high, low string) {
		var layers hocon.Layers
		for _, text := range []string{high, low} {
			doc, err := hocon.Parse("t.conf", []byte(text), limits, none)
			if err != nil {
				wantPlaces(t, err)
				return
			}
			layers = append(layers, doc)
		}
		c, err := hocon.Resolve(layers, hocon.Env(environment))
		if err != nil {
			wantPlaces(t, err)
			return
		}
		if changes := hocon.Diff(c, c); len(changes) > 0 {
			t.Fatalf("differs from itself: %v", changes)
		}
		var out any
		var warnings hocon.Errors
		_ = c.Decode(&out, hocon.Strict, hocon.Warn(&warnings)) // a secret is a fault here
		back, err := load(t, "t.conf", c.Render(hocon.RenderOptions{Reveal: true, Comments: true}))
		if err != nil {
			t.Fatalf("read back: %v", err)
		}
		if back.Root().Reveal() != c.Root().Reveal() {
			t.Fatalf("got  %s\nthen %s", c.Root().Reveal(), back.Root().Reveal())
		}
	})
}

// FuzzProperties feeds arbitrary properties files: each key of the result leads to
// text, and the tree reads back.
func FuzzProperties(f *testing.F) {
	f.Add("a.b=1\na=2\n\\u0041 = \\\n  x")
	f.Add("\ufeff# c\r\n!x\rk\\ ey:\tv\\\\\n..=\n")
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := hocon.Parse("t.properties", []byte(text), hocon.WithLimits(hocon.Limits{Depth: 200}))
		if err != nil {
			wantPlaces(t, err)
			return
		}
		c, err := hocon.Resolve(hocon.Layers{doc})
		if err != nil {
			t.Fatal(err)
		}
		wantSameAsJSON(t, c)
	})
}

// FuzzReading asks one scalar for values of every type, and a path for its value.
func FuzzReading(f *testing.F) {
	for _, seed := range []string{"20s", "1.5 MiB", "2 weeks", "1e400", "-.5e-3ns", "9223372036854775808", "yes", "a.\"b c\".1", "${x}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := hocon.FromEntries("t", hocon.FromLayer, []hocon.Entry{{Path: "v", Value: text}})
		if err != nil {
			t.Fatal(err)
		}
		c, err := hocon.Resolve(hocon.Layers{doc})
		if err != nil {
			t.Fatal(err)
		}
		for _, method := range []string{"Bool", "Int", "Float", "Text", "Duration", "Period", "Bytes", "Strings"} {
			if _, err := read(c.At("v"), method); err != nil && err.Error() == "" {
				t.Fatalf("%s: a fault without words", method)
			}
		}
		if v := c.At(text); v.Exists() && c.At(v.Path()).Reveal() != v.Reveal() {
			t.Fatalf("%s does not lead back", v.Path())
		}
	})
}
