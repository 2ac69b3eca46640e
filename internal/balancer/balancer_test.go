package balancer_test

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/config"
)

func TestTrafficFollowsTheWordOfTheAgents(t *testing.T) {
	p, a, b := newPath(), speak(t, "a", nil), speak(t, "b", nil)
	a.Hot(7, trust)
	start(t, options(p, a.Address, b.Address))
	if s := p.goes(t, "a", 7); s.target.Address != netip.MustParseAddr("127.0.0.1") || s.old != (balancer.Old{}) {
		t.Errorf("the path was told %+v", s)
	}
	a.Is(agent.Fencing, 7)
	p.goes(t, "", 0)
	b.Hot(8, trust)
	p.goes(t, "b", 8)
	steers, _ := p.all()
	if first := steers[0].target; !first.Nobody() {
		t.Errorf("traffic went to %+v before anything was heard", first)
	}
}

func TestTheGreaterEpochWinsWhileBothSayHot(t *testing.T) {
	p, a, b := newPath(), speak(t, "a", nil), speak(t, "b", nil)
	a.Hot(7, trust)
	l := start(t, options(p, a.Address, b.Address))
	p.goes(t, "a", 7)
	b.Hot(8, trust)
	p.goes(t, "b", 8)
	alarmed(t, l, balancer.AlarmTwoHot, true)
	// The other renews, and is obeyed no more.
	a.Hot(7, 2*trust)
	eventually(t, "a is heard", func() bool { return l.Snapshot().Machines[0].Word.TrustLeftSeconds > trust.Seconds() })
	if got := l.Snapshot().Target(); got.Machine != "b" {
		t.Errorf("traffic goes to %+v", got)
	}
	b.Cold(8)
	p.goes(t, "", 0)
	alarmed(t, l, balancer.AlarmOldEpoch, true)
	if why := l.Snapshot().Machines[0].Explain[0].Why; !strings.Contains(why, "a lower one is never obeyed") {
		t.Errorf("a: %q", why)
	}
}

func TestTheWordOfADeadAgentHoldsUntilItsTrustIsOver(t *testing.T) {
	p, a, b := newPath(), speak(t, "a", nil), speak(t, "b", nil)
	const short = 700 * time.Millisecond
	began := time.Now()
	a.Hot(7, short)
	l := start(t, options(p, a.Address, b.Address))
	p.goes(t, "a", 7)
	a.End() // it says nothing more
	eventually(t, "the agent is not heard", func() bool { w := l.Snapshot().Machines[0].Word; return !w.Connected && w.Error != "" })
	if time.Since(began) < short/2 && l.Snapshot().Target().Machine != "a" {
		t.Error("the word was dropped with the stream")
	}
	p.goes(t, "", 0)
	if took := time.Since(began); took > short+500*time.Millisecond {
		t.Errorf("it was believed for %v, want %v", took, short)
	}
}

func TestADrainIsForAMachineThatLeavesInOrder(t *testing.T) {
	for _, c := range []struct {
		state agent.State
		want  time.Duration
	}{{agent.Stopping, time.Minute}, {agent.Cold, time.Minute}, {agent.Fencing, 0}, {agent.Failed, 0}} {
		t.Run(string(c.state), func(t *testing.T) {
			p, a, b := newPath(), speak(t, "a", nil), speak(t, "b", nil)
			a.Hot(7, trust)
			o := options(p, a.Address, b.Address)
			o.Config.Old, o.Config.Drain = config.OldDrain, time.Minute
			start(t, o)
			p.goes(t, "a", 7)
			a.Is(c.state, 7)
			p.goes(t, "", 0)
			b.Hot(8, trust)
			if s := p.goes(t, "b", 8); s.old != (balancer.Old{Drain: c.want}) {
				t.Errorf("old connections: %v, want a drain of %v", s.old, c.want)
			}
		})
	}
}

func TestAProbeVetoesTheHotMachineAndIsAskedAnewWhenItBecomesHot(t *testing.T) {
	p, a, b := newPath(), speak(t, "a", nil), speak(t, "b", nil)
	n, closePort := port(t, "127.0.0.1")
	o := options(p, a.Address, b.Address)
	o.Config.Probes = append(o.Config.Probes, config.BalancerProbe{Name: "port", Protocol: config.ProbeTCP, Port: n,
		Interval: 20 * time.Millisecond, Timeout: time.Second, Unhealthy: 2, Healthy: 1000})
	o.Config.Rules[2].Probe = "port"
	closePort()
	l := start(t, o)
	belief := func() balancer.Belief { return l.Snapshot().Machines[0].Probes[0].Belief }
	eventually(t, "the cold machine is ill", func() bool { return belief() == balancer.Ill })
	// What was seen of the cold machine does not keep traffic from the hot one; that takes two looks of now.
	a.Hot(7, trust)
	p.goes(t, "a", 7)
	p.goes(t, "", 0)
	alarmed(t, l, balancer.AlarmVeto, true)
	if why := l.Snapshot().Groups[0].Why; !strings.Contains(why, "ill by probe port: tcp 127.0.0.1") {
		t.Errorf("nobody, because %q", why)
	}
}

