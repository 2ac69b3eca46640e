package splice

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/balancer"
)

// listener is a socket at which clients of one rule come in.
type listener struct {
	key      int32
	fd       int
	frontend netip.AddrPort
	rule     *rule
}

// listenAt opens a frontend.
func listenAt(frontend netip.AddrPort) (int, error) {
	fd, err := unix.Socket(family(frontend.Addr()), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, fmt.Errorf("open a socket for %v: %w", frontend, err)
	}
	if family(frontend.Addr()) == unix.AF_INET6 {
		// The unspecified address of a family means that family, and no other.
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err == nil {
		err = unix.Bind(fd, sockaddr(frontend))
	}
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("listen at %v: %w", frontend, err)
	}
	inherit(fd)
	return fd, nil
}

// inherit sets on a listener what all that it accepts is to have.
func inherit(fd int) {
	keepAlive(fd)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}

// listen says whether the kernel is to tell of clients. The listener is known to poll, so that it cannot fail.
func (li *listener) listen(poll int, events uint32) {
	_ = unix.EpollCtl(poll, unix.EPOLL_CTL_MOD, li.fd, &unix.EpollEvent{Events: events, Fd: li.key})
}

func (li *listener) close() { _ = unix.Close(li.fd) }

// heirloom is a listener that was inherited and that no rule has taken yet.
type heirloom struct {
	name  string
	fd    int
	bound netip.AddrPort
}

// inheritAll takes over the files of Options: their descriptors are ours from now on.
func inheritAll(files []*os.File) (all []heirloom, err error) {
	var faults []error
	for _, f := range files {
		h, err := inheritOne(f)
		if err != nil {
			faults = append(faults, fmt.Errorf("inherit listener %q: %w", f.Name(), err))
			continue
		}
		all = append(all, h)
	}
	if err := errors.Join(faults...); err != nil {
		disinherit(all)
		return nil, err
	}
	for _, f := range files {
		_ = f.Close() // we have a descriptor of our own
	}
	return all, nil
}

func inheritOne(f *os.File) (heirloom, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return heirloom{}, err
	}
	h := heirloom{name: f.Name(), fd: -1}
	if failed := raw.Control(func(fd uintptr) {
		h.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	}); failed != nil {
		return heirloom{}, failed
	}
	if err != nil {
		return heirloom{}, err
	}
	if listening, err := unix.GetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listening != 1 {
		_ = unix.Close(h.fd)
		return heirloom{}, errors.New("this is no listening socket")
	}
	// systemd hands sockets over that block.
	if err := unix.SetNonblock(h.fd, true); err != nil {
		_ = unix.Close(h.fd)
		return heirloom{}, err
	}
	inherit(h.fd)
	h.bound = local(h.fd)
	return h, nil
}

func disinherit(all []heirloom) {
	for _, h := range all {
		_ = unix.Close(h.fd)
	}
}

// openings are the listeners that an Apply opened and has not put in force.
type openings struct {
	made []*listener
	left []heirloom
	took []heirloom
}

// open finds a listener for a rule among those inherited, or opens one.
func (o *openings) open(r balancer.Rule) (*listener, error) {
	li := &listener{fd: -1, frontend: r.Frontend}
	fits := func(h heirloom) bool { return h.name == r.Name }
	for range 2 {
		for i, h := range o.left {
			if fits(h) {
				li.fd = h.fd
				o.took = append(o.took, h)
				o.left = append(o.left[:i:i], o.left[i+1:]...)
				return li, nil
			}
		}
		fits = func(h heirloom) bool { return h.bound == r.Frontend }
	}
	fd, err := listenAt(r.Frontend)
	if err != nil {
		return nil, fmt.Errorf("rule %q: %w", r.Name, err)
	}
	li.fd = fd
	o.made = append(o.made, li)
	return li, nil
}
