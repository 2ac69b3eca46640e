package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/internal/testserver/tds"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/leasetest"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// realSQLServer names a SQL Server for the suite: a sqlserver:// address of an empty
// database in which the user may create tables. No such server can be had in
// the build, so this alone of all that tests want is allowed to be missing there.
const realSQLServer = "HOTCOLD_TEST_SQLSERVER"

// statementsOf is the file of the statements that a dialect sends, as it was last looked at.
func statementsOf(t testing.TB, dialect string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "statements."+dialect+".sql"))
	must(t, err)
	return string(text)
}

// Run with -update to write the golden files anew, and say why each line changed.
func TestTheStatementsAreAsTheyWere(t *testing.T) {
	for _, dialect := range []string{sqlstore.SQLServer, sqlstore.Oracle} {
		got := sqlstore.Spelled(dialect)
		file := filepath.Join("testdata", "statements."+dialect+".sql")
		if *update {
			must(t, os.WriteFile(file, []byte(got), 0o644))
		}
		if want := statementsOf(t, dialect); got != want {
			t.Errorf("what is sent to %s differs from %s:\n%s", dialect, file, got)
		}
	}
}

func tdsServer(t testing.TB) *tds.Server {
	t.Helper()
	return tds.New(t, statementsOf(t, sqlstore.SQLServer))
}

func openSQLServer(t testing.TB, dsn string) *sqlstore.DB {
	t.Helper()
	return open(t, sqlstore.Config{Dialect: sqlstore.SQLServer, DSN: dsn})
}

// over opens a store on the test server itself.
func over(t testing.TB, server *tds.Server) *sqlstore.DB {
	t.Helper()
	return openSQLServer(t, server.DSN(server.Addr()))
}

func TestTheSQLServerStoreKeepsThePromisesOfALeaseOverTDS(t *testing.T) {
	leasetest.Run(t, func(t *testing.T) leasetest.Fixture {
		server := tdsServer(t)
		relay := testserver.Proxy(t, server.Addr())
		return leasetest.Fixture{
			A: openSQLServer(t, server.DSN(relay.Addr())), B: openSQLServer(t, server.DSN(relay.Addr())),
			Hang: relay.Hang, Restore: func() { relay.Restore(t) },
			ChangeIncarnation: func() { server.FailOver(false) },
			WatchWithin:       2 * time.Second,
		}
	})
}

func TestSQLServerKeepsThePromisesOfALease(t *testing.T) {
	dsn := os.Getenv(realSQLServer)
	if dsn == "" {
		t.Skipf("%s names no server; without one only our use of the driver is tested, over a test server that speaks TDS", realSQLServer)
	}
	u, err := url.Parse(dsn)
	must(t, err)
	relay := testserver.Proxy(t, u.Host)
	u.Host = relay.Addr()
	fixtures := 0
	leasetest.Run(t, func(t *testing.T) leasetest.Fixture {
		fixtures++
		c := sqlstore.Config{Dialect: sqlstore.SQLServer, DSN: u.String(), TablePrefix: fmt.Sprintf("t%d_%x_", os.Getpid(), fixtures)}
		return leasetest.Fixture{
			A: open(t, c), B: open(t, c),
			Hang: relay.Hang, Restore: func() { relay.Restore(t) },
			WatchWithin: 2 * time.Second,
		}
	})
}

func TestSQLServerErrorsHaveTheirKinds(t *testing.T) {
	for _, c := range []struct {
		tds.Failure
		want error
	}{
		{tds.Failure{Number: 229, Class: 14, Text: "permission denied"}, sqlstore.ErrRights},
		{tds.Failure{Number: 3906, Class: 16, Text: "read-only"}, sqlstore.ErrReadOnly},
		{tds.Failure{Number: 3908, Class: 16, Text: "recovery"}, sqlstore.ErrReadOnly},
		{tds.Failure{Number: 9002, Class: 17, Text: "log full"}, sqlstore.ErrDiskFull},
		{tds.Failure{Number: 1105, Class: 17, Text: "file group full"}, sqlstore.ErrDiskFull},
		{tds.Failure{Number: 1205, Class: 13, Text: "deadlock"}, sqlstore.ErrBusy},
		{tds.Failure{Number: 1222, Class: 16, Text: "lock timeout"}, sqlstore.ErrBusy},
		{tds.Failure{Number: 40613, Class: 17, Text: "not available"}, sqlstore.ErrUnreachable},
		{tds.Failure{Number: 983, Class: 14, Text: "not the primary"}, sqlstore.ErrReadOnly},
		{tds.Failure{Number: 596, Class: 21, Text: "session killed"}, sqlstore.ErrUnreachable},
		{tds.Failure{Number: 824, Class: 24, Text: "torn page"}, sqlstore.ErrDamaged},
	} {
		t.Run(fmt.Sprint(c.Number), func(t *testing.T) {
			server := tdsServer(t)
			db := over(t, server)
			held := claimed(t, db, "node")
			server.Fail(c.Failure)
			err := db.Swap(t.Context(), held, renewal(held))
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), fmt.Sprintf("(SQL Server error %d)", c.Number)) {
				t.Fatalf("judged as %v, want %v with the number", err, c.want)
			}
			if now := observed(t, db, "node"); !now.Same(held) {
				t.Fatalf("the row changed to %v", now)
			}
			swapped(t, db, held, renewal(held))
		})
	}
}

