package splice

import "golang.org/x/sys/unix"

// entrust has another loop connect c from its beginning, and tells whether it does. It takes only those for whom nothing
// but a machine is to be found: what has to be counted over all clients, or to wait in order, is the door's.
func (d *door) entrust(c *conn, to *loop) bool {
	r, spec := c.rule, c.rule.spec.Load()
	if to == d.loop || r.group.target.Load() == nil || spec.ProxyIn || spec.MaxPerSource > 0 {
		return false
	}
	if spec.MaxConnections > 0 && r.admitted.Load() >= int64(spec.MaxConnections) {
		return false
	}
	r.admitted.Add(1)
	r.count.accepted.Add(1)
	c.entered = true
	c.lentUntil = min(d.now+d.limits.Connect, c.patience(d.loop))
	d.send(c, to, func() { to.take(c) })
	return true
}

// take connects a client for the door.
func (l *loop) take(c *conn) {
	l.adopt(c)
	c.accepted = min(c.accepted, l.now) // the door may have looked at the clock later than this loop
	if l.watchSide(c, false) != nil {
		c.rule.count.exhausted.Add(1)
		l.finish(c, EndFailed)
		return
	}
	l.dial(c)
}

// undo has the door go on with a client without a machine: only there may it wait.
func (l *loop) undo(c *conn, goOn func(*conn)) {
	l.hangUp(c)
	if l.isDoor {
		goOn(c)
		return
	}
	d := l.door
	l.part(c)
	l.send(c, d.loop, func() {
		d.adopt(c)
		c.lentUntil = 0
		d.queue(c)
		switch {
		case d.watchSide(c, false) != nil:
			d.finish(c, EndFailed)
		case c.rule.gone.Load() && !d.park.Old.Keep:
			d.turnAway(c, EndShutdown) // it was on its way when the others of its rule were
		default:
			goOn(c)
		}
	})
}

// queue gives c its place among those who have no machine, who are connected in the order in which they came.
func (d *door) queue(c *conn) {
	for e := d.seekers.Back(); e != nil; e = e.Prev() {
		if e.Value.(*conn).accepted <= c.accepted {
			c.seeking = d.seekers.InsertAfter(c, e)
			return
		}
	}
	c.seeking = d.seekers.PushFront(c)
}

// part has the loop forget c, whose sockets stay open. Nobody else has them, so that they are known to its epoll instance.
func (l *loop) part(c *conn) {
	for _, s := range []*side{&c.client, &c.machine} {
		if s.fd >= 0 {
			_ = unix.EpollCtl(l.poll, unix.EPOLL_CTL_DEL, s.fd, nil)
		}
	}
	l.disown(c)
}

// send has another loop welcome c, which belongs to none. If that loop has ended, so has c.
func (l *loop) send(c *conn, to *loop, welcome func()) {
	if to.post(welcome) != nil {
		if c.busy {
			to.busy.Add(-1)
			c.busy = false
		}
		l.adopt(c)
		l.finish(c, EndShutdown)
	}
}
