package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

const guideNode = `
p2pAddress = "balancer.example.com:10002"
rpcSettings { address = "10.0.0.4:10003", adminAddress = "10.0.0.4:10004" }
myLegalName = "O=Corda HA, L=London, C=GB"
`

const twoMachines = `
hotcold.database.url = "postgres://db/hotcold"
hotcold.machines { machine-a.address = 10.0.0.4, machine-b.address = 10.0.0.5 }
`

// agents are on the machines' own loopback, so that nothing else is needed.
const withAgents = `
hotcold.machines { machine-a.agent = "127.0.0.1:4653", machine-b.agent = "127.0.0.1:4654" }
`

func probeRows(b Balancer) (rows []string) {
	for _, p := range b.Probes {
		rows = append(rows, strings.TrimSpace(fmt.Sprintf("%s %s %d %s", p.Name, p.Protocol, p.Port, p.Path)))
	}
	return rows
}

func ruleRows(b Balancer) (rows []string) {
	for _, r := range b.Rules {
		rows = append(rows, fmt.Sprintf("%s TCP/%d->%d %s %s", r.Name, r.Port, r.BackendPort, r.Pool, r.Probe))
	}
	return rows
}

func TestRulesAndProbesAreMadeOfTheNodesPorts(t *testing.T) {
	tests := []struct {
		name, text    string
		probes, rules []string
	}{
		{"an open-source node, asked by port", "hotcold.balancer.profile = azure\n",
			[]string{"p2p TCP 10002", "rpc TCP 10003"},
			[]string{"ha-lbr-p2p TCP/10002->10002 ha-testing p2p", "ha-lbr-rpc TCP/10003->10003 ha-testing rpc"}},
		{"with a web port", "hotcold.balancer.profile = azure\nwebAddress = \"10.0.0.4:10004\"\n",
			[]string{"p2p TCP 10002", "rpc TCP 10003", "web HTTP 10004 /"},
			[]string{"ha-lbr-p2p TCP/10002->10002 ha-testing p2p", "ha-lbr-rpc TCP/10003->10003 ha-testing rpc", "ha-lbr-web TCP/10004->10004 ha-testing web"}},
		{"with a web port that is only said here", "hotcold.balancer.rules.ha-lbr-web.port = 10004\n",
			[]string{"p2p TCP 10002", "rpc TCP 10003", "web HTTP 10004 /"},
			[]string{"ha-lbr-p2p TCP/10002->10002 ha-testing p2p", "ha-lbr-rpc TCP/10003->10003 ha-testing rpc", "ha-lbr-web TCP/10004->10004 ha-testing web"}},
		{"under the names of AWS", "hotcold.balancer.profile = aws-classic\n",
			[]string{"p2p TCP 10002", "rpc TCP 10003"},
			[]string{"ha-lb-p2p TCP/10002->10002 ha-testing p2p", "ha-lb-rpc TCP/10003->10003 ha-testing rpc"}},
		{"agents that can be asked", withAgents,
			[]string{"p2p agent 0", "rpc agent 0"},
			[]string{"ha-lbr-p2p TCP/10002->10002 ha-testing p2p", "ha-lbr-rpc TCP/10003->10003 ha-testing rpc"}},
		{"a cloud asks no agent", withAgents + "hotcold.balancer.profile = azure\n",
			[]string{"p2p TCP 10002", "rpc TCP 10003"},
			[]string{"ha-lbr-p2p TCP/10002->10002 ha-testing p2p", "ha-lbr-rpc TCP/10003->10003 ha-testing rpc"}},
		{"a rule and its probe left out", "hotcold.balancer { rules.ha-lbr-rpc = null, probes.rpc = null }\n",
			[]string{"p2p TCP 10002"}, []string{"ha-lbr-p2p TCP/10002->10002 ha-testing p2p"}},
		{"another port for clients", "hotcold.balancer.rules.ha-lbr-p2p.port = 443\n",
			[]string{"p2p TCP 10002", "rpc TCP 10003"},
			[]string{"ha-lbr-p2p TCP/443->10002 ha-testing p2p", "ha-lbr-rpc TCP/10003->10003 ha-testing rpc"}},
		{"a broker behind another port", "messagingServerAddress = \"0.0.0.0:11002\"\nmessagingServerExternal = false\n",
			[]string{"p2p TCP 11002", "rpc TCP 10003"},
			[]string{"ha-lbr-p2p TCP/10002->11002 ha-testing p2p", "ha-lbr-rpc TCP/10003->10003 ha-testing rpc"}},
		{"a broker elsewhere", "messagingServerAddress = \"broker:11002\"\n",
			[]string{"rpc TCP 10003"}, []string{"ha-lbr-rpc TCP/10003->10003 ha-testing rpc"}},
		{"rules of one's own beside them", "hotcold.balancer { probes.ssh.port = 22, rules.shell { port = 2222, backendPort = 22, probe = ssh } }\n",
			[]string{"p2p TCP 10002", "rpc TCP 10003", "ssh TCP 22"},
			[]string{"ha-lbr-p2p TCP/10002->10002 ha-testing p2p", "ha-lbr-rpc TCP/10003->10003 ha-testing rpc", "shell TCP/2222->22 ha-testing ssh"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newRoom(t).mustLoad(guideNode + twoMachines + tt.text).Balancer
			if got := probeRows(b); !slices.Equal(got, tt.probes) {
				t.Errorf("the probes are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.probes, "\n"))
			}
			if got := ruleRows(b); !slices.Equal(got, tt.rules) {
				t.Errorf("the rules are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.rules, "\n"))
			}
		})
	}
}

func TestANodeOfAnotherKindNeedsARuleAndNoMore(t *testing.T) {
	b := newRoom(t).mustLoad(least + twoMachines + withAgents + "hotcold.balancer.rules.orders.port = 5432\n").Balancer
	if got, want := ruleRows(b), []string{"orders TCP/5432->5432 ha-testing agent"}; !slices.Equal(got, want) {
		t.Errorf("the rules are %q, want %q", got, want)
	}
	if p := b.Probes[0]; p.Protocol != ProbeAgent || p.Interval != time.Second || p.Fast != 100*time.Millisecond || p.Timeout != time.Second || p.Unhealthy != 3 || p.Healthy != 2 {
		t.Errorf("the probe is %+v", p)
	}
}

func TestEachProfileHasItsManners(t *testing.T) {
	load := func(text string) Balancer { return newRoom(t).mustLoad(guideNode + twoMachines + text).Balancer }
	tests := []struct {
		profile                 string
		interval, fast, timeout time.Duration
		unhealthy, healthy      int
		idle                    time.Duration
		reset                   bool
		nobody                  NobodyHot
		old                     OldConnections
	}{
		{"pair", time.Second, 100 * time.Millisecond, time.Second, 3, 2, 0, true, NobodyPark, OldCut},
		{"azure", 15 * time.Second, 15 * time.Second, 15 * time.Second, 2, 2, 4 * time.Minute, false, NobodyRefuse, OldKeep},
		{"aws-classic", 30 * time.Second, 30 * time.Second, 5 * time.Second, 2, 10, time.Minute, false, NobodyRefuse, OldCut},
	}
	for _, tt := range tests {
		b := load("hotcold.balancer.profile = " + tt.profile)
		p, r := b.Probes[0], b.Rules[0]
		if p.Interval != tt.interval || p.Fast != tt.fast || p.Timeout != tt.timeout || p.Unhealthy != tt.unhealthy || p.Healthy != tt.healthy {
			t.Errorf("%s: the probe is %+v", tt.profile, p)
		}
		if r.IdleTimeout != tt.idle || r.ResetOnIdle != tt.reset || b.Nobody != tt.nobody || b.Old != tt.old {
			t.Errorf("%s: got idle %v reset %v, %v, %v", tt.profile, r.IdleTimeout, r.ResetOnIdle, b.Nobody, b.Old)
		}
	}
	b := load("hotcold.balancer { profile = azure, probes.p2p { interval = 60 s, unhealthy = 5 } }")
	if p := b.Probes[0]; p.Timeout != 30*time.Second || p.Healthy != 5 {
		t.Errorf("Azure waits 30s at most and has one number for both ways: got %+v", p)
	}
}

func TestSettingsOfABalancerAreTakenOver(t *testing.T) {
	c := newRoom(t).mustLoad(least + `
hotcold {
  machines { "b.example.com" { address = "fd00::5", agent = "[::1]:4653", ssh = "copy@b:22" }, a { address = 10.0.0.4, agent = "localhost:4653" } }
  balancer {
    pool = pool-1, nobody = refuse, parkLimit = 7, parkTime = 7 s, old = drain, drain = 9 s, dataPath = splice, user = proxy, accessLog = "-"
    agents { ca = ca.pem, certificate = c.pem, key = k.pem, token = "a token of the agents" }
    probes.web { protocol = HTTPS, port = 8443, path = "/health", interval = 50 ms, timeout = 40 ms, unhealthy = 1, healthy = 1 }
    rules.app-web {
      frontend = "::", port = 443, backendPort = 8443, probe = web, persistence = None, idleTimeout = 1 h, resetOnIdle = false
      proxyIn = true, proxyOut = 2, maxConnections = 100, maxPerSource = 10, allow = ["10.0.0.0/8", "fd00::1"], deny = [10.0.0.9]
    }
  }
}`)
	if len(c.Machines) != 2 || c.Machines[0].Name != "a" || c.Machines[1] != (Machine{"b.example.com", netip.MustParseAddr("fd00::5"), "[::1]:4653", "copy@b:22"}) {
		t.Errorf("the machines are %+v", c.Machines)
	}
	b := c.Balancer
	if b.Pool != "pool-1" || b.Nobody != NobodyRefuse || b.ParkLimit != 7 || b.ParkTime != 7*time.Second || b.Old != OldDrain || b.Drain != 9*time.Second ||
		b.DataPath != DataPathSplice || b.User != "proxy" || b.AccessLog != "-" || b.Agents.Token.Reveal() != "a token of the agents" {
		t.Errorf("the balancer is %+v", b)
	}
	r := b.Rules[0]
	if r.Traffic != TrafficWeb || !r.Frontend.Is6() || r.IdleTimeout != time.Hour || r.ResetOnIdle || !r.ProxyIn || r.ProxyOut != 2 || r.MaxConnections != 100 ||
		r.MaxPerSource != 10 || fmt.Sprint(r.Allow, r.Deny) != "[10.0.0.0/8 fd00::1/128] [10.0.0.9/32]" {
		t.Errorf("the rule is %+v", r)
	}
	if p := b.Probes[0]; p.Fast != 50*time.Millisecond {
		t.Errorf("the interval is 50ms, and in doubt it is %v", p.Fast)
	}
	if at := c.Where(`hotcold.machines."b.example.com".address`); at.Line != 4 {
		t.Errorf("the address stands in line 4, Where says %v", at)
	}
	if text := fmt.Sprint(c.Settings); strings.Contains(text, "a token of") {
		t.Errorf("the settings show the token: %s", text)
	}
}

func TestFaultsOfABalancerSayWhereWhatWasReadAndWhatWouldBeRight(t *testing.T) {
	const conf = "hotcold.conf:"
	tests := []struct{ name, text, want string }{
		{"an unknown key of a rule", "hotcold.balancer.rules.x { port = 1, porrt = 2 }",
			conf + "1:38: hotcold.balancer.rules.x.porrt: no such setting; did you mean port?"},
		{"an unknown key", "hotcold.balancer.rule.x = 1", conf + "1:1: hotcold.balancer.rule: no such setting; did you mean rules?"},
		{"rules that are a list", "hotcold.balancer.rules = [1]",
			conf + "1:26: hotcold.balancer.rules: want an object with names, and for each an object with frontend, protocol, port, backendPort, pool, probe, persistence, idleTimeout, resetOnIdle, proxyIn, proxyOut, maxConnections, maxPerSource, allow or deny"},
		{"a machine that is a text", "hotcold.machines.a = 10.0.0.4",
			conf + "1:22: hotcold.machines.a: want an object with address, agent or ssh"},
		{"a name of a machine", "hotcold.machines.a.address = a.example.com",
			conf + `1:30: hotcold.machines.a.address: want an IP address, as in 10.0.0.4 or fd00::4, got "a.example.com"; names are not looked up here`},
		{"a machine without an address", `hotcold.machines.a.agent = "localhost:1"`,
			conf + "1:1: hotcold.machines.a.address: is not set: want the IP address where the node of this machine is reached, as in 10.0.0.4"},
		{"two machines at one address", "hotcold.machines { c.address = 10.0.0.4 }",
			conf + "4:40: hotcold.machines.machine-a.address: c has the same address; two machines have two"},
		{"a probe that is not there", "hotcold.balancer { probes.web.port = 1, rules.x { port = 1, probe = wbe } }",
			conf + `1:69: hotcold.balancer.rules.x.probe: there is no probe "wbe"; did you mean web?`},
		{"no probe where there are two", "hotcold.balancer { probes { p.port = 1, q.port = 2 }, rules.x { port = 1 } }",
			conf + "1:63: hotcold.balancer.rules.x.probe: is not set: want p or q"},
		{"another pool", "hotcold.balancer { probes.p.port = 1, rules.x { port = 1, pool = other } }",
			conf + `1:66: hotcold.balancer.rules.x.pool: there is no pool "other", want ha-testing`},
		{"one frontend for two rules", `hotcold.balancer { probes.p.port = 1, rules { x { port = 7 }, y { port = 7, frontend = 10.0.0.1 } } }`,
			conf + "1:74: hotcold.balancer.rules.y.port: clients would come in at port 7 of 10.0.0.1, which is the frontend of x; want another port or address, or hotcold.balancer.rules.x = null"},
		{"a rule without a port", "hotcold.balancer { probes.p.port = 1, rules.x {} }",
			conf + "1:47: hotcold.balancer.rules.x.port: is not set, and node.conf does not say it: want the port at which clients come in"},
		{"a probe without a port", "hotcold.balancer.probes.p { protocol = TCP }",
			conf + "1:27: hotcold.balancer.probes.p.port: is not set, and node.conf does not say it: want the port that is looked at on each machine"},
		{"a name with a blank", `hotcold.balancer.probes."a b".port = 1`,
			conf + `1:1: hotcold.balancer.probes."a b": want a name of letters, digits and . _ -, beginning with a letter or digit, at most 80`},
		{"a path of TCP", "hotcold.balancer.probes.p { port = 1, path = / }",
			conf + `1:46: hotcold.balancer.probes.p.path: want none: only HTTP and HTTPS ask for a path, and this probe's protocol is TCP`},
		{"a path that is none", "hotcold.balancer.probes.p { port = 1, protocol = HTTP, path = health }",
			conf + `1:63: hotcold.balancer.probes.p.path: want a path that begins with / and has no blanks, as in /`},
		{"a port of an agent", "hotcold.balancer.probes.p { port = 1, protocol = agent }",
			conf + `1:36: hotcold.balancer.probes.p.port: want none: an agent's port stands with its machine (hotcold.machines.NAME.agent)`},
		{"a machine without an agent", "hotcold.balancer.probes.p.protocol = agent",
			conf + `4:20: hotcold.machines.machine-a: has no agent that probe p could ask: want agent = "host:port"`},
		{"an agent that anybody could play", `hotcold { machines.machine-a.agent = "10.0.0.4:4653", machines.machine-b.agent = "localhost:1", balancer.rules.x.port = 1 }`,
			conf + `1:38: hotcold.machines.machine-a.agent: others could answer at this address in the agent's place: want hotcold.balancer.agents.ca, and agents.certificate with its key or agents.tokenFile`},
		{"an agent that wants proof", `hotcold { machines.machine-a.agent = "10.0.0.4:4653", machines.machine-b.agent = "localhost:1", balancer { rules.x.port = 1, agents.ca = ca.pem } }`,
			conf + `1:38: hotcold.machines.machine-a.agent: an agent that others can reach wants proof of who asks: want hotcold.balancer.agents.certificate with its key, or agents.tokenFile`},
		{"a certificate without its key", "hotcold.balancer.agents { ca = ca.pem, certificate = c.pem }",
			conf + "1:54: hotcold.balancer.agents.certificate: want both hotcold.balancer.agents.certificate and hotcold.balancer.agents.key"},
		{"two tokens", "hotcold.balancer.agents { token = a, tokenFile = b }",
			conf + "1:50: hotcold.balancer.agents.tokenFile: want only one of hotcold.balancer.agents.token and hotcold.balancer.agents.tokenFile"},
		{"an open page", `hotcold.balancer.listen.address = ":4654"`,
			conf + "1:35: hotcold.balancer.listen.address: other machines can reach this address, so it wants hotcold.balancer.listen.tls.certificate and key, and tls.clientCA or keyFile; or listen on 127.0.0.1"},
		{"a network that is none", "hotcold.balancer { probes.p.port = 1, rules.x { port = 1, allow = [home] } }",
			conf + `1:68: hotcold.balancer.rules.x.allow.0: want an IP address or a network, as in 10.0.0.0/8, got "home"`},
		{"HTTP for a pair", "hotcold.balancer { probes.p.port = 1, rules.x { port = 1, protocol = HTTP } }",
			conf + "1:70: hotcold.balancer.rules.x.protocol: want TCP: only the listeners of profile aws-classic have a protocol HTTP (hotcold.balancer.profile = pair)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := newRoom(t).faults(tt.text + "\n" + least + strings.TrimSpace(twoMachines))
			if !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, tt.want) }) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), tt.want)
			}
		})
	}
}

