package splice

import (
	"container/list"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/balancer"
)

const (
	// acceptAtOnce is how many clients of one listener are accepted before others have their turn.
	acceptAtOnce = 16
	// pauseTime is how long nobody is accepted after no descriptor was left. The kernel's queue holds clients meanwhile.
	pauseTime = 100 * time.Millisecond
	// complainTime is how long the log is silent about that after it was told.
	complainTime = time.Minute
	// busyAfter is how often a connection has to have carried something before it is worth handing to another loop: that
	// costs more than all that a short one does.
	busyAfter = 32
)

// door is the part of the first loop that lets clients in and finds them their machine.
type door struct {
	*loop
	park      balancer.Setup
	listeners map[int32]*listener
	lastKey   int32
	// seekers are clients without a machine, in the order in which they came.
	seekers *list.List
	// parked counts those among them for whom nothing is under way.
	parked  atomic.Int64
	leaving int

	// reserve is a descriptor to spend when there is no other; -1: it is spent.
	reserve    int
	resumeAt   time.Duration // when clients are accepted again; never: they are
	complainAt time.Duration
}

func newDoor(p *Path) (*door, error) {
	l, err := newLoop(p, true)
	if err != nil {
		return nil, err
	}
	d := &door{loop: l, listeners: map[int32]*listener{}, lastKey: keyBell, seekers: list.New(), reserve: -1, resumeAt: never}
	l.door = d
	d.refillReserve()
	return d, nil
}

// ready accepts clients of a listener.
func (d *door) ready(key int32) {
	li := d.listeners[key]
	if li == nil || d.resumeAt != never {
		return
	}
	// One client alone is connected here, which is the shortest way. Of a crowd each loop has its part.
	for i := range acceptAtOnce {
		fd, peer, err := accept(li.fd)
		switch {
		case err == nil:
			d.admit(li.rule, fd, peer, d.path.loops[i%len(d.path.loops)])
		case scarce(err):
			d.exhausted(li)
			return
		case err == unix.EAGAIN:
			return
		}
		// Any other error is of one client, who is gone.
	}
}

// admit takes a client in, or turns it away. One that comes in a crowd is given to another loop, where that is possible.
func (d *door) admit(r *rule, fd int, peer netip.AddrPort, to *loop) {
	spec := r.spec.Load()
	if contains(spec.Deny, peer.Addr()) || !spec.ProxyIn && denies(spec, peer.Addr()) {
		r.count.denied.Add(1)
		_ = unix.Close(fd)
		return
	}
	c := &conn{
		rule: r, place: -1, client: side{fd: fd}, machine: side{fd: -1},
		peer: peer, address: peer, accepted: d.now, cutAt: never,
	}
	if d.entrust(c, to) {
		return
	}
	d.adopt(c)
	if err := d.watchSide(c, false); err != nil {
		r.count.exhausted.Add(1)
		_ = unix.Close(fd)
		d.release(c)
		return
	}
	if spec.MaxConnections > 0 && r.admitted.Load() >= int64(spec.MaxConnections) {
		r.count.limited.Add(1)
		d.sendAway(c)
		return
	}
	r.admitted.Add(1)
	if spec.ProxyIn {
		d.deadlines.set(c, c.deadline(d.loop))
		return
	}
	d.enter(c)
}

// enter lets a client in whose address is known.
func (d *door) enter(c *conn) {
	if limit := c.rule.spec.Load().MaxPerSource; limit > 0 {
		if !c.rule.sources.admit(c.address.Addr(), limit) {
			c.rule.count.limited.Add(1)
			d.account(c, EndLeft)
			d.sendAway(c)
			return
		}
		c.counted = true
	}
	c.entered = true
	c.rule.count.accepted.Add(1)
	c.seeking = d.seekers.PushBack(c)
	d.seek(c)
}

// seek sends a client to its machine, or has it wait for one.
func (d *door) seek(c *conn) {
	switch {
	case c.rule.group.target.Load() != nil:
		d.dial(c)
	case !d.park.Park:
		d.turnAway(c, EndRefused)
	case d.parked.Load() >= int64(d.park.ParkLimit):
		d.turnAway(c, EndOverflowed)
	default:
		d.become(c, stateParked)
		d.deadlines.set(c, c.deadline(d.loop))
	}
}

