package haproxy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"math/big"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/cloud/haproxy"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/testserver"
)

var update = flag.Bool("update", false, "write the golden files anew")

// pair is what a Corda node's pair has by default: three rules that follow the agents' word.
func pair() *config.Config {
	rule := func(name string, port, back int) config.BalancerRule {
		return config.BalancerRule{Name: name, Frontend: netip.IPv4Unspecified(), Port: port, BackendPort: back, Pool: "pool", Probe: "hot"}
	}
	return &config.Config{
		Machines: []config.Machine{
			{Name: "machine-a", Address: netip.MustParseAddr("10.0.0.11"), Agent: "10.0.0.11:10700"},
			{Name: "machine-b", Address: netip.MustParseAddr("10.0.0.12"), Agent: "10.0.0.12:10700"},
		},
		Balancer: config.Balancer{
			Profile: config.ProfilePair, Pool: "pool",
			Probes: []config.BalancerProbe{
				{Name: "hot", Protocol: config.ProbeAgent, Interval: time.Second, Fast: 250 * time.Millisecond, Timeout: time.Second, Unhealthy: 1, Healthy: 1},
				{Name: "web", Protocol: config.ProbeHTTP, Port: 10004, Path: "/", Interval: 2 * time.Second, Timeout: time.Second, Unhealthy: 3, Healthy: 2},
			},
			Rules: []config.BalancerRule{rule("ha-lbr-p2p", 10002, 10002), rule("ha-lbr-rpc", 10003, 10003), rule("ha-lbr-web", 10004, 10004)},
			Old:   config.OldCut,
		},
	}
}

// everything has each thing that can be rendered, in IPv6 too, with files at fixed places below dir.
func everything(dir string) *config.Config {
	c := pair()
	b := &c.Balancer
	b.Agents = config.AgentAccess{CA: filepath.Join(dir, "ca.pem"), Certificate: filepath.Join(dir, "balancer.pem"), Token: config.NewSecret("do not render me")}
	b.User = "nobody"
	r := &b.Rules[0]
	r.IdleTimeout, r.ProxyOut = 4*time.Minute, 2
	r.Deny = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	r.Allow = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("2001:db8::/32")}
	r.MaxConnections, r.MaxPerSource = 1000, 20
	b.Rules[1].ProxyIn, b.Rules[1].ProxyOut = true, 1
	six := b.Rules[2]
	six.Name, six.Frontend = "ha-lbr-web-6", netip.IPv6Unspecified()
	b.Rules = append(b.Rules, six)
	c.Machines[1].Address = netip.MustParseAddr("2001:db8::12")
	c.Machines[1].Agent = "[2001:db8::12]:10700"
	return c
}

// azure is the guide's Azure table: three rules with a probe each, that follow each its own.
func azure() *config.Config {
	c := pair()
	c.Balancer.Profile, c.Balancer.Old = config.ProfileAzure, config.OldKeep
	c.Balancer.Probes = nil
	for i, name := range []string{"p2p", "rpc", "web"} {
		c.Balancer.Probes = append(c.Balancer.Probes, config.BalancerProbe{Name: name, Protocol: config.ProbeTCP, Port: 10002 + i,
			Interval: 5 * time.Second, Timeout: 5 * time.Second, Unhealthy: 2, Healthy: 2})
		c.Balancer.Rules[i].Probe = name
	}
	return c
}

func drained() *config.Config {
	c := pair()
	c.Balancer.Old, c.Balancer.Drain = config.OldDrain, 90*time.Second
	c.Balancer.Probes[0].Protocol, c.Balancer.Probes[0].Port, c.Balancer.Probes[0].Path = config.ProbeHTTPS, 8443, "/ready"
	c.Balancer.Probes[0].Interval = 1500 * time.Millisecond
	return c
}

func TestRenderedConfigurationsAreThoseOfTheFiles(t *testing.T) {
	for name, c := range map[string]*config.Config{
		"pair": pair(), "everything": everything("/etc/hotcold"), "azure": azure(), "drained": drained(),
	} {
		t.Run(name, func(t *testing.T) {
			got := render(t, c)
			file := filepath.Join("testdata", name+".cfg")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s is not what is rendered (-update writes it anew):\n%s", file, got)
			}
			if strings.Contains(got, "do not render me") {
				t.Error("a secret is in the rendered text")
			}
		})
	}
}

func TestHAProxyTakesWhatIsRendered(t *testing.T) {
	program := testserver.HAProxy(t)
	dir := t.TempDir()
	certificate(t, dir)
	for name, c := range map[string]*config.Config{
		"pair": pair(), "everything": everything(dir), "azure": azure(), "drained": drained(),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, name+".cfg")
			if err := os.WriteFile(file, []byte(render(t, c)), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), program, "-c", "-V", "-f", file)
			cmd.Env = append(os.Environ(), haproxy.TokenVariable+"=x")
			said, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("haproxy -c: %v\n%s", err, said)
			}
			// A warning is something that an operator would ask about.
			if strings.Contains(string(said), "[WARNING]") {
				t.Errorf("haproxy -c warns:\n%s", said)
			}
		})
	}
}

func TestWhatCannotBeRenderedIsSaidAllAtOnce(t *testing.T) {
	c := pair()
	c.Machines[0].Name = "machine a"
	c.Machines[1].Agent = ""
	c.Machines[1].Address = netip.Addr{}
	c.Balancer.Rules[1].Probe = "none such" // moves with the others, whatever its own probe is
	c.Balancer.Probes[1].Name = "w%b"
	_, err := haproxy.Render(c)
	if err == nil {
		t.Fatal("rendered")
	}
	for _, part := range []string{
		"hotcold.machines.machine a: HAProxy takes letters", "hotcold.machines.machine-b.agent", "hotcold.machines.machine-b.address",
		"hotcold.balancer.probes.w%b",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("nothing is said of %q:\n%v", part, err)
		}
	}
	if _, err := haproxy.Render(&config.Config{}); err == nil || !strings.Contains(err.Error(), "no rule") || !strings.Contains(err.Error(), "hotcold.machines") {
		t.Errorf("of an empty configuration: %v", err)
	}
}

func render(t *testing.T, c *config.Config) string {
	t.Helper()
	text, err := haproxy.Render(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// certificate writes ca.pem, and balancer.pem with its key.
func certificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, text := range map[string][]byte{
		"ca.pem": cert, "balancer.pem": append(cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
