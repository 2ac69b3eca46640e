package agent

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/probe"
	"github.com/hotcold/hotcold/internal/process"
	"github.com/hotcold/hotcold/lease"
)

func TestHowLongAStartingNodeIsLeftAloneBetweenLooks(t *testing.T) {
	for _, c := range []struct{ elapsed, took, want time.Duration }{
		{0, 0, 2 * time.Millisecond},
		{0, 100 * time.Microsecond, 2 * time.Millisecond},
		{time.Second, 100 * time.Microsecond, 52 * time.Millisecond},
		{0, 3 * time.Millisecond, 30 * time.Millisecond}, // a command
		{0, 5 * time.Second, 50 * time.Millisecond},      // a look that was given up
		{time.Hour, 0, time.Second},
	} {
		if got := readyPause(c.elapsed, c.took); got != c.want {
			t.Errorf("%v after the start, after a look of %v: %v, want %v", c.elapsed, c.took, got, c.want)
		}
	}
}

// The clock stands still: whoever looks again only after a pause never sees the line.
func TestALineThatSaysReadyIsSeenWhenItComes(t *testing.T) {
	c := clock.NewStepped()
	line, err := probe.NewLogLine("^up$")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	a, err := New(Options{
		Lease: "test", Machine: "a", Self: lease.Identity{Instance: "a:" + dir, Nonce: "n"}, BaseDir: dir, Clock: c,
		Timing:  lease.Timing{Update: 50 * time.Millisecond},
		Process: process.Options{Argv: []string{"/bin/true"}, Dir: dir, RuntimeDir: filepath.Join(dir, "run")},
		Ready:   []probe.Probe{line}, ReadyLines: []*probe.LogLine{line}, ReadyTimeout: time.Minute,
		StopTimeout: 5 * time.Second, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	limited, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	say := line.Begin()
	ready := make(chan error, 1)
	go func() { ready <- a.awaitReady(limited) }()
	for at, changed := c.Armed(); len(at) == 0; at, changed = c.Armed() {
		<-changed
	}
	say([]byte("up"))
	if err := <-ready; err != nil {
		t.Error(err)
	}
}
