package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// WatchOptions say what is watched and how closely.
type WatchOptions struct {
	Probe Probe
	Clock clock.Clock
	// Interval lies between the starts of two looks.
	Interval time.Duration
	// Fast is the same while in doubt: while nothing is believed yet, or the last look contradicts the belief. Zero
	// is as Interval.
	Fast time.Duration
	// Timeout is how long one look may take. It may be longer than Interval:
	// the next look then waits for the one under way.
	Timeout time.Duration
	// Threshold says how many looks in a row change the belief.
	Threshold Threshold
	// Well is what is believed before the first look.
	Well bool
	// Unknown: nothing is believed before the first look.
	Unknown bool
	// Anew, if not nil, makes the watch forget what it believes and look at once.
	Anew <-chan struct{}
	// Changed is called when the belief changed.
	Changed func(Change)
	// Looked, if not nil, is called after every look, before Changed: for
	// metrics, for debugging, and for the reason shown while not yet ready.
	Looked func(Sighting)
}

func (o WatchOptions) check() error {
	var errs []error
	if o.Probe == nil || o.Clock == nil || o.Changed == nil {
		errs = append(errs, errors.New("a probe, a clock and a callback are needed"))
	}
	if o.Interval <= 0 || o.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("interval %v and timeout %v have to be positive", o.Interval, o.Timeout))
	}
	if o.Fast < 0 || o.Well && o.Unknown {
		errs = append(errs, fmt.Errorf("an interval of %v while in doubt, well %v and unknown %v", o.Fast, o.Well, o.Unknown))
	}
	errs = append(errs, o.Threshold.check())
	return join(errs)
}

// Sighting is what one look saw.
type Sighting struct {
	// Err is nil if the node was well, or the reason why it was not.
	Err error
	// Health is what is believed now.
	Health Health
	// Started is when the look began, Took how long it lasted on the boot clock.
	Started clock.Reading
	Took    time.Duration
}

// Change is a new belief and the look that brought it about.
type Change struct {
	Well bool
	// Reason is nil if the node is well now.
	Reason error
	// At is when the last of the looks that count began.
	At clock.Reading
	// Looks is how many in a row it took.
	Looks int
}

// Watch looks again and again and tells when what is believed changes.
type Watch struct{ o WatchOptions }

// NewWatch checks the options.
func NewWatch(o WatchOptions) (*Watch, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	return &Watch{o}, nil
}

// interval is how long after the start of a look the next one begins.
func (w *Watch) interval(h Health) time.Duration {
	if w.o.Fast > 0 && (h.Unknown || h.Against > 0) {
		return w.o.Fast
	}
	return w.o.Interval
}

// Run looks at once and then at every interval, until ctx ends and the look
// under way is over. It returns the cause of ctx. A look that ctx cut short is
// neither counted nor reported.
func (w *Watch) Run(ctx context.Context) error {
	next := w.o.Clock.Timer(w.o.Clock.Now().Boot)
	defer next.Stop()
	health := Health{Well: w.o.Well, Unknown: w.o.Unknown}
	for {
		started := w.o.Clock.Now()
		err := w.look(ctx, started.Boot+w.o.Timeout)
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		health = w.take(health, started, err)
		// A look that took longer than the interval is followed by another
		// one at once, but never by all those that were missed.
		at := started.Boot + w.interval(health)
		next.Reset(at)
		for w.o.Clock.Now().Boot < at {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-w.o.Anew:
				health, at = Health{Unknown: true}, 0
			case <-next.C():
			}
		}
	}
}

// look makes one look that has until deadline on the boot clock.
func (w *Watch) look(ctx context.Context, deadline time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	over := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		limit := w.o.Clock.Timer(deadline)
		defer limit.Stop()
		for w.o.Clock.Now().Boot < deadline {
			select {
			case <-over:
				return
			case <-limit.C():
			}
		}
		cancel(late{fmt.Errorf("no answer within %v", w.o.Timeout)})
	}()
	err := w.o.Probe.Look(ctx)
	close(over)
	<-watched
	if err == nil && w.o.Clock.Now().Boot >= deadline {
		err = &Failure{Outcome: TimedOut, Target: "look", Reason: fmt.Sprintf("well, but only after the %v it was given", w.o.Timeout)}
	}
	cancel(nil)
	return err
}

// take counts one look and tells about it.
func (w *Watch) take(h Health, started clock.Reading, err error) Health {
	next, changed := w.o.Threshold.Next(h, err == nil)
	if w.o.Looked != nil {
		took := w.o.Clock.Now().Boot - started.Boot
		w.o.Looked(Sighting{Err: err, Health: next, Started: started, Took: took})
	}
	if changed {
		w.o.Changed(Change{Well: next.Well, Reason: err, At: started, Looks: h.Against + 1})
	}
	return next
}
