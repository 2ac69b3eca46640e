package splice

import (
	"container/heap"
	"time"
)

// never is later than every deadline.
const never = time.Duration(1<<63 - 1)

// deadlines are the connections of a loop by when they have to be looked at. An entry is never later than the
// connection's true deadline, but may be earlier: a connection that carries bytes moves its deadline with every one, and
// is put right only when it is looked at.
type deadlines []*conn

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].lookAt < d[j].lookAt }
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].place, d[j].place = i, j
}

// Push is for package heap.
func (d *deadlines) Push(x any) {
	c := x.(*conn)
	c.place = len(*d)
	*d = append(*d, c)
}

// Pop is for package heap.
func (d *deadlines) Pop() any {
	old := *d
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*d = old[:len(old)-1]
	last.place = -1
	return last
}

// set says when c has to be looked at, if that is sooner than known.
func (d *deadlines) set(c *conn, at time.Duration) {
	switch {
	case c.place < 0 && at == never:
	case c.place < 0:
		c.lookAt = at
		heap.Push(d, c)
	case at < c.lookAt:
		c.lookAt = at
		heap.Fix(d, c.place)
	}
}

// move says when c has to be looked at, sooner or later.
func (d *deadlines) move(c *conn, at time.Duration) {
	if at == never {
		d.drop(c)
		return
	}
	c.lookAt = at
	heap.Fix(d, c.place)
}

// drop forgets c.
func (d *deadlines) drop(c *conn) {
	if c.place >= 0 {
		heap.Remove(d, c.place)
	}
}

// next is when the first has to be looked at.
func (d deadlines) next() time.Duration {
	if len(d) == 0 {
		return never
	}
	return d[0].lookAt
}
