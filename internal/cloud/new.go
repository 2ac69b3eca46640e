package cloud

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hotcold/hotcold/internal/config"
)

// Options are what a Plan is made of.
type Options struct {
	// Machines, Balancer and Cloud are those of the configuration, and Probe its Listen.Probe.
	Machines []config.Machine
	Balancer config.Balancer
	Cloud    config.Cloud
	Probe    string
	// Where says where a setting was written; the zero Pos where it was not.
	Where func(path string) config.Pos
	// File is the configuration, for faults of what nobody wrote.
	File string
}

// OptionsOf are those of a configuration.
func OptionsOf(c *config.Config) Options {
	return Options{Machines: c.Machines, Balancer: c.Balancer, Cloud: c.Cloud, Probe: c.Listen.Probe, Where: c.Where, File: c.File}
}

// New makes the plan, and refuses what no cloud could do.
func New(o Options) (*Plan, error) {
	p := &Plan{
		Machines: o.Machines, Binary: o.Cloud.Binary, Profile: o.Balancer.Profile, Cloud: o.Cloud,
		Agents: o.Cloud.Probe == config.CloudProbeAgent, where: o.Where,
	}
	p.Name = Setting(p, "hotcold.cloud.name", o.Cloud.Name)
	p.Pool = Setting(p, "hotcold.balancer.pool", o.Balancer.Pool)
	p.Mount = Setting(p, "hotcold.cloud.mount", o.Cloud.Mount)
	p.Directory = Setting(p, "hotcold.cloud.directory", o.Cloud.Directory)
	f := NewFaults(p, o.File, "a cloud")
	probes := map[string]Probe{}
	for _, b := range o.Balancer.Probes {
		probes[b.Name] = p.probe(b)
	}
	ask := func(v Probe) Probe { return v }
	if p.Agents {
		ask = p.agents(f, o.Probe)
	}
	for _, r := range o.Balancer.Rules {
		s := p.service(f, r, probes[r.Probe], o.Cloud)
		s.Probe = ask(s.Probe)
		p.Services = append(p.Services, s)
	}
	p.check(f)
	return p, f.Err()
}

// hotPath is what an agent answers, and with 200 on the hot machine only.
const hotPath = "/hot"

// agents turns probes of the node's ports into questions to the agent, as often and as patient as before.
func (p *Plan) agents(f *Faults, listen string) func(Probe) Probe {
	const at = "hotcold.listen.probe"
	host, port, err := net.SplitHostPort(listen)
	number, bad := strconv.Atoi(port)
	ip, other := netip.ParseAddr(host)
	switch {
	case listen == "":
		f.Add("hotcold.cloud.probe", "the agents answer no cloud's probe: want %s, as in 0.0.0.0:4655, or node here", at)
	case err != nil || bad != nil || number == 0:
		f.Add(at, "want a port that the probes can be told, got %q", listen)
	case host == "localhost" || other == nil && ip.IsLoopback():
		f.Add(at, "want an address that the cloud's balancer reaches, as in 0.0.0.0:4655, got %q", listen)
	}
	return func(v Probe) Probe {
		v.Protocol = Of[config.ProbeProtocol]{config.ProbeHTTP, at, p.At(at)}
		v.Port, v.Path = Of[int]{number, at, p.At(at)}, Of[string]{hotPath, at, p.At(at)}
		return v
	}
}

func (p *Plan) probe(b config.BalancerProbe) Probe {
	at := "hotcold.balancer.probes." + b.Name
	return Probe{
		Name:     Of[string]{b.Name, at, p.At(at)},
		Protocol: Setting(p, at+".protocol", b.Protocol),
		Port:     Setting(p, at+".port", b.Port),
		Path:     Setting(p, at+".path", b.Path),
		Interval: Setting(p, at+".interval", b.Interval), Timeout: Setting(p, at+".timeout", b.Timeout),
		Unhealthy: Setting(p, at+".unhealthy", b.Unhealthy), Healthy: Setting(p, at+".healthy", b.Healthy),
	}
}

