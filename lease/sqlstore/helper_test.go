package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// patience limits every wait for something that has to happen.
const patience = 30 * time.Second

func rename(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, c sqlstore.Config) *sqlstore.DB {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func openSQLite(t testing.TB, path string) *sqlstore.DB {
	t.Helper()
	return open(t, sqlstore.Config{Dialect: sqlstore.SQLite, DSN: path})
}

func openPostgres(t testing.TB, dsn string) *sqlstore.DB {
	t.Helper()
	return open(t, sqlstore.Config{Dialect: sqlstore.Postgres, DSN: dsn})
}

// kind is one of the databases, with all that a test of every one of them needs.
type kind struct {
	dialect string
	// fresh makes a new, empty database, to be used from several connections.
	fresh func(t testing.TB) sqlstore.Config
}

func kinds() []kind {
	return []kind{
		{sqlstore.SQLite, func(t testing.TB) sqlstore.Config {
			return sqlstore.Config{Dialect: sqlstore.SQLite, DSN: filepath.Join(t.TempDir(), "lease.db")}
		}},
		{sqlstore.Postgres, func(t testing.TB) sqlstore.Config {
			return sqlstore.Config{Dialect: sqlstore.Postgres, DSN: database(t)}
		}},
		{sqlstore.MariaDB, maria().fresh},
		{sqlstore.MySQL, mysqlOwn().fresh},
	}
}

// myKind is MySQL or MariaDB, which are one dialect, with all that a test of both needs.
type myKind struct {
	dialect string
	server  func(t testing.TB, settings ...string) *testserver.MySQLServer
	shared  func(t testing.TB) *testserver.MySQLServer
	pair    func(t testing.TB, semiSync bool, settings ...string) *testserver.MySQLPair
	// semiSync is what the source's variables begin with, and semiSyncWith what a server needs to have them.
	semiSync     string
	semiSyncWith []string
}

func maria() myKind {
	return myKind{sqlstore.MariaDB, testserver.MariaDB, testserver.SharedMariaDB, testserver.NewMariaDBPair, "rpl_semi_sync_master", nil}
}

func mysqlOwn() myKind {
	return myKind{sqlstore.MySQL, testserver.MySQL, testserver.SharedMySQL, testserver.NewMySQLPair, "rpl_semi_sync_source",
		[]string{"plugin_load_add=semisync_source.so"}}
}

// onEachMySQL runs a test on MySQL and on MariaDB, at once: most of it is waiting.
func onEachMySQL(t *testing.T, f func(t *testing.T, my myKind)) {
	for _, my := range []myKind{maria(), mysqlOwn()} {
		t.Run(my.dialect, func(t *testing.T) {
			t.Parallel()
			f(t, my)
		})
	}
}

// database makes a database of the test's own on the shared server.
func (k myKind) database(t testing.TB) string {
	t.Helper()
	return k.shared(t).CreateDatabase(t, fmt.Sprintf("db_%x", nameCounter.Add(1)))
}

func (k myKind) fresh(t testing.TB) sqlstore.Config {
	t.Helper()
	return sqlstore.Config{Dialect: k.dialect, DSN: k.database(t)}
}

// mysqlConn connects as another program does.
func mysqlConn(t testing.TB, dsn string) *sql.Conn {
	t.Helper()
	pool, err := mysqlPool(dsn)
	must(t, err)
	conn, err := pool.Conn(context.WithoutCancel(t.Context()))
	must(t, err)
	t.Cleanup(func() {
		_ = conn.Close() // its server may be gone by now
		_ = pool.Close()
	})
	return conn
}

func mysqlPool(dsn string) (*sql.DB, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, err
	}
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName, c.Logger = u.User.Username(), "tcp", u.Host, u.Path[1:], &mysql.NopLogger{}
	c.Passwd, _ = u.User.Password()
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// mysqlDo runs statements in the database of that address, in a clean-up too.
func mysqlDo(t testing.TB, dsn string, statements ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	conn := mysqlConn(t, dsn)
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func openMySQL(t testing.TB, dsn string) *sqlstore.DB {
	t.Helper()
	return open(t, sqlstore.Config{Dialect: sqlstore.MySQL, DSN: dsn}) // the two names are one dialect
}

var nameCounter atomic.Int64 // names of databases on the shared server

// database makes a database of the test's own on the shared server.
func database(t testing.TB) string {
	t.Helper()
	return testserver.SharedPostgres(t).CreateDatabase(t, fmt.Sprintf("db_%x", nameCounter.Add(1)))
}

// session connects as another program does.
func session(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(ctx) // its server may be gone by now
	})
	return conn
}

// do runs statements in the database of that address, in a clean-up too.
func do(t testing.TB, dsn string, statements ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if err := conn.Close(ctx); err != nil {
		t.Error(err)
	}
}

// eventually looks until f is content, with a limit.
func eventually(t testing.TB, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := f(ctx)
	for err != nil {
		if clock.Wait(ctx, clock.System(), 10*time.Millisecond) != nil {
			t.Fatalf("not within %v: %v", patience, err)
		}
		err = f(ctx)
	}
}

// within calls f with a context of that length.
func within(t testing.TB, d time.Duration, f func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return f(ctx)
}

// claimed writes the first row of a lease and returns what the database holds then.
func claimed(t testing.TB, db *sqlstore.DB, name string) lease.Observation {
	t.Helper()
	seen := observed(t, db, name)
	next := lease.Record{Name: name, Holder: "a", Nonce: "n", Boot: "b", Epoch: 1, Version: 1, Incarnation: seen.Incarnation,
		Update: 2 * time.Second, Wait: 10 * time.Second, Trust: 9 * time.Second, Fence: 3 * time.Second}
	swapped(t, db, seen, next)
	return observed(t, db, name)
}

func observed(t testing.TB, db *sqlstore.DB, name string) lease.Observation {
	t.Helper()
	o, err := db.Read(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func swapped(t testing.TB, db *sqlstore.DB, seen lease.Observation, next lease.Record) {
	t.Helper()
	if err := db.Swap(t.Context(), seen, next); err != nil {
		t.Fatal(err)
	}
}

// renewal is the row that the holder of seen writes next.
func renewal(seen lease.Observation) lease.Record {
	r := seen.Record
	r.Version++
	return r
}

// contextual renews held under the context it is given.
func contextual(db *sqlstore.DB, held lease.Observation) func(context.Context) error {
	return func(ctx context.Context) error { return db.Swap(ctx, held, renewal(held)) }
}

// timeout is closed after d.
func timeout(t testing.TB, d time.Duration) <-chan struct{} {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx.Done()
}

// lines is a log to look at.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
