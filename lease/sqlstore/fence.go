package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// Fence says who locks whom out of the database: the holder of a lease, under its
// epoch, the roles under which the nodes of the other machines log in.
type Fence struct {
	// Lease, Holder, Nonce and Epoch are what has to stand in the lease's row.
	// A holder of before finds another row, and changes nothing.
	Lease, Holder, Nonce string
	Epoch                uint64
	// Mine is the role of this machine's node, Others are those of all other machines'.
	Mine   string
	Others []string
}

// Fenced is what a fencing found and did.
type Fenced struct {
	// Ended is how many sessions of the other roles were ended.
	Ended int
	// Prepared is how many transactions the other roles have prepared and not
	// ended. Nobody but a superuser can commit them now; their locks stay.
	Prepared int
	// Took is how long it took.
	Took time.Duration
}

// locks is how a dialect locks roles out of its database. Every call runs on a
// session of its own; shut, end and open change nothing unless the lease's row is as
// the fence says, and return [lease.ErrChanged] otherwise. They compare and change in one transaction
// that holds the row, or in another way that leaves the last holder the last word. No lock that they leave
// behind on a server whose client froze keeps the next holder from it.
type locks interface {
	// shut takes their login from the others, and says in the dialect's own words
	// who may be in the midst of a login that was allowed before.
	shut(ctx context.Context, s session, f Fence) (pending string, err error)
	// end ends the sessions of the others and returns how many of theirs were
	// there, and how many of pending have not become a session yet. Both zero,
	// once: none is left, and none comes.
	end(ctx context.Context, s session, f Fence, pending string) (theirs, coming int, err error)
	// open ends what is left of our own role's sessions, gives it its login, and
	// records the epoch where an administrator looks, if there is such a place. It returns how
	// many transactions of the others are prepared.
	open(ctx context.Context, s session, f Fence) (prepared int, err error)
	// lacking says in words what would keep the rest from working, and the
	// statements with which an administrator mends it.
	lacking(ctx context.Context, s session, f Fence) (faults, grants []string, err error)
	// grants are the statements that give a role of agents what it needs.
	// The role is written as the dialect's variable.
	grants(f Fence) []string
}

// weak are [locks] that may miss somebody, and say whom: they make no level A.
type weak interface{ weakness() string }

var (
	// ErrNoRoles means that nobody can be locked out of a database: it knows no roles, or hotcold cannot do it there.
	ErrNoRoles = errors.New("nobody can be locked out of this database: fencing is not possible in it")
	// ErrSessionsLeft means that sessions of a role that has lost its login did not end in time.
	ErrSessionsLeft = errors.New("sessions of another machine's node are still there")
)

// fencePause is between two looks at sessions that have been told to end. An
// idle one is gone within a millisecond or two.
const fencePause = 5 * time.Millisecond

// Fence locks the roles of the other machines out, waits until none of their
// sessions is left, and lets our own role in. When it returns nil nothing that
// they send from then on reaches the database, but where [Replication] calls the fencing weak. [lease.ErrChanged] means that the lease is not held as f says;
// after any error our own role may have no login, and no node may be started.
// It tries until ctx ends. A second call with the same f does no harm.
func (d *DB) Fence(ctx context.Context, f Fence) (Fenced, error) {
	var done Fenced
	l := d.dialect.locks()
	if l == nil {
		return done, fmt.Errorf("lock the other machines' nodes out: %w", ErrNoRoles)
	}
	began := d.clock.Now()
	what := "lock " + strings.Join(f.Others, ", ") + " out of the database"
	var pending string
	err := d.run(ctx, boardLane, what, func(s session) error {
		var err error
		pending, err = l.shut(ctx, s, f)
		return err
	})
	if err != nil {
		return done, err
	}
	if err := d.untilCalm(ctx, l, f, pending, &done); err != nil {
		return done, fmt.Errorf("%s: %w", what, err)
	}
	err = d.run(ctx, boardLane, "let "+f.Mine+" into the database", func(s session) error {
		var err error
		done.Prepared, err = l.open(ctx, s, f)
		return err
	})
	done.Took = d.clock.Now().Boot - began.Boot
	return done, err
}

// untilCalm ends sessions until none is left and none is coming.
func (d *DB) untilCalm(ctx context.Context, l locks, f Fence, pending string, done *Fenced) error {
	for {
		var theirs, coming int
		err := d.run(ctx, boardLane, "end the sessions", func(s session) error {
			var err error
			theirs, coming, err = l.end(ctx, s, f, pending)
			return err
		})
		if err != nil {
			return err
		}
		done.Ended = max(done.Ended, theirs)
		if theirs+coming == 0 {
			return nil
		}
		if clock.Wait(ctx, d.clock, fencePause) != nil {
			return fmt.Errorf("%w: %d of theirs, %d logins under way (%w)", ErrSessionsLeft, theirs, coming, context.Cause(ctx))
		}
	}
}

// FencingFaults says in words what would keep [DB.Fence] from working for the
// roles of f, and the statements with which an administrator mends it. It changes nothing.
func (d *DB) FencingFaults(ctx context.Context, f Fence) (faults, grants []string, err error) {
	l := d.dialect.locks()
	if l == nil {
		return []string{ErrNoRoles.Error()}, nil, nil
	}
	err = d.run(ctx, boardLane, "look at the rights for fencing", func(s session) error {
		var err error
		faults, grants, err = l.lacking(ctx, s, f)
		return err
	})
	return faults, grants, err
}

// FencingSchema returns the statements that give the agents' role what
// [DB.Fence] needs, or nothing where the dialect cannot.
func FencingSchema(dialect string, f Fence) string {
	var l locks
	switch dialect {
	case Postgres:
		l = postgresLocks{}
	case MySQL, MariaDB:
		l = mysqlLocks{}
	case SQLServer:
		l = sqlserverLocks{}
	case Oracle:
		l = oracleLocks{}
	}
	if l == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n-- For fencing: the agents' role may lock the nodes' roles out.\n")
	for _, statement := range l.grants(f) {
		b.WriteString(statement + ";\n")
	}
	return b.String()
}
