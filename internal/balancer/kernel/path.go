package kernel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/nftables"

	"github.com/hotcold/hotcold/internal/balancer"
)

var errEnded = errors.New("the path has ended")

// Path implements balancer.Path in the kernel. Make one with New.
type Path struct {
	o     Options
	name  string // of the table
	marks marks
	// turn is held by who changes what follows or has a transaction in the making.
	turn   chan struct{}
	table  *table
	setup  balancer.Setup
	rules  []*rule
	groups map[string]*group
	ended  bool
	// view is what the sweeper, which waits for nobody, knows of all that.
	view atomic.Pointer[view]
	// wake tells the sweeper that there is something to end; asked that somebody wants to know the flows.
	wake  chan struct{}
	asked chan chan<- struct{}
	flows atomic.Pointer[balancer.Flows]
}

// group are the rules that move together.
type group struct {
	target   balancer.Target
	greatest uint64
}

// view is an immutable picture of the rules.
type view struct {
	table *table
	rules map[uint8]*rule
	now   map[string]balancer.Target
	park  bool
}

// New checks the options. It opens nothing; the first Apply does.
func New(o Options) (*Path, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("make the kernel path: %w", err)
	}
	p := &Path{
		o: o, name: tableName(o.Service), marks: newMarks(tableName(o.Service)),
		turn: make(chan struct{}, 1), groups: map[string]*group{},
		wake: make(chan struct{}, 1), asked: make(chan chan<- struct{}),
	}
	p.view.Store(&view{})
	p.flows.Store(&balancer.Flows{})
	return p, nil
}

