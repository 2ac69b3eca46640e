package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/hotcold/hotcold/lease/sqlstore"
)

// What fencing rests on, tried on a real server: a node that logs in anew for each row, and has a transaction open,
// writes nothing once the fence has returned. The login of realSQLServer has to be a member of sysadmin.
func TestFencingKeepsAStormOfLoginsOutOfARealSQLServer(t *testing.T) {
	dsn := os.Getenv(realSQLServer)
	if dsn == "" {
		t.Skipf("%s names no server; without one it is not known whether a SQL Server keeps out whom hotcold fences", realSQLServer)
	}
	admin := openedSQL(t, dsn)
	run := func(statement string) {
		t.Helper()
		_, err := admin.ExecContext(t.Context(), statement)
		must(t, err)
	}
	prefix := fmt.Sprintf("t%d_storm_", os.Getpid())
	nodeA, nodeB, table := prefix+"a", prefix+"b", prefix+"row"
	const password = "Ut pictura poesis/1"
	for _, name := range []string{nodeA, nodeB} {
		run(fmt.Sprintf("CREATE LOGIN %s WITH PASSWORD = '%s'; CREATE USER %[1]s FOR LOGIN %[1]s", name, password))
	}
	run(fmt.Sprintf("CREATE TABLE %s (n bigint IDENTITY PRIMARY KEY, who nvarchar(100) NOT NULL)", table))
	run(fmt.Sprintf("GRANT SELECT, INSERT ON %s TO %s, %s", table, nodeA, nodeB))
	u, err := url.Parse(dsn)
	must(t, err)
	u.User = url.UserPassword(nodeA, password)
	db := open(t, sqlstore.Config{Dialect: sqlstore.SQLServer, DSN: dsn, TablePrefix: prefix})
	held := claimed(t, db, "node").Record
	f := sqlstore.Fence{Lease: "node", Holder: held.Holder, Nonce: held.Nonce, Epoch: held.Epoch, Mine: nodeB, Others: []string{nodeA}}

	old, err := openedSQL(t, u.String()).BeginTx(t.Context(), nil)
	must(t, err)
	insert := fmt.Sprintf("INSERT INTO %s (who) VALUES (SUSER_SNAME())", table)
	_, err = old.ExecContext(t.Context(), insert)
	must(t, err)
	storm, calm := context.WithCancel(t.Context())
	defer calm()
	var wg sync.WaitGroup
	for range 8 {
		pool := openedSQL(t, u.String())
		pool.SetMaxIdleConns(-1) // each row is a login
		wg.Go(func() {
			for storm.Err() == nil {
				_, _ = pool.ExecContext(storm, insert) // it is refused sooner or later
			}
		})
	}
	rows := func() (n int) { // without those of the open transaction, which are locked
		t.Helper()
		must(t, admin.QueryRowContext(t.Context(), fmt.Sprintf("SELECT COUNT(*) FROM %s WITH (READPAST)", table)).Scan(&n))
		return n
	}
	eventually(t, func(context.Context) error {
		if n := rows(); n < 50 {
			return fmt.Errorf("%d rows", n)
		}
		return nil
	})
	_, err = db.Fence(t.Context(), f)
	must(t, err)
	before := rows()
	for range 200 { // the storm goes on meanwhile
		if n := rows(); n != before {
			t.Fatalf("%d rows were written behind the fence", n-before)
		}
	}
	if err := old.Commit(); err == nil {
		t.Error("a transaction of before was committed behind the fence")
	}
	calm()
	wg.Wait()
	f.Mine, f.Others = nodeA, []string{nodeB}
	_, err = db.Fence(t.Context(), f)
	must(t, err)
	_, err = openedSQL(t, u.String()).ExecContext(t.Context(), insert)
	must(t, err)
}

func openedSQL(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	pool, err := sql.Open("sqlserver", dsn)
	must(t, err)
	t.Cleanup(func() { must(t, pool.Close()) })
	return pool
}
