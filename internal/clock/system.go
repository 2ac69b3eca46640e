package clock

import (
	"encoding/binary"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// System returns the clocks of this machine.
func System() Clock { return system{} }

type system struct{}

func (system) Now() Reading {
	return Reading{Boot: read(unix.CLOCK_BOOTTIME), Mono: read(unix.CLOCK_MONOTONIC), Wall: time.Now()}
}

func read(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		// Linux has had both clocks since 2.6.39; without them no promise holds.
		panic("read the boot-time clock: " + err.Error())
	}
	return time.Duration(ts.Nano())
}

func (s system) Timer(at time.Duration) Timer {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		// Out of file descriptors. A timer on the monotonic clock is late
		// only by the time that the machine sleeps.
		return newFallback(s, at)
	}
	t := &bootTimer{fd: fd, file: os.NewFile(uintptr(fd), "timerfd"), c: make(chan struct{}, 1), done: make(chan struct{})}
	t.Reset(at)
	go t.run()
	return t
}

// bootTimer is a timerfd on CLOCK_BOOTTIME.
type bootTimer struct {
	c    chan struct{}
	done chan struct{}
	file *os.File

	mu sync.Mutex // guards fd against use after Stop
	fd int        // -1 once stopped
}

func (t *bootTimer) run() {
	defer close(t.done)
	var buf [8]byte
	for {
		if _, err := t.file.Read(buf[:]); err != nil {
			return // Stop closed the file
		}
		if binary.NativeEndian.Uint64(buf[:]) == 0 {
			continue
		}
		select {
		case t.c <- struct{}{}:
		default:
		}
	}
}

func (t *bootTimer) C() <-chan struct{} { return t.c }

func (t *bootTimer) Reset(at time.Duration) {
	if at <= 0 {
		at = 1 // zero would disarm the timer instead of firing it
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(at))}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fd < 0 {
		return
	}
	if err := unix.TimerfdSettime(t.fd, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		panic("set a boot-time timer: " + err.Error()) // the arguments are our own
	}
}

func (t *bootTimer) Stop() {
	t.mu.Lock()
	stopped := t.fd < 0
	t.fd = -1
	t.mu.Unlock()
	if stopped {
		return
	}
	t.file.Close() // the file was made above for reading only: nothing is lost
	<-t.done
}

// fallback is a runtime timer that looks at the boot clock when it fires.
type fallback struct {
	clock Clock
	c     chan struct{}

	mu    sync.Mutex // guards timer
	timer *time.Timer
}

func newFallback(c Clock, at time.Duration) *fallback {
	f := &fallback{clock: c, c: make(chan struct{}, 1)}
	f.Reset(at)
	return f
}

func (f *fallback) C() <-chan struct{} { return f.c }

func (f *fallback) Reset(at time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.timer != nil {
		f.timer.Stop()
	}
	f.timer = time.AfterFunc(max(0, at-f.clock.Now().Boot), func() {
		if f.clock.Now().Boot < at {
			f.Reset(at)
			return
		}
		select {
		case f.c <- struct{}{}:
		default:
		}
	})
}

func (f *fallback) Stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.timer.Stop()
}
