package splice_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/balancer/splice"
)

const errReset = syscall.ECONNRESET

func TestBytesGoToTheHotMachineAndBack(t *testing.T) {
	r := start(t, splice.Options{})
	nodes := r.listen(addressA)
	r.apply()
	r.steer(machineA(1), balancer.Old{})
	client := r.dial()
	node := r.take(nodes)
	say(t, client, node, "from the client")
	say(t, node, client, "from the node")
	r.until("all is counted", func() bool { f := r.flows(); return f.BytesIn == 15 && f.BytesOut == 13 })
	if f := r.flows(); f.Open != 1 || f.Accepted != 1 {
		t.Errorf("%+v", f)
	}
}

func TestNobodyIsReachedBeforeSomethingWasSaid(t *testing.T) {
	r := start(t, splice.Options{})
	nodes := r.listen(addressA)
	r.apply()
	client := r.dial()
	r.until("it is parked", func() bool { return r.path.Flows().Parked == 1 })
	r.steer(machineA(1), balancer.Old{})
	say(t, client, r.take(nodes), "hello")
}

func TestALowerEpochIsNeverObeyed(t *testing.T) {
	r := start(t, splice.Options{})
	nodes := r.listen(addressB)
	r.apply()
	r.steer(machineB(7), balancer.Old{})
	if err := r.path.Steer(t.Context(), machineA(6), balancer.Old{}); !errors.Is(err, balancer.ErrOldEpoch) {
		t.Fatalf("got %v, want ErrOldEpoch", err)
	}
	r.steer(balancer.Target{}, balancer.Old{})
	if err := r.path.Steer(t.Context(), machineA(6), balancer.Old{}); !errors.Is(err, balancer.ErrOldEpoch) {
		t.Fatalf("got %v after nobody, want ErrOldEpoch", err)
	}
	r.steer(machineB(7), balancer.Old{})
	say(t, r.dial(), r.take(nodes), "still there")
}

func TestConnectionsOfAnEarlierEpochAreCutWithAResetOnBothSides(t *testing.T) {
	r := start(t, splice.Options{})
	nodes := r.listen(addressA)
	r.apply()
	r.steer(machineA(1), balancer.Old{})
	client := r.dial()
	node := r.take(nodes)
	say(t, client, node, "12345")
	r.clock.Advance(3 * time.Second)
	r.steer(machineB(2), balancer.Old{})
	wantEnd(t, client, "RST")
	wantEnd(t, node, "RST")
	cuts := r.told()
	if len(cuts) != 1 {
		t.Fatalf("%d cuts were told of, want 1", len(cuts))
	}
	want := balancer.Cut{Rule: "p2p", Client: cuts[0].Client, Was: machineA(1), Now: machineB(2), In: 5, Age: 3 * time.Second}
	if cuts[0] != want || cuts[0].Client.String() != client.LocalAddr().String() {
		t.Errorf("told of %+v, want %+v", cuts[0], want)
	}
	if f := r.flows(); f.Cut != 1 || f.Open != 0 || f.Old != 0 {
		t.Errorf("%+v", f)
	}
}

func TestTheSameMachineAtAHigherEpochIsAnother(t *testing.T) {
	r := start(t, splice.Options{})
	nodes := r.listen(addressA)
	r.apply()
	r.steer(machineA(1), balancer.Old{})
	client, _ := r.join(nodes)
	r.steer(machineA(1), balancer.Old{})
	if n := len(r.told()); n != 0 {
		t.Fatalf("%d connections were cut though nothing moved", n)
	}
	r.steer(machineA(2), balancer.Old{})
	wantEnd(t, client, "RST")
}

func TestNobodyLeavesConnectionsAlone(t *testing.T) {
	r := start(t, splice.Options{})
	nodes := r.listen(addressA)
	r.apply()
	r.steer(machineA(1), balancer.Old{})
	client, node := r.join(nodes)
	r.steer(balancer.Target{}, balancer.Old{})
	say(t, client, node, "we go on")
}

func TestThousandsAreCutWithinASecond(t *testing.T) {
	const many = 3000
	r := start(t, splice.Options{})
	nodes := r.listen(addressA)
	r.apply()
	r.steer(machineA(1), balancer.Old{})
	for range many {
		r.dial()
	}
	for range many {
		r.take(nodes)
	}
	r.until("all are open", func() bool { return r.flows().Open == many })
	began := time.Now()
	r.steer(machineB(2), balancer.Old{})
	r.until("all are cut", func() bool { return r.flows().Cut == many })
	if took := time.Since(began); took > time.Second && !raceDetector {
		t.Errorf("it took %v", took)
	}
	if n := len(r.told()); n != many {
		t.Errorf("%d cuts were told of, want %d", n, many)
	}
}

