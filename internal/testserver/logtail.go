package testserver

import (
	"bytes"
	"sync"
)

// logTailBytes bounds what is kept of a server's log: enough for a start and a crash.
const logTailBytes = 16 << 10

// logTail keeps the end of a log and tells when a text has been written. It is an
// io.Writer, safe for use by several goroutines.
type logTail struct {
	mu      sync.Mutex
	kept    []byte
	wanted  string
	waiting []byte // what was written since expect, as far as wanted can still begin in it
	seen    chan struct{}
}

// expect returns a channel that is closed when text is written from now on. One
// text is waited for at a time.
func (l *logTail) expect(text string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wanted, l.waiting, l.seen = text, nil, make(chan struct{})
	return l.seen
}

// Write takes a piece of the log. It never fails.
func (l *logTail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, p...)
	if over := len(l.kept) - logTailBytes; over > 0 {
		l.kept = append([]byte(nil), l.kept[over:]...)
	}
	if l.wanted == "" {
		return len(p), nil
	}
	l.waiting = append(l.waiting, p...)
	if bytes.Contains(l.waiting, []byte(l.wanted)) {
		l.wanted, l.waiting = "", nil
		close(l.seen)
		return len(p), nil
	}
	if over := len(l.waiting) - len(l.wanted); over > 0 {
		l.waiting = append([]byte(nil), l.waiting[over:]...)
	}
	return len(p), nil
}

// String returns the end of the log.
func (l *logTail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.kept)
}
