package status_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/status"
)

// balanced is a pair whose machine-b has just taken over from machine-a.
func balanced() balancer.Snapshot {
	at := time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)
	rule := func(name string, port int, t config.Traffic) config.BalancerRule {
		return config.BalancerRule{Name: name, Traffic: t, Frontend: netip.MustParseAddr("0.0.0.0"), Port: port, BackendPort: port, Pool: "ha-testing", Probe: string(t)}
	}
	probe := func(name string) config.BalancerProbe {
		return config.BalancerProbe{Name: name, Protocol: config.ProbeAgent, Interval: time.Second, Fast: 100 * time.Millisecond, Timeout: time.Second, Unhealthy: 3, Healthy: 2}
	}
	target := balancer.Target{Machine: "machine-b", Address: netip.MustParseAddr("10.0.0.5"), Epoch: 7}
	return balancer.Snapshot{
		Lease: "O=Corda HA, L=London, C=GB", Profile: config.ProfilePair, Started: at.Add(-time.Hour), Agents: true, Epoch: 7,
		Groups: []balancer.GroupState{{Rules: []string{"ha-lbr-p2p", "ha-lbr-rpc"}, Target: target, Since: at, Why: "machine-b is hot by its agent's word, with epoch 7"}},
		Machines: []balancer.MachineState{
			{
				Name: "machine-a", Address: "10.0.0.4", Agent: "10.0.0.4:4653",
				Word:    &balancer.WordState{Heard: true, Epoch: 6, State: "fencing", Error: "ask 10.0.0.4:4653: connection refused\x1b[31m", At: at.Add(-time.Second)},
				Explain: []balancer.Explanation{{Why: "its agent says not hot (fencing)"}},
				History: []balancer.Change{{At: at.Add(-time.Second), What: "agent", Now: "not heard", Why: "connection refused"}},
			},
			{
				Name: "machine-b", Address: "10.0.0.5", Agent: "10.0.0.5:4653",
				Word:    &balancer.WordState{Heard: true, Hot: true, TrustLeftSeconds: 5, State: "hot", Ready: true, Epoch: 7, At: at, Connected: true},
				Probes:  []balancer.ProbeState{{Name: "web", Protocol: config.ProbeHTTP, Belief: balancer.Well, Since: at, Against: 1, Limit: 3, Reason: "status 503 <b>", Looks: 20, Failures: 1}},
				Explain: []balancer.Explanation{{Target: true, Why: "hot by its agent's word, with epoch 7"}},
				History: []balancer.Change{{At: at, What: "traffic", Now: "gets it"}},
			},
		},
		Config: config.Balancer{
			Profile: config.ProfilePair, Pool: "ha-testing", ParkLimit: 1024,
			Probes: []config.BalancerProbe{probe("p2p"), probe("rpc")}, Rules: []config.BalancerRule{rule("ha-lbr-p2p", 10002, config.TrafficP2P), rule("ha-lbr-rpc", 10003, config.TrafficRPC)},
		},
		Counters: balancer.Counters{Steers: 2, Reloads: 1, Words: 100, Streams: 3},
		Flows: balancer.Flows{Parked: 2, Rules: []balancer.RuleFlows{
			{Rule: "ha-lbr-p2p", Open: 12, Old: 1, Accepted: 40, Ended: 20, Cut: 7, Overflowed: 1, BytesIn: 1 << 20, BytesOut: 3 << 30},
			{Rule: "ha-lbr-rpc", Open: 1, Accepted: 1, BytesIn: 10, BytesOut: 10},
		}},
	}
}

// connected are some connections, of which three are kept.
func connected() *balancer.Connections {
	c := balancer.NewConnections(4)
	b := balancer.Target{Machine: "machine-b", Address: netip.MustParseAddr("10.0.0.5"), Epoch: 7}
	client := func(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }
	for _, n := range []balancer.Connection{
		{Rule: "ha-lbr-p2p", Client: client("192.0.2.1:4000"), State: "open", Target: b, In: 4 << 20, Out: 3 << 30, Age: 26 * time.Hour, Idle: 1500 * time.Millisecond},
		{Rule: "ha-lbr-p2p", Client: client("192.0.2.2:4001"), State: "open", Target: balancer.Target{Address: netip.MustParseAddr("10.0.0.4"), Epoch: 6}, Old: true, Uncounted: true, Age: time.Minute},
		{Rule: "ha-lbr-rpc", Client: client("[2001:db8::1]:4002"), State: "parked", Age: 300 * time.Millisecond},
		{Rule: "ha-lbr-rpc", Client: client("192.0.2.3:4003"), State: "open", Target: b, In: 10, Out: 10},
		{Rule: "ha-lbr-rpc", Client: client("192.0.2.4:4004"), State: "open", Target: b},
	} {
		c.Add(n)
	}
	return c
}