func TestALoginThatSQLServerRefusesIsSaidToBeOne(t *testing.T) {
	server := tdsServer(t)
	dsn := server.DSN(server.Addr())
	u, err := url.Parse(dsn)
	must(t, err)
	u.User = url.UserPassword("somebody", server.Password())
	for name, address := range map[string]string{
		"user":     u.String(),
		"database": strings.Replace(dsn, "database=corda", "database=cordy", 1),
	} {
		_, err := openSQLServer(t, address).Read(t.Context(), "node")
		if !errors.Is(err, sqlstore.ErrLogin) || strings.Contains(err.Error(), server.Password()) {
			t.Errorf("wrong %s: %v, want ErrLogin", name, err)
		}
	}
	server.Refuse(&tds.Failure{Number: 18401, Class: 14, Text: "Server is in script upgrade mode."})
	if _, err := over(t, server).Read(t.Context(), "node"); !errors.Is(err, sqlstore.ErrUnreachable) {
		t.Errorf("a server that is not ready: %v, want ErrUnreachable", err)
	}
}

func TestAServerThatKeepsNoLeaseIsRefusedAtTheLogin(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*tds.Server)
		want    error
		word    string
	}{
		"secondary":          {func(s *tds.Server) { s.SetReadOnly(true) }, sqlstore.ErrReadOnly, "secondary"},
		"delayed durability": {func(s *tds.Server) { s.Delayed("FORCED") }, sqlstore.ErrDoubt, "DELAYED_DURABILITY"},
		"too old":            {func(s *tds.Server) { s.Edition(3, "12.0.6024.0") }, nil, "12.0.6024.0"},
	} {
		t.Run(name, func(t *testing.T) {
			server := tdsServer(t)
			c.prepare(server)
			_, err := over(t, server).Read(t.Context(), "node")
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.word) {
				t.Errorf("%v, want %v and the word %q", err, c.want, c.word)
			}
		})
	}
}

// Azure SQL Database has no sys.database_recovery_status.
func TestAzureSQLDatabaseIsAskedForNothingThatItDoesNotHave(t *testing.T) {
	server := tdsServer(t)
	server.Edition(5, "12.0.2000.8")
	db := over(t, server)
	held := claimed(t, db, "node")
	swapped(t, db, held, renewal(held))
	if server.Heard("renew#azure") != 1 || server.Heard("renew") != 0 || server.Heard("read") != 0 {
		t.Error("a statement was sent that Azure SQL Database does not understand")
	}
}

// The outcome of a statement whose answer never came is unknown, and is found out
// by reading: the write may have been done.
func TestAnAnswerThatGotLostIsNoAnswer(t *testing.T) {
	server := tdsServer(t)
	db := over(t, server)
	held := claimed(t, db, "node")
	server.Mute()
	err := db.Swap(t.Context(), held, renewal(held))
	if !errors.Is(err, sqlstore.ErrUnreachable) {
		t.Fatalf("renewal without an answer: %v, want ErrUnreachable", err)
	}
	if now := observed(t, db, "node"); now.Record != renewal(held) {
		t.Fatalf("the row is %v", now)
	}
	if n := server.Heard("renew"); n != 1 {
		t.Fatalf("the renewal was sent %d times: a driver that tries again by itself changes outcomes", n)
	}
}