// become moves a client without a machine to another state.
func (d *door) become(c *conn, s state) {
	if c.state == stateParked || c.state == stateBackoff {
		d.parked.Add(-1)
	}
	c.state = s
	if s == stateParked || s == stateBackoff {
		d.parked.Add(1)
	}
}

// found takes a client from those who have no machine, because it has one or because it is gone.
func (d *door) found(c *conn) {
	if c.seeking != nil {
		d.seekers.Remove(c.seeking)
		c.seeking = nil
		d.become(c, stateClosed)
	}
}

// dial begins to connect c to where its group goes now.
func (l *loop) dial(c *conn) {
	c.target = c.rule.group.target.Load()
	if c.target == nil { // since it was entrusted
		l.undo(c, l.door.seek)
		return
	}
	if l.isDoor {
		l.door.become(c, stateDialling)
	}
	c.state, c.dialledAt = stateDialling, l.now
	fd, err := connect(netip.AddrPortFrom(c.target.Address, c.rule.spec.Load().BackendPort))
	if err == nil {
		c.machine = side{fd: fd}
		err = l.watchSide(c, true)
	}
	if err != nil {
		if scarce(err) {
			c.rule.count.exhausted.Add(1)
		}
		l.undo(c, l.door.retry)
		return
	}
	l.deadlines.set(c, c.deadline(l))
}

// hangUp gives up the connect that is under way.
func (l *loop) hangUp(c *conn) {
	if c.machine.fd >= 0 {
		_ = unix.Close(c.machine.fd)
	}
	c.machine = side{fd: -1}
}

// retry waits a moment before the same machine is tried again. A connection is never tried elsewhere.
func (d *door) retry(c *conn) {
	if d.now >= c.patience(d.loop) {
		d.turnAway(c, EndFailed)
		return
	}
	if d.park.Park && d.parked.Load() >= int64(d.park.ParkLimit) {
		d.turnAway(c, EndOverflowed)
		return
	}
	c.retryAt = d.now + min(retryFirst<<min(c.retries, 10), retryMost)
	c.retries++
	d.become(c, stateBackoff)
	d.deadlines.set(c, c.deadline(d.loop))
}

// dialled takes in what the kernel says of a connect.
func (l *loop) dialled(c *conn, events uint32) {
	if c.state != stateDialling {
		return
	}
	if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 && failure(c.machine.fd) != nil {
		l.undo(c, l.door.retry)
		return
	}
	if events&unix.EPOLLOUT == 0 {
		return
	}
	// A connect to a port of this machine at which nobody listens can, by chance, meet itself.
	if local(c.machine.fd) == netip.AddrPortFrom(c.target.Address.Unmap(), c.rule.spec.Load().BackendPort) {
		l.undo(c, l.door.retry)
		return
	}
	// Steer gives up every connect to an earlier target; this is what makes that a law.
	if now := c.rule.group.target.Load(); now == nil || *c.target != *now {
		l.undo(c, l.door.seek)
		return
	}
	l.open(c)
}

// open joins a client with its machine.
func (l *loop) open(c *conn) {
	retried := c.retries > 0
	l.door.found(c)
	c.state, c.opened, c.last = stateOpen, l.now, l.now
	c.client.writable, c.machine.writable = true, true
	c.rule.open.Add(1)
	if version := c.rule.spec.Load().ProxyOut; version > 0 {
		header, err := compose(version, c.address, c.facing())
		if err != nil {
			l.reset(c, EndFailed)
			return
		}
		l.mover.hold(&c.up, header)
	}
	l.deadlines.set(c, c.deadline(l))
	c.pump(l)
	if retried {
		l.door.encourage(c.rule)
	}
}

// facing is the address to which the client connected.
func (c *conn) facing() netip.AddrPort {
	if c.front.IsValid() {
		return c.front
	}
	return local(c.client.fd)
}

// encourage tries again for all who were refused by a machine that has just accepted somebody, in order.
func (d *door) encourage(r *rule) {
	for e := d.seekers.Front(); e != nil; {
		c := e.Value.(*conn)
		e = e.Next()
		if c.rule == r && c.state == stateBackoff {
			d.dial(c)
		}
	}
}

