package kernel

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
)

var front4 = netip.AddrPortFrom(frontend4, port)

func TestTrafficFollowsTheTargetInOneStep(t *testing.T) {
	for name, masquerade := range map[string]bool{"masqueraded": true, "returned through the balancer": false} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t)
			y.pair()
			p := y.path(masquerade)
			p.apply(setup(rule4(), balancer.Rule{Name: "rpc", Frontend: netip.AddrPortFrom(frontend4, 10003), BackendPort: 20002}))
			for epoch := uint64(1); epoch < 6; epoch++ {
				p.steer(to4(int(epoch%2), epoch), balancer.Old{})
				for _, front := range []netip.AddrPort{front4, netip.AddrPortFrom(frontend4, 10003)} {
					c, who := y.client.reach(front)
					if want := to4(int(epoch%2), epoch).Machine; who != want {
						t.Fatalf("%q answered in epoch %d, want %s", who, epoch, want)
					}
					c.echo(t)
				}
			}
		})
	}
}

func TestAnIPv6FrontendSendsToAnIPv6Machine(t *testing.T) {
	for name, masquerade := range map[string]bool{"masqueraded": true, "returned through the balancer": false} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t)
			y.pair()
			p := y.path(masquerade)
			p.apply(setup(rule6(), balancer.Rule{Name: "all", Frontend: netip.MustParseAddrPort("[::]:10003"), BackendPort: 20002}))
			p.steer(balancer.Target{Machine: "alpha", Address: machine6[0], Epoch: 1}, balancer.Old{})
			first, who := y.client.reach(netip.AddrPortFrom(frontend6, port))
			if who != "alpha" {
				t.Fatalf("%q answered, want alpha", who)
			}
			p.steer(balancer.Target{Machine: "beta", Address: machine6[1], Epoch: 2}, balancer.Old{})
			first.wasReset(t)
			if _, who := y.client.reach(netip.AddrPortFrom(frontend6, 10003)); who != "beta" {
				t.Fatalf("%q answered, want beta", who)
			}
		})
	}
}

func TestAWildcardFrontendTakesTheBalancersOwnAddressesOnly(t *testing.T) {
	y := newYard(t)
	y.pair()
	y.machines[1].serve("direct", netip.AddrPortFrom(machine4[1], port))
	p := y.path(false)
	p.apply(setup(balancer.Rule{Name: "all", Frontend: netip.MustParseAddrPort("0.0.0.0:10002"), BackendPort: 20002}))
	p.steer(to4(0, 1), balancer.Old{})
	for i := range 2 {
		own := netip.AddrPortFrom(y.Balancer.Address(i), port)
		if _, who := y.client.reach(own); who != "alpha" {
			t.Errorf("%q answered at %v, want alpha", who, own)
		}
	}
	// What the balancer forwards as a router is not its clients'.
	if _, who := y.client.reach(netip.AddrPortFrom(machine4[1], port)); who != "direct" {
		t.Errorf("%q answered for the machine itself", who)
	}
}

func TestAClientOnTheBalancersOwnMachineIsServed(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	p.apply(setup(rule4()))
	p.steer(to4(0, 1), balancer.Old{})
	c, who := y.own.reach(front4)
	if who != "alpha" {
		t.Fatalf("%q answered, want alpha", who)
	}
	c.echo(t)
	p.steer(to4(1, 2), balancer.Old{})
	c.wasReset(t)
	if _, who := y.own.reach(front4); who != "beta" {
		t.Fatalf("%q answered, want beta", who)
	}
}

func TestBothEndsOfACutConnectionLearnItThoughTheyAreIdle(t *testing.T) {
	for name, masquerade := range map[string]bool{"masqueraded": true, "returned through the balancer": false} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t)
			alpha := y.pair()[0]
			p := y.path(masquerade)
			sysctl(t, "net/netfilter/nf_conntrack_acct", "1")
			sysctl(t, "net/netfilter/nf_conntrack_timestamp", "1")
			p.apply(setup(rule4()))
			p.steer(to4(0, 1), balancer.Old{})
			client, _ := y.client.reach(front4)
			client.echo(t)
			p.steer(to4(1, 2), balancer.Old{})
			client.wasReset(t)
			if err := alpha.wantEnd(t); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the idle machine was told %v, want a reset", err)
			}
			cut := p.wantCuts(1)[0]
			if cut.Rule != "p2p" || cut.Client.String() != client.LocalAddr().String() || cut.Was != to4(0, 1) || cut.Now != to4(1, 2) || cut.AfterDrain {
				t.Errorf("reported %+v", cut)
			}
			if cut.In == 0 || cut.Out == 0 || cut.Age <= 0 {
				t.Errorf("bytes and age are missing: %+v", cut)
			}
			// The counters are read before the connections, so the cut may be told a look earlier.
			f := p.until("one cut", func(f balancer.Flows) bool {
				return f.Rules[0].Cut == 1 && f.Rules[0].Open == 0 && f.Rules[0].Accepted > 0
			})
			if f.Rules[0].Accepted != 1 || f.Rules[0].Ended != 0 || f.Rules[0].BytesIn == 0 || f.Rules[0].BytesOut == 0 {
				t.Errorf("counted %+v", f.Rules[0])
			}
		})
	}
}

