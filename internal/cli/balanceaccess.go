package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// accessLines is how many lines of the access log may wait for the disk.
const accessLines = 8192

// accessLog gets a line for each client that is gone. Whoever tells of one never waits for the disk: what finds the
// queue full is counted and left out.
type accessLog struct {
	path    string // owned by run once it runs
	stdout  io.Writer
	log     *slog.Logger
	w       io.Writer // nil where there is none
	file    *os.File  // nil where w is not ours to close
	lines   chan []byte
	asked   chan string
	lost    atomic.Uint64
	wanted  atomic.Bool
	current atomic.Pointer[string]
}

// gone is one client that was let in and is gone.
type gone struct {
	Rule    string
	Client  netip.AddrPort
	Machine string // empty: it never had one
	Epoch   uint64
	In, Out uint64
	Age     time.Duration
	Waited  time.Duration
	End     string
}

// openAccessLog opens the file that a configuration names; an empty path is none.
func openAccessLog(path string, stdout io.Writer, log *slog.Logger) (*accessLog, error) {
	l := &accessLog{stdout: stdout, log: log, lines: make(chan []byte, accessLines), asked: make(chan string, 1)}
	l.current.Store(&path)
	return l, l.open(path)
}

func (l *accessLog) open(path string) error {
	var file *os.File
	var w io.Writer
	switch path {
	case "":
	case "-":
		w = l.stdout
	default:
		var err error
		// Who may read the node's log may read who was connected to it; nobody else.
		if file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640); err != nil {
			return fmt.Errorf("open the access log: %w", err)
		}
		w = file
	}
	if l.file != nil {
		_ = l.file.Close() // each line was written by a call of its own; there is nothing left to lose
	}
	l.path, l.w, l.file = path, w, file
	l.wanted.Store(w != nil)
	return nil
}

// tell adds a line. It never blocks.
func (l *accessLog) tell(at clock.Reading, g gone) {
	if !l.wanted.Load() {
		return
	}
	select {
	case l.lines <- g.line(at.Wall):
	default:
		l.lost.Add(1)
	}
}

// line is one client in the form of logfmt: names and values that hold no blanks.
func (g gone) line(at time.Time) []byte {
	machine := g.Machine
	if machine == "" {
		machine = "-"
	}
	b := at.UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z")
	return fmt.Appendf(b, " rule=%s client=%s machine=%s epoch=%d in=%d out=%d seconds=%s waited=%s end=%s\n", g.Rule, g.Client, machine, g.Epoch,
		g.In, g.Out, secondsText(g.Age), secondsText(g.Waited), g.End)
}

func secondsText(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// reopen opens the same path anew, after a rotation.
func (l *accessLog) reopen() { l.rename(*l.current.Load()) }

// rename goes on at another path.
func (l *accessLog) rename(path string) {
	l.current.Store(&path)
	select {
	case <-l.asked: // what was asked before is older
	default:
	}
	l.asked <- path
}

// run writes until ctx ends, and then what is left.
func (l *accessLog) run(ctx context.Context) {
	for {
		select {
		case path := <-l.asked:
			l.drain() // those lines are of the time before
			if err := l.open(path); err != nil {
				l.log.Error("the access log goes on in its former file", "err", err)
			}
		case line := <-l.lines:
			l.write(line)
		case <-ctx.Done():
			l.drain()
			if l.file != nil {
				if err := l.file.Close(); err != nil {
					l.log.Error("the access log may lack its last lines", "err", err)
				}
			}
			return
		}
	}
}

// drain writes what waits now.
func (l *accessLog) drain() {
	for range len(l.lines) {
		l.write(<-l.lines)
	}
}

func (l *accessLog) write(line []byte) {
	if l.w == nil {
		return
	}
	if _, err := l.w.Write(line); err != nil {
		if l.lost.Add(1) == 1 { // once: a full disk must not fill the other log
			l.log.Error("the access log cannot be written", "path", l.path, "err", err)
		}
		return
	}
	if lost := l.lost.Swap(0); lost > 0 {
		l.log.Warn("lines of the access log were left out", "path", l.path, "lines", lost)
	}
}
