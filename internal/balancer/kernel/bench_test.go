package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
)

// BenchmarkSteer measures how long Steer takes while connections stand, and how long it takes until the last of them
// knows that it was cut.
func BenchmarkSteer(b *testing.B) {
	for _, n := range []int{0, 1000, 10_000} {
		b.Run(fmt.Sprintf("connections=%d", n), func(b *testing.B) { steerWith(b, n) })
	}
}

func steerWith(b *testing.B, n int) {
	y := newYard(b)
	for i := range y.machines {
		y.machines[i].hoard(netip.AddrPortFrom(machine4[i], 20002))
	}
	p := y.path(true)
	p.apply(setup(rule4(),
		balancer.Rule{Name: "rpc", Frontend: netip.AddrPortFrom(frontend4, 10003), BackendPort: 20003},
		balancer.Rule{Name: "web", Frontend: netip.AddrPortFrom(frontend4, 10004), BackendPort: 20004}))
	epoch := uint64(1)
	p.steer(to4(0, epoch), balancer.Old{})
	clients := y.client.connect(front4, n)
	p.until("all stand", func(f balancer.Flows) bool { return f.Rules[0].Open == n })

	var took []time.Duration
	for b.Loop() {
		epoch++
		began := time.Now()
		if err := p.Steer(context.Background(), to4(int(epoch%2), epoch), balancer.Old{Keep: true}); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	at := func(q float64) float64 { return took[int(q*float64(len(took)-1))].Seconds() * 1e6 }
	b.ReportMetric(at(0.5), "p50-µs")
	b.ReportMetric(at(0.99), "p99-µs")

	epoch++
	began := time.Now()
	p.steer(to4(int(epoch%2), epoch), balancer.Old{})
	b.ReportMetric(time.Since(began).Seconds()*1e6, "cut-steer-µs")
	for _, c := range clients {
		_ = c.SetReadDeadline(began.Add(limit))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			b.Errorf("a client was told %v, want a reset", err)
		}
	}
	b.ReportMetric(time.Since(began).Seconds()*1e3, "last-reset-ms")
	looks := time.NewTicker(5 * time.Millisecond) // more of them would take a processor away from who is measured
	defer looks.Stop()
	for y.machines[0].established()+y.machines[1].established() > 0 {
		if time.Since(began) > limit {
			b.Fatal("a machine was not told")
		}
		<-looks.C
	}
	b.ReportMetric(time.Since(began).Seconds()*1e3, "last-machine-ms")
	p.wantCuts(n)
	b.ReportMetric(time.Since(began).Seconds()*1e3, "last-report-ms")
}

// established is how many connections the place's kernel has that stand.
func (p *place) established() int {
	p.t.Helper()
	var text []byte
	var err error
	p.do(func() { text, err = os.ReadFile("/proc/thread-self/net/snmp") })
	if err != nil {
		p.t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		switch {
		case fields[0] != "Tcp:":
		case names == nil:
			names = fields
		default:
			n, err := strconv.Atoi(fields[slices.Index(names, "CurrEstab")])
			if err != nil {
				p.t.Fatal(err)
			}
			return n
		}
	}
	p.t.Fatal("the kernel does not say how many connections stand")
	return 0
}

// hoard listens and accepts nothing: the kernel does, and no descriptor is used up.
func (p *place) hoard(at netip.AddrPort) {
	p.t.Helper()
	const backlog = 20_000
	var l net.Listener
	var err error
	p.do(func() {
		sysctl(p.t, "net/core/somaxconn", fmt.Sprint(backlog))
		l, err = net.Listen("tcp", at.String())
	})
	if err != nil {
		p.t.Fatalf("listen on %v: %v", at, err)
	}
	p.t.Cleanup(func() { _ = l.Close() })
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), backlog) })
	}
	if err != nil {
		p.t.Fatalf("listen on %v: %v", at, err)
	}
}

// connect opens many connections that stay idle.
func (p *place) connect(to netip.AddrPort, n int) []net.Conn {
	p.t.Helper()
	conns := make([]net.Conn, 0, n)
	dialer := net.Dialer{Timeout: limit, KeepAlive: -1}
	p.do(func() {
		for range n {
			c, err := dialer.Dial("tcp", to.String())
			if err != nil {
				p.t.Errorf("connect to %v: %v", to, err)
				return
			}
			conns = append(conns, c)
		}
	})
	p.t.Cleanup(func() {
		for _, c := range conns {
			_ = c.Close()
		}
	})
	return conns
}
