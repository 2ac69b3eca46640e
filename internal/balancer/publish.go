package balancer

import (
	"slices"
	"time"
)

// published is a snapshot with what only the clock can tell of it.
type published struct {
	Snapshot
	until []time.Duration // of each machine's word
	last  []Target        // of each group
}

// Snapshot is what the balancer knows now. It may be called from any goroutine, before Run too.
func (b *Balancer) Snapshot() Snapshot {
	p := b.snapshot.Load()
	now := b.clock.Now().Boot // read after the snapshot: what lies between makes a word less worth, never more
	s := p.Snapshot
	s.Machines = slices.Clone(s.Machines)
	for i, m := range s.Machines {
		if m.Word == nil {
			continue
		}
		w := *m.Word
		if w.Hot {
			w.TrustLeftSeconds = max(0, p.until[i]-now).Round(time.Millisecond).Seconds()
		}
		s.Machines[i].Word = &w
	}
	s.Counters.ReloadsRefused = b.refused.Load()
	s.Flows = b.path.Flows()
	return s
}

// publish makes what is known visible. Nothing in a published snapshot is ever changed.
func (b *Balancer) publish() {
	k := b.known
	p := &published{Snapshot: Snapshot{
		Lease: k.o.Lease, Profile: k.o.Config.Profile, Started: k.started, Agents: k.agents, Epoch: k.epoch,
		Alarms: k.alarms, Config: k.o.Config, Counters: k.counters,
	}}
	for _, g := range k.groups {
		p.Groups = append(p.Groups, GroupState{Group: g.name, Rules: g.rules, Target: g.now, Since: g.since, Why: g.choice.why, Unsteered: g.failure})
		p.last = append(p.last, g.last)
		if !k.agents {
			p.Epoch = max(p.Epoch, g.last.Epoch)
		}
	}
	for i, m := range k.machines {
		p.Machines = append(p.Machines, k.show(i, m))
		p.until = append(p.until, m.word.until)
	}
	b.snapshot.Store(p)
	b.tell()
}

// show is one machine as it is known now.
func (k *known) show(i int, m *machine) MachineState {
	s := MachineState{Name: m.Name, Address: m.Address.String(), Agent: m.Agent, History: m.history}
	if k.agents {
		w := m.word
		s.Word = &WordState{Heard: w.any, Hot: w.Hot, State: w.State, Ready: w.Ready, Epoch: w.Epoch, Why: w.Why,
			At: m.at, Connected: m.connected, Error: w.why}
	}
	for _, l := range m.probes {
		p := ProbeState{Name: l.Name, Protocol: l.Protocol, Belief: l.belief(), Since: l.since, Against: l.health.Against, Limit: l.limit(),
			Reason: l.reason, Last: l.last.Started.Wall, LastSeconds: l.last.Took.Seconds(), Looks: l.looks, Failures: l.failed}
		s.Probes = append(s.Probes, p)
	}
	for _, g := range k.groups {
		e := Explanation{Group: g.name, Target: !g.now.Nobody() && g.now.Machine == m.Name}
		if i < len(g.choice.machines) {
			e.Why = g.choice.machines[i]
		}
		s.Explain = append(s.Explain, e)
	}
	return s
}