func TestRangesOfTheCloudsAreHeldAgainstWhatIsWritten(t *testing.T) {
	tests := []struct{ profile, text, want string }{
		{"azure", "probes.p.interval = 1 s", "probes.p.interval: want a duration from 5s to 24h0m0s, which is Azure's range; got 1s (hotcold.balancer.profile = azure)"},
		{"azure", "probes.p.timeout = 1 s", "probes.p.timeout: want none: Azure waits for the interval, at most 30s, which is 15s here"},
		{"azure", "probes.p.fast = 1 s", "probes.p.fast: want none: a cloud's balancer has one interval"},
		{"azure", "probes.p { unhealthy = 3, healthy = 2 }", "probes.p.healthy: want as many as unhealthy, which is 3: Azure has one number for both ways"},
		{"azure", "probes.p { protocol = HTTP, port = 25 }", "probes.p.port: want another port: Azure sends no HTTP to [19 21 25 70 110 119 143 220 993]"},
		{"azure", "probes.p { port = null, protocol = agent }", "probes.p.protocol: want TCP, HTTP or HTTPS: a cloud's balancer asks no agent"},
		{"azure", "rules.r.idleTimeout = 3 minutes", "rules.r.idleTimeout: want a duration from 4m0s to 1h40m0s, which is Azure's range; got 3m0s"},
		{"azure", "rules.r.idleTimeout = 101 minutes", "rules.r.idleTimeout: want a duration from 4m0s to 1h40m0s"},
		{"azure", "rules.r.proxyIn = true", "rules.r.proxyIn: want false: Azure reads no PROXY headers"},
		{"azure", "rules.r.proxyOut = 1", "rules.r.proxyOut: want 0: Azure sends no PROXY headers"},
		{"azure", "nobody = park", "nobody: want refuse: the cloud's balancer keeps nobody waiting while no machine is healthy"},
		{"azure", "old = cut", "old: want keep: Azure leaves old connections alone"},
		{"aws-classic", "probes.p.interval = 301 s", "probes.p.interval: want a duration from 5s to 5m0s, which is the Classic Load Balancer's range; got 5m1s"},
		{"aws-classic", "probes.p.timeout = 1 s", "probes.p.timeout: want a duration from 2s to 1m0s"},
		{"aws-classic", "probes.p { interval = 5 s, timeout = 5 s }", "probes.p.timeout: want less than the interval, which is 5s; got 5s"},
		{"aws-classic", "probes.p.unhealthy = 1", "probes.p.unhealthy: want a whole number from 2 to 10, which is the Classic Load Balancer's range; got 1"},
		{"aws-classic", "probes.p.healthy = 11", "probes.p.healthy: want a whole number from 2 to 10"},
		{"aws-classic", "rules.r.idleTimeout = 0", "rules.r.idleTimeout: want a duration from 1s to 1h6m40s"},
		{"aws-classic", "rules.r.proxyOut = 2", "rules.r.proxyOut: want 0 or 1: a Classic Load Balancer sends PROXY headers of version 1 only"},
		{"aws-classic", `rules.r.frontend = "::"`, "rules.r.frontend: want an address of IPv4"},
		{"aws-classic", "old = drain", "old: want cut (connection draining off) or keep (on)"},
		{"pair", "probes.p.interval = 49 ms", "probes.p.interval: want a duration from 50 ms to 1 day, got 49ms"},
	}
	for _, tt := range tests {
		t.Run(tt.profile+" "+tt.text, func(t *testing.T) {
			got := newRoom(t).faults(least + "hotcold.balancer { profile = " + tt.profile + ", probes.p { port = 1, protocol = TCP }, rules.r.port = 2 }\nhotcold.balancer {" + tt.text + "}")
			if len(got) == 0 || !strings.Contains(got[0], "hotcold.conf:3:") || !strings.Contains(strings.Join(got, "\n"), ": hotcold.balancer."+tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), tt.want)
			}
		})
	}
}

