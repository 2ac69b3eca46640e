package splice_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/balancer/splice"
)

func TestParkedClientsReachTheNewMachineInTheOrderInWhichTheyCame(t *testing.T) {
	const many = 50
	r := start(t, splice.Options{})
	r.apply()
	var clients []*net.TCPConn
	for i := range many {
		c := r.dial()
		fmt.Fprintf(c, "%03d", i)
		clients = append(clients, c)
		r.until("it is parked", func() bool { return r.path.Flows().Parked == i+1 })
	}
	nodes := r.listen(addressA)
	r.steer(machineA(1), balancer.Old{})
	for i := range many {
		node := r.take(nodes)
		hear(t, node, fmt.Sprintf("%03d", i))
		say(t, node, clients[i], "hello")
	}
	if f := r.path.Flows(); f.Parked != 0 {
		t.Errorf("%d are still parked", f.Parked)
	}
}

func TestParkedClientsAreBoundedInNumber(t *testing.T) {
	r := start(t, splice.Options{})
	r.apply(func(s *balancer.Setup) { s.ParkLimit = 2 })
	first, second := r.dial(), r.dial()
	r.until("two are parked", func() bool { return r.path.Flows().Parked == 2 })
	third := r.dial()
	wantEnd(t, third, "FIN")
	if f := r.flows(); f.Overflowed != 1 || r.path.Flows().Parked != 2 {
		t.Errorf("%+v", r.path.Flows())
	}
	nodes := r.listen(addressA)
	r.steer(machineA(1), balancer.Old{})
	say(t, first, r.take(nodes), "1")
	say(t, second, r.take(nodes), "2")
}

func TestParkedClientsAreTurnedAwayWithAFINWhenTheirTimeIsOver(t *testing.T) {
	r := start(t, splice.Options{})
	r.apply()
	client := r.dial()
	fmt.Fprint(client, "a handshake that nobody reads")
	r.until("it is parked", func() bool { return r.path.Flows().Parked == 1 })
	r.clock.Advance(45*time.Second - 1)
	if n := r.path.Flows().Parked; n != 1 {
		t.Fatalf("%d are parked before the time is over", n)
	}
	r.clock.Advance(1)
	wantEnd(t, client, "FIN")
	if f := r.flows(); f.Expired != 1 {
		t.Errorf("%+v", f)
	}
}

func TestAParkedClientThatLeavesIsNoticed(t *testing.T) {
	r := start(t, splice.Options{})
	r.apply()
	orderly, brutal := r.dial(), r.dial()
	r.until("both are parked", func() bool { return r.path.Flows().Parked == 2 })
	_ = orderly.Close()
	r.until("the first is gone", func() bool { return r.path.Flows().Parked == 1 })
	_ = brutal.SetLinger(0)
	_ = brutal.Close()
	r.until("the second is gone", func() bool { return r.path.Flows().Parked == 0 })
	for _, c := range r.gone() {
		if c.End != splice.EndLeft || !c.Target.Nobody() {
			t.Errorf("%+v", c)
		}
	}
}

// A client may say all that it has to say, and then wait for the answer.
func TestAParkedClientThatHasSaidAllStillWaitsForItsAnswer(t *testing.T) {
	r := start(t, splice.Options{})
	r.apply()
	client := r.dial()
	fmt.Fprint(client, "question")
	_ = client.CloseWrite()
	r.until("it is parked", func() bool { return r.path.Flows().Parked == 1 })
	nodes := r.listen(addressA)
	r.steer(machineA(1), balancer.Old{})
	node := r.take(nodes)
	if how, said := end(node); how != "FIN" || said != "question" {
		t.Fatalf("the node heard %q and %s", said, how)
	}
	say(t, node, client, "answer")
}

func TestClientsAreRefusedWhereNobodyIsToBeParked(t *testing.T) {
	r := start(t, splice.Options{})
	r.apply(func(s *balancer.Setup) { s.Park = false })
	client := r.dial()
	fmt.Fprint(client, "hello?")
	wantEnd(t, client, "FIN")
	r.until("it is counted", func() bool { return r.flows().Failed == 1 })
	if gone := r.gone(); len(gone) != 1 || gone[0].End != splice.EndRefused {
		t.Errorf("%+v", gone)
	}
}

func TestConnectsAreRetriedOnTheSameMachineOnly(t *testing.T) {
	r := start(t, splice.Options{})
	cold := r.listen(addressB)
	r.apply()
	r.steer(machineA(1), balancer.Old{})
	client := r.dial()
	r.until("it was refused once", func() bool { return r.path.Flows().Parked == 1 })
	nodes := r.listen(addressA)
	r.clock.Advance(time.Second)
	say(t, client, r.take(nodes), "at last")
	select {
	case <-cold:
		t.Error("the cold machine was tried")
	default:
	}
}

func TestARetriedConnectEndsWithThePatience(t *testing.T) {
	r := start(t, splice.Options{})
	r.apply()
	r.steer(machineA(1), balancer.Old{})
	client := r.dial()
	r.until("it was refused once", func() bool { return r.path.Flows().Parked == 1 })
	r.clock.Advance(45 * time.Second)
	wantEnd(t, client, "FIN")
	r.until("it is counted", func() bool { return r.flows().Failed == 1 })
}

func TestAClientThatIsBeingConnectedGoesToTheNewTarget(t *testing.T) {
	r := start(t, splice.Options{})
	r.apply()
	r.steer(machineA(1), balancer.Old{})
	client := r.dial()
	r.until("it was refused once", func() bool { return r.path.Flows().Parked == 1 })
	nodes := r.listen(addressB)
	r.steer(machineB(2), balancer.Old{})
	say(t, client, r.take(nodes), "to the other")
	if f := r.flows(); f.Cut != 0 {
		t.Errorf("%+v", f)
	}
}

func TestAClientThatIsBeingConnectedIsParkedWhenNobodyIsHot(t *testing.T) {
	r := start(t, splice.Options{})
	r.apply()
	r.steer(machineA(1), balancer.Old{})
	client := r.dial()
	r.until("it was refused once", func() bool { return r.path.Flows().Parked == 1 })
	r.steer(balancer.Target{}, balancer.Old{})
	nodes := r.listen(addressA)
	r.steer(machineA(2), balancer.Old{})
	say(t, client, r.take(nodes), "here")
}
