package balancer

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hotcold/hotcold/internal/config"
)

// at is when the decisions of these tests are made.
const at = time.Hour

func machineA(change ...func(*machineFacts)) machineFacts { return factsOf("a", "10.0.0.1", change) }

func machineB(change ...func(*machineFacts)) machineFacts { return factsOf("b", "10.0.0.2", change) }

func factsOf(name, address string, change []func(*machineFacts)) machineFacts {
	m := machineFacts{Machine: config.Machine{Name: name, Address: netip.MustParseAddr(address)}, belief: map[string]sight{}}
	for _, f := range change {
		f(&m)
	}
	return m
}

// says is a word that may be believed for a second yet.
func says(hot bool, epoch uint64) func(*machineFacts) {
	return func(m *machineFacts) {
		m.word = heard{Word: Word{Hot: hot, Ready: hot, Epoch: epoch, State: "hot"}, any: true, until: at + time.Second}
		if !hot {
			m.word.State, m.word.Why = "cold", "waiting"
		}
	}
}

func until(instant time.Duration) func(*machineFacts) {
	return func(m *machineFacts) { m.word.until = instant }
}

func silentSince(instant time.Duration, why string) func(*machineFacts) {
	return func(m *machineFacts) { m.word.silent, m.word.why = instant, why }
}

func looks(probe string, b Belief) func(*machineFacts) {
	return func(m *machineFacts) {
		m.belief[probe] = sight{belief: b, reason: map[Belief]string{Ill: "connection refused"}[b]}
	}
}

func to(m machineFacts, epoch uint64) Target {
	return Target{Machine: m.Name, Address: m.Address, Epoch: epoch}
}

