package hocon_test

import (
	"strings"
	"testing"

	"github.com/hotcold/hotcold/hocon"
)

func TestLayersOfEntriesKnowWhereTheyCameFrom(t *testing.T) {
	cli, err := hocon.FromEntries("command line", hocon.FromLayer, []hocon.Entry{
		{Path: "rpc.port", Value: "7"},
		{Path: "rpc.host", Value: "${not substituted}", Pos: hocon.Pos{File: "args.txt", Line: 3, Col: 5}},
		{Path: "p2pAddress", Value: "lost", EnvName: "corda_p2pAddress"},
		{Path: "p2pAddress", Value: "h:1", EnvName: "CORDA_p2pAddress"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defaults, err := hocon.Parse("reference.conf", []byte("rpc { port = 1, ssl = false }"), hocon.WithOriginKind(hocon.FromDefault))
	if err != nil {
		t.Fatal(err)
	}
	c, err := hocon.Resolve(hocon.Layers{cli, defaults})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"rpc.port":   "layer command line | shadows reference.conf:1:14",
		"rpc.host":   "layer args.txt:3:5 | shadows ",
		"p2pAddress": "environment environment variable CORDA_p2pAddress | shadows ",
		"rpc.ssl":    "default reference.conf:1:23 | shadows ",
	} {
		o := c.At(path).Origin()
		if got := o.Kind.String() + " " + o.String() + " | shadows " + posStrings(o.Shadows); got != want {
			t.Errorf("%s: got  %s\nwant %s", path, got, want)
		}
	}
	_, err = c.At("rpc.host").Int()
	if err == nil || err.Error() != "args.txt:3:5: rpc.host: want a whole number, got text" {
		t.Errorf("got %v", err)
	}
	if got := c.At("rpc.host").Reveal(); got != "${not substituted}" {
		t.Errorf("got %s", got)
	}
}

func TestATextOfSeveralPiecesKnowsTheOriginOfEach(t *testing.T) {
	c := mustLoad(t, "host = h\naddress = ${host}\":\"${PORT}\nagain = ${address} x\nplain = a b c")
	parts := func(path string) string {
		var out []string
		for _, p := range c.At(path).Origin().Parts {
			out = append(out, p.String())
		}
		return strings.Join(out, " + ")
	}
	for path, want := range map[string]string{
		"address": "t.conf:1:8, through t.conf:2:11 + t.conf:2:18 + environment variable PORT, through t.conf:2:21",
		"again":   "t.conf:1:8, through t.conf:3:9, through t.conf:2:11 + t.conf:3:20",
		"plain":   "",
	} {
		if got := parts(path); got != want {
			t.Errorf("%s: got  %s\nwant %s", path, got, want)
		}
	}
}

func TestAFileThatIsTooLargeIsNotRead(t *testing.T) {
	dir := tree(t, map[string]string{"main.conf": "a = 1\ninclude \"x.conf\"", "x.conf": strings.Repeat("# filler\n", 100)})
	_, err := hocon.ParseFile(dir+"/main.conf", hocon.WithLimits(hocon.Limits{File: 200}))
	if err == nil || !strings.Contains(err.Error(), "x.conf: the file is larger than 200 bytes, included from ") {
		t.Errorf("got %v", err)
	}
	_, err = hocon.ParseFile(dir+"/x.conf", hocon.WithLimits(hocon.Limits{File: 200}))
	if err == nil || !strings.HasSuffix(err.Error(), "x.conf: the file is larger than 200 bytes") {
		t.Errorf("got %v", err)
	}
}
