package awsproof

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/cloud"
	"github.com/hotcold/hotcold/internal/cloud/aws"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/testserver"
)

// commandLimit bounds one command. A script has many, and takes longer on a machine with other work.
const commandLimit = 5 * time.Minute

// account is an imitated account with a network and two machines.
type account struct {
	url       string
	vpc       string
	subnets   []string
	instances []string
	home      string
	// commands is where `aws` is, interpreter who runs what it is told.
	commands, interpreter string
}

// open begins with an account of the test's own, in which there is nothing but the network and the machines.
func open(t *testing.T) *account {
	t.Helper()
	a := &account{url: testserver.Moto(t), home: t.TempDir()}
	a.commands, a.interpreter = interpreter(t)
	a.vpc = a.run(t, "aws", "ec2", "describe-vpcs", "--query", "Vpcs[0].VpcId", "--output", "text")
	a.subnets = strings.Fields(a.run(t, "aws", "ec2", "describe-subnets", "--query", "Subnets[:2].SubnetId", "--output", "text"))
	a.instances = strings.Fields(a.run(t, "aws", "ec2", "run-instances", "--image-id", "ami-12c6146b", "--count", "2", "--query", "Instances[].InstanceId", "--output", "text"))
	return a
}

// run runs a command in the account and returns what it prints.
func (a *account) run(t *testing.T, words ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandLimit)
	defer cancel()
	name := words[0]
	if name == "aws" {
		name = filepath.Join(a.commands, name)
	}
	c := exec.CommandContext(ctx, name, words[1:]...)
	c.Dir = a.home
	c.Env = []string{
		"PATH=" + a.commands + ":" + os.Getenv("PATH"), "HOME=" + a.home, "AWS_ENDPOINT_URL=" + a.url, "AWS_DEFAULT_REGION=eu-west-1",
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_PAGER=",
		interpreterVariable + "=" + a.interpreter,
	}
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s%s", strings.Join(words, " "), err, out, stderr.Bytes())
	}
	return strings.TrimSpace(string(out))
}

// setup is that of the example, in the account's network and with its machines.
func (a *account) setup(t *testing.T, kind config.CloudBalancer, probe config.CloudProbe) *aws.Setup {
	t.Helper()
	text, err := os.ReadFile("../../../examples/cloud/hotcold.conf")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "hotcold.conf")
	conf := strings.Replace(string(text), `include "node.conf"`, "hotcold.name = pair", 1) +
		fmt.Sprintf("\nhotcold.cloud.aws { vpc = %s, subnets = [%s], instances = [%s] }\n", a.vpc, strings.Join(a.subnets, ", "), strings.Join(a.instances, ", ")) +
		"hotcold.cloud.probe = " + string(probe) + "\n" +
		"hotcold.balancer.probes.rpc { interval = 10 s, timeout = 4 s, unhealthy = 3, healthy = 4 }\n"
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.LoadBalancer(file, config.Env{Hostname: "laptop", WorkDir: filepath.Dir(file)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := cloud.New(cloud.OptionsOf(c))
	if err != nil {
		t.Fatal(err)
	}
	s, err := aws.New(p, c.File, kind)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// place writes a rendered file into the account's folder and returns its path.
func (a *account) place(t *testing.T, f cloud.File) string {
	t.Helper()
	name := filepath.Join(a.home, f.Name)
	if err := os.WriteFile(name, []byte(f.Text), f.Mode); err != nil {
		t.Fatal(err)
	}
	return name
}

// What is made is the plan: value by value, read back by AWS's SDK.
func TestWhatTheScriptMakesIsThePlan(t *testing.T) {
	t.Parallel()
	for _, kind := range []config.CloudBalancer{config.CloudClassic, config.CloudNLB} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			a := open(t)
			s := a.setup(t, kind, config.CloudProbeAgent)
			script := a.place(t, s.Script())
			first := a.run(t, script)
			a.compare(t, s, byScript)
			if kind == config.CloudClassic { // once is enough to see that it can be run again, and it takes long
				if again := a.run(t, script); again != first {
					t.Errorf("run again the script says\n%s\nand before that it said\n%s", again, first)
				}
				a.compare(t, s, byScript)
			}
		})
	}
}

