package kernel

import (
	"testing"

	"github.com/hotcold/hotcold/internal/balancer"
)

// A younger connection may have the ends of the one that was read.
func TestAConnectionIsForgottenByItsIdAndMarkAndNotByItsEndsAlone(t *testing.T) {
	for name, v6 := range map[string]bool{"IPv4": false, "IPv6": true} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t)
			y.pair()
			p := y.path(true)
			r, to := rule4(), to4(0, 1)
			if v6 {
				r, to.Address = rule6(), machine6[0]
			}
			p.apply(setup(r))
			p.steer(to, balancer.Old{})
			y.client.reach(r.Frontend)
			read := func() []flow {
				t.Helper()
				flows, err := dump(p.marks)
				if err != nil {
					t.Fatal(err)
				}
				return flows
			}
			flows := read()
			if len(flows) != 1 {
				t.Fatalf("there are %+v, want one connection", flows)
			}
			older := flows[0]
			older.id++
			if err := forget([]flow{older}); err != nil || len(read()) != 1 {
				t.Errorf("another id, the same ends: %v, left %+v", err, read())
			}
			older.id, older.mark = flows[0].id, flows[0].mark-1
			if err := forget([]flow{older}); err != nil || len(read()) != 1 {
				t.Errorf("the same id and ends, of an older epoch: %v, left %+v", err, read())
			}
			if err := forget(flows); err != nil || len(read()) != 0 {
				t.Errorf("its own id: %v, left %+v", err, read())
			}
		})
	}
}
