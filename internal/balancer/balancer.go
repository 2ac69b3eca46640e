package balancer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

const (
	// maxMachines is how many there are in a pair.
	maxMachines = 2
	// applyLimit is how long a data path may take to make its rules. At a reload nobody decides meanwhile.
	applyLimit = 5 * time.Second
	// steerLimit is how long one Steer may take; the loop hears nothing meanwhile.
	steerLimit = 2 * time.Second
	// steerRetry is when a Steer that failed is tried again.
	steerRetry = 100 * time.Millisecond
)

// Balancer decides which machine gets the traffic, and tells the data path. Make one with New.
type Balancer struct {
	path     Path
	clock    clock.Clock
	log      *slog.Logger
	tell     func()
	running  atomic.Bool
	over     chan struct{} // closed when Run has ended
	reloads  chan reload
	asked    chan struct{} // by Turns
	refused  atomic.Uint64 // reloads
	known    *known        // owned by Run
	snapshot atomic.Pointer[published]
}

// reload asks the loop for other options.
type reload struct {
	ctx    context.Context
	o      Options
	access *access
	answer chan error
}

// New checks the options and reports every fault in them. It reads the files with which agents are asked, and opens
// nothing.
func New(o Options) (*Balancer, error) {
	a, err := o.ready()
	if err != nil {
		return nil, fmt.Errorf("make the balancer: %w", err)
	}
	b := &Balancer{path: o.Path, clock: o.Clock, log: o.Log, tell: o.Published, over: make(chan struct{}), reloads: make(chan reload), asked: make(chan struct{})}
	if b.tell == nil {
		b.tell = func() {}
	}
	b.known = newKnown(o, a, o.Log, o.Clock.Now(), nil)
	b.publish()
	return b, nil
}

// Run decides and steers until ctx ends and nothing of it is left. It returns nil when it ended because ctx did, and
// otherwise why the data path did. It may be called once.
func (b *Balancer) Run(ctx context.Context) error {
	if b.running.Swap(true) {
		return errors.New("run the balancer: it runs, or has run, already")
	}
	defer close(b.over)
	ctx, end := context.WithCancel(ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer end()
	ended := make(chan error, 1)
	workers.Go(func() { ended <- b.path.Run(ctx) })
	if err := b.apply(ctx, b.known.o); err != nil {
		end()
		return errors.Join(err, b.left(ctx, <-ended)) // a path that has ended says why here
	}
	if f := b.known.o.Listening; f != nil {
		if err := f(); err != nil {
			return err
		}
	}
	l := &loop{Balancer: b, workers: &workers, news: make(chan news), watchers: map[watched]*watcher{}}
	return l.run(ctx, ended)
}

func (b *Balancer) apply(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeoutCause(ctx, applyLimit, fmt.Errorf("the data path took longer than %v", applyLimit))
	defer cancel()
	if err := b.path.Apply(ctx, o.Setup()); err != nil {
		return fmt.Errorf("make the rules: %w", err)
	}
	return nil
}

// Turns waits until the loop that decides has come round, or ctx ends: whoever feeds a watchdog asks it.
func (b *Balancer) Turns(ctx context.Context) error {
	select {
	case b.asked <- struct{}{}:
		return nil
	case <-b.over:
		return errors.New("the balancer has ended")
	case <-ctx.Done():
		return fmt.Errorf("the balancer's loop does not turn: %w", context.Cause(ctx))
	}
}

// Reload puts other options in the place of those in force: all of them, or none and an error. The greatest epoch, the
// agents' words and the counters survive. Path, Clock, Log and the functions stay those of New, whatever o says; the
// profile, and whether agents are asked, cannot change, since epochs would be of two kinds. It waits for a Run that
// has not begun, as long as ctx lasts.
func (b *Balancer) Reload(ctx context.Context, o Options) error {
	err := b.reload(ctx, o)
	if err != nil {
		b.refused.Add(1)
		return fmt.Errorf("reload the balancer: %w", err)
	}
	return nil
}

func (b *Balancer) reload(ctx context.Context, o Options) error {
	now := b.snapshot.Load()
	o.Path, o.Clock, o.Log, o.Published, o.Listening = b.path, b.clock, b.log, b.tell, nil
	a, err := o.ready()
	switch {
	case err != nil:
		return err
	case o.Config.Profile != now.Profile:
		return fmt.Errorf("hotcold.balancer.profile: %s cannot become %s while the balancer runs: start it anew", now.Profile, o.Config.Profile)
	case o.AsksAgents() != now.Agents:
		return errors.New("hotcold.balancer.probes: whether agents are asked cannot change while the balancer runs: start it anew")
	}
	r := reload{ctx: ctx, o: o, access: a, answer: make(chan error, 1)}
	select {
	case b.reloads <- r:
		return <-r.answer
	case <-b.over:
		return errors.New("it has ended")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
