package kernel

import (
	"context"
	"fmt"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/clock"
)

// listing asks the sweeper for connections.
type listing struct {
	limit  int
	answer chan<- *balancer.Connections // holds one
}

// Connections lists connections as they were a moment ago, at most limit of them. State is opening, open, or ending where
// they were cut and are not forgotten yet. Clients that wait are not among them: the kernel keeps their addresses only.
// Whoever asks often is told what was seen before, as by Flows.
func (p *Path) Connections(ctx context.Context, limit int) (*balancer.Connections, error) {
	answer := make(chan *balancer.Connections, 1)
	select {
	case p.listings <- listing{limit, answer}:
	case <-ctx.Done():
		return nil, fmt.Errorf("list the connections: %w", context.Cause(ctx))
	}
	select {
	case all := <-answer:
		return all, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("list the connections: %w", context.Cause(ctx))
	}
}

// tell answers with what the latest look has seen.
func (s *sweeper) tell(q *listing) {
	if q == nil {
		return
	}
	all, v, now := balancer.NewConnections(q.limit), s.p.view.Load(), s.p.o.Clock.Now()
	for _, f := range s.latest {
		r := v.rules[ruleOf(f.mark)]
		if r != nil && f.cameTo(r.Rule) && (f.open() || f.opening()) {
			all.Add(s.connection(v, r, f, now))
		}
	}
	q.answer <- all
}

// connection is one of a rule, in words.
func (s *sweeper) connection(v *view, r *rule, f flow, now clock.Reading) balancer.Connection {
	c := balancer.Connection{
		Rule: r.Name, Client: f.client, State: balancer.ConnectionOpen, In: f.in, Out: f.out, Uncounted: f.in == 0,
		Target: balancer.Target{Group: r.Group, Address: f.machine.Addr(), Epoch: epochOf(f.mark)}, Age: s.age(f, now),
	}
	for _, t := range r.terms {
		if t.mark == f.mark {
			c.Target = t.target
		}
	}
	switch _, alive := r.live[f.mark]; {
	case !alive:
		c.State, c.Old = "ending", true
	case f.opening():
		c.State = "opening"
	}
	if g := v.now[r.Group]; !g.Nobody() && f.mark != s.p.marks.of(r.id, g.Epoch) {
		c.Old = true
	}
	return c
}

// age is how long a connection is there, as the kernel has written it down, or since it was first seen.
func (s *sweeper) age(f flow, now clock.Reading) time.Duration {
	if !f.began.IsZero() {
		return max(0, now.Wall.Sub(f.began))
	}
	if sighted, known := s.seen[f.key()]; known {
		return now.Boot - sighted.first
	}
	return 0
}
