package balancer

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
)

// Options are what a Balancer needs.
type Options struct {
	// Lease is the name of the pair's lease. The word of an agent that speaks of another one is not heard.
	Lease string
	// Machines are the two of the pair (one is allowed); an Agent address is needed where agents are asked.
	Machines []config.Machine
	// Config are the probes, the rules and the manners. Its DataPath, Listen, User and AccessLog are the caller's.
	Config config.Balancer
	// Takeover is how long the next takeover may take by the lease's own numbers, the node's start left out; it is
	// logged beside what the probes need at worst. Zero: not known.
	Takeover time.Duration
	// Past is that of the balancer whose place this one takes; nil where there was none.
	Past *Past
	// Path moves the bytes. Run runs it; nobody else may.
	Path Path
	// Listening, where it is set, is called by Run once, when the data path has its rules and before any traffic goes
	// anywhere: the time to give up privileges. An error ends Run.
	Listening func() error
	// Published, where it is set, is called whenever there is a new Snapshot to be had. It must not block.
	Published func()
	Clock     clock.Clock
	Log       *slog.Logger
}

// AsksAgents tells whether an agent's word is what elects: the profile is that of a pair, and a rule's probe is of the
// kind agent. Where it is not, the machines are known by their looks alone.
func (o Options) AsksAgents() bool {
	if o.Config.Profile != config.ProfilePair {
		return false
	}
	for _, r := range o.Config.Rules {
		if p, ok := o.probe(r.Probe); ok && p.Protocol == config.ProbeAgent {
			return true
		}
	}
	return false
}

// probe finds a probe by its name.
func (o Options) probe(name string) (config.BalancerProbe, bool) {
	for _, p := range o.Config.Probes {
		if p.Name == name {
			return p, true
		}
	}
	return config.BalancerProbe{}, false
}

// used are the probes that a rule has, in the order of the configuration. A probe that no rule has is not looked with.
func (o Options) used() []config.BalancerProbe {
	var used []config.BalancerProbe
	for _, p := range o.Config.Probes {
		for _, r := range o.Config.Rules {
			if r.Probe == p.Name {
				used = append(used, p)
				break
			}
		}
	}
	return used
}

// looks tells whether a probe looks at the machines. In the profile of a pair one that asks an agent hears it instead.
func (o Options) looks(p config.BalancerProbe) bool {
	return p.Protocol != config.ProbeAgent || o.Config.Profile != config.ProfilePair
}

// agentProbe says how agents are heard: as the first probe that asks one says.
func (o Options) agentProbe() config.BalancerProbe {
	for _, p := range o.used() {
		if p.Protocol == config.ProbeAgent {
			return p
		}
	}
	return config.BalancerProbe{}
}

// ready checks the options and what they name.
func (o Options) ready() (*access, error) {
	a, err := readAccess(o.Config.Agents)
	err = errors.Join(o.check(), err)
	if err != nil {
		return a, err
	}
	for _, m := range o.Machines {
		for _, p := range o.used() {
			if _, fault := newLook(p, m, a); fault != nil {
				err = errors.Join(err, fmt.Errorf("hotcold.balancer.probes.%s: %w", p.Name, fault))
			}
		}
	}
	return a, err
}

// check says all that is wrong with the options.
func (o Options) check() error {
	var faults []error
	say := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.Path == nil || o.Clock == nil || o.Log == nil {
		say("Path, Clock and Log are all needed")
	}
	switch o.Config.Profile {
	case config.ProfilePair, config.ProfileAzure, config.ProfileAWSClassic:
	default:
		say("hotcold.balancer.profile %q: want pair, azure or aws-classic", o.Config.Profile)
	}
	if o.AsksAgents() && o.Lease == "" {
		say("the name of the lease is needed where agents are asked")
	}
	faults = append(faults, o.checkMachines()...)
	faults = append(faults, o.checkProbes()...)
	faults = append(faults, o.checkRules()...)
	if n := o.Config.Nobody; n != config.NobodyPark && n != config.NobodyRefuse {
		say("hotcold.balancer.nobody %q: want park or refuse", n)
	}
	if w := o.Config.Old; w != config.OldCut && w != config.OldDrain && w != config.OldKeep {
		say("hotcold.balancer.old %q: want cut, drain or keep", w)
	}
	if o.Config.Nobody == config.NobodyPark && (o.Config.ParkLimit < 1 || o.Config.ParkTime <= 0) {
		say("hotcold.balancer.parkLimit and parkTime: a limit of %d clients and a time of %v: both have to be more than nothing",
			o.Config.ParkLimit, o.Config.ParkTime)
	}
	if o.Config.Old == config.OldDrain && o.Config.Drain <= 0 {
		say("hotcold.balancer.drain: %v: a drain needs a time", o.Config.Drain)
	}
	return errors.Join(faults...)
}

func (o Options) checkMachines() (faults []error) {
	say := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if n := len(o.Machines); n < 1 || n > maxMachines {
		say("hotcold.machines: %d machines: a pair has two", n)
	}
	names, addresses := map[string]bool{}, map[netip.Addr]string{}
	for _, m := range o.Machines {
		if m.Name == "" || names[m.Name] {
			say("hotcold.machines.%s: every machine needs a name of its own", m.Name)
		}
		names[m.Name] = true
		switch other, taken := addresses[m.Address]; {
		case !m.Address.IsValid() || m.Address.IsUnspecified():
			say("hotcold.machines.%s.address: the address of its node is needed", m.Name)
		case taken:
			say("hotcold.machines.%s.address: %v is the address of %s", m.Name, m.Address, other)
		default:
			addresses[m.Address] = m.Name
		}
		if err := o.checkAgent(m); err != nil {
			faults = append(faults, err)
		}
	}
	return faults
}

