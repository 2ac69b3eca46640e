package cli

import (
	"context"
	"io"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/lease/etcdstore"
	"github.com/hotcold/hotcold/lease/notice"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// database is where agents and operators meet: all that an agent needs, and the
// operators' side of the board.
type database interface {
	agent.Store
	historian
	counter
	locksmith
	io.Closer
}

// historian tells what happened to a lease.
type historian interface {
	// Events returns the newest events of a lease, newest first, at most limit.
	Events(ctx context.Context, lease string, limit int) ([]notice.Event, error)
}

// counter takes requests in and says what became of them.
type counter interface {
	// Ask puts a request up and returns its number.
	Ask(ctx context.Context, r notice.Request) (int64, error)
	// Request returns one in whatever state.
	Request(ctx context.Context, id int64) (notice.Request, error)
	// Withdraw takes one back that nobody accepted, and returns false where somebody did.
	Withdraw(ctx context.Context, id int64) (bool, error)
}

// locksmith locks the other machines' nodes out of what the node writes to.
type locksmith interface {
	agent.Fencer
	// FencingFaults says what would keep that from working, and what mends it.
	FencingFaults(ctx context.Context, f sqlstore.Fence) (faults, grants []string, err error)
}

// etcd is etcd as a database. No node writes to it under a role of its own, so
// that nobody is locked out of it.
type etcd struct{ *etcdstore.DB }

// Replication is what etcd is made for.
func (etcd) Replication(context.Context) (sqlstore.Replication, error) {
	return sqlstore.Replication{
		Copies: sqlstore.CopiesSynchronous, Text: "a majority of etcd's members has each write on disk before it is acknowledged", NoRoles: true,
	}, nil
}

func (etcd) Fence(context.Context, sqlstore.Fence) (sqlstore.Fenced, error) {
	return sqlstore.Fenced{}, sqlstore.ErrNoRoles
}

func (etcd) FencingFaults(context.Context, sqlstore.Fence) (faults, grants []string, err error) {
	return []string{sqlstore.ErrNoRoles.Error()}, nil, nil
}
