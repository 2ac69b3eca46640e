package azure

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/hotcold/hotcold/internal/cloud"
)

// The versions of Azure's interfaces that the template is written for.
const (
	networkVersion = "2024-05-01"
	storageVersion = "2023-05-01"
)

// deployment is an ARM deployment template of a resource group.
type deployment struct {
	Schema         string            `json:"$schema"`
	ContentVersion string            `json:"contentVersion"`
	Resources      []resource        `json:"resources"`
	Outputs        map[string]output `json:"outputs"`
}

type output struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type resource struct {
	Type       string   `json:"type"`
	APIVersion string   `json:"apiVersion"`
	Name       string   `json:"name"`
	Location   string   `json:"location,omitempty"`
	SKU        *sku     `json:"sku,omitempty"`
	Kind       string   `json:"kind,omitempty"`
	DependsOn  []string `json:"dependsOn,omitempty"`
	Properties any      `json:"properties"`
}

type sku struct {
	Name string `json:"name"`
	Tier string `json:"tier,omitempty"`
}

// ref is what points to another resource.
type ref struct {
	ID string `json:"id"`
}

// child is what has a name inside of a resource.
type child[T any] struct {
	Name       string `json:"name"`
	Properties T      `json:"properties"`
}

type publicIP struct {
	AllocationMethod string `json:"publicIPAllocationMethod"`
	Version          string `json:"publicIPAddressVersion"`
}

type loadBalancer struct {
	Frontends []child[frontend] `json:"frontendIPConfigurations"`
	Pools     []child[pool]     `json:"backendAddressPools"`
	Probes    []child[armProbe] `json:"probes"`
	Rules     []child[armRule]  `json:"loadBalancingRules"`
}

type frontend struct {
	PublicIP ref `json:"publicIPAddress"`
}

type pool struct {
	Addresses []child[address] `json:"loadBalancerBackendAddresses"`
}

type address struct {
	IP      string `json:"ipAddress"`
	Network ref    `json:"virtualNetwork"`
}

type armProbe struct {
	Protocol  string `json:"protocol"`
	Port      int    `json:"port"`
	Path      string `json:"requestPath,omitempty"`
	Interval  int    `json:"intervalInSeconds"`
	Threshold int    `json:"probeThreshold"`
	// Count is what older interfaces had; they want it, and newer ones go by the threshold.
	Count   int    `json:"numberOfProbes"`
	Nothing string `json:"noHealthyBackendsBehavior"`
}

type armRule struct {
	Protocol     string `json:"protocol"`
	Frontend     ref    `json:"frontendIPConfiguration"`
	FrontendPort int    `json:"frontendPort"`
	BackendPort  int    `json:"backendPort"`
	Pools        []ref  `json:"backendAddressPools"`
	Probe        ref    `json:"probe"`
	Distribution string `json:"loadDistribution"`
	Idle         int    `json:"idleTimeoutInMinutes"`
	Reset        bool   `json:"enableTcpReset"`
	FloatingIP   bool   `json:"enableFloatingIP"`
}

type securityGroup struct {
	Rules []child[securityRule] `json:"securityRules"`
}

type securityRule struct {
	Description string   `json:"description"`
	Priority    int      `json:"priority"`
	Direction   string   `json:"direction"`
	Access      string   `json:"access"`
	Protocol    string   `json:"protocol"`
	SourcePort  string   `json:"sourcePortRange"`
	Source      string   `json:"sourceAddressPrefix,omitempty"`
	Sources     []string `json:"sourceAddressPrefixes,omitempty"`
	Port        string   `json:"destinationPortRange"`
	Destination string   `json:"destinationAddressPrefix"`
}

type account struct {
	SecureTransfer bool   `json:"supportsHttpsTrafficOnly"`
	TLS            string `json:"minimumTlsVersion"`
	PublicBlobs    bool   `json:"allowBlobPublicAccess"`
	SharedKey      bool   `json:"allowSharedKeyAccess"`
}

type fileService struct {
	Protocols struct {
		SMB struct {
			Versions string `json:"versions"`
		} `json:"smb"`
	} `json:"protocolSettings"`
}

type fileShare struct {
	Quota     int    `json:"shareQuota"`
	Protocols string `json:"enabledProtocols"`
	Tier      string `json:"accessTier"`
}

// ARM writes the set-up as a template that `az deployment group create` takes.
func (s *Setup) ARM() (cloud.File, error) {
	text, err := json.MarshalIndent(s.deployment(), "", "  ")
	if err != nil {
		return cloud.File{}, fmt.Errorf("write the template as JSON: %w", err)
	}
	return cloud.File{Name: "main.json", Mode: 0o644, Text: string(text) + "\n"}, nil
}

