package kernel

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/clock"
)

var _ balancer.Path = (*Path)(nil)

// startPath runs a path in the balancer's namespace.
func startPath(t testing.TB, masquerade bool) *running {
	t.Helper()
	r := &running{t: t, cuts: make(chan balancer.Cut, 100000)}
	p, err := New(Options{
		Service: "test", Masquerade: masquerade, Clock: clock.System(),
		Cut: func(c balancer.Cut) { r.cuts <- c },
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	r.Path = p
	r.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("the path ended with %v", err)
		}
	})
	return r
}

func (r *running) apply(s balancer.Setup) {
	r.t.Helper()
	if err := r.Apply(context.Background(), s); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) steer(t balancer.Target, old balancer.Old) {
	r.t.Helper()
	if err := r.Steer(context.Background(), t, old); err != nil {
		r.t.Fatal(err)
	}
}

// cutsOf waits for some cuts.
func (r *running) wantCuts(n int) []balancer.Cut {
	r.t.Helper()
	var got []balancer.Cut
	deadline := time.After(limit)
	for len(got) < n {
		select {
		case c := <-r.cuts:
			got = append(got, c)
		case <-deadline:
			r.t.Fatalf("%d connections were reported as cut, want %d: %v", len(got), n, got)
		}
	}
	return got
}

// until asks for the flows until they are as wanted.
func (r *running) until(what string, holds func(balancer.Flows) bool) balancer.Flows {
	r.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		f := r.Flows()
		if holds(f) {
			return f
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: %+v", what, f)
		}
	}
}

const port = 10002

func rule4() balancer.Rule {
	return balancer.Rule{Name: "p2p", Frontend: netip.AddrPortFrom(frontend4, port), BackendPort: 20002}
}

func rule6() balancer.Rule {
	return balancer.Rule{Name: "p2p-6", Frontend: netip.AddrPortFrom(frontend6, port), BackendPort: 20002}
}

func setup(rules ...balancer.Rule) balancer.Setup {
	return balancer.Setup{Rules: rules, Park: true, ParkLimit: 1024, ParkTime: 45 * time.Second}
}

func to4(i int, epoch uint64) balancer.Target {
	return balancer.Target{Machine: []string{"alpha", "beta"}[i], Address: machine4[i], Epoch: epoch}
}

// pair serves port 20002 on both machines.
func (y *site) pair() []*server {
	var servers []*server
	for i, m := range y.machines {
		name := []string{"alpha", "beta"}[i]
		servers = append(servers, m.serve(name, netip.AddrPortFrom(machine4[i], 20002)))
		m.serve(name, netip.AddrPortFrom(machine6[i], 20002))
	}
	return servers
}
