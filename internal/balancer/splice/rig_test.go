package splice_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/balancer/splice"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
)

// limit is how long a test waits for what should be there at once. It is wide, because the race detector and a loaded
// machine are slow; a test that waits for it in vain fails.
const limit = 30 * time.Second

// The two machines of a test are two addresses of this one.
var (
	addressA = netip.MustParseAddr("127.0.0.2")
	addressB = netip.MustParseAddr("127.0.0.3")
)

// rig is a running path with all that it told.
type rig struct {
	t     testing.TB
	path  *splice.Path
	clock *clock.Stepped
	port  int    // of the first rule
	back  int    // where machines listen
	stop  func() // ends the path

	mu     sync.Mutex
	cuts   []balancer.Cut
	closed []splice.Closed
	log    bytes.Buffer
}

// start runs a path on a clock that stands still. It checks at the end that nothing was left behind.
func start(t testing.TB, o splice.Options) *rig {
	t.Helper()
	r := &rig{t: t, port: testserver.FreePort(t), back: testserver.FreePort(t)}
	files, running := openFiles(t), loops() // after the first use of the network, for which Go keeps files of its own
	if o.Clock == nil {
		r.clock = clock.NewStepped()
		o.Clock = r.clock
	}
	o.Log = slog.New(slog.NewTextHandler(lockedWriter{r}, nil))
	o.Cut = func(c balancer.Cut) { r.mu.Lock(); r.cuts = append(r.cuts, c); r.mu.Unlock() }
	o.Closed = func(c splice.Closed) { r.mu.Lock(); r.closed = append(r.closed, c); r.mu.Unlock() }
	if o.Limits.Loops == 0 {
		o.Limits.Loops = 2
	}
	p, err := splice.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.path = p
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(func() {
		r.stop()
		if f := p.Flows(); f.Parked != 0 {
			t.Errorf("%d clients are parked after the end", f.Parked)
		}
		for _, f := range p.Flows().Rules {
			if f.Open != 0 || f.Old != 0 {
				t.Errorf("rule %s has %d connections and %d old ones after the end", f.Rule, f.Open, f.Old)
			}
		}
		r.until("nothing is left", func() bool { return openFiles(t) <= files && loops() <= running })
	})
	return r
}

// handedOver is a listener that another process has opened, under a name.
func handedOver(t *testing.T, name string) (l *os.File, port int) {
	t.Helper()
	opened, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := opened.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Dup(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = opened.Close(), file.Close() // the descriptor above is what is left
	return os.NewFile(uintptr(fd), name), opened.Addr().(*net.TCPAddr).Port
}

type lockedWriter struct{ r *rig }

func (w lockedWriter) Write(p []byte) (int, error) {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	return w.r.log.Write(p)
}

func openFiles(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// loops counts the goroutines of paths.
func loops() int {
	all := make([]byte, 4<<20)
	return strings.Count(string(all[:runtime.Stack(all, true)]), "splice.(*loop).run(")
}

// until waits for what should come to be by itself.
func (r *rig) until(what string, holds func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for !holds() {
		if err := clock.Wait(ctx, clock.System(), 2*time.Millisecond); err != nil {
			r.t.Fatalf("%s: not within %v; %+v", what, limit, r.path.Flows())
		}
	}
}

// setup has one rule, p2p, and parks.
func (r *rig) setup(change ...func(*balancer.Setup)) balancer.Setup {
	s := balancer.Setup{
		Rules: []balancer.Rule{{
			Name: "p2p", Frontend: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(r.port)), BackendPort: uint16(r.back),
		}},
		Park: true, ParkLimit: 1024, ParkTime: 45 * time.Second,
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

func (r *rig) apply(change ...func(*balancer.Setup)) {
	r.t.Helper()
	if err := r.path.Apply(r.t.Context(), r.setup(change...)); err != nil {
		r.t.Fatal(err)
	}
}

func machineA(epoch uint64) balancer.Target {
	return balancer.Target{Machine: "a", Address: addressA, Epoch: epoch}
}

func machineB(epoch uint64) balancer.Target {
	return balancer.Target{Machine: "b", Address: addressB, Epoch: epoch}
}

func (r *rig) steer(t balancer.Target, old balancer.Old) {
	r.t.Helper()
	if err := r.path.Steer(r.t.Context(), t, old); err != nil {
		r.t.Fatal(err)
	}
}

// flows is what is counted for the first rule.
func (r *rig) flows() balancer.RuleFlows {
	if f := r.path.Flows(); len(f.Rules) > 0 {
		return f.Rules[0]
	}
	return balancer.RuleFlows{}
}

func (r *rig) told() []balancer.Cut {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]balancer.Cut(nil), r.cuts...)
}

func (r *rig) gone() []splice.Closed {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]splice.Closed(nil), r.closed...)
}

