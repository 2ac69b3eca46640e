package sqlstore_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// What MySQL alone has: MariaDB has other words for it, or none.

// agentOn makes the tables and an account with the rights that the lease needs and no more, and returns its address.
func agentOn(t testing.TB, server *testserver.MySQLServer) string {
	t.Helper()
	observed(t, openMySQL(t, server.DSN()), "node")
	server.Exec(t, "CREATE USER agent@'%' IDENTIFIED BY 'secret'")
	for _, table := range []string{"lease", "instance", "event", "request", "meta"} {
		server.Exec(t, "GRANT SELECT, INSERT, UPDATE, DELETE ON hotcold.hotcold_"+table+" TO agent@'%'")
	}
	return asAgent(t, server.DSN())
}

func asAgent(t testing.TB, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	must(t, err)
	u.User = url.UserPassword("agent", "secret")
	return u.String()
}

// The goal: nobody takes a lease on a replica that takes writes, also where the account may not see that it is one.
// The method: the source is written to, as it is by every holder.
func TestOnAMySQLReplicaThatTakesWritesNoIncarnationStandsStill(t *testing.T) {
	t.Parallel() // most of it is waiting
	pair := testserver.NewMySQLPair(t, false)
	agentOn(t, pair.Primary)
	source := openMySQL(t, pair.Primary.DSN())
	claimed(t, source, "node")
	pair.CaughtUp(t)
	pair.Replica.Exec(t, "SET GLOBAL read_only = OFF")
	replica := openMySQL(t, asAgent(t, pair.Replica.DSN()))
	seen := observed(t, replica, "node")
	for range 3 {
		held := observed(t, source, "node")
		swapped(t, source, held, renewal(held))
		pair.CaughtUp(t)
		now := observed(t, replica, "node")
		if now.Incarnation == seen.Incarnation {
			t.Fatalf("the incarnation stood still: %q", now.Incarnation)
		}
		if now.Record.Incarnation == now.Incarnation {
			t.Fatal("the row is said to have been written there")
		}
		stale := renewal(now)
		stale.Incarnation = seen.Incarnation
		if err := replica.Swap(t.Context(), lease.Observation{Record: now.Record, Incarnation: seen.Incarnation, Exists: true}, stale); !errors.Is(err, lease.ErrChanged) {
			t.Fatalf("a claim of before the last write: %v, want ErrChanged", err)
		}
		seen = now
	}
	blind, err := replica.Replication(t.Context())
	must(t, err)
	if !strings.Contains(blind.Text, "may not see whether it follows another server") {
		t.Errorf("%+v does not say what cannot be seen", blind)
	}
	pair.Replica.Exec(t, "SET sql_log_bin = 0", "GRANT REPLICATION CLIENT ON *.* TO agent@'%'")
	if _, err := openMySQL(t, asAgent(t, pair.Replica.DSN())).Read(t.Context(), "node"); !errors.Is(err, sqlstore.ErrReadOnly) || !strings.Contains(err.Error(), "follows another") {
		t.Errorf("with the right to see it: %v, want ErrReadOnly", err)
	}
}

// What a server itself writes does not change its incarnation, tagged or not; nor does what only looks at the table.
func TestAnIncarnationOfMySQLStandsStillWhileTheServerLeads(t *testing.T) {
	t.Parallel() // most of it is waiting
	pair := testserver.NewMySQLPair(t, false, "information_schema_stats_expiry=86400")
	pair.Primary.Exec(t, "CREATE TABLE other (n int PRIMARY KEY)")
	pair.CaughtUp(t)
	pair.Promote(t) // now it has transactions of another
	db := openMySQL(t, pair.Primary.DSN())
	first := claimed(t, db, "node").Incarnation
	pair.Primary.Exec(t, "DO SLEEP(1.1)", "INSERT INTO other VALUES (1)",
		"SET gtid_next = 'AUTOMATIC:tagged'", "INSERT INTO other VALUES (2)", "SET gtid_next = AUTOMATIC",
		"ANALYZE TABLE hotcold_lease", "FLUSH BINARY LOGS", "CHECK TABLE hotcold_lease")
	if now := observed(t, db, "node").Incarnation; now != first {
		t.Fatalf("%q became %q", first, now)
	}
	pair.Primary.Reborn(t) // a copy of its files
	if now := observed(t, db, "node").Incarnation; now == first {
		t.Errorf("a copy of the files is %q too", now)
	}
}

