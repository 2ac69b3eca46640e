package splice

import (
	"context"
	"fmt"

	"github.com/hotcold/hotcold/internal/balancer"
)

// listed is how many connections a loop looks at before it goes on with its traffic: 40 µs on a busy machine.
const listed = 64

// Connections lists clients as they are now, at most limit of them. State is header, parked, dialling, backoff or open.
// Each loop is asked for a few at a time, so that nobody's traffic waits for the answer; a connection that comes, goes or
// moves to another loop meanwhile may be missed, or counted twice.
func (p *Path) Connections(ctx context.Context, limit int) (*balancer.Connections, error) {
	all := balancer.NewConnections(limit)
	for _, l := range p.loops {
		for from := 0; from >= 0; {
			if err := l.do(ctx, func() { from = l.list(all, from) }); err != nil {
				return nil, fmt.Errorf("list the connections: %w", err)
			}
		}
	}
	return all, nil
}

// list adds the connections of some slots from one on, and says at which to go on; -1: there is none left.
func (l *loop) list(all *balancer.Connections, from int) (next int) {
	next = from + listed
	if next >= len(l.conns) {
		next = -1
	}
	for _, c := range l.conns[min(from, len(l.conns)):min(from+listed, len(l.conns))] {
		if c == nil || c.state == stateLeaving {
			continue
		}
		n := balancer.Connection{
			Rule: c.rule.name, Client: c.address, State: c.state.String(), In: c.up.moved, Out: c.down.moved,
			Age: l.now - c.accepted, Idle: l.now - max(c.last, c.accepted), Old: c.old,
		}
		if c.target != nil {
			n.Target = *c.target
		}
		all.Add(n)
	}
	return next
}
