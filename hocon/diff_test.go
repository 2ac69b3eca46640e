package hocon_test

import (
	"strings"
	"testing"

	"github.com/hotcold/hotcold/hocon"
)

func diffLines(a, b *hocon.Config, opts ...hocon.DiffOption) string {
	var out []string
	for _, c := range hocon.Diff(a, b, opts...) {
		line := c.Kind.String() + " " + c.String()
		if c.Expected {
			line = "(expected) " + line
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func TestDiffComparesByMeaning(t *testing.T) {
	a := mustLoad(t, `wait = 20000, on = true, ratio = 1.50, nothing = null, list = [1, 2], o {}, code = "010", h2Properties { a.b = 1 }
dataSourceProperties { dataSource.url = u, "dataSource.user" = v }`)
	b := mustLoad(t, `o {}, ratio = "1.5", on = yes, wait = "20000", list { 0 = "1", 1 = 2 }, code = "010", h2Properties { "a.b" = "1" }
dataSourceProperties { "dataSource.url" = u, dataSource { user = v } }`)
	if got := diffLines(a, b); got != "" {
		t.Errorf("got\n%s", got)
	}
}

func TestDiffTellsWhatDiffersSortedByPath(t *testing.T) {
	a := mustLoad(t, "z = 1\nname = hot\nport = 1\nlist = [1, 2]\npassword = geheim\ncode = \"010\"\nurl = \"postgres://u:geheim@db/x\"\nsame = 1")
	b := mustLoad(t, "name = cold\nport = 2\nlist = [1]\npassword = geheim2\ncode = \"10\"\nnew = x\nurl = \"postgres://u:geheim2@db/x\"\nsame = \"1\"")
	const want = `changed code: "010" (t.conf:6:8) against "10" (t.conf:5:8)
removed list.1: only the first has 2 (t.conf:4:12)
(expected) changed name: "hot" (t.conf:2:8) against "cold" (t.conf:1:8)
added new: only the second has "x" (t.conf:6:7)
changed password: "***" (t.conf:5:12) against "***" (t.conf:4:12)
changed port: 1 (t.conf:3:8) against 2 (t.conf:2:8)
expected to differ same: was expected to differ, and does not
changed url: "postgres://u:***@db/x" (t.conf:7:7) against "postgres://u:***@db/x" (t.conf:7:7)
removed z: only the first has 1 (t.conf:1:5)`
	if got := diffLines(a, b, hocon.Expect("name", "same", "same")); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestExpectCoversWhatIsBelow(t *testing.T) {
	a, b := mustLoad(t, "a { b = 1, c = 2 }, jmxProperties { x.y = 1 }"), mustLoad(t, "a { b = 2, c = 3 }, jmxProperties { \"x.y\" = 2 }")
	for _, c := range hocon.Diff(a, b, hocon.Expect("a", `jmxProperties."x.y"`)) {
		if !c.Expected {
			t.Errorf("not expected: %s", c)
		}
	}
}

func TestRenderWritesWhatReadsBackTheSame(t *testing.T) {
	c := mustLoad(t, "a.\"b c\" = [1., x, { y = null }, []]\npassword = geheim\nempty {}\nt = \"two\\nlines ${x}\"\nw = ${t}\n")
	const want = "a {\n  \"b c\" = [\n    1.\n    \"x\"\n    {\n      y = null\n    }\n    []\n  ]\n}\npassword = \"***\"\nempty {}\n"
	if got := c.Render(hocon.RenderOptions{}); !strings.HasPrefix(strings.Replace(got, "\n    1\n", "\n    1.\n", 1), want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, o := range []hocon.RenderOptions{{Reveal: true}, {Reveal: true, Comments: true}, {Reveal: true, JSON: true, Comments: true}} {
		name := "t.conf"
		if o.JSON {
			name = "t.json"
		}
		back, err := load(t, name, c.Render(o))
		if err != nil {
			t.Fatal(err)
		}
		if got := back.Root().Reveal(); got != c.Root().Reveal() {
			t.Errorf("got  %s\nwant %s", got, c.Root().Reveal())
		}
	}
	if got := c.Render(hocon.RenderOptions{Comments: true}); !strings.Contains(got, "# t.conf:4:5, through t.conf:5:5\nw = \"two\\nlines ${x}\"\n") {
		t.Errorf("got\n%s", got)
	}
	if got := mustLoad(t, "").Render(hocon.RenderOptions{}) + mustLoad(t, "").Render(hocon.RenderOptions{JSON: true}); got != "{}\n" {
		t.Errorf("got %q", got)
	}
}
