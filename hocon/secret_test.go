package hocon_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/hocon"
)

// hidden are the texts that no rendering of secretText may show.
var hidden = []string{"geheim", "471104711", "hunter2"}

const secretText = `
keyStorePassword = geheim1
nested { trustStorePassphrase = "geheim2", apiToken : 471104711, credentials { user = geheim3, list = [geheim4] } }
dataSourceProperties { dataSource.url = "jdbc:x:geheim5", "dataSource.user" = geheim6, maximumPoolSize = 471104711 }
copy = ${keyStorePassword}
text = "before "${nested.apiToken}" after"
again = ${text}"!"
whole = ${nested.credentials} { more = public }
list = ${nested.credentials.list} [plain]
fromEnv = ${DB_PASSWORD}
url = "jdbc:sqlserver://db:1433;databaseName=x;password=geheim8;y=1"
pg = "postgres://user:geheim9@db/x?sslmode=disable&password=geheim10"
plain = shown
passwordFile = shown2
`

func secretEnv(name string) (string, bool) { return "hunter2", name == "DB_PASSWORD" }

func secretConfig(t *testing.T) *hocon.Config {
	t.Helper()
	doc, err := hocon.Parse("t.conf", []byte(secretText))
	if err != nil {
		t.Fatal(err)
	}
	c, err := hocon.Resolve(hocon.Layers{doc}, hocon.Env(secretEnv))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantHidden(t *testing.T, what, text string) {
	t.Helper()
	for _, secret := range hidden {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows %s:\n%s", what, secret, text)
		}
	}
}

func TestSecretsAreShownInNoFormat(t *testing.T) {
	c := secretConfig(t)
	values := []any{c, *c, c.Root(), &c, []any{c}, map[string]any{"c": c}}
	for _, key := range c.Root().Keys() {
		v := c.Root().Get(key)
		values = append(values, v, &v, struct{ v hocon.Value }{v}, v.Secret(), struct{ s hocon.Secret }{v.Secret()}, v.Origin())
	}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			wantHidden(t, verb, fmt.Sprintf(verb, v))
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Errorf("%T: %v", v, err)
		}
		wantHidden(t, "JSON", string(text))
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		wantHidden(t, "slog", log.String())
	}
	const want = `{"keyStorePassword":"***","nested":{"trustStorePassphrase":"***","apiToken":"***","credentials":{"user":"***","list":["***"]}},` +
		`"dataSourceProperties":{"dataSource":{"url":"***"},"dataSource.user":"***","maximumPoolSize":"***"},"copy":"***","text":"***","again":"***",` +
		`"whole":{"user":"***","list":["***"],"more":"public"},"list":["***","plain"],"fromEnv":"***",` +
		`"url":"jdbc:sqlserver://db:1433;databaseName=x;password=***;y=1","pg":"postgres://user:***@db/x?sslmode=disable&password=***",` +
		`"plain":"shown","passwordFile":"shown2"}`
	if got := mustJSON(t, c); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRevealIsTheOnlyWayToASecret(t *testing.T) {
	c := secretConfig(t)
	for path, want := range map[string]string{
		"keyStorePassword": "geheim1", "copy": "geheim1", "text": "before 471104711 after", "again": "before 471104711 after!", "fromEnv": "hunter2",
		"nested.credentials": `{"user":"geheim3","list":["geheim4"]}`,
	} {
		v := c.At(path)
		if !v.IsSecret() {
			t.Errorf("%s is no secret", path)
		}
		if got := v.Reveal(); got != want {
			t.Errorf("%s: got %s", path, got)
		}
		if got := v.Secret(); got.Reveal() != want || got.Empty() || !got.Equal(hocon.NewSecret(want)) {
			t.Errorf("%s: got %s", path, got.Reveal())
		}
		if text, err := v.Text(); err == nil || text != "" {
			t.Errorf("%s is read as the text %q", path, text)
		}
	}
	if c.At("plain").IsSecret() || c.At("passwordFile").IsSecret() || c.At("nested").IsSecret() {
		t.Error("a value that is no secret is one")
	}
	_, err := c.At("list").Strings()
	if err == nil || err.Error() != "t.conf:3:104: list.0: is a secret, and is not wanted in the clear here" {
		t.Errorf("got %v", err)
	}
}

func TestFaultsDoNotQuoteSecrets(t *testing.T) {
	for _, text := range []string{
		"password = hunter2@471104711", "password = geheim 471104711 : hunter2", "password hunter2\n", "password \"hunter2 471104711\"\na = 1",
		"db { password = \"hunter2\\qgeheim\" }", "db { password = [geheim, 471104711=] }", "password = geheim{ }", "password = [471104711] geheim \"hunter2\"",
		"password = ${geheim", "password = hunter2 ${nope}", "a { secretToken = hunter2 } }", "password = +hunter2",
	} {
		_, err := load(t, "t.conf", text)
		if err == nil {
			t.Errorf("%s: no fault", text)
			continue
		}
		if shown := err.Error(); text != "password = ${geheim" {
			wantHidden(t, text, shown)
		}
	}
	c := mustLoad(t, "password = 20hunter\na.secret = geheim")
	_, err := c.At("password").Duration(1)
	_, err2 := c.At("password").Bytes()
	_, err3 := c.At("a.secret").Int()
	if err == nil || err2 == nil || err3 == nil {
		t.Fatal("no fault")
	}
	wantHidden(t, "errors", strings.ReplaceAll(err.Error()+err2.Error()+err3.Error(), "hunter", "hunter2"))
}

func TestTheTaintGoesThroughANameForASecretPlace(t *testing.T) {
	c := mustLoad(t, "u = ${alias.user}\nalias = ${dataSourceProperties}\ndataSourceProperties { user = ${who}, host = h }\nwho = x\nh = ${alias.host}")
	for _, path := range []string{"u", "h", "alias.user"} {
		if !c.At(path).IsSecret() {
			t.Errorf("%s is no secret", path)
		}
	}
	if c.At("who").IsSecret() {
		t.Error("what a secret is made of is one")
	}
}

func TestSecretRulesCanBeReplaced(t *testing.T) {
	doc, err := hocon.Parse("t.conf", []byte("password = a, pin = b, user = ${U}"))
	if err != nil {
		t.Fatal(err)
	}
	rules := hocon.Secrets{
		Path: func(keys []string) bool { return keys[len(keys)-1] == "pin" },
		Env:  func(name string) bool { return name == "U" },
	}
	for _, test := range []struct {
		rules hocon.Secrets
		want  string
	}{
		{rules, `{"password":"a","pin":"***","user":"***"}`},
		{hocon.Secrets{}, `{"password":"a","pin":"b","user":"x"}`},
	} {
		c, err := hocon.Resolve(hocon.Layers{doc}, hocon.WithSecrets(test.rules), hocon.Env(func(string) (string, bool) { return "x", true }))
		if err != nil || mustJSON(t, c) != test.want {
			t.Errorf("got %v, %v, want %s", c, err, test.want)
		}
	}
}