// What waits for a lock ends with its caller: the server is asked to give it up,
// and nothing is written later.
func TestARenewalThatWaitsForALockIsGivenUpOnTheServerToo(t *testing.T) {
	server := tdsServer(t)
	db := over(t, server)
	held := claimed(t, db, "node")
	server.Hold(false)
	if err := within(t, 200*time.Millisecond, contextual(db, held)); !errors.Is(err, sqlstore.ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("renewal under a lock: %v, want ErrUnreachable and the context's error", err)
	}
	if server.Heard("attention") != 1 {
		t.Fatal("the server was not asked to give the statement up")
	}
	server.Release()
	if now := observed(t, db, "node"); !now.Same(held) {
		t.Fatalf("what was given up was written: %v", now)
	}
	server.Hold(true)
	if err := within(t, patience, contextual(db, held)); !errors.Is(err, sqlstore.ErrBusy) {
		t.Fatalf("renewal that the server ended: %v, want ErrBusy", err)
	}
}

func TestAFailoverOfSQLServerThatLostWritesIsAnotherDatabase(t *testing.T) {
	server := tdsServer(t)
	db := over(t, server)
	held := claimed(t, db, "node")
	server.Save()
	swapped(t, db, held, renewal(held))
	server.FailOver(true)
	var now lease.Observation
	eventually(t, func(ctx context.Context) (err error) {
		now, err = db.Read(ctx, "node")
		return err
	})
	if now.Record != held.Record || now.Incarnation == held.Incarnation {
		t.Fatalf("after the failover the row is %v of %q", now, now.Incarnation)
	}
	if err := db.Swap(t.Context(), held, renewal(held)); !errors.Is(err, lease.ErrChanged) {
		t.Fatalf("renewal with the key of before: %v, want ErrChanged", err)
	}
}

// A connection that the server closed while nobody used it costs no renewal.
func TestTheFirstRenewalAfterSQLServerDroppedItsConnectionsSucceeds(t *testing.T) {
	server := tdsServer(t)
	db := over(t, server)
	held := claimed(t, db, "node")
	for range 3 {
		server.Cut()
		eventually(t, func(context.Context) error { // the end of the connection has to arrive
			if n := server.Connections(); n > 0 {
				return fmt.Errorf("%d connections", n)
			}
			return nil
		})
		swapped(t, db, held, renewal(held))
		held = observed(t, db, "node")
	}
}

func TestARenewalOnSQLServerIsOneRoundTrip(t *testing.T) {
	server := tdsServer(t)
	relay := count(t, server.Addr())
	db := openSQLServer(t, server.DSN(relay.addr))
	claimed(t, db, "node")
	for range 3 {
		held := observed(t, db, "node")
		relay.take()
		swapped(t, db, held, renewal(held))
		if n := relay.take(); n != 1 {
			t.Errorf("a renewal took %d round trips", n)
		}
		released := renewal(observed(t, db, "node"))
		seen := observed(t, db, "node")
		released.Released = !released.Released
		relay.take()
		swapped(t, db, seen, released)
		if n := relay.take(); n != 1 {
			t.Errorf("a release with its signal took %d round trips", n)
		}
		observed(t, db, "node")
		if n := relay.take(); n != 1 {
			t.Errorf("a read took %d round trips", n)
		}
	}
}

func TestAnAgentWithoutRightsOnSQLServerSaysWhatAnAdministratorHasToDo(t *testing.T) {
	server := tdsServer(t)
	server.Deny("create", true)
	_, err := over(t, server).Read(t.Context(), "node")
	var schema *sqlstore.SchemaError
	if !errors.As(err, &schema) || len(schema.Missing) != 5 || !errors.Is(err, sqlstore.ErrRights) {
		t.Fatalf("no tables, no right to create: %v, want a SchemaError with five tables", err)
	}
	server.Deny("create", false)
	db := over(t, server)
	held := claimed(t, db, "node")
	server.Deny("renew", true)
	server.Revoke("UPDATE on hotcold_lease")
	if err := db.Swap(t.Context(), held, renewal(held)); !errors.Is(err, sqlstore.ErrRights) {
		t.Fatalf("renewal without the right: %v, want ErrRights", err)
	}
	var rights *sqlstore.RightsError
	if err := db.Swap(t.Context(), held, renewal(held)); !errors.As(err, &rights) || fmt.Sprint(rights.Missing) != "[UPDATE on hotcold_lease]" {
		t.Fatalf("the next call: %v, want a RightsError with UPDATE on hotcold_lease", err)
	}
}

