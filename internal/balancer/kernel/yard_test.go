package kernel

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/balancer"
)

// The test binary runs itself once more in a network namespace of its own, which is the balancer's: all threads of the
// tests are there, so that the path is used as the program uses it. The other machines are further namespaces, each held
// by a child that does nothing.
const (
	roleVariable = "HOTCOLD_KERNEL_TEST"
	roleBalancer = "balancer"
	roleHolder   = "holder"
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case roleHolder:
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test is over, however it ended
	case roleBalancer:
		os.Exit(m.Run())
	case roleVictim:
		os.Exit(victim())
	default:
		os.Exit(again(m))
	}
}

// again runs the tests in a namespace of their own. Where none can be had, they run here and say so one by one.
func again(m *testing.M) int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), roleVariable+"="+roleBalancer)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return m.Run()
}

// The addresses of the yard. Each machine has a network with the balancer.
var (
	frontend4 = netip.MustParseAddr("10.1.0.1")
	machine4  = []netip.Addr{netip.MustParseAddr("10.2.0.2"), netip.MustParseAddr("10.3.0.2")}
	frontend6 = netip.MustParseAddr("fd00:1::1")
	machine6  = []netip.Addr{netip.MustParseAddr("fd00:2::2"), netip.MustParseAddr("fd00:3::2")}
)

// yard are a client and two machines round the balancer.
type yard struct {
	t        testing.TB
	client   *place
	machines []*place
}

// place is a network namespace other than the balancer's.
type place struct {
	t   testing.TB
	pid int
}

// newYard builds the networks. Only one can be at a time.
func newYard(t testing.TB) *yard {
	t.Helper()
	if os.Getenv(roleVariable) != roleBalancer {
		missing(t, errors.New("no network namespace can be had (it needs root, or user namespaces)"))
	}
	if _, err := exec.LookPath("ip"); err != nil {
		missing(t, errors.New("the command ip of iproute2 is missing"))
	}
	y := &yard{t: t, client: newPlace(t)}
	y.machines = []*place{newPlace(t), newPlace(t)}
	command(t, "ip", "link", "set", "lo", "up")
	sysctl(t, "net/ipv4/ip_forward", "1")
	sysctl(t, "net/ipv6/conf/all/forwarding", "1")
	for i, p := range append([]*place{y.client}, y.machines...) {
		name := "yard" + strconv.Itoa(i)
		command(t, "ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(p.pid))
		t.Cleanup(func() { _ = exec.Command("ip", "link", "del", name).Run() })
		net4, net6 := fmt.Sprintf("10.%d.0.", i+1), fmt.Sprintf("fd00:%d::", i+1)
		command(t, "ip", "addr", "add", net4+"1/24", "dev", name)
		command(t, "ip", "addr", "add", net6+"1/64", "dev", name, "nodad")
		command(t, "ip", "link", "set", name, "up")
		p.do(func() {
			command(t, "ip", "link", "set", "lo", "up")
			command(t, "ip", "addr", "add", net4+"2/24", "dev", "eth0")
			command(t, "ip", "addr", "add", net6+"2/64", "dev", "eth0", "nodad")
			command(t, "ip", "link", "set", "eth0", "up")
			command(t, "ip", "route", "add", "default", "via", net4+"1")
			command(t, "ip", "-6", "route", "add", "default", "via", net6+"1")
		})
	}
	return y
}

func newPlace(t testing.TB) *place {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVariable+"="+roleHolder)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	hold, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatalf("hold a network namespace: %v", err)
	}
	t.Cleanup(func() {
		_ = hold.Close()
		_ = cmd.Wait()
	})
	return &place{t: t, pid: cmd.Process.Pid}
}

// do runs f on a thread that is in the place. The thread does not come back: it ends with f.
func (p *place) do(f func()) {
	p.t.Helper()
	if p.pid == 0 {
		f()
		return
	}
	done := make(chan error, 1)
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked
		fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/net", p.pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			_ = unix.Close(fd)
		}
		if err != nil {
			done <- err
			return
		}
		f()
	}()
	if err := <-done; err != nil {
		p.t.Fatalf("enter a network namespace: %v", err)
	}
}

func command(t testing.TB, name string, args ...string) {
	t.Helper()
	if output, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(output))
	}
}

func sysctl(t testing.TB, name, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0); err != nil {
		t.Fatalf("set a sysctl: %v", err)
	}
}

// missing ends the test because the machine lacks what it needs: as a failure in the build, as a skip on a laptop.
func missing(t testing.TB, reason error) {
	t.Helper()
	if os.Getenv("HOTCOLD_CI") != "" || os.Getenv("CI") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
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

// dial connects from the place; from may be nil.
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

func (y *yard) path(masquerade bool) *running {
	y.t.Helper()
	return startPath(y.t, masquerade)
}

// here is the balancer's own place.
func here(t testing.TB) *place { return &place{t: t} }

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
