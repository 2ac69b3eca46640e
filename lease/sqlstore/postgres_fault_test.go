package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// A renewal that waits for a lock ends with its caller's context, and later by
// itself on the server; it is never cancelled from here.
func TestAStatementThatWaitsForALockEndsOnTheServerToo(t *testing.T) {
	dsn := database(t)
	db := open(t, sqlstore.Config{Dialect: sqlstore.Postgres, DSN: dsn, Attempt: 2 * time.Second})
	held := claimed(t, db, "node")
	holder := session(t, dsn)
	tx, err := holder.Begin(t.Context())
	must(t, err)
	if _, err := tx.Exec(t.Context(), "SELECT * FROM hotcold_lease FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	if err := within(t, 200*time.Millisecond, contextual(db, held)); !errors.Is(err, sqlstore.ErrUnreachable) {
		t.Fatalf("renewal under a lock: %v, want ErrUnreachable", err)
	}
	if n := waiting(t, dsn, "Lock"); n != 1 {
		t.Fatalf("%d statements wait on the server, want the one that was given up", n)
	}
	if err := within(t, patience, contextual(db, held)); !errors.Is(err, sqlstore.ErrBusy) {
		t.Fatalf("renewal that the server ended: %v, want ErrBusy", err)
	}
	must(t, tx.Rollback(t.Context()))
	if now := observed(t, db, "node"); !now.Same(held) {
		t.Fatalf("the row changed to %v", now)
	}
}

