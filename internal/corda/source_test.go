package corda_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/hocon"
	"github.com/hotcold/hotcold/internal/corda"
)

func load(t *testing.T, text string, s corda.Sources) *corda.Node {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "node.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.BaseDir, s.WorkDir = "/opt/corda", dir
	n, err := corda.Load(file, s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// From the highest to the lowest, each source beats all below it.
func TestSourcesBeatEachOtherInTheOrderOfTheNode(t *testing.T) {
	s := corda.Sources{
		Arguments:  []corda.Override{{Name: "devMode", Value: "true"}},
		Properties: []corda.Override{{Name: "corda.devMode", Value: "false"}, {Name: "corda.sshd.port", Value: "2"}, {Name: "user.dir", Value: "x"}},
		Environ:    []string{"corda_sshd_port=3", "CORDA_rpcSettings_address=c:1", "CORDA_P2PADDRESS=ignored:1", "PATH=/bin"},
	}
	n := load(t, "baseDirectory = /elsewhere\nsshd.port = 4\np2pAddress = \"p:1\"\nrpcSettings.address = \"d:1\"\njarDirs = [${baseDirectory}\"/libs\"]\n", s)
	for path, want := range map[string]string{
		"baseDirectory": "/opt/corda", "devMode": "true", "sshd.port": "2", "rpcSettings.address": "c:1", "p2pAddress": "p:1",
		"jarDirs": `["/opt/corda/libs"]`, "crlCheckSoftFail": "true",
	} {
		if got := n.Config.At(path).String(); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	if o := n.Config.At("rpcSettings.address").Origin(); o.Kind != hocon.FromEnv || o.EnvName != "CORDA_rpcSettings_address" || len(o.Shadows) != 1 {
		t.Errorf("the origin is %+v", o)
	}
	if o := n.Config.At("crlCheckSoftFail").Origin(); o.Kind != hocon.FromDefault {
		t.Errorf("a default's origin is %+v", o)
	}
	if len(n.Findings) != 0 {
		t.Errorf("found %v", n.Findings)
	}
}

func TestOverridesThatTheNodePassesOverAreTold(t *testing.T) {
	s := corda.Sources{Environ: []string{"corda_p2pAdress=x", "corda_devMode=true", "CORDA_devMode=false", "corda_rpcUsers_0_password=hunter2", "corda_jarDirs_0=/x"}}
	n := load(t, "jarDirs = [a, b]\n", s)
	var got []string
	for _, f := range n.Findings {
		got = append(got, string(f.Severity)+" "+f.String())
	}
	want := []string{
		"warning environment variable corda_p2pAdress: p2pAdress: is no key that a node knows, so the node passes it over; did you mean p2pAddress?",
		"error environment variable CORDA_devMode: devMode: stands for the same key as corda_devMode, and the node refuses both; keep one of them",
		"warning environment variable corda_rpcUsers_0_password: rpcUsers.0.password: objects in lists cannot be overridden, so the node passes it over",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("found\n%s", strings.Join(got, "\n"))
	}
	if items, err := n.Config.At("jarDirs").Strings(); err != nil || len(items) != 1 || items[0] != "/x" {
		t.Errorf("jarDirs is %v (%v): an index replaces the whole list", items, err)
	}
}

func TestAVariableThatIsNotSetEndsAStrictReadingOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "node.conf")
	if err := os.WriteFile(file, []byte("a = ${X}\nb = 1\nb = ${?Y}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := corda.Load(file, corda.Sources{BaseDir: "/"}); err == nil {
		t.Error("a variable that is not set was passed over")
	}
	n, err := corda.Load(file, corda.Sources{BaseDir: "/", Lenient: true})
	if err != nil || len(n.Unset) != 1 || n.Unset[0] != "X" || n.Config.At("b").String() != "1" {
		t.Errorf("got %v, %v", n, err)
	}
}

func TestTheTableOfFieldsIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range corda.Fields() {
		if seen[f.Path] || f.Kind == "" || f.Knows == 0 || !strings.HasSuffix(f.Meaning, ".") || f.Pair != "" && !strings.HasSuffix(f.Pair, ".") {
			t.Errorf("%s: want each path once, with a kind, editions, and sentences", f.Path)
		}
		seen[f.Path] = true
		if (f.Kind == corda.Choice) != (len(f.Choices) > 0) {
			t.Errorf("%s: choices go with the kind of a choice", f.Path)
		}
	}
	// The defaults are read by the rules by which what is written is read.
	n := load(t, "", corda.Sources{})
	for _, f := range corda.Lint(n, corda.AnyEdition) {
		if f.Rule != "required" && f.Rule != "h2" {
			t.Errorf("a default is at fault: %v", f)
		}
	}
}

// Whatever the table calls a secret is one by the rules by which values are masked.
func TestEverySecretOfTheTableIsMasked(t *testing.T) {
	for _, f := range corda.Fields() {
		if f.Secret && f.Kind == corda.Text {
			n := load(t, f.Path+" = hunter2\n", corda.Sources{Bare: true})
			if v := n.Config.At(f.Path); v.String() != "***" {
				t.Errorf("%s is shown", f.Path)
			}
		}
	}
	n := load(t, `dataSourceProperties { dataSource { accessKey = hunter2, url = "jdbc:postgresql://h/d?password=hunter2" }, "dataSource.trust" = hunter2 }`, corda.Sources{Bare: true})
	if text := n.Config.String(); strings.Contains(text, "hunter2") || !strings.Contains(text, "//h/d") {
		t.Error(text)
	}
}
