package agent

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/process"
	"github.com/hotcold/hotcold/lease"
)

// lent is a grant whose trust is over until a moment, and lasts from then on.
type lent struct {
	clock clock.Clock
	from  time.Duration
}

func (lent) Trusted() context.Context    { return context.Background() }
func (lent) MayServe(clock.Reading) bool { return true }
func (lent) Memo(string)                 {}
func (l lent) Trust() lease.Trust {
	now := l.clock.Now().Boot
	if now < l.from {
		return lease.Trust{Epoch: 3, StopAt: now - 1, DeadBy: now}
	}
	return lease.Trust{Epoch: 3, StopAt: now + time.Hour, DeadBy: now + time.Hour}
}

func lonely(t *testing.T, script string) *Agent {
	t.Helper()
	dir := t.TempDir()
	a, err := New(Options{
		Lease: "test", Machine: "a", Self: lease.Identity{Instance: "a:" + dir, Nonce: "n"}, BaseDir: dir,
		Timing:      lease.Timing{Update: 50 * time.Millisecond},
		Process:     process.Options{Argv: []string{"/bin/sh", "-c", script}, Dir: dir, Env: os.Environ(), RuntimeDir: filepath.Join(dir, "run")},
		StopTimeout: 5 * time.Second, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.settle)
	return a
}

func TestANodeForWhichThereWasNoTimeHasNotFailed(t *testing.T) {
	t.Parallel()
	a := lonely(t, "exec sleep 1000")
	ctx, cancel := context.WithCancelCause(t.Context())
	hot := errors.New("it is hot")
	a.o.Published = func(s Snapshot) {
		if s.State == Hot {
			cancel(hot)
		}
	}
	limited, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	if e := a.work(limited, lent{a.o.Clock, a.o.Clock.Now().Boot + 300*time.Millisecond}); e.Memo != "" {
		t.Errorf("handed over as failed: %s", e.Memo)
	}
	if !errors.Is(context.Cause(ctx), hot) {
		t.Error("never became hot")
	}
}

func TestNothingIsStartedOnceTheTermIsToEnd(t *testing.T) {
	t.Parallel()
	a := lonely(t, "echo > ran; exec sleep 1000")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	a.life(ctx, lent{clock: a.o.Clock})
	if _, err := os.Stat(filepath.Join(a.o.BaseDir, "run", "node.json")); err == nil || a.Snapshot().Counters.NodeStarts != 0 {
		t.Error("a node was started")
	}
	if left, _ := filepath.Glob(filepath.Join(a.o.BaseDir, "run", "*")); len(left) > 0 {
		t.Errorf("a start was begun: %v", left)
	}
}

func TestTrafficIsAllowedOnlyWhileTheTermAllowsIt(t *testing.T) {
	c := clock.NewStepped()
	serves := true
	s := Snapshot{State: Hot, Ready: true, Trust: lease.Trust{StopAt: c.Now().Boot + time.Hour}, serve: func(clock.Reading) bool { return serves }}
	if !s.HotAt(c.Now()) {
		t.Error("no traffic")
	}
	if serves = false; s.HotAt(c.Now()) {
		t.Error("traffic that the term does not allow")
	}
}
