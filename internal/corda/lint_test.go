package corda_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/corda"
)

var update = flag.Bool("update", false, "write what is found now into the golden file")

// sound is a node.conf without a fault.
const sound = `myLegalName = "O=Corda HA, L=London, C=GB"
p2pAddress = "balancer.example.com:10002"
rpcSettings { address = "10.0.0.4:10003", adminAddress = "10.0.0.4:10103" }
dataSourceProperties {
    dataSourceClassName = "org.postgresql.ds.PGSimpleDataSource"
    dataSource.url = "jdbc:postgresql://db/corda"
    dataSource.user = corda
    dataSource.password = hunter2
}
`

// lint lints a text as node.conf and returns the findings, a line each.
func lint(t *testing.T, text string, e corda.Edition, environ ...string) []string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "node.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := corda.Load("node.conf", corda.Sources{BaseDir: dir, WorkDir: dir, Environ: environ, Lenient: true,
		ReadFile: func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, name)) }})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range corda.Lint(n, e) {
		lines = append(lines, string(f.Severity)+" "+f.String())
	}
	return lines
}

// The guide's own file: each of its faults, with its place and what would be right.
func TestTheGuidesOwnFileIsFaultedWhereItIsWrong(t *testing.T) {
	text, err := os.ReadFile("testdata/guide-node.conf")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(lint(t, string(text), corda.AnyEdition), "\n") + "\n"
	const golden = "testdata/guide-findings.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || got != string(want) {
		t.Errorf("found\n%s\nwant\n%s (%v)", got, want, err)
	}
}

func TestASoundFileHasNoFault(t *testing.T) {
	for _, name := range corda.Editions() {
		e, _ := corda.EditionNamed(name)
		if found := lint(t, sound, e); len(found) > 0 {
			t.Errorf("%s: %q", name, found)
		}
	}
}

func TestTheExampleHasNoFault(t *testing.T) {
	text, err := os.ReadFile("../../examples/corda/node.conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lint(t, string(text), corda.OpenSource4) {
		if !strings.HasPrefix(line, "warning ") || !strings.Contains(line, "not set in this environment") {
			t.Error(line)
		}
	}
}

// Each rule that a node, or a pair, holds its configuration against.
func TestEachRuleHasItsFinding(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no admin address", "rpcSettings = null\nrpcSettings { address = \"a:1\" }", "error node.conf:11:1: rpcSettings.adminAddress: is missing"},
		{"old RPC address too", `rpcAddress = "a:1"`, "error node.conf:10:1: rpcAddress: stands beside rpcSettings.address (node.conf:3:15)"},
		{"deprecated", `compatibilityZoneURL = "http://x.example.com"`, "warning node.conf:10:1: compatibilityZoneURL: is deprecated; in its place there is networkServices"},
		{"two zones", "compatibilityZoneURL = \"http://x\"\nnetworkServices.doormanURL = \"http://x\"", "error node.conf:10:1: compatibilityZoneURL: stands beside networkServices"},
		{"users twice", "rpcUsers = [{user = a, password = b}]\nsecurity.authService.id = x", "error node.conf:10:1: rpcUsers: stands beside security"},
		{"no store for TLS", "rpcSettings.useSsl = true", "error node.conf:10:22: rpcSettings.useSsl: is true, and rpcSettings.ssl is missing"},
		{"devMode in a network", "devMode = true\nnetworkServices.doormanURL = \"http://x\"", "error node.conf:10:11: devMode: is true, and networkServices names a network"},
		{"devMode", "devMode = true", "warning node.conf:10:11: devMode: is on"},
		{"its options without it", "devModeOptions.disableCheckpointChecker = true", "error node.conf:10:1: devModeOptions: is for devMode only"},
		{"a clock of tests", "useTestClock = true", "error node.conf:10:1: useTestClock: is for devMode only"},
		{"an issuer without a list", `tlsCertCrlIssuer = "O=X"`, "error node.conf:10:20: tlsCertCrlIssuer: wants tlsCertCrlDistPoint"},
		{"strict revocation", "crlCheckSoftFail = false", "error node.conf:10:20: crlCheckSoftFail: is false, which wants"},
		{"H2 twice", "h2port = 1\nh2Settings.address = \"a:1\"", "error node.conf:10:1: h2port: stands beside h2Settings"},
		{"users in memory", "security.authService.dataSource { type = INMEMORY, connection { a = b } }", "security.authService.dataSource.type: is INMEMORY"},
		{"users in a database", "security.authService.dataSource { type = DB, users = [] }", "security.authService.dataSource.type: is DB"},
		{"a cache in memory", "security.authService { dataSource { type = INMEMORY, users = [] }, options.cache.maxEntries = 1 }", "security.authService.options.cache: users in memory have no cache"},
		{"a port too large", "sshd.port = 70000", "error node.conf:10:13: sshd.port: want a port from 0 to 65535, got 70000"},
		{"a host with an underscore", `p2pAddress = "my_host:10002"`, "error node.conf:10:14: p2pAddress: a host with an underscore"},
		{"no brackets", `p2pAddress = "::1:10002"`, "error node.conf:10:14: p2pAddress: want host:port"},
		{"every interface", `p2pAddress = "0.0.0.0:10002"`, "error node.conf:10:14: p2pAddress: is every interface"},
		{"loopback", `p2pAddress = "127.0.0.1:10002"`, "warning node.conf:10:14: p2pAddress: is a loopback address"},
		{"admin on every interface", `rpcSettings.adminAddress = "0.0.0.0:1"`, "warning node.conf:10:28: rpcSettings.adminAddress: is every interface"},
		{"an address twice", `additionalP2PAddresses = ["balancer.example.com:10002"]`, "warning node.conf:10:27: additionalP2PAddresses.0: is balancer.example.com:10002 once more"},
		{"addresses from outside", `additionalP2PAddresses = [${OTHER}":1"]`, "warning node.conf:10:26: additionalP2PAddresses: comes from the environment"},
		{"a broker elsewhere, unasked", `messagingServerAddress = "10.0.0.4:10005"`, "messagingServerAddress: is set and messagingServerExternal is not"},
		{"H2", `dataSourceProperties.dataSource.url = "jdbc:h2:file:x;PASSWORD=hunter2"`, "error node.conf:10:39: dataSourceProperties.dataSource.url: is H2"},
		{"a quoted key", `dataSourceProperties."dataSource.url" = "jdbc:postgresql://db/x"`, `dataSourceProperties."dataSource.url": is one quoted key`},
		{"intervals", "enterpriseConfiguration.mutualExclusionConfiguration { updateInterval = 5000, waitInterval = 5000 }", "waitInterval: is 5s, no more than updateInterval (5s)"},
		{"two leases", "enterpriseConfiguration.mutualExclusionConfiguration { on = true }", "mutualExclusionConfiguration.on: is on: under hotcold there would be two leases"},
		{"a slip", "p2pAdress = x", "warning node.conf:10:1: p2pAdress: is no key that a Corda node is known to have, and a node refuses keys that it does not know; did you mean p2pAddress?"},
		{"a slip below", "rpcSettings.adres = x", "rpcSettings.adres: is no key that a Corda node is known to have"},
		{"a slip in a block", "enterpriseConfiguration.mutualExclusionConfiguration.waitIntervall = 3", "waitIntervall: is no key that a Corda node is known to have, and a node refuses keys that it does not know; did you mean waitInterval?"},
		{"not a choice", "jmxReporterType = JOLOKA", `jmxReporterType: want one of JOLOKIA, NEW_RELIC, got "JOLOKA"; did you mean JOLOKIA?`},
		{"removed", "database.initialiseSchema = true", "database.initialiseSchema: has been removed"},
		{"a public address", "detectPublicIp = true", "detectPublicIp: is on"},
		{"a user without a name", "rpcUsers = [{ password = hunter2 }]", "error node.conf:10:13: rpcUsers.0: has no username"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := strings.Join(lint(t, sound+c.text+"\n", corda.AnyEdition), "\n")
			if !strings.Contains(found, c.want) {
				t.Errorf("found\n%s\nwant %s", found, c.want)
			}
			if strings.Contains(found, "hunter2") {
				t.Errorf("a secret is shown: %s", found)
			}
		})
	}
}

