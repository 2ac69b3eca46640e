package awsproof

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/efs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	v1 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	v2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/hotcold/hotcold/internal/cloud/aws"
	"github.com/hotcold/hotcold/internal/config"
)

func (a *account) sdk() sdk.Config {
	return sdk.Config{Region: "eu-west-1", BaseEndpoint: sdk.String(a.url), Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
}

// way is how the account was filled.
type way int

const (
	byScript way = iota
	// byStack makes classic balancers without subnets, security groups and attributes: the imitation's CloudFormation
	// leaves those out. TestTheStackSaysWhereABalancerIs, beside the stack, holds them.
	byStack
)

// compare reads everything back.
func (a *account) compare(t *testing.T, s *aws.Setup, how way) {
	t.Helper()
	groups := a.groups(t)
	byName := map[string]string{}
	for id, g := range groups {
		byName[g.GroupName] = id
	}
	for name, rules := range wanted(s) {
		if got := groups[byName[name]].Rules; !slices.Equal(got, rules) {
			t.Errorf("the security group %s lets in %q, want %q", name, got, rules)
		}
	}
	var fronts []aws.Front
	if s.Kind == config.CloudNLB {
		fronts = a.network(t, s, byName[s.BalancerGroup])
	} else {
		fronts = a.classic(t, s, byName[s.BalancerGroup], how)
	}
	if !reflect.DeepEqual(fronts, s.Fronts) {
		t.Errorf("AWS has\n%+v\nwant\n%+v", fronts, s.Fronts)
	}
	a.drive(t, s, byName[s.DriveGroup])
}

// classic reads the classic balancers back, in the order of the plan.
func (a *account) classic(t *testing.T, s *aws.Setup, group string, how way) []aws.Front {
	t.Helper()
	client := elb.NewFromConfig(a.sdk())
	var fronts []aws.Front
	for _, want := range s.Fronts {
		found, err := client.DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{LoadBalancerNames: []string{want.Name}})
		if err != nil {
			t.Fatal(err)
		}
		b := found.LoadBalancerDescriptions[0]
		if len(b.ListenerDescriptions) != 1 || *b.Scheme != "internet-facing" {
			t.Fatalf("%s has %d listeners and is %s", want.Name, len(b.ListenerDescriptions), *b.Scheme)
		}
		var instances []string
		for _, i := range b.Instances {
			instances = append(instances, *i.InstanceId)
		}
		slices.Sort(instances)
		instances = slices.Compact(instances) // AWS registers a machine once; the imitation lists it for each time it was told
		if wanted := slices.Sorted(slices.Values(s.Instances)); !slices.Equal(instances, wanted) {
			t.Errorf("%s has the machines %v, want %v", want.Name, instances, wanted)
		}
		l, c := b.ListenerDescriptions[0].Listener, b.HealthCheck
		front := aws.Front{
			Name: *b.LoadBalancerName, Key: want.Key, Protocol: *l.Protocol, Port: int(l.LoadBalancerPort), InstancePort: int(*l.InstancePort),
			IdleSeconds: want.IdleSeconds,
			Check: aws.Check{
				Protocol: want.Check.Protocol, Port: want.Check.Port, Path: want.Check.Path, IntervalSeconds: int(*c.Interval),
				TimeoutSeconds: int(*c.Timeout), Unhealthy: int(*c.UnhealthyThreshold), Healthy: int(*c.HealthyThreshold),
			},
		}
		if *c.Target != want.Check.Target() || *l.InstanceProtocol != front.Protocol {
			t.Errorf("%s checks %s and speaks %s to the machine, want %s and %s", want.Name, *c.Target, *l.InstanceProtocol, want.Check.Target(), front.Protocol)
		}
		if how == byScript {
			front.IdleSeconds = a.placed(t, client, s, b, group)
		}
		fronts = append(fronts, front)
	}
	return fronts
}

// placed compares where a classic balancer is and how it treats connections, and returns its idle timeout.
func (a *account) placed(t *testing.T, client *elb.Client, s *aws.Setup, b v1.LoadBalancerDescription, group string) int {
	t.Helper()
	slices.Sort(b.Subnets)
	if wanted := slices.Sorted(slices.Values(s.Subnets)); !slices.Equal(b.Subnets, wanted) || !slices.Equal(b.SecurityGroups, []string{group}) {
		t.Errorf("%s is in the subnets %v and the security groups %v, want %v and %s", *b.LoadBalancerName, b.Subnets, b.SecurityGroups, wanted, group)
	}
	found, err := client.DescribeLoadBalancerAttributes(t.Context(), &elb.DescribeLoadBalancerAttributesInput{LoadBalancerName: b.LoadBalancerName})
	if err != nil {
		t.Fatal(err)
	}
	m := found.LoadBalancerAttributes
	if !m.CrossZoneLoadBalancing.Enabled || m.ConnectionDraining.Enabled {
		t.Errorf("%s: across zones %v, draining %v; want true, false", *b.LoadBalancerName, m.CrossZoneLoadBalancing.Enabled, m.ConnectionDraining.Enabled)
	}
	return int(*m.ConnectionSettings.IdleTimeout)
}

