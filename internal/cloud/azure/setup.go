package azure

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/hotcold/hotcold/internal/cloud"
	"github.com/hotcold/hotcold/internal/config"
)

// Setup is all that Azure is told.
type Setup struct {
	ResourceGroup, Location string
	// Network and Subnet are those of the machines.
	Network, Subnet string
	// Balancer, PublicIP, Frontend, Pool and SecurityGroup are names.
	Balancer, PublicIP, Frontend, Pool, SecurityGroup string
	Machines                                          []Machine
	Probes                                            []Probe
	Rules                                             []Rule
	SecurityRules                                     []SecurityRule
	Storage                                           Storage
	// Agents says whether the probes ask the agents.
	Agents bool
	// Directory is the node's base directory, Mount where the drive is mounted.
	Directory, Mount string
}

// Machine is one of the pool.
type Machine struct{ Name, Address string }

// Probe is a health probe.
type Probe struct {
	Name string
	// Protocol is Tcp, Http or Https.
	Protocol string
	Port     int
	// Path is asked for by Http and Https; empty for Tcp.
	Path            string `json:",omitempty"`
	IntervalSeconds int
	// Threshold is how many looks in a row change what is thought of a machine, both ways.
	Threshold int
}

// Rule is a load balancing rule.
type Rule struct {
	Name                      string
	FrontendPort, BackendPort int
	Probe                     string
	// Distribution is Default, SourceIP or SourceIPProtocol.
	Distribution string
	IdleMinutes  int
	TCPReset     bool
}

// SecurityRule lets somebody in, or keeps everybody out whom no rule before it lets in.
type SecurityRule struct {
	Name     string
	Priority int
	// Access is Allow or Deny.
	Access string
	// Sources are networks, one of Azure's service tags, or * for all.
	Sources []string
	Port    int
	// Why is for people.
	Why string
}

// Storage is the storage account with the file share.
type Storage struct {
	Account, Share string
	// Kind is StorageV2 or FileStorage, SKU Standard_ZRS and the like, Tier the share's access tier.
	Kind, SKU, Tier string
	SecureTransfer  bool
	QuotaGiB        int
	// SMBVersions are the protocols that the account lets in.
	SMBVersions string
}

// The defaults where nobody wrote a value: as quick as Azure allows.
const (
	interval  = 5 * time.Second
	threshold = 2
	// idle is far above Azure's 4 minutes, which would cut quiet peers off.
	idle = 30 * time.Minute
)

// probeSource is whom Azure's probes come from: 168.63.129.16.
const probeSource = "AzureLoadBalancer"

// New makes the set-up, and says all that Azure would refuse.
func New(p *cloud.Plan, file string) (*Setup, error) {
	f := cloud.NewFaults(p, file, "Azure")
	a := p.Cloud.Azure
	name := f.Form(p.Name, nameForm())
	s := &Setup{
		ResourceGroup: f.Form(cloud.Setting(p, at+"resourceGroup", a.ResourceGroup), groupForm()),
		Location:      f.Form(cloud.Setting(p, at+"location", a.Location), locationForm()),
		Network:       f.Form(cloud.Setting(p, at+"network", a.Network), resourceForm()),
		Subnet:        f.Form(cloud.Setting(p, at+"subnet", a.Subnet), resourceForm()),
		Balancer:      name + "-lb", PublicIP: name + "-ip", Frontend: name + "-frontend", SecurityGroup: name + "-nsg",
		Pool: f.Form(p.Pool, resourceForm()), Agents: p.Agents, Directory: p.Directory.Value, Mount: p.Mount.Value,
		Storage: storage(p, f),
	}
	for _, m := range p.Machines {
		s.Machines = append(s.Machines, Machine{m.Name, m.Address.String()})
	}
	for _, service := range p.Services {
		s.add(p, f, service, name)
	}
	if s.Agents {
		s.keepProbe()
	}
	return s, f.Err()
}

// at is where Azure's own settings stand.
const at = "hotcold.cloud.azure."