// The goal: settings with which a MySQL is made stricter, or smaller, keep nobody from the lease.
func TestAStrictMySQLKeepsTheLease(t *testing.T) {
	t.Parallel() // most of it is waiting
	server := testserver.MySQL(t, "sql_require_primary_key=ON", "partial_revokes=ON", "performance_schema=ON",
		"block_encryption_mode=aes-256-cbc", "autocommit=OFF", "innodb_autoinc_lock_mode=1", "default_storage_engine=MyISAM", "lower_case_table_names=0")
	server.Exec(t, "CREATE USER agent@'%' IDENTIFIED BY 'secret'", "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, INDEX ON *.* TO agent@'%'",
		"REVOKE SELECT, INSERT, UPDATE, DELETE, CREATE, INDEX ON mysql.* FROM agent@'%'", "COMMIT", "SET GLOBAL require_secure_transport = ON")
	db := openMySQL(t, strings.Replace(asAgent(t, server.DSN()), "tls=false", "tls=skip-verify", 1))
	held := claimed(t, db, "node")
	swapped(t, db, held, renewal(held))
	if _, err := db.Replication(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := openMySQL(t, asAgent(t, server.DSN())).Read(t.Context(), "node"); !errors.Is(err, sqlstore.ErrLogin) {
		t.Errorf("without TLS, which is demanded: %v, want ErrLogin", err)
	}
}

// A password goes over a connection without TLS under the server's key, and is known to the server afterwards.
func TestAMySQLWithoutTLSTakesThePasswordAllTheSame(t *testing.T) {
	t.Parallel() // most of it is waiting
	server := testserver.MySQL(t, "tls_version=")
	dsn := agentOn(t, server)
	for _, query := range []string{"tls=preferred", "tls=false"} {
		server.Exec(t, "FLUSH PRIVILEGES") // it has forgotten who has logged in
		observed(t, openMySQL(t, strings.Replace(dsn, "tls=false", query, 1)), "node")
	}
	for _, query := range []string{"tls=skip-verify", "tls=true"} {
		_, err := openMySQL(t, strings.Replace(dsn, "tls=false", query, 1)).Read(t.Context(), "node")
		if !errors.Is(err, sqlstore.ErrUnreachable) || !strings.Contains(err.Error(), "offers no TLS") {
			t.Errorf("%s: %v, want that there is no TLS", query, err)
		}
	}
}

// The ways to take a MySQL away from its clients are those of a server that fails.
func TestAMySQLThatIsTakenAwayIsNoLostLease(t *testing.T) {
	t.Parallel() // most of it is waiting
	server := testserver.MySQL(t)
	db := openMySQL(t, agentOn(t, server))
	held := claimed(t, db, "node")
	for _, c := range []struct {
		name string
		kind error
	}{{"super_read_only", sqlstore.ErrReadOnly}, {"offline_mode", sqlstore.ErrUnreachable}} {
		server.Exec(t, "SET GLOBAL "+c.name+" = ON")
		for range 2 { // on the connection of before, and on a new one
			if err := db.Swap(t.Context(), held, renewal(held)); !errors.Is(err, c.kind) || errors.Is(err, lease.ErrChanged) {
				t.Errorf("renewal under %s: %v, want %v", c.name, err, c.kind)
			}
		}
		server.Exec(t, "SET GLOBAL "+c.name+" = OFF", "SET GLOBAL read_only = OFF")
		swapped(t, db, held, renewal(held))
		held = observed(t, db, "node")
	}
}

// Rights come by a role as well, which a MySQL account has on from its login.
func TestRightsForFencingOnMySQLMayComeByARole(t *testing.T) {
	t.Parallel() // most of it is waiting
	n := newMyNodes(t, mysqlOwn())
	n.server.Exec(t, "CREATE ROLE fencers", "GRANT CREATE USER, PROCESS, CONNECTION_ADMIN, XA_RECOVER_ADMIN ON *.* TO fencers", "GRANT SELECT (User, Host) ON mysql.user TO fencers",
		"CREATE USER agent@'%' IDENTIFIED BY 'secret' DEFAULT ROLE fencers", "GRANT fencers TO agent@'%'", "GRANT SELECT, INSERT, UPDATE, DELETE ON hotcold.* TO agent@'%'",
		"ALTER USER agent@'%' DEFAULT ROLE fencers")
	db := openMySQL(t, asAgent(t, n.server.DSN()))
	faults, grants, err := db.FencingFaults(t.Context(), n.fence)
	must(t, err)
	if len(faults) > 0 {
		t.Fatalf("faults %q, statements %q", faults, grants)
	}
	if _, err := db.Fence(t.Context(), n.fence); err != nil {
		t.Error(err)
	}
}

// The goal: a group with one primary keeps the lease through the loss of its primary. The method: an agent whose address
// names all members, and a kill in the midst of its renewals.
func TestAMySQLGroupKeepsTheLeaseWhenItsPrimaryDies(t *testing.T) {
	t.Parallel() // most of it is waiting
	group := testserver.NewMySQLGroup(t, 3)
	first := group.Primary(t)
	var hosts []string
	for _, m := range group.Members {
		hosts = append(hosts, m.Addr())
	}
	db := openMySQL(t, testserver.Via(t, first.DSN(), strings.Join(hosts, ",")))
	held := claimed(t, db, "node")
	for _, c := range []struct {
		consistency string
		want        sqlstore.Copies
	}{{"EVENTUAL", sqlstore.CopiesAsynchronous}, {"BEFORE", sqlstore.CopiesAsynchronous}, {"AFTER", sqlstore.CopiesSynchronous}, {"BEFORE_ON_PRIMARY_FAILOVER", sqlstore.CopiesSynchronous}} {
		first.Exec(t, "SET GLOBAL group_replication_consistency = '"+c.consistency+"'")
		if r, err := db.Replication(t.Context()); err != nil || r.Copies != c.want {
			t.Errorf("%s: %+v (%v), want %s", c.consistency, r, err, c.want)
		}
	}
	for _, m := range group.Members {
		if m == first {
			continue
		}
		if _, err := openMySQL(t, m.DSN()).Read(t.Context(), "node"); !errors.Is(err, sqlstore.ErrReadOnly) {
			t.Errorf("a secondary: %v, want ErrReadOnly", err)
		}
	}
	sent := held.Record
	for n := range 50 {
		if n == 20 {
			first.Kill(t)
		}
		sent = renewal(held)
		if err := db.Swap(t.Context(), held, sent); err != nil {
			if errors.Is(err, lease.ErrChanged) {
				t.Fatalf("renewal %d: %v", n, err)
			}
			break
		}
		held.Record = sent
		if now := observed(t, db, "node").Incarnation; now != held.Incarnation {
			t.Fatalf("the group's own writes made the incarnation %q of %q", now, held.Incarnation)
		}
	}
	second := group.Primary(t)
	eventually(t, func(ctx context.Context) error {
		now, err := db.Read(ctx, "node")
		if err != nil {
			return err
		}
		if now.Record != held.Record && now.Record != sent || now.Incarnation == held.Incarnation {
			t.Fatalf("acknowledged was %v, found is %v", held, now)
		}
		next := renewal(now)
		next.Incarnation = now.Incarnation
		return db.Swap(ctx, now, next)
	})
	if r, err := db.Replication(t.Context()); err != nil || r.Copies != sqlstore.CopiesSynchronous && r.Copies != sqlstore.CopiesDegraded {
		t.Errorf("two of three: %+v (%v)", r, err)
	}
	second.Exec(t, "SELECT group_replication_switch_to_multi_primary_mode()")
	if _, err := openMySQL(t, second.DSN()).Read(t.Context(), "node"); !errors.Is(err, sqlstore.ErrUnsuited) {
		t.Errorf("several primaries: %v, want ErrUnsuited", err)
	}
}

// A replica would compute what a statement says anew, an incarnation of its own among it.
func TestAMySQLThatReplicatesStatementsRefusesTheWrite(t *testing.T) {
	t.Parallel() // most of it is waiting
	server := testserver.MySQL(t, "binlog_format=STATEMENT")
	if _, err := openMySQL(t, server.DSN()).Read(t.Context(), "node"); err == nil || !strings.Contains(err.Error(), "1665") {
		t.Errorf("the first look, which makes the tables: %v, want error 1665", err)
	}
}
