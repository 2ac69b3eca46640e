package balancer_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
)

// doors are the ports of two machines that a test opens and closes: the same number on 127.0.0.1 and 127.0.0.2.
type doors struct {
	number int
	end    [2]func()
}

func newDoors(t *testing.T) *doors {
	t.Helper()
	d := &doors{}
	d.number, d.end[0] = port(t, "127.0.0.1")
	d.shut(0)
	return d
}

func (d *doors) open(t *testing.T, machine int) {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.%d:%d", machine+1, d.number))
	if err != nil {
		t.Fatal(err)
	}
	d.end[machine] = func() { l.Close() }
	t.Cleanup(d.end[machine])
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
}

func (d *doors) shut(machine int) { d.end[machine]() }

// byLooks are options without agents; both rules have one probe.
func (d *doors) byLooks(p balancer.Path, profile config.Profile, unhealthy, healthy int) balancer.Options {
	o := options(p, "", "")
	o.Config.Profile = profile
	o.Config.Probes = []config.BalancerProbe{{Name: "p2p", Protocol: config.ProbeTCP, Port: d.number, Interval: 5 * time.Second,
		Timeout: 2 * time.Second, Unhealthy: unhealthy, Healthy: healthy}}
	o.Config.Rules = []config.BalancerRule{rule("p2p", 10002, "p2p"), rule("rpc", 10003, "p2p")}
	return o
}

// round lets every probe look once more.
func round(t *testing.T, b *balancer.Balancer, c *clock.Stepped, interval time.Duration) {
	t.Helper()
	before := b.Snapshot().Counters.Looks
	looks := uint64(0)
	for _, m := range b.Snapshot().Machines {
		looks += uint64(len(m.Probes))
	}
	at, ctx := c.Now().Boot+interval, within(t)
	for { // every watch waits for its next look
		armed, changed := c.Armed()
		waiting := uint64(0)
		for _, a := range armed {
			if a == at {
				waiting++
			}
		}
		if waiting == looks {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%d of %d probes wait", waiting, looks)
		}
	}
	c.Advance(interval)
	eventually(t, "all have looked", func() bool { return b.Snapshot().Counters.Looks == before+looks })
}

func beliefs(b *balancer.Balancer) string {
	var all []string
	for _, m := range b.Snapshot().Machines {
		all = append(all, string(m.Probes[0].Belief))
	}
	return strings.Join(all, " ")
}

func TestTheCloudsCountAsTheirDocumentsSay(t *testing.T) {
	for _, c := range []struct {
		profile            config.Profile
		unhealthy, healthy int
	}{
		{config.ProfileAzure, 2, 2},
		{config.ProfileAWSClassic, 2, 10},
	} {
		t.Run(string(c.profile), func(t *testing.T) {
			p, d := newPath(), newDoors(t)
			o := d.byLooks(p, c.profile, c.unhealthy, c.healthy)
			o.Config.Old = config.OldKeep
			b, clk := stepped(t, o)
			goes := func(machine string) steer {
				t.Helper()
				return p.until(t, "p2p", "traffic goes to "+machine, func(s steer) bool { return s.target.Machine == machine })
			}
			eventually(t, "both have looked", func() bool { return b.Snapshot().Counters.Looks == 2 })
			if got := beliefs(b); got != "unknown unknown" {
				t.Errorf("after one failure: %s", got)
			}
			d.open(t, 0)
			round(t, b, clk, 5*time.Second)
			if got := beliefs(b); got != "well ill" {
				t.Errorf("after the first success: %s", got)
			}
			goes("a")
			d.shut(0)
			for range c.unhealthy - 1 {
				round(t, b, clk, 5*time.Second)
			}
			if got := beliefs(b); got != "well ill" {
				t.Errorf("one failure below the threshold: %s", got)
			}
			round(t, b, clk, 5*time.Second)
			goes("") // all are down: new connections go nowhere
			d.open(t, 1)
			for range c.healthy - 1 {
				round(t, b, clk, 5*time.Second)
			}
			if got := beliefs(b); got != "ill ill" {
				t.Errorf("one success below the threshold: %s", got)
			}
			round(t, b, clk, 5*time.Second)
			if s := goes("b"); !s.old.Keep || s.target.Epoch != 2 {
				t.Errorf("the path was told %+v", s)
			}
			eventually(t, "the second choice is published", func() bool { return b.Snapshot().Epoch == 2 })
		})
	}
}

