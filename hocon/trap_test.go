package hocon_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/hocon"
)

// These tests hold the rules that resolvers get wrong.

func TestFieldWithOnlyASubstitutionMayReferToItself(t *testing.T) {
	if got := mustJSON(t, mustLoad(t, "a = ${?a}foo\nb = ${?b}\nc = ${?c} [1]")); got != `{"a":"foo","c":[1]}` {
		t.Errorf("got %s", got)
	}
}

func TestSubstitutionsLookBackAndObjectsLookForward(t *testing.T) {
	const text = "a { x = 1, seen = ${a.x} }\nb = ${a}\na { x = 2 }\nb { seen2 = ${b.x} }\n" +
		"p = 1\np = ${p}2\nq { v = 1, w = ${q.v} }\nq = ${q} { v = 3 }"
	const want = `{"a":{"x":2,"seen":2},"b":{"x":2,"seen":2,"seen2":2},"p":"12","q":{"v":3,"w":1}}`
	if got := mustJSON(t, mustLoad(t, text)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLookupGoesThroughLayersThatAreNotEvaluated(t *testing.T) {
	const text = `
shared { host = h, port = 1, url = "http://"${node.host}":"${node.port} }
node = ${shared}
node { port = 2 }
node = ${?override}
copy = ${node.url}
`
	const want = `{"shared":{"host":"h","port":1,"url":"http://h:2"},` +
		`"node":{"host":"h","port":2,"url":"http://h:2"},"copy":"http://h:2"}`
	// The order in which the fields are evaluated must not matter.
	if got := mustJSON(t, mustLoad(t, text)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAChainOfPairsTakesNoExponentialTime(t *testing.T) {
	var text strings.Builder
	text.WriteString("a0 = {}\nb0 = {}\n")
	for i := 1; i <= 200; i++ {
		fmt.Fprintf(&text, "a%d = ${a%d}${a%d}\n", i, i-1, i-1)
		fmt.Fprintf(&text, "b%d { x = ${?b%d.x}, y = ${?b%d.x} }\nb%d = ${b%d}${b%d}\n", i, i-1, i-1, i, i-1, i)
		fmt.Fprintf(&text, "c = ${?c}${?c}\n")
	}
	c := mustLoad(t, text.String())
	if got := string(c.At("a200").JSON()); got != "{}" {
		t.Errorf("a200 is %s", got)
	}
}

// doubling writes levels of copies, each twice the one before. In line, N is the
// number of the level and M that of the one before.
func doubling(levels int, line string) string {
	var text strings.Builder
	text.WriteString("v0 = x\n")
	for i := 1; i <= levels; i++ {
		text.WriteString(strings.NewReplacer("N", strconv.Itoa(i), "M", strconv.Itoa(i-1)).Replace(line) + "\n")
	}
	return text.String()
}

func TestOutputIsBounded(t *testing.T) {
	for name, line := range map[string]string{
		"objects":      "vN { a = ${vM}, b = ${vM} }",
		"texts":        "vN = ${vM}${vM}",
		"lists":        "vN = [${vM}, ${vM}]",
		"looking back": "v0 = ${v0}${v0}",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, "t.conf", doubling(60, line))
			if err == nil || !strings.Contains(err.Error(), "the resolved tree is larger than 268435456 bytes: the substitutions copy copies") {
				t.Errorf("got %v", err)
			}
			if _, err := load(t, "t.conf", doubling(12, line)); err != nil {
				t.Errorf("12 levels: %v", err)
			}
		})
	}
}

func TestNumbersKeepTheirText(t *testing.T) {
	c := mustLoad(t, "n = 1.50\ns = ${n}s\nv = 3.10.${n}\nlong = 0.10")
	if got := mustJSON(t, c); got != `{"n":1.50,"s":"1.50s","v":"3.10.1.50","long":0.10}` {
		t.Errorf("got %s", got)
	}
	if got, err := c.At("n").Text(); got != "1.50" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestIncludedSubstitutionsTryTwoPaths(t *testing.T) {
	files := map[string]string{
		"main.conf": "x = root\ny = root\no { include \"in.conf\" }",
		"in.conf":   "x = inner\na = ${x}\nb = ${y}",
	}
	const want = `{"x":"root","y":"root","o":{"x":"inner","a":"inner","b":"root"}}`
	if got, fault := loadTree(t, files); got != want {
		t.Errorf("got  %s %s\nwant %s", got, fault, want)
	}
}

func TestResultsAndFaultsComeInOneOrder(t *testing.T) {
	var good, bad strings.Builder
	for i := range 60 {
		fmt.Fprintf(&good, "k%d { z = ${?k%d.z}, a = %d }\n", (i*37)%60, (i*11)%60, i)
		fmt.Fprintf(&bad, "k%d = ${nothing%d}\n", (i*37)%60, i)
	}
	want := mustJSON(t, mustLoad(t, good.String()))
	_, wantErr := load(t, "t.conf", bad.String())
	for range 20 {
		if got := mustJSON(t, mustLoad(t, good.String())); got != want {
			t.Fatalf("got  %s\nthen %s", want, got)
		}
		if _, err := load(t, "t.conf", bad.String()); err.Error() != wantErr.Error() {
			t.Fatalf("got  %v\nthen %v", wantErr, err)
		}
	}
}

func TestLimits(t *testing.T) {
	deep := func(open, end string, n int) string {
		return "a = " + strings.Repeat(open, n) + "1" + strings.Repeat(end, n)
	}
	var chain strings.Builder
	nest := "v0 = 1\n"
	for i := range 30000 {
		fmt.Fprintf(&chain, "v%d = ${v%d}\n", i, i+1)
	}
	for i := 1; i < 3000; i++ {
		nest += fmt.Sprintf("v%d { x = ${v%d} }\n", i, i-1)
	}
	for _, test := range []struct {
		name, text string
		limits     hocon.Limits
		want       string
	}{
		{"lists", deep("[", "]", 2000), hocon.Limits{}, "values are nested deeper than 1000 levels"},
		{"objects", deep("{a=", "}", 2000), hocon.Limits{}, "values are nested deeper than 1000 levels"},
		{"braces that never close", deep("{a=[", "", 100000), hocon.Limits{}, "values are nested deeper than 1000 levels"},
		{"a long path", strings.Repeat("a.", 2000) + "b = 1", hocon.Limits{}, "values are nested deeper than 1000 levels"},
		{"depth that is set", deep("[", "]", 5), hocon.Limits{Depth: 4}, "values are nested deeper than 4 levels"},
		{"values", "a = [1, 2, 3, 4, 5, 6, 7, 8, 9]", hocon.Limits{Values: 5}, "there are more than 5 values"},
		{"a chain of substitutions", chain.String(), hocon.Limits{}, "substitutions are nested deeper than 10000"},
		{"depth by substitutions", nest, hocon.Limits{}, "the resolved tree is nested deeper than 1000 levels"},
		{"output that is set", "a = [1, 2, 3], b = ${a}${a}${a}", hocon.Limits{Output: 8}, "the resolved tree is larger than 8 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			doc, err := hocon.Parse("t.conf", []byte(test.text), hocon.WithLimits(test.limits))
			if err == nil {
				_, err = hocon.Resolve(hocon.Layers{doc})
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %.300v, want %s", err, test.want)
			}
			if err != nil && strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("one fault was told %d times", strings.Count(err.Error(), "\n")+1)
			}
		})
	}
}

func TestSubstitutionsThatAllReferToEachOtherAreGivenUp(t *testing.T) {
	var text strings.Builder
	for i := range 20 {
		fmt.Fprintf(&text, "v%d = ", i)
		for j := range 20 {
			fmt.Fprintf(&text, "${?v%d}", j)
		}
		text.WriteString("\n")
	}
	_, err := load(t, "t.conf", text.String())
	if err == nil || !strings.Contains(err.Error(), "too many substitutions refer to each other") {
		t.Errorf("got %v", err)
	}
}

func TestManyFaultsAreCut(t *testing.T) {
	_, err := load(t, "t.conf", strings.Repeat("a = &\n", 1000))
	if got := strings.Count(err.Error(), "\n") + 1; got != 25 {
		t.Errorf("got %d faults", got)
	}
}
