package splice

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
)

const (
	// batch is how many events a loop takes from the kernel at once.
	batch = 128
	// dueAtOnce is how many deadlines are seen to before the next events are, so that cutting thousands of connections
	// does not hold up the others.
	dueAtOnce = 256
)

// errEnded: the path's Run is over.
var errEnded = errors.New("the data path has ended")

// phase is how far a loop has come.
type phase uint8

const (
	phaseNew phase = iota
	phaseRunning
	phaseEnded
)

// loop is one goroutine that waits for sockets and serves them.
type loop struct {
	path   *Path
	door   *door // the path's, and this loop's own where isDoor
	isDoor bool
	limits Limits
	clock  clock.Clock

	poll  int      // epoll
	file  *os.File // the same, in the runtime's poller
	raw   syscall.RawConn
	bell  int // eventfd: there is something in the inbox, or the timer fired
	conns []*conn
	free  []int32 // slots of conns without one
	turn  int32   // numbers what is watched, so that a late event of a socket that is closed finds nobody

	events  [batch]unix.EpollEvent
	seen    int // how many of events there are
	seenErr error
	looking func(uintptr) bool // look, made once: a new one for each wait would be garbage

	now       time.Duration
	mover     *mover
	deadlines deadlines
	timer     clock.Timer
	armed     time.Duration // what timer is set to
	again     []*conn
	ending    bool

	// busy counts connections that carry much, for the door's choice.
	busy atomic.Int64

	mu    sync.Mutex // guards phase and inbox
	phase phase
	inbox []func()
}

// Keys of epoll that are not slots of connections. Listeners have smaller ones.
const keyBell = -1

func newLoop(p *Path, isDoor bool) (*loop, error) {
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create an epoll instance: %w", err)
	}
	// The runtime's poller takes only what says that it does not block.
	if err := unix.SetNonblock(poll, true); err != nil {
		_ = unix.Close(poll)
		return nil, fmt.Errorf("set an epoll instance not to block: %w", err)
	}
	l := &loop{
		path: p, isDoor: isDoor, limits: p.o.Limits, clock: p.o.Clock,
		poll: poll, file: os.NewFile(uintptr(poll), "epoll"), bell: -1, armed: never,
		mover: newMover(pipes{count: &p.pipes, limit: int64(p.o.Limits.Pipes)}),
	}
	l.looking = l.look
	if l.raw, err = l.file.SyscallConn(); err == nil {
		l.bell, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	}
	if err == nil {
		// An edge for every ring, so that the bell need not be read.
		err = l.watch(l.bell, keyBell, 0, unix.EPOLLIN|unix.EPOLLET)
	}
	if err != nil {
		l.close()
		return nil, fmt.Errorf("make a loop: %w", err)
	}
	l.now = l.clock.Now().Boot
	return l, nil
}

// watch asks the kernel to tell of fd.
func (l *loop) watch(fd int, key, turn int32, events uint32) error {
	return unix.EpollCtl(l.poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: key, Pad: turn})
}

// ring wakes the loop.
func (l *loop) ring() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(l.bell, one[:]) // it can fail only when it was rung 2^64 times
}

// post has the loop run f. It returns errEnded, and f is not run, once the loop has ended. Before it began f is run by
// the caller.
func (l *loop) post(f func()) error {
	l.mu.Lock()
	switch l.phase {
	case phaseEnded:
		l.mu.Unlock()
		return errEnded
	case phaseNew:
		defer l.mu.Unlock()
		l.now = l.clock.Now().Boot
		f()
		return nil
	}
	l.inbox = append(l.inbox, f)
	first := len(l.inbox) == 1
	l.mu.Unlock()
	if first {
		l.ring()
	}
	return nil
}

// do has the loop run f and waits until it has.
func (l *loop) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	if err := l.post(func() { f(); close(done) }); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// run serves until end was called.
func (l *loop) run() error {
	l.mu.Lock()
	l.phase = phaseRunning
	l.now = l.clock.Now().Boot
	l.timer = l.clock.Timer(never)
	l.mu.Unlock()
	quit := make(chan struct{})
	var keeper sync.WaitGroup
	keeper.Go(func() {
		for {
			select {
			case <-l.timer.C():
				l.ring()
			case <-quit:
				return
			}
		}
	})
	err := l.serve()
	close(quit)
	keeper.Wait()
	l.timer.Stop()
	l.shut()
	return err
}