func balanceFacts() status.BalanceFacts {
	at := time.Date(2026, 11, 25, 3, 0, 2, 0, time.UTC)
	return status.BalanceFacts{Version: "1.2.3", PID: 42, Path: "splice", PathWhy: "no right to use nftables", File: "/etc/hotcold/hotcold.conf", Loaded: at.Add(-time.Hour), Now: at,
		Rates: map[string]status.RuleRates{"ha-lbr-p2p": {Connections: 1.5, BytesIn: 2048, BytesOut: 5 << 20}}}
}

func TestBalanceIsToldToAPerson(t *testing.T) {
	utc := status.Style{Zone: time.UTC}
	for name, write := range map[string]func(io.Writer, status.BalanceView) error{
		"balance.txt":         func(w io.Writer, v status.BalanceView) error { return status.WriteBalance(w, v, utc) },
		"balance-explain.txt": func(w io.Writer, v status.BalanceView) error { return status.WriteExplain(w, v, utc) },
		"balance.html":        status.WriteBalancePage,
	} {
		var b strings.Builder
		if err := write(&b, status.BalanceOf(balanced(), balanceFacts()).With(connected(), nil)); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.String())
		if strings.Contains(b.String(), "\x1b") || strings.Contains(b.String(), "503 <b>") && name == "balance.html" {
			t.Errorf("%s: a text from elsewhere is not made safe", name)
		}
	}
}

func TestBalanceSaysFirstWhatIsWrong(t *testing.T) {
	s, f := balanced(), balanceFacts()
	s.Groups[0].Target, s.Groups[0].Why = balancer.Target{}, "nobody is hot"
	s.Alarms = []balancer.Alarm{{Kind: balancer.AlarmTwoHot, Text: "both say hot"}}
	f.Refused = &status.RefusedConfig{At: f.Now, Faults: []string{"hotcold.conf:1:2: hotcold.x: no such setting"}}
	v := status.BalanceOf(s, f)
	var b strings.Builder
	if err := status.WriteBalance(&b, v, status.Style{Zone: time.UTC}); err != nil {
		t.Fatal(err)
	}
	golden(t, "balance-wrong.txt", b.String())
	if v.Serving() || v.Well() || v.Headline() != "nobody is hot" {
		t.Errorf("serving %v, well %v, %q", v.Serving(), v.Well(), v.Headline())
	}
	s = balanced()
	s.Groups[0].Unsteered = "no table"
	if v := status.BalanceOf(s, balanceFacts()); v.Serving() || v.Headline() != "the data path does not follow: no table" {
		t.Errorf("serving %v, %q", v.Serving(), v.Headline())
	}
	f = balanceFacts()
	f.Leaving = true
	if v := status.BalanceOf(balanced(), f); v.Headline() != "another process has taken over; this one ends its connections" {
		t.Errorf("%q", v.Headline())
	}
}

// serveBalance serves a view on loopback and on a local socket, and gives a client for each.
func serveBalance(t *testing.T, view func() status.BalanceView) (network, local func(path string) (int, string)) {
	t.Helper()
	return serveBalanceThat(t, status.NewLiveCheck(clock.System(), time.Hour), view)
}