// take waits for the turn. Whoever has it gives it back.
func (p *Path) take(ctx context.Context) error {
	select {
	case p.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *Path) give() { <-p.turn }

// Apply makes the rules those of s, all of them or none. The first one opens the table; its rules send nobody anywhere
// until Steer has said where.
func (p *Path) Apply(ctx context.Context, s balancer.Setup) error {
	if err := errors.Join(clashes(s.Rules), Supports(s), Forwards(s)); err != nil {
		return fmt.Errorf("apply the rules in the kernel: %w", err)
	}
	if err := p.take(ctx); err != nil {
		return fmt.Errorf("apply the rules in the kernel: %w", err)
	}
	defer p.give()
	if err := p.apply(s); err != nil {
		return fmt.Errorf("apply the rules in the kernel: %w", err)
	}
	p.publish()
	return nil
}

// clashes finds rules that cannot be told apart, by people or by packets.
func clashes(rules []balancer.Rule) error {
	var faults []error
	for i, r := range rules {
		for _, o := range rules[:i] {
			a, b := r.Frontend.Addr().Unmap(), o.Frontend.Addr().Unmap()
			if r.Name == o.Name {
				faults = append(faults, fmt.Errorf("rule %s: there are two of that name", r.Name))
			}
			if r.Frontend.Port() == o.Frontend.Port() && (a == b || a.Is4() == b.Is4() && (a.IsUnspecified() || b.IsUnspecified())) {
				faults = append(faults, fmt.Errorf("rule %s: its frontend %v is taken by rule %s (%v)", r.Name, r.Frontend, o.Name, o.Frontend))
			}
		}
	}
	return errors.Join(faults...)
}

func (p *Path) apply(s balancer.Setup) error {
	if p.ended {
		return errEnded
	}
	rules, fresh, changed := assign(p.rules, s.Rules)
	if len(rules) > MaxRules {
		return fmt.Errorf("%d rules, those included whose connections are not over yet, are more than %d", len(rules), MaxRules)
	}
	if err := p.reachable(rules); err != nil {
		return err
	}
	if p.table == nil {
		return p.first(s, rules)
	}
	return p.salvage(p.commit(s, rules, fresh, changed))
}

// salvage drops a table of which it is not known what it holds: without one nobody gets traffic, and the next call
// makes another.
func (p *Path) salvage(err error) error {
	if p.table == nil || p.table.broken == nil {
		return err
	}
	err = errors.Join(err, p.table.close())
	p.table, p.rules = nil, nil
	p.publish()
	return err
}

// first opens the table. Connections that an earlier balancer of the service left go on until the first Steer says
// what becomes of them.
func (p *Path) first(s balancer.Setup, rules []*rule) error {
	if err := p.adopt(rules); err != nil {
		return err
	}
	t, err := openTable(p.name, false)
	if err != nil {
		return err
	}
	p.table = t
	fresh := map[uint8]bool{}
	for _, r := range rules {
		fresh[r.id] = true
	}
	err = t.skeleton(p.marks, p.o, s.ParkLimit, s.ParkTime)
	if err == nil {
		err = p.commit(s, rules, fresh, nil)
	}
	if err != nil {
		p.table = nil
		return errors.Join(err, t.close())
	}
	return nil
}

// adopt finds the connections of rules that have our marks already.
func (p *Path) adopt(rules []*rule) error {
	flows, err := dump(p.marks)
	if err != nil {
		return err
	}
	for _, f := range flows {
		for _, r := range rules {
			if r.id == ruleOf(f.mark) && f.cameTo(r.Rule) {
				r.live[f.mark] = 0
			}
		}
	}
	return nil
}

// commit programs the rules that are fresh or changed, and makes rules what is in force.
func (p *Path) commit(s balancer.Setup, rules []*rule, fresh, changed map[uint8]bool) error {
	t, now := p.table, p.o.Clock.Now().Boot
	if len(fresh) < len(rules) && !samePark(p.setup, s) {
		p.parkAnew(s, rules, changed)
	}
	var err error
	for _, r := range rules {
		switch {
		case fresh[r.id]:
			err = errors.Join(err, t.program(r, s.Park, false))
			for mark := range r.live {
				err = errors.Join(err, t.c.SetAddElements(t.live(), []nftables.SetElement{liveElement(mark)}))
			}
		case changed[r.id]:
			err = errors.Join(err, t.program(r, s.Park, true))
		case r.gone:
			err = errors.Join(err, p.retire(r, s.Old, now))
			continue
		}
		if g := p.groups[r.Group]; g != nil && !g.target.Nobody() && !r.to {
			err = errors.Join(err, p.point(r, g.target), p.outlive(r, s.Old, p.marks.of(r.id, g.target.Epoch), now))
		}
	}
	t.dispatch(rules)
	if err != nil {
		t.broken = fmt.Errorf("put the rules into words: %w", err)
		return t.broken
	}
	if err := t.commit(); err != nil {
		return fmt.Errorf("program the table %s: %w", p.name, err)
	}
	for _, r := range rules {
		r.was = balancer.Rule{}
	}
	p.rules, p.setup = rules, s
	return nil
}

func samePark(a, b balancer.Setup) bool {
	return a.Park == b.Park && a.ParkLimit == b.ParkLimit && a.ParkTime == b.ParkTime
}

// parkAnew makes the sets of parked clients with other bounds. All rules name them, so all are programmed anew.
func (p *Path) parkAnew(s balancer.Setup, rules []*rule, changed map[uint8]bool) {
	for _, r := range p.rules {
		p.table.chain(named(chainPark, r.id))
	}
	for _, set := range p.table.sets(s.ParkLimit, s.ParkTime) {
		if set.Name == setParked || set.Name == setWaited {
			p.table.c.DelSet(set)
			_ = p.table.c.AddSet(set, nil) // fails for sets that are anonymous
		}
	}
	for _, r := range rules {
		known := slices.ContainsFunc(p.rules, func(o *rule) bool { return o.id == r.id })
		if known && !changed[r.id] {
			r.was, changed[r.id] = r.Rule, true
		}
	}
}

// retire stops sending new connections by a rule that is gone, and says how long those that are there may live.
func (p *Path) retire(r *rule, old balancer.Old, now time.Duration) error {
	var err error
	if r.to {
		r.to = false
		err = p.table.c.SetDeleteElements(p.table.to(r.four()), []nftables.SetElement{toElement(r.id, netip.Addr{}, 0)})
	}
	return errors.Join(err, p.outlive(r, old, 0, now))
}

// outlive says how long the connections of all marks but one may live on.
func (p *Path) outlive(r *rule, old balancer.Old, except uint32, now time.Duration) error {
	var err error
	for _, mark := range slices.Sorted(maps.Keys(r.live)) {
		switch until := r.live[mark]; {
		case mark == except || old.Keep:
		case old.Drain > 0:
			if end := now + old.Drain; until == 0 || end < until {
				r.live[mark] = end
			}
		default:
			err = errors.Join(err, p.kill(r, mark, now, false))
		}
	}
	return err
}

// kill lets no packet of a mark pass from the commit on.
func (p *Path) kill(r *rule, mark uint32, now time.Duration, drained bool) error {
	delete(r.live, mark)
	r.end(mark, now, drained)
	return p.table.c.SetDeleteElements(p.table.live(), []nftables.SetElement{liveElement(mark)})
}

// point sends new connections of a rule to a target.
func (p *Path) point(r *rule, t balancer.Target) error {
	var err error
	to, mark := p.table.to(r.four()), p.marks.of(r.id, t.Epoch)
	if r.to {
		err = p.table.c.SetDeleteElements(to, []nftables.SetElement{toElement(r.id, netip.Addr{}, 0)})
	}
	r.to = true
	err = errors.Join(err, p.table.c.SetAddElements(to, []nftables.SetElement{toElement(r.id, t.Address.Unmap(), mark)}))
	if _, alive := r.live[mark]; !alive {
		err = errors.Join(err, p.table.c.SetAddElements(p.table.live(), []nftables.SetElement{liveElement(mark)}))
	}
	r.live[mark] = 0
	r.enter(mark, t)
	return err
}

// reachable tells whether the rules can be sent to where their groups' traffic goes now.
func (p *Path) reachable(rules []*rule) error {
	var faults []error
	for _, r := range rules {
		if g := p.groups[r.Group]; g != nil && !r.gone {
			faults = append(faults, crosses(r, g.target))
		}
	}
	return errors.Join(faults...)
}

func crosses(r *rule, t balancer.Target) error {
	if t.Nobody() || t.Address.Unmap().Is4() == r.four() {
		return nil
	}
	return fmt.Errorf("rule %s: the kernel does not translate between IPv4 and IPv6 (frontend %v, machine %v); the splice path can",
		r.Name, r.Frontend.Addr(), t.Address)
}

// Steer sends the traffic of the rules of t.Group to t. The same transaction lets no further packet of older
// connections pass, where old says that they are cut: it needs no second step, and a SYN that was on its way to the
// former machine gets no answer through. Who had such a connection is told, and it is logged, right after.
func (p *Path) Steer(ctx context.Context, t balancer.Target, old balancer.Old) error {
	if err := p.take(ctx); err != nil {
		return fmt.Errorf("steer the kernel to %q: %w", t.Machine, err)
	}
	defer p.give()
	if err := p.steer(t, old); err != nil {
		return fmt.Errorf("steer the kernel to %q: %w", t.Machine, err)
	}
	p.publish()
	return nil
}

func (p *Path) steer(t balancer.Target, old balancer.Old) error {
	g := p.groups[t.Group]
	switch {
	case p.ended:
		return errEnded
	case g == nil:
		g = &group{}
	case !t.Nobody() && t.Epoch < g.greatest:
		return fmt.Errorf("epoch %d after %d: %w", t.Epoch, g.greatest, balancer.ErrOldEpoch)
	}
	if p.table == nil && len(p.setup.Rules) > 0 {
		g.target = balancer.Target{} // not even for a moment to where it was
		rules, _, _ := assign(nil, p.setup.Rules)
		if err := p.first(p.setup, rules); err != nil {
			return err
		}
	}
	rules, err := p.turned(t, old)
	if err != nil {
		return p.salvage(err)
	}
	p.groups[t.Group] = g
	g.target = t
	if !t.Nobody() {
		g.greatest = t.Epoch
	}
	p.rules = rules
	return nil
}

// turned commits the turn to a target, and returns the rules as they are then.
func (p *Path) turned(t balancer.Target, old balancer.Old) ([]*rule, error) {
	var err error
	now := p.o.Clock.Now().Boot
	rules := make([]*rule, len(p.rules))
	for i, r := range p.rules {
		rules[i] = r
		if r.Group != t.Group {
			continue
		}
		if err := crosses(r, t); err != nil && !r.gone {
			return nil, err
		}
	}
	if p.table == nil {
		return rules, nil // the first Apply will know where to
	}
	for i, r := range rules {
		if r.Group != t.Group {
			continue
		}
		r = r.clone()
		rules[i] = r
		switch {
		case !t.Nobody():
			if !r.gone {
				err = errors.Join(err, p.point(r, t))
			}
			err = errors.Join(err, p.outlive(r, old, p.marks.of(r.id, t.Epoch), now))
		case r.to:
			r.to = false
			err = errors.Join(err, p.table.c.SetDeleteElements(p.table.to(r.four()), []nftables.SetElement{toElement(r.id, netip.Addr{}, 0)}))
		}
	}
	if !t.Nobody() && p.setup.Park {
		for _, s := range []string{setParked, setWaited} {
			p.table.c.FlushSet(&nftables.Set{Table: p.table.t, Name: s})
		}
	}
	if err != nil {
		p.table.broken = fmt.Errorf("put the target into words: %w", err)
		return nil, p.table.broken
	}
	if err := p.table.commit(); err != nil {
		return nil, fmt.Errorf("program the table %s: %w", p.name, err)
	}
	return rules, nil
}

// publish shows the sweeper what is in force, and wakes it. The rules in it are never changed again: who changes one clones it.
func (p *Path) publish() {
	v := &view{table: p.table, rules: map[uint8]*rule{}, now: map[string]balancer.Target{}, park: p.setup.Park}
	for _, r := range p.rules {
		v.rules[r.id] = r
	}
	for name, g := range p.groups {
		v.now[name] = g.target
	}
	p.view.Store(v)
	select {
	case p.wake <- struct{}{}:
	default: // it will look anyway
	}
}
