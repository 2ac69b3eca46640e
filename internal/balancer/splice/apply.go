package splice

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/balancer"
)

// Apply makes the rules those of s: all of them, or none and an error. See [balancer.Path]. A rule of the same name and
// group stays, with its connections and counters, whatever else of it has changed; a listener stays as long as some rule
// has its frontend.
func (p *Path) Apply(ctx context.Context, s balancer.Setup) error {
	if err := check(s); err != nil {
		return fmt.Errorf("apply the rules: %w", err)
	}
	var failed error
	err := p.change(ctx, func() { failed = p.apply(s) })
	if err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("apply the rules: %w", err)
	}
	return nil
}

// check finds what no configuration may say, all of it.
func check(s balancer.Setup) error {
	var faults []error
	names, frontends := map[string]bool{}, map[netip.AddrPort]bool{}
	for _, r := range s.Rules {
		say := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("rule %q: "+format, append([]any{r.Name}, args...)...))
		}
		if names[r.Name] {
			say("there are two of that name")
		}
		if !r.Frontend.IsValid() || r.Frontend.Port() == 0 || r.BackendPort == 0 {
			say("frontend %v and back-end port %d: an address and two ports are needed", r.Frontend, r.BackendPort)
		}
		if frontends[r.Frontend] {
			say("another rule has the frontend %v", r.Frontend)
		}
		if r.ProxyOut < 0 || r.ProxyOut > 2 {
			say("there is no PROXY protocol of version %d", r.ProxyOut)
		}
		names[r.Name], frontends[r.Frontend] = true, true
	}
	if s.Park && (s.ParkLimit < 1 || s.ParkTime <= 0) {
		faults = append(faults, fmt.Errorf("park at most %d clients for %v: both have to be more than nothing", s.ParkLimit, s.ParkTime))
	}
	return errors.Join(faults...)
}

// apply is Apply in the door's goroutine. Nothing is changed before everything has been opened.
func (p *Path) apply(s balancer.Setup) error {
	d := p.door
	opened := openings{left: append([]heirloom(nil), p.heirlooms...)}
	next, err := p.listeners(s, &opened)
	if err != nil {
		for _, li := range opened.made {
			li.close()
		}
		return err
	}
	// From here on nothing fails.
	p.heirlooms = nil
	for _, h := range opened.left {
		p.o.Log.Warn("an inherited listener is closed, since no rule wants it", "name", h.name, "address", h.bound)
	}
	disinherit(opened.left)
	kept := map[*listener]bool{}
	for _, li := range next {
		kept[li] = true
	}
	for key, li := range d.listeners {
		if !kept[li] {
			delete(d.listeners, key)
			li.close()
		}
	}
	rules := p.succession(s)
	for i, li := range next {
		li.rule = rules[i]
		d.listeners[li.key] = li
		if d.resumeAt == never {
			li.listen(d.poll, unix.EPOLLIN)
		}
	}
	d.repark(s)
	d.retire(s.Old)
	p.others(func(l *loop) { l.retire(s.Old) }, func() {})
	return nil
}

// listeners finds or opens a listener for each rule. New ones are known to the poller and silent.
func (p *Path) listeners(s balancer.Setup, opened *openings) ([]*listener, error) {
	d := p.door
	var next []*listener
	var faults []error
	for _, r := range s.Rules {
		li := d.at(r.Frontend)
		if li == nil {
			var err error
			if li, err = opened.open(r); err != nil {
				faults = append(faults, err)
				continue
			}
			d.lastKey--
			li.key = d.lastKey
			if err := d.watch(li.fd, li.key, 0, 0); err != nil {
				faults = append(faults, fmt.Errorf("rule %q: watch its listener: %w", r.Name, err))
			}
		}
		next = append(next, li)
	}
	if len(faults) > 0 {
		for _, h := range opened.took {
			_ = unix.EpollCtl(d.poll, unix.EPOLL_CTL_DEL, h.fd, nil) // it stays inherited
		}
	}
	return next, errors.Join(faults...)
}

// at is the listener of a frontend, or nil.
func (d *door) at(frontend netip.AddrPort) *listener {
	for _, li := range d.listeners {
		if li.frontend == frontend {
			return li
		}
	}
	return nil
}

// succession makes the rules of s those in force, and returns them in the order of s.
func (p *Path) succession(s balancer.Setup) []*rule {
	former := map[string]*rule{}
	var all []*rule
	for _, r := range *p.rules.Load() {
		switch {
		case !r.gone.Load():
			former[r.name] = r
		case r.admitted.Load() > 0:
			all = append(all, r)
		}
	}
	rules := make([]*rule, len(s.Rules))
	for i, spec := range s.Rules {
		r := former[spec.Name]
		if r == nil || r.group.name != spec.Group {
			r = &rule{name: spec.Name, group: p.group(spec.Group)}
		} else {
			delete(former, spec.Name)
		}
		r.spec.Store(&spec)
		rules[i] = r
	}
	for _, r := range former {
		r.gone.Store(true)
		if r.admitted.Load() > 0 {
			all = append(all, r)
		}
	}
	all = append(rules[:len(rules):len(rules)], all...)
	p.rules.Store(&all)
	return rules
}

// repark puts other bounds on those who wait. They apply to those who wait already, save for their number.
func (d *door) repark(s balancer.Setup) {
	d.park = s
	for e := d.seekers.Front(); e != nil; {
		c := e.Value.(*conn)
		e = e.Next()
		if c.state == stateParked && !s.Park {
			d.turnAway(c, EndRefused)
			continue
		}
		d.deadlines.set(c, c.deadline(d.loop))
	}
}
