package pathtest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/balancer/pathtest"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/cloud/haproxy"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/internal/testserver/yard"
)

// checkTimeout is far above what an answer takes on a busy machine: a look that fails cuts connections.
const checkTimeout = 10 * time.Second

// agentPort is where the stand-ins for the two agents say who is hot.
const agentPort = 6700

// The configuration that is rendered for HAProxy has to keep what it can of the promises of a path.
func TestHAProxyWithTheRenderedConfigurationKeepsWhatItCan(t *testing.T) {
	t.Parallel() // each has a process and a network of its own, and waits most of the time
	yard.Within(t, func(t *testing.T) {
		pathtest.Run(t, yard.Options{}, func(t *testing.T, y *yard.Yard) pathtest.Fixture {
			h := &haproxyPath{t: t, program: testserver.HAProxy(t), dir: testserver.Dir(t), machines: map[string]*agent{},
				addresses: map[string]netip.Addr{"a": y.A.Address(0), "b": y.B.Address(0)}, agents: map[string]netip.Addr{"a": y.A.Address(0), "b": y.B.Address(0)}}
			for name, place := range map[string]*yard.Place{"a": y.A, "b": y.B} {
				h.machines[name] = speak(t, place)
			}
			return pathtest.Fixture{Path: h, Lacks: whatHAProxyLacks}
		})
	})
}

var whatHAProxyLacks = map[pathtest.Ability]string{
	pathtest.Epochs:        "HAProxy knows no epoch",
	pathtest.OneStep:       "HAProxy has nobody up between two machines, and each of its servers moves by itself",
	pathtest.Groups:        "the rendered rules of a pair are one group",
	pathtest.Parking:       "HAProxy turns clients away while no server is up",
	pathtest.ParkingOrder:  "HAProxy keeps nobody waiting",
	pathtest.ParkingBounds: "HAProxy keeps nobody waiting",
	pathtest.Staying:       "HAProxy cuts when a server goes down, not when another one comes up",
	pathtest.Drain:         "HAProxy cannot bound a drain",
	pathtest.Keep:          "the configuration says once, for all changes, that old connections are cut",
	pathtest.IdleReset:     "HAProxy closes what is idle in order",
	pathtest.Resets:        "HAProxy passes a reset on as an orderly end",
	pathtest.ProxyPieces:   "HAProxy wants a header in one piece",
	pathtest.ProxyStrict:   "HAProxy lets a port above 65535 pass",
	pathtest.Bounds:        "HAProxy lets those beyond maxconn wait",
	pathtest.Live:          "a reload of HAProxy starts another process, which has none of the connections",
	pathtest.Sockets:       "HAProxy is a process of its own",
	pathtest.Counts:        "HAProxy counts in words of its own",
}

// agent stands in for a machine's agent: it says who is hot to whoever asks.
type agent struct{ hot atomic.Bool }

func speak(t *testing.T, place *yard.Place) *agent {
	t.Helper()
	l, err := place.Listen(t.Context(), netip.Addr{}, agentPort)
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/hot" || !a.hot.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})}
	over := make(chan struct{})
	go func() { defer close(over); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-over })
	return a
}

// haproxyPath is HAProxy behind the contract of a path: the agents say who is hot, and HAProxy finds out by its probes.
type haproxyPath struct {
	t            *testing.T
	program, dir string
	machines     map[string]*agent
	agents       map[string]netip.Addr // where they answer

	mu    sync.Mutex
	setup balancer.Setup
	// addresses are the machines', as HAProxy was told.
	addresses map[string]netip.Addr
	cmd       *exec.Cmd
}

// Run waits for ctx and ends HAProxy.
func (h *haproxyPath) Run(ctx context.Context) error {
	<-ctx.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stop()
}

func (h *haproxyPath) stop() error {
	if h.cmd == nil {
		return nil
	}
	err := h.cmd.Process.Signal(syscall.SIGTERM)
	waited := h.cmd.Wait()
	h.cmd = nil
	if exit := (*exec.ExitError)(nil); errors.As(waited, &exit) && (exit.ExitCode() == 143 || exit.Sys().(syscall.WaitStatus).Signaled()) {
		waited = nil
	}
	return errors.Join(err, waited)
}

// Apply starts HAProxy anew with another configuration.
func (h *haproxyPath) Apply(ctx context.Context, s balancer.Setup) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.setup = s
	return h.restart(ctx)
}

