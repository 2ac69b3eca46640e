package witness

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// orphanLife bounds how long a child outlives its witness, so that a broken
// test does not leave it behind for ever.
const orphanLife = 5 * time.Minute

// Run is one life of a witness. It blocks until ctx ends and the witness has
// stopped in order, which is nil, or until it cannot go on.
func Run(ctx context.Context, o Options) error {
	// The clock comes first: what was not alive yet has touched nothing.
	start := o.clockNow()
	if err := o.check(); err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	w := &witness{o: o, stop: make(chan struct{}), hung: make(chan struct{})}
	w.slowStop.Store(int64(o.SlowStop))
	w.ignoreTerm.Store(o.IgnoreTerm || o.Family != 0)
	if err := w.live(ctx, start); err != nil {
		return fmt.Errorf("witness %s: %w", o.Instance, err)
	}
	return nil
}

func (o *Options) clockNow() time.Duration {
	if o.Clock == nil {
		return 0
	}
	return o.Clock.Now().Boot
}

type witness struct {
	o      Options
	record *record

	ignoreTerm atomic.Bool
	slowStop   atomic.Int64 // nanoseconds

	stop chan struct{} // closed when the witness is to end

	hang sync.Once
	hung chan struct{} // closed when it is to answer nothing any more
}

// live keeps the record while the witness works.
func (w *witness) live(ctx context.Context, start time.Duration) error {
	boot, err := bootID()
	if err != nil {
		return err
	}
	first := page{start: int64(start), last: int64(start), family: int64(start), pid: int64(w.o.PID), epoch: w.o.Epoch}
	copy(first.instance[:], w.o.Instance)
	copy(first.boot[:], boot)
	if w.o.Family != 0 {
		first.family = int64(w.o.Family)
	}
	if w.record, err = newRecord(w.o.Records, first); err != nil {
		return err
	}
	beating, endBeats := context.WithCancel(context.WithoutCancel(ctx))
	var beats sync.WaitGroup
	beats.Go(func() { w.beat(beating) })
	workErr := w.untilStopped(ctx)
	endBeats()
	beats.Wait()
	ended := w.o.Clock.Now().Boot
	if workErr != nil {
		w.record.beat(ended)
		ended = 0 // it did not end in order
	}
	if err := w.record.close(ended); err != nil && workErr == nil {
		return fmt.Errorf("close the record: %w", err)
	}
	return workErr
}

func (w *witness) beat(ctx context.Context) {
	at := w.o.Clock.Now().Boot
	timer := w.o.Clock.Timer(at)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C():
			now := w.o.Clock.Now().Boot
			w.record.beat(now)
			timer.Reset(now + w.o.Beat)
		}
	}
}

// untilStopped works until ctx ends, unless it ignores that.
func (w *witness) untilStopped(ctx context.Context) error {
	work, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var waiting sync.WaitGroup
	defer waiting.Wait()
	over := make(chan struct{})
	defer close(over)
	waiting.Go(func() {
		select {
		case <-over:
			return
		case <-ctx.Done():
		}
		if w.ignoreTerm.Load() {
			w.say("ignores that it is to end")
			return
		}
		end()
	})
	if w.o.Family != 0 {
		return w.orphan(work)
	}
	return w.work(work)
}

// orphan does nothing but live.
func (w *witness) orphan(ctx context.Context) error {
	_ = clock.Wait(ctx, w.o.Clock, orphanLife) // either way its life is over
	return nil
}

func (w *witness) work(ctx context.Context) error {
	w.say("starts, epoch %d", w.o.Epoch)
	if clock.Wait(ctx, w.o.Clock, w.o.SlowStart) != nil {
		return nil // told to end before it began
	}
	k, err := newKeeper(ctx, w)
	if err != nil {
		return err
	}
	defer k.journal.file.Close() // each append was synced, or not acknowledged
	s, err := w.listen(ctx, k)
	if err != nil {
		return err
	}
	w.record.setReady(w.o.Clock.Now().Boot)
	w.say("ready, epoch %d", w.o.Epoch)
	err = k.run(ctx)
	s.end()
	if err != nil {
		return err
	}
	w.say("stops")
	// Told to end, it may still take its time.
	_ = clock.Wait(context.WithoutCancel(ctx), w.o.Clock, time.Duration(w.slowStop.Load()))
	w.say("ended")
	return nil
}

// say writes a line for people and probes. That nobody reads it is no reason
// for the node to end.
func (w *witness) say(format string, args ...any) {
	fmt.Fprintf(w.o.Out, "witness %s %s\n", w.o.Instance, fmt.Sprintf(format, args...))
}
