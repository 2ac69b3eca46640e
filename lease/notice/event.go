package notice

import "time"

// Event is a line of a lease's history.
type Event struct {
	// ID grows from one event to the next; the store gives it.
	ID              int64
	Lease, Instance string
	Kind            string
	Epoch           uint64
	// Document is JSON that means nothing here.
	Document []byte
	// At is by the store's clock.
	At time.Time
}
