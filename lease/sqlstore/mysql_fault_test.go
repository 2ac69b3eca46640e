package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// A renewal that waits for a lock ends with its caller's context, and later by
// itself on the server; it is never cancelled from here.
func TestAMySQLStatementThatWaitsForALockEndsOnTheServerToo(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		dsn := my.database(t)
		db := open(t, sqlstore.Config{Dialect: my.dialect, DSN: dsn, Attempt: 2 * time.Second})
		held := claimed(t, db, "node")
		holder := mysqlConn(t, dsn)
		for _, statement := range []string{"BEGIN", "SELECT * FROM hotcold_lease FOR UPDATE"} {
			_, err := holder.ExecContext(t.Context(), statement)
			must(t, err)
		}
		if err := within(t, 200*time.Millisecond, contextual(db, held)); !errors.Is(err, sqlstore.ErrUnreachable) {
			t.Fatalf("renewal under a lock: %v, want ErrUnreachable", err)
		}
		if n := mysqlWaiting(t, dsn); n != 1 {
			t.Fatalf("%d statements wait on the server, want the one that was given up", n)
		}
		if err := within(t, patience, contextual(db, held)); !errors.Is(err, sqlstore.ErrBusy) {
			t.Fatalf("renewal that the server ended: %v, want ErrBusy", err)
		}
		_, err := holder.ExecContext(t.Context(), "ROLLBACK")
		must(t, err)
		eventually(t, func(context.Context) error { // the one that was given up may outlive the lock
			if n := mysqlWaiting(t, dsn); n != 0 {
				return fmt.Errorf("%d statements wait", n)
			}
			return nil
		})
		swappedOnce(t, db, held)
	})
}

// swappedOnce allows for a renewal that came late.
func swappedOnce(t *testing.T, db *sqlstore.DB, held lease.Observation) {
	t.Helper()
	now := observed(t, db, "node")
	if now.Record != held.Record && now.Record != renewal(held) {
		t.Fatalf("the row changed to %v", now)
	}
	swapped(t, db, now, renewal(now))
}

// mysqlWaiting counts the statements that are under way in that database, but for
// the watcher's and its own.
func mysqlWaiting(t testing.TB, dsn string) (n int) {
	t.Helper()
	must(t, mysqlConn(t, dsn).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.PROCESSLIST"+
		" WHERE DB = DATABASE() AND COMMAND = 'Query' AND INFO LIKE 'UPDATE%'").Scan(&n))
	return n
}

// The goal: a connection that dies in the middle of a write leaves nothing behind and
// nobody believes it. The method: the write waits for a lock, and its
// connection is killed meanwhile.
func TestAConnectionThatIsKilledInMidWriteIsUnknown(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		dsn := my.database(t)
		db := openMySQL(t, dsn)
		held := claimed(t, db, "node")
		holder := mysqlConn(t, dsn)
		for _, kill := range []string{"KILL CONNECTION", "KILL QUERY"} {
			for _, statement := range []string{"BEGIN", "SELECT * FROM hotcold_lease FOR UPDATE"} {
				_, err := holder.ExecContext(t.Context(), statement)
				must(t, err)
			}
			result := make(chan error, 1)
			go func() { result <- within(t, patience, contextual(db, held)) }()
			eventually(t, func(ctx context.Context) error {
				var id int
				err := holder.QueryRowContext(ctx, "SELECT ID FROM information_schema.PROCESSLIST"+
					" WHERE DB = DATABASE() AND COMMAND = 'Query' AND INFO LIKE 'UPDATE%'").Scan(&id)
				if err == nil {
					_, err = holder.ExecContext(ctx, fmt.Sprint(kill, " ", id))
				}
				return err
			})
			if err := <-result; !errors.Is(err, sqlstore.ErrUnreachable) && !errors.Is(err, sqlstore.ErrBusy) {
				t.Fatalf("%s: %v, want an unknown outcome", kill, err)
			}
			_, err := holder.ExecContext(t.Context(), "ROLLBACK")
			must(t, err)
			if now := observed(t, db, "node"); !now.Same(held) {
				t.Fatalf("%s: the row changed to %v", kill, now)
			}
			swapped(t, db, held, renewal(held))
			held = observed(t, db, "node")
		}
	})
}

