package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/ti-mo/conntrack"
	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/balancer"
)

// The states of a TCP connection in the kernel's table (nf_conntrack_tcp.h) that are told apart here.
const (
	stateSYNSent     = 1
	stateSYNReceived = 2
	stateEstablished = 3
	stateCloseWait   = 5
	stateClose       = 8
	stateSYNSent2    = 9
)

// flow is one connection of ours in the kernel's table.
type flow struct {
	id uint32
	// client and front are its ends as the client sees them; seen and machine as the machine does.
	client, front, seen, machine netip.AddrPort
	mark                         uint32
	state                        uint8
	left                         time.Duration // until the kernel forgets it, if nothing comes
	in, out                      uint64        // bytes, where the kernel counts them
	began                        time.Time     // where the kernel writes it down
}

// key names a connection as long as it lasts. The mark belongs to it: a younger connection of the same ends may have the
// kernel's memory of the older one, and with that its id.
type key struct {
	id, mark      uint32
	client, front netip.AddrPort
}

func (f flow) key() key { return key{f.id, f.mark, f.client, f.front} }

// opening: no answer of the machine has been acknowledged yet.
func (f flow) opening() bool {
	return f.state == stateSYNSent || f.state == stateSYNReceived || f.state == stateSYNSent2
}

// open: both ends may still send, or one of them.
func (f flow) open() bool { return f.state >= stateEstablished && f.state <= stateCloseWait }

// cameTo tells whether the connection was made to the rule's frontend.
func (f flow) cameTo(r balancer.Rule) bool {
	a := r.Frontend.Addr().Unmap()
	if f.front.Port() != r.Frontend.Port() || f.front.Addr().Is4() != a.Is4() {
		return false
	}
	return a.IsUnspecified() || f.front.Addr() == a
}

// dump reads the connections that have marks of ours.
func dump(m marks) ([]flow, error) {
	c, err := conntrack.Dial(nil)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	defer c.Close()
	// The kernel looks at the mark: what is not ours is not even sent.
	entries, err := c.DumpFilter(conntrack.NewFilter().Mark(uint32(m)).MarkMask(serviceMask), nil)
	if err != nil {
		return nil, fmt.Errorf("read the kernel's connections: %w", err)
	}
	flows := make([]flow, 0, len(entries))
	for i := range entries {
		if f, ok := flowOf(&entries[i]); ok && m.mine(f.mark) {
			flows = append(flows, f)
		}
	}
	return flows, nil
}

func flowOf(e *conntrack.Flow) (flow, bool) {
	if e.TupleOrig.Proto.Protocol != unix.IPPROTO_TCP || e.ProtoInfo.TCP == nil || !e.Status.DstNAT() {
		return flow{}, false
	}
	end := func(a netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(a.Unmap(), port) }
	return flow{
		id:      e.ID,
		client:  end(e.TupleOrig.IP.SourceAddress, e.TupleOrig.Proto.SourcePort),
		front:   end(e.TupleOrig.IP.DestinationAddress, e.TupleOrig.Proto.DestinationPort),
		machine: end(e.TupleReply.IP.SourceAddress, e.TupleReply.Proto.SourcePort),
		seen:    end(e.TupleReply.IP.DestinationAddress, e.TupleReply.Proto.DestinationPort),
		mark:    e.Mark, state: e.ProtoInfo.TCP.State, left: time.Duration(e.Timeout) * time.Second,
		in: e.CountersOrig.Bytes, out: e.CountersReply.Bytes, began: e.Timestamp.Start,
	}, true
}

// entry is what names the connection to the kernel.
func (f flow) entry() conntrack.Flow {
	tuple := func(from, to netip.AddrPort) conntrack.Tuple {
		return conntrack.Tuple{
			IP:    conntrack.IPTuple{SourceAddress: from.Addr(), DestinationAddress: to.Addr()},
			Proto: conntrack.ProtoTuple{Protocol: unix.IPPROTO_TCP, SourcePort: from.Port(), DestinationPort: to.Port()},
		}
	}
	return conntrack.Flow{TupleOrig: tuple(f.client, f.front), TupleReply: tuple(f.machine, f.seen)}
}

// condemn gives connections the mark of the dead, so that the rules reset them at the next packet of either end.
func condemn(m marks, flows []flow) error {
	if len(flows) == 0 {
		return nil
	}
	c, err := conntrack.Dial(nil)
	if err != nil {
		return fmt.Errorf("open a netlink socket: %w", err)
	}
	defer c.Close()
	var faults error
	for _, f := range flows {
		e := f.entry()
		e.Mark = m.dead(ruleOf(f.mark))
		if err := c.Update(e); err != nil && !errors.Is(err, unix.ENOENT) {
			faults = errors.Join(faults, fmt.Errorf("mark the connection of %v to %v: %w", f.client, f.front, err))
		}
	}
	return faults
}
