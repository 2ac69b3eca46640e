package aws

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hotcold/hotcold/internal/cloud"
	"github.com/hotcold/hotcold/internal/config"
)

// stack is a CloudFormation template. Its resources keep their order.
type stack struct {
	Version     string  `yaml:"AWSTemplateFormatVersion"`
	Description string  `yaml:"Description"`
	Resources   ordered `yaml:"Resources"`
	Outputs     ordered `yaml:"Outputs"`
}

// ordered is a mapping in the order in which it was written.
type ordered []entry

type entry struct {
	Key   string
	Value any
}

// MarshalYAML writes the mapping in its order.
func (o ordered) MarshalYAML() (any, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, e := range o {
		var key, value yaml.Node
		key.SetString(e.Key)
		if err := value.Encode(e.Value); err != nil {
			return nil, err
		}
		n.Content = append(n.Content, &key, &value)
	}
	return n, nil
}

// awsResource is one resource of the stack.
type awsResource struct {
	Type           string  `yaml:"Type"`
	DeletionPolicy string  `yaml:"DeletionPolicy,omitempty"`
	ReplacePolicy  string  `yaml:"UpdateReplacePolicy,omitempty"`
	Properties     ordered `yaml:"Properties"`
}

func refTo(id string) ordered { return ordered{{"Ref", id}} }

func attribute(id, name string) ordered { return ordered{{"Fn::GetAtt", []string{id, name}}} }

func nameTag(name string) []ordered { return []ordered{{{"Key", "Name"}, {"Value", name}}} }

// CloudFormation writes the set-up as a stack.
func (s *Setup) CloudFormation() (cloud.File, error) {
	t := stack{
		Version:     "2010-09-09",
		Description: "The pair's balancers and drive, written by hotcold render aws --format cloudformation",
	}
	s.stackSecurity(&t)
	if s.Kind == config.CloudNLB {
		s.stackNetwork(&t)
	} else {
		for _, front := range s.Fronts {
			s.stackClassic(&t, front)
		}
	}
	s.stackDrive(&t)
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(t); err != nil {
		return cloud.File{}, fmt.Errorf("write the stack as YAML: %w", err)
	}
	return cloud.File{Name: "stack.yaml", Mode: 0o644, Text: text.String()}, nil
}