func TestSQLServerTablesOfAnotherVersionOrThatWereDropped(t *testing.T) {
	server := tdsServer(t)
	db := over(t, server)
	held := claimed(t, db, "node")
	server.SetVersion("99")
	var schema *sqlstore.SchemaError
	if _, err := over(t, server).Read(t.Context(), "node"); !errors.As(err, &schema) || schema.Found != "99" {
		t.Fatalf("read: %v, want a SchemaError with the version", err)
	}
	server.Drop()
	if err := db.Swap(t.Context(), held, renewal(held)); !errors.As(err, &schema) {
		t.Fatalf("renewal without a table: %v, want a SchemaError", err)
	}
	if now := observed(t, db, "node"); now.Exists {
		t.Fatalf("a new table was read as %+v", now)
	}
}

func TestASQLServerThatOffersNoEncryptionIsNotUsedWithoutIt(t *testing.T) {
	server := tdsServer(t)
	for _, query := range []string{"encrypt=true", "encrypt=strict"} {
		dsn := strings.Replace(server.DSN(server.Addr()), "encrypt=disable", query, 1)
		err := within(t, 2*time.Second, func(ctx context.Context) error {
			_, err := openSQLServer(t, dsn).Read(ctx, "node")
			return err
		})
		if err == nil || strings.Contains(err.Error(), server.Password()) {
			t.Errorf("%s: %v, want an error that does not show the password", query, err)
		}
	}
}

func TestAWrongSQLServerAddressIsRefusedWithoutShowingThePassword(t *testing.T) {
	const secret = "s3cr3t"
	for _, dsn := range []string{
		"jdbc:sqlserver://h:1433;password=" + secret, "server=h;password=" + secret, "sqlserver://u:" + secret + "@h:port/x",
		"sqlserver://u:%" + secret + "@h", "sqlserver://h?encrypt=" + secret, "sqlserver://u:" + secret + "@h?database=d&applicationintent=ReadOnly",
	} {
		db, err := sqlstore.Open(t.Context(), sqlstore.Config{Dialect: sqlstore.SQLServer, DSN: dsn})
		if err == nil {
			t.Errorf("%s was taken", dsn)
			must(t, db.Close())
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the password is shown: %v", err)
		}
	}
}

func TestHowSQLServerIsReplicatedIsAsked(t *testing.T) {
	row := func(n int64, more ...any) tds.Prepared {
		return tds.Prepared{Row: append([]any{n}, more...)}
	}
	failure := func(number int32) tds.Prepared {
		return tds.Prepared{Failure: &tds.Failure{Number: number, Class: 14, Text: "as a test wants it"}}
	}
	for name, c := range map[string]struct {
		place, mirrors, group tds.Prepared
		want                  sqlstore.Copies
	}{
		"one server":   {row(3, int64(0), "DISABLED", "agents"), row(0), failure(50000), sqlstore.CopiesNone},
		"mirrored":     {row(3, int64(0), "DISABLED", "agents"), row(1), failure(50000), sqlstore.CopiesAsynchronous},
		"in sync":      {row(3, int64(1), "DISABLED", "agents"), row(0), row(1, int64(2), int64(1), "group"), sqlstore.CopiesSynchronous},
		"degraded":     {row(3, int64(1), "DISABLED", "agents"), row(0), row(1, int64(2), int64(0), "group"), sqlstore.CopiesDegraded},
		"not required": {row(3, int64(1), "DISABLED", "agents"), row(0), row(0, int64(2), int64(2), "group"), sqlstore.CopiesAsynchronous},
		"2016":         {row(3, int64(1), "DISABLED", "agents"), row(0), failure(207), sqlstore.CopiesAsynchronous},
		"denied":       {row(3, int64(1), "DISABLED", "agents"), row(0), failure(300), sqlstore.CopiesUnknown},
		"Azure":        {row(5, int64(1), "DISABLED", "agents"), failure(208), failure(208), sqlstore.CopiesUnknown},
	} {
		server := tdsServer(t)
		server.Prepare("replicationPlace", c.place)
		server.Prepare("replicationMirrors", c.mirrors)
		server.Prepare("replicationGroup", c.group)
		r, err := over(t, server).Replication(t.Context())
		if err != nil || r.Copies != c.want || r.NoRoles {
			t.Errorf("%s: %+v (%v), want %s", name, r, err, c.want)
		}
	}
}