// share counts a busy connection, and has the loop with the fewest of them take it over; it tells whether that is another
// one. Only the door gives connections away: Steer has the door turn first, so that none passes by its judgement.
func (l *loop) share(c *conn) bool {
	to := l
	if l.isDoor {
		for _, other := range l.path.loops {
			if other.busy.Load() < to.busy.Load() {
				to = other
			}
		}
	}
	to.busy.Add(1)
	if to == l {
		return false
	}
	l.part(c)
	l.send(c, to, func() { to.welcome(c) })
	return true
}

// welcome takes over an open connection from the door.
func (l *loop) welcome(c *conn) {
	l.adopt(c)
	if l.watchSide(c, false) != nil || l.watchSide(c, true) != nil {
		l.reset(c, EndFailed)
		return
	}
	l.deadlines.set(c, c.deadline(l))
	c.pump(l)
}

// steer sends a group elsewhere: connects under way, clients that wait, and all that come.
func (d *door) steer(g *group, t *balancer.Target, old balancer.Old) {
	g.target.Store(t)
	for e := d.seekers.Front(); e != nil; {
		c := e.Value.(*conn)
		e = e.Next()
		switch {
		case c.rule.group != g, t == nil && c.state == stateParked:
		case t != nil && c.state == stateDialling && *c.target == *t:
			c.target = t // the same words again: what is under way is right
		default:
			d.hangUp(c)
			c.retries = 0
			d.become(c, stateDialling) // it no longer counts as one that waits
			d.seek(c)
		}
	}
	d.judge(g, t, old)
}

// judge looks at all connections of a group after it was sent elsewhere: those that are open, and those that the door
// entrusted to this loop and that are being connected. The door has seen to its own.
func (l *loop) judge(g *group, t *balancer.Target, old balancer.Old) {
	for _, c := range l.conns {
		switch {
		case c == nil || c.rule.group != g:
		case c.state == stateDialling && !l.isDoor && (t == nil || *c.target != *t):
			l.undo(c, l.door.seek)
		// One epoch has one machine. Should it ever seem to have two, only the one we are told of now counts.
		case c.state == stateOpen && t != nil && (c.target.Epoch < t.Epoch || c.target.Address != t.Address):
			c.superseded(l, *t, old)
		}
	}
}

// retire ends what belongs to rules that are gone.
func (l *loop) retire(old balancer.Old) {
	for _, c := range l.conns {
		if c == nil || !c.rule.gone.Load() || old.Keep {
			continue
		}
		switch c.state {
		case stateOpen:
			if !c.old || c.cutAt == never {
				c.superseded(l, balancer.Target{}, old)
			}
		case stateHeader:
			l.account(c, EndShutdown)
			l.sendAway(c)
		case stateParked, stateBackoff:
			l.turnAway(c, EndShutdown)
		case stateDialling:
			l.undo(c, func(c *conn) { l.door.turnAway(c, EndShutdown) })
		}
	}
}

// exhausted: no descriptor is left. One client is told so, with the descriptor that was kept for that; the others wait in
// the kernel's queue until some connection has ended.
func (d *door) exhausted(li *listener) {
	li.rule.count.exhausted.Add(1)
	if d.reserve >= 0 {
		_ = unix.Close(d.reserve)
		d.reserve = -1
		if fd, _, err := accept(li.fd); err == nil {
			_ = unix.Close(fd)
		}
		d.refillReserve()
	}
	if d.complainAt <= d.now {
		d.complainAt = d.now + complainTime
		d.path.o.Log.Warn("no descriptor is left for clients: they wait until others have gone", "rule", li.rule.name)
	}
	d.resumeAt = d.now + pauseTime
	for _, other := range d.listeners {
		other.listen(d.poll, 0)
	}
}

// resume accepts again.
func (d *door) resume() {
	d.resumeAt = never
	if d.reserve < 0 {
		d.refillReserve()
	}
	for _, li := range d.listeners {
		li.listen(d.poll, unix.EPOLLIN)
	}
}

func (d *door) refillReserve() {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		fd = -1 // it is tried again with the next pause
	}
	d.reserve = fd
}

func (d *door) retireListeners() {
	for _, li := range d.listeners {
		li.close()
	}
	clear(d.listeners)
}

// close gives up the listeners and the reserve.
func (d *door) close() {
	d.retireListeners()
	if d.reserve >= 0 {
		_ = unix.Close(d.reserve)
		d.reserve = -1
	}
}
