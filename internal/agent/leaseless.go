package agent

import (
	"context"
	"math"
	"os"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/lease"
)

// unguarded is the grant of a node that runs without a lease: it never ends.
type unguarded struct{ trusted context.Context }

func (u unguarded) Trusted() context.Context { return u.trusted }
func (unguarded) Trust() lease.Trust {
	return lease.Trust{StopAt: math.MaxInt64 / 2, DeadBy: math.MaxInt64 / 2}
}
func (unguarded) MayServe(clock.Reading) bool { return true }
func (unguarded) Memo(string)                 {}

const (
	// leaselessBeat is how often an agent without a lease says that it lives.
	leaselessBeat = time.Second
	// leaselessReminder is how often it says that nothing guards its node.
	leaselessReminder = time.Hour
)

// runLeaseless runs the node with nothing that keeps a second one away. It is
// for a person who said so, and it keeps on saying so.
func (a *Agent) runLeaseless(ctx context.Context) error {
	const warning = "mutual exclusion is off: nothing keeps a second node from running"
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		said := time.Duration(math.MinInt64 / 2)
		for {
			if now := a.o.Clock.Now().Boot; now-said >= leaselessReminder {
				a.o.Log.Warn(warning, "machine", a.o.Machine)
				said = now
			}
			a.o.Beat()
			if clock.Wait(beating, a.o.Clock, leaselessBeat) != nil {
				return
			}
		}
	}()
	for ctx.Err() == nil {
		a.work(ctx, unguarded{context.WithoutCancel(ctx)})
		if ctx.Err() == nil {
			a.enter(Failed, "the node failed here, and without a lease no other machine can be told; trying again in "+a.o.Restart.MaxBackoff.String())
			_ = clock.Wait(ctx, a.o.Clock, max(a.o.Restart.MaxBackoff, time.Second))
		}
	}
	stop()
	<-done
	a.enter(Ended)
	return nil
}

func pid() int { return os.Getpid() }