// The goal: a session is ours whatever the server's defaults are. A trigger sees
// what the session of the renewal has.
func TestASessionOfMySQLIsOursWhateverTheServerHas(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		// MySQL's limit on statements is for reading only.
		limit, isolation, limited, want := "max_statement_time=0.5", "tx_isolation", ", @@session.max_statement_time", "READ-COMMITTED +00:00 ON 2 0.000000"
		if my.dialect == sqlstore.MySQL {
			limit, isolation, limited, want = "max_execution_time=500", "transaction_isolation", "", "READ-COMMITTED +00:00 ON 2"
		}
		server := my.server(t, "transaction_isolation=SERIALIZABLE", "sql_mode=ANSI,NO_BACKSLASH_ESCAPES", "default_time_zone=+05:30",
			"autocommit=OFF", limit, "collation_server=latin1_swedish_ci", "character_set_server=latin1", "innodb_lock_wait_timeout=500")
		db := open(t, sqlstore.Config{Dialect: my.dialect, DSN: server.DSN(), Attempt: 1500 * time.Millisecond})
		held := claimed(t, db, "node")
		server.Exec(t, "CREATE TABLE seen (what text)", "CREATE TRIGGER look BEFORE UPDATE ON hotcold_lease FOR EACH ROW INSERT INTO seen VALUES"+
			" (CONCAT_WS(' ', @@session."+isolation+", @@session.time_zone, IF(@@session.autocommit, 'ON', 'OFF'), @@session.innodb_lock_wait_timeout"+limited+"))", "COMMIT")
		swapped(t, db, held, renewal(held))
		if got := server.Value(t, "SELECT what FROM seen"); got != want {
			t.Errorf("a renewal ran with %q, want %q", got, want)
		}
		if at := observed(t, db, "node").WrittenAt; time.Since(at).Abs() > patience {
			t.Errorf("written at %v", at)
		}
	})
}

// A name that differs in its case, or by a space at its end, is another lease.
func TestNamesAreComparedByteForByte(t *testing.T) {
	onEach(t, func(t *testing.T, a, b *sqlstore.DB) {
		for _, name := range []string{"node", "Node", "node ", "nöde"} {
			claimed(t, a, name)
		}
		if all, err := b.Leases(t.Context()); err != nil || len(all) != 4 {
			t.Fatalf("%d leases (%v), want 4", len(all), err)
		}
		held := observed(t, b, "node")
		for _, holder := range []string{"A", "a ", "ä"} {
			wrong := held
			wrong.Record.Holder = holder
			if err := b.Swap(t.Context(), wrong, renewal(held)); !errors.Is(err, lease.ErrChanged) {
				t.Errorf("a renewal of %q's row was taken for %q's: %v", held.Record.Holder, holder, err)
			}
		}
	})
}

// To write a row anew as it stands is found, not refused.
func TestARenewalThatChangesNothingIsWritten(t *testing.T) {
	onEach(t, func(t *testing.T, a, _ *sqlstore.DB) {
		held := claimed(t, a, "node")
		swapped(t, a, held, held.Record)
	})
}