func TestOldConnectionsMayDrainForABoundedTime(t *testing.T) {
	r := start(t, splice.Options{})
	nodes := r.listen(addressA)
	r.apply()
	r.steer(machineA(1), balancer.Old{})
	client, node := r.join(nodes)
	r.steer(machineB(2), balancer.Old{Drain: 20 * time.Second})
	r.clock.Advance(20*time.Second - 1)
	say(t, client, node, "the last word")
	if f := r.flows(); f.Old != 1 || f.Open != 1 {
		t.Errorf("%+v", f)
	}
	// A second drain does not begin anew.
	r.steer(machineB(3), balancer.Old{Drain: 20 * time.Second})
	r.clock.Advance(1)
	wantEnd(t, client, "RST")
	if cuts := r.told(); len(cuts) != 1 || !cuts[0].AfterDrain || cuts[0].Now != machineB(3) {
		t.Errorf("told of %+v", cuts)
	}
}

func TestOldConnectionsMayBeKept(t *testing.T) {
	r := start(t, splice.Options{})
	nodes := r.listen(addressA)
	r.apply()
	r.steer(machineA(1), balancer.Old{})
	client, node := r.join(nodes)
	r.steer(machineB(2), balancer.Old{Keep: true})
	r.clock.Advance(24 * time.Hour)
	say(t, client, node, "still here")
	if f := r.flows(); f.Old != 1 {
		t.Errorf("%+v", f)
	}
}

// The goal: a client that is connected after Steer has returned is never connected to the machine before. The method:
// clients come all the time while the traffic goes back and forth between two machines that say their names; each
// client notes which target was in force before it dialled and which after it heard a name. It must have heard one of
// those between.
func TestNoConnectSlipsThroughASteer(t *testing.T) {
	r := start(t, splice.Options{})
	r.echo(addressA, "a")
	r.echo(addressB, "b")
	r.apply()
	var began, done atomic.Uint64 // epochs: odd is a
	r.steer(machineA(1), balancer.Old{})
	began.Store(1)
	done.Store(1)
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var served atomic.Int64
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				before := done.Load()
				c, err := net.Dial("tcp", r.frontend())
				if err != nil {
					continue // it was cut before it knew that it was connected
				}
				_ = c.SetDeadline(time.Now().Add(limit))
				var name [1]byte
				_, err = io.ReadFull(c, name[:])
				after := began.Load()
				_ = c.Close()
				if err != nil {
					continue // it was cut
				}
				served.Add(1)
				if before == after && (name[0] == 'a') != (before%2 == 1) {
					t.Errorf("a client of epoch %d was served by %q", before, name)
				}
			}
		})
	}
	for epoch := uint64(2); epoch < 200; epoch++ {
		target := machineB(epoch)
		if epoch%2 == 1 {
			target = machineA(epoch)
		}
		began.Store(epoch)
		r.steer(target, balancer.Old{})
		done.Store(epoch)
		want := served.Load() + 2
		r.until("clients are served", func() bool { return served.Load() >= want })
	}
	close(stop)
	clients.Wait()
}

func TestRulesOfAnotherGroupStayWhereTheyAre(t *testing.T) {
	r := start(t, splice.Options{})
	a, b := r.listen(addressA), r.listen(addressB)
	second := r.second()
	r.apply(func(s *balancer.Setup) {
		s.Rules = append(s.Rules, second)
		s.Rules[1].Group = "web"
	})
	r.steer(machineA(5), balancer.Old{})
	r.steer(balancer.Target{Group: "web", Machine: "b", Address: addressB, Epoch: 1}, balancer.Old{})
	first, other := r.dial(), r.dialPort(int(second.Frontend.Port()))
	nodeA, nodeB := r.take(a), r.take(b)
	say(t, first, nodeA, "1")
	say(t, other, nodeB, "2")
	r.steer(machineB(6), balancer.Old{})
	wantEnd(t, first, "RST")
	say(t, other, nodeB, "undisturbed")
	wantEnd(t, nodeA, "RST")
}