func TestWhereTrafficGoesByTheWordOfAgents(t *testing.T) {
	a, b := machineA(), machineB()
	for _, c := range []struct {
		name     string
		epoch    uint64 // greatest so far
		last     Target
		machines []machineFacts
		probes   []string
		want     Target // zero: nobody
		why      string // is part of the explanation
		whyB     string // is part of that of the second machine
		alarms   []AlarmKind
		next     time.Duration
	}{
		{name: "nothing was heard", machines: []machineFacts{a, b}, why: "nobody: a: its agent has not been heard yet; b: its agent has not been heard yet"},
		{name: "one is hot", machines: []machineFacts{machineA(says(true, 7)), machineB(says(false, 7))},
			want: to(a, 7), why: "a is hot by its agent's word, with epoch 7", whyB: "its agent says not hot (cold): waiting", next: at + time.Second},
		{name: "one is hot, the other was never heard", machines: []machineFacts{machineA(says(true, 7)), b},
			want: to(a, 7), whyB: "not been heard yet", next: at + time.Second},
		{name: "nobody is hot", epoch: 7, last: to(a, 7), machines: []machineFacts{machineA(says(false, 7)), machineB(says(false, 7))},
			why: "nobody: a: its agent says not hot (cold): waiting; b: its agent says not hot (cold): waiting"},
		{name: "the other became hot", epoch: 7, last: to(a, 7), machines: []machineFacts{machineA(says(false, 7)), machineB(says(true, 8))},
			want: to(b, 8), next: at + time.Second},
		{name: "the same again after nobody", epoch: 7, last: to(a, 7), machines: []machineFacts{machineA(says(true, 7)), b},
			want: to(a, 7), next: at + time.Second},
		{name: "a word lasts to its last nanosecond", machines: []machineFacts{machineA(says(true, 7), until(at+1)), b}, want: to(a, 7), next: at + 1},
		{name: "a word that is over is no word", machines: []machineFacts{machineA(says(true, 7), until(at)), b},
			why: "its agent said hot with epoch 7, which is to be believed no longer"},
		{name: "a stream that broke leaves the word until it is over", machines: []machineFacts{machineA(says(true, 7), silentSince(at-time.Second, "reset")), b},
			want: to(a, 7), next: at + time.Second},
		{name: "a lower epoch than one seen is not obeyed", epoch: 8, machines: []machineFacts{machineA(says(true, 7)), b},
			why: "but epoch 8 has been heard of", alarms: []AlarmKind{AlarmOldEpoch}, next: at + time.Second},
		{name: "a cold agent that saw a greater epoch is enough", machines: []machineFacts{machineA(says(true, 7)), machineB(says(false, 8))},
			why: "but epoch 8 has been heard of", alarms: []AlarmKind{AlarmOldEpoch}, next: at + time.Second},
		{name: "an epoch counts though its word is over", machines: []machineFacts{machineA(says(true, 7)), machineB(says(true, 8), until(at-1))},
			why: "but epoch 8 has been heard of", whyB: "believed no longer", alarms: []AlarmKind{AlarmOldEpoch}, next: at + time.Second},
		{name: "of two that say hot the greater epoch", last: to(a, 7), machines: []machineFacts{machineA(says(true, 7)), machineB(says(true, 8), until(at+2*time.Second))},
			want: to(b, 8), whyB: "hot by its agent's word, with epoch 8", alarms: []AlarmKind{AlarmTwoHot}, next: at + time.Second},
		{name: "two that say hot with one epoch: the one that was", epoch: 7, last: to(b, 7), machines: []machineFacts{machineA(says(true, 7)), machineB(says(true, 7))},
			want: to(b, 7), alarms: []AlarmKind{AlarmTwoHot, AlarmOldEpoch}, next: at + time.Second},
		{name: "an epoch belongs to one machine", epoch: 7, last: to(a, 7), machines: []machineFacts{machineA(says(false, 7)), machineB(says(true, 7))},
			why: "nobody", whyB: "which is that of a: an epoch belongs to one machine", alarms: []AlarmKind{AlarmOldEpoch}, next: at + time.Second},
		{name: "a machine that was given another name keeps its epoch", epoch: 7, last: Target{Machine: "c", Address: a.Address, Epoch: 7},
			machines: []machineFacts{machineA(says(true, 7)), b}, want: to(a, 7), next: at + time.Second},
		{name: "two that say hot with one epoch, and none was", machines: []machineFacts{machineA(says(true, 7)), machineB(says(true, 7))},
			why: "and so does another: two are never served", alarms: []AlarmKind{AlarmTwoHot}, next: at + time.Second},
		{name: "two that say hot with one epoch, and one was with another", epoch: 6, last: to(a, 6), machines: []machineFacts{machineA(says(true, 7)), machineB(says(true, 7))},
			why: "two are never served", alarms: []AlarmKind{AlarmTwoHot}, next: at + time.Second},
		{name: "without a lease nobody is elected of two", machines: []machineFacts{machineA(says(true, 0)), b},
			why: "without a lease", alarms: []AlarmKind{AlarmLeaseless}, next: at + time.Second},
		{name: "without a lease the only machine may", machines: []machineFacts{machineA(says(true, 0))}, want: to(a, 0), next: at + time.Second},
		{name: "a probe vetoes", probes: []string{"web"}, machines: []machineFacts{machineA(says(true, 7), looks("web", Ill)), b},
			why: "nobody: a is hot by its agent's word with epoch 7, but ill by probe web: connection refused", alarms: []AlarmKind{AlarmVeto}, next: at + time.Second},
		{name: "a probe that has not made up its mind does not veto", probes: []string{"web"}, machines: []machineFacts{machineA(says(true, 7), looks("web", Unknown)), b},
			want: to(a, 7), next: at + time.Second},
		{name: "a probe of no rule does not veto", machines: []machineFacts{machineA(says(true, 7), looks("web", Ill)), b}, want: to(a, 7), next: at + time.Second},
		{name: "a probe does not elect", probes: []string{"web"}, machines: []machineFacts{machineA(says(false, 7), looks("web", Well)), machineB(looks("web", Well))},
			why: "nobody"},
		{name: "a veto is not a vote for the other", probes: []string{"web"},
			machines: []machineFacts{machineA(says(true, 7), looks("web", Ill)), machineB(says(false, 7), looks("web", Well))},
			why:      "nobody: a is hot", alarms: []AlarmKind{AlarmVeto}, next: at + time.Second},
		{name: "silence is waited for", machines: []machineFacts{machineA(silentSince(at-time.Second, "connection refused")), machineB(says(false, 7))},
			why: "its agent has not been heard: connection refused", next: at - time.Second + silentAfter},
		{name: "silence is told of", machines: []machineFacts{machineA(silentSince(at-silentAfter, "connection refused")), machineB(says(true, 7))},
			want: to(b, 7), alarms: []AlarmKind{AlarmSilent}, next: at + time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := decide(facts{now: at, agents: true, epoch: c.epoch, groups: []groupFacts{{probes: c.probes, last: c.last}}, machines: c.machines})
			got := d.groups[0]
			if got.target != c.want {
				t.Errorf("traffic goes to %+v, want %+v", got.target, c.want)
			}
			if !strings.Contains(got.why, c.why) {
				t.Errorf("because %q, want %q", got.why, c.why)
			}
			if c.whyB != "" && !strings.Contains(got.machines[1], c.whyB) {
				t.Errorf("b: %q, want %q", got.machines[1], c.whyB)
			}
			if kinds := kindsOf(d); !slices.Equal(kinds, c.alarms) {
				t.Errorf("alarms %v, want %v", kinds, c.alarms)
			}
			if d.next != c.next {
				t.Errorf("decides again at %v, want %v", d.next, c.next)
			}
		})
	}
}