func TestAReadOnlyMySQLIsRefusedAndTheNextHostIsTried(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		pair := my.pair(t, false)
		down := fmt.Sprintf("127.0.0.1:%d", testserver.FreePort(t))
		only := openMySQL(t, pair.Replica.DSN())
		if _, err := only.Read(t.Context(), "node"); !errors.Is(err, sqlstore.ErrReadOnly) || !strings.Contains(err.Error(), "read-only") {
			t.Errorf("read from a replica: %v, want ErrReadOnly", err)
		}
		first, second := pair.Primary.Addr(), pair.Replica.Addr()
		both := openMySQL(t, testserver.Via(t, pair.Primary.DSN(), down+","+second+","+first))
		held := claimed(t, both, "node")
		for _, order := range []string{first + "," + second, second + "," + first} {
			if now := observed(t, openMySQL(t, testserver.Via(t, pair.Primary.DSN(), order)), "node"); !now.Same(held) {
				t.Errorf("hosts %s: %v", order, now)
			}
		}
		// A replica that takes writes, as many do, is refused for what it is.
		pair.Replica.Exec(t, "SET GLOBAL read_only = OFF")
		if _, err := openMySQL(t, pair.Replica.DSN()).Read(t.Context(), "node"); !errors.Is(err, sqlstore.ErrReadOnly) || !strings.Contains(err.Error(), "follows another") {
			t.Errorf("read from a replica that takes writes: %v, want ErrReadOnly", err)
		}
		// A server that is fenced under an open connection, and its successor.
		pair.CaughtUp(t)
		pair.Primary.Exec(t, "CREATE USER app@'%' IDENTIFIED BY 'x'", "GRANT ALL ON hotcold.* TO app@'%'")
		pair.CaughtUp(t)
		u, err := url.Parse(testserver.Via(t, pair.Primary.DSN(), first+","+second))
		must(t, err)
		u.User = url.UserPassword("app", "x")
		agent := openMySQL(t, u.String())
		held = observed(t, agent, "node")
		pair.Primary.Exec(t, "SET GLOBAL read_only = ON")
		if err := agent.Swap(t.Context(), held, renewal(held)); !errors.Is(err, sqlstore.ErrReadOnly) {
			t.Errorf("renewal at a fenced server: %v, want ErrReadOnly", err)
		}
		pair.Promote(t)
		if now := observed(t, agent, "node"); now.Record != held.Record || now.Incarnation == held.Incarnation {
			t.Errorf("after the promotion %q reads %v as %q", held.Incarnation, now, now.Incarnation)
		}
	})
}

// A server that led before and leads again is another incarnation each time: what
// it acknowledged then may have been lost in between.
func TestAServerThatLeadsAgainIsAnotherIncarnation(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		pair := my.pair(t, true)
		relay := testserver.Proxy(t, pair.Primary.Addr())
		db := openMySQL(t, testserver.Via(t, pair.Primary.DSN(), relay.Addr()))
		seen := map[string]string{}
		held := claimed(t, db, "node")
		for round := range 5 {
			if before, known := seen[held.Incarnation]; known {
				t.Fatalf("round %d has the incarnation %q of round %s", round, held.Incarnation, before)
			}
			seen[held.Incarnation] = fmt.Sprint(round)
			pair.Promote(t)
			relay.Redirect(pair.Primary.Addr())
			pair.Rejoin(t)
			now := observed(t, db, "node")
			if now.Record != held.Record {
				t.Fatalf("round %d lost %v and has %v", round, held, now)
			}
			if err := db.Swap(t.Context(), held, renewal(held)); !errors.Is(err, lease.ErrChanged) {
				t.Fatalf("round %d: renewal with the key of before: %v, want ErrChanged", round, err)
			}
			next := renewal(now)
			next.Incarnation = now.Incarnation
			swapped(t, db, now, next)
			held = observed(t, db, "node")
		}
	})
}

