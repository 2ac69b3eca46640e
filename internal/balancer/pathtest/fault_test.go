package pathtest_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/balancer/pathtest"
	"github.com/hotcold/hotcold/internal/balancer/splice"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver/yard"
)

// faultVariable has TestABrokenPathFails break a path in that way.
const faultVariable = "HOTCOLD_PATHTEST_FAULT"

// faults are ways to break a path, each with a check that has to find it.
var faults = map[string]struct {
	check, says string
	path        func(*faulty) balancer.Path
}{
	"steers late":               {"NoConnectionIsEverOlderThanTheEpochInForce", "was in force or had been seen", func(f *faulty) balancer.Path { return late{f} }},
	"moves rule by rule":        {"NoConnectionIsEverOlderThanTheEpochInForce", "was in force or had been seen", func(f *faulty) balancer.Path { return ruleByRule{f} }},
	"keeps old connections":     {"OldConnectionsThatAreSilentAreCutWithinASecond", "is alive", func(f *faulty) balancer.Path { return keeper{f} }},
	"obeys every epoch":         {"ALowerEpochIsRefusedAndNothingMoves", "want the epoch is lower", func(f *faulty) balancer.Path { return obedient{f} }},
	"cuts when nobody is hot":   {"NobodyLeavesConnectionsAlone", "though nobody is hot", func(f *faulty) balancer.Path { return hasty{f} }},
	"applies one rule too many": {"AnApplyThatFailsLeavesEverything", "a rule of the setup that failed is there", func(f *faulty) balancer.Path { return halfway{f} }},
	"leaves its work behind":    {"WhatRunOpenedIsClosedWhenItEnds", "after Run: rule", func(f *faulty) balancer.Path { return leaver{f} }},
}

// A suite that a broken path passes is none.
func TestTheSuiteFindsEachFault(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestABrokenPathFails$/^"+fault.check+"$", "-test.v", "-test.count=1")
			cmd.Env = append(os.Environ(), faultVariable+"="+name)
			said, err := cmd.CombinedOutput()
			if strings.Contains(string(said), "--- SKIP") {
				t.Skipf("%s", said)
			}
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || !strings.Contains(string(said), fault.says) {
				t.Errorf("a path that %s passed %s (%v):\n%s", name, fault.check, err, said)
			}
		})
	}
}

// TestABrokenPathFails is run by the test above.
func TestABrokenPathFails(t *testing.T) {
	fault, ok := faults[os.Getenv(faultVariable)]
	if !ok {
		t.Skip("this is a part of TestTheSuiteFindsEachFault")
	}
	yard.Within(t, func(t *testing.T) {
		pathtest.Run(t, yard.Options{}, func(t *testing.T, _ *yard.Yard) pathtest.Fixture {
			p, err := splice.New(splice.Options{Clock: clock.System(), Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			return pathtest.Fixture{Path: fault.path(&faulty{Path: p}), Patience: 5 * time.Second}
		})
	})
}

// faulty is a good path; what embeds it breaks one thing.
type faulty struct {
	balancer.Path
	mu    sync.Mutex
	last  balancer.Target
	setup balancer.Setup
	bent  uint64 // how much was added to epochs
}

// late says that it has steered some time before it has.
type late struct{ *faulty }

func (l late) Steer(_ context.Context, t balancer.Target, old balancer.Old) error {
	go func() {
		_ = clock.Wait(context.Background(), clock.System(), 10*time.Millisecond)
		_ = l.Path.Steer(context.Background(), t, old)
	}()
	return nil
}

// ruleByRule steers one rule after the other.
type ruleByRule struct{ *faulty }

func (r ruleByRule) Apply(ctx context.Context, s balancer.Setup) error {
	s.Rules = append([]balancer.Rule{}, s.Rules...)
	for i := range s.Rules {
		s.Rules[i].Group = s.Rules[i].Name
	}
	r.faulty.setup = s
	return r.Path.Apply(ctx, s)
}

func (r ruleByRule) Steer(ctx context.Context, t balancer.Target, old balancer.Old) error {
	var errs []error
	for _, rule := range r.setup.Rules {
		t.Group = rule.Group
		errs = append(errs, r.Path.Steer(ctx, t, old), clock.Wait(ctx, clock.System(), 5*time.Millisecond))
	}
	return errors.Join(errs...)
}

// keeper never cuts.
type keeper struct{ *faulty }

func (k keeper) Steer(ctx context.Context, t balancer.Target, _ balancer.Old) error {
	return k.Path.Steer(ctx, t, balancer.Old{Keep: true})
}

// obedient makes every epoch a greater one.
type obedient struct{ *faulty }

func (o obedient) Steer(ctx context.Context, t balancer.Target, old balancer.Old) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !t.Nobody() {
		o.bent += 100
		t.Epoch += o.bent
	}
	return o.Path.Steer(ctx, t, old)
}

// hasty cuts connections when nobody is hot.
type hasty struct{ *faulty }

func (h hasty) Steer(ctx context.Context, t balancer.Target, old balancer.Old) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.Nobody() {
		next := h.last
		next.Epoch++
		if err := h.Path.Steer(ctx, next, old); err != nil {
			return err
		}
	}
	h.last = t
	return h.Path.Steer(ctx, t, old)
}

// halfway makes the first rule of a setup even where the rest cannot be made.
type halfway struct{ *faulty }

func (h halfway) Apply(ctx context.Context, s balancer.Setup) error {
	err := h.Path.Apply(ctx, s)
	if err != nil {
		s.Rules = append(append([]balancer.Rule{}, h.faulty.setup.Rules...), s.Rules[0])
		_ = h.Path.Apply(ctx, s)
		return err
	}
	h.faulty.setup = s
	return nil
}

// leaver does not wait for the end of its work, which never comes.
type leaver struct{ *faulty }

func (l leaver) Run(ctx context.Context) error {
	go func() { _ = l.Path.Run(context.WithoutCancel(ctx)) }()
	<-ctx.Done()
	return nil
}