func kindsOf(d decision) []AlarmKind {
	var kinds []AlarmKind
	for _, a := range d.alarms {
		kinds = append(kinds, a.Kind)
	}
	return kinds
}

func TestWhereTrafficGoesByLooksAlone(t *testing.T) {
	a, b := machineA(), machineB()
	well, ill, unknown := looks("p", Well), looks("p", Ill), looks("p", Unknown)
	for _, c := range []struct {
		name         string
		last         Target
		machines     []machineFacts
		pair, cloud  Target // zero: nobody
		why          string
		alarm, quiet bool // alarm: in both; quiet: in neither
	}{
		{name: "nobody has looked", machines: []machineFacts{a, b}, why: "probe p has not seen it well yet", quiet: true},
		{name: "unknown is not well", machines: []machineFacts{machineA(unknown), machineB(ill)}, why: "b: ill by probe p: connection refused", quiet: true},
		{name: "one looks healthy", machines: []machineFacts{machineA(well), machineB(ill)}, pair: to(a, 1), cloud: to(a, 1), quiet: true},
		{name: "the other looks healthy", last: to(a, 1), machines: []machineFacts{machineA(ill), machineB(well)}, pair: to(b, 2), cloud: to(b, 2), quiet: true},
		{name: "the same again", last: to(a, 3), machines: []machineFacts{machineA(well), machineB(unknown)}, pair: to(a, 3), cloud: to(a, 3), quiet: true},
		{name: "nobody looks healthy", last: to(a, 3), machines: []machineFacts{machineA(ill), machineB(ill)}, why: "nobody", quiet: true},
		{name: "both look healthy, and one was", last: to(b, 2), machines: []machineFacts{machineA(well), machineB(well)}, pair: to(b, 2), cloud: to(b, 2),
			why: "b: a and b both look healthy", alarm: true},
		{name: "both look healthy, and none was", machines: []machineFacts{machineA(well), machineB(well)}, cloud: to(a, 1), alarm: true},
	} {
		for _, cloud := range []bool{false, true} {
			name, want := c.name, c.pair
			if cloud {
				name, want = c.name+", in a cloud", c.cloud
			}
			t.Run(name, func(t *testing.T) {
				d := decide(facts{now: at, cloud: cloud, groups: []groupFacts{{probes: []string{"p"}, last: c.last}}, machines: c.machines})
				got := d.groups[0]
				if got.target != want {
					t.Errorf("traffic goes to %+v, want %+v", got.target, want)
				}
				if !strings.Contains(got.why, c.why) {
					t.Errorf("because %q, want %q", got.why, c.why)
				}
				if alarms := kindsOf(d); c.alarm != slices.Equal(alarms, []AlarmKind{AlarmTwoHealthy}) || c.quiet != (len(alarms) == 0) {
					t.Errorf("alarms %v", alarms)
				}
			})
		}
	}
}

func TestAllProbesOfAServiceHaveToBelieveInAMachine(t *testing.T) {
	m := machineA(looks("p2p", Well), looks("web", Ill))
	d := decide(facts{now: at, groups: []groupFacts{{probes: []string{"p2p", "web"}}}, machines: []machineFacts{m, machineB()}})
	if !d.groups[0].target.Nobody() {
		t.Errorf("traffic goes to %+v", d.groups[0].target)
	}
}

// The trap of the clouds: rules with probes of their own may point to different machines.
func TestEachRuleOfACloudFollowsItsOwnProbe(t *testing.T) {
	machines := []machineFacts{machineA(looks("p2p", Well), looks("rpc", Ill)), machineB(looks("p2p", Ill), looks("rpc", Well))}
	d := decide(facts{now: at, cloud: true, groups: []groupFacts{{name: "p2p", probes: []string{"p2p"}}, {name: "rpc", probes: []string{"rpc"}}}, machines: machines})
	if p2p, rpc := d.groups[0].target, d.groups[1].target; p2p.Machine != "a" || p2p.Group != "p2p" || rpc.Machine != "b" || rpc.Group != "rpc" {
		t.Errorf("p2p goes to %+v, rpc to %+v", p2p, rpc)
	}
}

