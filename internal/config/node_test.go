package config

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCordaWithJolokiaIsReadyWhenItsStatusIsStarted(t *testing.T) {
	r := newRoom(t)
	r.file("node.conf", cordaNode+"jmxMonitoringHttpPort = 7005\nsshd.port = 2222\n")
	c, err := r.load("node.conf")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Node.Ready.HTTP) != 1 || len(c.Node.Health.HTTP) != 1 || len(c.Node.Health.TCP) != 0 || c.Node.Ready.Log == nil {
		t.Fatalf("got ready %+v, health %+v", c.Node.Ready, c.Node.Health)
	}
	look := c.Node.Ready.HTTP[0]
	if look.URL != "http://127.0.0.1:7005/jolokia/read/net.corda:name=Status,type=Node" {
		t.Errorf("got %s", look.URL)
	}
	for body, want := range map[string]bool{
		`{"request":{"mbean":"net.corda:name=Status,type=Node","type":"read"},"value":{"Value":"STARTED"},"timestamp":1,"status":200}`: true,
		`{"value":{"Value":"STARTING"},"status":200}`: false,
		`{"error":"x","status":404}`:                  false,
	} {
		if look.Body.MatchString(body) != want {
			t.Errorf("%s: ready is %v, want %v", body, !want, want)
		}
	}
	names := ""
	for _, p := range c.Node.Ports {
		names += p.Name + " " + p.Address + ";"
	}
	if names != "p2p 127.0.0.1:10002;rpc 127.0.0.1:10003;rpc admin 10.0.0.5:10103;jolokia 127.0.0.1:7005;ssh 127.0.0.1:2222;" {
		t.Errorf("got %s", names)
	}
}

func TestCordasExternalBrokerHasNoPortHere(t *testing.T) {
	r := newRoom(t)
	r.file("node.conf", cordaNode+"messagingServerAddress = \"broker:10002\"\n")
	c, err := r.load("node.conf")
	if err != nil {
		t.Fatal(err)
	}
	if c.Node.Ports[0].Name == "p2p" {
		t.Errorf("got %v", c.Node.Ports)
	}
}

func TestCordasFlagDayIsAStartHere(t *testing.T) {
	p := presetKnowledge(PresetCorda)
	line := "Network map switched to the new network parameters, and the node needs to be started again."
	if e := p.PlannedExits[0]; e.Code != 0 || !e.Line.MatchString(line) {
		t.Errorf("got %v", e)
	}
	if p.ExitMeaning(134) == "" || p.ExitMeaning(99) != "" {
		t.Errorf("134 has a meaning, 99 has none")
	}
}

func TestEmptyValuesTakeAwayWhatAPresetGives(t *testing.T) {
	r := newRoom(t)
	r.file("node.conf", cordaNode+"jmxMonitoringHttpPort = 7005\n")
	c := r.mustLoad("include \"node.conf\"\nhotcold.node { ready { log = \"\", jolokia = \"\" }, health { jolokia = \"\" } }")
	if !c.Node.Ready.None() || !c.Node.Health.None() {
		t.Errorf("got %+v, %+v", c.Node.Ready, c.Node.Health)
	}
}

func TestCapsuleCacheOfTheEnvironmentStays(t *testing.T) {
	r := newRoom(t)
	r.file("node.conf", cordaNode)
	r.env["CAPSULE_CACHE_DIR"] = "/var/cache/capsule"
	c := r.mustLoad("include \"node.conf\"\nhotcold.node.env { JAVA_HOME = /opt/java, LIMIT = 5 }")
	if _, ok := c.Node.Env["CAPSULE_CACHE_DIR"]; ok || c.Node.Env["JAVA_HOME"].Reveal() != "/opt/java" || c.Node.Env["LIMIT"].Reveal() != "5" {
		t.Errorf("got %d variables", len(c.Node.Env))
	}
}

func TestArtemisListensWhereItsFileSays(t *testing.T) {
	r := newRoom(t)
	r.file("etc/broker.xml", `<?xml version='1.0'?>
<configuration xmlns="urn:activemq"><core xmlns="urn:activemq:core"><acceptors>
  <acceptor name="odd">vm://0</acceptor>
  <acceptor name="artemis">tcp://0.0.0.0:61616?tcpSendBufferSize=1048576;protocols=CORE,AMQP</acceptor>
  <acceptor name="amqp"> tcp://10.0.0.5:5672 </acceptor>
  <acceptor name="set">tcp://${host}:${port}</acceptor>
</acceptors></core></configuration>`)
	c := r.mustLoad(`hotcold { name = b, preset = artemis, database.url = "postgres://db/x" }`)
	if want := []Port{{"artemis", "127.0.0.1:61616"}, {"amqp", "10.0.0.5:5672"}}; !reflect.DeepEqual(c.Node.Ports, want) {
		t.Errorf("got %v, want %v", c.Node.Ports, want)
	}
	if got := fmt.Sprint(c.Node.Ready.TCP, c.Node.Health.TCP, c.Node.Ready.Log, c.Node.Command); got !=
		"[127.0.0.1:61616] [127.0.0.1:61616] AMQ221007 ["+filepath.Join(r.dir, "bin/artemis")+" run]" {
		t.Errorf("got %s", got)
	}
	r.file("etc/broker.xml", "<configuration>")
	c = r.mustLoad(`hotcold { name = b, preset = artemis, database.url = "postgres://db/x" }`)
	if len(c.Node.Ports) != 0 || !strings.Contains(warningsOf(c), "broker.xml: cannot be read, so the broker's ports are not known") {
		t.Errorf("got %v, %s", c.Node.Ports, warningsOf(c))
	}
}

