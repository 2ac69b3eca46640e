package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/hotcold/hotcold/lease"
)

// postgresSession is a connection to the server that takes writes.
type postgresSession struct {
	*sql.Conn
	prefix string
}

func (*postgresSession) place() string { return "" }

// write sends one statement in one round trip. A signal goes with it, so that it
// is heard when, and only if, the write is committed.
func (s *postgresSession) write(ctx context.Context, signal, statement string, args ...any) (int64, error) {
	if signal != "" {
		statement = "WITH written AS (" + statement + " RETURNING 1) SELECT pg_notify('" + channel(s.prefix, signal) + "', '') FROM written"
	}
	result, err := s.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected() // of the SELECT: as many as were written
}

func (s *postgresSession) insert(ctx context.Context, signal, statement string, args ...any) (int64, error) {
	var (
		id   int64
		sent sql.RawBytes
	)
	rows, err := s.QueryContext(ctx, "WITH written AS ("+statement+" RETURNING id) SELECT id, pg_notify('"+channel(s.prefix, signal)+"', '') FROM written", args...)
	if err != nil {
		return 0, err
	}
	if rows.Next() {
		err = rows.Scan(&id, &sent)
	}
	return id, errors.Join(err, rows.Err(), rows.Close())
}

// end gives the connection back and looks whether the server took back what it
// answered.
func (s *postgresSession) end(err error) error {
	var doubt string
	raw := s.Raw(func(conn any) error {
		c, ok := conn.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the PostgreSQL driver is a %T", conn)
		}
		doubt = takeDoubt(c.Conn())
		return nil
	})
	closed := s.Close()
	switch {
	case doubt != "" && !errors.Is(err, lease.ErrChanged):
		return of(ErrDoubt, errors.Join(errors.New(doubt), err))
	case err != nil:
		return err
	}
	return errors.Join(raw, closed)
}

// doubtKey is where a connection keeps a warning until somebody asks.
const doubtKey = "hotcold.doubt"

// noteWarning keeps a warning that means that a commit was answered although it
// did not reach the synchronous standby: the row is there now and may be gone
// after a failover. Its text is in the server's language, so every warning with
// its SQLSTATEs counts: 01000 where the wait was cancelled, 57P01 where the
// session was ended.
func noteWarning(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" && (n.Code == "01000" || n.Code == "57P01") {
		c.CustomData()[doubtKey] = "the server warned: " + n.Message
	}
}

func takeDoubt(c *pgx.Conn) string {
	data := c.PgConn().CustomData()
	doubt, _ := data[doubtKey].(string)
	delete(data, doubtKey)
	return doubt
}
