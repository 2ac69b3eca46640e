package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// server is a database server of the test's own, to which harm can be done.
type server interface {
	DSN() string
	Password() string
	Start(testing.TB)
	Stop(testing.TB)
	Kill(testing.TB)
	Pause(testing.TB)
	Resume(testing.TB)
}

// onEachServer runs a test on a server of each kind, with what makes its address a
// configuration; on all at once, since most of it is waiting.
func onEachServer(t *testing.T, f func(t *testing.T, server server, at func(dsn string) sqlstore.Config)) {
	for dialect, start := range map[string]func(t testing.TB) server{
		sqlstore.Postgres: func(t testing.TB) server { return testserver.Postgres(t) },
		sqlstore.MariaDB:  func(t testing.TB) server { return testserver.MariaDB(t) },
		sqlstore.MySQL:    func(t testing.TB) server { return testserver.MySQL(t) },
	} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			f(t, start(t), func(dsn string) sqlstore.Config { return sqlstore.Config{Dialect: dialect, DSN: dsn} })
		})
	}
}

// silent makes sure that an error shows nothing of the address's secrets.
func silent(t testing.TB, server server, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), server.Password()) {
		t.Error("an error shows the password")
	}
}

// The goal: what was acknowledged is there after a crash, and the store finds the
// server again by itself. The method: renew as fast as possible, kill the server
// in the middle, start it, look, and renew on.
func TestAnAcknowledgedRenewalOutlivesAKilledServer(t *testing.T) {
	onEachServer(t, func(t *testing.T, server server, at func(string) sqlstore.Config) {
		db := open(t, at(server.DSN()))
		held := claimed(t, db, "node")
		for round := range 3 {
			var sent lease.Record
			died := make(chan error, 1)
			started := make(chan struct{})
			go func() {
				for n := 0; ; n++ {
					sent = renewal(held)
					if err := db.Swap(t.Context(), held, sent); err != nil {
						died <- err
						return
					}
					held.Record = sent
					if n == 20 {
						close(started)
					}
				}
			}()
			<-started
			server.Kill(t)
			err := <-died
			silent(t, server, err)
			if errors.Is(err, lease.ErrChanged) || !errors.Is(err, sqlstore.ErrUnreachable) {
				t.Fatalf("round %d: renewal at a killed server: %v, want ErrUnreachable", round, err)
			}
			if _, err := db.Read(t.Context(), "node"); !errors.Is(err, sqlstore.ErrUnreachable) {
				t.Fatalf("round %d: read from a killed server: %v, want ErrUnreachable", round, err)
			}
			server.Start(t)
			now := observed(t, db, "node")
			if now.Record != held.Record && now.Record != sent {
				t.Fatalf("round %d: the row is %v; acknowledged was version %d, under way version %d", round, now, held.Record.Version, sent.Version)
			}
			if now.Incarnation != held.Incarnation {
				t.Fatalf("round %d: a restart made incarnation %q of %q", round, now.Incarnation, held.Incarnation)
			}
			held = now
		}
	})
}

// A restart closes the idle connection of the pool. The next renewal must not be
// lost on it.
func TestTheFirstRenewalAfterARestartSucceeds(t *testing.T) {
	onEachServer(t, func(t *testing.T, server server, at func(string) sqlstore.Config) {
		db := open(t, at(server.DSN()))
		held := claimed(t, db, "node")
		for range 3 {
			server.Stop(t)
			server.Start(t)
			swapped(t, db, held, renewal(held))
			held = observed(t, db, "node")
		}
	})
}

func TestAStoreOpensWhileItsDatabaseIsDown(t *testing.T) {
	onEachServer(t, func(t *testing.T, server server, at func(string) sqlstore.Config) {
		server.Stop(t)
		db := open(t, at(server.DSN()))
		_, err := db.Read(t.Context(), "node")
		silent(t, server, err)
		if !errors.Is(err, sqlstore.ErrUnreachable) {
			t.Fatalf("read: %v, want ErrUnreachable", err)
		}
		if err := db.Watch(t.Context(), "node", func() {}); !errors.Is(err, sqlstore.ErrUnreachable) {
			t.Fatalf("watch: %v, want ErrUnreachable", err)
		}
		server.Start(t)
		claimed(t, db, "node")
	})
}

func TestAStoppedServerHoldsNobodyUpAndALateWriteDoesNoHarm(t *testing.T) {
	onEachServer(t, func(t *testing.T, server server, at func(string) sqlstore.Config) {
		db := open(t, at(server.DSN()))
		held := claimed(t, db, "node")
		server.Pause(t)
		const limit = 300 * time.Millisecond
		for i := range 4 {
			deadline := timeout(t, limit+3*time.Second)
			result := make(chan error, 1)
			go func() { result <- within(t, limit, contextual(db, held)) }()
			select {
			case err := <-result:
				if !errors.Is(err, sqlstore.ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("renewal %d: %v, want ErrUnreachable and the context's error", i, err)
				}
			case <-deadline:
				server.Resume(t)
				t.Fatalf("renewal %d did not come back", i)
			}
		}
		server.Resume(t)
		eventually(t, func(ctx context.Context) error {
			seen, err := db.Read(ctx, "node")
			if err != nil {
				return err
			}
			if seen.Record != held.Record && seen.Record != renewal(held) {
				return fmt.Errorf("the row is %v", seen)
			}
			return db.Swap(ctx, seen, renewal(seen))
		})
	})
}

func TestACutConnectionIsReplaced(t *testing.T) {
	for _, k := range kinds() {
		if k.dialect == sqlstore.SQLite {
			continue // there is no connection
		}
		t.Run(k.dialect, func(t *testing.T) {
			c := k.fresh(t)
			relay := testserver.Proxy(t, testserver.Addr(t, c.DSN))
			c.DSN = testserver.Via(t, c.DSN, relay.Addr())
			isReplaced(t, relay, open(t, c))
		})
	}
}

func isReplaced(t *testing.T, relay *testserver.TCPProxy, db *sqlstore.DB) {
	held := claimed(t, db, "node")
	for range 3 {
		relay.Cut()
		if err := within(t, time.Second, contextual(db, held)); !errors.Is(err, sqlstore.ErrUnreachable) {
			t.Fatalf("renewal over a cut link: %v, want ErrUnreachable", err)
		}
		relay.Restore(t)
		swapped(t, db, held, renewal(held))
		held = observed(t, db, "node")
	}
}
