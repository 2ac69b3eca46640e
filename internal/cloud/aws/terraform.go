package aws

import (
	"strconv"
	"strings"

	"github.com/hotcold/hotcold/internal/cloud"
	"github.com/hotcold/hotcold/internal/cloud/terraform"
	"github.com/hotcold/hotcold/internal/config"
)

// Terraform writes the set-up for Terraform and OpenTofu, with the provider aws of version 5 or 6.
func (s *Setup) Terraform() cloud.File {
	f := terraform.New("The pair's balancers and drive in AWS. Written by `hotcold render aws --format terraform`;\n" +
		"what is changed here by hand is told by `hotcold render --check`.")
	t := f.Block("terraform")
	t.Set("required_version", ">= 1.3")
	t.Block("required_providers").Set("aws", [][2]string{{"source", "hashicorp/aws"}, {"version", ">= 5.60.0, < 7.0.0"}})
	f.Block("provider", "aws").Set("region", s.Region)
	s.security(f)
	if s.Kind == config.CloudNLB {
		s.networkBalancer(f)
	} else {
		f.Comment("A balancer for each kind of traffic, because each has one health check.")
		for _, front := range s.Fronts {
			s.classic(f, front)
		}
	}
	s.drive(f)
	s.outputs(f)
	return cloud.File{Name: "main.tf", Mode: 0o644, Text: f.String()}
}

// label makes a name of Terraform's of a name of ours.
func label(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-./:", r) {
			return '_'
		}
		return r
	}, name)
}

// tagged names a resource in AWS's console.
func tagged(b terraform.Body, name string) { b.Set("tags", [][2]string{{"Name", name}}) }

func (s *Setup) security(f *terraform.File) {
	group := func(key, name, why string) terraform.Body {
		return f.Block("resource", "aws_security_group", key).Set("name", name).Set("description", why).Set("vpc_id", s.VPC)
	}
	rule := func(key, group string, port int) terraform.Body {
		return f.Block("resource", "aws_vpc_security_group_ingress_rule", key).Set("security_group_id", terraform.Ref("aws_security_group."+group+".id")).
			Set("ip_protocol", "tcp").Set("from_port", port).Set("to_port", port)
	}
	f.Comment("Clients reach the balancers only, the balancers reach the machines, the machines reach the drive.\n" +
		"What no rule names, the RPC admin port first of all, stays closed.")
	tagged(group("balancer", s.BalancerGroup, groupWhy()[0]), s.BalancerGroup)
	f.Block("resource", "aws_vpc_security_group_egress_rule", "balancer").Set("security_group_id", terraform.Ref("aws_security_group.balancer.id")).
		Set("ip_protocol", "-1").Set("referenced_security_group_id", terraform.Ref("aws_security_group.node.id"))
	for _, o := range s.Clients {
		rule(label(o.Key+"-"+o.Network), "balancer", o.Port).Set(cidr(o.Network), o.Network)
	}
	tagged(group("node", s.NodeGroup, groupWhy()[1]), s.NodeGroup)
	f.Block("resource", "aws_vpc_security_group_egress_rule", "node").Set("security_group_id", terraform.Ref("aws_security_group.node.id")).
		Set("ip_protocol", "-1").Set("cidr_ipv4", "0.0.0.0/0")
	for _, port := range s.Inside {
		rule("node_"+strconv.Itoa(port), "node", port).Set("referenced_security_group_id", terraform.Ref("aws_security_group.balancer.id"))
	}
	tagged(group("drive", s.DriveGroup, groupWhy()[2]), s.DriveGroup)
	rule("drive", "drive", nfsPort).Set("referenced_security_group_id", terraform.Ref("aws_security_group.node.id"))
}

// cidr is the argument for a network.
func cidr(network string) string {
	if strings.Contains(network, ":") {
		return "cidr_ipv6"
	}
	return "cidr_ipv4"
}

func (s *Setup) classic(f *terraform.File, front Front) {
	b := f.Block("resource", "aws_elb", label(front.Key)).Set("name", front.Name).Set("internal", false).Set("subnets", s.Subnets).
		Set("security_groups", []terraform.Ref{"aws_security_group.balancer.id"}).Set("instances", s.Instances).
		Set("cross_zone_load_balancing", true).Set("connection_draining", false).Set("idle_timeout", front.IdleSeconds)
	b.Block("listener").Set("lb_port", front.Port).Set("lb_protocol", front.Protocol).Set("instance_port", front.InstancePort).Set("instance_protocol", front.Protocol)
	b.Block("health_check").Set("target", front.Check.Target()).Set("interval", front.Check.IntervalSeconds).Set("timeout", front.Check.TimeoutSeconds).
		Set("unhealthy_threshold", front.Check.Unhealthy).Set("healthy_threshold", front.Check.Healthy)
}

