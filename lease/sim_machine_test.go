package lease

import (
	"sync/atomic"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// machine has clocks that run at a rate of their own.
type machine struct {
	w         *world
	name      string
	rate      float64
	offset    time.Duration // of the boot clock
	slept     time.Duration // what the monotonic clock lacks
	set       time.Duration // of the time of day, against the boot clock
	boots     int
	rebooting bool
	// stands until this instant: asleep, or paused as a whole.
	standsUntil time.Duration
}

func (m *machine) boot(at time.Duration) time.Duration {
	return m.offset + time.Duration(float64(at)*m.rate)
}

// real is the first instant at which the boot clock shows at.
func (m *machine) real(boot time.Duration) time.Duration {
	return time.Duration(float64(boot-m.offset)/m.rate) + 1
}

func (m *machine) now() Reading {
	boot := m.boot(m.w.now)
	return Reading{Boot: boot, Mono: boot - m.slept, Wall: time.Unix(1_700_000_000, 0).Add(boot + m.set)}
}

func (m *machine) stands() bool { return m.w.now < m.standsUntil }

// simClock is a machine's clock as one process sees it. That of a process that
// was killed shows the end of all days, so that nothing of it waits any more.
type simClock struct {
	a      *simAgent
	life   int
	beyond atomic.Int64 // how often the end was shown: it goes on
}

func (c *simClock) Now() Reading {
	if c.a.life != c.life {
		end := 1<<61 + time.Duration(c.beyond.Add(1))*time.Hour
		return Reading{Boot: end, Mono: end, Wall: time.Unix(1_700_000_000, 0)}
	}
	return c.a.machine.now()
}

func (c *simClock) Timer(at time.Duration) clock.Timer {
	t := &simTimer{simClock: c, c: make(chan struct{}, 1)}
	if c.a.life == c.life {
		c.a.timers[t] = struct{}{}
	}
	t.Reset(at)
	return t
}

// simTimer fires as an event of the world, or at once when its process is killed.
type simTimer struct {
	*simClock
	c     chan struct{}
	at    time.Duration
	set   int // how often it was set
	asked bool
}

func (t *simTimer) C() <-chan struct{} { return t.c }

func (t *simTimer) Reset(at time.Duration) {
	t.at, t.set = at, t.set+1
	if t.a.life != t.life {
		t.fire()
		return
	}
	if !t.asked {
		t.asked = true
		t.a.w.ask(t.a, rankTimer, t.arm)
	}
}

func (t *simTimer) arm() {
	t.asked = false
	set := t.set
	t.a.w.after(t.a.machine.real(t.at)-t.a.w.now, t.a.own(func() {
		switch {
		case t.set != set:
		case t.a.machine.now().Boot < t.at:
			t.arm() // the machine stood still
		default:
			t.fire()
		}
	}))
}

func (t *simTimer) fire() {
	select {
	case t.c <- struct{}{}:
	default:
	}
}

func (t *simTimer) Stop() {
	t.set++
	if t.a.life == t.life {
		delete(t.a.timers, t)
	}
}
