package kernel

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/testserver/yard"
)

// roleVariable makes this binary something else than tests.
const roleVariable = "HOTCOLD_KERNEL_TEST"

// All threads of the tests are in the balancer's network, so that the path is used as the program uses it.
func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) == roleVictim {
		os.Exit(victim())
	}
	os.Exit(yard.Main(m))
}

// The addresses of a yard.
var (
	frontend4 = netip.MustParseAddr("10.77.1.1")
	machine4  = []netip.Addr{netip.MustParseAddr("10.77.2.2"), netip.MustParseAddr("10.77.3.2")}
	frontend6 = netip.MustParseAddr("fd77:0:0:1::1")
	machine6  = []netip.Addr{netip.MustParseAddr("fd77:0:0:2::2"), netip.MustParseAddr("fd77:0:0:3::2")}
)

// site is a yard whose places know the test.
type site struct {
	*yard.Yard
	t           testing.TB
	client, own *place
	machines    []*place
}

// place is one of them.
type place struct {
	*yard.Place
	t testing.TB
}

func newYard(t testing.TB) *site {
	t.Helper()
	y := yard.New(t, yard.Options{ReturnRoute: true})
	return &site{Yard: y, t: t, client: &place{y.Client, t}, own: &place{y.Balancer, t}, machines: []*place{{y.A, t}, {y.B, t}}}
}

// do runs f on a thread that is in the place.
func (p *place) do(f func()) {
	p.t.Helper()
	if err := p.Do(func() error { f(); return nil }); err != nil {
		p.t.Fatal(err)
	}
}

func sysctl(t testing.TB, name, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0); err != nil {
		t.Fatalf("set a sysctl: %v", err)
	}
}

// serve answers on an address of the place with its name, and then says back what it is told, line by line.
func (p *place) serve(name string, at netip.AddrPort) *server {
	p.t.Helper()
	s := &server{conns: make(chan net.Conn, 20000), ends: make(chan error, 20000)}
	var err error
	p.do(func() { s.l, err = net.Listen("tcp", at.String()) })
	if err != nil {
		p.t.Fatalf("listen on %v: %v", at, err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := s.l.Accept()
			if err != nil {
				return
			}
			s.conns <- c
			all.Go(func() {
				defer c.Close()
				_, err := io.WriteString(c, name+"\n")
				if err == nil {
					_, err = io.Copy(c, c)
				}
				s.ends <- err
			})
		}
	})
	p.t.Cleanup(func() {
		_ = s.l.Close()
		close(s.conns)
		for c := range s.conns {
			_ = c.Close()
		}
		all.Wait()
	})
	return s
}

type server struct {
	l     net.Listener
	conns chan net.Conn // as they came
	ends  chan error    // as they ended
}

// call is a client's connection.
type call struct {
	net.Conn
	r *bufio.Reader
}

// limit bounds every wait of these tests.
const limit = 20 * time.Second

// dial connects from the place.
func (p *place) dial(to netip.AddrPort, timeout time.Duration) (*call, error) {
	var c net.Conn
	var err error
	p.do(func() { c, err = net.DialTimeout("tcp", to.String(), timeout) })
	if err != nil {
		return nil, err
	}
	p.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(limit))
	return &call{Conn: c, r: bufio.NewReader(c)}, nil
}

// reach connects and returns who answered.
func (p *place) reach(to netip.AddrPort) (*call, string) {
	p.t.Helper()
	c, err := p.dial(to, limit)
	if err != nil {
		p.t.Fatalf("connect to %v: %v", to, err)
	}
	return c, c.line(p.t)
}

func (c *call) line(t testing.TB) string {
	t.Helper()
	line, err := c.r.ReadString('\n')
	if err != nil {
		t.Fatalf("read from %v: %v", c.RemoteAddr(), err)
	}
	return strings.TrimSpace(line)
}

// echo sends a line and wants it back.
func (c *call) echo(t testing.TB) {
	t.Helper()
	if _, err := io.WriteString(c, "are you there\n"); err != nil {
		t.Fatalf("write to %v: %v", c.RemoteAddr(), err)
	}
	if got := c.line(t); got != "are you there" {
		t.Fatalf("%v said %q", c.RemoteAddr(), got)
	}
}

// wasReset waits for the end of the connection, without a word sent.
func (c *call) wasReset(t testing.TB) {
	t.Helper()
	if _, err := c.r.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the idle client of %v was told %v, want a reset", c.RemoteAddr(), err)
	}
}

// running is a path with its Run.
type running struct {
	*Path
	t    testing.TB
	cuts chan balancer.Cut
	stop func() error
}

func (y *site) path(masquerade bool) *running {
	y.t.Helper()
	return startPath(y.t, masquerade)
}

// wantEnd waits for the end of the latest connection that the server has, and returns what ended it.
func (s *server) wantEnd(t testing.TB) error {
	t.Helper()
	select {
	case err := <-s.ends:
		return err
	case <-time.After(limit):
		t.Fatal("the connection did not end at the machine")
		return nil
	}
}

// quiet stops the keepalives that Go's connections send.
func (c *call) quiet(t testing.TB) {
	t.Helper()
	if err := c.Conn.(*net.TCPConn).SetKeepAlive(false); err != nil {
		t.Fatal(err)
	}
}
