package splice_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/balancer/splice"
)

// hot is a path with one rule and one machine, at epoch 1.
func hot(t testing.TB, change ...func(*balancer.Setup)) (*rig, <-chan *net.TCPConn) {
	r := start(t, splice.Options{})
	nodes := r.listen(addressA)
	r.apply(change...)
	r.steer(machineA(1), balancer.Old{})
	return r, nodes
}

func TestHalfOfAConnectionMayEndBeforeTheOther(t *testing.T) {
	r, nodes := hot(t)
	client, node := r.join(nodes)
	_ = client.CloseWrite()
	wantEnd(t, node, "FIN")
	say(t, node, client, "the answer comes later")
	_ = node.CloseWrite()
	wantEnd(t, client, "FIN")
	r.until("it ended in order", func() bool { f := r.flows(); return f.Ended == 1 && f.Open == 0 })
	if gone := r.gone(); len(gone) != 1 || gone[0].End != splice.EndOrder || gone[0].Target != machineA(1) {
		t.Errorf("%+v", gone)
	}
}

func TestTheMachineMayEndItsHalfFirst(t *testing.T) {
	r, nodes := hot(t)
	client, node := r.join(nodes)
	_ = node.CloseWrite()
	wantEnd(t, client, "FIN")
	say(t, client, node, "thanks")
	_ = client.CloseWrite()
	wantEnd(t, node, "FIN")
}

func TestAResetIsPassedOnAsAReset(t *testing.T) {
	for _, side := range []string{"client", "machine"} {
		t.Run("of the "+side, func(t *testing.T) {
			r, nodes := hot(t)
			from, to := r.join(nodes)
			if side == "machine" {
				from, to = to, from
			}
			_ = from.SetLinger(0)
			_ = from.Close()
			wantEnd(t, to, "RST")
			r.until("it is counted", func() bool { return r.flows().Ended == 1 })
			if gone := r.gone(); gone[0].End != splice.EndReset {
				t.Errorf("%+v", gone)
			}
		})
	}
}

// A reset behind bytes that nobody takes would be read only after them: it is noticed all the same.
func TestAResetIsSeenThoughNobodyReads(t *testing.T) {
	r, nodes := hot(t)
	client, node := r.join(nodes)
	fill(t, client) // the machine does not read
	_ = client.SetLinger(0)
	_ = client.Close()
	r.until("it is gone", func() bool { return r.flows().Open == 0 })
	if how, _ := end(node); how != "RST" {
		t.Errorf("the machine saw %s, want RST", how)
	}
}

// fill writes until nothing more is taken, and tells how much was.
func fill(t testing.TB, c *net.TCPConn) (n int) {
	t.Helper()
	chunk := make([]byte, 64<<10)
	for {
		_ = c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		k, err := c.Write(chunk)
		n += k
		if err != nil {
			_ = c.SetDeadline(time.Now().Add(limit))
			return n
		}
	}
}

// A machine that accepts and never reads costs a bounded amount of memory, and hears all once it reads.
func TestWhoDoesNotReadHoldsUpOnlyWhoWritesToIt(t *testing.T) {
	r, nodes := hot(t)
	client, node := r.join(nodes)
	sent := fill(t, client)
	listed, err := r.path.Connections(t.Context(), 10)
	if err != nil || listed.Total() != 1 {
		t.Fatalf("%+v, %v", listed, err)
	}
	other, itsNode := r.join(nodes)
	say(t, other, itsNode, "not held up")
	_ = client.CloseWrite()
	got, err := io.Copy(io.Discard, node)
	if err != nil || got != int64(sent) {
		t.Errorf("the machine heard %d bytes (%v), the client sent %d", got, err, sent)
	}
}

// The goal: no byte is lost, doubled or out of order, whatever way it takes. The method: both sides send a stream of
// numbers of a known sum at once, in pieces of many sizes, to readers that are slow and fast in turn.
func TestNoByteIsLostOrDoubledInBulk(t *testing.T) {
	for _, size := range []int{1, 1000, 64 << 10, 1 << 20} {
		t.Run(fmt.Sprint("pieces of ", size), func(t *testing.T) {
			r, nodes := hot(t)
			client, node := r.join(nodes)
			total := min(32<<20, size*2000)
			sums := make(chan result, 4)
			for _, c := range []*net.TCPConn{client, node} {
				go func() { sums <- send(c, total, size) }()
				go func() { sums <- receive(c, total) }()
			}
			var seen []result
			for range 4 {
				seen = append(seen, <-sums)
			}
			for _, s := range seen {
				if s.err != nil || s.n != total || !bytes.Equal(s.sum, seen[0].sum) {
					t.Errorf("%d of %d bytes, %v", s.n, total, s.err)
				}
			}
			if f := r.flows(); f.BytesIn < uint64(total) || f.BytesOut != uint64(total) {
				t.Errorf("%+v", f)
			}
		})
	}
}

type result struct {
	n   int
	sum []byte
	err error
}

func send(c *net.TCPConn, total, size int) (r result) {
	h := sha256.New()
	for i := uint64(0); r.n < total; i++ {
		piece := make([]byte, min(size, total-r.n))
		for j := range piece {
			piece[j] = byte((r.n + j) * 2654435761 >> 7)
		}
		h.Write(piece)
		if _, r.err = c.Write(piece); r.err != nil {
			return r
		}
		r.n += len(piece)
	}
	r.err = c.CloseWrite()
	r.sum = h.Sum(nil)
	return r
}

