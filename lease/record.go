package lease

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Record is the row of one lease, as one write left it.
type Record struct {
	// Name is the primary key: one lease per service.
	Name string
	// Holder names the instance that owns the lease: machine and base directory.
	Holder string
	// Nonce is new with every start of an agent, so that two agents that were
	// given one identity, or one agent before and after a restart, stay apart.
	Nonce string
	// Boot names the boot of the machine (and its process namespace) on which
	// the holder lives.
	Boot string
	// Epoch is the fencing token: greater by at least one with every change of holder.
	Epoch uint64
	// Version is greater by one with every write of the row.
	Version uint64
	// Released says that the holder has seen its node dead and gave the lease back.
	Released bool
	// Successor, where a released row has one, names the instance that is
	// meant to be next; everybody else waits the full wait interval.
	Successor string
	// Incarnation is that of the database under which the row was written.
	Incarnation string
	// Update, Wait, Trust and Fence are the holder's timing. An agent with
	// other numbers takes no part.
	Update, Wait, Trust, Fence time.Duration
	// Memo is carried for the agent and means nothing to the protocol. It has
	// at most [MaxMemoBytes] bytes.
	Memo string
}

// Keepable is an error where not every store could keep r, in the place of seen, so that it comes back as it was written.
// A store asks before it sends anything.
func (r Record) Keepable(seen Record) error {
	for name, n := range map[string]uint64{"epoch": r.Epoch, "version": r.Version, "epoch seen": seen.Epoch, "version seen": seen.Version} {
		if n > math.MaxInt64 {
			return fmt.Errorf("%s %d does not fit into 63 bits", name, n)
		}
	}
	for name, text := range map[string]string{"name": r.Name, "holder": r.Holder, "nonce": r.Nonce, "boot": r.Boot,
		"successor": r.Successor, "incarnation": r.Incarnation, "memo": r.Memo} {
		if err := keepable(text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for name, d := range map[string]time.Duration{"update": r.Update, "wait": r.Wait, "trust": r.Trust, "fence": r.Fence} {
		if d%time.Microsecond != 0 {
			return fmt.Errorf("%s %v is finer than a microsecond", name, d)
		}
	}
	if r.Name == "" {
		return errors.New("a lease needs a name")
	}
	return nil
}

// MaxMemoBytes bounds [Record.Memo]; every dialect has a column of that size.
const MaxMemoBytes = 2000

// Observation is one answer of the database about one lease.
type Observation struct {
	// Exists is false where the database has no row of that name.
	Exists bool
	// Record is the row; only its Name is set where Exists is false.
	Record Record
	// Incarnation is what the database was when it answered: it changes when
	// the database fails over, is restored, or is replaced by another one.
	Incarnation string
	// WrittenAt and Age are by the database's own clock, for people only: no
	// decision is made from them.
	WrittenAt time.Time
	Age       time.Duration
}

// key is all that a compare-and-set compares, and all that has to stand still
// while a challenger waits.
type key struct {
	exists         bool
	holder, nonce  string
	epoch, version uint64
	released       bool
	writtenUnder   string // incarnation in the row
	answeredUnder  string // incarnation of the database
}

func (o Observation) key() key {
	r := o.Record
	return key{o.Exists, r.Holder, r.Nonce, r.Epoch, r.Version, r.Released, r.Incarnation, o.Incarnation}
}

// Same tells whether nothing that decides about the lease differs between two
// observations.
func (o Observation) Same(p Observation) bool { return o.key() == p.key() }

// String describes the observation for a log line.
func (o Observation) String() string {
	r := o.Record
	switch {
	case !o.Exists:
		return fmt.Sprintf("lease %q has never been held", r.Name)
	case r.Released:
		return fmt.Sprintf("lease %q was released by %s at epoch %d, version %d", r.Name, r.Holder, r.Epoch, r.Version)
	}
	return fmt.Sprintf("lease %q is held by %s at epoch %d, version %d", r.Name, r.Holder, r.Epoch, r.Version)
}

// Identity is who an agent is to the others.
type Identity struct {
	// Instance is the machine's name and the node's base directory.
	Instance string
	// Nonce is random and new with every start of an agent.
	Nonce string
	// Boot names this boot of the machine and its process namespace.
	Boot string
}

// owns tells whether the row was written by this very agent.
func (id Identity) owns(o Observation) bool {
	return o.Exists && o.Record.Holder == id.Instance && o.Record.Nonce == id.Nonce
}
