package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"modernc.org/sqlite"
)

// sqliteSession is a connection to one file.
type sqliteSession struct {
	*sql.Conn
	db   *sqliteDB
	file *sqliteFile
}

// place makes the file's identity a part of the incarnation: a copy that was put
// in its place has the same random name inside.
func (s *sqliteSession) place() string { return s.file.id.String() }

// unmoved tells whether the file at the path is still the one of this session.
func (s *sqliteSession) unmoved() error {
	now, err := identify(s.db.path)
	if err != nil {
		return errors.Join(errReplaced, err)
	}
	if now != s.file.id {
		return errReplaced
	}
	return nil
}

func (s *sqliteSession) end(err error) error {
	moved := s.unmoved()
	if closed := s.Close(); closed != nil && err == nil {
		err = closed
	}
	// What was read or written was another file's. An error from before this
	// look may not be believed either: nothing was changed *there*.
	if moved != nil {
		return moved
	}
	return err
}

func (s *sqliteSession) write(ctx context.Context, signal, statement string, args ...any) (int64, error) {
	rows, _, err := s.change(ctx, signal, statement, args)
	return rows, err
}

func (s *sqliteSession) insert(ctx context.Context, signal, statement string, args ...any) (int64, error) {
	_, id, err := s.change(ctx, signal, statement, args)
	return id, err
}

func (s *sqliteSession) change(ctx context.Context, signal, statement string, args []any) (rows, id int64, err error) {
	err = s.transact(ctx, func() (bool, error) {
		result, err := s.ExecContext(ctx, statement, args...)
		if err != nil {
			return false, err
		}
		if rows, err = result.RowsAffected(); err != nil || rows == 0 {
			return false, err
		}
		if id, err = result.LastInsertId(); err != nil || signal == "" {
			return err == nil, err
		}
		_, err = s.ExecContext(ctx, s.db.sql.raiseSignal, signalRow(signal))
		return true, err
	})
	return rows, id, err
}

// transact holds the write lock while f runs, and commits if f says so. The
// statements go through ExecContext, not through sql.Tx: there the context also
// ends the wait for a reader's lock at COMMIT.
func (s *sqliteSession) transact(ctx context.Context, f func() (commit bool, err error)) error {
	if _, err := s.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		// Where the context ended, the transaction may have begun all the same.
		return errors.Join(err, s.rollback(ctx))
	}
	commit, err := f()
	if err == nil && commit {
		if _, err = s.ExecContext(ctx, "COMMIT"); err == nil {
			return nil
		}
	}
	return errors.Join(err, s.rollback(ctx))
}

// rollback ends a transaction even where the context has ended. A connection on
// which that does not work is thrown away, which ends it too.
func (s *sqliteSession) rollback(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sqliteRollback)
	defer cancel()
	if _, err := s.ExecContext(ctx, "ROLLBACK"); err == nil {
		return nil
	}
	// A failed COMMIT may have ended the transaction itself, so the failure
	// says nothing; what matters is that nobody uses the connection again.
	err := s.Raw(func(any) error { return driver.ErrBadConn })
	if errors.Is(err, driver.ErrBadConn) {
		return nil
	}
	return err
}

// sqliteConnector opens connections to one file and to no other.
type sqliteConnector struct {
	path string
	id   fileID
}

func (c *sqliteConnector) Driver() driver.Driver { return &sqlite.Driver{} }

// pragmas: a rollback journal, because a file that is put in the place of
// another must not meet the other's write-ahead log; truncated and synced at
// each commit, which makes the commit durable when it returns.
func pragmas() []string {
	return []string{"PRAGMA journal_mode = TRUNCATE", "PRAGMA synchronous = FULL"}
}

func (c *sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	conn, err := c.Driver().Open(address(c.path))
	if err != nil {
		return nil, err
	}
	if err := c.prepare(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func (c *sqliteConnector) prepare(ctx context.Context, conn driver.Conn) error {
	execer, ok := conn.(driver.ExecerContext)
	if !ok {
		return fmt.Errorf("the SQLite driver %T takes no context", conn)
	}
	for _, pragma := range pragmas() {
		if _, err := execer.ExecContext(ctx, pragma, nil); err != nil {
			return fmt.Errorf("set up the connection: %w", err)
		}
	}
	if now, err := identify(c.path); err != nil || now != c.id {
		return errors.Join(errReplaced, err)
	}
	return nil
}
