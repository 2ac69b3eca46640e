package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
)

// observePause is between two looks through /proc: an overlap that is longer is
// seen, and so is most of what is shorter.
const observePause = 2 * time.Millisecond

// calmPause is that of an observer that is to be no part of a measured load.
const calmPause = 200 * time.Millisecond

// young is how long a process is asked again what it is: between fork and exec it
// still has the command line of its parent.
const young = 2 * time.Second

// observer records which nodes were alive when.
type observer struct {
	owner func(argv []string) string // whose node this is; "" for none
	calm  atomic.Bool                // look rarely: be no part of a measured load

	mu    sync.Mutex
	lives []*life
	err   error
	news  chan struct{} // closed and renewed with each change of lives
}

// life is one process of a node. It was alive from from to alive, for certain. It
// was started no earlier than earliest, and ended no later than dead.
type life struct {
	owner          string
	pid            int
	earliest, from time.Duration
	alive, dead    time.Duration // dead is 0 while it lives
	pidfd          int
}

func (l life) String() string {
	end := "lives"
	if l.dead != 0 {
		end = fmt.Sprintf("dead by %v", l.dead)
	}
	return fmt.Sprintf("%s: process %d, alive %v to %v, %s", l.owner, l.pid, l.from, l.alive, end)
}

// observe starts an observer that ends with the test, and fails it when two of
// the nodes that it saw were alive at one instant.
func observe(t testing.TB, owner func(argv []string) string) *observer {
	t.Helper()
	o := watchNodes(t, owner)
	t.Cleanup(func() {
		if overlaps := o.overlaps(); len(overlaps) > 0 {
			t.Errorf("TWO NODES AT ONCE:\n%s", strings.Join(overlaps, "\n"))
		}
	})
	return o
}

// watchNodes is observe without the judgement.
func watchNodes(t testing.TB, owner func(argv []string) string) *observer {
	t.Helper()
	o := &observer{owner: owner, news: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	over := make(chan struct{})
	go func() {
		defer close(over)
		o.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-over
		if o.err != nil {
			t.Errorf("observe the nodes: %v", o.err)
		}
		if t.Failed() {
			for _, l := range o.seen() {
				t.Log("observed ", l)
			}
		}
	})
	return o
}

func (o *observer) run(ctx context.Context) {
	c := clock.System()
	known := map[int]time.Duration{} // pid to when it was first seen
	for ctx.Err() == nil {
		if err := o.look(known); err != nil {
			o.mu.Lock()
			o.err = err
			o.mu.Unlock()
			return
		}
		pause := observePause
		if o.calm.Load() {
			pause = calmPause
		}
		_ = clock.Wait(ctx, c, pause) // the loop looks at ctx
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.lives {
		_ = unix.Close(l.pidfd)
	}
}

// look finds new nodes, then asks each that is not dead, in this order: a node
// that was found and another that answers afterwards were alive at once.
func (o *observer) look(known map[int]time.Duration) error {
	all, err := pids()
	if err != nil {
		return err
	}
	at := now()
	present := map[int]bool{}
	var found []*life
	for _, pid := range all {
		present[pid] = true
		first, seen := known[pid]
		if !seen {
			known[pid], first = at, at
		}
		if at-first > young {
			continue
		}
		if l := o.identify(pid); l != nil {
			found = append(found, l)
			known[pid] = at - 2*young
		}
	}
	for pid := range known {
		if !present[pid] {
			delete(known, pid)
		}
	}
	return o.ask(found)
}

// identify returns a life if the process is a node.
func (o *observer) identify(pid int) *life {
	owner := o.owner(argv(pid))
	if owner == "" {
		return nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil // gone
	}
	l := &life{owner: owner, pid: pid, pidfd: fd}
	start, zombie, err := started(pid)
	// Asked again under the descriptor: the number may have gone to another.
	if err != nil || zombie || o.owner(argv(pid)) != owner {
		_ = unix.Close(fd)
		return nil
	}
	l.earliest = start
	l.from = min(start+tick, now())
	l.alive = l.from
	return l
}

// ask brings all lives up to date.
func (o *observer) ask(found []*life) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	changed := len(found) > 0
	o.lives = append(o.lives, found...)
	before := now()
	for _, l := range o.lives {
		if l.dead != 0 {
			continue
		}
		gone, err := dead(l.pidfd)
		if err != nil {
			return fmt.Errorf("ask for process %d: %w", l.pid, err)
		}
		if gone {
			l.dead, changed = now(), true
			continue
		}
		l.alive = before
	}
	if changed {
		close(o.news)
		o.news = make(chan struct{})
	}
	return nil
}

// seen returns what is known now.
func (o *observer) seen() []life {
	o.mu.Lock()
	defer o.mu.Unlock()
	var lives []life
	for _, l := range o.lives {
		lives = append(lives, *l)
	}
	return lives
}

// overlaps says which two nodes were certainly alive at one instant.
func (o *observer) overlaps() []string {
	var found []string
	lives := o.seen()
	for i, a := range lives {
		for _, b := range lives[i+1:] {
			if from, to := max(a.from, b.from), min(a.alive, b.alive); from < to {
				found = append(found, fmt.Sprintf("for %v: %v; %v", to-from, a, b))
			}
		}
	}
	return found
}

// living returns the nodes that are alive now.
func (o *observer) living() []life {
	return slices.DeleteFunc(o.seen(), func(l life) bool { return l.dead != 0 })
}

var errNotSeen = errors.New("not seen in time")

// await waits until a life satisfies want, and returns the first that does.
func (o *observer) await(ctx context.Context, limit time.Duration, want func(life) bool) (life, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errNotSeen)
	defer cancel()
	for {
		o.mu.Lock()
		news := o.news
		o.mu.Unlock()
		lives := o.seen()
		if i := slices.IndexFunc(lives, want); i >= 0 {
			return lives[i], nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return life{}, context.Cause(ctx)
		}
	}
}

// awaitStart waits for a node of owner that was started after an instant.
func (o *observer) awaitStart(t testing.TB, owner string, after, limit time.Duration) life {
	t.Helper()
	l, err := o.await(t.Context(), limit, func(l life) bool { return l.owner == owner && l.from > after })
	if err != nil {
		t.Fatalf("no node was started on %s within %v", owner, limit)
	}
	return l
}

// awaitDeath waits until a life is over, and returns it.
func (o *observer) awaitDeath(t testing.TB, pid int, limit time.Duration) life {
	t.Helper()
	l, err := o.await(t.Context(), limit, func(l life) bool { return l.pid == pid && l.dead != 0 })
	if err != nil {
		t.Fatalf("the node, process %d, is not dead after %v", pid, limit)
	}
	return l
}
