package config

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
)

// Every row is read by the decoder, and the decoder reads no row that is not there (it panics).
func TestDecoderReadsEverySettingOfTheTable(t *testing.T) {
	r := newRoom(t)
	r.file("hotcold.conf", least+named)
	_, d, err := load("hotcold.conf", r.world(), readAgent)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range Settings() {
		if path := sampleNames().Replace(s.Path); !wasRead(d, path) {
			t.Errorf("%s is in the table and is not read", path)
		}
	}
	if len(d.shown) != len(Settings()) {
		t.Errorf("%d settings are read, the table has %d", len(d.shown), len(Settings()))
	}
}

func wasRead(d *decoder, path string) bool {
	_, ok := d.shown[path]
	return ok
}

// named has one of everything that the writer of the file gives a name.
const named = "hotcold { machines.a.address = 10.0.0.4, balancer { probes.p.port = 1, rules.r.port = 2 } }\n"

// sampleNames puts those names into paths of the table.
func sampleNames() *strings.Replacer {
	return strings.NewReplacer("machines.*", "machines.a", "probes.*", "probes.p", "rules.*", "rules.r")
}

func TestTableIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Settings() {
		if seen[s.Path] {
			t.Errorf("%s: stands twice", s.Path)
		}
		seen[s.Path] = true
		if !strings.HasPrefix(s.Path, "hotcold.") || s.Type == "" || s.Meaning == "" || s.Why == "" {
			t.Errorf("%s: want a path under hotcold, a type, a meaning and a reason", s.Path)
		}
		if (s.Type == TypeChoice) != (len(s.Choices) > 0) {
			t.Errorf("%s: choices go with the type of a choice", s.Path)
		}
		ranged := s.Type == TypeInt || s.Type == TypeDuration || s.Type == TypeSize
		if ranged != (s.Min != "" && s.Max != "") {
			t.Errorf("%s: numbers, durations and sizes have a range, others have none", s.Path)
		}
		for _, text := range []string{s.Meaning, s.Why} {
			if !strings.HasSuffix(text, ".") {
				t.Errorf("%s: want a sentence, got %q", s.Path, text)
			}
		}
	}
}