// waiting counts the sessions that wait for something of that type or name.
func waiting(t testing.TB, dsn, what string) (n int) {
	t.Helper()
	conn := session(t, dsn)
	defer conn.Close(t.Context())
	err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND (wait_event_type = $1 OR wait_event = $1)`, what).Scan(&n)
	must(t, err)
	return n
}

// The goal: a renewal that the standby does not have is never taken for one. The
// method: a synchronous standby that does not exist; the wait for it is given up, cancelled
// and ended with its session.
func TestARenewalThatTheStandbyDoesNotHaveIsUnknown(t *testing.T) {
	server := testserver.Postgres(t, testserver.NoFsync())
	dsn := server.DSN()
	db := openPostgres(t, dsn)
	held := claimed(t, db, "node")
	do(t, dsn, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")

	var err error
	for err == nil { // until the server has read its settings
		held = observed(t, db, "node")
		err = within(t, time.Second, contextual(db, held))
	}
	if !errors.Is(err, sqlstore.ErrUnreachable) {
		t.Fatalf("given up: %v, want ErrUnreachable", err)
	}
	if n := waiting(t, dsn, "SyncRep"); n != 1 {
		t.Fatalf("%d commits wait for the standby, want the one that was given up", n)
	}
	if now := observed(t, db, "node"); !now.Same(held) {
		t.Fatalf("what the standby does not have is to be seen: %v", now)
	}
	do(t, dsn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
	eventually(t, func(context.Context) error {
		if n := waiting(t, dsn, "SyncRep"); n > 0 {
			return fmt.Errorf("%d commits still wait", n)
		}
		return nil
	})

	for _, end := range []string{"pg_cancel_backend", "pg_terminate_backend"} {
		held = observed(t, db, "node")
		result := make(chan error, 1)
		go func() { result <- within(t, patience, contextual(db, held)) }()
		eventually(t, func(context.Context) error {
			if waiting(t, dsn, "SyncRep") == 0 {
				return errors.New("nothing waits for the standby")
			}
			return nil
		})
		do(t, dsn, "SELECT "+end+"(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
		if err := <-result; !errors.Is(err, sqlstore.ErrDoubt) && !errors.Is(err, sqlstore.ErrUnreachable) {
			t.Fatalf("%s: %v, want ErrDoubt or ErrUnreachable", end, err)
		}
	}
}

// An asynchronous commit would be acknowledged before it is durable.
func TestCommitsAreDurableWhateverTheRoleHas(t *testing.T) {
	dsn := database(t)
	db := openPostgres(t, dsn)
	claimed(t, db, "node")
	c, err := pgx.ParseConfig(dsn)
	must(t, err)
	name := c.Database
	do(t, dsn, fmt.Sprintf("ALTER DATABASE %s SET synchronous_commit = off", name),
		fmt.Sprintf("ALTER DATABASE %s SET default_transaction_isolation = 'serializable'", name))
	var set string
	must(t, session(t, dsn).QueryRow(t.Context(), "SHOW synchronous_commit").Scan(&set))
	if set != "off" {
		t.Fatalf("synchronous_commit of a new session is %s", set)
	}
	fresh := openPostgres(t, dsn)
	// A trigger sees what the session of the renewal has.
	do(t, dsn, `CREATE TABLE seen (durable text, isolation text)`,
		`CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO seen VALUES (current_setting('synchronous_commit'), current_setting('transaction_isolation')); RETURN NEW; END $$`,
		`CREATE TRIGGER look BEFORE UPDATE ON hotcold_lease FOR EACH ROW EXECUTE FUNCTION look()`)
	held := observed(t, fresh, "node")
	swapped(t, fresh, held, renewal(held))
	var durable, isolation string
	must(t, session(t, dsn).QueryRow(t.Context(), "SELECT durable, isolation FROM seen").Scan(&durable, &isolation))
	if durable != "on" || isolation != "read committed" {
		t.Fatalf("a renewal ran with synchronous_commit %s and isolation %s", durable, isolation)
	}
}

// standby runs a stopped server's directory as a standby that follows nobody, on
// its own port, until the test ends.
func standby(t *testing.T, server *testserver.PostgresServer) {
	t.Helper()
	dir := dataDirectory(t, server.DSN())
	var version int
	must(t, session(t, server.DSN()).QueryRow(t.Context(), "SELECT current_setting('server_version_num')::int / 10000").Scan(&version))
	server.Stop(t)
	signal(t, dir, "standby.signal")
	var owner syscall.Stat_t
	must(t, syscall.Stat(dir, &owner))
	cmd := exec.Command(fmt.Sprintf("/usr/lib/postgresql/%d/bin/postgres", version), "-D", dir, "-c", fmt.Sprintf("port=%d", server.Port()),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "restore_command=false")
	cmd.Dir = filepath.Dir(dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}}
	if owner.Uid == uint32(syscall.Geteuid()) {
		cmd.SysProcAttr.Credential = nil
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("a standby cannot be run here: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait() // how it ended is not the question
	})
	eventually(t, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, server.DSN())
		if err == nil {
			err = conn.Close(ctx)
		}
		return err
	})
}

func TestAServerInRecoveryIsRefusedAndItsPromotionIsAnotherDatabase(t *testing.T) {
	server := testserver.Postgres(t, testserver.NoFsync())
	before := openPostgres(t, server.DSN())
	held := claimed(t, before, "node")
	standby(t, server)
	for name, db := range map[string]*sqlstore.DB{"an open store": before, "a new store": openPostgres(t, server.DSN())} {
		_, err := db.Read(t.Context(), "node")
		silent(t, server, err)
		if !errors.Is(err, sqlstore.ErrReadOnly) || !strings.Contains(fmt.Sprint(err), "in recovery") {
			t.Errorf("%s reads from a standby: %v, want ErrReadOnly", name, err)
		}
		if err := db.Swap(t.Context(), held, renewal(held)); !errors.Is(err, sqlstore.ErrReadOnly) {
			t.Errorf("%s renews on a standby: %v, want ErrReadOnly", name, err)
		}
	}
	do(t, server.DSN(), "SELECT pg_promote()")
	var now lease.Observation
	eventually(t, func(ctx context.Context) (err error) {
		now, err = before.Read(ctx, "node")
		return err
	})
	if now.Record != held.Record || now.Incarnation == held.Incarnation {
		t.Fatalf("after the promotion %q reads %v as %q", held.Incarnation, now, now.Incarnation)
	}
	if err := before.Swap(t.Context(), held, renewal(held)); !errors.Is(err, lease.ErrChanged) {
		t.Fatalf("renewal with the key of before the promotion: %v, want ErrChanged", err)
	}
	swapped(t, before, now, renewal(now))
}

func TestTheNextHostIsTriedWhereOneIsAStandbyOrDown(t *testing.T) {
	cold := testserver.Postgres(t, testserver.NoFsync())
	standby(t, cold)
	hot := testserver.Postgres(t, testserver.NoFsync())
	c, err := pgx.ParseConfig(cold.DSN())
	must(t, err)
	do(t, hot.DSN(), fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", c.User, c.Password)) // one for both
	down := testserver.FreePort(t)
	for _, order := range [][]int{{cold.Port(), hot.Port()}, {hot.Port(), cold.Port()}, {down, hot.Port()}, {cold.Port(), down, hot.Port()}} {
		var hosts []string
		for _, port := range order {
			hosts = append(hosts, net.JoinHostPort("127.0.0.1", fmt.Sprint(port)))
		}
		// What the address says of the wanted server does not matter.
		dsn := fmt.Sprintf("postgres://%s:%s@%s/postgres?sslmode=disable&target_session_attrs=any", c.User, c.Password, strings.Join(hosts, ","))
		if _, err := openPostgres(t, dsn).Read(t.Context(), "node"); err != nil {
			t.Errorf("hosts %v: %v", order, err)
		}
	}
}