// Many ends are told by few sockets, each of which speaks for one end after the other.
func TestAllOfManyIdleConnectionsLearnThatTheyAreCut(t *testing.T) {
	for name, v6 := range map[string]bool{"IPv4": false, "IPv6": true} {
		t.Run(name, func(t *testing.T) {
			const each = 200
			y := newYard(t)
			first, to, at := rule4(), to4(0, 1), netip.AddrPortFrom(machine4[0], 20002)
			if v6 {
				first, to.Address, at = rule6(), machine6[0], netip.AddrPortFrom(machine6[0], 20002)
			}
			second := first
			second.Name, second.Frontend = "rpc", netip.AddrPortFrom(first.Frontend.Addr(), 10003)
			y.machines[0].hoard(at)
			p := y.path(true)
			p.apply(setup(first, second))
			p.steer(to, balancer.Old{})
			clients := append(y.client.connect(first.Frontend, each), y.client.connect(second.Frontend, each)...)
			p.until("all stand", func(f balancer.Flows) bool { return f.Rules[0].Open == each && f.Rules[1].Open == each })
			to.Epoch = 2
			p.steer(to, balancer.Old{})
			deadline := time.Now().Add(limit)
			for _, c := range clients {
				_ = c.SetReadDeadline(deadline)
				if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
					t.Fatalf("an idle client was told %v, want a reset", err)
				}
			}
			looks := time.NewTicker(5 * time.Millisecond)
			defer looks.Stop()
			for y.machines[0].established() > 0 {
				if time.Now().After(deadline) {
					t.Fatal("the machine was not told of all")
				}
				<-looks.C
			}
			p.wantCuts(2 * each)
		})
	}
}

func TestACutConnectionCarriesNothingMore(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	p.apply(setup(rule4()))
	p.steer(to4(0, 1), balancer.Old{})
	c, _ := y.client.reach(front4)
	c.echo(t)
	if err := p.Steer(context.Background(), to4(1, 2), balancer.Old{}); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, "too late\n") // the reset may have been here first
	if line, err := c.r.ReadString('\n'); err == nil || line != "" {
		t.Errorf("the old connection still carried %q", line)
	}
}

// Clients connect without a pause while the target changes again and again. Whoever began to connect after Steer had
// returned has to be answered by the new machine, and no client may hear the old one after that.
func TestNoConnectionReachesTheFormerMachineOnceSteerHasReturned(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	p.apply(setup(rule4()))
	var steered atomic.Uint64
	epoch := uint64(1)
	p.steer(to4(1, epoch), balancer.Old{})
	steered.Store(epoch)
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var answered atomic.Int64
	for range 8 {
		clients.Go(func() {
			y.client.do(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					before := steered.Load()
					who, err := ask(front4)
					after := steered.Load()
					if err != nil {
						continue // cut while it was young
					}
					answered.Add(1)
					// Steer may have worked already without having returned: one epoch more is possible.
					fits := false
					for e := before; e <= after+1; e++ {
						fits = fits || who == to4(int(e%2), e).Machine
					}
					if !fits {
						t.Errorf("%q answered a client that began in epoch %d and was answered by epoch %d", who, before, after)
					}
				}
			})
		})
	}
	for range 150 {
		epoch++
		p.steer(to4(int(epoch%2), epoch), balancer.Old{})
		steered.Store(epoch)
		// The very next connection, while the others go on.
		if c, err := y.client.dial(front4, limit); err == nil {
			if who, err := c.r.ReadString('\n'); err != nil || strings.TrimSpace(who) != to4(int(epoch%2), epoch).Machine {
				t.Errorf("%q answered after the turn to %s (%v)", who, to4(int(epoch%2), epoch).Machine, err)
			}
			_ = c.Close()
		} else {
			t.Errorf("connect after the turn: %v", err)
		}
	}
	close(stop)
	clients.Wait()
	if answered.Load() == 0 {
		t.Error("no client was answered")
	}
	t.Logf("%d clients were answered", answered.Load())
}