// Every setting changes what comes out: written with a value that is not its default, the Config differs from the one
// without it. That the value arrives in the right place is what the tests of each part say.
func TestEverySettingHasAnEffect(t *testing.T) {
	r := newRoom(t)
	r.fileMode("secret", "sixteen characters at least\n", 0o600)
	r.file("node.conf", "myLegalName = \"O=X, L=London, C=GB\"\n")
	least := strings.TrimSpace(least) + ", " + named
	base := withoutRecord(r.mustLoad(least))
	samples := map[string]string{
		"hotcold.name": "other", "hotcold.preset": "artemis", "hotcold.nodeConf": "node.conf",
		"hotcold.baseDirectory": "/elsewhere", "hotcold.runtimeDir": "run",
		"hotcold.mutualExclusion.on": "false", "hotcold.mutualExclusion.machineName": "other",
		"hotcold.mutualExclusion.updateInterval": "1 s", "hotcold.mutualExclusion.waitInterval": "20 s",
		"hotcold.mutualExclusion.fenceTimeout": "1 s", "hotcold.mutualExclusion.attemptTimeout": "1 s",
		"hotcold.mutualExclusion.standby": "exit", "hotcold.mutualExclusion.onDatabaseLoss": "exit",
		"hotcold.mutualExclusion.lastResort": "[/sbin/reboot, -ff]",
		"hotcold.mutualExclusion.watchdog":   "/dev/watchdog",
		"hotcold.database.url":               `"sqlite:pair.db"`, "hotcold.database.user": "other",
		"hotcold.database.password": "other", "hotcold.database.passwordFile": "secret", "hotcold.database.tablePrefix": "other_",
		"hotcold.database.replication": "synchronous", "hotcold.database.fencing.on": "true",
		"hotcold.database.fencing.roles": "{ machine-a = a, machine-b = b }",
		"hotcold.node.command":           "true", "hotcold.node.dir": "sub", "hotcold.node.env": "{ A = b }", "hotcold.node.cgroup": "off",
		"hotcold.node.output.file": "out.log", "hotcold.node.output.maxSize": "1 MiB", "hotcold.node.output.keep": "1",
		"hotcold.node.output.passThrough": "false",
		"hotcold.node.ready.tcp":          `["db:80"]`, "hotcold.node.ready.http": `"http://x/"`, "hotcold.node.ready.httpBody": "up",
		"hotcold.node.ready.jolokia": `"x:7005"`, "hotcold.node.ready.log": "up", "hotcold.node.ready.command": "[/bin/true]",
		"hotcold.node.ready.timeout": "1 s",
		"hotcold.node.health.tcp":    `["db:80"]`, "hotcold.node.health.http": `"http://x/"`, "hotcold.node.health.httpBody": "up",
		"hotcold.node.health.jolokia": `"x:7005"`, "hotcold.node.health.command": "[/bin/true]",
		"hotcold.node.health.interval": "1 s", "hotcold.node.health.timeout": "1 s", "hotcold.node.health.threshold": "1",
		"hotcold.node.health.startPeriod": "1 s",
		"hotcold.node.stop.signal":        "INT", "hotcold.node.stop.command": "[/bin/true]", "hotcold.node.stop.timeout": "1 s",
		"hotcold.node.restart.attempts": "1", "hotcold.node.restart.backoff": "2 s", "hotcold.node.restart.maxBackoff": "1 s",
		"hotcold.node.restart.resetAfter": "1 s", "hotcold.node.failover.budget": "1", "hotcold.node.failover.window": "1 s",
		"hotcold.drive.path": "/mnt", "hotcold.drive.epochFile": "/mnt/e", "hotcold.drive.type": "nfs", "hotcold.drive.source": `"srv:/x"`, "hotcold.drive.hangLimit": "40 s",
		"hotcold.clone.files": "[extra/]", "hotcold.clone.exclude": "[x]", "hotcold.clone.sync": "auto", "hotcold.clone.otherIdentity": "allow",
		"hotcold.listen.address": "off", "hotcold.listen.tls.certificate": "c.pem", "hotcold.listen.tls.key": "k.pem",
		"hotcold.listen.tls.clientCA": "ca.pem", "hotcold.listen.keyFile": "secret", "hotcold.listen.probe": `":4655"`,
		"hotcold.log.level": "debug", "hotcold.log.format": "json",
		"hotcold.machines.*.address": "10.0.0.5", "hotcold.machines.*.agent": `"localhost:1"`, "hotcold.machines.*.ssh": `"u@h"`,
		"hotcold.balancer.profile": "aws-classic", "hotcold.balancer.pool": "other",
		"hotcold.balancer.probes.*.protocol": "HTTPS", "hotcold.balancer.probes.*.port": "3", "hotcold.balancer.probes.*.path": "/x",
		"hotcold.balancer.probes.*.interval": "2 s", "hotcold.balancer.probes.*.fast": "60 ms", "hotcold.balancer.probes.*.timeout": "60 ms",
		"hotcold.balancer.probes.*.unhealthy": "5", "hotcold.balancer.probes.*.healthy": "5",
		"hotcold.balancer.rules.*.frontend": `"::"`, "hotcold.balancer.rules.*.protocol": "HTTP", "hotcold.balancer.rules.*.port": "3",
		"hotcold.balancer.rules.*.backendPort": "4", "hotcold.balancer.rules.*.pool": "other", "hotcold.balancer.rules.*.probe": "q",
		"hotcold.balancer.rules.*.persistence": "ClientIP", "hotcold.balancer.rules.*.idleTimeout": "1 minute",
		"hotcold.balancer.rules.*.resetOnIdle": "false", "hotcold.balancer.rules.*.proxyIn": "true", "hotcold.balancer.rules.*.proxyOut": "2",
		"hotcold.balancer.rules.*.maxConnections": "5", "hotcold.balancer.rules.*.maxPerSource": "5",
		"hotcold.balancer.rules.*.allow": "[10.0.0.1]", "hotcold.balancer.rules.*.deny": `["fd00::/8"]`,
		"hotcold.balancer.nobody": "refuse", "hotcold.balancer.parkLimit": "5", "hotcold.balancer.parkTime": "5 s",
		"hotcold.balancer.old": "keep", "hotcold.balancer.drain": "5 s", "hotcold.balancer.dataPath": "splice", "hotcold.balancer.masquerade": "false",
		"hotcold.balancer.user": "nobody", "hotcold.balancer.accessLog": "access.log",
		"hotcold.balancer.agents.ca": "ca.pem", "hotcold.balancer.agents.certificate": "c.pem", "hotcold.balancer.agents.key": "k.pem",
		"hotcold.balancer.agents.token": "other", "hotcold.balancer.agents.tokenFile": "secret",
		"hotcold.balancer.listen.address": "off", "hotcold.balancer.listen.tls.certificate": "c.pem", "hotcold.balancer.listen.tls.key": "k.pem",
		"hotcold.balancer.listen.tls.clientCA": "ca.pem", "hotcold.balancer.listen.keyFile": "secret",
	}
	maps.Copy(samples, cloudSamples())
	// What a setting is of no use without.
	with := map[string]string{
		"hotcold.database.fencing.on":    "hotcold.database.fencing.roles { machine-a = a, machine-b = b }",
		"hotcold.node.ready.httpBody":    `hotcold.node.ready.http = "http://x/"`,
		"hotcold.node.health.httpBody":   `hotcold.node.health.http = "http://x/"`,
		"hotcold.listen.tls.certificate": "hotcold.listen.tls.key = k.pem",
		"hotcold.listen.tls.key":         "hotcold.listen.tls.certificate = c.pem",
		"hotcold.listen.tls.clientCA":    "hotcold.listen.tls { key = k.pem, certificate = c.pem }",

		"hotcold.balancer.agents.certificate":     "hotcold.balancer.agents.key = k.pem",
		"hotcold.balancer.agents.key":             "hotcold.balancer.agents.certificate = c.pem",
		"hotcold.balancer.listen.tls.certificate": "hotcold.balancer.listen.tls.key = k.pem",
		"hotcold.balancer.listen.tls.key":         "hotcold.balancer.listen.tls.certificate = c.pem",
		"hotcold.balancer.listen.tls.clientCA":    "hotcold.balancer.listen.tls { key = k.pem, certificate = c.pem }",

		"hotcold.balancer.probes.*.path":    "hotcold.balancer.probes.p.protocol = HTTP",
		"hotcold.balancer.rules.*.protocol": "hotcold.balancer.profile = aws-classic",
		"hotcold.balancer.rules.*.pool":     "hotcold.balancer.pool = other",
		"hotcold.balancer.rules.*.probe":    "hotcold.balancer { probes.q.port = 9, rules.r.probe = p }",
	}
	for _, s := range Settings() {
		value, ok := samples[s.Path]
		if !ok {
			t.Errorf("%s: there is no sample in this test", s.Path)
			continue
		}
		delete(samples, s.Path)
		path := sampleNames().Replace(s.Path)
		text := fmt.Sprintf("%s%s\n%s = %s\n", least, with[s.Path], path, value)
		c := r.mustLoad(text)
		if path != "hotcold.nodeConf" && c.Where(path).Line != 3 {
			t.Errorf("%s: stands in line 3, Where says %v", path, c.Where(path))
		}
		before := base
		if w := with[s.Path]; w != "" && !strings.Contains(w, "tls.") && !strings.Contains(w, "agents.") {
			before = withoutRecord(r.mustLoad(least + w))
		}
		// There is one pool: what a rule says of it can only be right or wrong.
		if s.Path != "hotcold.balancer.rules.*.pool" && reflect.DeepEqual(withoutRecord(c), before) {
			t.Errorf("%s = %s changes nothing", s.Path, value)
		}
	}
	for path := range samples {
		t.Errorf("%s: has a sample and is not in the table", path)
	}
}

// withoutRecord is the Config without the record of where everything stood.
func withoutRecord(c *Config) Config {
	bare := *c
	bare.Settings, bare.Warnings, bare.where, bare.origins = nil, nil, nil, nil
	return bare
}

func TestEveryDefaultAndBoundCanBeRead(t *testing.T) {
	for _, preset := range []PresetName{PresetCorda, PresetArtemis, PresetCommand} {
		r := newRoom(t)
		c := r.mustLoad(least + "hotcold.preset = " + string(preset))
		if c.Preset.Name != preset {
			t.Errorf("got preset %s, want %s", c.Preset.Name, preset)
		}
	}
	for _, s := range Settings() {
		for _, text := range []string{s.Min, s.Max} {
			if text != "" {
				constant(text)
			}
		}
	}
}
