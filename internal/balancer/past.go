package balancer

import "slices"

// Past is what a balancer leaves to the one that takes its place, so that an epoch which the first has left behind is
// not obeyed by the second either. What the first is told after it was asked for its past, the second hears by itself.
type Past struct {
	// Lease is the pair's, and Agents whether epochs are those of agents; a past of another kind counts nothing.
	Lease  string `json:"lease"`
	Agents bool   `json:"agents"`
	// Epoch is the greatest that was ever heard of.
	Epoch uint64 `json:"epoch"`
	// Last is where the traffic of each group went last.
	Last []Target `json:"last"`
}

// Past is what a successor has to know. It may be called from any goroutine.
func (b *Balancer) Past() Past {
	p := b.snapshot.Load()
	return Past{Lease: p.Lease, Agents: p.Agents, Epoch: p.Epoch, Last: p.last}
}

// remember takes over the past of an earlier balancer, if it is one of the same pair and kind.
func (k *known) remember(p *Past) {
	if p == nil || p.Lease != k.o.Lease || p.Agents != k.agents {
		return
	}
	if k.agents {
		k.epoch = max(k.epoch, p.Epoch) // otherwise each group counts its own
	}
	for _, g := range k.groups {
		if i := slices.IndexFunc(p.Last, func(t Target) bool { return t.Group == g.name && !t.Nobody() }); i >= 0 {
			g.last = p.Last[i]
		}
	}
}
