package balancer

import (
	"context"
	"crypto/sha256"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/probe"
)

// watched is what one watcher watches, and how: where nothing of it changes, it goes on over a reload.
type watched struct {
	machine string
	place   string // address, or that of the agent
	probe   config.BalancerProbe
	access  accessKey
	lease   string
}

// accessKey tells whether agents are asked in the same way. Secrets are not compared by their address, and not kept.
type accessKey struct {
	files [3]string
	token [sha256.Size]byte
}

func keyOf(a config.AgentAccess) accessKey {
	return accessKey{files: [3]string{a.CA, a.Certificate, a.Key}, token: sha256.Sum256([]byte(a.Token.Reveal()))}
}

// watching is how a machine is looked at by a probe.
func (o Options) watching(m config.Machine, p config.BalancerProbe) watched {
	w := watched{machine: m.Name, place: m.Address.String(), probe: p}
	if p.Protocol == config.ProbeAgent {
		w.place, w.access, w.lease = m.Agent, keyOf(o.Config.Agents), o.Lease
	}
	return w
}

// watcher is one goroutine that tells news.
type watcher struct {
	machine string
	end     context.CancelFunc
	over    bool // it was told to end; owned by the loop
}

// watch starts the watchers that are needed, and ends those that are not. It waits for none: a look that is under way
// may take a while, and nobody listens to it any more.
func (l *loop) watch(ctx context.Context) error {
	k := l.known
	l.follow(ctx)
	needed := map[watched]bool{}
	for _, m := range k.machines {
		if k.agents {
			key := k.o.watching(m.Machine, k.o.agentProbe())
			needed[key] = true
			if l.watchers[key] == nil {
				l.watchers[key] = l.hear(ctx, m.Machine)
			}
		}
		for _, p := range m.probes {
			key := k.o.watching(m.Machine, p.BalancerProbe)
			needed[key] = true
			if l.watchers[key] == nil {
				w, err := l.look(ctx, m.Machine, p)
				if err != nil {
					return err
				}
				l.watchers[key] = w
			}
		}
	}
	for key, w := range l.watchers {
		if !needed[key] {
			w.over = true
			w.end()
			delete(l.watchers, key)
		}
	}
	return nil
}

// follow reads the files of the access in use.
func (l *loop) follow(ctx context.Context) {
	a := l.known.access
	if l.followed == a {
		return
	}
	if l.unfollow != nil {
		l.unfollow()
	}
	ctx, l.unfollow = context.WithCancel(ctx)
	l.followed = a
	l.workers.Go(func() { a.follow(ctx, l.clock, l.log) })
}

// begin starts a watcher.
func (l *loop) begin(ctx context.Context, name string, run func(ctx context.Context, tell func(func(*known, *machine)))) *watcher {
	w := &watcher{machine: name}
	ctx, w.end = context.WithCancel(ctx)
	tell := func(f func(*known, *machine)) {
		select {
		case l.news <- news{from: w, tell: f}:
		case <-ctx.Done():
		}
	}
	l.workers.Go(func() { run(ctx, tell) })
	return w
}

// hear keeps a stream to an agent.
func (l *loop) hear(ctx context.Context, m config.Machine) *watcher {
	o := l.known.o
	e := &ear{lease: o.Lease, machine: m, probe: o.agentProbe(), access: l.known.access, clock: l.clock}
	return l.begin(ctx, m.Name, func(ctx context.Context, tell func(func(*known, *machine))) {
		e.heard = func(w Word, sent, came clock.Reading) { tell(func(k *known, m *machine) { k.heard(m, w, sent, came) }) }
		e.opened = func() { tell(func(k *known, m *machine) { k.opened(m) }) }
		e.lost = func(err error) {
			at := l.clock.Now()
			tell(func(k *known, m *machine) { k.lost(m, err, at) })
		}
		e.run(ctx)
	})
}

// look looks at a machine again and again.
func (l *loop) look(ctx context.Context, m config.Machine, p *look) (*watcher, error) {
	profile := l.known.o.Config.Profile
	one, err := newLook(p.BalancerProbe, m, l.known.access)
	if err != nil {
		return nil, err
	}
	var report func(func(*known, *machine))
	watch, err := probe.NewWatch(probe.WatchOptions{
		Probe: one, Clock: l.clock, Interval: p.Interval, Fast: doubtInterval(profile, p.BalancerProbe), Timeout: lookLimit(profile, p.BalancerProbe),
		Threshold: probe.Threshold{Failures: p.Unhealthy, Successes: p.Healthy}, Anew: p.again,
		Well: p.health.Well, Unknown: p.health.Unknown,
		Looked: func(s probe.Sighting) {
			report(func(k *known, m *machine) {
				if p := m.look(p.Name); p != nil {
					k.saw(m, p, s)
				}
			})
		},
		Changed: func(probe.Change) {}, // every sighting has the belief
	})
	if err != nil {
		return nil, err
	}
	return l.begin(ctx, m.Name, func(ctx context.Context, tell func(func(*known, *machine))) {
		report = tell
		_ = watch.Run(ctx) // it ends because ctx does
	}), nil
}
