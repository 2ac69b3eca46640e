package corda_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/hocon"
	"github.com/hotcold/hotcold/internal/corda"
)

const both = `# of both machines
include "users.conf"
p2pAddress = ${LB}":10002"
rpcSettings { address = ${HOST}":10003", adminAddress = ${HOST}":10103" }
sshd.port = 2222
sshd.port = ${?SSH_PORT}
keyStorePassword = ${KS}
trustStorePassword = hunter2
emailAddress = "a \"b\""${NOBODY}
jarDirs = [${baseDirectory}"/libs", "x"]
dataSourceProperties.dataSource { url = "jdbc:postgresql://db/x?user=a&password=hunter3", password = "p"${DB_PASSWORD} }
`

func render(t *testing.T, m corda.Machine) corda.Rendered {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"node.conf": both, "users.conf": "rpcUsers = []\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := corda.Render(filepath.Join(dir, "node.conf"), m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestASecretStaysASubstitutionAndTheMachinesOwnValuesGoIn(t *testing.T) {
	r := render(t, corda.Machine{
		Variables: map[string]string{"LB": "lb.example.com", "HOST": `10.0.0.4`, "KS": "hunter4", "DB_PASSWORD": "hunter5"},
		Fields:    []corda.Override{{Name: "messagingServerAddress", Value: "10.0.0.4:10005"}},
	})
	const want = `rpcUsers = []
p2pAddress = "lb.example.com:10002"
rpcSettings {
    address = "10.0.0.4:10003"
    adminAddress = "10.0.0.4:10103"
}
sshd {
    port = 2222
}
keyStorePassword = ${KS}
trustStorePassword = "hunter2"
emailAddress = "a \"b\""${NOBODY}
jarDirs = [
    ${baseDirectory}"/libs",
    "x"
]
dataSourceProperties {
    dataSource {
        url = "jdbc:postgresql://db/x?user=a&password=hunter3"
        password = "p"${DB_PASSWORD}
    }
}
messagingServerAddress = "10.0.0.4:10005"
`
	if r.Text != want {
		t.Errorf("rendered\n%s", r.Text)
	}
	if got := strings.Join(r.Kept, " "); got != "DB_PASSWORD KS NOBODY baseDirectory" {
		t.Errorf("kept %s", got)
	}
}

func TestATerminalIsShownNoSecretAndAPersonWhoAsksIs(t *testing.T) {
	vars := map[string]string{"LB": "l", "HOST": "h", "KS": "hunter4", "DB_PASSWORD": "hunter5", "SSH_PORT": "1"}
	if r := render(t, corda.Machine{Variables: vars, Mask: true}); strings.Contains(r.Text, "hunter") || !r.Masked {
		t.Errorf("a secret is shown:\n%s", r.Text)
	}
	r := render(t, corda.Machine{Variables: vars, Reveal: true})
	for _, want := range []string{`keyStorePassword = "hunter4"`, `password = "phunter5"`, `port = "1"`} {
		if !strings.Contains(r.Text, want) {
			t.Errorf("want %s in\n%s", want, r.Text)
		}
	}
}

// What is rendered is, under the machine's environment, what the shared file is.
func TestARenderedFileMeansTheSame(t *testing.T) {
	vars := map[string]string{"LB": "lb.example.com", "HOST": `qu"ote`, "KS": "a", "DB_PASSWORD": "b", "NOBODY": "c", "baseDirectory": "/opt"}
	env := hocon.Env(func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
	read := func(text string) *hocon.Config {
		doc, err := hocon.Parse("x", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := hocon.Resolve(hocon.Layers{doc}, env)
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	r := render(t, corda.Machine{Variables: vars})
	if changes := hocon.Diff(read(strings.Replace(both, "include \"users.conf\"", "rpcUsers = []", 1)), read(r.Text)); len(changes) > 0 {
		t.Errorf("differs: %v", changes)
	}
}

func TestMachinesMayDifferInWhatIsTheirOwn(t *testing.T) {
	at := func(text string) *corda.Node {
		n := load(t, text, corda.Sources{Bare: true, Lenient: true})
		return n
	}
	base := "p2pAddress = \"lb:1\"\nrpcSettings.address = \"10.0.0.4:1\"\nkeyStorePassword = hunter2\n" + `dataSourceProperties."dataSource.url" = "jdbc:postgresql://db/x"` + "\n"
	other := "devMode = false\np2pAddress = \"lb:1\"\nrpcSettings.address = \"10.0.0.5:1\"\nkeyStorePassword = hunter2\ndataSourceProperties.dataSource.url = \"jdbc:postgresql://db/x\"\n"
	for _, c := range []struct{ name, a, b, want string }{
		{"their own addresses", base, other, "expected rpcSettings.address changed"},
		{"the same address", base, base, "UNEXPECTED rpcSettings.address expected to differ"},
		{"from the environment", "rpcSettings.address = ${H}\":1\"", "rpcSettings.address = ${H}\":1\"", ""},
		{"loopback", `rpcSettings.address = "127.0.0.1:1"`, `rpcSettings.address = "127.0.0.1:1"`, ""},
		{"the address of both", "p2pAddress = \"a:1\"", "p2pAddress = \"b:1\"", "UNEXPECTED p2pAddress changed"},
		{"another order", `additionalP2PAddresses = ["a:1", "b:1"]`, `additionalP2PAddresses = ["b:1", "a:1"]`, "UNEXPECTED additionalP2PAddresses.0 changed\nUNEXPECTED additionalP2PAddresses.1 changed"},
		{"a secret", "keyStorePassword = hunter2", "keyStorePassword = hunter3", "UNEXPECTED keyStorePassword changed"},
		{"only one", "detectPublicIp = true", "", "UNEXPECTED detectPublicIp removed"},
	} {
		var got []string
		for _, d := range corda.Diff(at(c.a), at(c.b)) {
			word := "UNEXPECTED"
			if d.Expected {
				word = "expected"
			}
			got = append(got, word+" "+d.Path+" "+d.Kind.String())
			if strings.Contains(d.String(), "hunter") {
				t.Errorf("%s: a secret is shown: %s", c.name, d)
			}
		}
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
