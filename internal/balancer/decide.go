package balancer

import (
	"fmt"
	"slices"
	"time"
)

// silentAfter is how long an agent may not be heard until a person should know: longer than an agent takes to be
// started anew or a switch to learn a cable.
const silentAfter = 15 * time.Second

// decide says where the traffic goes. It is the whole of what elects a machine: a function of what is known, without a
// clock, without I/O and without a log. It never names two machines for one group, obeys no epoch below the greatest
// ever heard of, and no word that is not to be believed at f.now.
func decide(f facts) decision {
	d := decision{epoch: f.epoch}
	for _, m := range f.machines {
		if m.word.any {
			d.epoch = max(d.epoch, m.word.Epoch)
		}
	}
	for _, g := range f.groups {
		if f.agents {
			d.groups = append(d.groups, d.byWord(f, g))
		} else {
			d.groups = append(d.groups, d.byLooks(f, g))
		}
	}
	if f.agents {
		d.listen(f)
	}
	return d
}

// byWord follows the agents. Probes may veto.
func (d *decision) byWord(f facts, g groupFacts) choice {
	c := choice{machines: make([]string, len(f.machines))}
	var leaders []int // hot, believed, of the greatest epoch
	for i, m := range f.machines {
		if c.machines[i] = d.whyNot(f, g, m); c.machines[i] == "" {
			leaders = append(leaders, i)
		}
	}
	if len(leaders) > 1 { // the lease does not let that be; to choose would be to guess
		for _, i := range leaders {
			c.machines[i] = fmt.Sprintf("its agent says hot with epoch %d, and so does another: two are never served", d.epoch)
		}
	}
	if len(leaders) != 1 {
		c.why = nobody(f, c.machines)
		return c
	}
	chosen := leaders[0]
	m := f.machines[chosen]
	if probe, s, ill := vetoed(g, m); ill {
		c.machines[chosen] = fmt.Sprintf("hot by its agent's word with epoch %d, but ill by probe %s%s", d.epoch, probe, because(s.reason))
		c.why = "nobody: " + m.Name + " is " + c.machines[chosen]
		d.alarm(AlarmVeto, g.name, m.Name, c.machines[chosen])
		return c
	}
	c.target = Target{Group: g.name, Machine: m.Name, Address: m.Address, Epoch: d.epoch}
	c.machines[chosen] = fmt.Sprintf("hot by its agent's word, with epoch %d", d.epoch)
	c.why = m.Name + " is " + c.machines[chosen]
	return c
}

// whyNot says why a machine's agent does not make it the one; empty: it does.
func (d *decision) whyNot(f facts, g groupFacts, m machineFacts) string {
	w := m.word
	switch {
	case !w.any && w.why != "":
		return "its agent has not been heard: " + w.why
	case !w.any:
		return "its agent has not been heard yet"
	case !w.Hot:
		return fmt.Sprintf("its agent says not hot (%s)%s", w.State, because(w.Why))
	case !w.hotAt(f.now):
		return fmt.Sprintf("its agent said hot with epoch %d, which is to be believed no longer%s", w.Epoch, because(w.why))
	case w.Epoch < d.epoch:
		return fmt.Sprintf("its agent says hot with epoch %d, but epoch %d has been heard of: a lower one is never obeyed", w.Epoch, d.epoch)
	case taken(g, m):
		return fmt.Sprintf("its agent says hot with epoch %d, which is that of %s: an epoch belongs to one machine", w.Epoch, g.last.Machine)
	case w.Epoch == 0 && len(f.machines) > 1:
		return "its agent says hot without a lease, so that nothing keeps a second one away: it elects nobody"
	}
	return ""
}

// taken tells whether a machine says hot with an epoch in which another one was obeyed. Every change of holder makes a
// greater one, so something is broken; and the connections to the other one could not be told from those to this. A
// machine that was given another name, or another address, is the same.
func taken(g groupFacts, m machineFacts) bool {
	return m.word.Epoch > 0 && m.word.Epoch == g.last.Epoch && m.Name != g.last.Machine && m.Address != g.last.Address
}

