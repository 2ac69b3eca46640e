package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

const (
	machinesAt = "hotcold.machines"
	balancerAt = "hotcold.balancer"
	probesAt   = balancerAt + ".probes"
	rulesAt    = balancerAt + ".rules"
)

// front is one of the three ports of the guide: the rule and the probe that are made of node.conf.
type front struct {
	traffic     Traffic
	rule, probe string
	// port is where clients come in, backend where the node listens; 0 where node.conf does not say.
	port, backend int
}

// fronts are the rules and probes that are made of node.conf, and those that are written under the same names.
func (d *decoder) fronts() []front {
	prefix := "ha-lbr-"
	if d.plain(balancerAt+".profile") == string(ProfileAWSClassic) {
		prefix = "ha-lb-" // there each is a balancer of its own, which the guide calls so
	}
	var fronts []front
	for _, t := range []Traffic{TrafficP2P, TrafficRPC, TrafficWeb} {
		f := front{traffic: t, rule: prefix + string(t), probe: string(t)}
		if d.preset == PresetCorda {
			f.port, f.backend = d.cordaFront(t)
		}
		if f.port != 0 || written(d.cfg.At(rulesAt+"."+f.rule)) || written(d.cfg.At(probesAt+"."+f.probe)) {
			fronts = append(fronts, f)
		}
	}
	return fronts
}

// cordaFront finds the ports of one kind of traffic in node.conf. A broker elsewhere is not the pair's to balance.
func (d *decoder) cordaFront(t Traffic) (port, backend int) {
	portOf := func(path string) int {
		at, err := parseHostPort(d.plain(path))
		if err != nil {
			return 0
		}
		return at.Port
	}
	switch t {
	case TrafficP2P:
		messaging := d.plain("messagingServerAddress")
		if d.flag("messagingServerExternal", messaging != "") {
			return 0, 0
		}
		port = portOf("p2pAddress")
		return port, cmp.Or(portOf("messagingServerAddress"), port)
	case TrafficRPC:
		if d.flag("rpcSettings.standAloneBroker", false) {
			return 0, 0
		}
		port = cmp.Or(portOf("rpcSettings.address"), portOf("rpcAddress"))
	case TrafficWeb:
		port = portOf("webAddress")
	}
	return port, port
}

// balancerNames are the names of machines, probes and rules: those that are made, and then those that are written.
func (d *decoder) balancerNames(fronts []front) map[string][]string {
	names := map[string][]string{machinesAt: d.writtenNames(machinesAt)}
	add := func(parent, name string) {
		if !slices.Contains(names[parent], name) && !d.leftOut(parent, name) {
			names[parent] = append(names[parent], name)
		}
	}
	for _, f := range fronts {
		add(probesAt, f.probe)
		if f.port != 0 || written(d.cfg.At(rulesAt+"."+f.rule)) {
			add(rulesAt, f.rule)
		}
	}
	for _, parent := range []string{probesAt, rulesAt} {
		for _, name := range d.writtenNames(parent) {
			add(parent, name)
		}
	}
	if len(names[probesAt]) == 0 && d.allHaveAgents() {
		add(probesAt, string(ProbeAgent))
	}
	return names
}

// allHaveAgents says whether there are machines, and each has an agent that can be asked.
func (d *decoder) allHaveAgents() bool {
	names := d.writtenNames(machinesAt)
	return len(names) > 0 && !slices.ContainsFunc(names, func(n string) bool { return d.plain(machinesAt+"."+n+".agent") == "" })
}

