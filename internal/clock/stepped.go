package clock

import (
	"sync"
	"time"
)

// Stepped is a clock that stands still until it is told to move. It is for
// tests: nothing in it depends on how fast the machine is.
type Stepped struct {
	mu     sync.Mutex // guards all below
	now    Reading
	timers map[*steppedTimer]struct{}
	armed  chan struct{} // closed and renewed whenever a timer is set
}

// NewStepped returns a clock that stands at one hour after boot, on a fixed day.
func NewStepped() *Stepped {
	return &Stepped{
		now:    Reading{Boot: time.Hour, Mono: time.Hour, Wall: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)},
		timers: map[*steppedTimer]struct{}{},
		armed:  make(chan struct{}),
	}
}

// Now returns the reading at which the clock stands.
func (s *Stepped) Now() Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Advance moves all three clocks by d and fires what has become due.
func (s *Stepped) Advance(d time.Duration) { s.move(d, d, d) }

// Sleep moves the clocks as a suspended machine does: Mono stands still.
func (s *Stepped) Sleep(d time.Duration) { s.move(d, 0, d) }

// SetWall moves the time of day alone, as a person or a resumed snapshot does.
func (s *Stepped) SetWall(d time.Duration) { s.move(0, 0, d) }

func (s *Stepped) move(boot, mono, wall time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Boot += boot
	s.now.Mono += mono
	s.now.Wall = s.now.Wall.Add(wall)
	for t := range s.timers {
		t.fireIfDue()
	}
}

// Armed tells the instants to which timers are set, and a channel that is
// closed when another one is set: what a test waits for before it steps on.
func (s *Stepped) Armed() (at []time.Duration, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.timers {
		if !t.fired {
			at = append(at, t.at)
		}
	}
	return at, s.armed
}

// Timer returns a timer that fires when the clock is moved to at or past it.
func (s *Stepped) Timer(at time.Duration) Timer {
	t := &steppedTimer{clock: s, c: make(chan struct{}, 1)}
	t.Reset(at)
	return t
}

type steppedTimer struct {
	clock *Stepped
	c     chan struct{}
	at    time.Duration
	fired bool
}

func (t *steppedTimer) C() <-chan struct{} { return t.c }

func (t *steppedTimer) Reset(at time.Duration) {
	s := t.clock
	s.mu.Lock()
	defer s.mu.Unlock()
	t.at, t.fired = at, false
	s.timers[t] = struct{}{}
	t.fireIfDue()
	close(s.armed)
	s.armed = make(chan struct{})
}

func (t *steppedTimer) Stop() {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	delete(t.clock.timers, t)
}

// fireIfDue wants the clock's mutex held.
func (t *steppedTimer) fireIfDue() {
	if t.fired || t.clock.now.Boot < t.at {
		return
	}
	t.fired = true
	select {
	case t.c <- struct{}{}:
	default:
	}
}