// network reads the network balancer back, with its target groups and listeners.
func (a *account) network(t *testing.T, s *aws.Setup, group string) []aws.Front {
	t.Helper()
	client := elbv2.NewFromConfig(a.sdk())
	found, err := client.DescribeLoadBalancers(t.Context(), &elbv2.DescribeLoadBalancersInput{Names: []string{s.NetworkBalancer}})
	if err != nil {
		t.Fatal(err)
	}
	b := found.LoadBalancers[0]
	if b.Type != v2.LoadBalancerTypeEnumNetwork || b.Scheme != v2.LoadBalancerSchemeEnumInternetFacing || !slices.Equal(b.SecurityGroups, []string{group}) {
		t.Errorf("the balancer is %s, %s, in the security groups %v", b.Type, b.Scheme, b.SecurityGroups)
	}
	listeners, err := client.DescribeListeners(t.Context(), &elbv2.DescribeListenersInput{LoadBalancerArn: b.LoadBalancerArn})
	if err != nil {
		t.Fatal(err)
	}
	if len(listeners.Listeners) != len(s.Fronts) {
		t.Errorf("there are %d listeners, want %d", len(listeners.Listeners), len(s.Fronts))
	}
	var fronts []aws.Front
	for _, want := range s.Fronts {
		fronts = append(fronts, a.target(t, client, s, want, listeners.Listeners))
	}
	return fronts
}

func (a *account) target(t *testing.T, client *elbv2.Client, s *aws.Setup, want aws.Front, listeners []v2.Listener) aws.Front {
	t.Helper()
	found, err := client.DescribeTargetGroups(t.Context(), &elbv2.DescribeTargetGroupsInput{Names: []string{want.Name}})
	if err != nil {
		t.Fatal(err)
	}
	g := found.TargetGroups[0]
	front := aws.Front{Name: *g.TargetGroupName, Key: want.Key, InstancePort: int(*g.Port), IdleSeconds: want.IdleSeconds}
	port, err := strconv.Atoi(*g.HealthCheckPort)
	if err != nil {
		t.Fatal(err)
	}
	front.Check = aws.Check{
		Protocol: string(g.HealthCheckProtocol), Port: port, IntervalSeconds: int(*g.HealthCheckIntervalSeconds), TimeoutSeconds: int(*g.HealthCheckTimeoutSeconds),
		Unhealthy: int(*g.UnhealthyThresholdCount), Healthy: int(*g.HealthyThresholdCount),
	}
	if front.Check.Protocol != "TCP" {
		front.Check.Path = *g.HealthCheckPath
	}
	for _, l := range listeners {
		if len(l.DefaultActions) == 1 && *l.DefaultActions[0].TargetGroupArn == *g.TargetGroupArn {
			front.Port, front.Protocol = int(*l.Port), string(l.Protocol)
		}
	}
	attributes, err := client.DescribeTargetGroupAttributes(t.Context(), &elbv2.DescribeTargetGroupAttributesInput{TargetGroupArn: g.TargetGroupArn})
	if err != nil {
		t.Fatal(err)
	}
	is := map[string]string{}
	for _, kv := range attributes.Attributes {
		is[*kv.Key] = *kv.Value
	}
	for key, value := range map[string]string{
		"deregistration_delay.timeout_seconds": "0", "deregistration_delay.connection_termination.enabled": "true",
		"target_health_state.unhealthy.connection_termination.enabled": "true",
	} {
		if is[key] != value {
			t.Errorf("%s: %s is %q, want %q", want.Name, key, is[key], value)
		}
	}
	health, err := client.DescribeTargetHealth(t.Context(), &elbv2.DescribeTargetHealthInput{TargetGroupArn: g.TargetGroupArn})
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, h := range health.TargetHealthDescriptions {
		targets = append(targets, fmt.Sprintf("%s:%d", *h.Target.Id, *h.Target.Port))
	}
	var wanted []string
	for _, instance := range s.Instances {
		wanted = append(wanted, fmt.Sprintf("%s:%d", instance, want.InstancePort))
	}
	slices.Sort(targets)
	slices.Sort(wanted)
	if !slices.Equal(targets, wanted) {
		t.Errorf("%s has the machines %v, want %v", want.Name, targets, wanted)
	}
	return front
}

// drive reads the file system back, with its mount targets.
func (a *account) drive(t *testing.T, s *aws.Setup, group string) {
	t.Helper()
	client := efs.NewFromConfig(a.sdk())
	found, err := client.DescribeFileSystems(t.Context(), &efs.DescribeFileSystemsInput{})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.FileSystems) != 1 {
		t.Fatalf("there are %d file systems, want one", len(found.FileSystems))
	}
	d := found.FileSystems[0]
	name := ""
	for _, tag := range d.Tags {
		if *tag.Key == "Name" {
			name = *tag.Value
		}
	}
	got := aws.Drive{
		Name: name, PerformanceMode: string(d.PerformanceMode), ThroughputMode: string(d.ThroughputMode), Encrypted: *d.Encrypted,
		Mount: s.Drive.Mount,
	}
	if got != s.Drive {
		t.Errorf("the drive is %+v, want %+v", got, s.Drive)
	}
	targets, err := client.DescribeMountTargets(t.Context(), &efs.DescribeMountTargetsInput{FileSystemId: d.FileSystemId})
	if err != nil {
		t.Fatal(err)
	}
	var subnets []string
	for _, m := range targets.MountTargets {
		subnets = append(subnets, *m.SubnetId)
		lets, err := client.DescribeMountTargetSecurityGroups(t.Context(), &efs.DescribeMountTargetSecurityGroupsInput{MountTargetId: m.MountTargetId})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(lets.SecurityGroups, []string{group}) {
			t.Errorf("a mount target is in the security groups %v, want %s", lets.SecurityGroups, group)
		}
	}
	slices.Sort(subnets)
	if wanted := slices.Sorted(slices.Values(s.Subnets)); !slices.Equal(subnets, wanted) {
		t.Errorf("the drive is in the subnets %v, want %v", subnets, wanted)
	}
}
