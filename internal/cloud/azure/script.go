package azure

import (
	"strconv"

	"github.com/hotcold/hotcold/internal/cloud"
)

// Script writes the set-up as commands of `az`. Each can be run again: Azure makes what is not there, and sets what is.
func (s *Setup) Script() cloud.File {
	f := cloud.NewScript("The pair's balancer and drive in Azure, by the commands of the Azure CLI. Written by\n" +
		"`hotcold render azure --format az`. Safe to run again. It wants `az login` beforehand, and the\n" +
		"resource group and the network of the machines.")
	f.Line("", "group="+cloud.Quote(s.ResourceGroup), "location="+cloud.Quote(s.Location), "balancer="+cloud.Quote(s.Balancer),
		"pool="+cloud.Quote(s.Pool), "security="+cloud.Quote(s.SecurityGroup), "account="+cloud.Quote(s.Storage.Account))
	s.scriptBalancer(f)
	s.scriptSecurity(f)
	s.scriptDrive(f)
	f.Part("The host of p2pAddress, on both machines.")
	f.Run("", az("network", "public-ip", "show", "--resource-group", cloud.Raw(`"$group"`), "--name", s.PublicIP, "--query", "ipAddress", "--output", "tsv"), "")
	return cloud.File{Name: "setup.sh", Mode: 0o755, Text: f.String()}
}

// az is a command of the Azure CLI that prints nothing unless it says otherwise.
func az(words ...any) []any { return append([]any{"az"}, words...) }

func grouped(words ...any) []any {
	return append(az(words...), "--resource-group", cloud.Raw(`"$group"`), "--output", "none")
}

func (s *Setup) scriptBalancer(f *cloud.Script) {
	lb := func(words ...any) []any { return append(grouped(words...), "--lb-name", cloud.Raw(`"$balancer"`)) }
	f.Part("The address that the node advertises: it has to stay the same.")
	f.Run("", append(grouped("network", "public-ip", "create", "--name", s.PublicIP), "--location", cloud.Raw(`"$location"`), "--sku", "Standard", "--allocation-method", "Static"), "")
	f.Part("The balancer, with both machines in its pool.")
	f.Run("", append(grouped("network", "lb", "create", "--name", cloud.Raw(`"$balancer"`)), "--location", cloud.Raw(`"$location"`), "--sku", "Standard",
		"--public-ip-address", s.PublicIP, "--frontend-ip-name", s.Frontend, "--backend-pool-name", cloud.Raw(`"$pool"`)), "")
	for _, m := range s.Machines {
		f.Run("", append(lb("network", "lb", "address-pool", "address", "add", "--pool-name", cloud.Raw(`"$pool"`)), "--name", m.Name,
			"--vnet", s.Network, "--ip-address", m.Address), "")
	}
	f.Part("How Azure finds out which machine is hot.")
	for _, p := range s.Probes {
		words := append(lb("network", "lb", "probe", "create", "--name", p.Name), "--protocol", p.Protocol, "--port", strconv.Itoa(p.Port))
		if p.Path != "" {
			words = append(words, "--path", p.Path)
		}
		f.Run("", append(words, "--interval", strconv.Itoa(p.IntervalSeconds), "--probe-threshold", strconv.Itoa(p.Threshold)), "")
	}
	f.Part("What goes to the hot machine.")
	for _, r := range s.Rules {
		f.Run("", append(lb("network", "lb", "rule", "create", "--name", r.Name), "--protocol", "Tcp", "--frontend-ip-name", s.Frontend,
			"--frontend-port", strconv.Itoa(r.FrontendPort), "--backend-port", strconv.Itoa(r.BackendPort), "--backend-pool-name", cloud.Raw(`"$pool"`),
			"--probe-name", r.Probe, "--load-distribution", r.Distribution, "--idle-timeout", strconv.Itoa(r.IdleMinutes), "--enable-tcp-reset", strconv.FormatBool(r.TCPReset)), "")
	}
}

func (s *Setup) scriptSecurity(f *cloud.Script) {
	f.Part("Who may come in. What no rule names, the RPC admin port first of all, stays inside of the network.")
	f.Run("", append(grouped("network", "nsg", "create", "--name", cloud.Raw(`"$security"`)), "--location", cloud.Raw(`"$location"`)), "")
	for _, r := range s.SecurityRules {
		words := append(grouped("network", "nsg", "rule", "create", "--nsg-name", cloud.Raw(`"$security"`), "--name", r.Name), "--description", r.Why,
			"--priority", strconv.Itoa(r.Priority), "--direction", "Inbound", "--access", r.Access, "--protocol", "Tcp", "--source-address-prefixes")
		for _, source := range r.Sources {
			words = append(words, source)
		}
		f.Run("", append(words, "--destination-port-ranges", strconv.Itoa(r.Port)), "")
	}
	f.Run("", append(grouped("network", "vnet", "subnet", "update", "--vnet-name", s.Network, "--name", s.Subnet), "--network-security-group", cloud.Raw(`"$security"`)), "")
}

func (s *Setup) scriptDrive(f *cloud.Script) {
	f.Part("The drive that both machines share.")
	f.Run("", append(grouped("storage", "account", "create", "--name", cloud.Raw(`"$account"`)), "--location", cloud.Raw(`"$location"`), "--kind", s.Storage.Kind,
		"--sku", s.Storage.SKU, "--https-only", strconv.FormatBool(s.Storage.SecureTransfer), "--min-tls-version", "TLS1_2",
		"--allow-blob-public-access", "false", "--allow-shared-key-access", "true"), "")
	f.Run("", append(grouped("storage", "account", "file-service-properties", "update", "--account-name", cloud.Raw(`"$account"`)), "--versions", s.Storage.SMBVersions), "")
	f.Run("", append(grouped("storage", "share-rm", "create", "--storage-account", cloud.Raw(`"$account"`), "--name", s.Storage.Share),
		"--quota", strconv.Itoa(s.Storage.QuotaGiB), "--access-tier", s.Storage.Tier, "--enabled-protocols", "SMB"), "")
}
