package balancer

import (
	"cmp"
	"container/heap"
	"net/netip"
	"slices"
	"time"
)

// Connection is one client as it is now.
type Connection struct {
	Rule   string
	Client netip.AddrPort
	// State is a word of the data path for how far it has come: "open" where client and machine are joined.
	State string
	// Target is the machine that it has, or is being connected to; nobody where it waits. Its name is empty where the
	// path knows the address only.
	Target Target
	// In are bytes from the client, Out those to it. Uncounted: the path does not know them.
	In, Out   uint64
	Uncounted bool
	// Age counts from when it came, Idle from when it carried something for the last time.
	Age, Idle time.Duration
	// Old: its epoch is over, and it drains or is kept.
	Old bool
}

// Connections are those of a path's connections that a person wants to see first: at first those of an earlier epoch,
// then those that are not open, then those that carried most, and of these the oldest. A path with thousands need not
// sort them all to show a few.
type Connections struct {
	limit int
	total int
	worst worstFirst
}

// NewConnections keeps so many at most.
func NewConnections(limit int) *Connections { return &Connections{limit: max(0, limit)} }

// Add counts one more, and keeps it if it is among the first.
func (c *Connections) Add(n Connection) {
	c.total++
	switch {
	case len(c.worst) < c.limit:
		heap.Push(&c.worst, n)
	case c.limit > 0 && compare(&n, &c.worst[0]) < 0:
		c.worst[0] = n
		heap.Fix(&c.worst, 0)
	}
}

// Total is how many were added.
func (c *Connections) Total() int { return c.total }

// First are those that were kept, in order.
func (c *Connections) First() []Connection {
	return slices.SortedFunc(slices.Values(c.worst), func(a, b Connection) int { return compare(&a, &b) })
}

// compare is negative where a is shown before b. It is what a path's goroutine does for each connection, so that the
// comparisons that cost more come last, and only where they count.
func compare(a, b *Connection) int {
	switch aWaits, bWaits := a.State != ConnectionOpen, b.State != ConnectionOpen; {
	case a.Old != b.Old:
		return before(a.Old)
	case aWaits != bWaits:
		return before(aWaits)
	}
	if c := cmp.Compare(b.In+b.Out, a.In+a.Out); c != 0 {
		return c
	}
	if c := cmp.Compare(b.Age, a.Age); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Rule, b.Rule); c != 0 {
		return c
	}
	return a.Client.Compare(b.Client)
}

func before(yes bool) int {
	if yes {
		return -1
	}
	return 1
}

// ConnectionOpen is the state of a connection whose client and machine are joined.
const ConnectionOpen = "open"

// worstFirst is a heap whose first element is the one that is shown last.
type worstFirst []Connection

func (w worstFirst) Len() int           { return len(w) }
func (w worstFirst) Less(i, j int) bool { return compare(&w[i], &w[j]) > 0 }
func (w worstFirst) Swap(i, j int)      { w[i], w[j] = w[j], w[i] }
func (w *worstFirst) Push(x any)        { *w = append(*w, x.(Connection)) }
func (w *worstFirst) Pop() any {
	last := len(*w) - 1
	x := (*w)[last]
	*w = (*w)[:last]
	return x
}
