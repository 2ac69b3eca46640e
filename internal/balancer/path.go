package balancer

import (
	"context"
	"net/netip"
	"time"
)

// Path is a data path: it moves the bytes between clients and the machine that it was told. It elects nobody, looks at
// nobody's health and keeps no state that another balancer would need. Package splice and package kernel are the two.
type Path interface {
	// Apply makes the rules those of s: all of them, or none and an error. Rules that stay as they are keep their
	// listener and their connections. A rule that is gone closes its listener; its connections end as s.Old says.
	Apply(ctx context.Context, s Setup) error
	// Steer sends the traffic of all rules of t.Group to t in one step: once it has returned, no new connection of
	// theirs goes anywhere else. An epoch lower than one that the group was steered to before is refused with
	// ErrOldEpoch. What becomes of the group's connections with a lower epoch is said by old. A target that is nobody
	// leaves connections alone.
	Steer(ctx context.Context, t Target, old Old) error
	// Flows is what the path counts now. It never blocks for long.
	Flows() Flows
	// Run moves bytes until ctx ends, closes all that it opened, and returns once nothing of it is left.
	Run(ctx context.Context) error
}

// Setup is all that a path is told of the configuration.
type Setup struct {
	// Rules have names of their own.
	Rules []Rule
	// Park, where true, keeps clients waiting while there is no target: at most ParkLimit of them, at most ParkTime
	// each. Where false they are refused.
	Park      bool
	ParkLimit int
	ParkTime  time.Duration
	// Old is what becomes of connections of a rule that is gone.
	Old Old
}

// Rule is one port of the service.
type Rule struct {
	// Name is the rule's in the configuration: ha-lbr-p2p.
	Name string
	// Group is whom the rule moves with: Steer moves the rules of one group and leaves all others where they are, and
	// every group has epochs of its own. The rules of a pair are all of the group "", so that the service moves as one;
	// only a cloud that is rehearsed, where every rule follows its own probe, has more groups than that.
	Group string
	// Frontend is where clients come in; the unspecified address means all addresses of its family.
	Frontend netip.AddrPort
	// BackendPort is where they are sent on the hot machine.
	BackendPort uint16
	// IdleTimeout ends a connection that carried nothing for so long; 0 means never. ResetOnIdle tells both ends with
	// a reset.
	IdleTimeout time.Duration
	ResetOnIdle bool
	// ProxyIn expects a PROXY header (version 1 or 2) of every client; ProxyOut sends one to the machine, of version 1
	// or 2, or none (0).
	ProxyIn  bool
	ProxyOut int
	// MaxConnections and MaxPerSource bound the connections of the rule and of one client address; 0 means no bound.
	MaxConnections, MaxPerSource int
	// Allow and Deny are who may connect. Deny wins; an empty Allow lets in all.
	Allow, Deny []netip.Prefix
}

// Target is where the traffic of one group of rules goes. The zero Target is nobody.
type Target struct {
	// Group is which rules are meant; see Rule.
	Group string
	// Machine is its name, for people.
	Machine string
	// Address is where it is reached.
	Address netip.Addr
	// Epoch is that of the term in which it is hot.
	Epoch uint64
}

// Nobody tells whether traffic goes nowhere.
func (t Target) Nobody() bool { return !t.Address.IsValid() }

// Old is what becomes of connections of an earlier epoch.
type Old struct {
	// Keep leaves them alone, as the clouds do.
	Keep bool
	// Drain is how long they may go on; 0 cuts them at once.
	Drain time.Duration
}

// String is the word of the configuration for it.
func (o Old) String() string {
	switch {
	case o.Keep:
		return "keep"
	case o.Drain > 0:
		return "drain for " + o.Drain.String()
	}
	return "cut"
}

// Cut is one connection that was ended because of the epoch, for the log.
type Cut struct {
	Rule       string
	Client     netip.AddrPort
	Was, Now   Target
	In, Out    uint64 // bytes from the client, and to it
	Age        time.Duration
	AfterDrain bool
}

// Flows is what a path counts. Counters only grow; the rest is what is there now.
type Flows struct {
	Rules []RuleFlows
	// Parked clients wait for a machine now.
	Parked int
}

// RuleFlows is what is counted for one rule.
type RuleFlows struct {
	Rule string
	// Open connections now; Old those of an earlier epoch among them.
	Open, Old int
	// Accepted counts clients let in, Ended those over in order, Cut those ended because of the epoch, Idle those ended
	// for silence, Failed those whose machine could not be reached.
	Accepted, Ended, Cut, Idle, Failed uint64
	// Denied by the lists, Limited by the bounds, Overflowed by the park's bound, Expired by its time; Malformed PROXY
	// headers; Exhausted: no descriptor was left.
	Denied, Limited, Overflowed, Expired, Malformed, Exhausted uint64
	// BytesIn came from clients, BytesOut went to them.
	BytesIn, BytesOut uint64
}
