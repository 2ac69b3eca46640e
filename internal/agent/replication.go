package agent

import (
	"context"
	"time"

	"github.com/hotcold/hotcold/lease/sqlstore"
)

// replicationPause is between two looks at how the database is replicated: what
// is looked at changes by the hand of a person, or with a server that is lost.
const replicationPause = time.Minute

// replicationLook is when the database was last asked how it is replicated.
type replicationLook struct {
	due         time.Duration // boot clock
	incarnation string        // which database that was
}

// replication asks the database how it is replicated, where that is due: once a
// minute, and when it has failed over. What could not be asked is asked
// with the next announcement.
func (b *board) replication(ctx context.Context) {
	s, now := b.a.Snapshot(), b.a.o.Clock.Now().Boot
	if now < b.looked.due && s.Database.Incarnation == b.looked.incarnation {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, boardLimit)
	defer cancel()
	r, err := b.a.o.Database.Replication(ctx)
	if err != nil {
		b.a.o.Log.Debug("could not look at the replication", "err", err)
		return
	}
	b.looked = replicationLook{due: now + replicationPause, incarnation: s.Database.Incarnation}
	b.a.replicated(r)
}

// replicated takes in how the database is replicated.
func (a *Agent) replicated(r sqlstore.Replication) {
	was := a.Snapshot().Database.Replication
	if was == r {
		return
	}
	a.change(func(s *Snapshot) { s.Database.Replication = r })
	if was.Copies != r.Copies && was.Copies != "" {
		a.o.Log.Warn("the replication of the database has changed", "machine", a.o.Machine, "from", string(was.Copies), "to", string(r.Copies),
			"level", string(a.Snapshot().Guarantee.Level), "found", r.Text)
	}
}
