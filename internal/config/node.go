package config

import (
	"maps"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/hotcold/hotcold/hocon"
)

// nodeFacts is what node.conf says and hotcold draws on. What is not there, or cannot be read, is empty: whether
// node.conf is right is for the node to say.
type nodeFacts struct {
	legalName string
	// ports are where the node listens on this machine.
	ports []Port
	// rpc and jolokia are among the ports, for the looks at the node.
	rpc, jolokia string
	// acceptor is the first acceptor of an Artemis broker.
	acceptor string
}

// nodeFacts reads node.conf, or the broker's own file.
func (d *decoder) nodeFacts() nodeFacts {
	f := nodeFacts{legalName: d.plain("myLegalName")}
	switch d.preset {
	case PresetCorda:
		d.cordaPorts(&f)
	case PresetArtemis:
		d.artemisPorts(&f)
	}
	return f
}

// plain is a text of node.conf, or "".
func (d *decoder) plain(path string) string {
	v := d.cfg.At(path)
	if !written(v) {
		return ""
	}
	text, err := v.Text()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(text)
}

// flag is a truth value of node.conf, or the fallback.
func (d *decoder) flag(path string, fallback bool) bool {
	v := d.cfg.At(path)
	if !written(v) {
		return fallback
	}
	b, err := v.Bool()
	if err != nil {
		return fallback
	}
	return b
}

// cordaPorts finds the ports of a Corda node. The broker binds every address under the port of p2pAddress, whose
// host is the balancer's, unless messagingServerAddress says where; that address alone means a broker elsewhere.
func (d *decoder) cordaPorts(f *nodeFacts) {
	messaging := d.plain("messagingServerAddress")
	switch external := d.flag("messagingServerExternal", messaging != ""); {
	case external:
	case messaging != "":
		f.add("p2p", messaging)
	default:
		if at, err := parseHostPort(d.plain("p2pAddress")); err == nil {
			f.add("p2p", loopback(at.Port))
		}
	}
	if !d.flag("rpcSettings.standAloneBroker", false) {
		rpc := d.plain("rpcSettings.address")
		if rpc == "" {
			rpc = d.plain("rpcAddress")
		}
		f.rpc = f.add("rpc", rpc)
		f.add("rpc admin", d.plain("rpcSettings.adminAddress"))
	}
	f.jolokia = f.add("jolokia", ":"+d.plain("jmxMonitoringHttpPort"))
	f.add("ssh", ":"+d.plain("sshd.port"))
}

// ReadsOfNode says whether hotcold itself draws on a field of a Corda node's node.conf.
func ReadsOfNode(path string) bool {
	switch path {
	case "myLegalName", "baseDirectory", "p2pAddress", "messagingServerAddress", "messagingServerExternal", "rpcAddress",
		"rpcSettings.address", "rpcSettings.adminAddress", "rpcSettings.standAloneBroker", "webAddress", "jmxMonitoringHttpPort", "sshd.port",
		dataSource + ".dataSource.url", dataSource + ".dataSource.user", dataSource + ".dataSource.password":
		return true
	}
	return slices.Contains(slices.Collect(maps.Values(aliases())), path)
}