// checkAgent looks at how a machine's agent is asked, where it is.
func (o Options) checkAgent(m config.Machine) error {
	asked := false
	for _, p := range o.used() {
		asked = asked || p.Protocol == config.ProbeAgent
	}
	if !asked {
		return nil
	}
	host, port, err := net.SplitHostPort(m.Agent)
	if err != nil || host == "" || port == "" {
		return fmt.Errorf("hotcold.machines.%s.agent %q: want host:port, since a rule's probe asks the agent", m.Name, m.Agent)
	}
	if o.Config.Agents.CA == "" && !loopback(host) {
		return fmt.Errorf("hotcold.machines.%s.agent %q: between machines an agent has to prove itself: set hotcold.balancer.agents.ca",
			m.Name, m.Agent)
	}
	return nil
}

func (o Options) checkProbes() (faults []error) {
	say := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	a := o.Config.Agents
	if (a.Certificate == "") != (a.Key == "") {
		say("hotcold.balancer.agents: a certificate and its key are needed, one alone is of no use")
	}
	if a.CA == "" && a.Certificate != "" {
		say("hotcold.balancer.agents.ca: a certificate is shown over TLS only, and that needs to know whom to believe")
	}
	names := map[string]bool{}
	for _, p := range o.Config.Probes {
		place := "hotcold.balancer.probes." + p.Name
		if p.Name == "" || names[p.Name] {
			say("%s: every probe needs a name of its own", place)
		}
		names[p.Name] = true
		switch p.Protocol {
		case config.ProbeTCP, config.ProbeHTTP, config.ProbeHTTPS:
			if p.Port < 1 || p.Port > 65535 {
				say("%s.port: %d is none", place, p.Port)
			}
		case config.ProbeAgent:
		default:
			say("%s.protocol %q: want TCP, HTTP, HTTPS or agent", place, p.Protocol)
		}
		if web := p.Protocol == config.ProbeHTTP || p.Protocol == config.ProbeHTTPS; web && (p.Path == "" || p.Path[0] != '/') {
			say("%s.path %q: want a path that begins with /", place, p.Path)
		}
		if p.Interval <= 0 || p.Timeout <= 0 || p.Fast < 0 {
			say("%s: an interval of %v, %v while in doubt and a timeout of %v: they have to be positive", place, p.Interval, p.Fast, p.Timeout)
		}
		if p.Unhealthy < 1 || p.Healthy < 1 {
			say("%s: thresholds of %d failures and %d successes: each has to be 1 or more", place, p.Unhealthy, p.Healthy)
		}
	}
	return faults
}

func (o Options) checkRules() (faults []error) {
	say := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(o.Config.Rules) == 0 {
		say("hotcold.balancer.rules: there is no rule, so nothing would be balanced")
	}
	names, places := map[string]bool{}, map[netip.AddrPort]string{}
	for _, r := range o.Config.Rules {
		place := "hotcold.balancer.rules." + r.Name
		if r.Name == "" || names[r.Name] {
			say("%s: every rule needs a name of its own", place)
		}
		names[r.Name] = true
		if r.Port < 1 || r.Port > 65535 || r.BackendPort < 1 || r.BackendPort > 65535 {
			say("%s: port %d and backendPort %d: want 1 to 65535", place, r.Port, r.BackendPort)
		}
		if !r.Frontend.IsValid() {
			say("%s.frontend: an address is needed; 0.0.0.0 or :: is all of them", place)
		}
		front := netip.AddrPortFrom(r.Frontend, uint16(r.Port))
		if other, taken := places[front]; taken {
			say("%s: %v is the frontend of rule %s", place, front, other)
		}
		places[front] = r.Name
		if _, ok := o.probe(r.Probe); !ok {
			say("%s.probe: there is no probe %q", place, r.Probe)
		}
		if r.ProxyOut < 0 || r.ProxyOut > 2 {
			say("%s.proxyOut: there is no version %d", place, r.ProxyOut)
		}
	}
	return faults
}

// group is whom a rule moves with. The rules of a pair all move together; a cloud knows nothing of a service, and
// there the rules of one probe do, because they cannot do otherwise.
func (o Options) group(r config.BalancerRule) string {
	if o.Config.Profile == config.ProfilePair {
		return ""
	}
	return r.Probe
}

// groups are all that there are, in the order of the rules.
func (o Options) groups() []string {
	var groups []string
	seen := map[string]bool{}
	for _, r := range o.Config.Rules {
		if g := o.group(r); !seen[g] {
			seen[g] = true
			groups = append(groups, g)
		}
	}
	return groups
}

// Setup is what the path is told.
func (o Options) Setup() Setup {
	c := o.Config
	s := Setup{Park: c.Nobody == config.NobodyPark, ParkLimit: c.ParkLimit, ParkTime: c.ParkTime, Old: o.old()}
	for _, r := range c.Rules {
		s.Rules = append(s.Rules, Rule{
			Name: r.Name, Group: o.group(r),
			Frontend: netip.AddrPortFrom(r.Frontend, uint16(r.Port)), BackendPort: uint16(r.BackendPort),
			IdleTimeout: r.IdleTimeout, ResetOnIdle: r.ResetOnIdle,
			ProxyIn: r.ProxyIn, ProxyOut: r.ProxyOut,
			MaxConnections: r.MaxConnections, MaxPerSource: r.MaxPerSource,
			Allow: r.Allow, Deny: r.Deny,
		})
	}
	return s
}

// old is what the configuration says of old connections.
func (o Options) old() Old {
	switch o.Config.Old {
	case config.OldKeep:
		return Old{Keep: true}
	case config.OldDrain:
		return Old{Drain: o.Config.Drain}
	}
	return Old{}
}

// loopback tells whether only this machine can be meant. A name other than localhost could be anything by the time it
// is looked up.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
