package splice

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/balancer"
)

// Path moves bytes in user space. Make one with New.
type Path struct {
	o     Options
	door  *door
	loops []*loop // the door's first

	// rules are those configured and those that are gone and still have connections.
	rules atomic.Pointer[[]*rule]
	pipes atomic.Int64

	turn      chan struct{} // held by who has the door change what follows
	groups    map[string]*group
	heirlooms []heirloom
	ran       atomic.Bool
}

// New opens what the loops need, and takes over the listeners of o. It listens nowhere before Apply. A Path that is not
// wanted any more is ended by a Run whose context has ended.
func New(o Options) (*Path, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("make a data path: %w", err)
	}
	o.Limits = o.Limits.filled()
	p := &Path{o: o, turn: make(chan struct{}, 1), groups: map[string]*group{}}
	p.rules.Store(&[]*rule{})
	heirlooms, err := inheritAll(o.Listeners)
	if err != nil {
		return nil, fmt.Errorf("make a data path: %w", err)
	}
	p.heirlooms, p.o.Listeners = heirlooms, nil
	if p.door, err = newDoor(p); err != nil {
		disinherit(heirlooms)
		return nil, fmt.Errorf("make a data path: %w", err)
	}
	p.loops = append(p.loops, p.door.loop)
	for len(p.loops) < o.Limits.Loops {
		l, err := newLoop(p, false)
		if err != nil {
			p.abandon()
			return nil, fmt.Errorf("make a data path: %w", err)
		}
		l.door = p.door
		p.loops = append(p.loops, l)
	}
	return p, nil
}

// abandon gives back what a New that failed had opened.
func (p *Path) abandon() {
	disinherit(p.heirlooms)
	p.door.close()
	for _, l := range p.loops {
		l.close()
	}
}

// change has the door run f, which may look at and change all that turn guards. If ctx ends first it is not known whether
// f has run; it will.
func (p *Path) change(ctx context.Context, f func()) error {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	done := make(chan struct{})
	if err := p.door.post(func() { f(); <-p.turn; close(done) }); err != nil {
		<-p.turn
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Steer sends all rules of a group to t in one step. See [balancer.Path]. Where ctx ends before it is done, it will still
// be done.
func (p *Path) Steer(ctx context.Context, t balancer.Target, old balancer.Old) error {
	var refused error
	turned := make(chan struct{})
	err := p.change(ctx, func() { refused = p.steer(t, old, func() { close(turned) }) })
	if err == nil {
		err = refused
	}
	if err == nil {
		select {
		case <-turned:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("steer to machine %q at epoch %d: %w", t.Machine, t.Epoch, err)
	}
	return nil
}

// steer is Steer in the door's goroutine. turned is called once all loops have turned, unless it fails.
func (p *Path) steer(t balancer.Target, old balancer.Old, turned func()) error {
	g := p.group(t.Group)
	var target *balancer.Target
	if !t.Nobody() {
		if t.Epoch < g.greatest {
			return fmt.Errorf("after epoch %d: %w", g.greatest, balancer.ErrOldEpoch)
		}
		t.Address = t.Address.Unmap()
		g.greatest, target = t.Epoch, &t
	}
	// The door first: once it has turned, no connection is opened with an old stamp, and none can come to the other loops.
	p.door.steer(g, target, old)
	p.others(func(l *loop) { l.judge(g, target, old) }, turned)
	return nil
}

// others has each loop but the door's run f, and calls done after the last.
func (p *Path) others(f func(*loop), done func()) {
	var left atomic.Int64
	left.Store(int64(len(p.loops)))
	ran := func() {
		if left.Add(-1) == 0 {
			done()
		}
	}
	for _, l := range p.loops[1:] {
		if l.post(func() { f(l); ran() }) != nil {
			ran() // it has ended, and has no connections
		}
	}
	ran()
}

// group finds or makes a group. It is for the door's goroutine.
func (p *Path) group(name string) *group {
	g := p.groups[name]
	if g == nil {
		g = &group{name: name}
		p.groups[name] = g
	}
	return g
}

// Flows is what the path counts now. It takes no lock and asks no loop.
func (p *Path) Flows() balancer.Flows {
	rules := *p.rules.Load()
	f := balancer.Flows{Rules: make([]balancer.RuleFlows, 0, len(rules)), Parked: int(p.door.parked.Load())}
	for _, r := range rules {
		if !r.gone.Load() || r.admitted.Load() > 0 {
			f.Rules = append(f.Rules, r.flows())
		}
	}
	return f
}

// Files are the listeners in force, each by the name of its rule, for the process that is to go on with them. They share
// their queues of clients with ours: nobody is lost, whoever closes first. The caller closes them.
func (p *Path) Files(ctx context.Context) (files []*os.File, err error) {
	var failed error
	err = p.change(ctx, func() { files, failed = p.door.files() })
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, fmt.Errorf("hand over the listeners: %w", err)
	}
	return files, nil
}

func (d *door) files() (files []*os.File, err error) {
	for _, li := range d.listeners {
		fd, err := unix.FcntlInt(uintptr(li.fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			for _, f := range files {
				_ = f.Close() // nothing was done with it
			}
			return nil, err
		}
		files = append(files, os.NewFile(uintptr(fd), li.rule.name))
	}
	return files, nil
}

// Retire closes the listeners and lets no more clients in, once another process has them. Connections and clients that
// wait go on, and are steered as before.
func (p *Path) Retire(ctx context.Context) error {
	if err := p.change(ctx, p.door.retireListeners); err != nil {
		return fmt.Errorf("close the listeners: %w", err)
	}
	return nil
}

// Run moves bytes until ctx ends, and then closes all connections and listeners. It may be called once.
func (p *Path) Run(ctx context.Context) error {
	if p.ran.Swap(true) {
		return errors.New("run the data path: it was run before")
	}
	failed := make(chan error, len(p.loops))
	var work sync.WaitGroup
	for _, l := range p.loops {
		work.Go(func() { failed <- l.run() })
	}
	var err error
	running := len(p.loops)
	select {
	case <-ctx.Done():
	case err = <-failed: // a loop ends by itself only when the kernel fails it
		running--
	}
	// The door first: it hands connections to the others.
	for _, l := range p.loops {
		_ = l.post(func() { l.ending = true }) // one that has ended already has nothing to be told
	}
	for range running {
		err = errors.Join(err, <-failed)
	}
	work.Wait()
	disinherit(p.heirlooms)
	p.heirlooms = nil
	if err != nil {
		return fmt.Errorf("run the data path: %w", err)
	}
	return nil
}
