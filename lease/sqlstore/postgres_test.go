package sqlstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease/leasetest"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

func TestPostgresKeepsThePromisesOfALease(t *testing.T) {
	server := testserver.Postgres(t, testserver.NoFsync(), testserver.Setting("restore_command", "false"))
	relayed := testserver.Proxy(t, testserver.Addr(t, server.DSN()))
	through := testserver.Via(t, server.DSN(), relayed.Addr())
	fixtures := 0
	leasetest.Run(t, func(t *testing.T) leasetest.Fixture {
		fixtures++
		c := sqlstore.Config{Dialect: sqlstore.Postgres, DSN: through, TablePrefix: fmt.Sprintf("fixture%d_", fixtures)}
		return leasetest.Fixture{
			A: open(t, c), B: open(t, c),
			Hang: relayed.Hang, Restore: func() { relayed.Restore(t) },
			ChangeIncarnation: func() { promote(t, server) },
			WatchWithin:       2 * time.Second,
		}
	})
}

// promote lets the server recover from an archive that holds nothing, after which
// it goes on in a timeline of its own, as a standby does that was promoted.
func promote(t *testing.T, server *testserver.PostgresServer) {
	t.Helper()
	dir := dataDirectory(t, server.DSN())
	server.Stop(t)
	signal(t, dir, "recovery.signal")
	server.Start(t)
}

func dataDirectory(t *testing.T, dsn string) string {
	t.Helper()
	var dir string
	if err := session(t, dsn).QueryRow(t.Context(), "SHOW data_directory").Scan(&dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// signal makes one of the files that tell PostgreSQL how to start.
func signal(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}
