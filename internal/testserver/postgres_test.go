package testserver_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hotcold/hotcold/internal/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

func TestPostgresKeepsCommittedRowsThroughAKill(t *testing.T) {
	s := testserver.Postgres(t)
	s.Exec(t, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (42)")
	s.Kill(t)
	if err := selectOne(t, s.DSN(), time.Second); err == nil {
		t.Fatal("a killed server answered")
	}
	s.Start(t)
	if got := selectInt(t, s.DSN(), "SELECT n FROM kept"); got != 42 {
		t.Fatalf("kept %d, want 42", got)
	}
}

func TestPostgresStopsAndStartsOnTheSamePort(t *testing.T) {
	s := testserver.Postgres(t, testserver.NoFsync())
	if got := selectInt(t, s.DSN(), "SELECT (current_setting('fsync') = 'off')::int"); got != 1 {
		t.Fatal("NoFsync left fsync on")
	}
	s.Stop(t)
	s.Start(t)
	if err := selectOne(t, s.DSN(), 10*time.Second); err != nil {
		t.Fatal(err)
	}
}

func TestPausedPostgresHangsAndGoesOnAfterResume(t *testing.T) {
	s := testserver.Postgres(t, testserver.NoFsync())
	s.Pause(t)
	if err := selectOne(t, s.DSN(), 300*time.Millisecond); err == nil {
		t.Fatal("a paused server answered")
	}
	s.Resume(t)
	if err := selectOne(t, s.DSN(), 10*time.Second); err != nil {
		t.Fatal(err)
	}
}

func TestSharedPostgresGivesDatabasesThatAreApart(t *testing.T) {
	s := testserver.SharedPostgres(t)
	if again := testserver.SharedPostgres(t); again != s {
		t.Fatal("a second server was started")
	}
	one, two := s.CreateDatabase(t, "one"), s.CreateDatabase(t, "two with 'quotes\"")
	execute(t, one, "CREATE TABLE mark (n int)")
	if got := selectInt(t, two, "SELECT count(*) FROM pg_tables WHERE tablename = 'mark'"); got != 0 {
		t.Fatal("a table of one database shows in the other")
	}
}

func TestPostgresBehindACutProxyIsOutOfReach(t *testing.T) {
	dsn := testserver.SharedPostgres(t).DSN()
	p := testserver.Proxy(t, testserver.Addr(t, dsn))
	through := testserver.Via(t, dsn, p.Addr())
	if err := selectOne(t, through, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	if err := selectOne(t, through, 10*time.Second); err == nil {
		t.Fatal("the server answered through a cut relay")
	}
	if err := selectOne(t, dsn, 10*time.Second); err != nil {
		t.Fatalf("the server itself is gone: %v", err)
	}
}

func selectOne(t *testing.T, dsn string, limit time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var n int
	return conn.QueryRow(ctx, "SELECT 1").Scan(&n)
}

func selectInt(t *testing.T, dsn, query string) int {
	t.Helper()
	conn := connect(t, dsn)
	var n int
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func execute(t *testing.T, dsn, statement string) {
	t.Helper()
	if _, err := connect(t, dsn).Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}