func TestCommandsAreListsOrLinesForTheShell(t *testing.T) {
	r := newRoom(t)
	for text, want := range map[string][]string{
		`[/bin/echo, "a b", 5]`: {"/bin/echo", "a b", "5"},
		`"echo 'a b' > x"`:      {"/bin/sh", "-c", "echo 'a b' > x"},
		`[bin/run, x/y]`:        {filepath.Join(r.dir, "sub/bin/run"), "x/y"},
		`[run]`:                 {"run"},
	} {
		c := r.mustLoad(least + "hotcold.node { dir = sub, command = " + text + " }")
		if !reflect.DeepEqual(c.Node.Command, want) {
			t.Errorf("%s: got %q, want %q", text, c.Node.Command, want)
		}
	}
}

func TestSettingsArriveInTheirFields(t *testing.T) {
	r := newRoom(t)
	r.fileMode("key", "sixteen characters at least\n", 0o600)
	c := r.mustLoad(least + `hotcold {
		mutualExclusion { fenceTimeout = 3 s, attemptTimeout = 900, standby = exit, onDatabaseLoss = exit, lastResort = [/sbin/reboot, -ff] }
		node {
			cgroup = /sys/fs/cgroup/hotcold
			ready { tcp = ["x:1"], http = "http://x/", httpBody = up, log = up, command = "test -e x", timeout = 1 s }
			health { tcp = ["x:2"], http = "https://x/", jolokia = "x:7005", interval = 2 s, timeout = 3 s, threshold = 4, startPeriod = 5 s }
			stop { signal = QUIT, command = [stop], timeout = 6 s }
			restart { attempts = 7, backoff = 8 s, maxBackoff = 9 s, resetAfter = 10 s }
			failover { budget = 11, window = 12 s }
			output { file = out.log, maxSize = 1 MiB, keep = 13, passThrough = false }
		}
		listen { address = "0.0.0.0:0", tls { certificate = c.pem, key = k.pem, clientCA = ca.pem }, keyFile = key }
		log { level = warn, format = json }
		drive { path = mnt, epochFile = epoch, type = nfs, source = "srv:/x", hangLimit = 40 s }
		database.tablePrefix = hc_
	}`)
	m := c.MutualExclusion
	if got := fmt.Sprintf("%v %v %v %v %v", m.FenceTimeout, m.AttemptTimeout, m.Standby, m.OnDatabaseLoss, m.LastResort); got != "3s 900ms exit exit [/sbin/reboot -ff]" {
		t.Errorf("got %s", got)
	}
	n := c.Node
	if got := fmt.Sprintf("%v %v %v %v %v %v", n.Ready.TCP, n.Ready.HTTP[0].URL, n.Ready.HTTP[0].Body, n.Ready.Log, n.Ready.Command, n.Ready.Timeout); got != "[x:1] http://x/ up up [/bin/sh -c test -e x] 1s" {
		t.Errorf("got %s", got)
	}
	h := n.Health
	if got := fmt.Sprintf("%v %v %v %v %v %v %v %v", h.TCP, len(h.HTTP), h.HTTP[0].URL, h.Interval, h.Timeout, h.Threshold, h.StartPeriod, h.Log); got != "[x:2] 2 https://x/ 2s 3s 4 5s <nil>" {
		t.Errorf("got %s", got)
	}
	if want := (Stop{Signal: syscall.SIGQUIT, Command: []string{"stop"}, Timeout: 6 * time.Second}); !reflect.DeepEqual(n.Stop, want) {
		t.Errorf("got %v", n.Stop)
	}
	if want := (Restart{7, 8 * time.Second, 9 * time.Second, 10 * time.Second}); n.Restart != want {
		t.Errorf("got %v", n.Restart)
	}
	if want := (Failover{11, 12 * time.Second}); n.Failover != want {
		t.Errorf("got %v", n.Failover)
	}
	if want := (Output{filepath.Join(r.dir, "out.log"), 1 << 20, 13, false}); n.Output != want {
		t.Errorf("got %v", n.Output)
	}
	in := func(name string) string { return filepath.Join(r.dir, name) }
	if want := (TLS{in("c.pem"), in("k.pem"), in("ca.pem")}); c.Listen.TLS != want || c.Listen.Address != "0.0.0.0:0" || c.Listen.Key.Reveal() != "sixteen characters at least" {
		t.Errorf("got %v", c.Listen)
	}
	if want := (Log{slog.LevelWarn, "json"}); c.Log != want {
		t.Errorf("got %v", c.Log)
	}
	if c.Drive != (Drive{in("mnt"), in("epoch"), "nfs", "srv:/x", 40 * time.Second}) || c.Database.TablePrefix != "hc_" || n.Cgroup != "/sys/fs/cgroup/hotcold" {
		t.Errorf("got %v, %s, %s", c.Drive, c.Database.TablePrefix, n.Cgroup)
	}
}

func TestSQLiteIsAFileFromTheBaseDirectory(t *testing.T) {
	r := newRoom(t)
	for address, want := range map[string]string{
		"sqlite:hotcold.db": filepath.Join(r.dir, "hotcold.db"), "sqlite:///var/lib/x.db": "/var/lib/x.db",
		"sqlite:/x.db": "/x.db", "jdbc:sqlite:x.db": filepath.Join(r.dir, "x.db"),
	} {
		c := r.mustLoad(least + "hotcold.database.url = " + quote(address))
		if c.Database.Dialect != DialectSQLite || c.Database.Name != want || c.Database.DSN.Reveal() != want || c.Database.String() != "sqlite "+want {
			t.Errorf("%s: got %v", address, c.Database)
		}
	}
}
