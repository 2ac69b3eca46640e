package agent

import (
	"context"
	"slices"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/probe"
)

const (
	// firstReadyPause is between two looks at a node that has just been started,
	// and maxReadyPause the most there is between two. It grows by a twentieth of
	// the time that the start takes: a look late by that does not matter then.
	firstReadyPause = 2 * time.Millisecond
	maxReadyPause   = time.Second
	// costlyPause is between two looks that cost much, such as commands: the pause
	// is lookShare times what the look took, but no more than this, so that the
	// looks do not take the processor from the node that starts.
	costlyPause = 50 * time.Millisecond
	lookShare   = 10
	// readyLook limits one look at a node that starts.
	readyLook = 5 * time.Second
)

// readyPause is how long to wait after a look, which took a while, at a node that
// was started a while ago.
func readyPause(elapsed, took time.Duration) time.Duration {
	return min(maxReadyPause, max(firstReadyPause+elapsed/20, min(lookShare*took, costlyPause)))
}

// awaitReady looks at the node until it is ready. It returns nil then, and the
// last reason why it is not when the time is over; hands off, time is not counted.
func (a *Agent) awaitReady(ctx context.Context) error {
	if len(a.o.Ready) == 0 {
		return nil
	}
	began := a.o.Clock.Now().Boot
	for {
		line := a.nextLine(ctx) // before the look: a line that comes meanwhile is not missed
		at := a.o.Clock.Now().Boot
		look, cancel := context.WithTimeout(ctx, readyLook)
		err := probe.All(a.o.Ready...).Look(look)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		now := a.o.Clock.Now().Boot
		if by, _ := a.pause(); now-began >= a.o.ReadyTimeout && by == "" {
			return err
		}
		a.notReady(err)
		if !a.beforeLook(ctx, line, now+readyPause(now-began, now-at)) {
			return err
		}
	}
}

// notReady says why the node is not ready, if that is another reason than before.
func (a *Agent) notReady(err error) {
	reasons := []string{"not ready yet: " + err.Error()}
	if s := a.Snapshot(); s.State != Starting || slices.Equal(s.Reasons, reasons) {
		return
	}
	a.change(func(s *Snapshot) {
		if s.State == Starting {
			s.Reasons = reasons
		}
	})
}

// nextLine is closed when a line comes that a probe waits for; nil where none does.
func (a *Agent) nextLine(ctx context.Context) <-chan struct{} {
	for _, l := range a.o.ReadyLines {
		if matched := l.Matched(); l.Look(ctx) != nil {
			return matched
		}
	}
	return nil
}

// beforeLook waits until an instant, or until a line has come. It returns false when ctx ends.
func (a *Agent) beforeLook(ctx context.Context, line <-chan struct{}, until time.Duration) bool {
	timer := a.o.Clock.Timer(until)
	defer timer.Stop()
	select {
	case <-line:
	case <-timer.C():
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// watchHealth tells of each change in what is believed of the node's health.
func (a *Agent) watchHealth(ctx context.Context, told chan error) {
	h := a.o.Health
	if len(h.Probes) == 0 || clock.Wait(ctx, a.o.Clock, h.StartPeriod) != nil {
		return
	}
	w, err := probe.NewWatch(probe.WatchOptions{
		Probe: probe.All(h.Probes...), Interval: h.Interval, Timeout: h.Timeout, Clock: a.o.Clock,
		Threshold: probe.Threshold{Failures: h.Threshold, Successes: 1}, Well: true,
		Changed: func(c probe.Change) {
			select {
			case told <- c.Reason:
			case <-ctx.Done():
			}
		},
	})
	if err != nil {
		a.o.Log.Error("cannot watch the node's health", "err", err)
		return
	}
	_ = w.Run(ctx) // it returns why ctx ended, which is no news
}
