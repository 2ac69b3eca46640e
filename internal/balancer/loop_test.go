package balancer

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/probe"
)

// obedient is a data path that knows where its traffic goes, and sometimes refuses to be told.
type obedient struct {
	now      Target
	greatest uint64
	refuses  bool
	steps    []Target
}

func (p *obedient) Apply(context.Context, Setup) error { return p.refusal() }

func (p *obedient) Flows() Flows { return Flows{} }

func (p *obedient) Run(context.Context) error { return nil }

func (p *obedient) refusal() error {
	if p.refuses {
		return errors.New("as the test wants it")
	}
	return nil
}

func (p *obedient) Steer(_ context.Context, t Target, _ Old) error {
	if err := p.refusal(); err != nil {
		return err
	}
	if t.Epoch < p.greatest {
		return ErrOldEpoch
	}
	p.greatest, p.now = t.Epoch, t
	p.steps = append(p.steps, t)
	return nil
}

// model is what a person with pencil and paper knows of an agent.
type model struct {
	hot   bool
	epoch uint64
	until time.Duration
}

// The whole of the loop but its goroutines, with a path that sometimes refuses: words come and are late, streams break,
// probes look, the clock goes on, the configuration is read anew. At every moment at which the path obeys, traffic goes
// to nobody, or to the machine whose agent says hot, with the greatest epoch that anybody ever named, in a word that may
// be believed; and no epoch ever comes back to the path after a greater one.
func TestThePathIsNeverToldWhatMayNotBe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, p := clock.NewStepped(), &obedient{}
		o := Options{Lease: "corda", Path: p, Clock: c, Log: slog.New(slog.DiscardHandler), Config: config.Balancer{
			Profile: config.ProfilePair, Nobody: config.NobodyRefuse, Old: config.OldCut,
			Probes: []config.BalancerProbe{
				{Name: "agent", Protocol: config.ProbeAgent, Interval: time.Second, Timeout: time.Second, Unhealthy: 1, Healthy: 1},
				{Name: "port", Protocol: config.ProbeTCP, Port: 1, Interval: time.Second, Timeout: time.Second, Unhealthy: 2, Healthy: 2},
			},
			Rules: []config.BalancerRule{
				{Name: "p2p", Frontend: netip.IPv4Unspecified(), Port: 1, BackendPort: 1, Probe: "agent"},
				{Name: "web", Frontend: netip.IPv4Unspecified(), Port: 2, BackendPort: 2, Probe: "port"},
			},
		}}
		for i, name := range []string{"a", "b"} {
			o.Machines = append(o.Machines, config.Machine{Name: name, Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), Agent: "127.0.0.1:1"})
		}
		b, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		l := &loop{Balancer: b, workers: &sync.WaitGroup{}}
		models, greatest := map[string]*model{"a": {}, "b": {}}, uint64(0)
		next := l.turn(t.Context())
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			m := l.known.machines[rapid.IntRange(0, 1).Draw(t, "machine")]
			now := c.Now()
			switch rapid.IntRange(0, 6).Draw(t, "what") {
			case 0, 1:
				w := Word{Lease: "corda", Machine: m.Name, State: "hot", Epoch: rapid.Uint64Range(1, 5).Draw(t, "epoch")}
				w.Hot = rapid.Bool().Draw(t, "hot")
				w.Ready = w.Hot
				w.Trust = time.Duration(rapid.IntRange(0, 5000).Draw(t, "trust")) * time.Millisecond
				w.Held = time.Duration(rapid.IntRange(0, 3000).Draw(t, "held")) * time.Millisecond
				sent := now
				sent.Boot -= time.Duration(rapid.IntRange(0, 4000).Draw(t, "ago")) * time.Millisecond
				l.known.opened(m)
				l.known.heard(m, w, sent, now)
				greatest = max(greatest, w.Epoch)
				*models[m.Name] = model{hot: w.Hot, epoch: w.Epoch, until: min(sent.Boot+w.Held, now.Boot) + w.Trust}
			case 2:
				l.known.lost(m, errors.New("gone"), now)
			case 3:
				look := m.probes[0]
				s := probe.Sighting{Started: now, Health: probe.Health{Well: rapid.Bool().Draw(t, "well")}}
				if !s.Health.Well {
					s.Err = errors.New("refused")
				}
				l.known.saw(m, look, s)
			case 4:
				// The timer of the loop is what moves time: no word is overslept.
				until := now.Boot + time.Duration(rapid.IntRange(1, 3000).Draw(t, "ms"))*time.Millisecond
				for next != 0 && next <= until {
					c.Advance(max(0, next-c.Now().Boot))
					next = l.turn(t.Context())
					legal(t, c, l, p, models, greatest)
				}
				c.Advance(until - c.Now().Boot)
			case 5:
				p.refuses = !p.refuses
			case 6:
				l.known = newKnown(o, l.known.access, l.log, now, l.known)
			}
			next = l.turn(t.Context())
			legal(t, c, l, p, models, greatest)
			if g := l.known.groups[0]; g.failure != "" && (next == 0 || next > g.retry) {
				t.Fatalf("the path is told again at %v, want %v", next, g.retry)
			}
			if !slices.IsSortedFunc(p.steps, func(a, b Target) int { return int(a.Epoch) - int(b.Epoch) }) {
				t.Fatalf("the path was told %+v", p.steps)
			}
		}
	})
}

func legal(t *rapid.T, c clock.Clock, l *loop, p *obedient, models map[string]*model, greatest uint64) {
	t.Helper()
	m, now := models[p.now.Machine], c.Now().Boot
	if g := l.known.groups[0]; p.refuses || p.now.Nobody() || g.failure != "" && now < g.retry {
		return // it is told again in a moment
	}
	if !m.hot || now >= m.until || m.epoch != p.now.Epoch || m.epoch != greatest {
		t.Fatalf("at %v traffic goes to %+v, whose agent says %+v; the greatest epoch is %d", now, p.now, *m, greatest)
	}
}
