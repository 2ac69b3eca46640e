package config

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/hotcold/hotcold/hocon"
)

// handshakeLimit is how long a Corda node waits for a TLS handshake. Who was parked for longer has gone.
const handshakeLimit = 60 * time.Second

// checkBalancer holds the parts of the balancer against each other. It is done where a balancer was asked for; what was
// made of node.conf keeps no agent from starting.
func (d *decoder) checkBalancer(b Balancer, machines []Machine) {
	d.checkRules(b)
	d.checkAgents(b, machines)
	if v := d.cfg.At(balancerAt + ".parkTime"); written(v) && b.Nobody == NobodyPark && b.ParkTime > handshakeLimit {
		d.warn(v, "is more than "+handshakeLimit.String()+", after which a Corda peer gives up its TLS handshake: it will have gone when its turn comes")
	}
	if !d.front {
		return
	}
	if len(machines) == 0 {
		d.missing(machinesAt, "there are none: want those of the pair, as in { machine-a { address = 10.0.0.4 }, machine-b { address = 10.0.0.5 } }")
	}
	if len(b.Rules) == 0 {
		d.missing(rulesAt, "there are none, and node.conf has no ports: want one for each port of the service, as in { orders { port = 5432 } }")
	}
}

// checkRules holds each rule against the pool, the probes and the other rules.
func (d *decoder) checkRules(b Balancer) {
	var probes []string
	for _, p := range b.Probes {
		probes = append(probes, p.Name)
	}
	for i, r := range b.Rules {
		at := rulesAt + "." + pathName(r.Name)
		switch v := d.cfg.At(at + ".probe"); {
		case r.Probe == "" && (v.Kind() == hocon.Object || v.Kind() == hocon.List): // has its fault
		case r.Probe == "" && len(probes) == 0:
			d.missing(at+".probe", "there is no probe: want one under "+probesAt+", or an agent for each machine")
		case r.Probe == "":
			d.missing(at+".probe", "is not set: want "+oneOf(probes))
		case !slices.Contains(probes, r.Probe):
			d.failNear(at, "probe", "there is no probe %q%s", r.Probe, didYouMean(r.Probe, probes))
		}
		if r.Pool != b.Pool && r.Pool != "" {
			d.failNear(at, "pool", "there is no pool %q, want %s", r.Pool, b.Pool)
		}
		for _, other := range b.Rules[:i] {
			if r.Port != 0 && r.Port == other.Port && overlap(r.Frontend, other.Frontend) {
				d.failNear(at, "port", "clients would come in at port %d of %v, which is the frontend of %s; want another port or address, or %s = null",
					r.Port, r.Frontend, other.Name, rulesAt+"."+other.Name)
			}
		}
	}
}

// overlap says whether two frontends are one and the same for some client.
func overlap(a, b netip.Addr) bool {
	return a == b || a.Is4() == b.Is4() && (a.IsUnspecified() || b.IsUnspecified())
}

// failNear gathers a fault at a key of an object, or at the object where the key is a default.
func (d *decoder) failNear(object, key, format string, args ...any) {
	if v := d.cfg.At(object + "." + key); written(v) {
		d.fail(v.Errorf(format, args...))
		return
	}
	d.missing(object+"."+key, hocon.Value{}.Errorf(format, args...).Text)
}

// checkLeaseName wants the name by which the balancer knows that an agent is one of its pair.
func (d *decoder) checkLeaseName(c *Config) {
	asked := slices.ContainsFunc(c.Balancer.Probes, func(p BalancerProbe) bool { return p.Protocol == ProbeAgent })
	if asked && c.LeaseName == "" && !d.isWritten("hotcold.name") {
		d.missing("hotcold.name", "is not set and node.conf has no myLegalName; the balancer knows the agents of its pair by that name")
	}
}

// checkAgents refuses to believe an agent that anybody on the network could play.
func (d *decoder) checkAgents(b Balancer, machines []Machine) {
	if !slices.ContainsFunc(b.Probes, func(p BalancerProbe) bool { return p.Protocol == ProbeAgent }) {
		return
	}
	for _, m := range machines {
		host, _, err := net.SplitHostPort(m.Agent)
		path := machinesAt + "." + pathName(m.Name) + ".agent"
		switch v := d.cfg.At(path); {
		case err != nil || isLoopback(host):
		case b.Agents.CA == "":
			d.fail(v.Errorf("others could answer at this address in the agent's place: want %s.agents.ca, and agents.certificate with its key or agents.tokenFile", balancerAt))
		case b.Agents.Certificate == "" && b.Agents.Token.Empty() && !d.isWritten(balancerAt+".agents.tokenFile"):
			d.fail(v.Errorf("an agent that others can reach wants proof of who asks: want %s.agents.certificate with its key, or agents.tokenFile", balancerAt))
		}
	}
}
