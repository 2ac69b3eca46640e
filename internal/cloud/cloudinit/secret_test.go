package cloudinit_test

import (
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/cloud/cloudinit"
)

func TestASecretThatStandsInTheFileIsFoundAndNotShown(t *testing.T) {
	const secret = "tre5sor"
	for _, c := range []struct {
		text string
		want string // the place; empty for no secret
	}{
		{`hotcold.database.password = "` + secret + `"`, "hotcold.conf:1:29"},
		{"hotcold.name = x\n\nkeyStorePassword = " + secret, "hotcold.conf:3:20"},
		{`hotcold.database.url = "postgres://hotcold:` + secret + `@db/hotcold"`, "hotcold.conf:1:24"},
		{`dataSourceProperties { "dataSource.password" = ` + secret + ` }`, "hotcold.conf:1:48"},
		{`rpcUsers = [{ user = a, password = ` + secret + ` }]`, "hotcold.conf:1:36"},
		{`hotcold.balancer.agents.token = ` + secret + `${REST}`, "hotcold.conf:1:33"},
		{"hotcold.database.password = " + secret + "\nhotcold.database.password = ${?OTHER}", "hotcold.conf:2:29"},
		{"hotcold.database.password = " + secret + "\nhotcold.database.password = ${OTHER}", "hotcold.conf:2:29"},
		{`hotcold.database.password = ${DB_PASSWORD}`, ""},
		{`hotcold.database.password = ${?DB_PASSWORD}`, ""},
		{`hotcold.database.passwordFile = /etc/hotcold/password`, ""},
		{`hotcold.database.url = "postgres://hotcold@db/hotcold"`, ""},
		{"include \"node.conf\"\nhotcold.name = ${myLegalName}", ""},
		{`hotcold.database.password = ""`, ""},
		{`hotcold.database.password = 12345`, "hotcold.conf:1:29"},
	} {
		err := cloudinit.LiteralSecrets("hotcold.conf", []byte(c.text))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: got %v, want no fault", c.text, err)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
			t.Errorf("%s: got %v, want a fault at %s", c.text, err, c.want)
		case err != nil && strings.Contains(err.Error(), secret):
			t.Errorf("the fault shows the secret: %v", err)
		}
	}
}
