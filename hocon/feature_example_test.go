package hocon_test

import (
	"fmt"
	"io/fs"
	"time"

	"github.com/hotcold/hotcold/hocon"
)

// show resolves a text and prints what came of it.
func show(text string, opts ...hocon.ResolveOption) *hocon.Config {
	doc, err := hocon.Parse("app.conf", []byte(text))
	if err != nil {
		fmt.Println(err)
		return nil
	}
	cfg, err := hocon.Resolve(hocon.Layers{doc}, opts...)
	if err != nil {
		fmt.Println(err)
		return nil
	}
	return cfg
}

func ExampleParse() {
	_, err := hocon.Parse("app.conf", []byte("url = http://example.com\nport = 80 +\nlist = [1, 2"))
	fmt.Println(err)
	// Output:
	// app.conf:1:11: url: want a comma or a new line, got ':': text that holds it must be in double quotes
	// app.conf:2:11: port: '+' stands only in '+=' outside quotes: put the text in double quotes
	// app.conf:3:8: list: the '[' that opens here is not closed
}

func ExampleResolve() {
	fmt.Println(show("base { port = 1, tags = [a] }\nserver = ${base} { port = 2 }\nserver.tags = ${base.tags} [b]\nopt = ${?nothing}"))
	// Output: {"base":{"port":1,"tags":["a"]},"server":{"port":2,"tags":["a","b"]}}
}

func ExampleWithReadFile() {
	files := func(path string) ([]byte, error) {
		if path == "db.conf" {
			return []byte("user = app, url = ${user}\"@db\""), nil
		}
		return nil, fs.ErrNotExist
	}
	doc, err := hocon.Parse("app.conf", []byte("db { include \"db\" }\ninclude \"not-there\""), hocon.WithReadFile(files))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(hocon.Resolve(hocon.Layers{doc}))
	// Output: {"db":{"user":"app","url":"app@db"}} <nil>
}

func ExampleFromEntries() {
	flags, err := hocon.FromEntries("command line", hocon.FromLayer, []hocon.Entry{{Path: "server.port", Value: "8081"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := hocon.Parse("app.conf", []byte("server { port = 8080, host = h, url = ${server.host}\":\"${server.port} }"))
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg, err := hocon.Resolve(hocon.Layers{flags, file})
	fmt.Println(cfg.At("server.url"), err)
	fmt.Println(cfg.At("server.port").Origin(), cfg.At("server.port").Origin().Shadows)
	// Output:
	// h:8081 <nil>
	// command line [app.conf:1:17]
}

func ExampleConfig_Decode() {
	cfg := show("server {\n  prot = 80\n  wait = soon\n}")
	var settings struct {
		Server struct {
			Port int           `hocon:"port,required"`
			Wait time.Duration `hocon:"wait"`
		} `hocon:"server"`
	}
	fmt.Println(cfg.Decode(&settings, hocon.Strict))
	// Output:
	// app.conf:1:8: server.port: want a whole number, but the key is missing
	// app.conf:2:3: server.prot: no such key; did you mean port?
	// app.conf:3:10: server.wait: want a duration such as 500ms, 20s or "2 minutes", got text without a number
}

func ExampleValue_Reveal() {
	cfg := show("password = hunter2\nlogin = \"app:\"${password}\nurl = \"postgres://app:hunter2@db/app\"")
	fmt.Println(cfg)
	fmt.Println(cfg.At("login").Reveal())
	// Output:
	// {"password":"***","login":"***","url":"postgres://app:***@db/app"}
	// app:hunter2
}

func ExampleDiff() {
	hot := show("machine = a, wait = 20000, port = 1")
	cold := show("machine = b, wait = \"20000\", port = 2")
	for _, change := range hocon.Diff(hot, cold, hocon.Expect("machine")) {
		fmt.Println(change.Expected, change)
	}
	// Output:
	// true machine: "a" (app.conf:1:11) against "b" (app.conf:1:11)
	// false port: 1 (app.conf:1:35) against 2 (app.conf:1:37)
}

func ExampleConfig_Render() {
	fmt.Print(show("a.b = ${HOST}, token = x", hocon.Env(func(string) (string, bool) { return "h", true })).Render(hocon.RenderOptions{Comments: true}))
	// Output:
	// a {
	//   # environment variable HOST, through app.conf:1:7
	//   b = "h"
	// }
	// # app.conf:1:24
	// token = "***"
}