func (s *Setup) networkBalancer(f *terraform.File) {
	f.Comment("One balancer, with a target group for each kind of traffic.")
	f.Block("resource", "aws_lb", "pair").Set("name", s.NetworkBalancer).Set("load_balancer_type", "network").Set("internal", false).Set("subnets", s.Subnets).
		Set("security_groups", []terraform.Ref{"aws_security_group.balancer.id"}).Set("enable_cross_zone_load_balancing", true)
	for _, front := range s.Fronts {
		key := label(front.Key)
		g := f.Block("resource", "aws_lb_target_group", key).Set("name", front.Name).Set("port", front.InstancePort).Set("protocol", front.Protocol).
			Set("vpc_id", s.VPC).Set("target_type", "instance").Set("deregistration_delay", 0).Set("connection_termination", true)
		check := g.Block("health_check").Set("protocol", front.Check.Protocol).Set("port", strconv.Itoa(front.Check.Port))
		if front.Check.Path != "" {
			check.Set("path", front.Check.Path).Set("matcher", "200")
		}
		check.Set("interval", front.Check.IntervalSeconds).Set("timeout", front.Check.TimeoutSeconds).
			Set("unhealthy_threshold", front.Check.Unhealthy).Set("healthy_threshold", front.Check.Healthy)
		if front.SourceIP {
			g.Block("stickiness").Set("type", "source_ip").Set("enabled", true)
		}
		g.Block("target_health_state").Set("enable_unhealthy_connection_termination", true)
		l := f.Block("resource", "aws_lb_listener", key).Set("load_balancer_arn", terraform.Ref("aws_lb.pair.arn")).Set("port", front.Port).
			Set("protocol", front.Protocol).Set("tcp_idle_timeout_seconds", front.IdleSeconds)
		l.Block("default_action").Set("type", "forward").Set("target_group_arn", terraform.Ref("aws_lb_target_group."+key+".arn"))
		for i, instance := range s.Instances {
			f.Block("resource", "aws_lb_target_group_attachment", key+"_"+strconv.Itoa(i)).Set("target_group_arn", terraform.Ref("aws_lb_target_group."+key+".arn")).
				Set("target_id", instance).Set("port", front.InstancePort)
		}
	}
}

func (s *Setup) drive(f *terraform.File) {
	f.Comment("The drive that both machines share.")
	d := f.Block("resource", "aws_efs_file_system", "drive").Set("creation_token", s.Drive.Name).Set("performance_mode", s.Drive.PerformanceMode).
		Set("throughput_mode", s.Drive.ThroughputMode).Set("encrypted", s.Drive.Encrypted)
	tagged(d, s.Drive.Name)
	d.Block("lifecycle").Set("prevent_destroy", true)
	for i, subnet := range s.Subnets {
		f.Block("resource", "aws_efs_mount_target", "drive_"+strconv.Itoa(i)).Set("file_system_id", terraform.Ref("aws_efs_file_system.drive.id")).
			Set("subnet_id", subnet).Set("security_groups", []terraform.Ref{"aws_security_group.drive.id"})
	}
}

func (s *Setup) outputs(f *terraform.File) {
	output := func(name, why string, value terraform.Ref) {
		f.Block("output", name).Set("description", why).Set("value", value)
	}
	if s.Kind == config.CloudNLB {
		output("balancer_name", "the host of p2pAddress on both machines", "aws_lb.pair.dns_name")
	} else {
		for _, front := range s.Fronts {
			output(label(front.Key)+"_name", nameWhy(front.Key), terraform.Ref("aws_elb."+label(front.Key)+".dns_name"))
		}
	}
	output("file_system", "hotcold.cloud.aws.fileSystem", "aws_efs_file_system.drive.id")
	output("node_security_group", "the security group of the machines", "aws_security_group.node.id")
}

// nameWhy says what a balancer's name is for.
func nameWhy(key string) string {
	if key == string(config.TrafficP2P) {
		return "the host of p2pAddress on both machines"
	}
	return "what clients of " + key + " are told"
}
