package hocon_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/hocon"
)

// read asks a value for its Go value by one of the reading methods.
func read(v hocon.Value, method string) (any, error) {
	switch method {
	case "Bool":
		return v.Bool()
	case "Int":
		return v.Int()
	case "Float":
		return v.Float()
	case "Duration":
		return v.Duration(time.Millisecond)
	case "Bytes":
		return v.Bytes()
	case "Period":
		return v.Period()
	case "Strings":
		return v.Strings()
	}
	return v.Text()
}

func TestReading(t *testing.T) {
	for _, test := range []struct {
		text, method string
		want         any
	}{
		{"true", "Bool", true},
		{"yes", "Bool", true},
		{`"on"`, "Bool", true},
		{"no", "Bool", false},
		{"off", "Bool", false},
		{"20000", "Int", int64(20000)},
		{`"20000"`, "Int", int64(20000)},
		{"-7", "Int", int64(-7)},
		{"007", "Int", int64(7)},
		{"1.0", "Int", int64(1)},
		{"2e3", "Int", int64(2000)},
		{"9223372036854775807", "Int", int64(9223372036854775807)},
		{"1.5", "Float", 1.5},
		{`"1.5"`, "Float", 1.5},
		{"3", "Float", 3.0},
		{"20000", "Text", "20000"},
		{"1.50", "Text", "1.50"},
		{"true", "Text", "true"},
		{"two words", "Text", "two words"},
		{"[a, 1, true]", "Strings", []string{"a", "1", "true"}},
		{"[]", "Strings", []string{}},
		{"{ 2 = c, 10 = d, 0 = a, x = y }", "Strings", []string{"a", "c", "d"}},
		{"500", "Duration", 500 * time.Millisecond},
		{"500 ms", "Duration", 500 * time.Millisecond},
		{"20s", "Duration", 20 * time.Second},
		{`" 20 seconds "`, "Duration", 20 * time.Second},
		{"1 second", "Duration", time.Second},
		{"2 minutes", "Duration", 2 * time.Minute},
		{"1.5h", "Duration", 90 * time.Minute},
		{"1 day", "Duration", 24 * time.Hour},
		{"3us", "Duration", 3 * time.Microsecond},
		{"7 nanos", "Duration", 7 * time.Nanosecond},
		{"0.5ns", "Duration", time.Duration(0)},
		{"-1s", "Duration", -time.Second},
		{`" 7 "`, "Int", int64(7)},
		{"3", "Period", hocon.Period{Days: 3}},
		{"2 weeks", "Period", hocon.Period{Days: 14}},
		{"6mo", "Period", hocon.Period{Months: 6}},
		{"6m", "Period", hocon.Period{Months: 6}},
		{"-1 year", "Period", hocon.Period{Years: -1}},
		{"512", "Bytes", int64(512)},
		{"512B", "Bytes", int64(512)},
		{"1kB", "Bytes", int64(1000)},
		{"1 kilobyte", "Bytes", int64(1000)},
		{"1K", "Bytes", int64(1024)},
		{"1k", "Bytes", int64(1024)},
		{"2 KiB", "Bytes", int64(2048)},
		{"10MB", "Bytes", int64(10_000_000)},
		{"1.5 MiB", "Bytes", int64(1_572_864)},
		{"1 gibibytes", "Bytes", int64(1 << 30)},
		{"7E", "Bytes", int64(7 << 60)},
		{"0 ZB", "Bytes", int64(0)},
	} {
		t.Run(test.method+" of "+test.text, func(t *testing.T) {
			got, err := read(mustLoad(t, "v = "+test.text).At("v"), test.method)
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, %v, want %v", got, err, test.want)
			}
		})
	}
}

