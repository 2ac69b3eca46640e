package balancer

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/probe"
)

// historyLimit bounds what is remembered of one machine: more than a night of flapping that a person would read.
const historyLimit = 64

// known is all that the balancer knows. Its loop owns it.
type known struct {
	o        Options
	agents   bool
	access   *access
	started  time.Time
	epoch    uint64
	machines []*machine
	groups   []*group
	alarms   []Alarm
	counters Counters
	log      *slog.Logger
}

// machine is what is known of one machine.
type machine struct {
	config.Machine
	word      heard
	at        time.Time // when the word came
	connected bool
	probes    []*look
	history   []Change
}

// look is what one probe has seen of one machine.
type look struct {
	config.BalancerProbe
	health probe.Health
	since  time.Time
	reason string
	last   probe.Sighting
	looks  uint64
	failed uint64
	// anew is when what was seen before stopped to count, and again tells the watch.
	anew  time.Duration
	again chan struct{}
}

// group is what is known of rules that move together.
type group struct {
	name   string
	rules  []string
	probes []string
	// last is where traffic went last; now is what the path was told, where told.
	last, now Target
	told      bool
	since     time.Time
	choice    choice
	// failure is why the path has not taken tried, and retry when it is told that again.
	failure string
	tried   Target
	retry   time.Duration
}

// belief is what a probe believes, in the words of a snapshot.
func (l *look) belief() Belief {
	switch {
	case l.health.Unknown:
		return Unknown
	case l.health.Well:
		return Well
	}
	return Ill
}

// limit is how many looks in a row would turn the belief.
func (l *look) limit() int {
	switch {
	case l.health.Unknown && l.health.Against == 0:
		return 1
	case l.health.Unknown, l.health.Well:
		return l.Unhealthy
	}
	return l.Healthy
}

// newKnown knows nothing of the machines yet, or what was known before of those that stay.
func newKnown(o Options, a *access, log *slog.Logger, now clock.Reading, before *known) *known {
	k := &known{o: o, agents: o.AsksAgents(), access: a, log: log, started: now.Wall}
	if before != nil {
		k.started, k.epoch, k.alarms, k.counters = before.started, before.epoch, before.alarms, before.counters
		if keyOf(a.files) == keyOf(before.access.files) {
			k.access = before.access // it is followed already
		}
	}
	for _, m := range o.Machines {
		k.machines = append(k.machines, k.newMachine(m, now, before))
	}
	for _, name := range o.groups() {
		g := &group{name: name, since: now.Wall, choice: choice{why: "nothing was heard yet"}}
		if before != nil {
			if i := slices.IndexFunc(before.groups, func(b *group) bool { return b.name == name }); i >= 0 {
				*g = *before.groups[i]
				g.told, g.retry, g.rules, g.probes = false, 0, nil, nil // the path has new rules, and is told again
			}
		}
		for _, r := range o.Config.Rules {
			if o.group(r) == name {
				g.rules = append(g.rules, r.Name)
			}
		}
		for _, p := range o.used() {
			if k.o.looks(p) && (name == "" || name == p.Name) {
				g.probes = append(g.probes, p.Name)
			}
		}
		k.groups = append(k.groups, g)
	}
	if before == nil {
		k.remember(o.Past)
	}
	return k
}

// newMachine takes over what was known of the machine of that name: what its agent said stays said, and what was seen
// stays seen, even if it is asked or looked at in another way from now on. A reload must not look like an outage.
func (k *known) newMachine(m config.Machine, now clock.Reading, before *known) *machine {
	n := &machine{Machine: m, word: heard{silent: now.Boot}}
	var old *machine
	if before != nil {
		old = before.machine(m.Name)
	}
	if old != nil {
		n.history = old.history
	}
	if old != nil && before.o.Lease == k.o.Lease {
		n.word, n.at, n.connected = old.word, old.at, old.connected
		if before.o.watching(old.Machine, before.o.agentProbe()) != k.o.watching(m, k.o.agentProbe()) && n.connected {
			n.connected, n.word.silent = false, now.Boot // there will be another stream
		}
	}
	for _, p := range k.o.used() {
		if k.o.looks(p) {
			n.probes = append(n.probes, k.newLook(p, m, now, before, old))
		}
	}
	return n
}

func (k *known) newLook(p config.BalancerProbe, m config.Machine, now clock.Reading, before *known, old *machine) *look {
	l := &look{BalancerProbe: p, health: probe.Health{Unknown: true}, since: now.Wall, again: make(chan struct{}, 1)}
	if old == nil {
		return l
	}
	was := old.look(p.Name)
	switch {
	case was == nil || old.Address != m.Address || was.Protocol != p.Protocol || was.Port != p.Port || was.Path != p.Path:
		return l
	case before.o.watching(old.Machine, was.BalancerProbe) == k.o.watching(m, p):
		return was // the watch goes on
	}
	l.health = probe.Health{Well: was.health.Well, Unknown: was.health.Unknown}
	l.since, l.reason, l.last, l.looks, l.failed, l.anew = was.since, was.reason, was.last, was.looks, was.failed, was.anew
	return l
}

// look finds what a probe has seen.
func (m *machine) look(name string) *look {
	for _, l := range m.probes {
		if l.Name == name {
			return l
		}
	}
	return nil
}

