package agent

import (
	"context"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/probe"
)

const (
	// readyPause is between two looks at a node that has just been started. It
	// grows by a twentieth of the time that the start takes, up to a second: a
	// look late by that does not matter then.
	readyPause    = 50 * time.Millisecond
	maxReadyPause = time.Second
	// readyLook limits one look at a node that starts.
	readyLook = 5 * time.Second
)

// awaitReady looks at the node until it is ready. It returns nil then, and the
// last reason why it is not when the time is over; hands off, time is not counted.
func (a *Agent) awaitReady(ctx context.Context) error {
	if len(a.o.Ready) == 0 {
		return nil
	}
	began := a.o.Clock.Now().Boot
	for {
		look, cancel := context.WithTimeout(ctx, readyLook)
		err := probe.All(a.o.Ready...).Look(look)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		elapsed := a.o.Clock.Now().Boot - began
		if by, _ := a.pause(); elapsed >= a.o.ReadyTimeout && by == "" {
			return err
		}
		a.change(func(s *Snapshot) {
			if s.State == Starting {
				s.Reasons = []string{"not ready yet: " + err.Error()}
			}
		})
		if clock.Wait(ctx, a.o.Clock, min(maxReadyPause, readyPause+elapsed/20)) != nil {
			return err
		}
	}
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
