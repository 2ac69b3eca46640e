package kernel

import (
	"slices"
	"strings"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/hotcold/hotcold/internal/balancer"
)

// patience is how long Flows waits for fresh numbers before it takes those that are there.
const patience = 250 * time.Millisecond

// Flows is what the kernel counts now, or a moment ago if it has much to say.
func (p *Path) Flows() balancer.Flows {
	timer := p.o.Clock.Timer(p.o.Clock.Now().Boot + patience)
	defer timer.Stop()
	answer := make(chan struct{})
	select {
	case p.asked <- answer:
		select {
		case <-answer:
		case <-timer.C():
		}
	case <-timer.C():
	}
	f := *p.flows.Load()
	f.Rules = slices.Clone(f.Rules)
	return f
}

// counted puts the counters of the kernel and the sweeper's own together.
func (s *sweeper) counted(v *view, d verdict, counters map[string]expr.Counter) *balancer.Flows {
	flows := &balancer.Flows{}
	for id, r := range v.rules {
		n := func(name string) uint64 { return counters[named(name, id)].Packets }
		f := balancer.RuleFlows{
			Rule: r.Name, Open: d.open[id], Old: d.old[id],
			Accepted: n(countAccepted), Cut: s.cut[id], Idle: s.idle[id],
			Denied: n(countDenied), Limited: n(countLimited), Overflowed: n(countOverflowed), Expired: n(countExpired),
			BytesIn: counters[named(countIn, id)].Bytes, BytesOut: counters[named(countOut, id)].Bytes,
		}
		if over := f.Cut + f.Idle + uint64(f.Open); f.Accepted > over {
			s.ended[id] = max(s.ended[id], f.Accepted-over)
		}
		f.Ended = s.ended[id]
		if !r.gone {
			flows.Rules = append(flows.Rules, f)
		}
	}
	slices.SortFunc(flows.Rules, func(a, b balancer.RuleFlows) int { return strings.Compare(a.Rule, b.Rule) })
	flows.Parked = s.parked(v)
	return flows
}

// parked counts the clients that wait.
func (s *sweeper) parked(v *view) int {
	if !v.park {
		return 0
	}
	c, err := nftables.New()
	if err != nil {
		return 0
	}
	elements, err := c.GetSetElements(&nftables.Set{Table: v.table.t, Name: setParked})
	if err != nil {
		return 0
	}
	return len(elements)
}

// idlePeriod is how often silent connections are looked for.
func idlePeriod(timeout time.Duration) time.Duration {
	return min(max(timeout/8, time.Second), 15*time.Second).Truncate(time.Second)
}

// idleGrace is how much longer than the idle timeout the kernel itself waits, so that the sweeper sees a silent
// connection before it is forgotten.
func idleGrace(timeout time.Duration) time.Duration { return 2*idlePeriod(timeout) + 2*time.Second }