func TestReadingFaults(t *testing.T) {
	const duration = `want a duration such as 500ms, 20s or "2 minutes"`
	const size = "want a size such as 512, 64KiB or 10MB"
	for _, test := range []struct{ text, method, want string }{
		{"text", "Int", "want a whole number, got text"},
		{"true", "Int", "want a whole number, got true or false"},
		{"null", "Int", "want a whole number, got null"},
		{"[1]", "Int", "want a whole number, got a list"},
		{"{}", "Int", "want a whole number, got an object"},
		{"1.5", "Int", "want a whole number, got a fraction"},
		{"1e30", "Int", "want a whole number, got one that is too large"},
		{"1e999999999", "Int", "want a whole number, got one that is too large"},
		{"9223372036854775808", "Int", "want a whole number between -9223372036854775808 and 9223372036854775807, got one outside"},
		{"0x10", "Int", "want a whole number, got text"},
		{"NaN", "Float", "want a number, got text"},
		{"1_000", "Float", "want a number, got text"},
		{"1", "Bool", "want true or false, got a number"},
		{"maybe", "Bool", "want true or false, got text"},
		{"{}", "Text", "want text, got an object"},
		{"null", "Text", "want text, got null"},
		{"text", "Strings", "want a list, got text"},
		{"{ a = 1 }", "Strings", "want a list, got an object"},
		{"20 parsecs", "Duration", duration + `, got the unit "parsecs": it must be one of ns, us, ms, s, m, h, d`},
		{"20 S", "Duration", duration + `, got the unit "S": it must be one of ns, us, ms, s, m, h, d`},
		{"soon", "Duration", duration + ", got text without a number"},
		{"1000000 days", "Duration", duration + ", got one that is too large"},
		{"true", "Duration", duration + ", got true or false"},
		{"1.5 d", "Period", "want a period such as 3d, 2 weeks, 6 months or 1y, got text without a whole number"},
		{"1 h", "Period", `want a period such as 3d, 2 weeks, 6 months or 1y, got the unit "h": it must be one of d, w, m, y`},
		{"5 kb", "Bytes", size + `, got the unit "kb": it must be one such as B, kB, MB, GB, KiB, MiB, GiB, K, M, G`},
		{"1 ZB", "Bytes", size + ", got more than 8 EiB"},
		{"8E", "Bytes", size + ", got one that is too large"},
		{"1-2", "Bytes", size + ", got text that is no number"},
	} {
		t.Run(test.method+" of "+test.text, func(t *testing.T) {
			_, err := read(mustLoad(t, "rpcSettings {\n  port = "+test.text+"\n}").At("rpcSettings.port"), test.method)
			want := "t.conf:2:10: rpcSettings.port: " + test.want
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestBareNumberCountsInTheCallersUnit(t *testing.T) {
	c := mustLoad(t, "a = 20, b = 20ms, c = \"20\"")
	for path, want := range map[string]time.Duration{"a": 20 * time.Second, "b": 20 * time.Millisecond, "c": 20 * time.Second} {
		if got, err := c.At(path).Duration(time.Second); got != want || err != nil {
			t.Errorf("%s: got %v, %v", path, got, err)
		}
	}
}

func TestMissingValue(t *testing.T) {
	c := mustLoad(t, "top = 1\nrpcSettings {\n  ssl { on = true }\n}\nlist = [1]")
	for path, want := range map[string]string{
		"rpcSettings.port":      "t.conf:2:13: rpcSettings.port: want a whole number, but the key is missing",
		"rpcSettings.ssl.a.b.c": "t.conf:3:7: rpcSettings.ssl.a.b.c: want a whole number, but the key is missing",
		"other":                 "t.conf:1:1: other: want a whole number, but the key is missing",
		"list.7":                "t.conf:5:8: list.7: want a whole number, but the key is missing",
		"top.below":             "t.conf:1:1: top.below: want a whole number, but the key is missing",
	} {
		v := c.At(path)
		if v.Exists() || v.Kind() != hocon.Null || string(v.JSON()) != "null" {
			t.Errorf("%s exists", path)
		}
		if _, err := v.Int(); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	if v := c.At("not..a path"); v.Exists() {
		t.Error("a path that is none leads to a value")
	}
	var none hocon.Value
	if _, err := none.Text(); err == nil || none.Exists() || none.Get("a").Exists() {
		t.Error("the zero Value exists")
	}
}

func TestStringsTellsEveryFault(t *testing.T) {
	_, err := mustLoad(t, "a = [x, [], y, {}]").At("a").Strings()
	const want = "t.conf:1:9: a.1: want text, got a list\nt.conf:1:16: a.3: want text, got an object"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestPathsLeadBackToTheirValues(t *testing.T) {
	c := mustLoad(t, `a { "b.c" = [ { "x y" = 1 } ], "" = 2, d-e_f = 3, "ж" = 4, "q\"" = 5 }`)
	var walk func(v hocon.Value)
	walk = func(v hocon.Value) {
		if v.Path() != "" && string(c.At(v.Path()).JSON()) != string(v.JSON()) {
			t.Errorf("%s leads to %s, not to %s", v.Path(), c.At(v.Path()).JSON(), v.JSON())
		}
		for _, key := range v.Keys() {
			walk(v.Get(key))
		}
		if v.Kind() == hocon.List {
			list, err := v.List()
			if err != nil {
				t.Error(err)
			}
			for _, element := range list {
				walk(element)
			}
		}
	}
	walk(c.Root())
	if got := c.Root().Get("a").Get("b.c").Get("0").Get("x y").Path(); got != `a."b.c".0."x y"` {
		t.Errorf("got %s", got)
	}
}

func TestKeysKeepTheirOrderWhenThereAreMany(t *testing.T) {
	var text strings.Builder
	var want []string
	for _, key := range strings.Fields("q w e r t y u i o p a s d f g h j k l z x c v b n m") {
		text.WriteString(key + " = 1\n")
		want = append(want, key)
	}
	text.WriteString("e = 2\nz.y = 3\n")
	c := mustLoad(t, text.String())
	if got := c.Root().Keys(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if got, _ := c.At("e").Int(); got != 2 {
		t.Errorf("e is %d", got)
	}
}

func TestPositions(t *testing.T) {
	c := mustLoad(t, "a = 1\n  b.c =  ${a}\nd { e = \"é\", f = x }\nd.f = y\ng = [ 1,\n  2 ]\n")
	for path, want := range map[string][2]string{
		"a":   {"t.conf:1:1", "t.conf:1:5"},
		"b.c": {"t.conf:2:3", "t.conf:1:5"},
		"d":   {"t.conf:3:1", "t.conf:3:3"},
		"d.e": {"t.conf:3:5", "t.conf:3:9"},
		"d.f": {"t.conf:4:1", "t.conf:4:7"},
		"g.1": {"t.conf:6:3", "t.conf:6:3"},
	} {
		v := c.At(path)
		if got := [2]string{v.KeyPos().String(), v.Pos().String()}; got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
	if got := c.At("d.f").Origin().Shadows; len(got) != 1 || got[0].String() != "t.conf:3:18" {
		t.Errorf("d.f shadows %v", got)
	}
}

func posStrings(list []hocon.Pos) string {
	var out []string
	for _, p := range list {
		out = append(out, p.String())
	}
	return strings.Join(out, " ")
}

func TestOrigins(t *testing.T) {
	parse := func(name, text string) *hocon.Document {
		doc, err := hocon.Parse(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	c, err := hocon.Resolve(hocon.Layers{
		parse("over.conf", "port = 3"),
		parse("node.conf", "port = 2\nuser = ${USER_NAME}\nshared { x = 1 }\nn1 = ${shared}\nn2 = ${n1} { y = 2 }\nopt = kept\nopt = ${?none}\nopt2 = old\nopt2 = ${shared.x}"),
		parse("reference.conf", "port = 1\nonly = here"),
	}, hocon.Env(environment))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ path, pos, env, via, shadows string }{
		{"port", "over.conf:1:8", "", "", "node.conf:1:8 reference.conf:1:8"},
		{"only", "reference.conf:2:8", "", "", ""},
		{"user", "", "USER_NAME", "node.conf:2:8", ""},
		{"n1.x", "node.conf:3:14", "", "node.conf:4:6", ""},
		{"n2.x", "node.conf:3:14", "", "node.conf:5:6 node.conf:4:6", ""},
		{"n2.y", "node.conf:5:18", "", "", ""},
		{"opt", "node.conf:6:7", "", "", ""},
		{"opt2", "node.conf:3:14", "", "node.conf:9:8", "node.conf:8:8"},
	} {
		o := c.At(test.path).Origin()
		if o.Pos.String() != test.pos || o.EnvName != test.env || posStrings(o.Via) != test.via || posStrings(o.Shadows) != test.shadows {
			t.Errorf("%s: got %v, %q, via %s, shadows %s", test.path, o.Pos, o.EnvName, posStrings(o.Via), posStrings(o.Shadows))
		}
	}
	// A fault in a variable is told where the variable was asked for.
	_, err = c.At("user").Int()
	if err == nil || err.Error() != "node.conf:2:8: user: want a whole number, got text" {
		t.Errorf("got %v", err)
	}
}

func TestLayersAreResolvedTogether(t *testing.T) {
	parse := func(name, text string) *hocon.Document {
		doc, err := hocon.Parse(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	base := parse("base.conf", "baseDirectory = /srv/node")
	doc := parse("node.conf", "p2pAddress = ${host}\":10002\"\nlogs = ${baseDirectory}/logs\nrpc { port = 1 }\nl = [1]\nhost = h")
	ref := parse("reference.conf", "rpc { port = 9, ssl { on = false } }\nl = [0]\nhost = localhost\nbaseDirectory = .")
	over := parse("env", "rpc.ssl.on = true\nl = ${l} [2]\nrpc = ${?none}")
	const want = `{"rpc":{"port":1,"ssl":{"on":true}},"l":[1,2],"host":"h","baseDirectory":"/srv/node",` +
		`"p2pAddress":"h:10002","logs":"/srv/node/logs"}`
	for range 2 { // the documents must not change
		c, err := hocon.Resolve(hocon.Layers{base, over, doc, ref})
		if err != nil {
			t.Fatal(err)
		}
		if got := mustJSON(t, c); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	c, err := hocon.Resolve(nil)
	if err != nil || mustJSON(t, c) != "{}" {
		t.Errorf("no layers: %v", err)
	}
}

func TestErrorsCanBeTakenApart(t *testing.T) {
	_, err := load(t, "t.conf", "a = &\nb = &")
	var one *hocon.Error
	if !errors.As(err, &one) || one.Pos != (hocon.Pos{File: "t.conf", Line: 1, Col: 5}) || one.Path != "a" {
		t.Errorf("got %+v", one)
	}
	e := mustLoad(t, "a { b = 1 }").At("a.b").Errorf("want %d, got %d", 2, 1)
	if e.Error() != "t.conf:1:9: a.b: want 2, got 1" {
		t.Errorf("got %s", e)
	}
}

func TestJSONIsJSON(t *testing.T) {
	c := mustLoad(t, "s = \"\\u0001\\t\\\"\\\\ \u2028 é\", n = [1., 01, -.5, 1e400, 1E5, 0.10], o {}, l = [], z = null, t = true")
	text := mustJSON(t, c)
	const want = `{"s":"\u0001\t\"\\ \u2028 é","n":[1,1,-0.5,1e400,1E5,0.10],"o":{},"l":[],"z":null,"t":true}`
	if text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if !json.Valid([]byte(text)) {
		t.Error("it is not valid")
	}
	if wrapped, err := json.Marshal(map[string]any{"v": c.At("o")}); err != nil || string(wrapped) != `{"v":{}}` {
		t.Errorf("got %s, %v", wrapped, err)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"p2pAddress", "updateInterval", "waitInterval", "on", "machineName", "rpcSettings"}
	for key, want := range map[string]string{
		"p2pAdress":      "p2pAddress",
		"P2PADDRESS":     "p2pAddress",
		"waitIntervall":  "waitInterval",
		"waitInterva":    "waitInterval",
		"updateIntreval": "updateInterval",
		"machinename":    "machineName",
		"rpcSetings":     "rpcSettings",
		"On":             "on",
		"of":             "",
		"database":       "",
		"":               "",
	} {
		got, ok := hocon.Nearest(key, known)
		if got != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", key, got, ok, want)
		}
	}
}
