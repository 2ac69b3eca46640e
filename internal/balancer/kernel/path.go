package kernel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

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
	// listings are asked of the sweeper too.
	listings chan listing
	flows    atomic.Pointer[balancer.Flows]
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
		wake: make(chan struct{}, 1), asked: make(chan chan<- struct{}), listings: make(chan listing),
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