// balancerDefaults are the defaults of rules and probes that are made of node.conf, as HOCON.
func (d *decoder) balancerDefaults(fronts []front) map[string]string {
	found := map[string]string{}
	for _, f := range fronts {
		rule, probe := rulesAt+"."+f.rule+".", probesAt+"."+f.probe+"."
		looked := f.backend
		if f.port != 0 {
			found[rule+"port"], found[rule+"backendPort"] = fmt.Sprint(f.port), fmt.Sprint(f.backend)
		}
		for _, key := range []string{"port", "backendPort"} { // what is written for the rule is looked at by its probe
			if n, err := d.cfg.At(rule + key).Int(); err == nil && (f.port == 0 || key == "backendPort") {
				looked = int(n)
			}
		}
		if looked != 0 {
			found[probe+"port"] = fmt.Sprint(looked)
		}
		if !d.leftOut(probesAt, f.probe) {
			found[rule+"probe"] = quote(f.probe)
		}
	}
	return found
}

// orElse reads a setting, or takes the fallback where neither file nor table say anything.
func orElse[T any](d *decoder, path string, read func(string) T, fallback T) T {
	if _, v := d.setting(path); written(v) {
		return read(path)
	}
	d.show(path, fallback)
	return fallback
}

// machines reads the machines of the pair, sorted by name.
func (d *decoder) machines(names []string) []Machine {
	var machines []Machine
	for _, name := range names {
		at := machinesAt + "." + name + "."
		m := Machine{Name: plainName(name), Address: d.ip(at + "address"), Agent: d.address(at + "agent"), SSH: d.text(at + "ssh")}
		if !d.isWritten(at + "address") {
			d.missing(at+"address", "is not set: want the IP address where the node of this machine is reached, as in 10.0.0.4")
		}
		for _, other := range machines {
			if other.Address == m.Address && m.Address.IsValid() {
				d.fail(d.cfg.At(at+"address").Errorf("%s has the same address; two machines have two", other.Name))
			}
		}
		machines = append(machines, m)
	}
	slices.SortFunc(machines, func(a, b Machine) int { return strings.Compare(a.Name, b.Name) })
	return machines
}

// balancer reads what stands in front of the pair.
func (d *decoder) balancer(names map[string][]string, machines []Machine) Balancer {
	const at = balancerAt + "."
	b := Balancer{Profile: Profile(d.choice(at + "profile")), Pool: d.label(at + "pool")}
	m := mannersOf(b.Profile)
	for _, name := range names[probesAt] {
		b.Probes = append(b.Probes, d.balancerProbe(name, m, machines))
	}
	for _, name := range names[rulesAt] {
		b.Rules = append(b.Rules, d.balancerRule(name, m, b))
	}
	b.Nobody = NobodyHot(orElse(d, at+"nobody", d.choice, string(m.nobody)))
	b.ParkLimit, b.ParkTime = d.int(at+"parkLimit"), d.duration(at+"parkTime")
	b.Old = OldConnections(orElse(d, at+"old", d.choice, string(m.old)))
	b.Drain = d.duration(at + "drain")
	b.DataPath = DataPath(d.choice(at + "dataPath"))
	b.Masquerade = d.bool(at + "masquerade")
	b.User = d.text(at + "user")
	b.AccessLog = d.accessLog(at + "accessLog")
	b.Agents = d.agentAccess(at + "agents.")
	b.Listen = d.listen(at + "listen.")
	d.checkManners(m, b)
	if d.front || written(d.cfg.At(balancerAt)) {
		d.checkBalancer(b, machines)
	}
	return b
}

// accessLog reads a path, or - for stdout.
func (d *decoder) accessLog(path string) string {
	if _, v := d.setting(path); written(v) {
		if text, err := v.Text(); err == nil && text == "-" {
			return d.text(path)
		}
	}
	return d.path(path)
}

// agentAccess reads how the agents are asked.
func (d *decoder) agentAccess(at string) AgentAccess {
	a := AgentAccess{CA: d.path(at + "ca"), Certificate: d.path(at + "certificate"), Key: d.path(at + "key"), Token: d.secret(at + "token")}
	fromFile := d.frontSecret(at + "tokenFile")
	if d.isWritten(at+"token") && d.isWritten(at+"tokenFile") {
		d.fail(d.cfg.At(at+"tokenFile").Errorf("want only one of %stoken and %stokenFile", at, at))
	}
	if a.Token.Empty() {
		a.Token = fromFile
	}
	if (a.Certificate == "") != (a.Key == "") {
		_, v := d.setting(at + "certificate")
		if !written(v) {
			_, v = d.setting(at + "key")
		}
		d.fail(v.Errorf("want both %scertificate and %skey", at, at))
	}
	return a
}

