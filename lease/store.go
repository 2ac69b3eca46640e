package lease

import (
	"context"
	"errors"
)

// Store keeps the rows of leases where all agents can reach them.
//
// leasetest holds the conformance suite; a Store that does not pass all of it
// is not safe. Packages sqlstore and etcdstore implement it.
//
// A context that ends bounds every call. The caller does not wait for a call
// that goes on after its context has ended, so a driver that hangs delays
// nobody.
type Store interface {
	// Read returns what the database holds under that name, and which
	// incarnation of the database answered, both as of one instant. It reads
	// from the server that takes writes, never from a replica.
	Read(ctx context.Context, name string) (Observation, error)

	// Swap writes next, in one atomic step, if what the database holds under
	// next.Name is still exactly seen, that is: the same row (holder, nonce,
	// epoch, version, released, the incarnation it was written under) or
	// still none, and the database still is seen.Incarnation. The row is
	// durable when Swap returns nil.
	//
	// ErrChanged means that nothing was written. Any other error means that
	// the outcome is unknown: the write may have happened, or may still
	// happen after Swap has returned.
	Swap(ctx context.Context, seen Observation, next Record) error

	// Watch calls changed, from its own goroutine and soon, after others
	// released a lease of that name. It is a hint to look and may be lost or
	// come without a reason. Watch blocks until ctx ends or it cannot watch
	// any more; the caller calls it again after a pause.
	Watch(ctx context.Context, name string, changed func()) error
}

// ErrChanged is returned by [Store.Swap] when the row, or the database, is not
// what was seen. Nothing was written.
var ErrChanged = errors.New("the row is not what was seen")