// The imitation's CloudFormation knows no network balancer; what the stack says of one is the linter's business, and
// what comes of the same values that of the script.
func TestWhatTheStackMakesIsThePlan(t *testing.T) {
	t.Parallel()
	a := open(t)
	s := a.setup(t, config.CloudClassic, config.CloudProbeNode)
	stack, err := s.CloudFormation()
	if err != nil {
		t.Fatal(err)
	}
	file := a.place(t, stack)
	a.run(t, "aws", "cloudformation", "create-stack", "--stack-name", s.Name, "--template-body", "file://"+file)
	status := a.run(t, "aws", "cloudformation", "describe-stacks", "--stack-name", s.Name, "--query", "Stacks[0].StackStatus", "--output", "text")
	if status != "CREATE_COMPLETE" {
		t.Fatalf("the stack is %s", status)
	}
	a.compare(t, s, byStack)
}

// The linter of CloudFormation knows the published schema of every resource.
func TestTheLinterOfCloudFormationFindsNothing(t *testing.T) {
	t.Parallel()
	program := testserver.CloudTool(t, "cfn-lint")
	files, err := filepath.Glob("../aws/testdata/*stack.yaml")
	if err != nil || len(files) != 2 {
		t.Fatalf("the stacks are %v, %v", files, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), commandLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, append([]string{"--format", "parseable"}, files...)...).CombinedOutput()
	if err != nil {
		t.Errorf("cfn-lint: %v:\n%s", err, out)
	}
}

// group is what a security group lets in.
type group struct {
	GroupName string
	Rules     []string
}

// groups are the security groups of the network, and what they let in, by name.
func (a *account) groups(t *testing.T) map[string]group {
	t.Helper()
	var found struct {
		SecurityGroups []struct {
			GroupId, GroupName string
			IpPermissions      []struct {
				IpProtocol       string
				FromPort, ToPort int
				IpRanges         []struct{ CidrIp string }
				UserIdGroupPairs []struct{ GroupId string }
			}
		}
	}
	text := a.run(t, "aws", "ec2", "describe-security-groups", "--filters", "Name=vpc-id,Values="+a.vpc, "--output", "json")
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		t.Fatal(err)
	}
	byID, all := map[string]string{}, map[string]group{}
	for _, g := range found.SecurityGroups {
		byID[g.GroupId] = g.GroupName
	}
	for _, g := range found.SecurityGroups {
		is := group{GroupName: g.GroupName}
		for _, p := range g.IpPermissions {
			for _, r := range p.IpRanges {
				is.Rules = append(is.Rules, fmt.Sprintf("%s %d-%d from %s", p.IpProtocol, p.FromPort, p.ToPort, r.CidrIp))
			}
			for _, r := range p.UserIdGroupPairs {
				is.Rules = append(is.Rules, fmt.Sprintf("%s %d-%d from %s", p.IpProtocol, p.FromPort, p.ToPort, byID[r.GroupId]))
			}
		}
		slices.Sort(is.Rules)
		all[g.GroupId] = is
	}
	return all
}

// wanted are the rules of the three groups, by the plan.
func wanted(s *aws.Setup) map[string][]string {
	rules := map[string][]string{s.DriveGroup: {"tcp 2049-2049 from " + s.NodeGroup}}
	for _, o := range s.Clients {
		rules[s.BalancerGroup] = append(rules[s.BalancerGroup], fmt.Sprintf("tcp %d-%d from %s", o.Port, o.Port, o.Network))
	}
	for _, port := range s.Inside {
		rules[s.NodeGroup] = append(rules[s.NodeGroup], fmt.Sprintf("tcp %d-%d from %s", port, port, s.BalancerGroup))
	}
	for _, list := range rules {
		slices.Sort(list)
	}
	return rules
}
