package aws_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/cloud"
	"github.com/hotcold/hotcold/internal/cloud/aws"
	"github.com/hotcold/hotcold/internal/config"
)

var update = flag.Bool("update", false, "write what is rendered now into the golden files")

// load makes the set-up of a configuration file.
func load(t *testing.T, file string, kind config.CloudBalancer) (*aws.Setup, error) {
	t.Helper()
	c, err := config.LoadBalancer(file, config.Env{Hostname: "laptop", WorkDir: filepath.Dir(file)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := cloud.New(cloud.OptionsOf(c))
	if err != nil {
		return nil, err
	}
	return aws.New(p, c.File, kind)
}

// example is the set-up of the configuration in examples/cloud.
func example(t *testing.T, kind config.CloudBalancer) *aws.Setup {
	t.Helper()
	return exampleIn(t, "hotcold.conf", kind)
}

func exampleIn(t *testing.T, name string, kind config.CloudBalancer) *aws.Setup {
	t.Helper()
	file, err := filepath.Abs("../../../examples/cloud/" + name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := load(t, file, kind)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// changed is the set-up of the example, with the probes of the guide and with lines added at its end, and the error.
func changed(t *testing.T, kind config.CloudBalancer, lines string) (*aws.Setup, error) {
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
	return load(t, file, kind)
}

// The guide's table of AWS's three balancers: "Name, Port Configuration, Health Check". Its health check of the web
// leaves the ping path out, which its text wants to be "/".
func TestTheExampleIsTheTableOfTheGuide(t *testing.T) {
	var rows []string
	for _, f := range exampleIn(t, "guide.conf", config.CloudClassic).Fronts {
		check := strings.TrimSuffix(f.Check.Target(), "/")
		rows = append(rows, fmt.Sprintf("|%s|%d (%s) forwarding to %d (%s)|%s|", f.Name, f.Port, f.Protocol, f.InstancePort, f.Protocol, check))
		if f.Check.Protocol == "HTTP" && f.Check.Path != "/" {
			t.Errorf("%s is asked for %q, want /", f.Name, f.Check.Path)
		}
	}
	want := []string{
		"|ha-lb-p2p|10002 (TCP) forwarding to 10002 (TCP)|TCP:10002|",
		"|ha-lb-rpc|10003 (TCP) forwarding to 10003 (TCP)|TCP:10003|",
		"|ha-lb-web|10004 (HTTP) forwarding to 10004 (HTTP)|HTTP:10004|",
	}
	if !slices.Equal(rows, want) {
		t.Errorf("the table of balancers is\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
}

func TestByDefaultAllHealthChecksAskTheAgentsAndNothingElseDiffers(t *testing.T) {
	for _, kind := range []config.CloudBalancer{config.CloudClassic, config.CloudNLB} {
		s, guide := example(t, kind), exampleIn(t, "guide.conf", kind)
		for i, f := range s.Fronts {
			if got := f.Check.Target(); got != "HTTP:4655/hot" {
				t.Errorf("%s checks %s", f.Name, got)
			}
			f.Check = guide.Fronts[i].Check
			if f != guide.Fronts[i] {
				t.Errorf("%s: got\n%+v\nand in the guide\n%+v", kind, f, guide.Fronts[i])
			}
		}
		if !slices.Contains(s.Inside, 4655) || slices.Contains(guide.Inside, 4655) {
			t.Errorf("%s: the balancers may reach the ports %v, and without the agents %v", kind, s.Inside, guide.Inside)
		}
		for _, o := range s.Clients {
			if o.Port == 4655 {
				t.Errorf("%s: clients may reach the agents' port: %+v", kind, o)
			}
		}
	}
}

// files are all formats of a set-up.
func files(t *testing.T, s *aws.Setup) []cloud.File {
	t.Helper()
	stack, err := s.CloudFormation()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := s.README("cloudformation")
	if err != nil {
		t.Fatal(err)
	}
	return []cloud.File{s.Terraform(), stack, s.Script(), readme}
}

func TestWhatIsRenderedIsTheGoldenFile(t *testing.T) {
	for _, kind := range []config.CloudBalancer{config.CloudClassic, config.CloudNLB} {
		for _, f := range files(t, example(t, kind)) {
			compare(t, filepath.Join("testdata", string(kind)+"-"+f.Name), f.Text)
		}
	}
}

// compare holds a text against a golden file.
func compare(t *testing.T, golden, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s is not what is rendered; look at why, then run: go test ./internal/cloud/aws -run Golden -update", golden)
	}
}

// What the README asks a person to type is known to be there, and in the order in which it is needed.
func TestTheREADMEHasNoGapAndNoOtherFormat(t *testing.T) {
	commands := map[string]string{"terraform": "terraform apply", "cloudformation": "aws cloudformation deploy", "aws": "./setup.sh"}
	for format := range commands {
		f, err := example(t, config.CloudClassic).README(format)
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