// add adds a port, as it is dialled from this machine, and returns that address; "" where there is none.
func (f *nodeFacts) add(name, address string) string {
	at, err := parseHostPort(address)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(at.Host); at.Host == "" || ip != nil && ip.IsUnspecified() {
		at.Host = "127.0.0.1"
	}
	f.ports = append(f.ports, Port{Name: name, Address: at.String()})
	return at.String()
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// presetDefaults are the defaults that a preset draws from the node's own files.
func (d *decoder) presetDefaults(f nodeFacts) map[string]string {
	const ready, health = "hotcold.node.ready.", "hotcold.node.health."
	found := map[string]string{}
	switch d.preset {
	case PresetCorda:
		if _, ok := d.env.Lookup("CAPSULE_CACHE_DIR"); !ok {
			// Two capsules that unpack into one cache at the same time break each other.
			found["hotcold.node.env"] = "{ CAPSULE_CACHE_DIR = " + quote(filepath.Join(d.baseDir, ".capsule")) + " }"
		}
		if f.jolokia != "" {
			found[ready+"jolokia"] = quote(f.jolokia)
			found[health+"jolokia"] = quote(f.jolokia)
		} else if f.rpc != "" {
			found[health+"tcp"] = "[" + quote(f.rpc) + "]"
		}
	case PresetArtemis:
		if f.acceptor != "" {
			found[ready+"tcp"] = "[" + quote(f.acceptor) + "]"
			found[health+"tcp"] = "[" + quote(f.acceptor) + "]"
		}
	}
	return found
}

// node reads how the node is run.
func (d *decoder) node(f nodeFacts) Node {
	const at = "hotcold.node."
	n := Node{Dir: d.path(at + "dir"), Ports: f.ports}
	faults := len(d.errs)
	n.Command = d.command(at+"command", n.Dir)
	if len(n.Command) == 0 && len(d.errs) == faults && d.preset != "" {
		d.missing(at+"command", `want what is to be run, as in ["/usr/bin/program", "argument"]`)
	}
	n.Env = d.environment(at + "env")
	n.Ready = d.ready(n.Dir)
	n.Health = d.health(n.Dir)
	n.Stop = Stop{
		Signal:  signalNamed(d.choice(at + "stop.signal")),
		Command: d.command(at+"stop.command", n.Dir),
		Timeout: d.duration(at + "stop.timeout"),
	}
	n.Restart = Restart{
		Attempts:   d.int(at + "restart.attempts"),
		Backoff:    d.duration(at + "restart.backoff"),
		MaxBackoff: d.duration(at + "restart.maxBackoff"),
		ResetAfter: d.duration(at + "restart.resetAfter"),
	}
	if r := n.Restart; r.MaxBackoff < r.Backoff && d.isWritten(at+"restart.maxBackoff") {
		d.fail(d.cfg.At(at+"restart.maxBackoff").Errorf("want no less than %srestart.backoff, which is %v; got %v", at, r.Backoff, r.MaxBackoff))
	}
	n.Failover = Failover{Budget: d.int(at + "failover.budget"), Window: d.duration(at + "failover.window")}
	n.Output = Output{
		File:         d.path(at + "output.file"),
		MaxSizeBytes: d.size(at + "output.maxSize"),
		Keep:         d.int(at + "output.keep"),
		PassThrough:  d.bool(at + "output.passThrough"),
	}
	n.Cgroup = d.cgroup(at + "cgroup")
	return n
}

// signalNamed is the signal of a name that the table allows.
func signalNamed(name string) syscall.Signal {
	return map[string]syscall.Signal{
		"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT,
		"HUP": syscall.SIGHUP, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2,
	}[name]
}

func (d *decoder) cgroup(path string) string {
	text := d.text(path)
	if text != CgroupAuto && text != CgroupOff && !filepath.IsAbs(text) {
		_, v := d.setting(path)
		d.fail(v.Errorf("want auto, off, or the absolute path of a cgroup v2 directory"))
		return ""
	}
	return text
}

func (d *decoder) ready(dir string) Ready {
	const at = "hotcold.node.ready"
	r := Ready{Checks: d.checks(at, dir), Timeout: d.duration(at + ".timeout")}
	r.Log = d.regexp(at + ".log")
	return r
}

func (d *decoder) health(dir string) Health {
	const at = "hotcold.node.health"
	return Health{
		Checks:      d.checks(at, dir),
		Interval:    d.duration(at + ".interval"),
		Timeout:     d.duration(at + ".timeout"),
		Threshold:   d.int(at + ".threshold"),
		StartPeriod: d.duration(at + ".startPeriod"),
	}
}

// jolokiaStarted is the answer of a Corda node that serves, under the status that it publishes.
var jolokiaStarted = regexp.MustCompile(`"Value"\s*:\s*"STARTED"`)

// jolokiaStatus is where Jolokia tells a Corda node's status.
const jolokiaStatus = "/jolokia/read/net.corda:name=Status,type=Node"

// checks reads the looks that readiness and health have in common.
func (d *decoder) checks(at, dir string) Checks {
	c := Checks{TCP: d.addresses(at + ".tcp"), Command: d.command(at+".command", dir)}
	page, body := d.httpURL(at+".http"), d.regexp(at+".httpBody")
	if page != "" {
		c.HTTP = append(c.HTTP, HTTPCheck{URL: page, Body: body})
	} else if body != nil && !d.isWritten(at+".http") {
		d.fail(d.bodyAlone(at))
	}
	if address := d.address(at + ".jolokia"); address != "" {
		c.HTTP = append(c.HTTP, HTTPCheck{URL: "http://" + address + jolokiaStatus, Body: jolokiaStarted})
	}
	return c
}

func (d *decoder) bodyAlone(at string) *hocon.Error {
	return d.cfg.At(at+".httpBody").Errorf("is of no use without %s.http", at)
}
