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