// frontSecret reads a file with a secret of the balancer. An agent has the same settings and not the file, or not the
// right to read it, and needs it for nothing.
func (d *decoder) frontSecret(path string) Secret {
	if d.front && !d.setup {
		return d.secretFile(path)
	}
	name := d.path(path)
	if name == "" || d.setup {
		return Secret{}
	}
	secret, err := readSecretFile(name, nobodyElse)
	if err != nil {
		return Secret{}
	}
	return secret
}

func (d *decoder) balancerProbe(name string, m manners, machines []Machine) BalancerProbe {
	at := probesAt + "." + name + "."
	d.checkLabel(probesAt, name)
	p := BalancerProbe{Name: plainName(name)}
	usual := ProbeTCP
	switch {
	case m.profile == ProfilePair && d.allHaveAgents() && !d.isWritten(at+"port"):
		usual = ProbeAgent
	case p.Name == string(TrafficWeb):
		usual = ProbeHTTP
	}
	p.Protocol = ProbeProtocol(orElse(d, at+"protocol", d.choice, string(usual)))
	d.probeTarget(at, &p, machines)
	p.Interval = orElse(d, at+"interval", d.duration, m.interval.usual)
	p.Fast = orElse(d, at+"fast", d.duration, m.fast(p.Interval))
	p.Timeout = orElse(d, at+"timeout", d.duration, m.timeoutFor(p.Interval))
	p.Unhealthy = orElse(d, at+"unhealthy", d.int, m.unhealthy)
	p.Healthy = orElse(d, at+"healthy", d.int, m.healthyFor(p.Unhealthy))
	d.checkProbeManners(at, m, p)
	return p
}

// probeTarget reads what is looked at. An agent's port stands with its machine, and only a page has a path.
func (d *decoder) probeTarget(at string, p *BalancerProbe, machines []Machine) {
	_, path := d.setting(at + "path")
	page := p.Protocol == ProbeHTTP || p.Protocol == ProbeHTTPS
	switch {
	case page:
		p.Path = orElse(d, at+"path", d.text, "/")
		if !strings.HasPrefix(p.Path, "/") || strings.ContainsAny(p.Path, " #") {
			d.fail(path.Errorf("want a path that begins with / and has no blanks, as in /"))
		}
	case d.text(at+"path") != "":
		d.fail(path.Errorf("want none: only HTTP and HTTPS ask for a path, and this probe's protocol is %s", p.Protocol))
	}
	_, port := d.setting(at + "port")
	switch {
	case p.Protocol != ProbeAgent:
		if p.Port = d.int(at + "port"); !written(port) {
			d.missing(at+"port", "is not set, and node.conf does not say it: want the port that is looked at on each machine")
		}
	case d.isWritten(at + "port"):
		d.fail(port.Errorf("want none: an agent's port stands with its machine (%s.NAME.agent)", machinesAt))
	}
	for _, machine := range machines {
		if p.Protocol == ProbeAgent && machine.Agent == "" {
			d.fail(d.cfg.At(machinesAt+"."+pathName(machine.Name)).Errorf("has no agent that probe %s could ask: want agent = \"host:port\"", p.Name))
		}
	}
}

