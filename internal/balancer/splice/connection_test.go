package splice

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/clock"
)

// What a loop does for one who asks, at a stretch: no client waits longer than ns/stretch for the answer to somebody
// else's question.
func BenchmarkTenThousandConnectionsAreListed(b *testing.B) {
	const many = 10_000
	p, err := New(Options{Clock: clock.System(), Log: slog.New(slog.DiscardHandler), Limits: Limits{Loops: 1}})
	if err != nil {
		b.Fatal(err)
	}
	defer p.abandon()
	l, r := p.door.loop, &rule{name: "p2p", group: &group{}}
	target := &balancer.Target{Machine: "machine-a", Address: netip.MustParseAddr("10.0.0.4"), Epoch: 7}
	for i := range many {
		c := &conn{rule: r, state: stateOpen, place: -1, target: target, address: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(i))}
		c.up.moved = uint64(i * 7919 % many)
		l.adopt(c)
	}
	stretches := 0
	for b.Loop() {
		all := balancer.NewConnections(100)
		stretches = 0
		for from := 0; from >= 0; stretches++ {
			from = l.list(all, from)
		}
		if all.Total() != many {
			b.Fatal(all.Total())
		}
	}
	b.ReportMetric(float64(b.Elapsed()/time.Duration(b.N))/float64(stretches), "ns/stretch")
	clear(l.conns)
}