// A word may be believed from the earliest instant at which the agent can have said it.
func TestAWordIsOlderThanItsArrival(t *testing.T) {
	const sent, trust = 100 * time.Second, 5 * time.Second
	for _, c := range []struct {
		name       string
		held, came time.Duration
		until      time.Duration
	}{
		{"said at once", 0, sent + 3*time.Second, sent + trust},
		{"said later on, and quickly here", 20 * time.Second, sent + 20*time.Second + time.Millisecond, sent + 20*time.Second + trust},
		{"said later on, and long on its way", 20 * time.Second, sent + 50*time.Second, sent + 20*time.Second + trust},
		{"by a clock that runs too fast", 21 * time.Second, sent + 20*time.Second, sent + 20*time.Second + trust},
	} {
		if got := validity(Word{Trust: trust, Held: c.held}, sent, c.came); got != c.until {
			t.Errorf("%s: until %v, want %v", c.name, got, c.until)
		}
	}
}

// Whatever happens: one group has one target at most, its epoch never goes back, and an agent is obeyed only while its
// word says hot, is of the greatest epoch ever heard of, and may be believed. The decision is made again and again, as
// the loop does, while words, looks and time come and go.
func TestNeverTwoNeverALowerEpochNeverBeyondItsTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := facts{now: at, agents: rapid.Bool().Draw(t, "agents")}
		f.cloud = !f.agents && rapid.Bool().Draw(t, "cloud")
		f.machines = []machineFacts{machineA(), machineB()}[:rapid.IntRange(1, 2).Draw(t, "machines")]
		f.groups = []groupFacts{{probes: []string{"p"}}}
		if f.cloud {
			f.groups = []groupFacts{{name: "p", probes: []string{"p"}}, {name: "q", probes: []string{"q"}}}
		}
		var greatest uint64
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			m := &f.machines[rapid.IntRange(0, len(f.machines)-1).Draw(t, "machine")]
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				epoch := rapid.Uint64Range(0, 6).Draw(t, "epoch")
				greatest = max(greatest, epoch)
				hot := rapid.Bool().Draw(t, "hot")
				trust := rapid.IntRange(-2, 10).Draw(t, "trust")
				says(hot, epoch)(m)
				until(f.now + time.Duration(trust)*time.Second)(m)
			case 1:
				p := rapid.SampledFrom([]string{"p", "q"}).Draw(t, "probe")
				looks(p, rapid.SampledFrom([]Belief{Unknown, Well, Ill}).Draw(t, "belief"))(m)
			case 2:
				f.now += time.Duration(rapid.IntRange(1, 5000).Draw(t, "ms")) * time.Millisecond
			case 3:
				silentSince(f.now, "gone")(m)
			}
			d := decide(f)
			f.epoch = d.epoch
			if f.agents && d.epoch != greatest {
				t.Fatalf("greatest epoch %d, want %d", d.epoch, greatest)
			}
			for i, c := range d.groups {
				g := &f.groups[i]
				holds(t, f, *g, c, d)
				if !c.target.Nobody() {
					g.last = c.target
				}
			}
		}
	})
}

func holds(t *rapid.T, f facts, g groupFacts, c choice, d decision) {
	if c.why == "" || len(c.machines) != len(f.machines) {
		t.Fatalf("no explanation: %+v", c)
	}
	if f.agents && d.next != 0 && d.next <= f.now {
		t.Fatalf("decides again at %v, and it is %v", d.next, f.now)
	}
	if c.target.Nobody() {
		return
	}
	if c.target.Epoch < g.last.Epoch {
		t.Fatalf("epoch %d after %d", c.target.Epoch, g.last.Epoch)
	}
	if c.target.Machine != g.last.Machine && g.last.Machine != "" && c.target.Epoch == g.last.Epoch {
		t.Fatalf("another machine with the same epoch: %+v after %+v", c.target, g.last)
	}
	i := slices.IndexFunc(f.machines, func(m machineFacts) bool { return m.Name == c.target.Machine })
	m := f.machines[i]
	if m.Address != c.target.Address || c.target.Group != g.name {
		t.Fatalf("%+v is not %s", c.target, m.Name)
	}
	if !f.agents {
		if m.belief[g.probes[0]].belief != Well {
			t.Fatalf("%s does not look healthy", m.Name)
		}
		return
	}
	if w := m.word; !w.any || !w.Hot || f.now >= w.until || w.Epoch != c.target.Epoch || w.Epoch < d.epoch || m.belief["p"].belief == Ill {
		t.Fatalf("%s is obeyed at %v with %+v", m.Name, f.now, w)
	}
	if d.next == 0 || d.next > m.word.until {
		t.Fatalf("the word ends at %v, and the next decision is made at %v", m.word.until, d.next)
	}
}