func (d *decoder) balancerRule(name string, m manners, b Balancer) BalancerRule {
	at := rulesAt + "." + name + "."
	d.checkLabel(rulesAt, name)
	r := BalancerRule{
		Name: plainName(name), Traffic: trafficOf(plainName(name)), Frontend: d.ip(at + "frontend"),
		Protocol: RuleProtocol(d.choice(at + "protocol")), Port: d.int(at + "port"),
		Persistence: Persistence(d.choice(at + "persistence")),
		ProxyIn:     d.bool(at + "proxyIn"), ProxyOut: d.int(at + "proxyOut"),
		MaxConnections: d.int(at + "maxConnections"), MaxPerSource: d.int(at + "maxPerSource"),
		Allow: d.nets(at + "allow"), Deny: d.nets(at + "deny"),
	}
	if _, v := d.setting(at + "port"); !written(v) {
		d.missing(at+"port", "is not set, and node.conf does not say it: want the port at which clients come in")
	}
	r.BackendPort = orElse(d, at+"backendPort", d.int, r.Port)
	r.Pool = orElse(d, at+"pool", d.text, b.Pool)
	only := ""
	if len(b.Probes) == 1 {
		only = b.Probes[0].Name
	}
	r.Probe = orElse(d, at+"probe", d.text, only)
	r.IdleTimeout = orElse(d, at+"idleTimeout", d.duration, m.idle.usual)
	r.ResetOnIdle = orElse(d, at+"resetOnIdle", d.bool, m.profile == ProfilePair)
	d.checkRuleManners(at, m, r)
	return r
}

// trafficOf tells what a rule carries from its name: ha-lbr-p2p, or p2p.
func trafficOf(name string) Traffic {
	last := name[strings.LastIndexAny(name, "-_.")+1:]
	switch t := Traffic(strings.ToLower(last)); t {
	case TrafficP2P, TrafficRPC, TrafficWeb:
		return t
	}
	return TrafficOther
}

// labelForm is what clouds, metrics and a terminal take as a name.
var labelForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$`)

const wantLabel = "want a name of letters, digits and . _ -, beginning with a letter or digit, at most 80"

// label reads a text that names a part of the balancer.
func (d *decoder) label(path string) string {
	text := d.text(path)
	if _, v := d.setting(path); written(v) && !labelForm.MatchString(text) {
		d.fail(v.Errorf(wantLabel))
	}
	return text
}

// checkLabel does the same for a name that is a key.
func (d *decoder) checkLabel(parent, name string) {
	if v := d.cfg.At(parent + "." + name); v.Exists() && !labelForm.MatchString(plainName(name)) {
		err := v.Errorf(wantLabel)
		err.Pos = v.KeyPos()
		d.fail(err)
	}
}

// pathName is a name as it stands in a path.
func pathName(name string) string {
	return strings.TrimPrefix(tree("name", "x { "+quote(name)+" = 1 }").At("x").Get(name).Path(), "x.")
}

// ip reads an IP address. An empty text is none.
func (d *decoder) ip(path string) netip.Addr {
	text := d.text(path)
	if text == "" {
		if _, v := d.setting(path); d.isWritten(path) && v.Exists() {
			d.fail(v.Errorf("want an IP address, as in 10.0.0.4 or fd00::4, got an empty text"))
		}
		return netip.Addr{}
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		_, v := d.setting(path)
		d.fail(v.Errorf("want an IP address, as in 10.0.0.4 or fd00::4, got %q; names are not looked up here", text))
	}
	return ip.Unmap()
}

// nets reads a list of IP addresses and networks.
func (d *decoder) nets(path string) []netip.Prefix {
	_, v := d.setting(path)
	if !written(v) {
		return nil
	}
	items, err := v.List()
	if err != nil {
		d.fail(err)
		return nil
	}
	var nets []netip.Prefix
	for _, item := range items {
		text, err := item.Text()
		if err != nil {
			d.fail(err)
			continue
		}
		net, err := netip.ParsePrefix(text)
		if ip, bad := netip.ParseAddr(text); bad == nil {
			net, err = netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
		}
		if err != nil {
			d.fail(item.Errorf("want an IP address or a network, as in 10.0.0.0/8, got %q", text))
			continue
		}
		nets = append(nets, net.Masked())
	}
	d.show(path, strings.Trim(fmt.Sprint(nets), "[]"))
	return nets
}