// serveBalanceThat is serveBalance of one that may hang.
func serveBalanceThat(t *testing.T, live *status.LiveCheck, view func() status.BalanceView) (network, local func(path string) (int, string)) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	list := func(_ context.Context, limit int) (*balancer.Connections, error) {
		if limit > 1000 {
			return nil, errors.New("the path is <busy>")
		}
		return connected(), nil
	}
	web, err := status.NewBalance(status.BalanceOptions{Address: "127.0.0.1:0", View: view, Connections: list, Live: live, Clock: clock.System(), Log: log, Key: config.NewSecret("sixteen characters")})
	if err != nil {
		t.Fatal(err)
	}
	if err := web.Listen(); err != nil {
		t.Fatal(err)
	}
	socket := t.TempDir() + "/balance.sock"
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	control := status.NewBalanceOn(l, status.BalanceOptions{View: view, Connections: list, Live: live, Clock: clock.System(), Log: log})
	for _, s := range []*status.Server{web, control} {
		done := make(chan error, 1)
		go func() { done <- s.Run(t.Context()) }()
		t.Cleanup(func() {
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	get := func(c *http.Client, url string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer sixteen characters")
		a, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		body, err := io.ReadAll(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		return a.StatusCode, string(body)
	}
	unix := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return func(path string) (int, string) { return get(plain, web.URL()+path) }, func(path string) (int, string) { return get(unix, "http://balance"+path) }
}

func TestBalanceMetricsRenderTheSnapshotAndPassTheLinter(t *testing.T) {
	network, _ := serveBalance(t, func() status.BalanceView { return status.BalanceOf(balanced(), balanceFacts()) })
	_, body := network("/metrics")
	golden(t, "balance-metrics.txt", ours(body))
	problems, err := promlint.New(strings.NewReader(ours(body))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestABalancersLoopThatHangsIsToldOfAtLive(t *testing.T) {
	c := clock.NewStepped()
	live := status.NewLiveCheck(c, 20*time.Second)
	network, local := serveBalanceThat(t, live, func() status.BalanceView { return status.BalanceView{} })
	for _, get := range []func(string) (int, string){network, local} {
		c.Advance(20 * time.Second)
		if code, body := get("/live"); code != 200 || body != "live\n" {
			t.Errorf("while it turns: %d %s", code, body)
		}
		c.Advance(time.Millisecond)
		if code, body := get("/live"); code != 503 || body != "the loop that decides has not turned for 20 s, want a turn within 20 s\n" {
			t.Errorf("once it hangs: %d %s", code, body)
		}
		live.Touch()
	}
}

func TestBalanceAnswersOnTheNetworkAndOnItsSocket(t *testing.T) {
	network, local := serveBalance(t, func() status.BalanceView { return status.BalanceOf(balanced(), balanceFacts()) })
	for name, get := range map[string]func(string) (int, string){"network": network, "socket": local} {
		if code, body := get("/ready"); code != 200 || body != "machine-b is hot by its agent's word, with epoch 7\n" {
			t.Errorf("%s: /ready: %d %s", name, code, body)
		}
		code, body := get("/state")
		var v status.BalanceView
		if err := json.Unmarshal([]byte(body), &v); err != nil || code != 200 || v.Rules[0].Cut != 7 || v.Machines[1].Word.Epoch != 7 {
			t.Errorf("%s: /state: %d %v\n%s", name, code, err, body)
		}
		if c := v.Connections; c == nil || c.Total != 5 || len(c.Shown) != 4 || c.Shown[0].Machine != "machine-a" || !c.Shown[0].Uncounted {
			t.Errorf("%s: /state: connections %+v", name, c)
		}
		if _, body := get("/state?connections=0"); strings.Contains(body, "connections\": {") {
			t.Errorf("%s: connections are told that nobody asked for:\n%s", name, body)
		}
		if _, body := get("/state?connections=2000"); !strings.Contains(body, `"unknown": "the path is`) {
			t.Errorf("%s: it is not said that connections are not known:\n%s", name, body)
		}
		if code, _ := get("/state?connections=many"); code != 400 {
			t.Errorf("%s: /state?connections=many: %d", name, code)
		}
		if code, body := get("/"); code != 200 || !strings.Contains(body, "<td>ha-lbr-p2p</td><td>TCP/10002</td>") {
			t.Errorf("%s: /: %d %s", name, code, body)
		}
	}
}

func TestBalanceIsNotServedToStrangers(t *testing.T) {
	_, err := status.NewBalance(status.BalanceOptions{Address: "0.0.0.0:4654", View: func() status.BalanceView { return status.BalanceView{} }, Live: status.NewLiveCheck(clock.System(), time.Hour), Clock: clock.System(), Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "hotcold.balancer.listen.address") || strings.Contains(err.Error(), "hotcold.listen") {
		t.Errorf("got %v", err)
	}
}

func TestRatesAreOfTheLastSeconds(t *testing.T) {
	var r status.Rates
	flows := func(n uint64) balancer.Flows {
		return balancer.Flows{Rules: []balancer.RuleFlows{{Rule: "p2p", Accepted: n, BytesIn: 10 * n, BytesOut: 100 * n}}}
	}
	if got := r.Observe(0, flows(0)); len(got) != 0 {
		t.Errorf("one sample gives %v", got)
	}
	if got := r.Observe(2*time.Second, flows(4)); got["p2p"] != (status.RuleRates{Connections: 2, BytesIn: 20, BytesOut: 200}) {
		t.Errorf("got %v", got)
	}
	for i := 3; i < 60; i++ { // and then nothing for a while
		r.Observe(time.Duration(i)*time.Second, flows(4))
	}
	if got := r.Observe(60*time.Second, flows(4)); got["p2p"] != (status.RuleRates{}) {
		t.Errorf("long ago is not now: %v", got)
	}
}

func TestBytesAreWrittenForPeople(t *testing.T) {
	for n, want := range map[float64]string{0: "0 B", 999: "999 B", 1000: "1.0 KiB", 5 << 20: "5.0 MiB", 3 << 30: "3.0 GiB", 200 << 20: "200 MiB"} {
		if got := status.Bytes(n); got != want {
			t.Errorf("%v is %q, want %q", n, got, want)
		}
	}
}
