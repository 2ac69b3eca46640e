package splice

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/hotcold/hotcold/internal/balancer"
)

// rule is one rule of the configuration with what is counted for it. It lives as long as it is configured or has
// connections.
type rule struct {
	name  string
	group *group
	// spec is replaced whole when the configuration changes.
	spec atomic.Pointer[balancer.Rule]
	// admitted are clients that were let in and are not gone, open those that have a machine, old those among them whose
	// epoch is over.
	admitted, open, old atomic.Int64
	count               counters
	sources             sources
	// gone: it is in the configuration no longer.
	gone atomic.Bool
}

// counters only grow.
type counters struct {
	accepted, ended, cut, idle, failed                                  atomic.Uint64
	denied, limited, overflowed, expired, refused, malformed, exhausted atomic.Uint64
	bytesIn, bytesOut                                                   atomic.Uint64
}

func (r *rule) flows() balancer.RuleFlows {
	c := &r.count
	return balancer.RuleFlows{
		Rule: r.name, Open: int(r.open.Load()), Old: int(r.old.Load()),
		Accepted: c.accepted.Load(), Ended: c.ended.Load(), Cut: c.cut.Load(), Idle: c.idle.Load(),
		// A client that came while nobody was hot, and that must not wait, could not reach a machine either.
		Failed: c.failed.Load() + c.refused.Load(),
		Denied: c.denied.Load(), Limited: c.limited.Load(), Overflowed: c.overflowed.Load(), Expired: c.expired.Load(),
		Malformed: c.malformed.Load(), Exhausted: c.exhausted.Load(),
		BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load(),
	}
}

// denies tells whether a client of this address must not connect.
func denies(s *balancer.Rule, a netip.Addr) bool {
	if contains(s.Deny, a) {
		return true
	}
	return len(s.Allow) > 0 && !contains(s.Allow, a)
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// sources counts the clients of each address.
type sources struct {
	mu sync.Mutex // guards n
	n  map[netip.Addr]int
}

// admit counts one more client of an address, unless there are as many as there may be.
func (s *sources) admit(a netip.Addr, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n[a] >= limit {
		return false
	}
	if s.n == nil {
		s.n = map[netip.Addr]int{}
	}
	s.n[a]++
	return true
}

// leave counts one fewer. An address without clients is forgotten.
func (s *sources) leave(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n[a]--; s.n[a] <= 0 {
		delete(s.n, a)
	}
}

// group are the rules that move together.
type group struct {
	name string
	// target is where new connections go; nil is nobody. The door alone changes it.
	target atomic.Pointer[balancer.Target]
	// greatest is the greatest epoch that was ever steered to. It belongs to who holds the Path's turn.
	greatest uint64
}
