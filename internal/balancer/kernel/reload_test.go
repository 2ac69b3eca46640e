package kernel

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
)

func TestAReloadKeepsTheConnectionsOfRulesThatStay(t *testing.T) {
	y := newYard(t)
	y.pair()
	y.machines[0].serve("alpha again", netip.AddrPortFrom(machine4[0], 20003))
	p := y.path(false)
	web := balancer.Rule{Name: "web", Frontend: netip.AddrPortFrom(frontend4, 10004), BackendPort: 20002}
	p.apply(setup(rule4(), web))
	p.steer(to4(0, 1), balancer.Old{})
	stays, _ := y.client.reach(front4)
	goes, _ := y.client.reach(web.Frontend)

	changed := rule4()
	changed.BackendPort, changed.MaxConnections = 20003, 100
	rpc := balancer.Rule{Name: "rpc", Frontend: netip.AddrPortFrom(frontend4, 10003), BackendPort: 20002}
	p.apply(setup(changed, rpc))
	stays.echo(t)
	if _, who := y.client.reach(front4); who != "alpha again" {
		t.Errorf("%q answered on the changed back-end port", who)
	}
	if _, who := y.client.reach(rpc.Frontend); who != "alpha" {
		t.Errorf("%q answered the new rule, want alpha: the target was known", who)
	}
	goes.wasReset(t)
	if cut := p.wantCuts(1)[0]; cut.Rule != "web" {
		t.Errorf("reported %+v", cut)
	}
	if _, err := y.client.dial(web.Frontend, limit); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a rule that is gone: %v, want a refusal", err)
	}
	p.until("all of the rule is freed", func(balancer.Flows) bool { return len(p.view.Load().rules) == 2 })
	stays.echo(t)

	// Another rule takes the number that is free now, and nothing of what was counted by it.
	p.apply(setup(changed, rpc, balancer.Rule{Name: "admin", Frontend: netip.AddrPortFrom(frontend4, 10004), BackendPort: 20002}))
	p.until("a rule of a number that was another's counts from nothing", func(f balancer.Flows) bool {
		i := slices.IndexFunc(f.Rules, func(r balancer.RuleFlows) bool { return r.Rule == "admin" })
		return i >= 0 && f.Rules[i] == balancer.RuleFlows{Rule: "admin"}
	})
}

func TestConnectionsOfARuleThatIsGoneMayBeDrained(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	web := balancer.Rule{Name: "web", Frontend: netip.AddrPortFrom(frontend4, 10004), BackendPort: 20002}
	p.apply(setup(rule4(), web))
	p.steer(to4(0, 1), balancer.Old{})
	c, _ := y.client.reach(web.Frontend)
	s := setup(rule4())
	s.Old = balancer.Old{Drain: time.Second}
	p.apply(s)
	c.echo(t)
	c.wasReset(t)
	if cut := p.wantCuts(1)[0]; !cut.AfterDrain || cut.Rule != "web" {
		t.Errorf("reported %+v", cut)
	}
	p.until("all of the rule is freed", func(balancer.Flows) bool { return len(p.view.Load().rules) == 1 })
}

func TestARuleThatComesBackFindsItsConnections(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	web := balancer.Rule{Name: "web", Frontend: netip.AddrPortFrom(frontend4, 10004), BackendPort: 20002}
	p.apply(setup(rule4(), web))
	p.steer(to4(0, 1), balancer.Old{})
	c, _ := y.client.reach(web.Frontend)
	s := setup(rule4())
	s.Old = balancer.Old{Keep: true}
	p.apply(s)
	p.apply(setup(rule4(), web))
	c.echo(t)
	if _, who := y.client.reach(web.Frontend); who != "alpha" {
		t.Errorf("%q answered, want alpha", who)
	}
}

func TestTheParksBoundsMayChange(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	p.apply(setup(rule4()))
	s := setup(rule4())
	s.Park = false
	p.apply(s)
	if _, err := y.client.dial(front4, limit); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("with nobody hot and no park: %v, want a refusal", err)
	}
	s.Park, s.ParkTime = true, time.Second
	p.apply(s)
	if _, err := y.client.dial(front4, limit); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after a second in the park: %v, want a refusal", err)
	}
	p.until("it expired", func(f balancer.Flows) bool { return f.Rules[0].Expired == 1 })
	p.steer(to4(0, 1), balancer.Old{})
	if _, who := y.client.reach(front4); who != "alpha" {
		t.Errorf("%q answered, want alpha", who)
	}
}

func TestASetupThatTheKernelCannotDoChangesNothing(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	p.apply(setup(rule4()))
	p.steer(to4(0, 1), balancer.Old{})
	bad := balancer.Rule{Name: "bad", Frontend: netip.AddrPortFrom(frontend4, 10009), BackendPort: 1, ProxyOut: 2}
	if err := p.Apply(context.Background(), setup(bad)); err == nil || !strings.Contains(err.Error(), "rule bad: the kernel cannot send a PROXY header") {
		t.Errorf("a PROXY header: %v", err)
	}
	if err := p.Apply(context.Background(), setup(rule4(), rule6())); err == nil || !strings.Contains(err.Error(), "does not translate") {
		t.Errorf("an IPv6 frontend for an IPv4 machine: %v", err)
	}
	sysctl(t, "net/ipv4/ip_forward", "0")
	if err := p.Apply(context.Background(), setup(rule4())); err == nil || !strings.Contains(err.Error(), "net.ipv4.ip_forward = 1") {
		t.Errorf("without forwarding: %v", err)
	}
	sysctl(t, "net/ipv4/ip_forward", "1")
	c, who := y.client.reach(front4)
	if who != "alpha" {
		t.Errorf("%q answered, want alpha", who)
	}
	wrong := balancer.Target{Machine: "beta", Address: machine6[1], Epoch: 2}
	if err := p.Steer(context.Background(), wrong, balancer.Old{}); err == nil {
		t.Error("an IPv4 rule was steered to an IPv6 machine")
	}
	c.echo(t)
}