// listen raises the alarms about the agents, and finds out when one of their words ends.
func (d *decision) listen(f facts) {
	var hot []machineFacts
	for _, m := range f.machines {
		switch {
		case m.word.hotAt(f.now):
			hot = append(hot, m)
			d.wake(f, m.word.until)
		case m.word.silent > 0 && f.now < m.word.silent+silentAfter:
			d.wake(f, m.word.silent+silentAfter)
		case m.word.silent > 0:
			d.alarm(AlarmSilent, "", m.Name, fmt.Sprintf("the agent of %s is not heard%s", m.Name, because(m.word.why)))
		}
	}
	if len(hot) > 1 {
		d.alarm(AlarmTwoHot, "", "", fmt.Sprintf("the agents of %s (epoch %d) and %s (epoch %d) both say hot",
			hot[0].Name, hot[0].word.Epoch, hot[1].Name, hot[1].word.Epoch))
	}
	for _, m := range hot {
		switch {
		case len(hot) == 1 && m.word.Epoch < d.epoch:
			d.alarm(AlarmOldEpoch, "", m.Name, fmt.Sprintf("the agent of %s says hot with epoch %d, and epoch %d has been heard of; "+
				"where the database was put back to an earlier state, start the balancer anew", m.Name, m.word.Epoch, d.epoch))
		case slices.ContainsFunc(f.groups, func(g groupFacts) bool { return taken(g, m) }):
			d.alarm(AlarmOldEpoch, "", m.Name, fmt.Sprintf("the agent of %s says hot with epoch %d, which was that of the other machine", m.Name, m.word.Epoch))
		case m.word.Epoch == 0 && len(f.machines) > 1:
			d.alarm(AlarmLeaseless, "", m.Name, fmt.Sprintf("the agent of %s says hot without a lease: it elects nobody", m.Name))
		}
	}
}

// byLooks chooses by what the probes believe.
func (d *decision) byLooks(f facts, g groupFacts) choice {
	c := choice{machines: make([]string, len(f.machines))}
	var healthy []int
	for i, m := range f.machines {
		if c.machines[i] = looksIll(g, m); c.machines[i] == "" {
			healthy = append(healthy, i)
		}
	}
	chosen, ok := pick(f, g, healthy)
	if len(healthy) > 1 {
		what := "the one that was stays"
		switch {
		case !ok:
			what = "neither was before, so neither is chosen"
		case f.cloud:
			what = "a cloud would send traffic to both, this balancer to one"
		}
		text := fmt.Sprintf("%s and %s both look healthy: %s", f.machines[healthy[0]].Name, f.machines[healthy[1]].Name, what)
		d.alarm(AlarmTwoHealthy, g.name, "", text)
		for _, i := range healthy {
			c.machines[i] = text
		}
	}
	if !ok {
		c.why = nobody(f, c.machines)
		return c
	}
	m := f.machines[chosen]
	c.target = Target{Group: g.name, Machine: m.Name, Address: m.Address, Epoch: g.last.Epoch}
	if m.Name != g.last.Machine {
		c.target.Epoch++
	}
	if len(healthy) == 1 {
		c.machines[chosen] = "it looks healthy, and is the only one"
	}
	c.why = m.Name + ": " + c.machines[chosen]
	return c
}

// looksIll says why a machine does not look healthy; empty: it does. All probes have to believe in it.
func looksIll(g groupFacts, m machineFacts) string {
	for _, p := range g.probes {
		switch s := m.belief[p]; s.belief {
		case Well:
		case Ill:
			return fmt.Sprintf("ill by probe %s%s", p, because(s.reason))
		default:
			return fmt.Sprintf("probe %s has not seen it well yet%s", p, because(s.reason))
		}
	}
	return ""
}

// pick chooses among the healthy.
func pick(f facts, g groupFacts, healthy []int) (chosen int, ok bool) {
	if len(healthy) == 1 {
		return healthy[0], true
	}
	for _, i := range healthy {
		if f.machines[i].Name == g.last.Machine {
			return i, true
		}
	}
	if f.cloud && len(healthy) > 0 {
		return healthy[0], true // a cloud serves, whatever it means
	}
	return 0, false
}

// vetoed tells whether a probe speaks against a machine that is hot. One that has not made up its mind does not: that
// would make every start of a balancer an outage.
func vetoed(g groupFacts, m machineFacts) (probe string, s sight, ill bool) {
	for _, p := range g.probes {
		if s := m.belief[p]; s.belief == Ill {
			return p, s, true
		}
	}
	return "", sight{}, false
}

func nobody(f facts, machines []string) string {
	text := "nobody"
	for i, m := range f.machines {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		text += sep + m.Name + ": " + machines[i]
	}
	return text
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func (d *decision) alarm(kind AlarmKind, group, machine, text string) {
	d.alarms = append(d.alarms, Alarm{Kind: kind, Group: group, Machine: machine, Text: text})
}

// wake asks for another decision at that instant, or sooner.
func (d *decision) wake(f facts, at time.Duration) {
	if at > f.now && (d.next == 0 || at < d.next) {
		d.next = at
	}
}
