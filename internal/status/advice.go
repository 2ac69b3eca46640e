package status

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/machine"
)

// warnings are what a person should know although it may heal by itself.
func (o Overview) warnings(f Facts) []string {
	var all []string
	for _, id := range o.duplicates() {
		all = append(all, fmt.Sprintf("two agents that live call themselves %s: only one of them can ever hold the lease, and it is not told which", id))
	}
	if hot := o.claimants(); len(hot) > 1 {
		all = append(all, list(hot)+" all say that they are hot: only the holder of the lease may be")
	}
	if o.Condition == Serving && len(o.Standby) == 0 {
		all = append(all, "nobody could take over"+o.whyNobody())
	}
	if h := o.Holder; h != nil && !h.Released && h.State == "" && o.knows(h.Instance) {
		all = append(all, "the lease is held by an earlier run of "+h.Instance)
	}
	if r := f.Observation.Record; f.Observation.Exists && r.Incarnation != f.Observation.Incarnation {
		all = append(all, "the database failed over or was replaced after the lease was last written: a takeover waits the full wait interval anew")
	}
	if t, r := f.Timing, f.Observation.Record; f.Observation.Exists && t.Wait > 0 && !r.Released &&
		(t.Update != r.Update || t.Wait != r.Wait || t.Trust != r.Trust || t.Fence != r.Fence) {
		all = append(all, "the holder runs with other timing than the configuration read here: an agent with this one takes no part")
	}
	all = append(all, o.noTwins()...)
	all = append(all, o.unwell()...)
	if v := o.versions(); len(v) > 1 {
		all = append(all, "the agents run different versions: "+list(v))
	}
	all = append(all, o.drives()...)
	for _, m := range o.Instances {
		if m.Problem != "" {
			all = append(all, m.ID+": "+m.Problem)
		}
	}
	return all
}

// drives finds agents that live and see another shared drive than those before them,
// or one without its marker: a mount point with nothing on it, or a second drive.
func (o Overview) drives() (all []string) {
	first := Member{}
	for _, m := range o.Instances {
		switch {
		case !m.alive() || m.drive.Path == "" || !m.drive.Well:
		case first.ID == "":
			first = m
		case m.drive.ID != first.drive.ID:
			all = append(all, fmt.Sprintf("%s has the shared drive %s, and %s has %s: they do not share one", first.ID, shortID(first.drive.ID), m.ID, shortID(m.drive.ID)))
		}
	}
	return all
}

// unwell says what is at fault with a machine on which an agent lives.
func (o Overview) unwell() (all []string) {
	for _, m := range o.Instances {
		if !m.alive() || m.Checks == nil {
			continue
		}
		for _, f := range m.Checks.Findings {
			if f.Level == machine.Fault {
				all = append(all, m.ID+": "+f.String())
			}
		}
	}
	return all
}

// noTwins says in what the machines that would take over are no twins of the
// holder's. What keeps them from it stands among their reasons.
func (o Overview) noTwins() (all []string) {
	for _, m := range o.Instances {
		t := m.Twins
		if m.Holder || !m.alive() || t == nil || t.State != agent.TwinsDiffer || len(t.Differences) == 0 {
			continue
		}
		text := fmt.Sprintf("%s is no twin: %s %s", m.ID, t.Differences[0].Path, t.Differences[0].Text)
		if more := t.Faults + t.Warnings - 1; more > 0 {
			text += fmt.Sprintf(" (and %d more)", more)
		}
		text += "; `hotcold diff` there shows all"
		if t.Advice != "" {
			text += ", " + t.Advice
		}
		all = append(all, text)
	}
	return all
}

// shortID is as much of a marker as tells it from another.
func shortID(id string) string {
	if id == "" {
		return "without a marker"
	}
	return id[:min(len(id), 8)]
}

// duplicates are the names under which more than one living agent goes. An agent that was killed and started again
// looks like one of two until its former word is older than a word may get.
func (o Overview) duplicates() (ids []string) {
	for i, m := range o.Instances {
		if !m.current || slices.Contains(ids, m.ID) {
			continue
		}
		for _, other := range o.Instances[i+1:] {
			if other.ID == m.ID && other.Nonce != m.Nonce && other.current {
				ids = append(ids, m.ID)
				break
			}
		}
	}
	return ids
}

func (o Overview) inState(s agent.State) (ids []string) {
	for _, m := range o.Instances {
		if m.alive() && m.State == s {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// claimants are those who say that they are hot, and said so after the holder
// of the lease did. The last word of an agent that died stands for a while.
func (o Overview) claimants() (ids []string) {
	holder := slices.IndexFunc(o.Instances, func(m Member) bool { return m.Holder && m.alive() && m.State == agent.Hot })
	for _, m := range o.Instances {
		if m.alive() && m.State == agent.Hot && (holder < 0 || m.AgeSeconds <= o.Instances[holder].AgeSeconds) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

func (o Overview) versions() (all []string) {
	for _, m := range o.Instances {
		if m.alive() && m.Version != "" && !slices.Contains(all, m.Version) {
			all = append(all, m.Version)
		}
	}
	return all
}

func (o Overview) knows(id string) bool {
	return slices.ContainsFunc(o.Instances, func(m Member) bool { return m.ID == id })
}

// whyNobody says for each machine but the holder's why it cannot take over.
func (o Overview) whyNobody() string {
	var all []string
	for _, m := range o.Instances {
		switch {
		case m.Holder:
		case m.State == agent.Ended:
			all = append(all, m.ID+" has ended")
		case m.Stale:
			all = append(all, m.ID+" is silent")
		case len(m.Reasons) > 0:
			all = append(all, m.ID+" is "+string(m.State)+", "+strings.Join(m.Reasons, ", "))
		default:
			all = append(all, m.ID+" is "+string(m.State))
		}
	}
	if len(all) == 0 {
		return ": no other agent has announced itself"
	}
	return ": " + strings.Join(all, "; ")
}

// hint is the next step for a person; empty where none is needed. What is worst comes first.
func (o Overview) hint() string {
	alive := slices.ContainsFunc(o.Instances, Member.alive)
	held := o.Condition == Serving || o.Condition == Changing || o.Condition == Late
	switch {
	case !alive && !held:
		return "no agent is running: start one on each machine with hotcold run"
	case len(o.duplicates()) > 0:
		return "give each agent a machineName or a base directory of its own, or end one of the two"
	case len(o.inState(agent.Failed)) > 0:
		return "the node failed too often: look at its output on " + list(o.inState(agent.Failed)) + ", mend it, and let the agents go on with hotcold resume"
	case o.paused():
		return "hands are off: let the agents act again with hotcold resume"
	case held && len(o.Standby) > 0, o.Condition == Changing:
		return ""
	case held:
		return "bring the other machine's agent up: hotcold run there, or mend what it says"
	case len(o.Standby) > 1:
		return "wait: one of " + list(o.Standby) + " takes over by itself, within the time above"
	case len(o.Standby) > 0:
		return "wait: " + list(o.Standby) + " takes over by itself, within the time above"
	}
	return "mend what keeps the agents from taking over" + o.whyNobody()
}

func (o Overview) paused() bool {
	return slices.ContainsFunc(o.Instances, func(m Member) bool { return m.alive() && (m.Paused || m.State == agent.Paused) })
}
