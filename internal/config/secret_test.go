package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// marker is in every secret of these tests, at both ends, so that a part of one is found too.
const marker = "gEhEiM"

// renderings prints a value in all the ways that there are.
func renderings(v any) string {
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.3v"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	fmt.Fprintln(&b, v)
	if text, err := json.Marshal(v); err == nil {
		b.Write(text)
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("value", "it", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("value", "it", v)
	return b.String()
}

// leaks says whether a text shows a marker, in letters or in hexadecimal.
func leaks(text string) bool {
	lower := strings.ToLower(text)
	return strings.Contains(text, marker) || strings.Contains(lower, fmt.Sprintf("%x", marker))
}

// around is the first place of a text that shows a marker, with what stands beside it.
func around(text string) string {
	at := max(strings.Index(text, marker), 0)
	return text[max(at-100, 0):min(at+100, len(text))]
}

func TestSecretIsNeverPrinted(t *testing.T) {
	type holder struct {
		Open   Secret
		hidden Secret
		Map    map[string]Secret
		Ptr    *Secret
	}
	s := NewSecret(marker + "'\"\\\n")
	h := holder{Open: s, hidden: s, Map: map[string]Secret{"a": s}, Ptr: &s}
	if h.hidden.Reveal() != s.Reveal() {
		t.Fatal("the secret got lost")
	}
	for _, v := range []any{s, &s, h, &h, []Secret{s}, [1]Secret{s}, map[Secret]int{s: 1}} {
		if text := renderings(v); leaks(text) {
			t.Errorf("%T shows the secret:\n%s", v, text)
		}
	}
	if got := fmt.Sprintf("%v %s %q %#v", s, s, s, s); got != `*** *** "***" "***"` {
		t.Errorf("got %s", got)
	}
	if text, err := json.Marshal(map[string]any{"s": s}); err != nil || string(text) != `{"s":"***"}` {
		t.Errorf("got %s, %v", text, err)
	}
	if got := fmt.Sprintf("[%v]", NewSecret("")); got != "[]" || !NewSecret("").Empty() {
		t.Errorf("the empty secret prints as %s", got)
	}
	if !s.Equal(NewSecret(s.Reveal())) || s.Equal(Secret{}) {
		t.Errorf("Equal goes by the text")
	}
}

// A secret in every place where one may stand, in files that can be used and in files that cannot: it is in no
// error, no warning and no rendering of the Config.
func TestNoSecretLeavesAFile(t *testing.T) {
	r := newRoom(t)
	rapid.Check(t, func(rt *rapid.T) {
		middle := rapid.StringOfN(rapid.SampledFrom([]rune(`az09 @:/?#&=%$\'"{}[],;+-_.`)), 0, 8, -1).Draw(rt, "middle")
		secret := marker + middle + marker
		r.fileMode("secret", secret+"\n", 0o600)
		r.env["SECRET"] = secret
		r.file("hotcold.conf", drawFile(rt, secret))
		c, err := r.load("hotcold.conf")
		if err != nil {
			if text := err.Error() + renderings(err); leaks(text) {
				rt.Fatalf("an error shows the secret %q: %s", secret, around(text))
			}
			return
		}
		if text := renderings(c) + renderings(*c) + warningsOf(c) + c.Database.String(); leaks(text) {
			rt.Fatalf("a rendering shows the secret %q: %s", secret, around(text))
		}
	})
}

// drawFile writes a hotcold.conf with the secret in it.
func drawFile(rt *rapid.T, secret string) string {
	escaped := url.QueryEscape(secret)
	addresses := []string{
		"postgres://user:" + secret + "@db/name", "postgres://user:" + escaped + "@db:5432,db2/name",
		"postgres://db:99999/x?password=" + secret, "postgres://db/x?password=" + escaped + "&sslmode=require",
		"jdbc:postgresql://db/x?user=u&password=" + secret, "jdbc:postgresql://db/x?sslpassword=" + escaped,
		"jdbc:postgresql://user:" + secret + "@db/x", "jdbc:sqlserver://db;password=" + secret, "jdbc:oracle:thin:u/" + secret + "@db",
		"mysql://u:" + secret + "@db", secret + "://db", "postgres:" + secret,
		// No host: with an @ in it, what follows would be one.
		"postgres://u:" + strings.ReplaceAll(secret, "@", ""),
	}
	address := rapid.SampledFrom(addresses).Draw(rt, "address")
	places := []string{
		"hotcold.database.url = " + quote(address),
		"hotcold.database { url = \"postgres://db/x\", password = ${SECRET} }",
		"hotcold.database { url = \"postgres://db/x\", password = [" + quote(secret) + "] }",
		"hotcold.database { url = \"postgres://db/x\", passwordFile = secret }",
		"hotcold.database.url = \"postgres://db/x\"\nhotcold.node.env { PASSWORD = " + quote(secret) + " }",
		"dataSourceProperties { dataSource.url = " + quote(address) + ", dataSource.user = u, dataSource.password = ${SECRET} }",
		"dataSourceProperties { \"dataSource.url\" = \"jdbc:postgresql://db/x\", \"dataSource.password\" = " + quote(secret) + " }",
		"hotcold.database.url = \"postgres://db/x\"\nhotcold.listen.keyFile = secret",
		"hotcold.database.url = \"postgres://db/x\"\nkeyStorePassword = " + quote(secret),
		"hotcold.database.url = \"postgres://db/x\"\nhotcold.node.ready.http = " + quote("http://u:"+secret+"@x/"),
	}
	return "hotcold { name = pair, node.command = [/bin/true] }\n" + rapid.SampledFrom(places).Draw(rt, "place") + "\n"
}
