package balancer_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/status"
	"github.com/hotcold/hotcold/internal/testserver/voice"
)

const (
	// patience is how long a test waits for what has to happen.
	patience = 20 * time.Second
	// trust is how long the agents of these tests may believe, unless a test says otherwise.
	trust = time.Hour
)

// path keeps the promises of a data path and moves no bytes: it remembers what it was told.
type path struct {
	mu      sync.Mutex // guards all below
	setups  []balancer.Setup
	steers  []steer
	epochs  map[string]uint64
	refuse  error // of the next calls
	changed chan struct{}
	end     chan error
}

type steer struct {
	target balancer.Target
	old    balancer.Old
}

func newPath() *path {
	return &path{epochs: map[string]uint64{}, changed: make(chan struct{}), end: make(chan error, 1)}
}

func (p *path) Apply(_ context.Context, s balancer.Setup) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse != nil {
		return p.refuse
	}
	p.setups = append(p.setups, s)
	return nil
}

func (p *path) Steer(_ context.Context, t balancer.Target, old balancer.Old) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.refuse != nil:
		return p.refuse
	case t.Epoch < p.epochs[t.Group]:
		return balancer.ErrOldEpoch
	}
	p.epochs[t.Group] = t.Epoch
	p.steers = append(p.steers, steer{t, old})
	close(p.changed)
	p.changed = make(chan struct{})
	return nil
}

func (p *path) Flows() balancer.Flows { return balancer.Flows{Parked: 3} }

func (p *path) Run(ctx context.Context) error {
	select {
	case err := <-p.end:
		return err
	case <-ctx.Done():
		return nil
	}
}

// refusing makes the path refuse, or not any more.
func (p *path) refusing(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = err
}

// all is what the path was told so far; changed is closed when it is told more.
func (p *path) all() (steers []steer, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.steers[:len(p.steers):len(p.steers)], p.changed
}

func (p *path) setup() balancer.Setup {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.setups[len(p.setups)-1]
}

// until waits until the latest that a group was told is so.
func (p *path) until(t testing.TB, group, what string, so func(steer) bool) steer {
	t.Helper()
	ctx := within(t)
	for {
		steers, changed := p.all()
		for i := len(steers) - 1; i >= 0; i-- {
			if s := steers[i]; s.target.Group == group {
				if so(s) {
					return s
				}
				break
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s; the path was told %+v", what, steers)
		}
	}
}

// goes waits until traffic goes to a machine with an epoch; "" is nobody.
func (p *path) goes(t testing.TB, machine string, epoch uint64) steer {
	t.Helper()
	return p.until(t, "", "traffic goes to \""+machine+"\"", func(s steer) bool {
		return s.target.Machine == machine && (s.target.Epoch == epoch || machine == "")
	})
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually looks until something is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	ctx := within(t)
	for !so() {
		if clock.Wait(ctx, clock.System(), time.Millisecond) != nil {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// speak starts the listener of an agent. Change may be nil.
func speak(t testing.TB, name string, change func(*status.Options)) *voice.Voice {
	t.Helper()
	return voice.Speak(t, "corda", name, change)
}

// agentProbe asks agents, and asks again soon.
func agentProbe() config.BalancerProbe {
	return config.BalancerProbe{Name: "agent", Protocol: config.ProbeAgent, Interval: 200 * time.Millisecond, Fast: 10 * time.Millisecond,
		Timeout: 5 * time.Second, Unhealthy: 2, Healthy: 1}
}

func rule(name string, port int, probe string) config.BalancerRule {
	return config.BalancerRule{Name: name, Frontend: netip.MustParseAddr("0.0.0.0"), Port: port, BackendPort: port, Pool: "pool", Probe: probe}
}

// options are those of a pair whose agents listen at these addresses.
func options(p balancer.Path, agents ...string) balancer.Options {
	o := balancer.Options{
		Lease: "corda", Path: p, Clock: clock.System(), Log: slog.New(slog.DiscardHandler), Takeover: 15 * time.Second,
		Config: config.Balancer{
			Profile: config.ProfilePair, Pool: "pool", Probes: []config.BalancerProbe{agentProbe()},
			Rules:  []config.BalancerRule{rule("p2p", 10002, "agent"), rule("rpc", 10003, "agent"), rule("web", 10004, "agent")},
			Nobody: config.NobodyPark, ParkLimit: 1024, ParkTime: 45 * time.Second, Old: config.OldCut,
		},
	}
	for i, a := range agents {
		o.Machines = append(o.Machines, config.Machine{
			Name: string(rune('a' + i)), Address: netip.AddrFrom4([4]byte{127, 0, 0, byte(i + 1)}), Agent: a,
		})
	}
	return o
}

// start runs a balancer until the test ends.
func start(t testing.TB, o balancer.Options) *balancer.Balancer {
	t.Helper()
	b, err := balancer.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("run: %v", err)
			}
		case <-time.After(patience):
			t.Error("the balancer does not end")
		}
	})
	return b
}

// alarmed waits until there is an alarm of a kind, or none.
func alarmed(t testing.TB, b *balancer.Balancer, kind balancer.AlarmKind, want bool) {
	t.Helper()
	eventually(t, "alarm "+string(kind), func() bool {
		for _, a := range b.Snapshot().Alarms {
			if a.Kind == kind {
				return want
			}
		}
		return !want
	})
}

// port is one that accepts connections until it is closed.
func port(t testing.TB, host string) (int, func()) {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	end := func() { l.Close() }
	t.Cleanup(end)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, end
}

// journal is a log that a test may read.
type journal struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) log() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// count is in how many lines all the words stand.
func (j *journal) count(words ...string) (n int) {
	for line := range strings.Lines(j.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			n++
		}
	}
	return n
}

var errTest = errors.New("as the test wants it")
