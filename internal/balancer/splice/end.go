package splice

import (
	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/balancer"
)

// finish closes both sides in order: what was sent before still arrives. A side for which we hold bytes that it will not
// get sees a reset: a FIN would say that it had all.
func (l *loop) finish(c *conn, end End) {
	l.account(c, end)
	closeSide(&c.client, c.down.waits())
	closeSide(&c.machine, c.up.waits())
	l.release(c)
}

func closeSide(s *side, lost bool) {
	switch {
	case s.fd < 0:
	case lost:
		closeWithReset(s.fd)
	default:
		_ = unix.Close(s.fd)
	}
}

// reset closes both sides so that both know that something may be lost.
func (l *loop) reset(c *conn, end End) {
	l.account(c, end)
	closeSide(&c.client, true)
	closeSide(&c.machine, true)
	l.release(c)
}

// cut ends a connection because its epoch is over.
func (l *loop) cut(c *conn) {
	if c.rule.gone.Load() && c.now.Nobody() {
		l.reset(c, EndShutdown)
		return
	}
	if told := l.path.o.Cut; told != nil {
		told(balancer.Cut{
			Rule: c.rule.name, Client: c.address, Was: *c.target, Now: c.now,
			In: c.up.moved, Out: c.down.moved, Age: l.now - c.accepted, AfterDrain: c.drained,
		})
	}
	l.reset(c, EndCut)
}

// turnAway sends a client away with a FIN and nothing else. Its machine's side, if there is one, is given up.
func (l *loop) turnAway(c *conn, end End) {
	l.account(c, end)
	l.door.hangUp(c)
	l.sendAway(c)
}

// sendAway has a client, already accounted for, see a FIN. Beyond the limit of those who leave it is closed at once,
// which is a FIN too unless it had sent something.
func (l *loop) sendAway(c *conn) {
	l.door.found(c)
	if l.door.leaving >= l.limits.Leaving || unix.Shutdown(c.client.fd, unix.SHUT_WR) != nil {
		_ = unix.Close(c.client.fd)
		l.release(c)
		return
	}
	l.door.leaving++
	c.state, c.leaveAt = stateLeaving, l.now+leaveTime
	l.deadlines.set(c, c.leaveAt)
	c.listenAway(l)
}

// drop closes a client that was turned away before.
func (l *loop) drop(c *conn) {
	l.door.leaving--
	_ = unix.Close(c.client.fd)
	l.release(c)
}

// release forgets a connection whose sockets are closed.
func (l *loop) release(c *conn) {
	l.door.found(c)
	l.mover.forget(&c.up)
	l.mover.forget(&c.down)
	if c.busy {
		l.busy.Add(-1)
	}
	l.disown(c)
	c.state = stateClosed
}

// account counts the end of a client that was admitted. It is called once for each.
func (l *loop) account(c *conn, end End) {
	r := c.rule
	if c.state == stateOpen {
		r.open.Add(-1)
	}
	if c.old {
		r.old.Add(-1)
	}
	r.admitted.Add(-1)
	if c.counted {
		r.sources.leave(c.address.Addr())
	}
	if !c.entered {
		return
	}
	r.count.end(end)
	if told := l.path.o.Closed; told != nil {
		gone := Closed{
			Rule: r.name, Client: c.address, In: c.up.moved, Out: c.down.moved,
			Age: l.now - c.accepted, Waited: l.now - c.accepted, End: end,
		}
		if c.state == stateOpen {
			gone.Target, gone.Waited = *c.target, c.opened-c.accepted
		}
		told(gone)
	}
}

func (c *counters) end(end End) {
	switch end {
	case EndCut:
		c.cut.Add(1)
	case EndIdle:
		c.idle.Add(1)
	case EndFailed:
		c.failed.Add(1)
	case EndRefused:
		c.refused.Add(1)
	case EndOverflowed:
		c.overflowed.Add(1)
	case EndExpired:
		c.expired.Add(1)
	default:
		c.ended.Add(1)
	}
}
