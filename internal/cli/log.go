package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
)

// spool writes log lines from a goroutine of its own: a reader of the log that
// hangs (a full pipe, a dead journal) must not hold up what watches a deadline.
// Lines that find the spool full are counted and left out.
type spool struct {
	w     io.Writer
	clock clock.Clock
	lines chan []byte
	lost  atomic.Int64
	done  chan struct{}
}

const (
	// spoolLines is how many lines may wait: some minutes of a troubled agent.
	spoolLines = 4096
	// spoolLimit is how long the last lines may take at the end.
	spoolLimit = time.Second
)

func newSpool(w io.Writer, c clock.Clock) *spool {
	s := &spool{w: w, clock: c, lines: make(chan []byte, spoolLines), done: make(chan struct{})}
	go s.run()
	return s
}

// Write takes one line. It never blocks and never fails.
func (s *spool) Write(line []byte) (int, error) {
	select {
	case s.lines <- append([]byte(nil), line...):
	default:
		s.lost.Add(1)
	}
	return len(line), nil
}

func (s *spool) run() {
	defer close(s.done)
	for line := range s.lines {
		if lost := s.lost.Swap(0); lost > 0 {
			fmt.Fprintf(s.w, "hotcold: %d log lines were left out: the reader of the log was too slow\n", lost)
		}
		_, _ = s.w.Write(line) // there is no other place to say it
	}
}

// close waits for the last lines, but not for a reader that hangs.
func (s *spool) close() {
	close(s.lines)
	timer := s.clock.Timer(s.clock.Now().Boot + spoolLimit)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-timer.C():
	}
}

// logger writes the agent's own words to standard error. The function that it
// returns writes out what is left; nothing may be logged after it.
func (a *app) logger(c config.Log) (*slog.Logger, func()) {
	s := newSpool(a.Stderr, a.Clock)
	o := &slog.HandlerOptions{Level: c.Level}
	if _, journal := a.Lookup("JOURNAL_STREAM"); journal {
		o.ReplaceAttr = withoutTime // the journal has its own time stamps
	}
	var h slog.Handler = slog.NewTextHandler(s, o)
	if c.Format == "json" {
		h = slog.NewJSONHandler(s, o)
	}
	return slog.New(h), s.close
}

func withoutTime(groups []string, at slog.Attr) slog.Attr {
	if len(groups) == 0 && at.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return at
}

// outliveReaders lets the agent live when the reader of its output is gone, as
// in `hotcold run | head`: by default a program ends then at its next line, and
// the node with it. What it returns ends that.
func outliveReaders() func() {
	gone := make(chan os.Signal, 1) // nobody reads it: to be told is enough
	signal.Notify(gone, syscall.SIGPIPE)
	return func() { signal.Stop(gone) }
}
