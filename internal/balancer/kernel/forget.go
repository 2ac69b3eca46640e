package kernel

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Names from linux/netfilter/nfnetlink_conntrack.h, which package unix lacks.
const (
	msgDelete                   = 2 // IPCTNL_MSG_CT_DELETE
	attrTuple, attrID           = 1, 12
	attrTupleIP, attrTupleProto = 1, 2
	attrSource4, attrDest4      = 1, 2
	attrSource6, attrDest6      = 3, 4
	attrProtocol                = 1
	attrSourcePort, attrPort    = 2, 3
)

// forget removes connections from the kernel's table. Those that are gone by themselves are no fault.
//
// Each is named by its id as well as by its ends, which the library does not send: since it was read a younger
// connection of the same ends may have taken its place, and that one lives.
func forget(flows []flow) error {
	if len(flows) == 0 {
		return nil
	}
	socket, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return fmt.Errorf("open a netlink socket: %w", err)
	}
	defer socket.Close()
	var faults error
	for _, f := range flows {
		if _, err := socket.Execute(f.removal()); err != nil && !errors.Is(err, unix.ENOENT) {
			faults = errors.Join(faults, fmt.Errorf("remove the connection of %v to %v: %w", f.client, f.front, err))
		}
	}
	return faults
}

// removal is the message that removes this connection and no other.
func (f flow) removal() netlink.Message {
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
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_CTNETLINK<<8 | msgDelete),
			Flags: netlink.Request | netlink.Acknowledge,
		},
		Data: append([]byte{family, unix.NFNETLINK_V0, 0, 0}, data...),
	}
}
