package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// end is one end of a connection that is to be made to speak: what goes to it seems to come from the other end.
type end struct{ from, to netip.AddrPort }

// maxMouths bounds how many ends are provoked at the same time. Nothing waits in it: it is work for processors.
const maxMouths = 8

// provoke makes ends of connections speak, about in their order. It returns the faults that it met last, and stops early
// when ctx ends.
func provoke(ctx context.Context, ends []end, mark uint32) error {
	faults := make([]error, min(maxMouths, runtime.GOMAXPROCS(0), len(ends)))
	var next atomic.Int64
	var all sync.WaitGroup
	for i := range faults {
		all.Go(func() {
			m := mouth{mark: mark, fd: -1}
			defer m.close()
			for at := next.Add(1) - 1; at < int64(len(ends)) && ctx.Err() == nil; at = next.Add(1) - 1 {
				if err := m.provoke(ends[at]); err != nil {
					faults[i] = err
				}
			}
		})
	}
	all.Wait()
	return errors.Join(faults...)
}

// byOrigin puts ends together that are spoken to in the name of the same address: they need one socket.
func byOrigin(ends []end) {
	slices.SortFunc(ends, func(a, b end) int {
		return cmp.Or(a.from.Addr().Compare(b.from.Addr()), cmp.Compare(a.from.Port(), b.from.Port()))
	})
}

// mouth makes one end after the other speak, by an empty segment that seems to come from the other end and lies
// outside its window. RFC 9293 (3.10.7.4) has it answered with an acknowledgement, whatever is in it; that one carries
// the numbers which the balancer never knew, and the rules answer it with a reset that fits. So an idle client learns
// that its connection is over without having anything to say.
//
// The segment is a window probe of a socket in repair mode (TCP_REPAIR), which needs the right CAP_NET_ADMIN that a
// path has anyway, and neither opens nor closes anything. mark keeps it out of the kernel's table of connections. The
// socket is used again as long as the segments come from the same address: to make and to close one takes longer than
// all that it is made for.
type mouth struct {
	mark uint32
	fd   int // -1: none
	from netip.AddrPort
}

func (m *mouth) provoke(e end) error {
	err := m.speakFor(e.from)
	if err == nil {
		err = m.speakTo(e.to)
	}
	if err != nil {
		m.close() // the next end is not to suffer from it
	}
	return err
}

// speakFor has a socket in repair that is bound to an address and connected to none.
func (m *mouth) speakFor(from netip.AddrPort) error {
	if m.fd >= 0 && m.from == from && disconnect(m.fd) == nil {
		return nil
	}
	m.close()
	domain, level, transparent := unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_TRANSPARENT
	if from.Addr().Is4() {
		domain, level, transparent = unix.AF_INET, unix.IPPROTO_IP, unix.IP_TRANSPARENT
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	m.fd, m.from = fd, from
	for _, o := range []struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_MARK, int(m.mark)},
		{level, transparent, 1}, // the address need not be the balancer's own
		{unix.IPPROTO_TCP, unix.TCP_REPAIR, unix.TCP_REPAIR_ON},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return fmt.Errorf("set option %d of a socket in repair: %w", o.name, err)
		}
	}
	if err := unix.Bind(fd, socketAddress(from)); err != nil {
		return fmt.Errorf("bind a socket in repair to %v: %w", from, err)
	}
	return nil
}

func (m *mouth) speakTo(to netip.AddrPort) error {
	if err := unix.Connect(m.fd, socketAddress(to)); err != nil {
		return fmt.Errorf("connect a socket in repair to %v: %w", to, err)
	}
	// Leaving the repair sends the probe; being in it again lets the end be silent.
	if err := unix.SetsockoptInt(m.fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, unix.TCP_REPAIR_OFF); err != nil {
		return fmt.Errorf("send a window probe to %v: %w", to, err)
	}
	return unix.SetsockoptInt(m.fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, unix.TCP_REPAIR_ON)
}

func (m *mouth) close() {
	if m.fd >= 0 {
		_ = unix.Close(m.fd) // nothing was written that could be lost
		m.fd = -1
	}
}

// disconnect undoes a connect and leaves the socket bound, for which package unix has no words.
func disconnect(fd int) error {
	nowhere := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, no := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&nowhere)), unsafe.Sizeof(nowhere))
	if no != 0 {
		return no
	}
	return nil
}

func socketAddress(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}