func (p *Plan) service(f *Faults, r config.BalancerRule, probe Probe, c config.Cloud) Service {
	at := "hotcold.balancer.rules." + r.Name
	s := Service{
		Key: p.key(r), HTTP: r.Traffic == config.TrafficWeb && probe.Protocol.Value == config.ProbeHTTP, Rule: Of[string]{r.Name, at, p.At(at)}, Traffic: r.Traffic, Probe: probe,
		Port: Setting(p, at+".port", r.Port), BackendPort: Setting(p, at+".backendPort", r.BackendPort),
		Persistence: Setting(p, at+".persistence", r.Persistence),
		Idle:        Setting(p, at+".idleTimeout", r.IdleTimeout), ResetOnIdle: Setting(p, at+".resetOnIdle", r.ResetOnIdle),
		From: from(r, c),
	}
	if r.Probe != "" && probe.Name.Value == "" {
		f.Add(at+".probe", "there is no probe %q", r.Probe)
	}
	if r.ProxyIn || r.ProxyOut != 0 {
		f.Add(at, "a PROXY header is between hotcold's own balancer and the node; leave it out to render for a cloud")
	}
	if len(r.Deny) > 0 {
		f.Add(at+".deny", "a cloud's firewall is written as who may come in; say that with allow")
	}
	return s
}

// key ends the names of a rule: its traffic, or its own name without what begins it already.
func (p *Plan) key(r config.BalancerRule) string {
	if r.Traffic != config.TrafficOther {
		return string(r.Traffic)
	}
	return strings.TrimPrefix(r.Name, p.Name.Value+"-lbr-")
}

// from is who may come in: what the rule says itself comes first.
func from(r config.BalancerRule, c config.Cloud) []netip.Prefix {
	switch {
	case len(r.Allow) > 0:
		return r.Allow
	case r.Traffic == config.TrafficP2P:
		return c.P2PFrom
	case r.Traffic == config.TrafficRPC:
		return c.RPCFrom
	}
	return c.WebFrom
}

// check refuses what makes no pair behind one balancer.
func (p *Plan) check(f *Faults) {
	switch {
	case len(p.Machines) != 2:
		f.Add("hotcold.machines", "want the two machines of the pair, got %d", len(p.Machines))
	case p.Machines[0].Address == p.Machines[1].Address:
		f.Add("hotcold.machines", "both machines have the address %v", p.Machines[0].Address)
	}
	for _, m := range p.Machines {
		if !m.Address.IsValid() {
			f.Add("hotcold.machines."+m.Name+".address", "want the machine's private address")
		}
		f.Form(Of[string]{m.Name, "hotcold.machines." + m.Name, p.At("hotcold.machines." + m.Name)}, HostName())
	}
	if len(p.Services) == 0 {
		f.Add("hotcold.balancer.rules", "there is no rule, so clients could reach nothing")
	}
	keys, ports := map[string]bool{}, map[int]bool{}
	for _, s := range p.Services {
		if keys[s.Key] {
			f.Add(s.Rule.Path, "another rule is called %s already", s.Key)
		}
		if ports[s.Port.Value] {
			f.Add(s.Port.Path, "another rule has the port %d already", s.Port.Value)
		}
		if p.Agents && s.BackendPort.Value == s.Probe.Port.Value {
			f.Add(s.Probe.Port.Path, "the node has the port %d itself, for the rule %s", s.Probe.Port.Value, s.Rule.Value)
		}
		keys[s.Key], ports[s.Port.Value] = true, true
	}
	if c := p.Binary; (c.URL == "") != (c.SHA256 == "") {
		f.Add("hotcold.cloud.binary", "url and sha256 go together: what is fetched without being compared could be anything")
	} else if c.SHA256 != "" {
		f.Form(Setting(p, "hotcold.cloud.binary.sha256", c.SHA256), sha256Form())
	}
	f.Form(p.Mount, directoryForm())
	f.Form(p.Directory, directoryForm())
}
