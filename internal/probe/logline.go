package probe

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
)

// lineLimitBytes is how much of a line is matched. Ready lines are short; a
// node that writes one endless line must not cost more than this each time.
const lineLimitBytes = 16 << 10

// LogLine is a probe that is well once a line which the node wrote since its
// last start matches a pattern.
type LogLine struct {
	pattern *regexp.Regexp

	mu      sync.Mutex // guards start and matched
	start   int
	matched chan struct{} // closed once a line has matched; made anew at Begin
}

// NewLogLine returns the probe. A pattern that matches the empty text is
// refused: any line at all would do.
func NewLogLine(pattern string) (*LogLine, error) {
	p, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("log line probe: %w", err)
	}
	if p.MatchString("") {
		return nil, errors.New("log line probe: the pattern matches an empty line, so every line would mean ready")
	}
	return &LogLine{pattern: p, matched: make(chan struct{})}, nil
}

// Begin says that the node was started. What was matched before is forgotten.
// The function it returns takes the lines of this start; once Begin is called
// again it does nothing, so that a late line of the node before never counts.
func (l *LogLine) Begin() (line func(text []byte)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.start++
	mine := l.start
	if closed(l.matched) {
		l.matched = make(chan struct{})
	}
	return func(text []byte) { l.take(mine, text) }
}

func (l *LogLine) take(start int, text []byte) {
	l.mu.Lock()
	void := start != l.start || closed(l.matched)
	l.mu.Unlock()
	// The match stands outside the lock: it may take a while.
	if void || !l.pattern.Match(text[:min(len(text), lineLimitBytes)]) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if start == l.start && !closed(l.matched) {
		close(l.matched)
	}
}

// Matched returns a channel that is closed once a line of the present start
// has matched: for those who do not want to ask again and again. Ask for it
// after Begin.
func (l *LogLine) Matched() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.matched
}

// Look never waits: it tells whether the line has come.
func (l *LogLine) Look(context.Context) error {
	if closed(l.Matched()) {
		return nil
	}
	return &Failure{Outcome: Wrong, Target: "log", Reason: fmt.Sprintf("no line has matched %q yet", l.pattern)}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
