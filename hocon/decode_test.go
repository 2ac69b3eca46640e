package hocon_test

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/hocon"
)

type common struct {
	Name string
	ID   *int `hocon:"id"`
}

type server struct {
	common
	Port     uint16         `hocon:"port,required"`
	Wait     time.Duration  `hocon:"wait"`
	Slow     time.Duration  `hocon:"slow,unit=s"`
	Size     int64          `hocon:"size,bytes"`
	Keep     hocon.Period   `hocon:"keep"`
	Address  netip.AddrPort `hocon:"address"`
	Backup   *netip.Addr    `hocon:"backup"`
	Password hocon.Secret   `hocon:"password"`
	Ratio    float64
	On       bool
	Tags     []string
	Limits   map[string]int
	Next     *server
	Users    []struct {
		User string `hocon:"user,required"`
	} `hocon:"rpcUsers"`
	Raw     hocon.Value `hocon:"raw"`
	Any     any
	Ignored string `hocon:"-"`
}

func TestDecodeFillsStructs(t *testing.T) {
	c := mustLoad(t, `
name = n, id = 7, port = "10002", wait = 20000, slow = 3, size = 64 KiB, keep = 2 weeks, address = "10.0.0.1:80", backup = "10.0.0.2"
password = geheim, ratio = 1.5, on = yes, tags = [a, 1, true], limits { a = 1, "b.c" = 2 }
next { port = 1, next = null }
rpcUsers = [ { user = a }, { user = b } ]
raw { x = 1 }, any { a = [1, 1.5, true, null, x, {}] }, unknown = 5
`)
	got := server{Ignored: "kept"}
	if err := c.Decode(&got); err != nil {
		t.Fatal(err)
	}
	id, backup := 7, netip.MustParseAddr("10.0.0.2")
	want := server{
		common: common{Name: "n", ID: &id}, Port: 10002, Wait: 20 * time.Second, Slow: 3 * time.Second, Size: 65536, Keep: hocon.Period{Days: 14},
		Address: netip.MustParseAddrPort("10.0.0.1:80"), Backup: &backup, Password: hocon.NewSecret("geheim"), Ratio: 1.5, On: true,
		Tags: []string{"a", "1", "true"}, Limits: map[string]int{"a": 1, "b.c": 2}, Next: &server{Port: 1}, Users: got.Users, Raw: got.Raw,
		Any: map[string]any{"a": []any{int64(1), 1.5, true, nil, "x", map[string]any{}}}, Ignored: "kept",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if len(got.Users) != 2 || got.Users[1].User != "b" || string(got.Raw.JSON()) != `{"x":1}` {
		t.Errorf("got %+v, %s", got.Users, got.Raw.JSON())
	}
}

func TestDecodeLeavesWhatIsMissingOrNull(t *testing.T) {
	got := server{Port: 5, Ratio: 2, Tags: []string{"default"}, Limits: map[string]int{"kept": 1}, Next: &server{Port: 9, On: true}}
	if err := mustLoad(t, "port = 6, ratio = null, limits { a = 2 }, next { port = 10 }").Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := server{Port: 6, Ratio: 2, Tags: []string{"default"}, Limits: map[string]int{"kept": 1, "a": 2}, Next: &server{Port: 10, On: true}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDecodeTellsEveryFaultInTheOrderOfTheText(t *testing.T) {
	c := mustLoad(t, `wait = soon
prot = 1
on = maybe
size = 5 parsecs
limits { a = x, b = null }
tags = [[], a]
address = nowhere
rpcUsers = [ { usr = a } ]
next { port = 70000 }
keep = 1h
name = { secret = 1 }
`)
	var got server
	err := c.Decode(&got, hocon.Strict)
	const want = `t.conf:1:1: port: want a whole number, but the key is missing
t.conf:1:8: wait: want a duration such as 500ms, 20s or "2 minutes", got text without a number
t.conf:2:1: prot: no such key; did you mean port?
t.conf:3:6: on: want true or false, got text
t.conf:4:8: size: want a size such as 512, 64KiB or 10MB, got the unit "parsecs": it must be one such as B, kB, MB, GB, KiB, MiB, GiB, K, M, G
t.conf:5:14: limits.a: want a whole number, got text
t.conf:5:21: limits.b: want a whole number, got null
t.conf:6:9: tags.0: want text, got a list
t.conf:7:11: address: not an ip:port
t.conf:8:14: rpcUsers.0.user: want text, but the key is missing
t.conf:8:16: rpcUsers.0.usr: no such key; did you mean user?
t.conf:9:15: next.port: want a whole number that fits uint16, got one outside
t.conf:10:8: keep: want a period such as 3d, 2 weeks, 6 months or 1y, got the unit "h": it must be one of d, w, m, y
t.conf:11:8: name: want text, got an object`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	var one *hocon.Error
	if !errors.As(err, &one) {
		t.Error("the faults cannot be taken apart")
	}
}

func TestDecodeWarnsOfUnknownKeys(t *testing.T) {
	var warnings hocon.Errors
	var got server
	if err := mustLoad(t, "port = 1\nnext { port = 2, waite = 5 }\nother = 1").Decode(&got, hocon.Warn(&warnings)); err != nil {
		t.Fatal(err)
	}
	const want = "t.conf:2:18: next.waite: no such key; did you mean wait?\nt.conf:3:1: other: no such key"
	if warnings.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", warnings, want)
	}
}

func TestDecodeKeepsSecretsOutOfStrings(t *testing.T) {
	var plain struct{ Password string }
	err := mustLoad(t, "password = geheim").Decode(&plain)
	if err == nil || err.Error() != "t.conf:1:12: password: is a secret, and is not wanted in the clear here" || plain.Password != "" {
		t.Errorf("got %v, %q", err, plain.Password)
	}
}

func TestDecodeRefusesWhatCannotBeDecodedInto(t *testing.T) {
	c := mustLoad(t, "a = 1")
	for name, dst := range map[string]any{
		"no pointer":         server{},
		"nil":                nil,
		"a nil pointer":      (*server)(nil),
		"a channel":          &struct{ A chan int }{},
		"a map with numbers": &map[int]int{},
		"a wrong tag": &struct {
			A int `hocon:"a,requird"`
		}{},
		"a wrong unit": &struct {
			A time.Duration `hocon:"a,unit=parsec"`
		}{},
		"an interface": &struct{ A error }{},
	} {
		if err := c.Decode(dst); err == nil || strings.Contains(err.Error(), "panic") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
