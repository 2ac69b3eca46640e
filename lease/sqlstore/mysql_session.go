package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/go-sql-driver/mysql"
)

// mysqlSession is a connection to the server that takes writes. Every statement is
// a transaction of its own: one that took several round trips would keep the row
// locked, for hours, where its machine died in between.
type mysqlSession struct{ *sql.Conn }

func (*mysqlSession) place() string { return "" }

// write counts found rows, not changed ones: to write what is already there is no
// refusal.
func (s *mysqlSession) write(ctx context.Context, _, statement string, args ...any) (int64, error) {
	result, err := s.ExecContext(ctx, statement, args...)
	if mysqlNumber(err) == duplicateKey {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (s *mysqlSession) insert(ctx context.Context, _, statement string, args ...any) (int64, error) {
	result, err := s.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// end gives the connection back, but for one to a server that takes no writes any
// more: the next call has to find the one that does.
func (s *mysqlSession) end(err error) error {
	if errors.Is(mysqlKind(mysqlNumber(err)), ErrReadOnly) {
		_ = s.Raw(func(any) error { return driver.ErrBadConn }) // the order to throw it away
	}
	if closed := s.Close(); err == nil {
		err = closed
	}
	return err
}

// mysqlNumber is the server's error number, zero where err is none of its.
func mysqlNumber(err error) uint16 {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}
