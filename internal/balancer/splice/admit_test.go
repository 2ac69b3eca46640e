package splice_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/balancer/splice"
)

func prefixes(all ...string) (p []netip.Prefix) {
	for _, s := range all {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}

func TestWhoMayConnect(t *testing.T) {
	for _, test := range []struct {
		name        string
		allow, deny []netip.Prefix
		let         bool
	}{
		{name: "all, where nothing is said", let: true},
		{name: "who is allowed", allow: prefixes("10.0.0.0/8", "127.0.0.0/8"), let: true},
		{name: "not who is not", allow: prefixes("10.0.0.0/8")},
		{name: "not who is denied", deny: prefixes("127.0.0.1/32")},
		{name: "deny wins", allow: prefixes("127.0.0.1/32"), deny: prefixes("127.0.0.0/8")},
		{name: "of another family", deny: prefixes("::/0"), let: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, nodes := hot(t, func(s *balancer.Setup) { s.Rules[0].Allow, s.Rules[0].Deny = test.allow, test.deny })
			client := r.dial()
			if test.let {
				say(t, client, r.take(nodes), "welcome")
				return
			}
			wantEnd(t, client, "FIN")
			if f := r.flows(); f.Denied != 1 || f.Accepted != 0 {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestTheConnectionsOfARuleAreBounded(t *testing.T) {
	r, nodes := hot(t, func(s *balancer.Setup) { s.Rules[0].MaxConnections = 2 })
	first, _ := r.join(nodes)
	r.join(nodes)
	third := r.dial()
	fmt.Fprint(third, "me too?")
	wantEnd(t, third, "FIN")
	_ = first.SetLinger(0)
	_ = first.Close()
	r.until("there is room", func() bool { return r.flows().Open == 1 })
	r.join(nodes)
	if f := r.flows(); f.Limited != 1 || f.Accepted != 3 {
		t.Errorf("%+v", f)
	}
}

func TestTheConnectionsOfOneSourceAreBounded(t *testing.T) {
	r, nodes := hot(t, func(s *balancer.Setup) { s.Rules[0].MaxPerSource = 1 })
	first, _ := r.join(nodes)
	wantEnd(t, r.dial(), "FIN")
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
	other, err := from.Dial("tcp", r.frontend())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	say(t, other, r.take(nodes), "I am another")
	_ = first.SetLinger(0)
	_ = first.Close()
	r.until("it is gone", func() bool { return r.flows().Open == 1 })
	r.join(nodes)
	if f := r.flows(); f.Limited != 1 {
		t.Errorf("%+v", f)
	}
}

func TestAFloodOfConnectsLeavesNothingBehind(t *testing.T) {
	const floods, each = 8, 300
	r, _ := hot(t, func(s *balancer.Setup) { s.ParkLimit = 64 })
	var work sync.WaitGroup
	for i := range floods {
		work.Go(func() {
			for j := range each {
				c, err := net.Dial("tcp", r.frontend())
				if errors.Is(err, errReset) {
					continue // it was cut before it knew that it was connected
				}
				if err != nil {
					t.Error(err)
					return
				}
				if (i+j)%2 == 0 {
					_ = c.(*net.TCPConn).SetLinger(0)
				}
				_ = c.Close()
				if i == 0 && j%20 == 0 {
					r.steer(balancer.Target{}, balancer.Old{})
					r.steer(machineA(uint64(j+2)), balancer.Old{})
				}
			}
		})
	}
	work.Wait()
	// A client that is on its way from one loop to another is in no list, and what is counted of one that ends is not
	// counted in one step: both hold only once nothing moves.
	r.until("nothing is left but what machines have not closed, and all are counted", func() bool {
		all, err := r.path.Connections(t.Context(), floods*each)
		for _, c := range all.First() {
			if c.State != "open" {
				return false
			}
		}
		f := r.flows()
		over := f.Ended + f.Cut + f.Idle + f.Failed + f.Overflowed + f.Expired
		return err == nil && f.Accepted == over+uint64(f.Open)
	})
}

// The goal: without descriptors nothing spins and nothing breaks, and those who wait are served later. The method: clients
// stand in the queue of a listener that is handed to the path while the process may open no more files.
func TestWithoutDescriptorsClientsWaitUntilThereAreSome(t *testing.T) {
	l, port := handedOver(t, "p2p")
	r := start(t, splice.Options{Listeners: []*os.File{l}})
	nodes := r.listen(addressA)
	r.port = port
	shed, later := r.dial(), r.dial()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	restore := func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before) }
	defer restore()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: lowestFree(t), Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	r.apply()
	wantEnd(t, shed, "FIN")
	r.until("it is counted", func() bool { return r.flows().Exhausted == 1 })
	restore()
	r.steer(machineA(1), balancer.Old{})
	r.clock.Advance(100 * time.Millisecond)
	say(t, later, r.take(nodes), "served")
}

// lowestFree is the number that the next descriptor would get.
func lowestFree(t *testing.T) uint64 {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return uint64(f.Fd())
}
