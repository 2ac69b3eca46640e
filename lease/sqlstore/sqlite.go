package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/hotcold/hotcold/internal/clock"
)

const (
	// sqlitePoll is how often a watcher looks for a signal: a hand-over is not held
	// up for long, and the looks of an idle agent are hardly to be measured.
	sqlitePoll = 50 * time.Millisecond
	// sqliteBusy limits the wait for a lock of another process where the
	// context does not end it sooner, in ms.
	sqliteBusy = "60000"
	// sqliteRollback limits the end of a transaction whose caller has gone.
	sqliteRollback = time.Second
	// sqliteIdle connections are kept: one for the lease, one for the board.
	sqliteIdle = 2
)

// sqliteWords: times are whole microseconds, of which SQLite knows milliseconds.
func sqliteWords() words {
	const now = "CAST(ROUND(unixepoch('subsec') * 1000) * 1000 AS INTEGER)"
	return words{
		text: "TEXT", number: "INTEGER", truth: "INTEGER", instant: "INTEGER",
		identity:    "INTEGER PRIMARY KEY AUTOINCREMENT",
		now:         "(" + now + ")",
		random:      "hex(randomblob(16))",
		incarnation: "(SELECT value FROM {p}meta WHERE name = 'incarnation')",
		micros:      func(column string) string { return column },
		age:         func(column string) string { return "(" + now + " - " + column + ")" },
		daysAgo:     func(days int) string { return fmt.Sprintf("(%s - %d)", now, int64(days)*24*3600*1_000_000) },
	}.standard()
}

// sqliteDB is a file on this machine.
type sqliteDB struct {
	path  string
	sql   statements
	log   *slog.Logger
	clock clock.Clock

	mu     sync.Mutex  // guards all below; never held across I/O
	file   *sqliteFile // the file that stood at path when it was last looked at
	closed bool
}

// sqliteFile is one file; another one at the same path is another database.
type sqliteFile struct {
	id   fileID
	pool *sql.DB

	mu    sync.Mutex // guards ready
	ready bool       // its tables are there
}

func newSQLite(c Config, clk clock.Clock) (*sqliteDB, error) {
	if strings.Contains(c.DSN, ":memory:") || strings.HasPrefix(c.DSN, "file:") {
		return nil, errors.New("the address of an SQLite database is the plain path of its file")
	}
	path, err := filepath.Abs(c.DSN)
	if err != nil {
		return nil, fmt.Errorf("find the database file: %w", err)
	}
	w := sqliteWords()
	return &sqliteDB{path: path, sql: compose(c.TablePrefix, w), log: c.Logger, clock: clk}, nil
}

func (*sqliteDB) words() words { return sqliteWords() }

// lend looks at the path first: whoever replaced or removed the file gets another
// database, with another incarnation, and never an answer of the old one.
func (q *sqliteDB) lend(ctx context.Context, _ lane) (session, error) {
	file, err := q.current()
	if err != nil {
		return nil, err
	}
	conn, err := file.pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	s := &sqliteSession{Conn: conn, db: q, file: file}
	if err := q.ensure(ctx, s); err != nil {
		return nil, s.end(err)
	}
	return s, nil
}

// current returns the file that stands at the path, and makes it where there is none.
func (q *sqliteDB) current() (*sqliteFile, error) {
	id, err := identify(q.path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(q.path); err != nil {
			return nil, err
		}
		id, err = identify(q.path)
	}
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	old, closed := q.file, q.closed
	q.mu.Unlock()
	switch {
	case closed:
		return nil, sql.ErrConnDone
	case old != nil && old.id == id:
		return old, nil
	}
	if err := localDrive(q.path, q.log); err != nil {
		return nil, err
	}
	return q.replace(old, id)
}