// The goal: what the server does not promise is said once. The method: a server that
// syncs nothing, and one whose replica has gone.
func TestWhatAServerMayLoseIsSaidOnce(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		server := my.server(t, append(my.semiSyncWith, "sync_binlog=0", "innodb_flush_log_at_trx_commit=2", my.semiSync+"_enabled=ON", my.semiSync+"_timeout=10")...)
		server.Exec(t, "CREATE TABLE first (n int)") // nobody acknowledges it, and the server gives up
		log := &lines{}
		db := open(t, sqlstore.Config{Dialect: my.dialect, DSN: server.DSN(), Logger: log.logger()})
		claimed(t, db, "node")
		_, err := db.Leases(t.Context()) // another connection
		must(t, err)
		said := log.String()
		for _, word := range []string{"innodb_flush_log_at_trx_commit", "sync_binlog", "R" + my.semiSync[1:] + "_status"} {
			if strings.Count(said, word+" is") != 1 {
				t.Errorf("%s is said %d times in:\n%s", word, strings.Count(said, word+" is"), said)
			}
		}
	})
}

func TestAMySQLTableOfAnotherEngineIsRefused(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		dsn := my.database(t)
		claimed(t, openMySQL(t, dsn), "node")
		mysqlDo(t, dsn, "ALTER TABLE hotcold_lease DROP PRIMARY KEY, ENGINE=MyISAM")
		if _, err := openMySQL(t, dsn).Read(t.Context(), "node"); !errors.Is(err, sqlstore.ErrUnsuited) || !strings.Contains(err.Error(), `"MyISAM"`) {
			t.Fatalf("read: %v, want ErrUnsuited", err)
		}
	})
}

func TestMySQLTablesThatWereDroppedAreMadeAgainAsAnotherDatabase(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		dsn := my.database(t)
		db := openMySQL(t, dsn)
		held := claimed(t, db, "node")
		var second string
		must(t, mysqlConn(t, dsn).QueryRowContext(t.Context(), "SELECT SLEEP(1.1)").Scan(&second)) // tables are told apart by the second
		mysqlDo(t, dsn, "DROP TABLE hotcold_lease")
		var schema *sqlstore.SchemaError
		if err := db.Swap(t.Context(), held, renewal(held)); !errors.As(err, &schema) {
			t.Fatalf("renewal without a table: %v, want a SchemaError", err)
		}
		now := observed(t, db, "node")
		if now.Exists || now.Incarnation == held.Incarnation {
			t.Fatalf("a new table was read as %+v", now)
		}
	})
}