func (s *Setup) deployment() deployment {
	return deployment{
		Schema:         "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
		ContentVersion: "1.0.0.0",
		Resources: []resource{
			s.networkResource("publicIPAddresses", s.PublicIP, &sku{Name: "Standard"}, publicIP{"Static", "IPv4"}),
			s.networkResource("loadBalancers", s.Balancer, &sku{Name: "Standard"}, s.armBalancer(), id("publicIPAddresses", s.PublicIP)),
			s.networkResource("networkSecurityGroups", s.SecurityGroup, nil, s.armSecurity()),
			{
				Type: "Microsoft.Storage/storageAccounts", APIVersion: storageVersion, Name: s.Storage.Account, Location: s.Location,
				SKU: &sku{Name: s.Storage.SKU}, Kind: s.Storage.Kind, Properties: account{s.Storage.SecureTransfer, "TLS1_2", false, true},
			},
			s.fileService(),
			{
				Type: "Microsoft.Storage/storageAccounts/fileServices/shares", APIVersion: storageVersion,
				Name:       s.Storage.Account + "/default/" + s.Storage.Share,
				DependsOn:  []string{fmt.Sprintf("[resourceId('Microsoft.Storage/storageAccounts/fileServices', '%s', 'default')]", s.Storage.Account)},
				Properties: fileShare{s.Storage.QuotaGiB, "SMB", s.Storage.Tier},
			},
		},
		Outputs: map[string]output{
			"balancerAddress": {"string", fmt.Sprintf("[reference(%s).ipAddress]", bare("publicIPAddresses", s.PublicIP))},
			"drive":           {"string", "//" + s.Storage.Account + ".file.core.windows.net/" + s.Storage.Share},
		},
	}
}

func (s *Setup) networkResource(kind, name string, tier *sku, properties any, after ...string) resource {
	return resource{
		Type: "Microsoft.Network/" + kind, APIVersion: networkVersion, Name: name, Location: s.Location, SKU: tier,
		DependsOn: after, Properties: properties,
	}
}

// bare is the call that finds a resource of the network, id the same as an expression.
func bare(kind string, names ...string) string {
	call := "resourceId('Microsoft.Network/" + kind + "'"
	for _, name := range names {
		call += ", '" + name + "'"
	}
	return call + ")"
}

func id(kind string, names ...string) string { return "[" + bare(kind, names...) + "]" }

func (s *Setup) armBalancer() loadBalancer {
	lb := loadBalancer{
		Frontends: []child[frontend]{{s.Frontend, frontend{ref{id("publicIPAddresses", s.PublicIP)}}}},
		Pools:     []child[pool]{{Name: s.Pool}},
	}
	for _, m := range s.Machines {
		lb.Pools[0].Properties.Addresses = append(lb.Pools[0].Properties.Addresses, child[address]{m.Name, address{m.Address, ref{id("virtualNetworks", s.Network)}}})
	}
	for _, p := range s.Probes {
		lb.Probes = append(lb.Probes, child[armProbe]{p.Name, armProbe{
			Protocol: p.Protocol, Port: p.Port, Path: p.Path, Interval: p.IntervalSeconds, Threshold: p.Threshold, Count: p.Threshold,
			Nothing: "AllProbedDown",
		}})
	}
	for _, r := range s.Rules {
		lb.Rules = append(lb.Rules, child[armRule]{r.Name, armRule{
			Protocol: "Tcp", Frontend: ref{id("loadBalancers/frontendIPConfigurations", s.Balancer, s.Frontend)},
			FrontendPort: r.FrontendPort, BackendPort: r.BackendPort,
			Pools:        []ref{{id("loadBalancers/backendAddressPools", s.Balancer, s.Pool)}},
			Probe:        ref{id("loadBalancers/probes", s.Balancer, r.Probe)},
			Distribution: r.Distribution, Idle: r.IdleMinutes, Reset: r.TCPReset,
		}})
	}
	return lb
}

func (s *Setup) armSecurity() securityGroup {
	var g securityGroup
	for _, r := range s.SecurityRules {
		rule := securityRule{
			Description: r.Why, Priority: r.Priority, Direction: "Inbound", Access: r.Access, Protocol: "Tcp",
			SourcePort: "*", Port: strconv.Itoa(r.Port), Destination: "*",
		}
		if len(r.Sources) == 1 {
			rule.Source = r.Sources[0]
		} else {
			rule.Sources = r.Sources
		}
		g.Rules = append(g.Rules, child[securityRule]{r.Name, rule})
	}
	return g
}

func (s *Setup) fileService() resource {
	var service fileService
	service.Protocols.SMB.Versions = s.Storage.SMBVersions
	return resource{
		Type: "Microsoft.Storage/storageAccounts/fileServices", APIVersion: storageVersion, Name: s.Storage.Account + "/default",
		DependsOn:  []string{fmt.Sprintf("[resourceId('Microsoft.Storage/storageAccounts', '%s')]", s.Storage.Account)},
		Properties: service,
	}
}
