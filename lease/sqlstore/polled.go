package sqlstore

import (
	"context"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// watchPoll is how often a watcher looks at the signal of its lease where the
// database cannot send word: a hand-over is held up by a twentieth of a second on
// average, and an idle agent costs ten reads by primary key in a second.
const watchPoll = 100 * time.Millisecond

// poll calls changed at once, for what was signalled before, and again whenever
// look, which is called at that interval, has another answer. It returns at the
// first error, or when ctx ends.
func poll(ctx context.Context, clk clock.Clock, every time.Duration, look func() (string, error), changed func()) error {
	last := ""
	timer := clk.Timer(clk.Now().Boot)
	defer timer.Stop()
	for first := true; ; first = false {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C():
		}
		timer.Reset(clk.Now().Boot + every)
		now, err := look()
		if err != nil {
			return err
		}
		if now != last || first {
			last = now
			changed()
		}
	}
}
