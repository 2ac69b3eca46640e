package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/sijms/go-ora/v2"
)

// oracleCharset holds every character in the bytes that the tables count with.
const oracleCharset = "AL32UTF8"

var errOracleStandby = errors.New("the database is a standby (DATABASE_ROLE is not PRIMARY); the lease needs the primary")

// oracleConnector opens the connections of a pool.
type oracleConnector struct{ dsn string }

func newOracleConnector(c Config) (*oracleConnector, error) {
	const want = "want oracle://user:password@host:port/service (it is not shown, it may hold a password)"
	if !strings.HasPrefix(c.DSN, "oracle://") {
		return nil, errors.New("the address of an Oracle database cannot be read; " + want)
	}
	if _, err := go_ora.ParseConfig(c.DSN); err != nil { // its text may quote a value
		return nil, errors.New("the address of the Oracle database cannot be read; " + want)
	}
	return &oracleConnector{c.DSN}, nil
}

func (*oracleConnector) Driver() driver.Driver { return go_ora.NewDriver() }

// Connect gives each connection a dialler of its own, so that it can be cut.
func (c *oracleConnector) Connect(ctx context.Context) (driver.Conn, error) {
	l := &link{sockets: map[*socket]bool{}}
	connector, ok := go_ora.NewConnector(c.dsn).(*go_ora.OracleConnector)
	if !ok {
		return nil, errors.New("the Oracle driver's connector takes no dialler")
	}
	connector.Dialer(l)
	stop := context.AfterFunc(ctx, l.cut)
	defer stop()
	inner, err := connector.Connect(ctx)
	if err != nil {
		l.cut()
		return nil, err
	}
	conn, ok := inner.(*go_ora.Connection)
	if !ok {
		l.cut()
		return nil, fmt.Errorf("the Oracle driver is a %T", inner)
	}
	if err := openOracle(ctx, conn, l); err != nil {
		l.cut()
		return nil, errors.Join(err, conn.Close())
	}
	return &oracleConn{conn, l}, nil
}

// executor is what a session is set up with.
type executor interface {
	driver.ExecerContext
	driver.QueryerContext
}

// openOracle sets a session up and refuses a database that can keep no lease.
func openOracle(ctx context.Context, conn executor, l *link) error {
	if _, err := conn.ExecContext(ctx, oracleOpening(), nil); err != nil {
		return fmt.Errorf("set the session up: %w", err)
	}
	answer, err := oracleRow(ctx, conn, oraclePlace, 2)
	if err != nil {
		return fmt.Errorf("set the session up: %w", err)
	}
	switch {
	case fmt.Sprint(answer[0]) != "PRIMARY":
		return of(ErrReadOnly, errOracleStandby)
	case fmt.Sprint(answer[1]) != oracleCharset:
		return fmt.Errorf("the database has the character set %v; hotcold wants %s", answer[1], oracleCharset)
	}
	_, err = oracleRow(ctx, conn, oracleProbe, 1)
	switch oracleCode(err) {
	case 942, 1031, 41900: // this user may not read it
		l.partial, err = true, nil
	}
	if err != nil {
		return fmt.Errorf("set the session up: %w", err)
	}
	return nil
}

func oracleRow(ctx context.Context, conn driver.QueryerContext, query string, columns int) ([]driver.Value, error) {
	rows, err := conn.QueryContext(ctx, query, nil)
	if err != nil {
		return nil, err
	}
	answer := make([]driver.Value, columns)
	err = rows.Next(answer)
	return answer, errors.Join(err, rows.Close())
}

// oracleConn is the driver's connection with its sockets.
type oracleConn struct {
	*go_ora.Connection
	link *link
}

func (c *oracleConn) wire() *link { return c.link }

// ResetSession looks, without a round trip, whether a connection from the pool has
// anything to read: an idle server says nothing unless it says goodbye.
func (c *oracleConn) ResetSession(ctx context.Context) error {
	if err := c.Connection.ResetSession(ctx); err != nil {
		return err
	}
	return c.link.quiet()
}

// IsValid is asked when a connection is given back.
func (c *oracleConn) IsValid() bool { return !c.link.gone() }

// oracleSession is a connection to the primary.
type oracleSession struct {
	*sql.Conn
	db   *oracleDB
	link *link
	done func() // the caller's context does not matter any more
}

func (*oracleSession) place() string { return "" }

// spell leaves out of a statement what this user may not read.
func (s *oracleSession) spell(statement string) string {
	if s.link.partial {
		return strings.ReplaceAll(statement, oracleReset, oracleNoReset)
	}
	return statement
}

func (s *oracleSession) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.Conn.QueryContext(ctx, s.spell(query), oracleValues(args)...)
}

func (s *oracleSession) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return s.Conn.QueryRowContext(ctx, s.spell(query), oracleValues(args)...)
}

// oracleValues are arguments as NUMBER(1) wants its truths.
func oracleValues(args []any) []any {
	all := make([]any, len(args))
	for i, arg := range args {
		all[i] = arg
		if truth, ok := arg.(bool); ok {
			all[i] = int64(0)
			if truth {
				all[i] = int64(1)
			}
		}
	}
	return all
}

// write is one round trip without a signal, and a transaction with one.
func (s *oracleSession) write(ctx context.Context, signal, statement string, args ...any) (n int64, err error) {
	if signal == "" {
		result, err := s.ExecContext(ctx, s.spell(statement), oracleValues(args)...)
		return oracleCount(result, err)
	}
	err = s.transact(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, s.spell(statement), oracleValues(args)...)
		if n, err = oracleCount(result, err); err != nil || n == 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, s.db.sql.raiseSignal, signalRow(signal))
		return err
	})
	return n, err
}

// oracleCount makes "nothing changed" of a key that is there already: ours was not written.
func oracleCount(result sql.Result, err error) (int64, error) {
	if oracleCode(err) == 1 {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (s *oracleSession) insert(ctx context.Context, signal, statement string, args ...any) (id int64, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, oracleNumber(s.db.prefix)).Scan(&id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, statement, append(oracleValues(args), id)...); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, s.db.sql.raiseSignal, signalRow(signal))
		return err
	})
	return id, err
}

// transact commits what f has done, or none of it. A connection on which not even
// that much is certain is thrown away, which ends the transaction too.
func (s *oracleSession) transact(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err = f(tx); err == nil {
		err = tx.Commit()
	} else if undone := tx.Rollback(); undone != nil {
		s.link.cut()
	}
	if errors.Is(err, sql.ErrTxDone) { // the context ended it, and rolled it back or not
		s.link.cut()
	}
	return err
}

func (s *oracleSession) end(err error) error {
	s.done()
	if closed := s.Close(); err == nil {
		return closed
	}
	return err
}