// replace puts the file with that id in the place of old.
func (q *sqliteDB) replace(old *sqliteFile, id fileID) (*sqliteFile, error) {
	fresh := &sqliteFile{id: id, pool: sql.OpenDB(&sqliteConnector{q.path, id})}
	fresh.pool.SetMaxIdleConns(sqliteIdle)
	q.mu.Lock()
	current := q.file
	won := current == old && !q.closed
	if won {
		q.file = fresh
	}
	q.mu.Unlock()
	if !won { // another call was faster, or close was
		err := fresh.pool.Close()
		if current == nil || current.id != id {
			return nil, errors.Join(errReplaced, err)
		}
		return current, err
	}
	if old != nil {
		q.log.Warn("the database file was replaced", "path", q.path)
		if err := old.pool.Close(); err != nil {
			q.log.Warn("the former database file could not be closed", "path", q.path, "err", err)
		}
	}
	return fresh, nil
}

// ensure makes the tables in a new file. Agents that do so at once wait for each other.
func (q *sqliteDB) ensure(ctx context.Context, s *sqliteSession) error {
	s.file.mu.Lock()
	ready := s.file.ready
	s.file.mu.Unlock()
	if ready {
		return nil
	}
	var found string
	err := s.QueryRowContext(ctx, q.sql.schemaVersion).Scan(&found)
	if err != nil && !errors.Is(err, sql.ErrNoRows) && code(err) != codes.SQLITE_ERROR {
		return err
	}
	if err != nil { // no such table, or a row that is not there yet
		if found, err = q.create(ctx, s); err != nil {
			return err
		}
	}
	if found != schemaVersion {
		return &SchemaError{Found: found}
	}
	s.file.mu.Lock()
	s.file.ready = true
	s.file.mu.Unlock()
	return nil
}

func (q *sqliteDB) create(ctx context.Context, s *sqliteSession) (version string, err error) {
	err = s.transact(ctx, func() (bool, error) {
		for _, statement := range q.sql.create {
			if _, err := s.ExecContext(ctx, statement); err != nil {
				return false, fmt.Errorf("create the tables: %w", err)
			}
		}
		return true, s.QueryRowContext(ctx, q.sql.schemaVersion).Scan(&version)
	})
	return version, err
}

// watch looks at a counter that every signal raises.
func (q *sqliteDB) watch(ctx context.Context, name string, changed func()) error {
	s, err := q.lend(ctx, leaseLane)
	if err != nil {
		return err
	}
	err = poll(ctx, q.clock, sqlitePoll, func() (string, error) { return q.signal(ctx, s, name) }, changed)
	return s.end(err)
}

func (q *sqliteDB) signal(ctx context.Context, s session, name string) (string, error) {
	if err := s.(*sqliteSession).unmoved(); err != nil {
		return "", err
	}
	var value string
	err := s.QueryRowContext(ctx, q.sql.signal, signalRow(name)).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, err
}

// signalRow is the name in the meta table of a lease's counter.
func signalRow(lease string) string { return "signal:" + lease }

func (q *sqliteDB) close() error {
	q.mu.Lock()
	file := q.file
	q.closed = true
	q.mu.Unlock()
	if file == nil {
		return nil
	}
	return file.pool.Close()
}

// code is SQLite's primary result code, zero where err is none of its.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

func (q *sqliteDB) judge(ctx context.Context, err error) error {
	switch code(err) {
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED, codes.SQLITE_INTERRUPT:
		return of(ErrBusy, err)
	case codes.SQLITE_READONLY:
		return of(ErrReadOnly, err)
	case codes.SQLITE_PERM, codes.SQLITE_AUTH:
		return of(ErrRights, err)
	case codes.SQLITE_FULL:
		return of(ErrDiskFull, err)
	case codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB:
		return of(ErrDamaged, err)
	case codes.SQLITE_CANTOPEN, codes.SQLITE_IOERR:
		return of(ErrUnreachable, err)
	}
	switch {
	case errors.Is(err, errReplaced):
		return of(ErrDoubt, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return of(ErrDiskFull, err)
	case errors.Is(err, syscall.EROFS):
		return of(ErrReadOnly, err)
	case errors.Is(err, fs.ErrPermission):
		return of(ErrRights, err)
	case errors.Is(err, fs.ErrNotExist), lost(ctx, err):
		return unreachable(ctx, err)
	}
	return err
}

// address escapes a path so that nothing in it is read as an option.
func address(path string) string {
	u := url.URL{Scheme: "file", Path: path, RawQuery: "_busy_timeout=" + sqliteBusy}
	return u.String()
}
