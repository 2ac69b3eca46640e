package kernel

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
)

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, t := range texts {
		all = append(all, netip.MustParsePrefix(t))
	}
	return all
}

func TestTheListsSayWhoMayConnect(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	p.apply(setup(rule4()))
	p.steer(to4(0, 1), balancer.Old{})
	var denied uint64
	for _, test := range []struct {
		name        string
		allow, deny []netip.Prefix
		in          bool
	}{
		{"no list", nil, nil, true},
		{"allowed", prefixes("10.77.1.0/24"), nil, true},
		{"one of many allowed", prefixes("10.77.1.2/32", "10.0.0.0/8", "10.77.0.0/16", "192.168.0.0/16", "255.255.255.255/32"), nil, true},
		{"all allowed", prefixes("0.0.0.0/0"), nil, true},
		{"not allowed", prefixes("10.77.1.3/32"), nil, false},
		{"only the other family is allowed", prefixes("::/0"), nil, false},
		{"written as IPv6", prefixes("::ffff:10.77.1.0/120"), nil, true},
		{"denied", nil, prefixes("10.77.1.2/32"), false},
		{"denied and allowed", prefixes("10.77.1.2/32"), prefixes("10.77.1.0/24"), false},
		{"another one denied", nil, prefixes("10.77.1.3/32", "10.77.1.0/31"), true},
	} {
		r := rule4()
		r.Allow, r.Deny = test.allow, test.deny
		p.apply(setup(r))
		c, err := y.client.dial(front4, limit)
		switch {
		case test.in && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.in:
			c.line(t)
		default:
			denied++
			if !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%s: %v, want a refusal", test.name, err)
			}
		}
	}
	f := p.until("all that were denied are counted", func(f balancer.Flows) bool { return f.Rules[0].Denied >= denied })
	if f.Rules[0].Denied != denied {
		t.Errorf("%d were denied, counted %+v", denied, f.Rules[0])
	}
}

func TestTheBoundsHoldAndGiveWayWhenAConnectionEnds(t *testing.T) {
	for name, bound := range map[string]func(*balancer.Rule){
		"of the rule":       func(r *balancer.Rule) { r.MaxConnections = 2 },
		"of the one client": func(r *balancer.Rule) { r.MaxPerSource = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t)
			y.pair()
			p := y.path(false)
			r := rule4()
			bound(&r)
			p.apply(setup(r))
			p.steer(to4(0, 1), balancer.Old{})
			first, _ := y.client.reach(front4)
			y.client.reach(front4)
			if _, err := y.client.dial(front4, limit); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("a third connection: %v, want a refusal", err)
			}
			p.until("one is limited", func(f balancer.Flows) bool { return f.Rules[0].Limited == 1 && f.Rules[0].Open == 2 })
			_ = first.Close()
			deadline := time.Now().Add(limit)
			for {
				if c, err := y.client.dial(front4, limit); err == nil {
					c.line(t)
					return
				}
				if time.Now().After(deadline) {
					t.Fatal("the place of a connection that is over was not given away")
				}
			}
		})
	}
}

func TestSilentConnectionsEnd(t *testing.T) {
	y := newYard(t)
	alpha := y.pair()[0]
	p := y.path(false)
	r := rule4()
	r.IdleTimeout, r.ResetOnIdle = minIdle, true
	p.apply(setup(r))
	p.steer(to4(0, 1), balancer.Old{})
	silent, _ := y.client.reach(front4)
	silent.quiet(t)
	began := time.Now()
	silent.wasReset(t)
	if took := time.Since(began); took < minIdle-50*time.Millisecond || took > minIdle+4*time.Second {
		t.Errorf("the silent connection ended after %v, want about %v", took, minIdle)
	}
	if err := alpha.wantEnd(t); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the machine was told %v, want a reset", err)
	}
	f := p.until("one was idle", func(f balancer.Flows) bool { return f.Rules[0].Idle == 1 && f.Rules[0].Open == 0 })
	if f.Rules[0].Cut != 0 {
		t.Errorf("counted %+v", f.Rules[0])
	}
}
