package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/lease"
)

// DB is a database in which agents meet: the store of their leases and the board
// on which they and their operators leave word for each other.
type DB struct {
	dialect  dialect
	sql      statements
	log      *slog.Logger
	clock    clock.Clock
	asserted Copies        // how it is replicated, as a person vouches for; empty: it is looked for
	written  atomic.Uint64 // announcements and events, to prune now and then
}

var _ lease.Store = (*DB)(nil)

// lane keeps the lease apart from everything else: a renewal never waits for a
// connection that the board uses.
type lane int

const (
	leaseLane lane = iota
	boardLane
	lanes
)

// dialect is what differs from one database to another.
type dialect interface {
	// words are the pieces of SQL that differ.
	words() words
	// lend gives a connection to a database that has the tables, and makes
	// them if need be.
	lend(ctx context.Context, l lane) (session, error)
	// judge finds the kind of an error.
	judge(ctx context.Context, err error) error
	// watch is [lease.Store.Watch].
	watch(ctx context.Context, name string, changed func()) error
	// replication finds out how the database is replicated, with a few statements.
	replication(ctx context.Context, s session) (Replication, error)
	// locks is how roles are locked out; nil where the database knows none.
	locks() locks
	close() error
}

// session is one connection, lent for one call.
type session interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	// write runs one statement as a transaction of its own and returns how
	// many rows it changed. Where that is one or more and signal is not
	// empty, whoever watches the lease of that name is woken with the commit.
	write(ctx context.Context, signal, statement string, args ...any) (int64, error)
	// insert is write for one row whose id the database gives.
	insert(ctx context.Context, signal, statement string, args ...any) (id int64, err error)
	// place is the part of the database's incarnation that SQL does not know.
	place() string
	// end gives the connection back. It returns err, or what makes an answer
	// that came on this connection unknown.
	end(err error) error
}

// run lends a connection to f and says what was tried in every error.
func (d *DB) run(ctx context.Context, l lane, what string, f func(session) error) error {
	s, err := d.dialect.lend(ctx, l)
	if err == nil {
		err = s.end(f(s))
	}
	if err == nil || errors.Is(err, lease.ErrChanged) {
		return err
	}
	return fmt.Errorf("%s: %w", what, d.dialect.judge(ctx, err))
}

// Close gives all connections back. Calls that are under way end with an error.
func (d *DB) Close() error {
	if err := d.dialect.close(); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}