func receive(c *net.TCPConn, total int) (r result) {
	var h hash.Hash = sha256.New()
	piece := make([]byte, 300_000)
	for i := 0; ; i++ {
		// A reader that is slow now and then: it takes little while much waits.
		take := len(piece)
		if i%16 < 4 {
			take = 700
		}
		n, err := c.Read(piece[:take])
		h.Write(piece[:n])
		r.n += n
		if err == io.EOF {
			r.sum = h.Sum(nil)
			return r
		}
		if err != nil {
			r.err = err
			return r
		}
	}
}

func TestAConnectionThatCarriesNothingEndsAfterTheIdleTimeout(t *testing.T) {
	for _, reset := range []bool{false, true} {
		want := map[bool]string{false: "FIN", true: "RST"}[reset]
		t.Run("with a "+want, func(t *testing.T) {
			r, nodes := hot(t, func(s *balancer.Setup) {
				s.Rules[0].IdleTimeout, s.Rules[0].ResetOnIdle = 4*time.Minute, reset
			})
			client, node := r.join(nodes)
			r.clock.Advance(3 * time.Minute)
			say(t, node, client, "one way is enough")
			r.until("it is counted", func() bool { return r.flows().BytesOut > 0 })
			r.clock.Advance(4*time.Minute - 1)
			say(t, node, client, "again")
			r.until("it is counted", func() bool { return r.flows().BytesOut > 20 })
			r.clock.Advance(4 * time.Minute)
			wantEnd(t, client, want)
			wantEnd(t, node, want)
			if f := r.flows(); f.Idle != 1 {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestOneWayTrafficGoesOnForHours(t *testing.T) {
	r, nodes := hot(t, func(s *balancer.Setup) { s.Rules[0].IdleTimeout = time.Minute })
	client, node := r.join(nodes)
	_ = client.CloseWrite()
	wantEnd(t, node, "FIN")
	for range 24 * 60 {
		r.clock.Advance(time.Minute - time.Millisecond)
		before := r.flows().BytesOut
		say(t, node, client, "tick")
		r.until("it is counted", func() bool { return r.flows().BytesOut == before+4 })
	}
	r.clock.Advance(time.Minute)
	wantEnd(t, client, "FIN")
}

func TestBothFamiliesAreServed(t *testing.T) {
	r, nodes := hot(t, func(s *balancer.Setup) {
		six := s.Rules[0]
		six.Name = "p2p-6"
		six.Frontend = netip.AddrPortFrom(netip.IPv6Unspecified(), six.Frontend.Port())
		s.Rules[0].Frontend = netip.AddrPortFrom(netip.IPv4Unspecified(), six.Frontend.Port())
		s.Rules = append(s.Rules, six)
	})
	for _, host := range []string{"127.0.0.1", "::1"} {
		c, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(r.port)))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		say(t, c, r.take(nodes), host)
	}
	flows := r.path.Flows().Rules
	if flows[0].Accepted != 1 || flows[1].Accepted != 1 {
		t.Errorf("%+v", flows)
	}
}

func TestConnectionsAreListed(t *testing.T) {
	r, nodes := hot(t)
	client, node := r.join(nodes)
	say(t, node, client, "seven b")
	r.until("all is counted", func() bool { return r.flows().BytesOut == 7 })
	r.clock.Advance(time.Minute)
	r.join(nodes)
	listed, err := r.path.Connections(t.Context(), 10)
	if err != nil || listed.Total() != 2 {
		t.Fatalf("%+v, %v", listed, err)
	}
	hello := uint64(len(client.LocalAddr().String()))
	want := balancer.Connection{
		Rule: "p2p", Client: client.LocalAddr().(*net.TCPAddr).AddrPort(), State: "open", Target: machineA(1),
		In: hello, Out: 7, Age: time.Minute, Idle: time.Minute,
	}
	if first := listed.First()[0]; first != want {
		t.Errorf("listed %+v, want %+v", first, want)
	}
	if one, _ := r.path.Connections(t.Context(), 1); one.Total() != 2 || len(one.First()) != 1 {
		t.Errorf("%d connections of %d are listed, want the 1 that was asked for", len(one.First()), one.Total())
	}
}

// A connection that carries much may be handed to another loop, and goes on there as if nothing were.
func TestManyBusyConnectionsAreSharedAmongLoops(t *testing.T) {
	const many = 20
	r, nodes := hot(t)
	var clients, at [many]*net.TCPConn
	for i := range many {
		clients[i], at[i] = r.join(nodes)
	}
	for round := range uint64(200) {
		for i := range many {
			say(t, clients[i], at[i], string(binary.BigEndian.AppendUint64(nil, round)))
			say(t, at[i], clients[i], string(binary.BigEndian.AppendUint64(nil, round<<8)))
		}
	}
	r.steer(machineB(2), balancer.Old{})
	for i := range many {
		wantEnd(t, clients[i], "RST")
		wantEnd(t, at[i], "RST")
	}
	if n := len(r.told()); n != many {
		t.Errorf("%d cuts were told of, want %d", n, many)
	}
}

// A reader that did not get all must not be told that it has all.
func TestWhoMissesBytesSeesAResetAndNoFIN(t *testing.T) {
	r, nodes := hot(t, func(s *balancer.Setup) { s.Rules[0].IdleTimeout = time.Minute })
	client, node := r.join(nodes)
	fill(t, client)
	r.clock.Advance(time.Minute)
	r.until("it was idle", func() bool { return r.flows().Idle == 1 })
	if how, _ := end(node); how != "RST" {
		t.Errorf("the machine saw %s, want RST", how)
	}
}
