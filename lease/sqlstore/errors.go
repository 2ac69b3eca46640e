package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// Kinds of errors, for errors.Is. They say what a person has to look at; what
// became of a write is unknown after every one of them.
var (
	// ErrUnreachable means that no answer came: no connection, a lost one, or
	// a context that ended first.
	ErrUnreachable = errors.New("the database does not answer")
	// ErrLogin means that the server refused the role, its password or the
	// name of the database.
	ErrLogin = errors.New("the database refused the login")
	// ErrRights means that the role may not do what hotcold does.
	ErrRights = errors.New("the database role lacks a right")
	// ErrReadOnly means that this server or file takes no writes now.
	ErrReadOnly = errors.New("the database takes no writes")
	// ErrDiskFull means that the database has no space left.
	ErrDiskFull = errors.New("the disk of the database is full")
	// ErrBusy means that somebody else held a lock for too long.
	ErrBusy = errors.New("the database is kept busy by another session")
	// ErrDamaged means that the file is no database, or a broken one.
	ErrDamaged = errors.New("the database is damaged")
	// ErrNetworkDrive means that a file cannot serve as the database because
	// its drive does not keep the promises that SQLite needs.
	ErrNetworkDrive = errors.New("the database file is on a network drive")
	// ErrUnsuited means that this kind of set-up cannot keep a lease.
	ErrUnsuited = errors.New("the database is not one that can keep the lease")
	// ErrDoubt means that the database answered and took the answer back: a
	// commit that did not reach the standby, a file that was replaced.
	ErrDoubt = errors.New("the outcome is unknown")
)

// kindError gives a cause one of the kinds above.
type kindError struct{ kind, cause error }

// Error is one line, whatever drivers and joined errors do.
func (e *kindError) Error() string {
	lines := strings.NewReplacer(":\n\t", ": ", "\n\t", "; ", "\n", "; ")
	return e.kind.Error() + ": " + lines.Replace(e.cause.Error())
}

func (e *kindError) Unwrap() []error { return []error{e.kind, e.cause} }

// of makes err one of kind, unless it is already one.
func of(kind, err error) error {
	if errors.Is(err, kind) {
		return err
	}
	return &kindError{kind, err}
}

// SchemaError says that the tables are not as they have to be and that this role
// cannot make them so.
type SchemaError struct {
	// Missing are the tables that are not there.
	Missing []string
	// Found is the version of the tables where it is not Version.
	Found string
	// Err is what the database said, or nil.
	Err error
}

func (e *SchemaError) Error() string {
	if e.Found != "" {
		return fmt.Sprintf("the tables have version %q and this hotcold knows version %s: run the same hotcold on both machines", e.Found, schemaVersion)
	}
	text := "the tables " + strings.Join(e.Missing, ", ") + " are missing"
	if len(e.Missing) == 0 {
		text = "a table is missing"
	}
	if e.Err != nil {
		text += " and this role may not create them (" + e.Err.Error() + ")"
	}
	return text + ": let an administrator run what `hotcold schema --print` prints"
}

func (e *SchemaError) Unwrap() error { return e.Err }

// RightsError names the rights that the role lacks. It matches [ErrRights].
type RightsError struct {
	// Missing has an entry such as "UPDATE on hotcold_lease" for each.
	Missing []string
}

func (e *RightsError) Error() string {
	return ErrRights.Error() + ": " + strings.Join(e.Missing, ", ") +
		": let an administrator grant it (`hotcold schema --print` prints the statements)"
}

// Is makes the error match [ErrRights].
func (e *RightsError) Is(target error) bool { return target == ErrRights }

// unreachable is [ErrUnreachable] with why the caller's context ended, if it did.
func unreachable(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w (%w)", err, cause)
	}
	return of(ErrUnreachable, err)
}

// lost finds the errors of any driver that mean a lost or silent connection.
func lost(ctx context.Context, err error) bool {
	var network net.Error
	return ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.As(err, &network)
}
