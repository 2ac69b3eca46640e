package yard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// inner is what a place calls its only link.
const inner = "eth0"

// Place is one network namespace.
type Place struct {
	name string
	net  int
	// space is the namespace, nil for the one in which this process lives; tid is the thread that made it.
	space *os.File
	tid   int
	// jobs go to the thread that made the namespace and lives as long. Children are started from it: the kernel tells
	// a child of its parent's death when the thread dies that started it.
	jobs chan func()
	done chan struct{}
}

// own is the place of this process.
func own() *Place { return &Place{name: "balancer"} }

// open makes a namespace, held by a thread and by a descriptor.
func open(name string, number int) (*Place, error) {
	p := &Place{name: name, net: number, jobs: make(chan func()), done: make(chan struct{})}
	ready := make(chan error)
	go func() {
		defer close(p.done)
		runtime.LockOSThread() // for good: a thread in another namespace must never be used for anything else
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			p.tid = unix.Gettid()
			p.space, err = os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", p.tid))
		}
		ready <- err
		if err != nil {
			return
		}
		for job := range p.jobs {
			job()
		}
	}()
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("make the network of %s: %w", name, err)
	}
	return p, nil
}

// close lets the namespace go, which ends once its last socket and its last process have.
func (p *Place) close() {
	close(p.jobs)
	<-p.done
	_ = p.space.Close() // it was only read
}

// Do runs f on a thread that is in the place and returns what f returns. Sockets that f makes and processes that it
// starts stay there. f must not start a goroutine that makes one.
func (p *Place) Do(f func() error) error {
	if p.space == nil {
		return f()
	}
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked, so the thread ends with this goroutine
		if err := unix.Setns(int(p.space.Fd()), unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("enter the network of %s: %w", p.name, err)
			return
		}
		result <- f()
	}()
	return <-result
}

// Start starts cmd in the place, from a thread that lasts as long as the place.
func (p *Place) Start(cmd *exec.Cmd) error {
	if p.space == nil {
		return cmd.Start()
	}
	result := make(chan error)
	p.jobs <- func() { result <- cmd.Start() }
	return <-result
}

// Listen listens at a TCP port, on all addresses of the place where at is not valid.
func (p *Place) Listen(ctx context.Context, at netip.Addr, port uint16) (*net.TCPListener, error) {
	var listener *net.TCPListener
	err := p.Do(func() error {
		host := ""
		if at.IsValid() {
			host = at.String()
		}
		c := net.ListenConfig{}
		c.SetMultipathTCP(false)
		l, err := c.Listen(ctx, "tcp", net.JoinHostPort(host, fmt.Sprint(port)))
		if err == nil {
			listener = l.(*net.TCPListener)
		}
		return err
	})
	return listener, err
}

// Dial connects to a TCP port, from the place's address number i.
func (p *Place) Dial(ctx context.Context, i int, to netip.AddrPort) (*net.TCPConn, error) {
	var conn *net.TCPConn
	err := p.Do(func() (err error) {
		conn, err = p.DialHere(ctx, i, to)
		return err
	})
	return conn, err
}

// DialHere is Dial for a caller who is in the place already: the way to connect thousands of times from within one Do.
func (p *Place) DialHere(ctx context.Context, i int, to netip.AddrPort) (*net.TCPConn, error) {
	from := p.Address(i)
	if to.Addr().Is6() {
		from = p.Address6(i)
	}
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), KeepAlive: -1}
	c, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// Address is the IPv4 address number i of the place, from 0 to Addresses-1. The balancer has one towards the client and
// one towards each machine: 0, 1 and 2.
func (p *Place) Address(i int) netip.Addr {
	if p.space == nil {
		return netip.AddrFrom4([4]byte{10, 77, byte(clientNet + i), 1})
	}
	return netip.AddrFrom4([4]byte{10, 77, byte(p.net), byte(2 + i)})
}

// Address6 is the same for IPv6.
func (p *Place) Address6(i int) netip.Addr {
	number, last := p.net, 2+i
	if p.space == nil {
		number, last = clientNet+i, 1
	}
	return netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x77, 7: byte(number), 15: byte(last)})
}

func (p *Place) gateway4() netip.Addr { return netip.AddrFrom4([4]byte{10, 77, byte(p.net), 1}) }

func (p *Place) gateway6() netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x77, 7: byte(p.net), 15: 1})
}

// link is what the balancer calls its link to the place.
func (p *Place) link() string { return "to-" + p.name }

// mac is the hardware address of one end of the place's link.
func (p *Place) mac(end int) string { return fmt.Sprintf("02:00:00:00:%02x:%02x", p.net, end) }

// ip has the command ip do all lines in the place, up to the first that it cannot do.
func (p *Place) ip(lines ...string) error {
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	err := p.Start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("ip in the network of %s: %w", p.name, err), errors.New(strings.TrimSpace(said.String())))
	}
	return nil
}