func (l *loop) serve() error {
	for !l.ending {
		l.arm()
		n, err := l.wait()
		if err != nil {
			return fmt.Errorf("wait for sockets: %w", err)
		}
		l.now = l.clock.Now().Boot
		l.mover.now = l.now
		l.handOutTurns()
		for i := range n {
			l.handle(&l.events[i])
		}
		l.runInbox()
		l.seeToDeadlines()
	}
	return nil
}

// wait takes events into l.events and tells how many. It blocks only when there is nothing else to do.
func (l *loop) wait() (int, error) {
	if len(l.again) > 0 || l.deadlines.next() <= l.now {
		l.look(uintptr(l.poll))
	} else if err := l.raw.Read(l.looking); err != nil {
		return 0, err
	}
	return l.seen, l.seenErr
}

// look asks the kernel for events without waiting, and tells whether there was an answer.
func (l *loop) look(fd uintptr) bool {
	for {
		l.seen, l.seenErr = unix.EpollWait(int(fd), l.events[:], 0)
		if l.seenErr != unix.EINTR {
			return l.seen != 0 || l.seenErr != nil
		}
	}
}

// handle serves one event.
func (l *loop) handle(e *unix.EpollEvent) {
	if e.Fd < 0 {
		if e.Fd != keyBell {
			l.door.ready(e.Fd)
		}
		return
	}
	c, ofMachine := l.conns[e.Fd>>1], e.Fd&1 == 1
	if c == nil {
		return
	}
	if s := c.side(ofMachine); s.turn == e.Pad {
		c.event(l, ofMachine, e.Events)
	}
}

// handOutTurns lets those go on that had stopped for the others.
func (l *loop) handOutTurns() {
	turns := l.again
	l.again = nil
	for _, c := range turns {
		c.queued = false
		if c.state == stateOpen && l.conns[c.slot] == c {
			c.pump(l)
		}
	}
}

func (l *loop) runInbox() {
	l.mu.Lock()
	inbox := l.inbox
	l.inbox = nil
	l.mu.Unlock()
	for _, f := range inbox {
		f()
	}
}

// seeToDeadlines looks at what has become due, in slices.
func (l *loop) seeToDeadlines() {
	if l.isDoor && l.door.resumeAt <= l.now {
		l.door.resume()
	}
	for range dueAtOnce {
		if l.deadlines.next() > l.now {
			return
		}
		c := l.deadlines[0]
		if slot := c.slot; c.deadline(l) <= l.now {
			if c.expire(l); l.conns[slot] != c {
				continue // it is over, or another loop's now
			}
		}
		if c.place >= 0 {
			l.deadlines.move(c, c.deadline(l))
		}
	}
}

// arm sets the timer to the first deadline.
func (l *loop) arm() {
	next := l.deadlines.next()
	if l.isDoor {
		next = min(next, l.door.resumeAt)
	}
	// A timer that fires too early costs one look.
	if next < l.armed || l.armed <= l.now && next != l.armed {
		l.armed = next
		l.timer.Reset(next)
	}
}

// adopt gives c a slot.
func (l *loop) adopt(c *conn) {
	if n := len(l.free); n > 0 {
		c.slot = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		c.slot = int32(len(l.conns))
		l.conns = append(l.conns, nil)
	}
	l.conns[c.slot] = c
}

// watchSide asks the kernel to tell of one side of c.
func (l *loop) watchSide(c *conn, ofMachine bool) error {
	key := c.slot << 1
	if ofMachine {
		key |= 1
	}
	s := c.side(ofMachine)
	l.turn++
	s.turn = l.turn
	return l.watch(s.fd, key, s.turn, everyEdge)
}

// disown takes c's slot away.
func (l *loop) disown(c *conn) {
	l.deadlines.drop(c)
	l.conns[c.slot] = nil
	l.free = append(l.free, c.slot)
}

// shut ends all that the loop owns.
func (l *loop) shut() {
	l.mu.Lock()
	l.phase = phaseEnded
	inbox := l.inbox
	l.inbox = nil
	l.mu.Unlock()
	for _, f := range inbox {
		f()
	}
	if l.isDoor {
		l.door.close()
	}
	for _, c := range l.conns {
		switch {
		case c == nil:
		case c.state == stateLeaving:
			l.drop(c)
		default:
			l.finish(c, EndShutdown)
		}
	}
	l.close()
}

// close gives the loop's own descriptors back.
func (l *loop) close() {
	l.mover.pipes.close()
	if l.bell >= 0 {
		_ = unix.Close(l.bell)
	}
	_ = l.file.Close()
}
