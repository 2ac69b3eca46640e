package lease

import "time"

// Trust is how long a holder may go on believing that it alone may run a node.
// All instants are readings of this machine's boot-time clock; they mean
// nothing on another machine or after a reboot.
type Trust struct {
	// Epoch is the fencing token of the term.
	Epoch uint64
	// Anchor is the clock reading taken before the write was sent that is
	// known to have produced the row.
	Anchor time.Duration
	// StopAt is when stopping begins and traffic ends: Anchor + L - K.
	StopAt time.Duration
	// DeadBy is when the last process must have been seen dead: Anchor + L.
	DeadBy time.Duration
}

// trustFrom counts from an anchor.
func (t Timing) trustFrom(epoch uint64, anchor time.Duration) Trust {
	return Trust{Epoch: epoch, Anchor: anchor, StopAt: anchor + t.Trust - t.Fence, DeadBy: anchor + t.Trust}
}

// KillAt is when what is left of the node gets SIGKILL: half of K is grace,
// half is kept for the kernel to end and reap the processes.
func (t Trust) KillAt() time.Duration { return t.StopAt + (t.DeadBy-t.StopAt)/2 }