// Steer has the agents say who is hot, and waits until HAProxy has seen it.
func (h *haproxyPath) Steer(ctx context.Context, t balancer.Target, _ balancer.Old) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	// HAProxy knows one address for a machine. The suite gives a machine another one with each epoch.
	if !t.Nobody() && t.Address != h.addresses[t.Machine] {
		h.say("")
		h.addresses[t.Machine] = t.Address
		if err := h.restart(ctx); err != nil {
			return err
		}
	}
	h.say(t.Machine)
	return h.await(ctx)
}

func (h *haproxyPath) say(hot string) {
	for name, a := range h.machines {
		a.hot.Store(name == hot)
	}
}

func (h *haproxyPath) restart(ctx context.Context) error {
	if err := h.stop(); err != nil {
		return err
	}
	text, err := haproxy.Render(h.config())
	if err != nil {
		return err
	}
	socket := filepath.Join(h.dir, "stats")
	file := filepath.Join(h.dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(strings.Replace(text, "global\n", "global\n    stats socket "+socket+"\n", 1)), 0o600); err != nil {
		return err
	}
	h.cmd = exec.Command(h.program, "-db", "-f", file)
	h.cmd.Dir = h.dir
	log, err := os.OpenFile(filepath.Join(h.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	h.cmd.Stdout, h.cmd.Stderr = log, log
	if err := h.cmd.Start(); err != nil {
		h.cmd = nil
		return err
	}
	return h.await(ctx)
}

// config is what the setup and the machines would be in hotcold.conf.
func (h *haproxyPath) config() *config.Config {
	c := &config.Config{Balancer: config.Balancer{
		Profile: config.ProfilePair, Old: config.OldCut,
		Probes: []config.BalancerProbe{{Name: "hot", Protocol: config.ProbeAgent, Interval: 50 * time.Millisecond, Fast: 50 * time.Millisecond,
			Timeout: checkTimeout, Unhealthy: 1, Healthy: 1}},
	}}
	for _, name := range []string{"a", "b"} {
		c.Machines = append(c.Machines, config.Machine{Name: name, Address: h.addresses[name],
			Agent: net.JoinHostPort(h.agents[name].String(), fmt.Sprint(agentPort))})
	}
	for _, r := range h.setup.Rules {
		c.Balancer.Rules = append(c.Balancer.Rules, config.BalancerRule{
			Name: r.Name, Frontend: r.Frontend.Addr(), Port: int(r.Frontend.Port()), BackendPort: int(r.BackendPort), Probe: "hot",
			IdleTimeout: r.IdleTimeout, ResetOnIdle: r.ResetOnIdle, ProxyIn: r.ProxyIn, ProxyOut: r.ProxyOut,
			MaxConnections: r.MaxConnections, MaxPerSource: r.MaxPerSource, Allow: r.Allow, Deny: r.Deny,
		})
	}
	return c
}

// await waits until every server of every rule is as its agent says.
func (h *haproxyPath) await(ctx context.Context) error {
	for {
		different, err := h.states()
		if err == nil && different == "" {
			return nil
		}
		if waited := clock.Wait(ctx, clock.System(), 5*time.Millisecond); waited != nil {
			log, _ := os.ReadFile(filepath.Join(h.dir, "log"))
			return fmt.Errorf("wait for HAProxy to see who is hot: %w (%v)\n%s%s", waited, err, different, log)
		}
	}
}

// states asks HAProxy and returns the lines of servers that are not as their agents say.
func (h *haproxyPath) states() (different string, err error) {
	c, err := net.Dial("unix", filepath.Join(h.dir, "stats"))
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	if _, err := fmt.Fprintln(c, "show stat"); err != nil {
		return "", err
	}
	seen := 0
	for lines := bufio.NewScanner(c); lines.Scan(); {
		fields := strings.Split(lines.Text(), ",")
		if len(fields) < 18 || h.machines[fields[1]] == nil {
			continue
		}
		seen++
		up := strings.HasPrefix(fields[17], "UP")
		if up != h.machines[fields[1]].hot.Load() {
			different += lines.Text() + "\n"
		}
	}
	if want := 2 * (1 + len(h.setup.Rules)); seen != want {
		return "", fmt.Errorf("%d servers, want %d", seen, want)
	}
	return different, nil
}

// Flows are counted in HAProxy's own words, which nobody asks for here.
func (h *haproxyPath) Flows() balancer.Flows { return balancer.Flows{} }