func TestManyAgentsMayMakeTheMySQLTablesAtOnce(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		dsn := my.database(t)
		var wg sync.WaitGroup
		for range 6 {
			db := openMySQL(t, dsn)
			wg.Go(func() {
				if _, err := db.Read(t.Context(), "node"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

// The goal: an administrator makes the tables, and an agent whose account may not
// do so works with them. Each step of the way says what is missing.
func TestAnAgentOfMySQLWithoutRightsSaysWhatAnAdministratorHasToDo(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		server := my.shared(t)
		dsn := my.database(t)
		name := fmt.Sprintf("agent_%x", nameCounter.Add(1))
		mysqlDo(t, dsn, fmt.Sprintf("CREATE USER %s@'%%' IDENTIFIED BY 'x'", name), "CREATE TABLE other (n int)", fmt.Sprintf("GRANT SELECT ON other TO %s@'%%'", name))
		t.Cleanup(func() { mysqlDo(t, dsn, "DROP USER "+name) })
		u, err := url.Parse(dsn)
		must(t, err)
		u.User = url.UserPassword(name, "x")
		db := openMySQL(t, u.String())

		_, err = db.Read(t.Context(), "node")
		silent(t, server, err)
		var schema *sqlstore.SchemaError
		if !errors.As(err, &schema) || len(schema.Missing) != 5 || !errors.Is(err, sqlstore.ErrRights) {
			t.Fatalf("no tables, no right to create: %v, want a SchemaError with five tables", err)
		}

		script, err := sqlstore.Schema(my.dialect, "")
		must(t, err)
		mysqlClient(t, dsn, "", script[:strings.Index(script, "SET @statement")])
		mysqlDo(t, dsn, fmt.Sprintf("GRANT SELECT, INSERT ON hotcold_lease TO %s@'%%'", name))
		for _, table := range []string{"instance", "event", "request", "meta"} {
			mysqlDo(t, dsn, fmt.Sprintf("GRANT SELECT ON hotcold_%s TO %s@'%%'", table, name))
		}
		_, err = db.Read(t.Context(), "node")
		var rights *sqlstore.RightsError
		if !errors.As(err, &rights) || !errors.Is(err, sqlstore.ErrRights) {
			t.Fatalf("tables without rights: %v, want a RightsError", err)
		}
		want := "UPDATE on hotcold_lease, INSERT on hotcold_instance, UPDATE on hotcold_instance, DELETE on hotcold_instance," +
			" INSERT on hotcold_event, DELETE on hotcold_event, INSERT on hotcold_request, UPDATE on hotcold_request, DELETE on hotcold_request"
		if got := strings.Join(rights.Missing, ", "); got != want {
			t.Errorf("missing are %s\nwant %s", got, want)
		}

		for range 2 { // a second run changes nothing
			mysqlClient(t, dsn, fmt.Sprintf("SET @agent = '''%s''@''%%'''", name), script)
		}
		held := claimed(t, db, "node")
		swapped(t, db, held, renewal(held))
		mysqlDo(t, dsn, fmt.Sprintf("REVOKE UPDATE ON hotcold_lease FROM %s@'%%'", name))
		if err := db.Swap(t.Context(), observed(t, db, "node"), renewal(held)); !errors.Is(err, sqlstore.ErrRights) {
			t.Fatalf("renewal without a right: %v, want ErrRights", err)
		}
		_, err = db.Read(t.Context(), "node")
		if !errors.As(err, &rights) || len(rights.Missing) != 1 || rights.Missing[0] != "UPDATE on hotcold_lease" {
			t.Fatalf("the next call: %v, want a RightsError with UPDATE on hotcold_lease", err)
		}
	})
}

// mysqlClient runs a script as an administrator does.
func mysqlClient(t *testing.T, dsn, first, script string) {
	t.Helper()
	program, err := exec.LookPath("mariadb")
	if err != nil {
		t.Skip("there is no mariadb")
	}
	u, err := url.Parse(dsn)
	must(t, err)
	password, _ := u.User.Password()
	options := filepath.Join(t.TempDir(), "client.cnf")
	must(t, os.WriteFile(options, fmt.Appendf(nil, "[client]\nuser=%s\npassword=%s\nhost=%s\nport=%s\nprotocol=tcp\n",
		u.User.Username(), password, u.Hostname(), u.Port()), 0o600))
	args := []string{"--defaults-file=" + options}
	if first != "" {
		args = append(args, "--init-command="+first)
	}
	cmd := exec.CommandContext(t.Context(), program, append(args, u.Path[1:])...)
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mariadb: %v\n%s", err, out)
	}
}

// What a person reads at night: one address, one reason, nothing twice.
func TestAFailedConnectionToMySQLSaysOnceWhereAndWhy(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		server := my.shared(t)
		here := server.Addr()
		// MySQL makes a certificate for itself where it has none; that names no host.
		noTLS := "the server offers no TLS, and the address asks for it (tls)"
		if my.dialect == sqlstore.MySQL {
			noTLS = "tls: failed to verify certificate: x509: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs"
		}
		closed := net.JoinHostPort("127.0.0.1", fmt.Sprint(testserver.FreePort(t)))
		for name, c := range map[string]struct {
			addr, rest, want string
			kind             error
		}{
			"nobody listens": {closed, "hotcold", closed + ": connection refused", sqlstore.ErrUnreachable},
			"a wrong password": {here, "hotcold?tls=false", here + ": Access denied for user 'hotcold'@'127.0.0.1' (using password: YES) (error 1045)",
				sqlstore.ErrLogin},
			"no good TLS": {here, "hotcold?tls=true", here + ": " + noTLS, sqlstore.ErrUnreachable},
			"two hosts, 1 down": {closed + "," + here, "hotcold", closed + ": connection refused; " + here +
				": Access denied for user 'hotcold'@'127.0.0.1' (using password: YES) (error 1045)", sqlstore.ErrLogin},
		} {
			t.Run(name, func(t *testing.T) {
				db := openMySQL(t, "mariadb://hotcold:hunter2@"+c.addr+"/"+c.rest)
				_, err := db.Read(t.Context(), "node")
				if want := `read lease "node": ` + c.kind.Error() + ": " + c.want; !errors.Is(err, c.kind) || err.Error() != want {
					t.Errorf("got  %v\nwant %s", err, want)
				}
			})
		}
		for name, address := range map[string]string{
			"account":  strings.Replace(server.DSN(), "://", "://nobody-", 1),
			"database": strings.Replace(server.DSN(), "/hotcold?", "/none?", 1),
		} {
			_, err := openMySQL(t, address).Read(t.Context(), "node")
			silent(t, server, err)
			if !errors.Is(err, sqlstore.ErrLogin) {
				t.Errorf("wrong %s: %v, want ErrLogin", name, err)
			}
		}
	})
}

