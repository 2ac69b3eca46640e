package hocon_test

import (
	"fmt"
	"math"
	"math/big"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/hocon"
)

// TestOracleOnReading asks both for values of every type, in every spelling of the
// units and in many that are none.
func TestOracleOnReading(t *testing.T) {
	o := newOracle(t)
	n, meant := 0, 0
	ask := func(method, text string) {
		n++
		dir := o.write(sample{files: map[string]string{"t.conf": "v = " + text}})
		reference := o.ask("get", dir+"/t.conf", method)
		c, err := hocon.ParseFile(filepath.Join(o.dir, dir, "t.conf"))
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := hocon.Resolve(hocon.Layers{c})
		if err != nil {
			t.Fatal(err)
		}
		ours := answerOf(cfg.At("v"), method)
		switch {
		case ours == reference, ours[0] == '!' && reference[0] == '!':
		case meansOtherwise(method, text, ours, reference):
			meant++
		default:
			t.Errorf("%s of %s: ours %s, reference %s", method, text, ours, reference)
		}
	}
	for _, number := range []string{"0", "1", "10", "1.5", "-1", "-1.5", ".5", "1.", "1e3", "1.5e3", "007", "9223372036854775807", "9223372036854775808", "1e400", "0.0", "-0"} {
		for _, unit := range strings.Fields("ns nano nanos nanosecond nanoseconds us micro micros microsecond microseconds ms milli millis millisecond " +
			"milliseconds s second seconds m minute minutes h hour hours d day days S sec min hr D w") {
			ask("Duration", number+unit)
			ask("Duration", strconv.Quote(number+" "+unit))
		}
		for _, unit := range strings.Fields("d day days w week weeks m mo month months y year years D s") {
			ask("Period", number+" "+unit)
		}
		for _, unit := range sizeUnits() {
			ask("Bytes", number+unit)
		}
		for _, form := range []string{"%s", "\"%s\"", "\" %s \"", "\"%s \"", "[%s]", "{ a = %s }", "{ 0 = %s, 1 = x }", "[[%s]]"} {
			for _, method := range []string{"Bool", "Int", "Float", "Text", "Duration", "Period", "Bytes", "Strings"} {
				ask(method, fmt.Sprintf(form, number))
			}
		}
	}
	for _, text := range []string{"true", "false", "yes", "no", "on", "off", "TRUE", "Yes", "1", "0", "null", "text", `""`, `" "`, "[]", "{}", "[null]", "[a, b]", "[a, 1, true]",
		"[[]]", "[{}]", "{ 1 = b, 0 = a }", "{ 1 = b, x = a }", "{ 01 = a, 1 = b }", "{ -1 = a }", "NaN", "Infinity", "0x10", "1_000", "1d", "1f", `"+5"`, `"1 000"`, "{ a = 1 }", "s", `"s"`, "5 5 s"} {
		for _, method := range []string{"Bool", "Int", "Float", "Text", "Duration", "Period", "Bytes", "Strings"} {
			ask(method, text)
		}
	}
	t.Logf("%d readings, of which %d are meant to differ", n, meant)
}

func sizeUnits() []string {
	units := []string{"b", "B", "byte", "bytes", "kb", "KB", "kib", "kB", "k", "K", "Ki", "ki", "KiB", "kilobyte", "kilobytes", "kibibyte", "kibibytes"}
	for _, words := range [][2]string{{"mega", "mebi"}, {"giga", "gibi"}, {"tera", "tebi"}, {"peta", "pebi"}, {"exa", "exbi"}, {"zetta", "zebi"}, {"yotta", "yobi"}} {
		small := words[0][:1]
		big := strings.ToUpper(small)
		units = append(units, big+"B", small+"B", words[0]+"byte", words[0]+"bytes", small, big, big+"i", small+"i", big+"iB", words[1]+"byte", words[1]+"bytes")
	}
	return units
}

// answerOf reads a value and writes what came as the oracle does.
func answerOf(v hocon.Value, method string) string {
	var got any
	var err error
	switch method {
	case "Duration":
		var d interface{ Nanoseconds() int64 }
		d, err = v.Duration(1e6)
		got = d.Nanoseconds()
	case "Period":
		got, err = v.Period()
	case "Float":
		var f float64
		f, err = v.Float()
		got = strconv.FormatFloat(f, 'g', -1, 64)
	case "Strings":
		var list []string
		list, err = v.Strings()
		got = strings.Join(list, "|")
	default:
		got, err = read(v, method)
	}
	if err != nil {
		return "!" + err.Error()
	}
	return "=" + strconv.QuoteToASCII(fmt.Sprint(got))
}

// meansOtherwise knows the differences that the package's documentation lists.
func meansOtherwise(method, asked, ours, reference string) bool {
	if asked == "NaN" || asked == "Infinity" || asked == "1d" || asked == "1f" {
		return ours[0] == '!' // numbers to Java's parser only
	}
	for _, text := range []string{"got a fraction", "too large", "more than 8 EiB", "got one outside"} {
		if strings.Contains(ours, text) {
			return true // the reference cuts the fraction, or the number
		}
	}
	a, okA := new(big.Float).SetString(strings.Trim(ours, `="`))
	b, okB := new(big.Float).SetString(strings.Trim(reference, `="`))
	if !okA || !okB {
		return strings.Contains(ours, "Inf") && strings.Contains(reference, "Infinity")
	}
	switch x, _ := new(big.Float).Sub(a, b).Float64(); method {
	case "Float":
		return x == 0 // written in another way
	case "Duration":
		return math.Abs(x) <= 1 // the reference calculates in binary fractions
	}
	return false
}
