package agent

import (
	"context"

	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/notice"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// Store is where agents meet: the row of the lease, and the board. Packages
// sqlstore and etcdstore have one each.
type Store interface {
	lease.Store
	Roster
	Journal
	Desk
	Keeper
}

// Roster has what the agents of a lease last said of themselves.
type Roster interface {
	// Announce writes the word of one start of an agent, or writes it anew.
	Announce(ctx context.Context, i notice.Instance) error
	// Instances returns every word that is kept of a lease, by ID and newest first.
	Instances(ctx context.Context, lease string) ([]notice.Instance, error)
}

// Journal is the history of leases.
type Journal interface {
	// Append adds an event. Its ID and its time are the store's.
	Append(ctx context.Context, e notice.Event) error
	// Events returns the newest events of a lease, newest first, at most limit.
	Events(ctx context.Context, lease string, limit int) ([]notice.Event, error)
}

// Desk is where operators' requests lie.
type Desk interface {
	// Requests returns the open and accepted requests of a lease, oldest first.
	Requests(ctx context.Context, lease string) ([]notice.Request, error)
	// Accept takes a request on in the name of by, and returns false where
	// another did or it has ended. Asking twice is no harm.
	Accept(ctx context.Context, id int64, by string) (bool, error)
	// Answer ends a request as done or refused. It returns false where it has
	// that very answer; one that ended otherwise is [notice.ErrEnded].
	Answer(ctx context.Context, id int64, state, text string) (bool, error)
}

// Keeper says how far it keeps what it has acknowledged.
type Keeper interface {
	// Replication says it of this moment.
	Replication(ctx context.Context) (sqlstore.Replication, error)
}