func TestWhatChangesNothingOrComesTooLateIsWarnedOf(t *testing.T) {
	for text, want := range map[string]string{
		"probes.p.port = 1, rules.r { port = 2, persistence = ClientIP }": "hotcold.balancer.rules.r.persistence: changes nothing here",
		"parkTime = 61 s": "hotcold.balancer.parkTime: is more than 1m0s, after which a Corda peer gives up its TLS handshake",
	} {
		if got := warningsOf(newRoom(t).mustLoad(least + "hotcold.balancer { " + text + " }")); !strings.Contains(got, "hotcold.conf:2:") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestPortsThatCannotBeBalancedKeepNoAgentFromStarting(t *testing.T) {
	r := newRoom(t)
	r.mustLoad("p2pAddress = \"a:10002\"\nrpcSettings.address = \"b:10002\"\nmyLegalName = \"O=X, L=London, C=GB\"\nhotcold.database.url = \"postgres://db/x\"\n")
}

func TestABalancersMachineNeedsNothingOfTheNode(t *testing.T) {
	r := newRoom(t)
	r.file("hotcold.conf", `
p2pAddress = ${LOAD_BALANCER_ADDRESS}":10002"
dataSourceProperties.dataSource { url = ${DB_JDBC_URL}, password = ${DB_PASSWORD} }
hotcold { database.passwordFile = missing, listen.keyFile = missing
  machines { machine-a.address = 10.0.0.4, machine-b.address = 10.0.0.5 } }
`)
	c, err := LoadBalancer("hotcold.conf", r.world())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ruleRows(c.Balancer), []string{"ha-lbr-p2p TCP/10002->10002 ha-testing p2p"}; !slices.Equal(got, want) || len(c.Machines) != 2 {
		t.Errorf("got %v and machines %v, want %q", got, c.Machines, want)
	}
}

func TestABalancerWithoutMachinesOrRulesIsRefused(t *testing.T) {
	r := newRoom(t)
	r.file("hotcold.conf", "hotcold.balancer { agents.tokenFile = missing, listen.keyFile = missing }\n")
	_, err := LoadBalancer("hotcold.conf", r.world())
	for _, want := range []string{
		"hotcold.machines: there are none", "hotcold.balancer.rules: there are none",
		"hotcold.balancer.agents.tokenFile: read secret", "hotcold.balancer.listen.keyFile: read secret",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestASettingIsFoundUnderTheNameThatWasGiven(t *testing.T) {
	for path, want := range map[string]bool{
		"hotcold.balancer.rules.ha-lbr-p2p.port": true, `hotcold.machines."a.b".address`: true, "hotcold.balancer.rules.*.port": true,
		"hotcold.name": true, "hotcold.balancer.rules.x.y.port": false, "hotcold.balancer.rules..port": false, "hotcold.balancer.rules.x": false,
	} {
		if s, ok := SettingAt(path); ok != want || ok && s.Path != path {
			t.Errorf("%s: found is %v (%s), want %v", path, ok, s.Path, want)
		}
	}
}

func TestTheRuntimeDirectoryIsFoundInAFileWithFaults(t *testing.T) {
	r := newRoom(t)
	r.file("hotcold.conf", "hotcold { runtimeDir = run, nonsense = ${UNSET}, balancer = 7 }\n")
	if dir, err := RuntimeDir("hotcold.conf", r.world()); err != nil || dir != r.dir+"/run" {
		t.Errorf("got %q, %v", dir, err)
	}
	r.file("hotcold.conf", "hotcold.balancer = 7\n")
	r.env["XDG_RUNTIME_DIR"] = "/run/user/1000"
	c := r.mustLoad(least)
	if dir, err := RuntimeDir("hotcold.conf", r.world()); err != nil || dir != c.RuntimeDir {
		t.Errorf("got %q, %v, want that of the agent, %q", dir, err, c.RuntimeDir)
	}
}
