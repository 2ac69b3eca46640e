package balancer

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

const goodWord = `{"lease":"corda","machine":"a","state":"hot","ready":true,"hot":true,"epoch":7,"trustMs":4500,"heldMs":12}`

func TestAWordComesThroughItsLine(t *testing.T) {
	for _, w := range []Word{
		{Lease: "corda", Machine: "a", State: "hot", Ready: true, Hot: true, Epoch: 7, Trust: 4500 * time.Millisecond, Held: 12 * time.Millisecond},
		{Lease: "corda", Machine: "b", State: "cold", Epoch: 7, Why: "cold: the drive \"/mnt\"\nis not mounted"},
	} {
		line := w.Line()
		if line[len(line)-1] != '\n' || bytes.IndexByte(line, '\n') != len(line)-1 {
			t.Errorf("not one line: %q", line)
		}
		if got, err := ParseWord(line); err != nil || got != w {
			t.Errorf("got %+v, %v\nwant %+v", got, err, w)
		}
	}
}

func TestSpansAreRoundedAgainstOurselves(t *testing.T) {
	w, err := ParseWord(Word{Trust: 1999999 * time.Nanosecond, Held: 1999999 * time.Nanosecond}.Line())
	if err != nil || w.Trust != time.Millisecond || w.Held != time.Millisecond {
		t.Errorf("got %+v, %v", w, err)
	}
}

func TestALongReasonStillFitsALine(t *testing.T) {
	for _, c := range []string{"<", "ü", "\x01", "\xff", "€"} {
		w := Word{State: strings.Repeat(c, 5000), Why: strings.Repeat("x"+c, 5000)}
		line := w.Line()
		if len(line) > WordLimitBytes {
			t.Errorf("%q: %d bytes", c, len(line))
		}
		got, err := ParseWord(line)
		if err != nil || !strings.HasPrefix(w.Why, strings.TrimSuffix(strings.TrimRight(got.Why, "\ufffd"), "...")) && utf8.ValidString(w.Why) {
			t.Errorf("%q: %+v, %v", c, got, err)
		}
	}
}

func TestWhatIsNotAWordIsRefused(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "no object"},
		{"text for people", "hot epoch 7", "no object"},
		{"a list", "[1]", "no object"},
		{"half of it", goodWord[:len(goodWord)-1], "EOF"},
		{"two of them", goodWord + goodWord, "something follows it"},
		{"a field twice", strings.Replace(goodWord, `"epoch":7`, `"epoch":7,"epoch":8`, 1), `"epoch" stands there twice`},
		{"another spelling", strings.Replace(goodWord, `"hot":true`, `"Hot":true`, 1), "hot: want true or false"},
		{"no epoch", strings.Replace(goodWord, `"epoch":7,`, ``, 1), "epoch: want a whole number"},
		{"an epoch below nothing", strings.Replace(goodWord, `"epoch":7`, `"epoch":-7`, 1), "epoch: want a whole number"},
		{"half an epoch", strings.Replace(goodWord, `"epoch":7`, `"epoch":7.5`, 1), "epoch: want a whole number"},
		{"an epoch that no database holds", strings.Replace(goodWord, `"epoch":7`, `"epoch":9223372036854775808`, 1), "epoch: want a whole number"},
		{"an epoch as a text", strings.Replace(goodWord, `"epoch":7`, `"epoch":"7"`, 1), "epoch: want a whole number"},
		{"trust for ever", strings.Replace(goodWord, `4500`, `86400001`, 1), "trustMs: want a whole number of at most 86400000"},
		{"hot as a number", strings.Replace(goodWord, `"hot":true`, `"hot":1`, 1), "hot: want true or false"},
		{"hot and not ready", strings.Replace(goodWord, `"ready":true`, `"ready":false`, 1), "hot, and not ready"},
		{"no lease", strings.Replace(goodWord, `"lease":"corda"`, `"lease":null`, 1), "lease: want a text"},
		{"a lease without end", strings.Replace(goodWord, `corda`, strings.Repeat("x", 600), 1), "lease: want a text of at most 512 bytes"},
		{"a reason that is none", strings.Replace(goodWord, `"heldMs":12`, `"heldMs":12,"why":7`, 1), "why: want a text"},
		{"something nested", strings.Replace(goodWord, `"heldMs":12`, `"heldMs":12,"more":{}`, 1), `"more" holds more than one value`},
		{"not UTF-8", strings.Replace(goodWord, "corda", "cord\xff", 1), "not UTF-8"},
		{"too long", strings.Replace(goodWord, "corda", strings.Repeat("x", WordLimitBytes), 1), "at most 4096 are read"},
	} {
		w, err := ParseWord([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || w != (Word{}) {
			t.Errorf("%s: got %+v, %v; want %q", c.name, w, err, c.want)
		}
	}
}

func TestAnAgentMayBeNewerThanItsBalancer(t *testing.T) {
	w, err := ParseWord([]byte(strings.Replace(goodWord, `"heldMs":12`, `"heldMs":12,"zone":"eu","weight":3,"spare":null`, 1)))
	if err != nil || !w.Hot || w.Epoch != 7 {
		t.Errorf("got %+v, %v", w, err)
	}
}

// Whatever comes, it is a word that says itself again, or an error.
func FuzzParseWord(f *testing.F) {
	f.Add([]byte(goodWord))
	f.Add([]byte(goodWord + "\n"))
	f.Add([]byte(`{"lease":"","machine":"","state":"","ready":false,"hot":false,"epoch":0,"trustMs":0,"heldMs":0,"why":"\u0000\ud800"}`))
	f.Add([]byte(`{"lease":{"a":1}}`))
	f.Add([]byte("hot epoch 7\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		w, err := ParseWord(text)
		if err != nil {
			if w != (Word{}) || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Fatalf("%+v, %q", w, err)
			}
			return
		}
		if w.Hot && !w.Ready || w.Trust < 0 || w.Held < 0 || w.Trust > wordTimeLimit || w.Held > wordTimeLimit || len(text) > WordLimitBytes {
			t.Fatalf("taken for a word: %+v", w)
		}
		w.State, w.Why = short(w.State), short(w.Why) // as it is when it is said
		if again, err := ParseWord(w.Line()); err != nil || again != w {
			t.Fatalf("said again: %+v, %v\nwas %+v", again, err, w)
		}
	})
}
