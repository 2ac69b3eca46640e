package haproxy

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hotcold/hotcold/internal/config"
)

func (r *renderer) head() {
	r.comment(`HAProxy in front of a hot-cold pair. Rendered by hotcold from hotcold.conf: change it there.
Try it with: haproxy -c -f THIS-FILE

What HAProxy cannot do, and hotcold balance does:
- It knows no epoch. A machine that wrongly says that it is hot gets traffic; of two that both say so, the one
  that stands first gets all of it.
- It keeps nobody waiting. While nobody is hot, clients are turned away at once, and a Corda peer that was
  turned away comes back only after up to 60 seconds.
- It asks each agent in turns. A change is known when the next answer comes, not when it happens.
- After a reload the old process looks at no machine any more, so connections that it still has are watched by
  nobody (see hard-stop-after below).`)
	if unused := r.unused(); len(unused) > 0 {
		r.comment(`- It can move the rules of a service together by one probe only. Left out: ` + strings.Join(unused, ", ") + `.`)
	}
	if r.balancer.Old == config.OldDrain {
		r.comment(`- It cannot bound a drain: old connections go on for as long as both ends like.`)
	}
}

func (r *renderer) global() {
	r.section("global")
	r.line("log stdout format raw daemon")
	if r.balancer.User != "" {
		r.line("user %s", r.balancer.User)
	}
	switch r.balancer.Old {
	case config.OldCut:
		r.line("# A reload ends the connections of the process before, because nothing would cut them at a takeover.")
		r.line("hard-stop-after 1s")
	case config.OldDrain:
		r.line("hard-stop-after %s", span(r.balancer.Drain))
	}
}

func (r *renderer) defaults() {
	r.section("defaults")
	r.line("mode tcp")
	r.line("log global")
	r.line("option tcplog")
	r.line("option dontlognull")
	r.line("option log-health-checks")
	r.line("timeout connect %s", span(connectTimeout))
	r.line("# A machine that refuses is asked again, a second later each time, and never another one: no redispatch.")
	r.line("retries %d", retries)
	r.line("no option redispatch")
	r.line("# Where two machines look hot, the first gets everything and the other nothing.")
	r.line("balance first")
	if r.balancer.Old == config.OldCut {
		r.line("# on-marked-down, below: what is connected to a machine that is hot no longer is cut.")
	}
	r.line("# A connection that says nothing for ever is ended by the kernel's keepalive alone, unless its rule has a limit.")
	r.silence(never)
	r.line("option clitcpka")
	r.line("option srvtcpka")
}

// probe writes the back-end that looks at the machines and takes no traffic; the rules' servers follow its.
func (r *renderer) probe(p config.BalancerProbe) {
	r.section("# How the machines are looked at. No traffic comes here: the servers of the rules follow these.")
	r.text.WriteString("backend probe-" + p.Name + "\n")
	r.request(p)
	r.line("timeout check %s", span(p.Timeout))
	check := "default-server check inter " + span(p.Interval)
	if p.Fast > 0 {
		// Down too: the machine that takes over is down until then.
		check += " fastinter " + span(p.Fast) + " downinter " + span(min(p.Interval, p.Fast))
	}
	check += " fall " + strconv.Itoa(p.Unhealthy) + " rise " + strconv.Itoa(p.Healthy)
	r.line("%s", check+r.encryption(p))
	r.line("# A machine is down until it was seen to be up. Before version 3.1 it is the other way round: both count as")
	r.line("# up from the start until the first look, and the first of them gets what comes meanwhile.")
	r.text.WriteString(".if version_atleast(3.1)\n")
	r.line("default-server init-state down")
	r.text.WriteString(".endif\n")
	for _, m := range r.machines {
		where := m.Agent
		if p.Protocol != config.ProbeAgent {
			where = at(m.Address, p.Port)
		}
		r.line("server %s %s", m.Name, where)
	}
}

// request writes what is asked: nothing over TCP, where a connection is answer enough.
func (r *renderer) request(p config.BalancerProbe) {
	path := p.Path
	switch p.Protocol {
	case config.ProbeTCP:
		r.line("option tcp-check")
		return
	case config.ProbeAgent:
		path = agentPath
		r.line("# The agent says 200 while its machine is hot, and 503 from the instant at which it must be believed no")
		r.line("# longer. It also says its epoch, which HAProxy cannot compare.")
	}
	r.line("option httpchk")
	send := "http-check send meth GET uri " + path
	if p.Protocol == config.ProbeAgent && r.token {
		r.line("# The token comes from the environment, so that it stands in no file: %s.", TokenVariable)
		send += ` hdr Authorization "Bearer ${` + TokenVariable + `}"`
	}
	r.line("%s", send)
	r.line("http-check expect status 200")
}

// encryption is what is added to a probe over TLS.
func (r *renderer) encryption(p config.BalancerProbe) string {
	a := r.balancer.Agents
	switch {
	case p.Protocol == config.ProbeHTTPS:
		return " check-ssl verify none"
	case p.Protocol != config.ProbeAgent || a.CA == "":
		return ""
	}
	text := " check-ssl verify required ca-file " + a.CA
	if a.Certificate != "" {
		r.line("# HAProxy looks for the key in %s itself, or in the same name with .key at its end.", a.Certificate)
		text += " crt " + a.Certificate
	}
	return text
}

func (r *renderer) rule(rule config.BalancerRule) {
	p, _ := r.probeOf(rule) // check has seen it
	r.section("listen %s", rule.Name)
	bind := "bind " + at(rule.Frontend, rule.Port)
	if rule.Frontend == netip.IPv6Unspecified() {
		bind += " v6only"
	}
	if rule.ProxyIn {
		bind += " accept-proxy"
	}
	r.line("%s", bind)
	r.admission(rule)
	if rule.IdleTimeout > 0 {
		r.silence(rule.IdleTimeout)
	}
	var end string
	if r.balancer.Old == config.OldCut {
		end += " on-marked-down shutdown-sessions"
	}
	switch rule.ProxyOut {
	case 1:
		end += " send-proxy"
	case 2:
		end += " send-proxy-v2"
	}
	for _, m := range r.machines {
		r.line("server %s %s track probe-%s/%s%s", m.Name, at(m.Address, rule.BackendPort), p.Name, m.Name, end)
	}
}

// admission writes who may come in, and how many.
func (r *renderer) admission(rule config.BalancerRule) {
	if len(rule.Deny) > 0 {
		r.line("tcp-request connection reject if { src %s }", prefixes(rule.Deny))
	}
	if len(rule.Allow) > 0 {
		r.line("tcp-request connection reject unless { src %s }", prefixes(rule.Allow))
	}
	if rule.MaxConnections > 0 {
		r.line("# Who comes beyond this waits in the kernel's queue until somebody has left.")
		r.line("maxconn %d", rule.MaxConnections)
	}
	if rule.MaxPerSource > 0 {
		r.line("stick-table type ipv6 size %d expire 1m store conn_cur", sources)
		r.line("tcp-request connection track-sc0 src")
		r.line("tcp-request connection reject if { sc0_conn_cur gt %d }", rule.MaxPerSource)
	}
}

// silence writes how long nothing may be said.
func (r *renderer) silence(limit time.Duration) {
	for _, end := range []string{"client", "server", "tunnel"} {
		r.line("timeout %s %s", end, span(limit))
	}
}

func prefixes(all []netip.Prefix) string {
	words := make([]string, len(all))
	for i, p := range all {
		words[i] = p.String()
	}
	return strings.Join(words, " ")
}
