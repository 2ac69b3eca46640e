package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// Fencer locks the nodes of the other machines out of what the node writes to, if
// the lease is held as the fence says. [*sqlstore.DB] is one.
type Fencer interface {
	Fence(ctx context.Context, f sqlstore.Fence) (sqlstore.Fenced, error)
}

// LockOut says who is locked out before the node is started.
type LockOut struct {
	// By does it; nil: nobody is locked out.
	By Fencer
	// Mine is the role under which this machine's node logs in to the database,
	// Others are those of the other machines' nodes.
	Mine   string
	Others []string
}

// lockOutLimit bounds one try. Sessions end within milliseconds; one that hangs
// on the server's own disk may take seconds. The lease is renewed meanwhile.
const lockOutLimit = 10 * time.Second

// errLockOutLimit is why a try was given up.
var errLockOutLimit = fmt.Errorf("not done within %v", lockOutLimit)

// lockOut locks the other machines' nodes out of the database. It returns false
// where no node may be started in this term, and then what the term leaves.
func (a *Agent) lockOut(ctx context.Context, g grant) (lease.Ending, bool) {
	if a.o.LockOut.By == nil {
		return lease.Ending{}, true
	}
	a.enter(Starting, "locking the other machines' nodes out of the database")
	var s streak
	for {
		err := a.tryLockOut(ctx, g.Trust().Epoch)
		if ctx.Err() != nil {
			return a.ended(ctx), false
		}
		n := afterFencing(a.o.Restart, s, err)
		switch s = n.streak; {
		case n.start:
			a.enter(Starting, "the lease is ours")
			return lease.Ending{}, true
		case n.lost:
			<-ctx.Done() // the next renewal is refused, and trust ends in any case
			return a.ended(ctx), false
		case n.handOver:
			return a.giveUp(g, s, err.Error()), false
		}
		a.enter(Starting, fmt.Sprintf("locking out is tried again in %v: %v", n.after, err))
		if clock.Wait(ctx, a.o.Clock, n.after) != nil {
			return a.ended(ctx), false
		}
	}
}

// tryLockOut tries once, and tells what came of it.
func (a *Agent) tryLockOut(ctx context.Context, epoch uint64) error {
	f := a.o.LockOut
	limited, cancel := context.WithTimeoutCause(ctx, lockOutLimit, errLockOutLimit)
	defer cancel()
	done, err := f.By.Fence(limited, sqlstore.Fence{
		Lease: a.o.Lease, Holder: a.o.Self.Instance, Nonce: a.o.Self.Nonce, Epoch: epoch, Mine: f.Mine, Others: f.Others,
	})
	if err != nil {
		a.change(func(s *Snapshot) {
			s.Counters.LockOutFailures++
			s.Fencing.Error = err.Error()
		})
		if ctx.Err() == nil {
			a.o.Log.Warn("the other machines' nodes could not be locked out of the database", "machine", a.o.Machine, "epoch", epoch,
				"roles", f.Others, "err", err)
		}
		return err
	}
	now := a.o.Clock.Now()
	a.change(func(s *Snapshot) {
		s.Counters.LockOuts++
		s.Fencing.Epoch, s.Fencing.At, s.Fencing.Seconds, s.Fencing.Prepared, s.Fencing.Error = epoch, now.Wall, done.Took.Seconds(), done.Prepared, ""
	})
	text := fmt.Sprintf("locked %s out of the database, ended %s", strings.Join(f.Others, ", "), sessions(done.Ended))
	a.o.Log.Info("locked the other machines' nodes out of the database", "machine", a.o.Machine, "epoch", epoch,
		"roles", f.Others, "sessions", done.Ended, "took", done.Took.Round(time.Microsecond))
	if done.Prepared > 0 {
		text += fmt.Sprintf("; %d of their transactions are prepared and hold their locks", done.Prepared)
		a.o.Log.Warn("prepared transactions of another machine's node hold their locks: commit them or roll them back by hand",
			"machine", a.o.Machine, "epoch", epoch, "prepared", done.Prepared)
	}
	a.note(EventLockedOut, epoch, Document{Text: text, Seconds: done.Took.Seconds()})
	return nil
}

func sessions(n int) string {
	if n == 1 {
		return "1 session"
	}
	return fmt.Sprintf("%d sessions", n)
}

// afterLockOut is what becomes of a start after a try to lock the others out.
type afterLockOut struct {
	start bool // they are locked out: the node may be started
	lost  bool // the lease is somebody else's: nothing is to be done but to leave
	next       // else
}

// afterFencing decides whether a node may be started, and if not, whether it is
// tried again here or handed over. Nothing but success starts a node.
func afterFencing(p Restart, s streak, err error) afterLockOut {
	switch {
	case err == nil:
		return afterLockOut{start: true, next: next{streak: s}}
	case errors.Is(err, lease.ErrChanged):
		return afterLockOut{lost: true, next: next{streak: s}}
	}
	hopeless := errors.Is(err, sqlstore.ErrRights) || errors.Is(err, sqlstore.ErrNoRoles)
	return afterLockOut{next: afterEnd(p, s, ending{reason: err.Error(), hopeless: hopeless})}
}

// promise is all that the guarantee hangs on.
type promise struct {
	replication sqlstore.Replication
	fencing     sqlstore.Fencing
}

// promise tells what the guarantee hangs on at this moment. A fence counts in the
// term in which it was made and in no other.
func (s Snapshot) promise() promise {
	p := promise{replication: s.Database.Replication, fencing: sqlstore.FencingOff}
	switch {
	case s.Fencing.On && s.holds() && s.Fencing.Epoch == s.Trust.Epoch:
		p.fencing = sqlstore.FencingDone
	case s.Fencing.On:
		p.fencing = sqlstore.FencingDue
	}
	return p
}

// guarantee names the level of a promise; nothing is said before the database was looked at.
func (p promise) guarantee() sqlstore.Guarantee {
	if p.replication.Copies == "" {
		return sqlstore.Guarantee{}
	}
	return sqlstore.GuaranteeOf(p.replication, p.fencing)
}
