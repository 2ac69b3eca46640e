package kernel

import (
	"net/netip"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/balancer"
)

// Registers of 4 bytes. An IPv6 address takes four of them.
const (
	reg0 = unix.NFT_REG32_00
	reg1 = unix.NFT_REG32_01
	reg4 = unix.NFT_REG32_04
	reg5 = unix.NFT_REG32_05
)

// The flags of a TCP header, and where they and the ports stand in it.
const (
	tcpFIN, tcpSYN, tcpRST, tcpACK = 0x01, 0x02, 0x04, 0x10

	sourcePortAt, destinationPortAt, tcpFlagsAt = 0, 2, 13
)

// family is what differs between IPv4 and IPv6.
type family struct {
	proto                       byte   // NFPROTO_*
	length                      uint32 // of an address, in bytes
	sourceAt, destinationAt     uint32 // of the addresses in the header
	markReg                     uint32 // the register behind an address
	loopbackMask, loopbackBytes []byte
}

func familyOf(a netip.Addr) family {
	if a.Unmap().Is4() {
		return family{
			proto: unix.NFPROTO_IPV4, length: 4, sourceAt: 12, destinationAt: 16, markReg: reg1,
			loopbackMask: []byte{0xff, 0, 0, 0}, loopbackBytes: []byte{127, 0, 0, 0},
		}
	}
	loopback := netip.IPv6Loopback().As16()
	return family{
		proto: unix.NFPROTO_IPV6, length: 16, sourceAt: 8, destinationAt: 24, markReg: reg4,
		loopbackMask: all(16), loopbackBytes: loopback[:],
	}
}

func all(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 0xff
	}
	return b
}

// native is a number as the kernel has its own, big as it is on the wire.
func native(n uint32) []byte { return binaryutil.NativeEndian.PutUint32(n) }
func big(port uint16) []byte { return binaryutil.BigEndian.PutUint16(port) }

// What follows are the parts that rules are made of.

func equal(reg uint32, data []byte) expr.Any {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: reg, Data: data}
}

func differs(reg uint32, data []byte) expr.Any {
	return &expr.Cmp{Op: expr.CmpOpNeq, Register: reg, Data: data}
}

func masked(reg uint32, mask []byte) expr.Any {
	return &expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: uint32(len(mask)), Mask: mask, Xor: make([]byte, len(mask))}
}

func goTo(chain string) expr.Any { return &expr.Verdict{Kind: expr.VerdictGoto, Chain: chain} }
func jump(chain string) expr.Any { return &expr.Verdict{Kind: expr.VerdictJump, Chain: chain} }
func accept() expr.Any           { return &expr.Verdict{Kind: expr.VerdictAccept} }
func drop() expr.Any             { return &expr.Verdict{Kind: expr.VerdictDrop} }
func reset() expr.Any            { return &expr.Reject{Type: unix.NFT_REJECT_TCP_RST} }

func count(name string) expr.Any { return &expr.Objref{Type: unix.NFT_OBJECT_COUNTER, Name: name} }

func network(at, length, reg uint32) expr.Any {
	return &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: at, Len: length}
}

func transport(at, length, reg uint32) expr.Any {
	return &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: at, Len: length}
}

func isTCP() []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg0}, equal(reg0, []byte{unix.IPPROTO_TCP})}
}

func isFamily(f family) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: reg0}, equal(reg0, []byte{f.proto})}
}

// markIs compares the connection's mark, or a part of it.
func markIs(mark, mask uint32) []expr.Any {
	return []expr.Any{&expr.Ct{Key: expr.CtKeyMARK, Register: reg0}, masked(reg0, native(mask)), equal(reg0, native(mark))}
}

// stateIs holds for a connection in one of the states.
func stateIs(states uint32) []expr.Any {
	return []expr.Any{&expr.Ct{Key: expr.CtKeySTATE, Register: reg0}, masked(reg0, native(states)), differs(reg0, native(0))}
}

// flags compares some flags of the TCP header.
func flags(mask, want byte) []expr.Any {
	return []expr.Any{transport(tcpFlagsAt, 1, reg0), masked(reg0, []byte{mask}), equal(reg0, []byte{want})}
}

// cameTo holds for a packet to the rule's frontend.
func cameTo(r balancer.Rule) []expr.Any {
	f := familyOf(r.Frontend.Addr())
	e := isFamily(f)
	if r.Frontend.Addr().IsUnspecified() {
		// All addresses of the balancer's own; what it only forwards for others is not a client's. The loopback is left
		// out: a packet from there cannot leave the machine.
		e = append(e,
			&expr.Fib{Register: reg0, ResultADDRTYPE: true, FlagDADDR: true}, equal(reg0, native(unix.RTN_LOCAL)),
			network(f.destinationAt, f.length, reg0), masked(reg0, f.loopbackMask), differs(reg0, f.loopbackBytes))
	} else {
		e = append(e, network(f.destinationAt, f.length, reg0), equal(reg0, r.Frontend.Addr().Unmap().AsSlice()))
	}
	return append(e, transport(destinationPortAt, 2, reg0), equal(reg0, big(r.Frontend.Port())))
}

// join makes one rule of its parts.
func join(parts ...any) []expr.Any {
	var e []expr.Any
	for _, p := range parts {
		switch p := p.(type) {
		case []expr.Any:
			e = append(e, p...)
		case expr.Any:
			e = append(e, p)
		}
	}
	return e
}
