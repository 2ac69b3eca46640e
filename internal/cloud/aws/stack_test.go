package aws_test

import (
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/hotcold/hotcold/internal/config"
)

// balancerProperties are those of a classic balancer.
type balancerProperties struct {
	Scheme    string                `yaml:"Scheme"`
	Subnets   []string              `yaml:"Subnets"`
	Groups    []map[string][]string `yaml:"SecurityGroups"`
	CrossZone bool                  `yaml:"CrossZone"`
	Draining  struct {
		Enabled *bool `yaml:"Enabled"`
	} `yaml:"ConnectionDrainingPolicy"`
	Connections struct {
		Idle int `yaml:"IdleTimeout"`
	} `yaml:"ConnectionSettings"`
}

// An imitation of AWS makes no use of these properties of a classic balancer, so they are read in the stack itself.
func TestTheStackSaysWhereABalancerIs(t *testing.T) {
	s := example(t, config.CloudClassic)
	f, err := s.CloudFormation()
	if err != nil {
		t.Fatal(err)
	}
	var root struct {
		Resources yaml.Node `yaml:"Resources"`
	}
	if err := yaml.Unmarshal([]byte(f.Text), &root); err != nil {
		t.Fatal(err)
	}
	var resources map[string]struct {
		Type       string             `yaml:"Type"`
		Properties balancerProperties `yaml:"Properties"`
	}
	if err := root.Resources.Decode(&resources); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for id, r := range resources {
		if r.Type != "AWS::ElasticLoadBalancing::LoadBalancer" {
			continue
		}
		seen++
		p := r.Properties
		if p.Scheme != "internet-facing" || !slices.Equal(p.Subnets, s.Subnets) || len(p.Groups) != 1 || !slices.Equal(p.Groups[0]["Fn::GetAtt"], []string{"BalancerGroup", "GroupId"}) {
			t.Errorf("%s is %s, in the subnets %v and the security groups %v", id, p.Scheme, p.Subnets, p.Groups)
		}
		if !p.CrossZone || p.Draining.Enabled == nil || *p.Draining.Enabled || p.Connections.Idle != 3600 {
			t.Errorf("%s: across zones %v, draining %v, idle %d", id, p.CrossZone, p.Draining.Enabled, p.Connections.Idle)
		}
	}
	if seen != len(s.Fronts) {
		t.Errorf("the stack has %d balancers, want %d", seen, len(s.Fronts))
	}
}
