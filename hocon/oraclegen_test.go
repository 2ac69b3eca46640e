package hocon_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// generator writes files with the traps of HOCON in them. What it writes follows
// from its seed. Keys are written as ka, kb, ... so that they can be renamed.
type generator struct{ r *rand.Rand }

func newGenerator(seed uint64) *generator {
	return &generator{r: rand.New(rand.NewPCG(seed, 4653))}
}

// one picks one of some texts.
func (g *generator) one(texts ...string) string { return texts[g.r.IntN(len(texts))] }

// some reports true n times of a hundred.
func (g *generator) some(percent int) bool { return g.r.IntN(100) < percent }

func (g *generator) key() string { return g.one("ka", "kb", "kc", "kd", "ke") }

func (g *generator) path() string {
	path := g.key()
	for g.some(35) {
		path += "." + g.key()
	}
	return path
}

func (g *generator) ref() string {
	mark := ""
	if g.some(45) {
		mark = "?"
	}
	path := g.path()
	if g.some(4) {
		path = g.one("USER_NAME", "EMPTY", "PORT", "NOTHING", "WITH.POINT")
	}
	return "${" + mark + path + "}"
}

func (g *generator) scalar() string {
	return g.one("1", "2", "true", "null", "text", `"quoted"`, "1.50", "x y")
}

func (g *generator) object(depth int) string {
	n := g.r.IntN(4)
	fields := make([]string, n)
	for i := range fields {
		fields[i] = g.field(depth - 1)
	}
	return "{ " + strings.Join(fields, ", ") + " }"
}

func (g *generator) list(depth int) string {
	n := g.r.IntN(4)
	elements := make([]string, n)
	for i := range elements {
		elements[i] = g.value(depth - 1)
	}
	return "[" + strings.Join(elements, ", ") + "]"
}

func (g *generator) value(depth int) string {
	if depth <= 0 {
		if g.some(50) {
			return g.ref()
		}
		return g.scalar()
	}
	switch n := g.r.IntN(100); {
	case n < 25:
		return g.scalar()
	case n < 50:
		return g.ref()
	case n < 68:
		return g.object(depth)
	case n < 78:
		return g.list(depth)
	case n < 84:
		return g.ref() + g.one("", " ") + g.ref()
	case n < 89:
		return g.ref() + g.one("", " ") + g.object(depth)
	case n < 92:
		return g.object(depth) + g.one("", " ") + g.ref()
	case n < 95:
		return g.ref() + " " + g.list(depth)
	case n < 97:
		return g.list(depth) + " " + g.ref()
	}
	return g.scalar() + g.one("", " ") + g.ref()
}

func (g *generator) field(depth int) string {
	switch n := g.r.IntN(100); {
	case n < 12:
		return g.path() + " += " + g.value(depth)
	case n < 30:
		return g.path() + " " + g.object(max(depth, 1))
	case n < 31:
		return g.path() + " " + g.object(max(depth, 1)) + g.one(" ", "") + g.value(1)
	}
	return g.path() + " = " + g.value(depth)
}

// lines writes a file of so many fields at most.
func (g *generator) lines(most int) []string {
	n := 1 + g.r.IntN(most)
	out := make([]string, n)
	for i := range out {
		out[i] = g.field(2)
	}
	return out
}

// draft is a sample as lists of lines, which can be left out one by one.
type draft struct {
	files  []string
	lines  [][]string
	join   string
	layers []string
}

// sample makes files of the draft, with its keys renamed.
func (d draft) sample(names string) sample {
	var pairs []string
	for i, to := range names {
		pairs = append(pairs, "k"+string(rune('a'+i)), string(to))
	}
	rename := strings.NewReplacer(pairs...)
	s := sample{files: map[string]string{}, layers: d.layers}
	for i, file := range d.files {
		s.files[file] = rename.Replace(strings.Join(d.lines[i], d.join))
	}
	return s
}

// without leaves out one line of one file.
func (d draft) without(file, line int) draft {
	c := d
	c.lines = append([][]string(nil), d.lines...)
	c.lines[file] = append(append([]string(nil), d.lines[file][:line]...), d.lines[file][line+1:]...)
	return c
}

