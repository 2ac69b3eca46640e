package azure_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/cloud"
	"github.com/hotcold/hotcold/internal/cloud/azure"
	"github.com/hotcold/hotcold/internal/config"
)

var update = flag.Bool("update", false, "write what is rendered now into the golden files")

// load makes the set-up of a configuration file.
func load(t *testing.T, file string) (*azure.Setup, error) {
	t.Helper()
	c, err := config.LoadBalancer(file, config.Env{Hostname: "laptop", WorkDir: filepath.Dir(file)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := cloud.New(cloud.OptionsOf(c))
	if err != nil {
		return nil, err
	}
	return azure.New(p, c.File)
}

// example is the set-up of the configuration in examples/cloud.
func example(t *testing.T) *azure.Setup {
	t.Helper()
	return exampleIn(t, "hotcold.conf")
}

func exampleIn(t *testing.T, name string) *azure.Setup {
	t.Helper()
	file, err := filepath.Abs("../../../examples/cloud/" + name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := load(t, file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// changed is the set-up of the example, with the probes of the guide and with lines added at its end, and the error.
func changed(t *testing.T, lines string) (*azure.Setup, error) {
	t.Helper()
	text, err := os.ReadFile("../../../examples/cloud/hotcold.conf")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "hotcold.conf")
	alone := strings.Replace(string(text), `include "node.conf"`, "hotcold.name = pair", 1)
	if err := os.WriteFile(file, []byte(alone+"\nhotcold.cloud.probe = node\n"+lines+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return load(t, file)
}

// The guide's tables of Azure: "Name, Protocol, Port, Path, Used by" of the health probes, and "Name, Rule, Backend
// pool, Health probe" of the load balancing rules.
func TestTheExampleIsTheTablesOfTheGuide(t *testing.T) {
	s := exampleIn(t, "guide.conf")
	var probes, rules []string
	for _, p := range s.Probes {
		used := ""
		for _, r := range s.Rules {
			if r.Probe == p.Name {
				used += r.Name
			}
		}
		probes = append(probes, fmt.Sprintf("|%s|%s|%d|%s|%s|", p.Name, strings.ToUpper(p.Protocol), p.Port, p.Path, used))
	}
	for _, r := range s.Rules {
		rules = append(rules, fmt.Sprintf("|%s|TCP/%d|%s|%s|", r.Name, r.FrontendPort, s.Pool, r.Probe))
		if r.BackendPort != r.FrontendPort || r.Distribution != "Default" {
			t.Errorf("rule %s goes to port %d, session persistence %s; the guide has the same port, and None", r.Name, r.BackendPort, r.Distribution)
		}
	}
	wantProbes := []string{"|p2p|TCP|10002||ha-lbr-p2p|", "|rpc|TCP|10003||ha-lbr-rpc|", "|web|HTTP|10004|/|ha-lbr-web|"}
	wantRules := []string{"|ha-lbr-p2p|TCP/10002|ha-testing|p2p|", "|ha-lbr-rpc|TCP/10003|ha-testing|rpc|", "|ha-lbr-web|TCP/10004|ha-testing|web|"}
	if !slices.Equal(probes, wantProbes) {
		t.Errorf("the table of probes is\n%s\nwant\n%s", strings.Join(probes, "\n"), strings.Join(wantProbes, "\n"))
	}
	if !slices.Equal(rules, wantRules) {
		t.Errorf("the table of rules is\n%s\nwant\n%s", strings.Join(rules, "\n"), strings.Join(wantRules, "\n"))
	}
}

// The other difference to the guide is none: same names, rules and machines.
func TestByDefaultAllProbesAskTheAgentsAndNothingElseDiffers(t *testing.T) {
	s, guide := example(t), exampleIn(t, "guide.conf")
	for i, p := range s.Probes {
		want := azure.Probe{Name: guide.Probes[i].Name, Protocol: "Http", Port: 4655, Path: "/hot", IntervalSeconds: 5, Threshold: 2}
		if p != want {
			t.Errorf("a probe is %+v, want %+v", p, want)
		}
	}
	if !reflect.DeepEqual(s.Rules, guide.Rules) || !reflect.DeepEqual(s.Machines, guide.Machines) || s.Storage != guide.Storage {
		t.Errorf("the rules are\n%+v\nand those of the guide\n%+v", s.Rules, guide.Rules)
	}
	var probe []string
	for _, r := range s.SecurityRules {
		if r.Port == 4655 {
			probe = append(probe, fmt.Sprint(r.Access, r.Sources))
		}
	}
	if want := []string{"Allow[AzureLoadBalancer]", "Deny[*]"}; !slices.Equal(probe, want) {
		t.Errorf("the agents' port is reached by %v, want %v", probe, want)
	}
	if len(s.Warnings()) != 0 {
		t.Errorf("it warns of %q", s.Warnings())
	}
}

// files are all formats of a set-up.
func files(t *testing.T, s *azure.Setup) []cloud.File {
	t.Helper()
	arm, err := s.ARM()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := s.README("arm")
	if err != nil {
		t.Fatal(err)
	}
	return []cloud.File{s.Terraform(), arm, s.Script(), readme}
}

func TestWhatIsRenderedIsTheGoldenFile(t *testing.T) {
	for _, f := range files(t, example(t)) {
		golden := filepath.Join("testdata", f.Name)
		if *update {
			if err := os.WriteFile(golden, []byte(f.Text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if f.Text != string(want) {
			t.Errorf("%s is not what is rendered; look at why, then run: go test ./internal/cloud/azure -run Golden -update", golden)
		}
	}
}

// What the README asks a person to type is known to be there, and in the order in which it is needed.
func TestTheREADMEHasNoGapAndNoOtherFormat(t *testing.T) {
	commands := map[string]string{"terraform": "terraform apply", "arm": "az deployment group create", "az": "./setup.sh"}
	for format := range commands {
		f, err := example(t).README(format)
		if err != nil {
			t.Fatal(err)
		}
		for other, foreign := range commands {
			if strings.Contains(f.Text, foreign) != (other == format) {
				t.Errorf("the README for %s speaks of %s", format, foreign)
			}
		}
		if strings.Contains(f.Text, "<no value>") || strings.Contains(f.Text, "%!") {
			t.Errorf("the README for %s has a gap:\n%s", format, f.Text)
		}
	}
}
