package haproxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hotcold/hotcold/internal/config"
)

// TokenVariable is the environment variable from which HAProxy takes the token for the agents, so that it stands in no
// rendered file.
const TokenVariable = "HOTCOLD_AGENT_TOKEN"

const (
	// connectTimeout is how long a machine may take to accept; with the retries it stays below the minute in which a
	// Corda node's peer gives up a handshake.
	connectTimeout = 5 * time.Second
	retries        = 3
	// never is the longest time that HAProxy knows.
	never = 24 * 24 * time.Hour
	// agentPath is where an agent says whether it is hot, with code 200 and no other.
	agentPath = "/hot"
	// sources is how many client addresses a rule with a bound for each of them remembers.
	sources = 100_000
)

// word is what HAProxy takes as a name.
var word = regexp.MustCompile(`^[A-Za-z0-9_.:-]+$`)

// Render returns HAProxy's configuration for the machines and the balancer of c. It refuses what cannot be written
// down, all of it at once.
func Render(c *config.Config) (string, error) {
	r := renderer{machines: c.Machines, balancer: c.Balancer, token: !c.Balancer.Agents.Token.Empty()}
	for _, path := range []string{"hotcold.balancer.agents.token", "hotcold.balancer.agents.tokenFile"} {
		r.token = r.token || !c.Where(path).IsZero() // its value may not be on this machine
	}
	if err := r.check(); err != nil {
		return "", err
	}
	r.head()
	r.global()
	r.defaults()
	for _, p := range r.watched() {
		r.probe(p)
	}
	for _, rule := range r.balancer.Rules {
		r.rule(rule)
	}
	return r.text.String(), nil
}

// renderer writes one configuration.
type renderer struct {
	machines []config.Machine
	balancer config.Balancer
	// token: the agents want one.
	token bool
	text  strings.Builder
}

func (r *renderer) check() error {
	var faults []error
	say := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(r.machines) == 0 {
		say("hotcold.machines: there is none, so nothing can be balanced")
	}
	if len(r.balancer.Rules) == 0 {
		say("hotcold.balancer.rules: there is no rule, so nothing would be balanced")
	}
	names := map[string][]string{}
	for _, m := range r.machines {
		names["machines"] = append(names["machines"], m.Name)
		if !m.Address.IsValid() {
			say("hotcold.machines.%s.address: the address of its node is needed", m.Name)
		}
	}
	for _, p := range r.balancer.Probes {
		names["balancer.probes"] = append(names["balancer.probes"], p.Name)
	}
	for _, rule := range r.balancer.Rules {
		names["balancer.rules"] = append(names["balancer.rules"], rule.Name)
		p, ok := r.probeOf(rule)
		if !ok {
			say("hotcold.balancer.rules.%s.probe: there is no probe %q", rule.Name, rule.Probe)
			continue
		}
		for _, m := range r.machines {
			if _, _, err := net.SplitHostPort(m.Agent); p.Protocol == config.ProbeAgent && err != nil {
				say("hotcold.machines.%s.agent %q: want host:port, since rule %s asks the agent", m.Name, m.Agent, rule.Name)
			}
		}
	}
	for kind, all := range names {
		for _, name := range all {
			if !word.MatchString(name) {
				say("hotcold.%s.%s: HAProxy takes letters, digits, and - _ . : in a name", kind, name)
			}
		}
	}
	return errors.Join(faults...)
}

// probeOf finds the probe by which a rule moves. The rules of a pair move together: by the agent's word where any rule
// asks for it, by the first rule's probe otherwise. A cloud's rules follow each its own.
func (r *renderer) probeOf(rule config.BalancerRule) (config.BalancerProbe, bool) {
	name := rule.Probe
	if r.balancer.Profile == config.ProfilePair {
		name = r.balancer.Rules[0].Probe
		for _, other := range r.balancer.Rules {
			if p, ok := r.named(other.Probe); ok && p.Protocol == config.ProbeAgent {
				name = p.Name
				break
			}
		}
	}
	return r.named(name)
}

func (r *renderer) named(name string) (config.BalancerProbe, bool) {
	for _, p := range r.balancer.Probes {
		if p.Name == name {
			return p, true
		}
	}
	return config.BalancerProbe{}, false
}

// watched are the probes by which rules move.
func (r *renderer) watched() []config.BalancerProbe {
	var watched []config.BalancerProbe
	for _, p := range r.balancer.Probes {
		for _, rule := range r.balancer.Rules {
			if by, ok := r.probeOf(rule); ok && by.Name == p.Name {
				watched = append(watched, p)
				break
			}
		}
	}
	return watched
}

// unused are the probes of rules which move by another one.
func (r *renderer) unused() []string {
	var unused []string
	for _, p := range r.balancer.Probes {
		used := false
		for _, w := range r.watched() {
			used = used || w.Name == p.Name
		}
		if !used {
			unused = append(unused, p.Name)
		}
	}
	return unused
}

func (r *renderer) line(format string, args ...any) {
	fmt.Fprintf(&r.text, "    "+format+"\n", args...)
}

func (r *renderer) section(format string, args ...any) {
	fmt.Fprintf(&r.text, "\n"+format+"\n", args...)
}

func (r *renderer) comment(text string) {
	for _, l := range strings.Split(strings.TrimSpace(text), "\n") {
		r.text.WriteString(strings.TrimRight("# "+l, " ") + "\n")
	}
}

// span is a duration as HAProxy reads it: a number and a unit, in the coarsest unit that is exact.
func span(d time.Duration) string {
	switch {
	case d <= 0 || d >= never:
		return strconv.Itoa(int(never/(24*time.Hour))) + "d"
	case d%time.Second == 0:
		return strconv.Itoa(int(d/time.Second)) + "s"
	case d%time.Millisecond == 0:
		return strconv.Itoa(int(d/time.Millisecond)) + "ms"
	}
	return strconv.Itoa(int(d/time.Microsecond)) + "us"
}

// at is an address with a port, IPv6 in brackets.
func at(a netip.Addr, port int) string { return netip.AddrPortFrom(a, uint16(port)).String() }