// add puts one service down: probe, rule, and who may come in.
func (s *Setup) add(p *cloud.Plan, f *cloud.Faults, service cloud.Service, name string) {
	probe := newProbe(p, f, service.Probe)
	if !slices.Contains(s.Probes, probe) {
		s.Probes = append(s.Probes, probe)
	}
	s.Rules = append(s.Rules, Rule{
		Name:         f.Form(named(service.Rule, name+"-lbr-"+service.Key), resourceForm()),
		FrontendPort: f.Number(service.Port, frontendPorts()), BackendPort: f.Number(service.BackendPort, ports()),
		Probe: probe.Name, Distribution: distribution(service.Persistence.Value),
		IdleMinutes: f.Span(cloud.Or(p, config.ProfileAzure, service.Idle, idle), idleTimeouts()),
		TCPReset:    cloud.Or(p, config.ProfileAzure, service.ResetOnIdle, true).Value,
	})
	s.allow(service.Key, service.BackendPort.Value, sources(service))
	s.allowProbe(probe)
}

// named is a value by another name, in the same place.
func named(v cloud.Of[string], name string) cloud.Of[string] {
	v.Value = name
	return v
}

func newProbe(p *cloud.Plan, f *cloud.Faults, v cloud.Probe) Probe {
	every := cloud.Or(p, config.ProfileAzure, v.Interval, interval)
	probe := Probe{
		Name: f.Form(v.Name, resourceForm()), Port: f.Number(v.Port, ports()),
		IntervalSeconds: f.Span(every, intervals()),
		Threshold:       f.Number(cloud.Or(p, config.ProfileAzure, v.Unhealthy, threshold), thresholds()),
	}
	if v.Healthy.Written() && v.Healthy.Value != probe.Threshold {
		f.Add(v.Healthy.Path, "Azure has one threshold for both ways, %d looks to be unhealthy; got %d to be healthy", probe.Threshold, v.Healthy.Value)
	}
	if limit := min(every.Value, maxProbeTimeout); v.Timeout.Written() && v.Timeout.Value != limit {
		f.Add(v.Timeout.Path, "Azure waits until the next look, at most %v, so %v here; got %v", maxProbeTimeout, limit, v.Timeout.Value)
	}
	switch v.Protocol.Value {
	case config.ProbeTCP:
		probe.Protocol = "Tcp"
	case config.ProbeHTTP, config.ProbeHTTPS:
		probe.Protocol, probe.Path = "Http", f.Form(v.Path, pathForm())
		if v.Protocol.Value == config.ProbeHTTPS {
			probe.Protocol = "Https"
		}
		if slices.Contains(barredPorts(), probe.Port) {
			f.Add(v.Port.Path, "Azure looks at no port of %v by HTTP, got %d", barredPorts(), probe.Port)
		}
	default:
		f.Add(v.Protocol.Path, "Azure shows no certificate and no key, so it cannot ask an agent like this; want TCP, HTTP or HTTPS, or hotcold.listen.probe for all of them")
	}
	return probe
}

func distribution(p config.Persistence) string {
	switch p {
	case config.PersistenceClientIP:
		return "SourceIP"
	case config.PersistenceClientIPProtocol:
		return "SourceIPProtocol"
	}
	return "Default"
}

// What a security rule does.
const (
	allow = "Allow"
	deny  = "Deny"
)

// firstPriority is that of the first security rule; the next ones follow in tens, so that a person finds room between.
const firstPriority = 200

func (s *Setup) allow(key string, port int, from []string) {
	if len(from) > 0 {
		s.rule(SecurityRule{Name: "allow-" + key, Sources: from, Port: port, Why: "clients of " + key})
	}
}

// allowProbe lets Azure's probes in. A rule of Azure's own does so already, at the end of every list; this one holds
// when somebody denies everything before it. All probes of agents are of one port.
func (s *Setup) allowProbe(p Probe) {
	name := p.Name
	if s.Agents {
		name = "hot"
	}
	s.rule(SecurityRule{Name: "allow-probe-" + name, Sources: []string{probeSource}, Port: p.Port, Why: "Azure's probes, from 168.63.129.16"})
}