func TestAPathThatDoesNotObeyIsToldAgain(t *testing.T) {
	p, a, b := newPath(), speak(t, "a", nil), speak(t, "b", nil)
	l := start(t, options(p, a.Address, b.Address))
	p.goes(t, "", 0)
	p.refusing(errTest)
	a.Hot(7, trust)
	alarmed(t, l, balancer.AlarmUnsteered, true)
	if g := l.Snapshot().Groups[0]; !g.Target.Nobody() || g.Unsteered != errTest.Error() {
		t.Errorf("got %+v", g)
	}
	p.refusing(nil)
	p.goes(t, "a", 7)
	alarmed(t, l, balancer.AlarmUnsteered, false)
	if c := l.Snapshot().Counters; c.SteerFailures == 0 || c.Steers != 1 {
		t.Errorf("got %+v", c)
	}
}

func TestRunEndsWithThePath(t *testing.T) {
	p := newPath()
	b, err := balancer.New(options(p, "127.0.0.1:1", "127.0.0.1:2"))
	if err != nil {
		t.Fatal(err)
	}
	p.end <- errTest
	if err := b.Run(within(t)); !errors.Is(err, errTest) || err.Error() != "the data path ended: as the test wants it" {
		t.Errorf("ended with %v", err)
	}
	if err := b.Run(within(t)); err == nil {
		t.Error("it ran twice")
	}
	if err := b.Reload(within(t), options(p, "127.0.0.1:1", "127.0.0.1:2")); err == nil || !strings.Contains(err.Error(), "it has ended") {
		t.Errorf("reloaded after its end: %v", err)
	}
}

func TestRunDoesNotBeginWithoutItsRules(t *testing.T) {
	p := newPath()
	p.refusing(errTest)
	b, err := balancer.New(options(p, "127.0.0.1:1", "127.0.0.1:2"))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Run(within(t)); !errors.Is(err, errTest) || !strings.Contains(err.Error(), "make the rules") {
		t.Errorf("ended with %v", err)
	}
}

func TestPrivilegesAreGivenUpAfterTheRulesAndBeforeTraffic(t *testing.T) {
	p := newPath()
	o := options(p, "127.0.0.1:1", "127.0.0.1:2")
	o.Listening = func() error {
		steers, _ := p.all()
		if got := p.setup(); len(got.Rules) != 3 || len(steers) != 0 {
			t.Errorf("at that time the path had %+v and was told %+v", got, steers)
		}
		return errTest
	}
	b, err := balancer.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Run(within(t)); !errors.Is(err, errTest) {
		t.Errorf("ended with %v", err)
	}
}

