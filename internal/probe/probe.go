package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
)

// Probe is one way of looking at a node.
type Probe interface {
	// Look answers nil if the node is well, or the reason why it is not.
	Look(ctx context.Context) error
}

// Func is a function used as a Probe.
type Func func(ctx context.Context) error

// Look calls f.
func (f Func) Look(ctx context.Context) error { return f(ctx) }

// Outcome sorts the answers of a look.
type Outcome int

// The outcomes. The zero value is an error that no probe of this package made.
const (
	Unknown     Outcome = iota
	Well                // the node is well
	Refused             // nobody listens there
	TimedOut            // no complete answer before the deadline
	Wrong               // an answer, but not the one wanted
	Unreachable         // the question could not be put
	GivenUp             // the asker went away; nothing is known
)

// String names the outcome for logs and metrics.
func (o Outcome) String() string {
	names := [...]string{"unknown", "well", "refused", "timed out", "answered wrong", "unreachable", "given up"}
	if o < 0 || int(o) >= len(names) {
		return names[Unknown]
	}
	return names[o]
}

// Failure is the reason why a look did not find the node well.
type Failure struct {
	Outcome Outcome
	// Target is what was looked at: "tcp 127.0.0.1:10002".
	Target string
	// Reason completes the sentence: "connection refused".
	Reason string
	// Cause is the error underneath, if there was one.
	Cause error
}

// Error is the target and the reason in one line.
func (f *Failure) Error() string { return f.Target + ": " + f.Reason }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// OutcomeOf sorts what a look returned. Of several failures at once, the first
// that says something about the node counts.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Well
	}
	var several *failures
	if errors.As(err, &several) {
		for _, e := range several.all {
			if o := OutcomeOf(e); o != GivenUp && o != Unknown {
				return o
			}
		}
		return OutcomeOf(several.all[0])
	}
	var f *Failure
	if errors.As(err, &f) {
		return f.Outcome
	}
	return Unknown
}

// All is well when every one of the probes is; with none it always is. It looks
// with all of them at the same time and reports every failure, in the order of
// the probes.
func All(probes ...Probe) Probe {
	if len(probes) == 1 {
		return probes[0]
	}
	return all(probes)
}

type all []Probe

func (a all) Look(ctx context.Context) error {
	errs := make([]error, len(a))
	done := make(chan struct{})
	for i, p := range a {
		go func() {
			errs[i] = p.Look(ctx)
			done <- struct{}{}
		}()
	}
	for range a {
		<-done
	}
	return join(errs)
}

// failures joins reasons in one line, where errors.Join would take several.
type failures struct{ all []error }

func (f *failures) Error() string {
	texts := make([]string, len(f.all))
	for i, e := range f.all {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "; ")
}

func (f *failures) Unwrap() []error { return f.all }

func join(errs []error) error {
	var found []error
	for _, e := range errs {
		if e != nil {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return nil
	case 1:
		return found[0]
	}
	return &failures{found}
}

// late is the cause of a context that ended because its time was up.
type late struct{ error }

func (late) Is(target error) bool { return target == context.DeadlineExceeded }

// fail makes a Failure of what a network call returned under ctx.
func fail(ctx context.Context, target, doing string, err error) error {
	f := &Failure{Target: target, Cause: err}
	var dns *net.DNSError
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.DeadlineExceeded):
		f.Outcome, f.Reason = TimedOut, "timed out while "+doing
	case cause != nil:
		f.Outcome, f.Reason = GivenUp, "given up while "+doing
	case errors.Is(err, syscall.ECONNREFUSED):
		f.Outcome, f.Reason = Refused, "connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		f.Outcome, f.Reason = Wrong, "connection reset while "+doing
	case errors.As(err, &dns) && dns.IsNotFound:
		f.Outcome, f.Reason = Unreachable, fmt.Sprintf("no address known for %q", dns.Name)
	case os.IsTimeout(err), errors.Is(err, syscall.ETIMEDOUT):
		f.Outcome, f.Reason = TimedOut, "timed out while "+doing
	default:
		f.Outcome, f.Reason = Unreachable, doing+": "+plain(err)
	}
	return f
}

// plain is the innermost text of a network error: what is wrapped around it
// repeats the address and, for HTTP, the whole URL.
func plain(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return oneLine(err.Error())
		}
		err = inner
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