func TestASYNThatTheDeadMachineNeverAnsweredFindsTheNextOne(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	p.apply(setup(rule4()))
	p.steer(to4(0, 1), balancer.Old{})
	y.CutLink(t, y.A)
	type answer struct {
		c   *call
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		c, err := y.client.dial(front4, limit)
		answers <- answer{c, err}
	}()
	p.until("one is opening", func(f balancer.Flows) bool { return f.Rules[0].Accepted == 1 })
	p.steer(to4(1, 2), balancer.Old{})
	a := <-answers
	if a.err != nil {
		t.Fatalf("the client was not taken along: %v", a.err)
	}
	if who := a.c.line(t); who != "beta" {
		t.Errorf("%q answered, want beta", who)
	}
}

func TestALowerEpochIsNeverObeyed(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	p.apply(setup(rule4()))
	p.steer(to4(0, 7), balancer.Old{})
	if err := p.Steer(context.Background(), to4(1, 6), balancer.Old{}); !errors.Is(err, balancer.ErrOldEpoch) {
		t.Errorf("epoch 6 after 7: %v, want ErrOldEpoch", err)
	}
	p.steer(balancer.Target{}, balancer.Old{})
	if err := p.Steer(context.Background(), to4(1, 6), balancer.Old{}); !errors.Is(err, balancer.ErrOldEpoch) {
		t.Errorf("epoch 6 after 7 and nobody: %v, want ErrOldEpoch", err)
	}
	p.steer(to4(0, 7), balancer.Old{})
	if _, who := y.client.reach(front4); who != "alpha" {
		t.Errorf("%q answered, want alpha", who)
	}
}

func TestNobodyLeavesConnectionsAlone(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	p.apply(setup(rule4()))
	p.steer(to4(0, 1), balancer.Old{})
	c, _ := y.client.reach(front4)
	p.steer(balancer.Target{}, balancer.Old{})
	c.echo(t)
	p.steer(to4(0, 1), balancer.Old{})
	c.echo(t)
	if f := p.until("one is open", func(f balancer.Flows) bool { return f.Rules[0].Open == 1 }); f.Rules[0].Cut != 0 {
		t.Errorf("counted %+v", f.Rules[0])
	}
}

func TestTheSameMachineInALaterEpochKeepsNoOldConnection(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	p.apply(setup(rule4()))
	p.steer(to4(0, 1), balancer.Old{})
	c, _ := y.client.reach(front4)
	p.steer(to4(0, 2), balancer.Old{})
	c.wasReset(t)
	c, _ = y.client.reach(front4)
	c.echo(t)
}

func TestADrainedConnectionLivesOnForItsTime(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	p.apply(setup(rule4()))
	p.steer(to4(0, 1), balancer.Old{})
	c, _ := y.client.reach(front4)
	began := time.Now()
	p.steer(to4(1, 2), balancer.Old{Drain: time.Second})
	c.echo(t)
	if _, who := y.client.reach(front4); who != "beta" {
		t.Errorf("%q answered, want beta", who)
	}
	p.until("one old connection", func(f balancer.Flows) bool { return f.Rules[0].Old == 1 && f.Rules[0].Open == 2 })
	c.echo(t)
	c.wasReset(t)
	if took := time.Since(began); took < time.Second {
		t.Errorf("the drain ended after %v", took)
	}
	if cut := p.wantCuts(1)[0]; !cut.AfterDrain || cut.Was.Machine != "alpha" {
		t.Errorf("reported %+v", cut)
	}
}

func TestAKeptConnectionLivesOnAsInACloud(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	p.apply(setup(rule4()))
	p.steer(to4(0, 1), balancer.Old{})
	c, _ := y.client.reach(front4)
	p.steer(to4(1, 2), balancer.Old{Keep: true})
	c.echo(t)
	p.until("one old connection", func(f balancer.Flows) bool { return f.Rules[0].Old == 1 })
	p.steer(to4(0, 3), balancer.Old{}) // and a later cut is one of all that is old
	c.wasReset(t)
}

func TestGroupsMoveByThemselves(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	web := balancer.Rule{Name: "web", Group: "web", Frontend: netip.AddrPortFrom(frontend4, 10004), BackendPort: 20002}
	p.apply(setup(rule4(), web))
	p.steer(to4(0, 5), balancer.Old{})
	toWeb := to4(1, 2)
	toWeb.Group = "web"
	p.steer(toWeb, balancer.Old{})
	c, who := y.client.reach(front4)
	if _, whoWeb := y.client.reach(web.Frontend); who != "alpha" || whoWeb != "beta" {
		t.Fatalf("%q and %q answered, want alpha and beta", who, whoWeb)
	}
	toWeb = to4(0, 3)
	toWeb.Group = "web"
	p.steer(toWeb, balancer.Old{})
	c.echo(t)
}
