package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Names from linux/netfilter/nfnetlink_conntrack.h, which package unix lacks.
const (
	msgGet, msgDelete           = 1, 2 // IPCTNL_MSG_CT_GET and _DELETE
	attrTuple, attrMark, attrID = 1, 8, 12
	attrTupleIP, attrTupleProto = 1, 2
	attrSource4, attrDest4      = 1, 2
	attrSource6, attrDest6      = 3, 4
	attrProtocol                = 1
	attrSourcePort, attrPort    = 2, 3
)

// forget removes connections from the kernel's table. Those that are gone by themselves are no fault.
//
// Since one was read a younger connection of the same ends may have taken its place, and that one lives. So each is named
// by its id as well as by its ends, which the library does not send. The id is made of the place in memory, which the
// younger one may have too; its mark is another one, for which the kernel has no condition. So each is read once more
// right before, which leaves microseconds for a connection to be reset and to be opened anew.
func forget(flows []flow) error {
	if len(flows) == 0 {
		return nil
	}
	socket, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return fmt.Errorf("open a netlink socket: %w", err)
	}
	defer socket.Close()
	look, err := newPeek()
	if err != nil {
		return err
	}
	defer look.close()
	var faults error
	for _, f := range flows {
		there, err := look.sees(f)
		if there {
			_, err = socket.Execute(f.message(msgDelete, netlink.Request|netlink.Acknowledge))
		}
		if err != nil && !errors.Is(err, unix.ENOENT) {
			faults = errors.Join(faults, fmt.Errorf("remove the connection of %v to %v: %w", f.client, f.front, err))
		}
	}
	return faults
}

// peek is a socket for looks at single connections. The kernel marks its answer as one of several that never come, for
// which the library would wait.
type peek int

func newPeek() (peek, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return -1, fmt.Errorf("open a netlink socket: %w", err)
	}
	return peek(fd), nil
}

func (p peek) close() { _ = unix.Close(int(p)) } // nothing was written that could be lost

// sees tells whether the kernel's connection of these ends is still this one.
func (p peek) sees(f flow) (bool, error) {
	ask := f.message(msgGet, netlink.Request)
	ask.Header.Length = uint32(unix.NLMSG_HDRLEN + len(ask.Data))
	text, err := ask.MarshalBinary()
	if err != nil {
		return false, err
	}
	if err := unix.Sendto(int(p), text, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false, err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(int(p), answer, unix.MSG_DONTWAIT) // it has been put there before the question returned
	if err != nil {
		return false, err
	}
	const head = unix.NLMSG_HDRLEN + 4 // and that of netfilter
	if n < head {
		return false, unix.EBADMSG
	}
	if binary.NativeEndian.Uint16(answer[4:]) == unix.NLMSG_ERROR {
		return false, unix.Errno(-int32(binary.NativeEndian.Uint32(answer[unix.NLMSG_HDRLEN:])))
	}
	attributes, err := netlink.NewAttributeDecoder(answer[head:n])
	if err != nil {
		return false, err
	}
	attributes.ByteOrder = binary.BigEndian
	var id, mark uint32
	for attributes.Next() {
		switch attributes.Type() {
		case attrID:
			id = attributes.Uint32()
		case attrMark:
			mark = attributes.Uint32()
		}
	}
	return id == f.id && mark == f.mark, attributes.Err()
}

// message names this connection by its id and its ends.
func (f flow) message(kind uint16, flags netlink.HeaderFlags) netlink.Message {
	family, source, dest := byte(unix.NFPROTO_IPV6), uint16(attrSource6), uint16(attrDest6)
	if f.client.Addr().Is4() {
		family, source, dest = unix.NFPROTO_IPV4, attrSource4, attrDest4
	}
	address := func(a netip.AddrPort) []byte { return a.Addr().AsSlice() }
	attributes := bigEndian()
	attributes.Nested(attrTuple, func(tuple *netlink.AttributeEncoder) error {
		tuple.Nested(attrTupleIP, func(ip *netlink.AttributeEncoder) error {
			ip.Bytes(source, address(f.client))
			ip.Bytes(dest, address(f.front))
			return nil
		})
		tuple.Nested(attrTupleProto, func(proto *netlink.AttributeEncoder) error {
			proto.Uint8(attrProtocol, unix.IPPROTO_TCP)
			proto.Uint16(attrSourcePort, f.client.Port())
			proto.Uint16(attrPort, f.front.Port())
			return nil
		})
		return nil
	})
	attributes.Uint32(attrID, f.id)
	data, _ := attributes.Encode() // fails for values that are too long, and none can be
	return netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_CTNETLINK<<8 | kind),
			Flags: flags,
		},
		Data: append([]byte{family, unix.NFNETLINK_V0, 0, 0}, data...),
	}
}
