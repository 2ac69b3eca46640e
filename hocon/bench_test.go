package hocon_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/hotcold/hotcold/hocon"
)

// bigJSON writes about size bytes of JSON of the shape that configurations have:
// objects of a few scalars, some lists, some nesting.
func bigJSON(size int) []byte {
	var b bytes.Buffer
	b.WriteString("{\n")
	for i := 0; b.Len() < size; i++ {
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, `  "service-%d": {
    "address": "machine-%d.example.com:%d",
    "interval": %d, "ratio": %d.25, "on": %t, "nothing": null,
    "tags": ["alpha", "beta", "%d"],
    "nested": {"path": "C:\\data\\%d", "text": "two words", "deep": {"list": [1, 2, 3, {"x": %d}]}}
  }`, i, i%97, 10000+i%5000, i*7, i%9, i%2 == 0, i, i, i)
	}
	b.WriteString("\n}\n")
	return b.Bytes()
}

const benchSize = 10 << 20

func BenchmarkEncodingJSON(b *testing.B) {
	text := bigJSON(benchSize)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		var out any
		if err := json.Unmarshal(text, &out); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAndResolve(b *testing.B) {
	text := bigJSON(benchSize)
	for _, name := range []string{"big.json", "big.conf"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				doc, err := hocon.Parse(name, text)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := hocon.Resolve(hocon.Layers{doc}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSubstitutions resolves a long file in which every value is one of a
// chain, a copy of an object that is then changed, or an addition to a list.
func BenchmarkSubstitutions(b *testing.B) {
	var text bytes.Buffer
	text.WriteString("base { a = 1, b = two, c { d = [1, 2] } }\nv0 = 1\n")
	for i := 1; i <= 20000; i++ {
		fmt.Fprintf(&text, "v%d = ${v%d}\no%d = ${base} { b = ${v%d} }\nlist += %d\n", i, i-1, i, i, i)
		if i%200 == 0 {
			fmt.Fprintf(&text, "list = []\n")
		}
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		doc, err := hocon.Parse("chain.conf", text.Bytes())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := hocon.Resolve(hocon.Layers{doc}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAgainstEncodingJSON reads the same 10 MB with both in turn and reports
// how many times longer this package takes. The aim is below 4.
func BenchmarkAgainstEncodingJSON(b *testing.B) {
	text := bigJSON(benchSize)
	var ours, theirs time.Duration
	for b.Loop() {
		start := time.Now()
		var out any
		if err := json.Unmarshal(text, &out); err != nil {
			b.Fatal(err)
		}
		theirs += time.Since(start)
		start = time.Now()
		doc, err := hocon.Parse("big.conf", text)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := hocon.Resolve(hocon.Layers{doc}); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(start)
	}
	b.ReportMetric(float64(ours)/float64(theirs), "times-encoding/json")
}

// BenchmarkNodeConf reads what a Corda node has. The aim is below a millisecond.
func BenchmarkNodeConf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		doc, err := hocon.Parse("node.conf", []byte(guide))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := hocon.Resolve(hocon.Layers{doc}, hocon.Env(guideEnv)); err != nil {
			b.Fatal(err)
		}
	}
}
