package kernel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/google/nftables"

	"github.com/hotcold/hotcold/internal/balancer"
)

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
