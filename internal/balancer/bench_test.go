package balancer_test

import (
	"slices"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/status"
	"github.com/hotcold/hotcold/internal/testserver/voice"
)

// From the moment at which an agent publishes that it is hot to the moment at which the data path has been told, over
// real listeners of two agents on the loopback: what the balancer adds to a takeover. The one before was told not hot,
// as a planned switchover does, or its agent is gone, so that its word is still believed.
func BenchmarkTakeover(b *testing.B) {
	for _, c := range []struct {
		name  string
		state agent.State
	}{{"planned", agent.Stopping}, {"the other word still holds", agent.Hot}} {
		b.Run(c.name, func(b *testing.B) { benchmarkTakeover(b, c.state, nil) })
	}
	ours := newPapers(b)
	b.Run("mutual TLS", func(b *testing.B) { benchmarkTakeover(b, agent.Stopping, ours) })
}

func benchmarkTakeover(b *testing.B, state agent.State, ours *papers) {
	var listen func(*status.Options)
	if ours != nil {
		listen = func(o *status.Options) {
			o.TLS = status.TLS{CertFile: ours.file("server"), KeyFile: ours.file("server-key"), ClientCAFile: ours.file("ca")}
		}
	}
	p := newPath()
	voices := []*voice.Voice{speak(b, "a", listen), speak(b, "b", listen)}
	epoch := uint64(1)
	voices[0].Hot(epoch, trust)
	o := options(p, voices[0].Address, voices[1].Address)
	if ours != nil {
		o.Config.Agents.CA, o.Config.Agents.Certificate, o.Config.Agents.Key = ours.file("ca"), ours.file("client"), ours.file("client-key")
	}
	l := start(b, o)
	p.goes(b, "a", 1)
	eventually(b, "both are heard", func() bool { s := l.Snapshot(); return s.Machines[0].Word.Connected && s.Machines[1].Word.Connected })
	var took []time.Duration
	b.ResetTimer()
	for b.Loop() {
		epoch++
		from, to := voices[epoch%2], voices[(epoch+1)%2]
		if state != agent.Hot {
			from.Is(state, epoch-1)
			p.goes(b, "", 0)
		}
		began := time.Now()
		to.Hot(epoch, trust)
		p.goes(b, to.Name, epoch)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// What a page or a scrape costs.
func BenchmarkSnapshot(b *testing.B) {
	p, a := newPath(), speak(b, "a", nil)
	a.Hot(7, trust)
	l := start(b, options(p, a.Address, "127.0.0.1:1"))
	p.goes(b, "a", 7)
	var s balancer.Snapshot
	for b.Loop() {
		s = l.Snapshot()
	}
	_ = s
}
