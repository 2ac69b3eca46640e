package splice

import (
	"container/list"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/balancer"
)

// state is how far a connection has come.
type state uint8

const (
	stateHeader   state = iota // its PROXY header is awaited
	stateParked                // nobody is hot
	stateDialling              // a connect is under way
	stateBackoff               // a connect failed, the next one is to come
	stateOpen                  // it has its machine
	stateLeaving               // it was turned away, and has been sent a FIN
	stateClosed
)

func (s state) String() string {
	return [...]string{"header", "parked", "dialling", "backoff", "open", "leaving", "closed"}[s]
}

const (
	// retryFirst and retryMost bound how long a client waits before the same machine is tried again; it doubles.
	retryFirst = 20 * time.Millisecond
	retryMost  = time.Second
	// leaveTime and leaveBytes bound how long one that was turned away is listened to, so that it sees our FIN and no
	// reset: closing with something unread would send one.
	leaveTime  = 2 * time.Second
	leaveBytes = 64 << 10
	// settled is the age at which the machine's side gets TCP keepalive. A short connection is spared the system calls.
	settled = 10 * time.Second
)

// conn is one client and, once it has it, its machine. It belongs to one loop.
type conn struct {
	rule  *rule
	slot  int32 // in the loop's table
	place int   // among the loop's deadlines; -1: it has none
	state state

	client, machine side
	// up is what the client says, down what the machine says.
	up, down flow

	address netip.AddrPort // the client, as its PROXY header says where one is expected
	peer    netip.AddrPort // who connected to us
	front   netip.AddrPort // where it wanted to connect to, where that is known
	entered bool           // it was let in
	counted bool           // by its source

	// target is its stamp: the machine it has or is being connected to, nil before that.
	target *balancer.Target
	// seeking is its place among those who have no machine yet.
	seeking *list.Element
	retries int

	// accepted, opened, last: when it came, had its machine, and carried something for the last time.
	accepted, opened, last time.Duration
	// lookAt is when it is looked at next, at the latest; retryAt and dialledAt are of its latest connect.
	lookAt, retryAt, dialledAt, leaveAt time.Duration
	// lentUntil is when another loop gives it back to the door, if it has no machine by then; 0: it is the door's.
	lentUntil time.Duration
	// cutAt is when it is cut, now whom its group went to then. old: its epoch is over. drained: it was given time.
	cutAt         time.Duration
	now           balancer.Target
	old, drained  bool
	kept          bool // TCP keepalive is on at the machine's side
	queued        bool // it stopped only to let others have their turn
	leftoverBytes int
	carried       uint64 // how often it carried something
	busy          bool   // it is counted among its loop's busy ones
}

// deadline is when something has to be done about c though nothing happens.
func (c *conn) deadline(l *loop) time.Duration {
	switch c.state {
	case stateHeader:
		return c.accepted + l.limits.Header
	case stateParked:
		return c.accepted + l.door.park.ParkTime
	case stateDialling:
		if !l.isDoor {
			return c.lentUntil
		}
		return min(c.dialledAt+l.limits.Connect, c.patience(l))
	case stateBackoff:
		return min(c.retryAt, c.patience(l))
	case stateOpen:
		at := min(c.cutAt, c.idleAt())
		if !c.kept {
			at = min(at, c.opened+settled)
		}
		return at
	case stateLeaving:
		return c.leaveAt
	}
	return never
}

// patience is when a client stops waiting for a machine that is hot and does not accept.
func (c *conn) patience(l *loop) time.Duration {
	if l.door.park.Park {
		return c.accepted + l.door.park.ParkTime
	}
	return c.accepted + l.limits.Patience
}

// idleAt is when it will have carried nothing for too long.
func (c *conn) idleAt() time.Duration {
	if t := c.rule.spec.Load().IdleTimeout; t > 0 {
		return c.last + t
	}
	return never
}

// expire does what is due.
func (c *conn) expire(l *loop) {
	switch c.state {
	case stateHeader:
		l.door.malformed(c)
	case stateParked:
		l.turnAway(c, EndExpired)
	case stateDialling:
		l.undo(c, l.door.retry)
	case stateBackoff:
		if l.now >= c.patience(l) {
			l.turnAway(c, EndFailed)
			return
		}
		l.door.dial(c)
	case stateOpen:
		c.expireOpen(l)
	case stateLeaving:
		l.drop(c)
	}
}