// substitutions drafts one file of fields that refer to each other.
func (g *generator) substitutions() draft {
	return draft{files: []string{"t.conf"}, lines: [][]string{g.lines(6)}, join: "\n", layers: []string{"t.conf"}}
}

// layered drafts up to three files that are laid over each other.
func (g *generator) layered() draft {
	d := draft{join: "\n"}
	for i := range 2 + g.r.IntN(2) {
		name := fmt.Sprintf("l%d.conf", i)
		d.files = append(d.files, name)
		d.layers = append(d.layers, name)
		d.lines = append(d.lines, g.lines(4))
	}
	return d
}

// including drafts a file that includes others, from several places.
func (g *generator) including() draft {
	d := draft{
		files: []string{"t.conf", "x.conf", "sub/y.conf", "sub/z.conf", "p.properties", "j.json"},
		join:  "\n", layers: []string{"t.conf"},
	}
	include := func(names ...string) string {
		name := strconv.Quote(g.one(names...))
		return "include " + g.one(name, name, name, "required("+name+")", "file("+strings.Replace(name, `"`, `"@DIR@/`, 1)+")",
			"required(file("+strings.Replace(name, `"`, `"@DIR@/`, 1)+"))")
	}
	mix := func(lines []string, names ...string) []string {
		at := g.r.IntN(len(lines) + 1)
		statement := include(names...)
		if g.some(50) {
			statement = g.path() + " { " + statement + " }"
		}
		return append(lines[:at:at], append([]string{statement}, lines[at:]...)...)
	}
	main := mix(g.lines(4), "x", "x.conf", "sub/y.conf", "p", "j", "p.properties", "j.json", "nope", "sub/z")
	if g.some(50) {
		main = mix(main, "x", "x.conf", "sub/y.conf", "p", "j")
	}
	inner := g.lines(3)
	if g.some(50) {
		inner = mix(inner, "sub/y", "sub/z.conf", "p", "j")
	}
	second := g.lines(3)
	if g.some(40) {
		second = mix(second, "z", "z.conf", "sub/z", "nope.json")
	}
	d.lines = [][]string{
		main, inner, second, g.lines(3),
		{g.path() + "=" + g.one("1", "two words", "${ka}"), g.path() + ": x"},
		{"{\"" + g.key() + "\": {\"" + g.key() + "\": " + g.one("1", "[1, 2]", `"${ka}"`) + "}}"},
	}
	return d
}

// syntax drafts text of pieces that are likely to be wrong together.
func (g *generator) syntax() draft {
	pieces := []string{
		"ka", "kb", "kc", "=", "=", "=", ":", "+=", "{", "}", "[", "]", ",", ",", "\n", "\n", "\n", " ", " ", "  ", "\t",
		"1", "0", "-1", "1.5", ".5", "-.5", "1.", "-", "+", "1e3", "1E+2", "1e", "-0", "00", "01", "1.5.2", "1e400", "1e-400", "9223372036854775807",
		"9223372036854775808", "0x1f", "1_0", "10ms", "1d", "1f", "1D", "NaN", "Infinity", "1-2", "1+2", "2-", "1.e3", "--1",
		"true", "false", "null", "trueish", "nulls", "xtrue", "falsey",
		`"q"`, `"a.b"`, `""`, `"""t"""`, `""""t""""`, `""""""`, `"""""""`, `"\n"`, `"\u00e9"`, `"\ud83d\ude00"`, `"\ud83dx"`, `"\x"`, `"\u12"`, `"\u12g4"`, `"\/"`, `"`, `"""`, "\"a\tb\"", "\"a\x7fb\"",
		"#", "# c\n", "// c\n", "//", "/", "a/b", "a//b", "#\n", "include", "include ", `include "x"`, "includes", "include.x",
		"${ka}", "${?kb}", "${", "${?", "}", "${ ka }", "${ka.kb}", `${"ka"}`, "${ka\n}", "${1}", "${1.5}", "${true}", "${?ka.}", "${.ka}", "${}", "$", "${ ?ka}", "${?ka kb}",
		"ka.kb", "ka..kb", ".ka", "ka.", "ka .kb", "ka. kb", "ka kb", `ka."x".kb`, `"ka"kb`, "1.5", "10.0.0.1", "a-b", "a_b", "-a", "a'b", "a;b", "a(b)", "<", ">", "|", "~", "%", "a%20b",
		"\u00a0", "\u2003", "\ufeff", "\u2028", "\u0085", "\u200b", "\v", "\f", "\x1c", "\r", "\r\n", "\x00", "\x01", "é", "日本", "😀", "\xff", "\xc3", "\xe2\x82", "\xed\xa0\x80", "\xf0\x9f\x98",
		"@", "&", "*", "^", "!", "?", "`", "\\", "file(", "url(", ")", "(",
	}
	n := 1 + g.r.IntN(14)
	var line []string
	for range n {
		line = append(line, pieces[g.r.IntN(len(pieces))])
	}
	if g.some(70) {
		line = append([]string{g.one("ka", "kb", "ka.kb"), g.one("=", ":", "+=", " = ", "{", "= [", "=\n", "\n=")}, line...)
	}
	if g.some(15) {
		line = append([]string{"{"}, append(line, "}")...)
	}
	return draft{files: []string{"t.conf"}, lines: [][]string{line}, layers: []string{"t.conf"}}
}

