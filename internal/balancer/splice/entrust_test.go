package splice_test

import (
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/balancer/splice"
)

// crowdSize is how many clients come at once: more than are accepted at once, so that every loop has some of them.
const crowdSize = 64

// besieged is a path that finds a crowd before its door when it opens, and whose traffic goes to machine A.
func besieged(t *testing.T, prepare func(*rig), change ...func(*balancer.Setup)) (*rig, []*net.TCPConn) {
	t.Helper()
	l, port := handedOver(t, "p2p")
	r := start(t, splice.Options{Listeners: []*os.File{l}})
	r.port = port
	prepare(r)
	clients := make([]*net.TCPConn, crowdSize)
	for i := range clients {
		clients[i] = r.dial()
	}
	r.steer(machineA(1), balancer.Old{})
	r.apply(change...)
	return r, clients
}

// silent is a machine that does not answer a connect: its queue is full.
func silent(r *rig) {
	r.t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: r.back, Addr: addressA.As4()})
	}
	if err == nil {
		err = unix.Listen(fd, 0)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { r.stop(); _ = unix.Close(fd) })
	first, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: addressA.AsSlice(), Port: r.back})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = first.Close() })
}

// allAre waits until the whole crowd has come as far as that.
func (r *rig) allAre(state string) {
	r.t.Helper()
	r.until("all are "+state, func() bool {
		all, err := r.path.Connections(r.t.Context(), 2*crowdSize)
		if err != nil {
			r.t.Fatal(err)
		}
		n := 0
		for _, c := range all.First() {
			if c.State == state {
				n++
			}
		}
		return n == crowdSize
	})
}

// served has each client of a crowd say its name to its machine.
func (r *rig) served(clients []*net.TCPConn, nodes <-chan *net.TCPConn) {
	r.t.Helper()
	name := len("127.0.0.1:00000")
	for _, c := range clients {
		if _, err := c.Write([]byte(padded(c.LocalAddr().String(), name))); err != nil {
			r.t.Fatal(err)
		}
	}
	at := map[string]net.Conn{}
	for range clients {
		c := r.take(nodes)
		said := make([]byte, name)
		if _, err := c.Read(said); err != nil {
			r.t.Fatal(err)
		}
		at[string(said)] = c
	}
	for _, c := range clients {
		node := at[padded(c.LocalAddr().String(), name)]
		if node == nil {
			r.t.Fatalf("client %v is not at the machine", c.LocalAddr())
		}
		say(r.t, node, c, "welcome")
	}
}

func padded(s string, n int) string {
	for len(s) < n {
		s += " "
	}
	return s
}

func TestACrowdReachesItsMachineAndIsCutAsOne(t *testing.T) {
	var nodes <-chan *net.TCPConn
	r, clients := besieged(t, func(r *rig) { nodes = r.listen(addressA) })
	r.served(clients, nodes)
	r.steer(machineB(2), balancer.Old{})
	for _, c := range clients {
		wantEnd(t, c, "RST")
	}
	if n := len(r.told()); n != crowdSize {
		t.Errorf("%d cuts were told of, want %d", n, crowdSize)
	}
}

func TestACrowdThatIsRefusedWaitsAndIsTriedAgain(t *testing.T) {
	r, clients := besieged(t, func(*rig) {})
	r.until("all were refused once", func() bool { return r.path.Flows().Parked == crowdSize })
	nodes := r.listen(addressA)
	r.clock.Advance(time.Second)
	r.served(clients, nodes)
}

func TestACrowdThatIsBeingConnectedFollowsASteer(t *testing.T) {
	r, clients := besieged(t, silent)
	r.allAre("dialling")
	nodes := r.listen(addressB)
	r.steer(machineB(2), balancer.Old{})
	r.served(clients, nodes)
	if f := r.flows(); f.Cut != 0 || f.Accepted != crowdSize {
		t.Errorf("%+v", f)
	}
}

func TestACrowdThatIsBeingConnectedIsParkedWhenNobodyIsHot(t *testing.T) {
	r, clients := besieged(t, silent)
	r.allAre("dialling")
	r.steer(balancer.Target{}, balancer.Old{})
	r.until("all are parked", func() bool { return r.path.Flows().Parked == crowdSize })
	nodes := r.listen(addressB)
	r.steer(machineB(2), balancer.Old{})
	r.served(clients, nodes)
}

func TestACrowdIsTurnedAwayWithThePatience(t *testing.T) {
	const patience = 2 * time.Second // less than one connect may take
	r, clients := besieged(t, silent, func(s *balancer.Setup) { s.ParkTime = patience })
	r.allAre("dialling")
	r.clock.Advance(patience)
	for _, c := range clients {
		wantEnd(t, c, "FIN")
	}
	r.until("all are counted", func() bool { return r.flows().Failed == crowdSize })
}

func TestACrowdThatLeavesWhileItIsBeingConnectedIsNoticed(t *testing.T) {
	r, clients := besieged(t, silent)
	r.allAre("dialling")
	for _, c := range clients {
		_ = c.Close()
	}
	r.until("all are counted", func() bool { return r.flows().Ended == crowdSize })
}

func TestACrowdOfARuleThatIsGoneIsTurnedAway(t *testing.T) {
	r, clients := besieged(t, silent)
	r.allAre("dialling")
	r.apply(func(s *balancer.Setup) { s.Rules = nil })
	for _, c := range clients {
		wantEnd(t, c, "FIN")
	}
}

func TestACrowdIsBoundedLikeAnybody(t *testing.T) {
	const most = 10
	var nodes <-chan *net.TCPConn
	r, _ := besieged(t, func(r *rig) { nodes = r.listen(addressA) }, func(s *balancer.Setup) { s.Rules[0].MaxConnections = most })
	for range most {
		r.take(nodes)
	}
	r.until("the others are turned away", func() bool { return r.flows().Limited == crowdSize-most })
}