// logical makes a logical name of parts: letters and digits only.
func logical(parts ...string) string {
	name := ""
	for _, part := range parts {
		for word := range strings.FieldsFuncSeq(part, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') }) {
			name += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return name
}

func (t *stack) add(id, kind string, properties ...entry) {
	t.Resources = append(t.Resources, entry{id, awsResource{Type: kind, Properties: properties}})
}

func (t *stack) output(id, why string, value any) {
	t.Outputs = append(t.Outputs, entry{id, ordered{{"Description", why}, {"Value", value}}})
}

func (s *Setup) stackSecurity(t *stack) {
	const kind = "AWS::EC2::SecurityGroup"
	group := func(id, name, why string, ingress []ordered) {
		properties := []entry{{"GroupName", name}, {"GroupDescription", why}, {"VpcId", s.VPC}}
		if len(ingress) > 0 {
			properties = append(properties, entry{"SecurityGroupIngress", ingress})
		}
		t.add(id, kind, append(properties, entry{"Tags", nameTag(name)})...)
	}
	tcp := func(port int, source, value any) ordered {
		return ordered{{"IpProtocol", "tcp"}, {"FromPort", port}, {"ToPort", port}, {fmt.Sprint(source), value}}
	}
	var clients, inside []ordered
	for _, o := range s.Clients {
		source := "CidrIp"
		if strings.Contains(o.Network, ":") {
			source = "CidrIpv6"
		}
		clients = append(clients, append(tcp(o.Port, source, o.Network), entry{"Description", "clients of " + o.Key}))
	}
	for _, port := range s.Inside {
		inside = append(inside, tcp(port, "SourceSecurityGroupId", attribute("BalancerGroup", "GroupId")))
	}
	why := groupWhy()
	group("BalancerGroup", s.BalancerGroup, why[0], clients)
	group("NodeGroup", s.NodeGroup, why[1], inside)
	group("DriveGroup", s.DriveGroup, why[2], []ordered{tcp(nfsPort, "SourceSecurityGroupId", attribute("NodeGroup", "GroupId"))})
	t.output("NodeGroup", "the security group of the machines", attribute("NodeGroup", "GroupId"))
}

// In a stack the ports and numbers of a classic balancer are texts.
func (s *Setup) stackClassic(t *stack, front Front) {
	id, c := logical("balancer", front.Key), front.Check
	properties := []entry{
		{"LoadBalancerName", front.Name}, {"Scheme", "internet-facing"}, {"Subnets", s.Subnets},
		{"SecurityGroups", []ordered{attribute("BalancerGroup", "GroupId")}},
		{"Listeners", []ordered{{
			{"LoadBalancerPort", strconv.Itoa(front.Port)}, {"Protocol", front.Protocol},
			{"InstancePort", strconv.Itoa(front.InstancePort)}, {"InstanceProtocol", front.Protocol},
		}}},
		{"HealthCheck", ordered{
			{"Target", c.Target()}, {"Interval", strconv.Itoa(c.IntervalSeconds)}, {"Timeout", strconv.Itoa(c.TimeoutSeconds)},
			{"UnhealthyThreshold", strconv.Itoa(c.Unhealthy)}, {"HealthyThreshold", strconv.Itoa(c.Healthy)},
		}},
		{"CrossZone", true}, {"ConnectionDrainingPolicy", ordered{{"Enabled", false}}},
		{"ConnectionSettings", ordered{{"IdleTimeout", front.IdleSeconds}}},
	}
	if len(s.Instances) > 0 {
		properties = append(properties, entry{"Instances", s.Instances})
	}
	t.add(id, "AWS::ElasticLoadBalancing::LoadBalancer", properties...)
	t.output(id, nameWhy(front.Key), attribute(id, "DNSName"))
}

func (s *Setup) stackNetwork(t *stack) {
	const kind = "AWS::ElasticLoadBalancingV2::"
	key := func(k, v string) ordered { return ordered{{"Key", k}, {"Value", v}} }
	t.add("Balancer", kind+"LoadBalancer", entry{"Name", s.NetworkBalancer}, entry{"Type", "network"}, entry{"Scheme", "internet-facing"},
		entry{"Subnets", s.Subnets}, entry{"SecurityGroups", []ordered{attribute("BalancerGroup", "GroupId")}},
		entry{"LoadBalancerAttributes", []ordered{key("load_balancing.cross_zone.enabled", "true")}})
	for _, front := range s.Fronts {
		group, c := logical("target", front.Key), front.Check
		properties := []entry{
			{"Name", front.Name}, {"Port", front.InstancePort}, {"Protocol", front.Protocol}, {"VpcId", s.VPC}, {"TargetType", "instance"},
			{"HealthCheckProtocol", c.Protocol}, {"HealthCheckPort", strconv.Itoa(c.Port)},
			{"HealthCheckIntervalSeconds", c.IntervalSeconds}, {"HealthCheckTimeoutSeconds", c.TimeoutSeconds},
			{"UnhealthyThresholdCount", c.Unhealthy}, {"HealthyThresholdCount", c.Healthy},
		}
		if c.Path != "" {
			properties = append(properties, entry{"HealthCheckPath", c.Path}, entry{"Matcher", ordered{{"HttpCode", "200"}}})
		}
		attributes := []ordered{
			key("deregistration_delay.timeout_seconds", "0"), key("deregistration_delay.connection_termination.enabled", "true"),
			key("target_health_state.unhealthy.connection_termination.enabled", "true"),
		}
		if front.SourceIP {
			attributes = append(attributes, key("stickiness.enabled", "true"), key("stickiness.type", "source_ip"))
		}
		properties = append(properties, entry{"TargetGroupAttributes", attributes})
		var targets []ordered
		for _, instance := range s.Instances {
			targets = append(targets, ordered{{"Id", instance}, {"Port", front.InstancePort}})
		}
		if len(targets) > 0 {
			properties = append(properties, entry{"Targets", targets})
		}
		t.add(group, kind+"TargetGroup", properties...)
		t.add(logical("listener", front.Key), kind+"Listener", entry{"LoadBalancerArn", refTo("Balancer")}, entry{"Port", front.Port},
			entry{"Protocol", front.Protocol}, entry{"DefaultActions", []ordered{{{"Type", "forward"}, {"TargetGroupArn", refTo(group)}}}},
			entry{"ListenerAttributes", []ordered{key("tcp.idle_timeout.seconds", strconv.Itoa(front.IdleSeconds))}})
	}
	t.output("Balancer", "the host of p2pAddress on both machines", attribute("Balancer", "DNSName"))
}

func (s *Setup) stackDrive(t *stack) {
	t.Resources = append(t.Resources, entry{"Drive", awsResource{
		// The drive outlives the stack: what is on it is the node's.
		Type: "AWS::EFS::FileSystem", DeletionPolicy: "Retain", ReplacePolicy: "Retain",
		Properties: ordered{
			{"PerformanceMode", s.Drive.PerformanceMode}, {"ThroughputMode", s.Drive.ThroughputMode}, {"Encrypted", s.Drive.Encrypted},
			{"FileSystemTags", nameTag(s.Drive.Name)},
		},
	}})
	for i, subnet := range s.Subnets {
		t.add(logical("driveMount", strconv.Itoa(i)), "AWS::EFS::MountTarget", entry{"FileSystemId", refTo("Drive")}, entry{"SubnetId", subnet},
			entry{"SecurityGroups", []ordered{attribute("DriveGroup", "GroupId")}})
	}
	t.output("Drive", "hotcold.cloud.aws.fileSystem", refTo("Drive"))
}
