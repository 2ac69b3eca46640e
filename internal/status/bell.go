package status

import "sync"

// Bell wakes whoever waits for the agent to say something new. Ringing it takes a lock that is held for an instant and
// never across I/O, so that the agent is not held up, whoever listens.
type Bell struct {
	mu   sync.Mutex // guards rung
	rung chan struct{}
}

// NewBell returns a bell that nobody waits for yet.
func NewBell() *Bell { return &Bell{rung: make(chan struct{})} }

// Ring wakes all who wait now.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.rung)
	b.rung = make(chan struct{})
}

// next is closed when the bell rings next. Whoever looks at the agent after he has called it misses nothing. Without a
// bell it never is.
func (b *Bell) next() <-chan struct{} {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rung
}