func (c *conn) expireOpen(l *loop) {
	switch {
	case l.now >= c.cutAt:
		l.cut(c)
	case l.now >= c.idleAt():
		if c.rule.spec.Load().ResetOnIdle {
			l.reset(c, EndIdle)
		} else {
			l.finish(c, EndIdle)
		}
	case !c.kept && l.now >= c.opened+settled:
		keepAlive(c.machine.fd)
		c.kept = true
	}
}

// superseded says that c's epoch is over, and what becomes of it then.
func (c *conn) superseded(l *loop, by balancer.Target, old balancer.Old) {
	if !c.old {
		c.old = true
		c.rule.old.Add(1)
	}
	c.now = by
	if old.Keep {
		return
	}
	// A drain that has begun is not made longer by the next.
	if at := l.now + old.Drain; at < c.cutAt {
		c.cutAt, c.drained = at, old.Drain > 0
		l.deadlines.set(c, at)
	}
}

// left tells whether a client that has no machine yet went away. One that sent something and then said that it has said
// all is still waiting for its answer.
func (c *conn) left() bool {
	var one [1]byte
	n, _, err := unix.Recvfrom(c.client.fd, one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	if err == unix.EAGAIN || err == unix.EINTR {
		return false
	}
	return err != nil || n == 0
}

// pump moves what there is to move, both ways.
func (c *conn) pump(l *loop) {
	in, out := c.up.moved, c.down.moved
	againUp, err := l.mover.move(&c.up, &c.client, &c.machine)
	var againDown bool
	if err == nil {
		againDown, err = l.mover.move(&c.down, &c.machine, &c.client)
	}
	if in, out = c.up.moved-in, c.down.moved-out; in+out > 0 {
		c.last = l.now
		c.carried++
		c.rule.count.bytesIn.Add(in)
		c.rule.count.bytesOut.Add(out)
	}
	if err != nil {
		l.reset(c, EndReset)
		return
	}
	upOver, downOver := c.up.ended && !c.up.waits(), c.down.ended && !c.down.waits()
	if upOver && downOver {
		l.finish(c, EndOrder)
		return
	}
	tell(&c.up, upOver, &c.machine)
	tell(&c.down, downOver, &c.client)
	if c.carried >= busyAfter && !c.busy && !c.queued {
		c.busy = true
		if l.share(c) {
			return // it is another loop's now
		}
	}
	if (againUp || againDown) && !c.queued {
		c.queued = true
		l.again = append(l.again, c)
	}
}

// tell passes the end of one direction on, once.
func tell(f *flow, over bool, to *side) {
	if over && !f.told {
		f.told = true
		// It fails only where the peer reset the connection, which the next event says.
		_ = unix.Shutdown(to.fd, unix.SHUT_WR)
	}
}

func (c *conn) side(ofMachine bool) *side {
	if ofMachine {
		return &c.machine
	}
	return &c.client
}

// event takes in what the kernel says of one side.
func (c *conn) event(l *loop, ofMachine bool, events uint32) {
	s := c.side(ofMachine)
	if events&unix.EPOLLIN != 0 {
		s.readable = true
	}
	if events&unix.EPOLLOUT != 0 {
		s.writable = true
	}
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		s.readable, s.hungUp = true, true
	}
	switch {
	case c.state == stateOpen:
		if events&unix.EPOLLERR != 0 && c.stuck(ofMachine) {
			l.reset(c, EndReset) // it would be read only after its reader took what it will never take
			return
		}
		c.pump(l)
	case ofMachine:
		l.dialled(c, events)
	case c.state == stateHeader:
		l.door.header(c)
	case c.state == stateLeaving:
		c.listenAway(l)
	case events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 || s.hungUp && c.left():
		l.finish(c, EndLeft)
	}
}

// stuck tells whether what comes from a side waits for the other.
func (c *conn) stuck(ofMachine bool) bool {
	if ofMachine {
		return c.down.waits()
	}
	return c.up.waits()
}

// listenAway reads what a client says that was turned away, until it has seen that it was.
func (c *conn) listenAway(l *loop) {
	for c.leftoverBytes < leaveBytes {
		n, err := ignoringEINTR(func() (int, error) { return unix.Read(c.client.fd, l.mover.scratch) })
		if err == unix.EAGAIN {
			return
		}
		if err != nil || n == 0 {
			break
		}
		c.leftoverBytes += n
	}
	l.drop(c)
}
