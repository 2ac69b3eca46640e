package balancer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
)

// loop is the one goroutine that knows, decides and steers.
type loop struct {
	*Balancer
	workers  *sync.WaitGroup
	news     chan news
	watchers map[watched]*watcher
	// followed is whose files are read again and again, and unfollow ends that.
	followed *access
	unfollow context.CancelFunc
}

// news is what a watcher has to tell.
type news struct {
	from *watcher
	tell func(k *known, m *machine)
}

// run decides whenever there are news, until ctx ends or the path does.
func (l *loop) run(ctx context.Context, ended <-chan error) error {
	timer := l.clock.Timer(l.clock.Now().Boot)
	defer timer.Stop()
	if err := l.watch(ctx); err != nil {
		return err
	}
	l.hello()
	for {
		next := l.turn(ctx)
		if next == 0 {
			next = l.clock.Now().Boot + time.Hour // nothing is due; news will come
		}
		timer.Reset(next)
		select {
		case <-ctx.Done():
			return l.left(ctx, <-ended)
		case err := <-ended:
			return l.left(ctx, err)
		case n := <-l.news:
			l.take(n)
		case r := <-l.reloads:
			r.answer <- l.reload(ctx, r)
		case <-l.asked:
		case <-timer.C():
		}
	}
}

// errUnasked is why a data path ended that says nothing of it.
var errUnasked = errors.New("nobody had asked it to")

// left says why the balancer ends with its data path, or because ctx did.
func (b *Balancer) left(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)):
		return nil
	case err == nil:
		err = errUnasked
	}
	return fmt.Errorf("the data path ended: %w", err)
}

func (l *loop) hello() {
	k := l.known
	var machines, probes []string
	for _, m := range k.machines {
		machines = append(machines, m.Name+" "+m.Address.String())
	}
	for _, p := range k.o.used() {
		probes = append(probes, fmt.Sprintf("%s %s within %v", p.Name, p.Protocol, WorstDetection(k.o.Config.Profile, p)))
	}
	k.log.Info("balancer started", "lease", k.o.Lease, "profile", string(k.o.Config.Profile), "agents", k.agents, "machines", machines,
		"rules", len(k.o.Config.Rules), "probes", probes, "takeover", k.o.Takeover)
	if !k.agents && k.o.Config.Profile == config.ProfilePair {
		k.log.Warn("no agent is asked: the machines are known by their looks alone, which say nothing of who holds the lease")
	}
}

// take hears news, unless they are of a watcher that was told to end.
func (l *loop) take(n news) {
	if m := l.known.machine(n.from.machine); m != nil && !n.from.over {
		n.tell(l.known, m)
	}
}

// turn decides, tells the path and publishes. It returns when it wants to be called again even without news.
func (l *loop) turn(ctx context.Context) (next time.Duration) {
	k := l.known
	now := l.clock.Now()
	d := decide(k.facts(now.Boot))
	k.epoch, next = d.epoch, d.next
	for i, g := range k.groups {
		g.choice = d.groups[i]
		l.steer(ctx, g, now)
		if g.failure != "" {
			d.alarms = append(d.alarms, Alarm{Kind: AlarmUnsteered, Group: g.name, Text: "the data path does not do what it is told: " + g.failure})
			if next == 0 || g.retry < next {
				next = g.retry
			}
		}
	}
	k.ring(d.alarms, now.Wall)
	l.publish()
	return next
}

// steer tells the path where a group's traffic goes, unless it knows.
func (l *loop) steer(ctx context.Context, g *group, now clock.Reading) {
	t := g.choice.target
	if t.Nobody() {
		t = Target{Group: g.name, Epoch: g.last.Epoch} // nobody is no step back
	}
	if g.told && t == g.now || t == g.tried && now.Boot < g.retry {
		return
	}
	k, old := l.known, l.known.oldFor(g)
	ctx, cancel := context.WithTimeoutCause(ctx, steerLimit, fmt.Errorf("the data path took longer than %v", steerLimit))
	err := l.path.Steer(ctx, t, old)
	cancel()
	if err != nil {
		k.counters.SteerFailures++
		if g.failure == "" {
			k.log.Error("data path was not steered", "group", g.name, "machine", t.Machine, "epoch", t.Epoch, "err", err)
		}
		// What the path does now is not known, so it is told again whatever comes.
		g.told, g.tried, g.failure, g.retry = false, t, err.Error(), l.clock.Now().Boot+steerRetry
		return
	}
	was := g.now
	g.now, g.told, g.failure, g.retry = t, true, "", 0
	if !t.Nobody() {
		g.last = t
	}
	if was == t || t.Nobody() && was.Nobody() {
		return
	}
	k.counters.Steers++
	g.since = now.Wall
	k.moved(g, was, t, old, now.Wall)
}

// moved says that traffic goes elsewhere now.
func (k *known) moved(g *group, was, is Target, old Old, at time.Time) {
	if m := k.machine(was.Machine); m != nil && was.Machine != is.Machine {
		m.note(at, "traffic", "not here", g.choice.why)
	}
	if is.Nobody() {
		k.log.Warn("traffic goes to nobody", "group", g.name, "was", was.Machine, "epoch", was.Epoch, "reason", g.choice.why)
		return
	}
	if m := k.machine(is.Machine); m != nil {
		m.note(at, "traffic", fmt.Sprintf("here, with epoch %d", is.Epoch), g.choice.why)
	}
	k.log.Info("traffic goes to a machine", "group", g.name, "machine", is.Machine, "backend", is.Address.String(), "epoch", is.Epoch,
		"was", was.Machine, "old", old.String(), "reason", g.choice.why)
}

// reload takes other options over once the path has.
func (l *loop) reload(ctx context.Context, r reload) error {
	applying, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(r.ctx, func() { cancel(context.Cause(r.ctx)) })()
	if err := l.apply(applying, r.o); err != nil {
		return err
	}
	l.known = newKnown(r.o, r.access, l.log, l.clock.Now(), l.known)
	l.known.counters.Reloads++
	l.log.Info("configuration taken over", "rules", len(r.o.Config.Rules), "machines", len(r.o.Machines))
	return l.watch(ctx)
}