// json drafts a text that may be JSON.
func (g *generator) json() draft {
	var value func(depth int) string
	space := func() string { return g.one("", "", "", " ", "\n", "\t", "\r\n") }
	value = func(depth int) string {
		switch n := g.r.IntN(12); {
		case n < 3 && depth > 0:
			var fields []string
			for range g.r.IntN(4) {
				key := g.one(`"ka"`, `"kb"`, `"kc"`, `"ka.kb"`, `""`, `"kd"`, `"ke"`, `"kf"`)
				fields = append(fields, space()+key+space()+g.one(":", ":", ":", ":", ":", ":", ":", "=")+space()+value(depth-1))
			}
			return "{" + strings.Join(fields, ",") + g.one("", "", "", "", "", "", ",") + space() + "}"
		case n < 5 && depth > 0:
			var elements []string
			for range g.r.IntN(4) {
				elements = append(elements, space()+value(depth-1)+space())
			}
			return "[" + strings.Join(elements, ",") + g.one("", "", "", "", "", "", ",") + "]"
		case n < 6:
			return g.one("x", "${ka}", `"a" "b"`, "[1] [2]", "// c\n1", "# c\n1", "+1", ".5", "1.", "01", "-", "'x'", `"""x"""`, "1 2", "tru", "1\n", "{} {}", "include", "NaN")
		}
		return g.one("1", "-1.50", "1e5", "1E-3", "true", "false", "null", `"x"`, `"\u00e9\n"`, `"${ka}"`, `""`, "12345678901234567890")
	}
	text := space() + g.one("", "", "", "\ufeff") + value(3)
	if g.some(80) {
		text = space() + "{" + `"ka"` + ":" + value(3) + "," + `"kb"` + ":" + value(2) + "}" + space() + g.one("", "", "", "", "x", "{}", ",", "# c")
	}
	return draft{files: []string{"t.json"}, lines: [][]string{{text}}, layers: []string{"t.json"}}
}

// properties drafts lines of a properties file.
func (g *generator) properties() draft {
	var lines []string
	for range 1 + g.r.IntN(6) {
		key := g.one("ka", "kb", "ka.kb", "ka.kb.kc", "ka.0", "ka.1", ".ka", "ka.", "ka..kb", `ka\ b`, `ka\=b`, `ka\:b`, `k\u0061`, "é", "", `"ka"`, "ka b", " ka", "\tkb", "#ka", "!kb", `\#ka`)
		value := g.one("1", "x y ", " z", "", `a\tb`, `a\\`, `a\`, `a\u00e9`, `\u12`, "a=b", "${ka}", "é", `\q`, `a\ b`, "a \\\n  b", "a\\\r\n\tb", "a\\\n#b", "a\\\n\nb", "true", `"q"`, "\\ud83d\\ude00", "😀")
		lines = append(lines, key+g.one("=", ":", " ", " = ", "\t:\t", "  ", "==", "")+value+g.one("\n", "\n", "\n", "\r\n", "\r", "\n\n", "\f\n"))
	}
	return draft{files: []string{"t.properties"}, lines: [][]string{lines}, layers: []string{"t.properties"}}
}
