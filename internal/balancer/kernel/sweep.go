package kernel

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/nftables"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/clock"
)

const (
	// repeat is when the ends of a cut connection are provoked once more: Linux answers what lies outside a window at
	// most twice a second (tcp_invalid_ratelimit), and the first time may have fallen into such a pause.
	repeat = 600 * time.Millisecond
	// linger is how long a cut connection stays in the kernel's table after its ends have been provoked, so that the
	// resets which answer them find their way back: longer than the way to a far client and back.
	linger = 500 * time.Millisecond
	// closeTimeout is how long the kernel remembers a connection that was reset (nf_conntrack_tcp_timeout_close).
	closeTimeout = 10 * time.Second
	// farewell is how long the ends of connections have to learn that the balancer ends.
	farewell = 300 * time.Millisecond
	// retry is when a sweep that did not succeed is tried again.
	retry = time.Second
	// rest is how often a look that somebody asks for has to fit into the time since the last one: the kernel keeps
	// connections that are over for two minutes, and to look through a hundred thousand of them is work.
	rest = 50
)

// sweeper ends connections. It belongs to the goroutine of Run.
type sweeper struct {
	p      *Path
	ending map[key]*ending
	seen   map[key]sighting
	// totals by rule, since the rule is there.
	cut, idle map[uint8]uint64
	ended     map[uint8]uint64
	// latest are the connections that were seen last.
	latest []flow
	// asked tells that those were asked whether they live which were there before us.
	asked  bool
	warned bool
}

// sighting is since when a connection is known, where nobody writes it down, and when it was first seen to be over; 0: it
// was not.
type sighting struct{ first, over time.Duration }

// ending is a connection whose ends have been provoked: when they are once more (0: they were), and when it is forgotten.
type ending struct{ again, end time.Duration }

// Run ends connections that are old or silent, until ctx ends; then it resets those that are left, and removes all that
// the path has in the kernel.
func (p *Path) Run(ctx context.Context) error {
	s := &sweeper{p: p, ending: map[key]*ending{}, seen: map[key]sighting{},
		cut: map[uint8]uint64{}, idle: map[uint8]uint64{}, ended: map[uint8]uint64{}}
	timer := p.o.Clock.Timer(p.o.Clock.Now().Boot)
	defer timer.Stop()
	var rested time.Duration
	for {
		var answer chan<- struct{}
		var list *listing
		select {
		case <-ctx.Done():
			return s.finish(context.WithoutCancel(ctx))
		case <-p.wake:
		case <-timer.C():
		case answer = <-p.asked:
			if p.o.Clock.Now().Boot < rested {
				close(answer) // the numbers are those of a moment ago
				continue
			}
		case q := <-p.listings:
			if p.o.Clock.Now().Boot < rested {
				s.tell(&q)
				continue
			}
			list = &q
		}
		began := p.o.Clock.Now().Boot
		next, err := s.sweep(ctx)
		now := p.o.Clock.Now().Boot
		rested = now + rest*(now-began)
		if err != nil && ctx.Err() == nil {
			p.o.Log.Warn("a look at the kernel's connections did not succeed", "err", err)
			next = retry
		}
		if answer != nil {
			close(answer)
		}
		s.tell(list)
		timer.Reset(now + next)
	}
}

// never is a long time.
const never = 24 * time.Hour

// sweep looks at all connections, ends what is to be ended, and says when to look again.
func (s *sweeper) sweep(ctx context.Context) (next time.Duration, err error) {
	if err := s.p.expire(ctx); err != nil {
		return 0, err
	}
	before := s.p.view.Load()
	if before.table == nil {
		return never, nil
	}
	// The counters before the connections: what was accepted by then and is not among them is over.
	counters, err := before.table.counters()
	if err != nil {
		return 0, err
	}
	flows, err := dump(s.p.marks)
	if err != nil {
		return 0, err
	}
	s.latest = flows
	// What is in force is read after the flows were: a mark that had died by then is dead, and one that was born
	// later is not among them.
	v, now := s.p.view.Load(), s.p.o.Clock.Now()
	if v.table == nil {
		return never, nil // given up meanwhile, and all with it
	}
	d := s.judge(before, v, flows, now.Boot)
	err = errors.Join(forget(d.forget), condemn(s.p.marks, d.idle))
	// The ends first, then the words about them: each is a line in a log.
	s.provoke(ctx, slices.Concat(d.cut, d.idle, d.again))
	s.report(v, d.cut, now.Boot, now.Wall)
	s.p.flows.Store(s.counted(v, d, counters))
	s.askInherited(ctx, v, flows)
	freed, bad := s.p.free(ctx, d.empty)
	for _, id := range freed { // the next rule of this number begins at nothing
		delete(s.cut, id)
		delete(s.idle, id)
		delete(s.ended, id)
	}
	return d.next, errors.Join(err, bad)
}

// report tells of connections that were cut.
func (s *sweeper) report(v *view, cut []flow, now time.Duration, wall time.Time) {
	if s.p.o.Cut == nil {
		return
	}
	for _, f := range cut {
		r := v.rules[ruleOf(f.mark)]
		c := balancer.Cut{Rule: r.Name, Client: f.client, Now: v.now[r.Group], In: f.in, Out: f.out, Age: now - s.seen[f.key()].first}
		if !f.began.IsZero() {
			c.Age = max(0, wall.Sub(f.began))
		}
		for _, t := range r.terms {
			if t.mark == f.mark {
				c.Was, c.AfterDrain = t.target, t.drained
			}
		}
		if !c.Was.Address.IsValid() {
			c.Was.Address = f.machine.Addr()
		}
		s.p.o.Cut(c)
	}
}