// keepProbe keeps everybody else from the agents' port for probes: Azure's own rules would let the whole network in.
func (s *Setup) keepProbe() {
	s.rule(SecurityRule{Name: "deny-probe-hot", Access: deny, Sources: []string{"*"}, Port: s.Probes[0].Port, Why: "nobody but Azure's probes"})
}

func (s *Setup) rule(r SecurityRule) {
	for _, other := range s.SecurityRules {
		if other.Name == r.Name {
			return
		}
	}
	r.Priority, r.Access = firstPriority+10*len(s.SecurityRules), cmp.Or(r.Access, allow)
	s.SecurityRules = append(s.SecurityRules, r)
}

func sources(service cloud.Service) []string {
	var texts []string
	for _, prefix := range service.From {
		if prefix.Bits() == 0 {
			return []string{"Internet"}
		}
		texts = append(texts, prefix.String())
	}
	return texts
}

// storage is the account and its share.
func storage(p *cloud.Plan, f *cloud.Faults) Storage {
	const at = at + "storage."
	v := p.Cloud.Azure.Storage
	s := Storage{
		Share: f.Form(cloud.Setting(p, at+"share", v.Share), shareForm()), Kind: v.Kind,
		SecureTransfer: v.SecureTransfer, SMBVersions: "SMB3.0;SMB3.1.1",
	}
	if v.Account == "" {
		f.Add(at+"account", "want a name for the storage account, which no other account of Azure has: 3 to 24 lower-case letters and digits")
	} else {
		s.Account = f.Form(cloud.Setting(p, at+"account", v.Account), accountForm())
	}
	if !v.SecureTransfer {
		s.SMBVersions = "SMB2.1;SMB3.0;SMB3.1.1"
	}
	const gib = 1 << 30
	quota := cloud.Of[int]{Value: int(v.QuotaBytes / gib), Path: at + "quota"}
	if v.QuotaBytes%gib != 0 {
		f.Add(quota.Path, "Azure takes whole GiB, got %d bytes", v.QuotaBytes)
	}
	switch v.Kind {
	case "StorageV2":
		s.SKU, s.Tier = "Standard_"+v.Redundancy, "TransactionOptimized"
		s.QuotaGiB = f.Number(quota, standardQuota())
	case "FileStorage":
		s.SKU, s.Tier = "Premium_"+v.Redundancy, "Premium"
		s.QuotaGiB = f.Number(quota, premiumQuota())
		if v.Redundancy == "GRS" {
			f.Add(at+"redundancy", "a premium account has LRS or ZRS, got GRS")
		}
	default:
		f.Add(at+"kind", "want StorageV2 or FileStorage, got %q: the node's files are on a file share, and accounts for blobs have none", v.Kind)
	}
	return s
}

// Warnings are what a person should know although Azure takes it.
func (s *Setup) Warnings() []string {
	var all []string
	if s.Storage.SKU == "Standard_LRS" || s.Storage.SKU == "Premium_LRS" {
		all = append(all, "the drive is kept in one data centre (LRS): if that is lost, so are the files, and no machine can take over; ZRS keeps three copies in three zones")
	}
	if !s.Storage.SecureTransfer {
		all = append(all, "secure transfer is off: the drive's traffic and the account's key can be read on the network")
	}
	for _, p := range s.Probes {
		if p.Protocol == "Tcp" {
			all = append(all, fmt.Sprintf("the probe %s sees an open port, and not who holds the lease; Azure keeps the connections to a machine that it finds unhealthy, and it is the agent that ends them. With hotcold.listen.probe it asks the agents instead", p.Name))
			break
		}
	}
	return all
}

// Detection is how long it takes at most until every probe has found that a machine is hot no longer, or is hot.
func (s *Setup) Detection() (down, up time.Duration) {
	for _, p := range s.Probes {
		every := time.Duration(p.IntervalSeconds) * time.Second
		up = max(up, time.Duration(p.Threshold)*every)
		down = max(down, time.Duration(p.Threshold)*every+min(every, maxProbeTimeout))
	}
	return down, up
}

// Credentials is the file on the machines that has the account's name and key.
func (s *Setup) Credentials() string { return "/etc/smbcredentials/" + s.Storage.Account + ".cred" }