func TestThePathIsToldWhatTheConfigurationSays(t *testing.T) {
	p := newPath()
	o := options(p, "127.0.0.1:1")
	allow := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	deny := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	o.Config.Old, o.Config.Drain = config.OldDrain, time.Minute
	o.Config.Rules = []config.BalancerRule{{Name: "p2p", Frontend: netip.MustParseAddr("::"), Port: 10002, BackendPort: 11002, Probe: "agent",
		IdleTimeout: time.Hour, ResetOnIdle: true, ProxyIn: true, ProxyOut: 2, MaxConnections: 5, MaxPerSource: 2, Allow: allow, Deny: deny}}
	start(t, o)
	p.goes(t, "", 0)
	want := balancer.Setup{Park: true, ParkLimit: 1024, ParkTime: 45 * time.Second, Old: balancer.Old{Drain: time.Minute}, Rules: []balancer.Rule{{
		Name: "p2p", Frontend: netip.MustParseAddrPort("[::]:10002"), BackendPort: 11002, IdleTimeout: time.Hour, ResetOnIdle: true,
		ProxyIn: true, ProxyOut: 2, MaxConnections: 5, MaxPerSource: 2, Allow: allow, Deny: deny}}}
	if got := p.setup(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	o := options(nil, "10.0.0.1:4653", "nowhere")
	o.Lease = ""
	o.Config.Agents = config.AgentAccess{Certificate: "/c"}
	o.Machines[1].Address = o.Machines[0].Address
	o.Config.Probes = append(o.Config.Probes,
		config.BalancerProbe{Name: "agent", Protocol: "UDP"},
		config.BalancerProbe{Name: "web", Protocol: config.ProbeHTTP, Path: "health", Port: 70000, Interval: 1, Timeout: 1, Unhealthy: 1, Healthy: 1})
	o.Config.Rules = append(o.Config.Rules, rule("p2p", 10002, "none"))
	o.Config.Rules[1].Frontend, o.Config.Rules[1].Port, o.Config.Rules[1].ProxyOut = netip.Addr{}, 0, 3
	o.Config.ParkLimit, o.Config.Old = 0, config.OldDrain
	other := options(newPath(), "127.0.0.1:1")
	other.Config.Nobody, other.Config.Old = "wait", "leave"
	_, fault := balancer.New(other)
	_, err := balancer.New(o)
	if err == nil {
		t.Fatal("taken")
	}
	err = errors.Join(err, fault)
	for _, want := range []string{
		"hotcold.balancer.nobody \"wait\"", "hotcold.balancer.old \"leave\"",
		"Path, Clock and Log are all needed", "the name of the lease is needed",
		"hotcold.machines.a.agent \"10.0.0.1:4653\": between machines an agent has to prove itself",
		"hotcold.machines.b.address: 127.0.0.1 is the address of a", "hotcold.machines.b.agent \"nowhere\": want host:port",
		"hotcold.balancer.agents: a certificate and its key are needed", "hotcold.balancer.agents.ca: a certificate is shown over TLS only",
		"hotcold.balancer.probes.agent: every probe needs a name of its own", "hotcold.balancer.probes.agent.protocol \"UDP\"",
		"hotcold.balancer.probes.agent: an interval of 0s", "hotcold.balancer.probes.agent: thresholds of 0 failures",
		"hotcold.balancer.probes.web.port: 70000", "hotcold.balancer.probes.web.path \"health\"",
		"hotcold.balancer.rules.p2p: every rule needs a name of its own", "0.0.0.0:10002 is the frontend of rule p2p",
		"hotcold.balancer.rules.p2p.probe: there is no probe \"none\"", "hotcold.balancer.rules.rpc: port 0",
		"hotcold.balancer.rules.rpc.frontend: an address is needed", "hotcold.balancer.rules.rpc.proxyOut: there is no version 3",
		"hotcold.balancer.parkLimit and parkTime: a limit of 0", "hotcold.balancer.drain: 0s",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not told: %s", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestSnapshotExplainsEveryMachine(t *testing.T) {
	p, a := newPath(), speak(t, "a", nil)
	b, err := balancer.New(options(p, a.Address, "127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	if s := b.Snapshot(); !s.Target().Nobody() || len(s.Machines) != 2 || s.Groups[0].Why != "nothing was heard yet" {
		t.Errorf("before it runs: %+v", s)
	}
	a.Hot(7, trust)
	l := start(t, options(p, a.Address, "127.0.0.1:1"))
	p.goes(t, "a", 7)
	// The path is told first, and then everybody else.
	eventually(t, "it is published", func() bool { s := l.Snapshot(); return s.Machines[1].Word.Error != "" && s.Target().Machine == "a" })
	s := l.Snapshot()
	if e := s.Machines[0].Explain[0]; !e.Target || e.Why != "hot by its agent's word, with epoch 7" {
		t.Errorf("a: %+v", e)
	}
	if e := s.Machines[1].Explain[0]; e.Target || e.Why != "its agent has not been heard: ask 127.0.0.1:1: connect: connection refused" {
		t.Errorf("b: %+v", e)
	}
	if w := s.Machines[0].Word; !w.Hot || w.TrustLeftSeconds < trust.Seconds()-60 || w.TrustLeftSeconds > trust.Seconds() || !w.Connected {
		t.Errorf("a's word: %+v", w)
	}
	var history []string
	for _, c := range s.Machines[0].History {
		history = append(history, c.What+": "+c.Now)
	}
	if got := strings.Join(history, "; "); got != "agent: hot, hot with epoch 7; traffic: here, with epoch 7" {
		t.Errorf("a's history: %s", got)
	}
	if s.Epoch != 7 || s.Flows.Parked != 3 || s.Counters.Steers != 1 || s.Counters.Streams == 0 || s.Counters.Words == 0 {
		t.Errorf("got %+v", s)
	}
}

func TestASteadyBalancerIsSilent(t *testing.T) {
	p, a, b, j := newPath(), speak(t, "a", nil), speak(t, "b", nil), &journal{}
	a.Hot(7, trust)
	o := options(p, a.Address, b.Address)
	o.Log = j.log()
	l := start(t, o)
	p.goes(t, "a", 7)
	eventually(t, "b is heard", func() bool {
		return l.Snapshot().Machines[1].Word.Heard && j.count("traffic goes to a machine") == 1
	})
	before := j.String()
	words := l.Snapshot().Counters.Words
	eventually(t, "heartbeats came", func() bool { return l.Snapshot().Counters.Words >= words+4 })
	if after := j.String(); after != before {
		t.Errorf("it said %s", strings.TrimPrefix(after, before))
	}
	for _, words := range [][]string{{"balancer started", "profile=pair", "takeover=15s"}, {"agent is heard", "machine=a"},
		{"agent's word", "machine=a", "hot=true", "epoch=7"}, {"traffic goes to a machine", "machine=a", "backend=127.0.0.1", "epoch=7"}} {
		if n := j.count(words...); n != 1 {
			t.Errorf("%v was said %d times in\n%s", words, n, before)
		}
	}
}

func TestReloadKeepsWhatWasHeard(t *testing.T) {
	p, a, b := newPath(), speak(t, "a", nil), speak(t, "b", nil)
	a.Hot(7, trust)
	b.Cold(8) // it has seen 8, so 7 is over
	o := options(p, a.Address, b.Address)
	o.Config.Agents.Token = config.NewSecret("open sesame")
	l := start(t, o)
	alarmed(t, l, balancer.AlarmOldEpoch, true)
	before := l.Snapshot()
	o = options(p, a.Address, b.Address)
	o.Config.Agents.Token = config.NewSecret("open sesame") // the same, read anew
	o.Machines = o.Machines[:1]                             // who told of epoch 8 is gone
	o.Config.Rules = o.Config.Rules[:2]
	if err := l.Reload(within(t), o); err != nil {
		t.Fatal(err)
	}
	s := l.Snapshot()
	if s.Epoch != 8 || len(s.Machines) != 1 || !s.Machines[0].Word.Hot || !s.Target().Nobody() {
		t.Errorf("got %+v", s)
	}
	if got := p.setup(); len(got.Rules) != 2 {
		t.Errorf("the path has %+v", got)
	}
	if c := s.Counters; c.Reloads != 1 || c.Streams != before.Counters.Streams || c.Words < before.Counters.Words {
		t.Errorf("got %+v, and before %+v", c, before.Counters)
	}
	a.Hot(8, trust)
	p.goes(t, "a", 8)
}

// Another key for the agents, another pace of the probes: no client notices.
func TestReloadThatAsksInAnotherWayIsNoOutage(t *testing.T) {
	p, a, b := newPath(), speak(t, "a", nil), speak(t, "b", nil)
	a.Hot(7, trust)
	n, _ := port(t, "127.0.0.1")
	o := options(p, a.Address, b.Address)
	o.Config.Probes = append(o.Config.Probes, config.BalancerProbe{Name: "port", Protocol: config.ProbeTCP, Port: n,
		Interval: 20 * time.Millisecond, Timeout: 5 * time.Second, Unhealthy: 2, Healthy: 2})
	o.Config.Rules[2].Probe = "port"
	l := start(t, o)
	p.goes(t, "a", 7)
	eventually(t, "the port is well", func() bool { return l.Snapshot().Machines[0].Probes[0].Belief == balancer.Well })
	streams := l.Snapshot().Counters.Streams
	told, _ := p.all()
	next := o
	next.Config.Agents.Token = config.NewSecret("another")
	next.Config.Probes = slices.Clone(o.Config.Probes)
	next.Config.Probes[1].Interval = 30 * time.Millisecond
	if err := l.Reload(within(t), next); err != nil {
		t.Fatal(err)
	}
	if belief := l.Snapshot().Machines[0].Probes[0].Belief; belief != balancer.Well {
		t.Errorf("after the reload the port is %s", belief)
	}
	eventually(t, "there is another stream", func() bool { s := l.Snapshot(); return s.Counters.Streams > streams && s.Machines[0].Word.Connected })
	now, _ := p.all()
	for _, s := range now[len(told):] {
		if s.target.Machine != "a" || s.target.Epoch != 7 {
			t.Errorf("the path was told %+v", s.target)
		}
	}
}

func TestReloadOfSomethingWrongIsRefusedWhole(t *testing.T) {
	p, a, b := newPath(), speak(t, "a", nil), speak(t, "b", nil)
	a.Hot(7, trust)
	l := start(t, options(p, a.Address, b.Address))
	p.goes(t, "a", 7)
	setup := p.setup()
	wrong := options(p, a.Address, b.Address)
	wrong.Config.Rules[0].Probe = "none"
	cloud := options(p, a.Address, b.Address)
	cloud.Config.Profile = config.ProfileAzure
	looks := options(p, a.Address, b.Address)
	looks.Config.Probes = append(looks.Config.Probes, config.BalancerProbe{Name: "port", Protocol: config.ProbeTCP, Port: 1,
		Interval: time.Second, Timeout: time.Second, Unhealthy: 2, Healthy: 1})
	for i := range looks.Config.Rules {
		looks.Config.Rules[i].Probe = "port"
	}
	for want, o := range map[string]balancer.Options{
		"there is no probe \"none\"": wrong, "pair cannot become azure": cloud, "whether agents are asked cannot change": looks,
	} {
		if err := l.Reload(within(t), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	p.refusing(errTest)
	if err := l.Reload(within(t), options(p, a.Address)); !errors.Is(err, errTest) {
		t.Errorf("got %v", err)
	}
	p.refusing(nil)
	s := l.Snapshot()
	if s.Counters.ReloadsRefused != 4 || s.Counters.Reloads != 0 || len(s.Machines) != 2 || s.Target().Machine != "a" {
		t.Errorf("got %+v", s)
	}
	if got := p.setup(); !reflect.DeepEqual(got, setup) {
		t.Errorf("the path has %+v", got)
	}
}

func TestReloadToAnotherAddressSteersThere(t *testing.T) {
	p, a, b := newPath(), speak(t, "a", nil), speak(t, "b", nil)
	a.Hot(7, trust)
	l := start(t, options(p, a.Address, b.Address))
	p.goes(t, "a", 7)
	o := options(p, a.Address, b.Address)
	o.Machines[0].Address = netip.MustParseAddr("127.0.0.9")
	if err := l.Reload(within(t), o); err != nil {
		t.Fatal(err)
	}
	p.until(t, "", "traffic goes to the other address", func(s steer) bool { return s.target.Address == o.Machines[0].Address && s.target.Epoch == 7 })
}

func TestReloadDoesNotWaitForARunThatNeverBegins(t *testing.T) {
	b, err := balancer.New(options(newPath(), "127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errTest)
	if err := b.Reload(ctx, options(newPath(), "127.0.0.1:1")); !errors.Is(err, errTest) {
		t.Errorf("got %v", err)
	}
}

// The second balancer hears only the agent whose epoch the first one has left behind.
func TestABalancerThatTakesAnothersPlaceObeysNoEpochThatOneLeftBehind(t *testing.T) {
	p, a, b := newPath(), speak(t, "a", nil), speak(t, "b", nil)
	a.Hot(7, trust)
	first := start(t, options(p, a.Address, b.Address))
	p.goes(t, "a", 7)
	b.Hot(8, trust)
	p.goes(t, "b", 8)
	eventually(t, "the first to have told of epoch 8", func() bool { return first.Past().Epoch == 8 })
	past := first.Past()
	b.Cold(0)
	o := options(newPath(), a.Address, b.Address)
	o.Past = &past
	second := start(t, o)
	alarmed(t, second, balancer.AlarmOldEpoch, true)
	steers, _ := o.Path.(*path).all()
	for _, s := range steers {
		if !s.target.Nobody() {
			t.Errorf("traffic went to %+v", s.target)
		}
	}
	b.Hot(8, trust)
	o.Path.(*path).goes(t, "b", 8)
	a.Cold(8)
	// Of another pair, an epoch says nothing.
	o = options(newPath(), a.Address, b.Address)
	past.Lease, past.Epoch, o.Past = "another", 100, &past
	start(t, o)
	o.Path.(*path).goes(t, "b", 8)
}

// A loop that hangs in the data path is not said to turn, so that a watchdog bites.
func TestALoopThatHangsDoesNotTurn(t *testing.T) {
	p := newPath()
	b := start(t, options(p, "127.0.0.1:1", "127.0.0.1:2"))
	if err := b.Turns(within(t)); err != nil {
		t.Errorf("while it runs: %v", err)
	}
	p.mu.Lock()
	reloaded := make(chan error, 1)
	go func() { reloaded <- b.Reload(within(t), options(p, "127.0.0.1:1", "127.0.0.1:2")) }()
	eventually(t, "the loop hangs in the path", func() bool {
		short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		return errors.Is(b.Turns(short), context.DeadlineExceeded)
	})
	p.mu.Unlock()
	if err := <-reloaded; err != nil {
		t.Error(err)
	}
	if err := b.Turns(within(t)); err != nil {
		t.Errorf("once it goes on: %v", err)
	}
}