// serve is a machine's node, which does something with each connection, in the order in which they came.
func (r *rig) serve(a netip.Addr, handle func(*net.TCPConn)) {
	r.t.Helper()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, uint16(r.back))))
	if err != nil {
		r.t.Fatal(err)
	}
	var work sync.WaitGroup
	var all []*net.TCPConn
	work.Go(func() {
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			all = append(all, c)
			handle(c)
		}
	})
	r.t.Cleanup(func() {
		if r.stop != nil {
			r.stop()
		}
		_ = l.Close()
		work.Wait()
		for _, c := range all {
			_ = c.Close()
		}
	})
}

// listen is a machine's node: what it accepts comes out of a channel.
func (r *rig) listen(a netip.Addr) <-chan *net.TCPConn {
	r.t.Helper()
	accepted := make(chan *net.TCPConn, 8192)
	r.serve(a, func(c *net.TCPConn) { accepted <- c })
	return accepted
}

// echo is a machine's node that says its name and then what it hears.
func (r *rig) echo(a netip.Addr, name string) {
	r.t.Helper()
	var work sync.WaitGroup
	r.t.Cleanup(work.Wait)
	r.serve(a, func(c *net.TCPConn) {
		work.Go(func() {
			defer c.Close()
			if _, err := io.WriteString(c, name); err == nil {
				_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
			}
		})
	})
}

// dial is a client of the first rule.
func (r *rig) dial() *net.TCPConn {
	r.t.Helper()
	return r.dialPort(r.port)
}

func (r *rig) dialPort(port int) *net.TCPConn {
	r.t.Helper()
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), limit)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(limit))
	r.t.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn)
}

// join is a client that has its machine.
func (r *rig) join(accepted <-chan *net.TCPConn) (client, node *net.TCPConn) {
	r.t.Helper()
	client = r.dial()
	node = r.take(accepted)
	// A machine may see a connection before the path knows that it is there.
	hello := client.LocalAddr().String()
	say(r.t, client, node, hello)
	return client, node
}

// take is the next connection that a machine accepts.
func (r *rig) take(accepted <-chan *net.TCPConn) *net.TCPConn {
	r.t.Helper()
	select {
	case c := <-accepted:
		_ = c.SetDeadline(time.Now().Add(limit))
		r.t.Cleanup(func() { _ = c.Close() })
		return c
	case <-time.After(limit):
		r.t.Fatalf("no connection came to the machine within %v; %+v", limit, r.path.Flows())
		return nil
	}
}

// say writes and hears what the other end of a connection reads.
func say(t testing.TB, from, to net.Conn, what string) {
	t.Helper()
	if _, err := io.WriteString(from, what); err != nil {
		t.Fatalf("say %q: %v", what, err)
	}
	hear(t, to, what)
}

func hear(t testing.TB, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("heard %q (%v), want %q", got[:n], err, want)
	}
}

// end is how a connection ends for who reads it: "FIN", "RST" or an error, and what came before.
func end(c net.Conn) (how, said string) {
	all, err := io.ReadAll(c)
	switch {
	case err == nil:
		return "FIN", string(all)
	case errors.Is(err, errReset):
		return "RST", string(all)
	}
	return err.Error(), string(all)
}

func wantEnd(t testing.TB, c net.Conn, want string) {
	t.Helper()
	if how, said := end(c); how != want || said != "" {
		t.Fatalf("the connection ended with %s after %q, want %s after nothing", how, said, want)
	}
}

func (r *rig) frontend() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

// second is another rule to the same port of the machines.
func (r *rig) second() balancer.Rule {
	r.t.Helper()
	front := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(testserver.FreePort(r.t)))
	return balancer.Rule{Name: "web", Frontend: front, BackendPort: uint16(r.back)}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func systemClock() clock.Clock { return clock.System() }
