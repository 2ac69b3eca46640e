package kernel

import (
	"net/netip"
	"testing"

	"github.com/hotcold/hotcold/internal/balancer"
)

const roleVictim = "victim"

func victim() int { return 0 }

func TestTrafficFollowsTheTarget(t *testing.T) {
	for name, masquerade := range map[string]bool{"masqueraded": true, "returned through the balancer": false} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t)
			y.pair()
			p := y.path(masquerade)
			p.apply(setup(rule4()))
			front := netip.AddrPortFrom(frontend4, port)
			p.steer(to4(0, 1), balancer.Old{})
			first, who := y.client.reach(front)
			if who != "alpha" {
				t.Fatalf("%q answered, want alpha", who)
			}
			first.echo(t)
			p.steer(to4(1, 2), balancer.Old{})
			if _, who := y.client.reach(front); who != "beta" {
				t.Fatalf("%q answered, want beta", who)
			}
			first.wasReset(t)
			t.Logf("%+v", p.wantCuts(1))
			t.Logf("%+v", p.Flows())
		})
	}
}