// provoke lets both ends of connections learn that they are over, the clients first. It is a courtesy: whoever is not
// reached learns it when he sends.
func (s *sweeper) provoke(ctx context.Context, flows []flow) {
	clients, machines := make([]end, len(flows)), make([]end, len(flows))
	for i, f := range flows {
		clients[i], machines[i] = end{f.front, f.client}, end{f.seen, f.machine}
	}
	byOrigin(clients)
	fault := provoke(ctx, append(clients, machines...), s.p.marks.probe())
	if ctx.Err() != nil {
		return
	}
	if fault != nil && !s.warned {
		s.warned = true
		s.p.o.Log.Warn("ends of connections that are over cannot be told before they send", "err", fault)
	}
	// The last ones were provoked just now, and have as long to answer as the first.
	now := s.p.o.Clock.Now().Boot
	for _, f := range flows {
		if e := s.ending[f.key()]; e != nil {
			e.end = now + linger
			if e.again > 0 {
				e.again = now + repeat
			}
		}
	}
}

// askInherited has the machines of connections that were there before us speak to their clients, once. While nobody
// translated for them, a client may have been reset, or have left, of which neither its machine nor the kernel knows: it
// answers with a reset, and the connection is over for all. A client that is there takes no notice.
func (s *sweeper) askInherited(ctx context.Context, v *view, flows []flow) {
	if s.asked || v.table == nil {
		return
	}
	s.asked = true
	var machines []end
	for _, f := range flows {
		r := v.rules[ruleOf(f.mark)]
		if r == nil || !f.cameTo(r.Rule) || !f.open() {
			continue
		}
		if _, alive := r.live[f.mark]; alive {
			machines = append(machines, end{f.seen, f.machine})
		}
	}
	_ = provoke(ctx, machines, s.p.marks.probe()) // who is not reached is found out when he sends
}

// expire cuts what has had its time to drain.
func (p *Path) expire(ctx context.Context) error {
	if err := p.take(ctx); err != nil {
		return err
	}
	defer p.give()
	if p.table == nil {
		return nil
	}
	now := p.o.Clock.Now().Boot
	rules, late := slices.Clone(p.rules), false
	var err error
	for i, r := range rules {
		for _, mark := range slices.Sorted(maps.Keys(r.live)) {
			if until := r.live[mark]; until == 0 || until > now {
				continue
			}
			if rules[i] == p.rules[i] {
				rules[i] = r.clone()
			}
			err = errors.Join(err, p.kill(rules[i], mark, now, true))
			late = true
		}
	}
	if !late {
		return nil
	}
	if err = errors.Join(err, p.table.commit()); err != nil {
		return p.salvage(err)
	}
	p.rules = rules
	p.publish()
	return nil
}

// free gives back what rules without a connection had, as long as they are still gone, and says whose numbers are free.
func (p *Path) free(ctx context.Context, ids []uint8) (freed []uint8, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if err := p.take(ctx); err != nil {
		return nil, err
	}
	defer p.give()
	if p.table == nil {
		return nil, nil
	}
	var rules, empty []*rule
	for _, r := range p.rules {
		if r.gone && slices.Contains(ids, r.id) {
			empty = append(empty, r)
		} else {
			rules = append(rules, r)
		}
	}
	if len(empty) == 0 {
		return nil, nil
	}
	p.table.dispatch(rules)
	for _, r := range empty {
		freed = append(freed, r.id)
		for mark := range r.live {
			err = errors.Join(err, p.table.c.SetDeleteElements(p.table.live(), []nftables.SetElement{liveElement(mark)}))
		}
		p.table.erase(r)
	}
	if err = errors.Join(err, p.table.commit()); err != nil {
		return nil, p.salvage(err)
	}
	p.rules = rules
	p.publish()
	return freed, nil
}

// finish resets what is left, waits a moment for the ends to learn it, and removes the table.
func (s *sweeper) finish(ctx context.Context) error {
	p := s.p
	if err := p.take(ctx); err != nil {
		return err
	}
	defer p.give()
	p.ended = true
	if p.table == nil {
		return nil
	}
	for _, set := range []string{setTo4, setTo6, setLive} {
		p.table.c.FlushSet(&nftables.Set{Table: p.table.t, Name: set})
	}
	err := p.table.commit()
	flows, dumped := dump(p.marks)
	err = errors.Join(err, dumped)
	flows = slices.DeleteFunc(flows, func(f flow) bool {
		return !slices.ContainsFunc(p.rules, func(r *rule) bool { return r.id == ruleOf(f.mark) && f.cameTo(r.Rule) })
	})
	if open := slices.DeleteFunc(slices.Clone(flows), func(f flow) bool { return !f.open() }); len(open) > 0 {
		s.provoke(ctx, open)
		err = errors.Join(err, clock.Wait(ctx, p.o.Clock, farewell))
	}
	err = errors.Join(err, forget(flows), p.table.close())
	p.table = nil
	p.publish()
	return err
}
