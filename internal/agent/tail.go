package agent

import (
	"regexp"
	"sync"

	"github.com/hotcold/hotcold/internal/probe"
	"github.com/hotcold/hotcold/internal/process"
)

// tail sees each line that a node writes during one life: it passes it on,
// shows it to the probes that wait for a line, and keeps what an exit will be
// judged by.
type tail struct {
	next  process.Sink
	lines []func([]byte)
	exits []PlannedExit

	mu   sync.Mutex // guards all below
	seen []bool     // which of exits had their line
	end  string     // the last line that is not blank
	over bool       // the last words are known, and what comes later is older
}

// maxLastLineBytes of a node's last line are kept for people.
const maxLastLineBytes = 300

func newTail(next process.Sink, probes []*probe.LogLine, exits []PlannedExit) *tail {
	t := &tail{next: next, exits: exits, seen: make([]bool, len(exits))}
	for _, p := range probes {
		t.lines = append(t.lines, p.Begin())
	}
	return t
}

// Lines takes some lines of the node's output.
func (t *tail) Lines(lines []process.Line) {
	for _, l := range lines {
		if l.Stream == process.Notice {
			continue // a word of our own about the output
		}
		text := []byte(l.Text)
		for _, see := range t.lines {
			see(text)
		}
		t.keep(text)
	}
	if t.next != nil {
		t.next.Lines(lines)
	}
}

func (t *tail) keep(text []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.judge(text)
}

// judge is keep for those who hold the lock.
func (t *tail) judge(text []byte) {
	for i, e := range t.exits {
		if !t.seen[i] && e.Line != nil && e.Line.Match(text) {
			t.seen[i] = true
		}
	}
	if len(text) > 0 && !t.over {
		t.end = string(text[:min(len(text), maxLastLineBytes)])
	}
}

// finish takes the last lines from the one who read them: they may still be on
// their way to here, behind a sink that is slow or hangs.
func (t *tail) finish(lines []process.Line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range lines {
		if l.Stream != process.Notice {
			t.judge([]byte(l.Text))
		}
	}
	t.over = true
}

// matches tells whether a line came that matches what the exit asks for.
func (t *tail) matches(line *regexp.Regexp) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, e := range t.exits {
		if e.Line == line {
			return t.seen[i]
		}
	}
	return false
}

func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.end
}
