package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	mssql "github.com/microsoft/go-mssqldb"
)

// sqlserverSession is a connection to the replica that takes writes.
type sqlserverSession struct {
	*sql.Conn
	db   *sqlserverDB
	link *link
	done func() // the caller's context does not matter any more
}

// place is empty: SQL knows all of the incarnation.
func (*sqlserverSession) place() string { return "" }

// spell puts in the place of what Azure SQL Database does not know what it has instead.
func (s *sqlserverSession) spell(statement string) string {
	if s.link.azure {
		return spellAzure(statement)
	}
	return statement
}

func spellAzure(statement string) string {
	return strings.NewReplacer(sqlserverRecovery, sqlserverNoRecovery, sqlserverSees, sqlserverAzureSees,
		sqlserverEnds, sqlserverAzureEnds, sqlserverLooksUp, sqlserverAzureLooksUp).Replace(statement)
}

func (s *sqlserverSession) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.Conn.QueryContext(ctx, s.spell(query), args...)
}

func (s *sqlserverSession) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return s.Conn.QueryRowContext(ctx, s.spell(query), args...)
}

// write sends one batch in one round trip: the statement alone, which commits by
// itself, or the statement and its signal in a transaction.
func (s *sqlserverSession) write(ctx context.Context, signal, statement string, args ...any) (int64, error) {
	if signal != "" {
		changed, err := s.signalled(ctx, "@changed", signal, statement, args)
		return rivalled(changed, err)
	}
	result, err := s.ExecContext(ctx, s.spell(statement), args...)
	if err != nil {
		return rivalled(0, err)
	}
	return result.RowsAffected()
}

func (s *sqlserverSession) insert(ctx context.Context, signal, statement string, args ...any) (int64, error) {
	return s.signalled(ctx, "@id", signal, statement, args)
}

// signalled reads all of the answer: what the server says after the row counts too.
func (s *sqlserverSession) signalled(ctx context.Context, result, signal, statement string, args []any) (n int64, err error) {
	batch := signalled(statement, result, s.db.sql.raiseSignal, len(args))
	rows, err := s.Conn.QueryContext(ctx, s.spell(batch), append(args[:len(args):len(args)], signalRow(signal))...)
	if err != nil {
		return 0, err
	}
	answered := rows.Next()
	if answered {
		err = rows.Scan(&n)
	}
	for rows.Next() { // there is one row; the rest of the answer is read to its end
	}
	if err = errors.Join(err, rows.Err(), rows.Close()); err == nil && !answered {
		err = errNoAnswer
	}
	return n, err
}

// errNoAnswer is a batch that ended without its row and without an error.
var errNoAnswer = errors.New("the server ended its answer before the result")

// rivalled makes "nothing changed" of a key that is there already: the row was
// made by another between our look and our write, and ours was not written.
func rivalled(changed int64, err error) (int64, error) {
	var e mssql.Error
	if errors.As(err, &e) && (e.Number == 2627 || e.Number == 2601) {
		return 0, nil
	}
	return changed, err
}

// fatalClass is the severity from which on the server ends the connection.
const fatalClass = 20

// end gives the connection back. One that was cut, because its caller had gone or
// because the server is about to do so, is thrown away by the pool.
func (s *sqlserverSession) end(err error) error {
	var e mssql.Error
	if errors.As(err, &e) && e.Class >= fatalClass {
		s.link.cut()
	}
	s.done()
	if closed := s.Close(); err == nil {
		return closed
	}
	return err
}
