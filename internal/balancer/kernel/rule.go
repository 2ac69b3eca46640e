package kernel

import (
	"net/netip"
	"slices"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
)

// rule is a rule as the kernel has it. It belongs to whoever has the turn.
type rule struct {
	balancer.Rule
	id uint8
	// was is the rule as it was programmed before, where it is to be programmed anew.
	was balancer.Rule
	// gone: no longer in the setup. It stays until the last of its connections is over.
	gone bool
	// to tells that it has an element in the map that steers.
	to bool
	// live are the marks whose packets pass, each with the boot time at which that ends; 0 is never.
	live map[uint32]time.Duration
	// terms are the latest targets, the latest last.
	terms []term
}

// term is one target of a rule.
type term struct {
	mark   uint32
	target balancer.Target
	// ended is when its connections were cut, and drained that they had been given time before.
	ended   time.Duration
	drained bool
}

// maxTerms is how many targets of the past are known by name when their connections are cut.
const maxTerms = 32

func newRule(r balancer.Rule, id uint8) *rule {
	return &rule{Rule: r, id: id, live: map[uint32]time.Duration{}}
}

func (r *rule) clone() *rule {
	c := *r
	c.live = make(map[uint32]time.Duration, len(r.live))
	for mark, until := range r.live {
		c.live[mark] = until
	}
	c.terms = slices.Clone(r.terms)
	return &c
}

// is tells whether the rule of a setup is this one, and may have its connections: name, group and frontend are the same.
func (r *rule) is(o balancer.Rule) bool {
	return r.Name == o.Name && r.Group == o.Group && r.Frontend == o.Frontend
}

// same tells whether nothing at all is different, so that the kernel's program can stay.
func same(a, b balancer.Rule) bool {
	lists := slices.Equal(a.Allow, b.Allow) && slices.Equal(a.Deny, b.Deny)
	return lists && a.Name == b.Name && a.Group == b.Group && a.Frontend == b.Frontend && a.BackendPort == b.BackendPort &&
		a.IdleTimeout == b.IdleTimeout && a.ResetOnIdle == b.ResetOnIdle &&
		a.MaxConnections == b.MaxConnections && a.MaxPerSource == b.MaxPerSource
}

// before is one of the lists as it was programmed.
func (r *rule) before(list string) []netip.Prefix {
	if list == setDeny {
		return r.was.Deny
	}
	return r.was.Allow
}

// four tells whether the rule is one of IPv4.
func (r *rule) four() bool { return r.Frontend.Addr().Unmap().Is4() }

// enter remembers the target that a mark stands for.
func (r *rule) enter(mark uint32, t balancer.Target) {
	r.terms = slices.DeleteFunc(r.terms, func(e term) bool { return e.mark == mark })
	r.terms = append(r.terms, term{mark: mark, target: t})
	if len(r.terms) > maxTerms {
		r.terms = slices.Delete(r.terms, 0, len(r.terms)-maxTerms)
	}
}

// end remembers that the connections of a mark are cut.
func (r *rule) end(mark uint32, at time.Duration, drained bool) {
	for i := range r.terms {
		if r.terms[i].mark == mark {
			r.terms[i].ended, r.terms[i].drained = at, drained
			return
		}
	}
	// Not one of ours: an earlier balancer's. Its machine is known from the connection.
	r.terms = append([]term{{mark: mark, target: balancer.Target{Group: r.Group, Epoch: epochOf(mark)}, ended: at, drained: drained}}, r.terms...)
}

// assign gives the rules of a setup their numbers: those that stay keep theirs, new ones take the lowest that is free.
// What is in before and not in the setup comes back as gone. Nothing of before is changed.
func assign(before []*rule, setup []balancer.Rule) (rules []*rule, fresh, changed map[uint8]bool) {
	fresh, changed = map[uint8]bool{}, map[uint8]bool{}
	taken := map[uint8]bool{}
	for _, b := range before {
		r := b.clone()
		taken[r.id] = true
		at := slices.IndexFunc(setup, r.is)
		r.gone = at < 0
		if at >= 0 && !same(r.Rule, setup[at]) {
			r.was, r.Rule = r.Rule, setup[at]
			changed[r.id] = true
		}
		rules = append(rules, r)
	}
	for _, s := range setup {
		if slices.ContainsFunc(rules, func(r *rule) bool { return r.is(s) }) {
			continue
		}
		id := 0
		for id < MaxRules-1 && taken[uint8(id)] {
			id++
		}
		taken[uint8(id)], fresh[uint8(id)] = true, true
		rules = append(rules, newRule(s, uint8(id)))
	}
	slices.SortFunc(rules, func(a, b *rule) int { return int(a.id) - int(b.id) })
	return rules, fresh, changed
}
