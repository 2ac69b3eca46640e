package azure

import (
	"strconv"
	"strings"

	"github.com/hotcold/hotcold/internal/cloud"
	"github.com/hotcold/hotcold/internal/cloud/terraform"
)

// Terraform writes the set-up for Terraform and OpenTofu, with the provider azurerm of version 4.
func (s *Setup) Terraform() cloud.File {
	f := terraform.New("The pair's balancer and drive in Azure. Written by `hotcold render azure --format terraform`;\n" +
		"what is changed here by hand is told by `hotcold render --check`.")
	t := f.Block("terraform")
	t.Set("required_version", ">= 1.3")
	t.Block("required_providers").Set("azurerm", [][2]string{{"source", "hashicorp/azurerm"}, {"version", "~> 4.0"}})
	f.Block("provider", "azurerm").Block("features")
	s.network(f)
	s.balancer(f)
	for _, p := range s.Probes {
		probeBlock(f, p)
	}
	for _, r := range s.Rules {
		ruleBlock(f, r, s.Frontend)
	}
	s.security(f)
	s.drive(f)
	s.outputs(f)
	return cloud.File{Name: "main.tf", Mode: 0o644, Text: f.String()}
}

func (s *Setup) network(f *terraform.File) {
	f.Comment("The network of the machines is there already.")
	f.Block("data", "azurerm_resource_group", "pair").Set("name", s.ResourceGroup)
	f.Block("data", "azurerm_virtual_network", "pair").Set("name", s.Network).Set("resource_group_name", terraform.Ref("data.azurerm_resource_group.pair.name"))
	f.Block("data", "azurerm_subnet", "pair").Set("name", s.Subnet).Set("virtual_network_name", terraform.Ref("data.azurerm_virtual_network.pair.name")).
		Set("resource_group_name", terraform.Ref("data.azurerm_resource_group.pair.name"))
}

// located are the arguments that place a resource.
func (s *Setup) located(b terraform.Body, name string) terraform.Body {
	return b.Set("name", name).Set("resource_group_name", terraform.Ref("data.azurerm_resource_group.pair.name")).Set("location", s.Location)
}

func (s *Setup) balancer(f *terraform.File) {
	f.Comment("The address that the node advertises: it has to stay the same.")
	s.located(f.Block("resource", "azurerm_public_ip", "pair"), s.PublicIP).Set("allocation_method", "Static").Set("sku", "Standard")
	lb := s.located(f.Block("resource", "azurerm_lb", "pair"), s.Balancer).Set("sku", "Standard")
	lb.Block("frontend_ip_configuration").Set("name", s.Frontend).Set("public_ip_address_id", terraform.Ref("azurerm_public_ip.pair.id"))
	f.Block("resource", "azurerm_lb_backend_address_pool", "pair").Set("name", s.Pool).Set("loadbalancer_id", terraform.Ref("azurerm_lb.pair.id"))
	for _, m := range s.Machines {
		f.Block("resource", "azurerm_lb_backend_address_pool_address", label(m.Name)).Set("name", m.Name).
			Set("backend_address_pool_id", terraform.Ref("azurerm_lb_backend_address_pool.pair.id")).
			Set("virtual_network_id", terraform.Ref("data.azurerm_virtual_network.pair.id")).Set("ip_address", m.Address)
	}
}

// label makes a name of Terraform's of a name of ours.
func label(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "-", "_"), ".", "_")
}

func probeBlock(f *terraform.File, p Probe) {
	b := f.Block("resource", "azurerm_lb_probe", label(p.Name)).Set("name", p.Name).Set("loadbalancer_id", terraform.Ref("azurerm_lb.pair.id")).
		Set("protocol", p.Protocol).Set("port", p.Port)
	if p.Path != "" {
		b.Set("request_path", p.Path)
	}
	b.Set("interval_in_seconds", p.IntervalSeconds).Set("probe_threshold", p.Threshold)
}

func ruleBlock(f *terraform.File, r Rule, frontend string) {
	f.Block("resource", "azurerm_lb_rule", label(r.Name)).Set("name", r.Name).Set("loadbalancer_id", terraform.Ref("azurerm_lb.pair.id")).
		Set("protocol", "Tcp").Set("frontend_ip_configuration_name", frontend).Set("frontend_port", r.FrontendPort).Set("backend_port", r.BackendPort).
		Set("backend_address_pool_ids", []terraform.Ref{"azurerm_lb_backend_address_pool.pair.id"}).
		Set("probe_id", terraform.Ref("azurerm_lb_probe."+label(r.Probe)+".id")).
		Set("load_distribution", r.Distribution).Set("idle_timeout_in_minutes", r.IdleMinutes).Set("tcp_reset_enabled", r.TCPReset)
}

func (s *Setup) security(f *terraform.File) {
	f.Comment("Who may come in. What no rule names, the RPC admin port first of all, stays inside of the network.")
	s.located(f.Block("resource", "azurerm_network_security_group", "pair"), s.SecurityGroup)
	for _, r := range s.SecurityRules {
		f.Comment(r.Why)
		b := f.Block("resource", "azurerm_network_security_rule", label(r.Name)).Set("name", r.Name).
			Set("resource_group_name", terraform.Ref("data.azurerm_resource_group.pair.name")).
			Set("network_security_group_name", terraform.Ref("azurerm_network_security_group.pair.name")).
			Set("priority", r.Priority).Set("direction", "Inbound").Set("access", r.Access).Set("protocol", "Tcp").Set("source_port_range", "*")
		if len(r.Sources) == 1 {
			b.Set("source_address_prefix", r.Sources[0])
		} else {
			b.Set("source_address_prefixes", r.Sources)
		}
		b.Set("destination_port_range", strconv.Itoa(r.Port)).Set("destination_address_prefix", "*")
	}
	f.Block("resource", "azurerm_subnet_network_security_group_association", "pair").Set("subnet_id", terraform.Ref("data.azurerm_subnet.pair.id")).
		Set("network_security_group_id", terraform.Ref("azurerm_network_security_group.pair.id"))
}

func (s *Setup) drive(f *terraform.File) {
	tier, redundancy, _ := strings.Cut(s.Storage.SKU, "_")
	f.Comment("The drive that both machines share.")
	a := s.located(f.Block("resource", "azurerm_storage_account", "drive"), s.Storage.Account).Set("account_kind", s.Storage.Kind).
		Set("account_tier", tier).Set("account_replication_type", redundancy).
		Set("https_traffic_only_enabled", s.Storage.SecureTransfer).Set("min_tls_version", "TLS1_2").
		Set("allow_nested_items_to_be_public", false).Set("shared_access_key_enabled", true)
	a.Block("share_properties").Block("smb").Set("versions", strings.Split(s.Storage.SMBVersions, ";"))
	f.Block("resource", "azurerm_storage_share", "drive").Set("name", s.Storage.Share).Set("storage_account_id", terraform.Ref("azurerm_storage_account.drive.id")).
		Set("enabled_protocol", "SMB").Set("access_tier", s.Storage.Tier).Set("quota", s.Storage.QuotaGiB).
		Block("lifecycle").Set("prevent_destroy", true)
}

func (s *Setup) outputs(f *terraform.File) {
	f.Block("output", "balancer_address").Set("description", "the host of p2pAddress on both machines").Set("value", terraform.Ref("azurerm_public_ip.pair.ip_address"))
	f.Block("output", "drive").Set("description", "what both machines mount").
		Set("value", "//"+s.Storage.Account+".file.core.windows.net/"+s.Storage.Share)
}
