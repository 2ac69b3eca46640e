package hocon_test

import (
	"fmt"

	"github.com/hotcold/hotcold/hocon"
)

func Example() {
	doc, err := hocon.Parse("node.conf", []byte("rpcSettings {\n  port = ${base}3\n  address = ${HOST}\":\"${rpcSettings.port}\n}\nbase = 1000\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg, err := hocon.Resolve(hocon.Layers{doc}, hocon.Env(func(name string) (string, bool) {
		return "10.1.0.4", name == "HOST"
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	port, err := cfg.At("rpcSettings.port").Int()
	fmt.Println(port, err)
	address := cfg.At("rpcSettings.address")
	fmt.Println(address.Text())
	_, err = address.Int()
	fmt.Println(err)
	// Output:
	// 10003 <nil>
	// 10.1.0.4:10003 <nil>
	// node.conf:3:13: rpcSettings.address: want a whole number, got text
}