// The goal: a renewal that the replica does not have yet is neither answered nor
// seen. The method: a semi-synchronous replica that is stopped. What the server
// says where the wait is killed is its own word, and docs/mysql.md passes it on.
func TestARenewalThatWaitsForItsReplicaIsUnknownUntilThen(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		pair := my.pair(t, true)
		dsn := pair.Primary.DSN()
		db := openMySQL(t, dsn)
		held := claimed(t, db, "node")
		other := mysqlConn(t, dsn)
		for _, kill := range []string{"KILL CONNECTION", "KILL QUERY"} {
			pair.StopReplica(t)
			result := make(chan error, 1)
			go func() { result <- within(t, patience, contextual(db, held)) }()
			var id int
			eventually(t, func(ctx context.Context) error {
				return other.QueryRowContext(ctx, "SELECT ID FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for semi-sync ACK%'").Scan(&id)
			})
			if now := observed(t, openMySQL(t, dsn), "node"); !now.Same(held) {
				t.Fatalf("what the replica does not have is to be seen: %v", now)
			}
			_, err := other.ExecContext(t.Context(), fmt.Sprint(kill, " ", id))
			must(t, err)
			waits := my.dialect == sqlstore.MySQL && kill == "KILL QUERY" // there it ends no such wait
			if waits {
				pair.StartReplica(t)
			}
			switch err := <-result; {
			case kill == "KILL CONNECTION" && !errors.Is(err, sqlstore.ErrUnreachable):
				t.Fatalf("%s: %v, want ErrUnreachable", kill, err)
			case kill == "KILL QUERY" && err != nil:
				t.Fatalf("%s: %v; the server has called it a success so far, and docs/mysql.md says so", kill, err)
			}
			if !waits {
				pair.StartReplica(t)
			}
			eventually(t, func(ctx context.Context) error { // it is there by now, or comes late
				now, err := db.Read(ctx, "node")
				if err == nil && now.Record != renewal(held) {
					err = fmt.Errorf("the row is %v", now)
				}
				return err
			})
			held = observed(t, db, "node")
		}
		pair.StopReplica(t)
		if err := within(t, 300*time.Millisecond, contextual(db, held)); !errors.Is(err, sqlstore.ErrUnreachable) {
			t.Fatalf("given up: %v, want ErrUnreachable", err)
		}
		if now := observed(t, db, "node"); !now.Same(held) {
			t.Fatalf("what was given up is to be seen: %v", now)
		}
		pair.StartReplica(t)
		eventually(t, func(ctx context.Context) error { // it comes late, and is one like any other
			now, err := db.Read(ctx, "node")
			if err == nil && now.Record != renewal(held) {
				err = fmt.Errorf("the row is %v", now)
			}
			return err
		})
	})
}