func TestWithoutAgentsTwoHealthyMachinesAreOneAlarmAndOneTarget(t *testing.T) {
	p, d, j := newPath(), newDoors(t), &journal{}
	o := d.byLooks(p, config.ProfilePair, 2, 1)
	o.Log = j.log()
	d.open(t, 1)
	b, clk := stepped(t, o)
	p.goes(t, "b", 1)
	eventually(t, "both have looked", func() bool { return b.Snapshot().Counters.Looks == 2 })
	d.open(t, 0)
	round(t, b, clk, 5*time.Second)
	alarmed(t, b, balancer.AlarmTwoHealthy, true)
	for range 3 {
		round(t, b, clk, 5*time.Second)
	}
	if n := j.count("level=ERROR", "two-healthy"); n != 1 {
		t.Errorf("the alarm was said %d times", n)
	}
	if s := b.Snapshot(); s.Target().Machine != "b" || s.Groups[0].Target.Epoch != 1 {
		t.Errorf("got %+v", s.Groups)
	}
	d.shut(1)
	round(t, b, clk, 5*time.Second)
	round(t, b, clk, 5*time.Second)
	p.goes(t, "a", 2)
	alarmed(t, b, balancer.AlarmTwoHealthy, false)
	eventually(t, "it is said", func() bool { return j.count("alarm is over", "two-healthy") == 1 })
}

func TestHTTPIsHealthyOnTwoHundredOnly(t *testing.T) {
	var code atomic.Int64
	code.Store(204)
	web := liar(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			code.Store(500)
		}
		w.WriteHeader(int(code.Load()))
	})
	p := newPath()
	o := options(p, "")
	_, number, _ := strings.Cut(web, ":")
	probe := config.BalancerProbe{Name: "web", Protocol: config.ProbeHTTP, Path: "/health", Interval: 10 * time.Millisecond, Timeout: 5 * time.Second, Unhealthy: 1, Healthy: 1}
	fmt.Sscan(number, &probe.Port)
	o.Config.Probes, o.Config.Rules = []config.BalancerProbe{probe}, []config.BalancerRule{rule("web", 10004, "web")}
	b := start(t, o)
	eventually(t, "204 is ill", func() bool {
		return strings.Contains(b.Snapshot().Machines[0].Probes[0].Reason, "answered 204 No Content")
	})
	code.Store(200)
	p.goes(t, "a", 1)
	code.Store(302)
	p.goes(t, "", 0)
}

// What a cloud can do with an agent: ask /hot, and count.
func TestACloudMayAskTheAgentsByHTTP(t *testing.T) {
	p, a, b := newPath(), speak(t, "a", nil), speak(t, "b", nil)
	a.Hot(7, trust)
	o := options(p, a.Address, b.Address)
	o.Config.Profile = config.ProfileAzure
	o.Config.Probes[0].Interval = 20 * time.Millisecond
	l := start(t, o)
	goes := func(machine string, epoch uint64) {
		t.Helper()
		p.until(t, "agent", "traffic goes to "+machine, func(s steer) bool { return s.target.Machine == machine && s.target.Epoch == epoch })
	}
	goes("a", 1)
	a.Cold(7)
	b.Hot(8, trust)
	goes("b", 2)
	if w := l.Snapshot().Machines[0].Word; w != nil {
		t.Errorf("an agent was heard: %+v", w)
	}
}

func TestTheWorstTimeOfAProbe(t *testing.T) {
	p := config.BalancerProbe{Protocol: config.ProbeTCP, Interval: 5 * time.Second, Timeout: 2 * time.Second, Unhealthy: 2, Healthy: 2}
	fast := p
	fast.Fast, fast.Timeout, fast.Unhealthy = 500*time.Millisecond, time.Second, 3
	web := p
	web.Protocol, web.Interval, web.Timeout = config.ProbeHTTP, 60*time.Second, time.Second
	for _, c := range []struct {
		name    string
		profile config.Profile
		probe   config.BalancerProbe
		want    time.Duration
	}{
		{"of a pair: an interval, one more look, its time-out", config.ProfilePair, p, 12 * time.Second},
		{"while in doubt it looks faster, and waits for each look", config.ProfilePair, fast, 5*time.Second + 2*time.Second + time.Second},
		{"a cloud does not look faster", config.ProfileAWSClassic, fast, 5*time.Second + 10*time.Second + time.Second},
		{"Azure waits for TCP until the next look", config.ProfileAzure, p, 15 * time.Second},
		{"Azure waits for HTTP for 30 s at most", config.ProfileAzure, web, 150 * time.Second},
		{"AWS as it comes", config.ProfileAWSClassic, config.BalancerProbe{Protocol: config.ProbeTCP, Interval: 30 * time.Second, Timeout: 5 * time.Second, Unhealthy: 2}, 65 * time.Second},
		{"an agent that falls silent", config.ProfilePair, config.BalancerProbe{Protocol: config.ProbeAgent, Interval: time.Second, Timeout: time.Second, Unhealthy: 1}, 3 * time.Second},
	} {
		if got := balancer.WorstDetection(c.profile, c.probe); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