func TestAnOpenSourceNodeRefusesWhatOnlyEnterpriseHas(t *testing.T) {
	text := sound + "enterpriseConfiguration.mutualExclusionConfiguration.on = false\ndatabase.runMigration = true\nnothing = 1\n"
	want := []string{
		"error node.conf:10:1: enterpriseConfiguration: is a key of Enterprise 3.x, Enterprise 4.x only: the node would refuse to start; take it out",
		"error node.conf:11:1: database.runMigration: is a key of Enterprise 3.x, Enterprise 4.x only: the node would refuse to start; take it out",
		"error node.conf:12:1: nothing: an open-source node does not have this key, and refuses to start with it",
	}
	if got := lint(t, text, corda.OpenSource4); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("found\n%s", strings.Join(got, "\n"))
	}
}

// A secret that still holds a substitution shows nothing of what stands around it.
func TestASecretInAFaultIsNotShown(t *testing.T) {
	got := strings.Join(lint(t, sound+"keyStorePassword = \"hunter2${X}\"\n", corda.AnyEdition), "\n")
	if strings.Contains(got, "hunter2") || !strings.Contains(got, "keyStorePassword: is the text ***") {
		t.Error(got)
	}
	for _, path := range []string{"p2pAddress", "sshd.port", "jmxReporterType", "devMode", "compatibilityZoneURL", "flowTimeout.timeout", "networkServices", "jarDirs"} {
		got := strings.Join(lint(t, sound+path+" = ${MY_TOKEN}\nadditionalP2PAddresses = [${MY_TOKEN}, ${MY_TOKEN}]", corda.AnyEdition, "MY_TOKEN=hunter2"), "\n")
		if strings.Contains(got, "hunter2") || !strings.Contains(got, "additionalP2PAddresses: want list of host:port, and the secret is none") {
			t.Error(got)
		}
	}
}

// A file in which everything is of another kind than it should be has faults and nothing worse.
func TestValuesOfAnyKindAnywhereAreFaultsOnly(t *testing.T) {
	for _, value := range []string{"null", "3", "text", "[]", "[[{a = 1}]]", "{}", "{ a = { b = 1 } }", "true", "${X}", `"${X}"`} {
		tops := map[string]bool{}
		for _, f := range corda.Fields() {
			lint(t, sound+f.Path+" = "+value+"\n", corda.AnyEdition)
			if top, _, _ := strings.Cut(f.Path, "."); !tops[top] && top != f.Path {
				lint(t, sound+top+" = null\n"+top+" = "+value+"\n", corda.OpenSource4)
				tops[top] = true
			}
		}
	}
}

// One run of the resolver tells a limited number of faults; all variables that are not set are told all the same.
func TestEveryVariableThatIsNotSetIsTold(t *testing.T) {
	text := sound + "jarDirs = ["
	for i := range 60 {
		text += fmt.Sprintf("${V%d}, ", i)
	}
	if found := lint(t, text+"]\n", corda.AnyEdition); len(found) != 60 {
		t.Errorf("%d are told: %q", len(found), found)
	}
}
