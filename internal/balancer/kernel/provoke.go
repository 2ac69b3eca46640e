package kernel

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// provoke makes one end of a connection speak, by an empty segment that seems to come from the other end and lies
// outside its window. RFC 9293 (3.10.7.4) has it answered with an acknowledgement, whatever is in it; that one carries
// the numbers which the balancer never knew, and the rules answer it with a reset that fits. So an idle client learns
// that its connection is over without having anything to say.
//
// The segment is a window probe of a socket in repair mode (TCP_REPAIR), which needs the right CAP_NET_ADMIN that a
// path has anyway, and neither opens nor closes anything. mark keeps it out of the kernel's table of connections.
func provoke(from, to netip.AddrPort, mark uint32) error {
	domain := unix.AF_INET6
	if from.Addr().Is4() {
		domain = unix.AF_INET
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	defer unix.Close(fd)
	level, transparent := unix.IPPROTO_IP, unix.IP_TRANSPARENT
	if domain == unix.AF_INET6 {
		level, transparent = unix.IPPROTO_IPV6, unix.IPV6_TRANSPARENT
	}
	for _, o := range []struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_MARK, int(mark)},
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
	if err := unix.Connect(fd, socketAddress(to)); err != nil {
		return fmt.Errorf("connect a socket in repair to %v: %w", to, err)
	}
	// Leaving the repair sends the probe; being in it again lets the close be silent.
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, unix.TCP_REPAIR_OFF); err != nil {
		return fmt.Errorf("send a window probe to %v: %w", to, err)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, unix.TCP_REPAIR_ON)
}

func socketAddress(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}