func (k *known) machine(name string) *machine {
	for _, m := range k.machines {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// facts are what is decided from.
func (k *known) facts(now time.Duration) facts {
	f := facts{now: now, agents: k.agents, cloud: k.o.Config.Profile != config.ProfilePair, epoch: k.epoch}
	for _, g := range k.groups {
		f.groups = append(f.groups, groupFacts{name: g.name, probes: g.probes, last: g.last})
	}
	for _, m := range k.machines {
		f.machines = append(f.machines, m.facts())
	}
	return f
}

func (m *machine) facts() machineFacts {
	f := machineFacts{Machine: m.Machine, word: m.word, belief: map[string]sight{}}
	for _, l := range m.probes {
		f.belief[l.Name] = sight{belief: l.belief(), reason: l.reason}
	}
	return f
}

// note adds a line to the history of a machine.
func (m *machine) note(at time.Time, what, now, why string) {
	if len(m.history) == historyLimit {
		m.history = slices.Clone(m.history[1:])
	}
	m.history = append(m.history, Change{At: at, What: what, Now: now, Why: why})
}

// opened: there is a stream to the agent.
func (k *known) opened(m *machine) {
	k.counters.Streams++
	if m.word.silent > 0 {
		k.log.Info("agent is heard", "machine", m.Name, "agent", m.Agent)
	}
	m.connected, m.word.silent, m.word.why = true, 0, ""
}

// heard takes in an agent's word.
func (k *known) heard(m *machine, w Word, sent, came clock.Reading) {
	k.counters.Words++
	was := m.word
	m.word = heard{Word: w, any: true, until: validity(w, sent.Boot, came.Boot)}
	m.at = came.Wall
	if was.any && was.Hot == w.Hot && was.Epoch == w.Epoch && was.State == w.State && was.Ready == w.Ready {
		return
	}
	now := "not hot"
	if w.Hot {
		now = "hot"
	}
	m.note(came.Wall, "agent", fmt.Sprintf("%s, %s with epoch %d", now, w.State, w.Epoch), w.Why)
	k.log.Info("agent's word", "machine", m.Name, "hot", w.Hot, "state", w.State, "epoch", w.Epoch, "trust", w.Trust, "reason", w.Why)
	if w.Hot && (!was.Hot || was.Epoch != w.Epoch) {
		// What was seen of the machine before it was hot says nothing of it now: a cold one's ports are closed.
		for _, l := range m.probes {
			l.beginAnew(came)
		}
	}
}

// lost: there is no stream to the agent. What it said stays true for as long as it said.
func (k *known) lost(m *machine, err error, now clock.Reading) {
	if errors.Is(err, errForeign) {
		k.counters.WordsRefused++
	}
	m.connected, m.word.why = false, err.Error()
	if m.word.silent == 0 {
		m.word.silent = now.Boot
		m.note(now.Wall, "agent", "not heard", m.word.why)
		k.log.Warn("agent is not heard", "machine", m.Name, "agent", m.Agent, "err", err)
	}
}

// beginAnew forgets what was seen, and has the watch look at once.
func (l *look) beginAnew(now clock.Reading) {
	l.health, l.since, l.reason, l.anew = probe.Health{Unknown: true}, now.Wall, "", now.Boot
	select {
	case l.again <- struct{}{}:
	default: // it is told already
	}
}

// saw takes in what a probe saw.
func (k *known) saw(m *machine, l *look, s probe.Sighting) {
	k.counters.Looks++
	l.looks++
	l.last = s
	if s.Err != nil {
		l.failed++
	}
	if s.Started.Boot < l.anew {
		return // a look from before
	}
	was := l.belief()
	l.health, l.reason = s.Health, ""
	if s.Err != nil {
		l.reason = s.Err.Error()
	}
	is := l.belief()
	if is == was {
		return
	}
	l.since = s.Started.Wall.Add(s.Took)
	m.note(l.since, "probe "+l.Name, string(is), l.reason)
	say := k.log.Info
	if was == Well {
		say = k.log.Warn
	}
	say("probe changed its mind", "probe", l.Name, "machine", m.Name, "was", string(was), "is", string(is), "reason", l.reason)
}

// ring keeps the alarms: each is said once when it begins and once when it is over.
func (k *known) ring(alarms []Alarm, now time.Time) {
	same := func(a Alarm) func(Alarm) bool {
		return func(b Alarm) bool { return a.Kind == b.Kind && a.Group == b.Group && a.Machine == b.Machine }
	}
	for i, a := range alarms {
		if j := slices.IndexFunc(k.alarms, same(a)); j >= 0 {
			alarms[i].Since = k.alarms[j].Since
			continue
		}
		alarms[i].Since = now
		say := k.log.Error
		if a.Kind == AlarmVeto || a.Kind == AlarmSilent {
			say = k.log.Warn
		}
		say("alarm", "kind", string(a.Kind), "machine", a.Machine, "group", a.Group, "text", a.Text)
	}
	for _, a := range k.alarms {
		if !slices.ContainsFunc(alarms, same(a)) {
			k.log.Info("alarm is over", "kind", string(a.Kind), "machine", a.Machine, "group", a.Group, "text", a.Text)
		}
	}
	k.alarms = alarms
}

// oldFor is what becomes of the connections to where traffic went before. A drain is for a machine that leaves in
// order: one that is gone, or was fenced, has nothing to finish.
func (k *known) oldFor(g *group) Old {
	old := k.o.old()
	if old.Drain == 0 || !k.agents || g.last.Nobody() {
		return old
	}
	was := k.machine(g.last.Machine)
	if was == nil || was.word.silent > 0 || was.word.Hot || !slices.Contains([]string{"stopping", "cold", "paused"}, was.word.State) {
		return Old{}
	}
	return old
}
