package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// myNodes is what twoNodes is, on MySQL or MariaDB. The account of node_b has two hosts.
type myNodes struct {
	t      testing.TB
	server *testserver.MySQLServer
	db     *sqlstore.DB // as the agents' account
	fence  sqlstore.Fence
	seen   lease.Observation
}

const agentOf = "SET @agent = '''agents''@''%'''"

func newMyNodes(t testing.TB, my myKind, settings ...string) *myNodes {
	t.Helper()
	server := my.server(t, append(settings, "sync_binlog=0", "innodb_flush_log_at_trx_commit=0")...)
	n := &myNodes{t: t, server: server, fence: sqlstore.Fence{Lease: "node", Holder: "a", Nonce: "n", Epoch: 1, Mine: "node_a", Others: []string{"node_b"}}}
	accounts := []string{"agents@'%'", "node_a@'%'", "node_b@'%'", "node_b@'127.0.0.1'"}
	for _, a := range accounts {
		server.Exec(t, "CREATE USER "+a+" IDENTIFIED BY 'secret'")
	}
	server.Exec(t, "GRANT CREATE, SELECT, INSERT, UPDATE, DELETE, INDEX ON hotcold.* TO agents@'%'",
		"CREATE TABLE journal (n BIGINT AUTO_INCREMENT PRIMARY KEY, writer VARCHAR(80) NOT NULL) ENGINE=InnoDB")
	for _, a := range accounts[1:] {
		server.Exec(t, "GRANT SELECT, INSERT ON hotcold.journal TO "+a)
	}
	server.Exec(t, append([]string{agentOf}, statements(sqlstore.FencingSchema(my.dialect, n.fence))...)...)
	n.db = openMySQL(t, n.as("agents"))
	n.seen = claimed(t, n.db, "node")
	return n
}

func (n *myNodes) as(account string) string {
	u, err := url.Parse(n.server.DSN())
	must(n.t, err)
	u.User = url.UserPassword(account, "secret")
	return u.String()
}

// handOver gives the lease to another holder under the next epoch.
func (n *myNodes) handOver(holder string) sqlstore.Fence {
	n.t.Helper()
	next := n.seen.Record
	next.Holder, next.Nonce, next.Epoch, next.Version = holder, "of "+holder, next.Epoch+1, next.Version+1
	swapped(n.t, n.db, n.seen, next)
	n.seen = observed(n.t, n.db, "node")
	f := sqlstore.Fence{Lease: "node", Holder: holder, Nonce: "of " + holder, Epoch: next.Epoch, Mine: "node_a", Others: []string{"node_b"}}
	if holder == "b" {
		f.Mine, f.Others = "node_b", []string{"node_a"}
	}
	return f
}

func (n *myNodes) fenced(f sqlstore.Fence) sqlstore.Fenced {
	n.t.Helper()
	var done sqlstore.Fenced
	must(n.t, within(n.t, patience, func(ctx context.Context) (err error) {
		done, err = n.db.Fence(ctx, f)
		return err
	}))
	return done
}

// dial logs in as another program does.
func (n *myNodes) dial(ctx context.Context, account string) (*sql.Conn, func(), error) {
	pool, err := mysqlPool(n.as(account))
	if err != nil {
		return nil, nil, err
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, pool.Close())
	}
	return conn, func() { _, _ = conn.Close(), pool.Close() }, nil // the server may have ended it
}

func (n *myNodes) login(account string) bool {
	n.t.Helper()
	_, done, err := n.dial(n.t.Context(), account)
	if err == nil {
		done()
	}
	return err == nil
}

func write(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "INSERT INTO journal (writer) VALUES (SUBSTRING_INDEX(USER(), '@', 1))")
	return err
}

// What the old node has begun and not committed does not arrive after the fence.
func TestFencingOnMySQLEndsTheOthersSessionsAndTheirLogin(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		n := newMyNodes(t, my)
		old, mine := mysqlConn(t, n.as("node_b")), mysqlConn(t, n.as("node_a"))
		_, err := old.ExecContext(t.Context(), "START TRANSACTION")
		must(t, err)
		must(t, write(t.Context(), old))
		done := n.fenced(n.fence)
		if done.Ended != 1 || done.Prepared != 0 || done.Took <= 0 {
			t.Errorf("%+v, want one session ended", done)
		}
		if _, err := old.ExecContext(t.Context(), "COMMIT"); err == nil {
			t.Error("a transaction of the other node was committed after the fence")
		}
		if rows := n.server.Value(t, "SELECT COUNT(*) FROM journal"); rows != "0" {
			t.Errorf("%s rows of the other node are there", rows)
		}
		if write(t.Context(), mine) == nil {
			t.Error("a session of our own last node still writes")
		}
		if n.login("node_b") || !n.login("node_a") {
			t.Error("want node_a to get in, and node_b not to")
		}
		back := n.fenced(n.handOver("b"))
		if back.Ended != 0 || n.login("node_a") || !n.login("node_b") {
			t.Errorf("after the hand-over %+v; want node_b to get in, and node_a not to", back)
		}
	})
}

func TestALateHolderLocksNobodyOutOfMySQL(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		n := newMyNodes(t, my)
		n.fenced(n.handOver("b"))
		serving := mysqlConn(t, n.as("node_b"))
		for name, late := range map[string]func(*sqlstore.Fence){
			"epoch":  func(f *sqlstore.Fence) { f.Holder, f.Nonce = "b", "of b" },
			"holder": func(f *sqlstore.Fence) { f.Nonce, f.Epoch = "of b", 2 },
			"nonce":  func(f *sqlstore.Fence) { f.Holder, f.Epoch = "b", 2 },
			"lease":  func(f *sqlstore.Fence) { f.Lease, f.Holder, f.Nonce, f.Epoch = "another", "b", "of b", 2 },
			"all":    func(*sqlstore.Fence) {},
		} {
			f := n.fence
			late(&f)
			if _, err := n.db.Fence(t.Context(), f); !errors.Is(err, lease.ErrChanged) {
				t.Errorf("a fence with the %s of another: %v, want ErrChanged", name, err)
			}
		}
		if err := write(t.Context(), serving); err != nil {
			t.Errorf("the holder's node was ended: %v", err)
		}
		if n.login("node_a") || !n.login("node_b") {
			t.Error("a late holder changed who may log in")
		}
		released := n.seen.Record
		released.Released, released.Version = true, released.Version+1
		swapped(t, n.db, n.seen, released)
		f := sqlstore.Fence{Lease: "node", Holder: "b", Nonce: "of b", Epoch: 2, Mine: "node_b", Others: []string{"node_a"}}
		if _, err := n.db.Fence(t.Context(), f); !errors.Is(err, lease.ErrChanged) {
			t.Errorf("a fence under a released lease: %v, want ErrChanged", err)
		}
	})
}

// The goal and the method are those of the same race on PostgreSQL.
func TestFencesThatRaceOnMySQLEndAsTheLeaseSays(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		n := newMyNodes(t, my)
		fences := make(chan sqlstore.Fence, 1)
		var racers sync.WaitGroup
		for range 2 {
			racers.Go(func() {
				for f := range fences {
					if _, err := n.db.Fence(t.Context(), f); err != nil && !errors.Is(err, lease.ErrChanged) {
						t.Errorf("fence %+v: %v", f, err)
					}
				}
			})
		}
		last := n.fence
		for i := range 20 {
			fences <- last // the holder of before, who does not know yet
			last = n.handOver([]string{"b", "a"}[i%2])
			fences <- last
		}
		close(fences)
		racers.Wait()
		n.fenced(last)
		if !n.login(last.Mine) || n.login(last.Others[0]) {
			t.Errorf("after the race %s does not get in, or %s does", last.Mine, last.Others[0])
		}
	})
}

// The goal and the method are those of the same storm on PostgreSQL.
func TestNoSessionComesAfterTheFenceOnMySQL(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		n := newMyNodes(t, my)
		ctx, stop := context.WithCancel(t.Context())
		var clients sync.WaitGroup
		var written atomic.Int64
		for range 8 {
			clients.Go(func() {
				for ctx.Err() == nil {
					conn, done, err := n.dial(ctx, "node_b")
					if err != nil {
						continue
					}
					for range 3 {
						if write(ctx, conn) != nil {
							break
						}
						written.Add(1)
					}
					done()
				}
			})
		}
		admin := mysqlConn(t, n.server.DSN())
		var slowest time.Duration
		for range 15 {
			before := written.Load()
			eventually(t, func(context.Context) error {
				if written.Load() <= before {
					return errors.New("the clients write nothing")
				}
				return nil
			})
			slowest = max(slowest, n.fenced(n.fence).Took)
			result, err := admin.ExecContext(t.Context(), "INSERT INTO journal (writer) VALUES ('mark')")
			must(t, err)
			marked, err := result.LastInsertId()
			must(t, err)
			_, err = admin.ExecContext(t.Context(), "DO SLEEP(0.02)")
			must(t, err)
			var later int
			must(t, admin.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM journal WHERE n > ? AND writer = 'node_b'", marked).Scan(&later))
			if later > 0 {
				t.Fatalf("%d rows of the other node came after the fence", later)
			}
			n.server.Exec(t, "ALTER USER node_b@'%', node_b@'127.0.0.1' ACCOUNT UNLOCK")
		}
		stop()
		clients.Wait()
		t.Logf("15 fences against 8 clients that log in without pause, the slowest took %v", slowest)
	})
}

// An agent that froze between two statements of its fence has the turn.
func TestAFrozenHolderDoesNotKeepTheNextOneFromFencingOnMySQL(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		n := newMyNodes(t, my)
		frozen := mysqlConn(t, n.as("agents"))
		turn := "CONCAT('hotcold/', SHA2(CONCAT_WS('/', DATABASE(), 'hotcold_', 'node'), 224))"
		var got bool
		must(t, frozen.QueryRowContext(t.Context(), "SELECT GET_LOCK("+turn+", 0)").Scan(&got))
		f := n.handOver("b")
		if _, err := n.db.Fence(t.Context(), n.fence); !errors.Is(err, lease.ErrChanged) {
			t.Errorf("a late holder that finds the turn taken: %v, want ErrChanged", err)
		}
		must(t, frozen.PingContext(t.Context())) // it did not take it away
		done := n.fenced(f)
		if done.Took > patience/3 {
			t.Errorf("it took %v", done.Took)
		}
		if !n.login("node_b") || n.login("node_a") {
			t.Error("want node_b to get in, and node_a not to")
		}
		if _, err := frozen.ExecContext(t.Context(), "ALTER USER node_b@'%' ACCOUNT LOCK"); err == nil {
			t.Error("what the frozen holder was about to do is done after the fence")
		}
	})
}

func TestPreparedTransactionsOnMySQLAreCounted(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		n := newMyNodes(t, my)
		old := mysqlConn(t, n.as("node_b"))
		for _, statement := range []string{"XA START 'left'", "INSERT INTO journal (writer) VALUES ('x')", "XA END 'left'", "XA PREPARE 'left'"} {
			_, err := old.ExecContext(t.Context(), statement)
			must(t, err)
		}
		if done := n.fenced(n.fence); done.Prepared != 1 {
			t.Errorf("%+v, want one prepared transaction", done)
		}
		n.server.Exec(t, "XA ROLLBACK 'left'")
	})
}

func TestWhatIsMissingForFencingOnMySQLIsSaidWithTheStatementsThatMendIt(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		n := newMyNodes(t, my)
		faults := func(f sqlstore.Fence) (faults, grants []string) {
			t.Helper()
			faults, grants, err := openMySQL(t, n.as("agents")).FencingFaults(t.Context(), f) // rights on all databases count from the login on
			must(t, err)
			return faults, grants
		}
		if found, _ := faults(n.fence); len(found) > 0 {
			t.Fatalf("with what is printed there are faults: %q", found)
		}
		rights, count := "CREATE USER, PROCESS, CONNECTION ADMIN", 4
		if my.dialect == sqlstore.MySQL {
			rights, count = "CREATE USER, PROCESS, CONNECTION_ADMIN, XA_RECOVER_ADMIN", 5
		}
		n.server.Exec(t, "REVOKE "+rights+" ON *.* FROM agents@'%'", "REVOKE SELECT (User, Host) ON mysql.user FROM agents@'%'")
		found, grants := faults(n.fence)
		if len(found) != count || len(grants) != count {
			t.Fatalf("faults %q, statements %q, want %d of each", found, grants, count)
		}
		if r, err := openMySQL(t, n.as("agents")).Replication(t.Context()); err != nil || r.Copies == sqlstore.CopiesNone {
			t.Errorf("replication that nobody may see: %+v, %v", r, err)
		}
		for i := range grants { // all but one is not enough, and no session is taken for ended
			if _, err := openMySQL(t, n.as("agents")).Fence(t.Context(), n.fence); !errors.Is(err, sqlstore.ErrRights) {
				t.Errorf("fence with %d of %d rights: %v, want ErrRights", i, count, err)
			}
			if i == 0 {
				mysqlConn(t, n.as("node_b"))
			}
			n.server.Exec(t, grants[len(grants)-1-i])
		}
		if found, _ := faults(n.fence); len(found) > 0 {
			t.Errorf("after %q there are faults: %q", grants, found)
		}
		n.server.Exec(t, "CREATE USER ''@'localhost'")
		f := n.fence
		f.Mine, f.Others = "agents", []string{"nobody"}
		found, _ = faults(f)
		for _, want := range []string{"logs in as agents", "no account of the name nobody", "an anonymous account, ``@`localhost`"} {
			if !strings.Contains(strings.Join(found, "; "), want) {
				t.Errorf("faults %q, want one that says %q", found, want)
			}
		}
	})
}

// loggingIn begins a login that the server waits for until it is closed.
func (n *myNodes) loggingIn() net.Conn {
	n.t.Helper()
	conn, err := net.Dial("tcp", n.server.Addr())
	must(n.t, err)
	n.t.Cleanup(func() { _ = conn.Close() }) // closed before, in some tests
	must(n.t, conn.SetReadDeadline(clock.System().Now().Wall.Add(patience)))
	_, err = conn.Read(make([]byte, 1)) // the server has begun
	must(n.t, err)
	return conn
}

func TestAFenceOnMySQLWaitsForALoginThatIsUnderWay(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		n := newMyNodes(t, my)
		conn := n.loggingIn()
		err := within(t, 500*time.Millisecond, func(ctx context.Context) error {
			_, err := n.db.Fence(ctx, n.fence)
			return err
		})
		if err == nil {
			t.Error("the fence did not wait for the login")
		}
		must(t, conn.Close())
		n.fenced(n.fence)
		if n.login("node_b") {
			t.Error("the other node gets in")
		}
	})
}

// The goal and the method are those of the same test on PostgreSQL.
func TestAFenceOnMySQLThatIsOvertakenEndsNoSessionOfTheSuccessor(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		n := newMyNodes(t, my)
		n.loggingIn()
		overtaken := make(chan error, 1)
		go func() {
			_, err := n.db.Fence(t.Context(), n.fence)
			overtaken <- err
		}()
		eventually(t, func(context.Context) error {
			if n.login("node_b") {
				return errors.New("node_b still gets in")
			}
			return nil
		})
		n.handOver("b")
		n.server.Exec(t, "ALTER USER node_b@'%', node_b@'127.0.0.1' ACCOUNT UNLOCK") // as the successor's own fence ends
		var serving *sql.Conn
		eventually(t, func(ctx context.Context) error {
			conn, done, err := n.dial(ctx, "node_b")
			if err == nil {
				t.Cleanup(done)
				serving = conn
			}
			return err
		})
		select {
		case err := <-overtaken:
			if !errors.Is(err, lease.ErrChanged) {
				t.Errorf("the fence that was overtaken: %v, want ErrChanged", err)
			}
		case <-timeout(t, patience):
			t.Fatal("the fence that was overtaken goes on")
		}
		if err := write(t.Context(), serving); err != nil {
			t.Errorf("the successor's node was ended: %v", err)
		}
	})
}

func TestHowMySQLIsReplicatedIsSeen(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		r := func(server *testserver.MySQLServer) sqlstore.Replication {
			t.Helper()
			found, err := openMySQL(t, server.DSN()).Replication(t.Context())
			must(t, err)
			return found
		}
		expect := func(server *testserver.MySQLServer, want sqlstore.Copies) {
			t.Helper()
			if found := r(server); found.Copies != want || found.Text == "" || (found.Raise == "") != (want == sqlstore.CopiesSynchronous || want == sqlstore.CopiesNone) {
				t.Errorf("%+v, want %s", found, want)
			}
		}
		t.Run("none", func(t *testing.T) { expect(my.server(t, "skip_log_bin"), sqlstore.CopiesNone) })
		t.Run("asynchronous", func(t *testing.T) {
			pair := my.pair(t, false)
			expect(pair.Primary, sqlstore.CopiesAsynchronous)
		})
		t.Run("semi-synchronous", func(t *testing.T) {
			pair := my.pair(t, true)
			expect(pair.Primary, sqlstore.CopiesAsynchronous) // it goes on alone after ten minutes
			pair.Primary.Exec(t, "SET GLOBAL "+my.semiSync+"_timeout = 604800000")
			expect(pair.Primary, sqlstore.CopiesSynchronous)
			pair.Primary.Exec(t, "SET GLOBAL "+my.semiSync+"_wait_point = AFTER_COMMIT")
			expect(pair.Primary, sqlstore.CopiesAsynchronous)
			pair.Primary.Exec(t, "SET GLOBAL "+my.semiSync+"_wait_point = AFTER_SYNC", "SET GLOBAL sync_binlog = 0")
			expect(pair.Primary, sqlstore.CopiesAsynchronous)
			pair.Primary.Exec(t, "SET GLOBAL sync_binlog = 1")
			// The tables are there, and stay: making them would wait for the replica.
			db := openMySQL(t, pair.Primary.DSN())
			observed(t, db, "node")
			pair.Replica.Stop(t)
			eventually(t, func(ctx context.Context) error {
				found, err := db.Replication(ctx)
				if err == nil && found.Copies != sqlstore.CopiesDegraded {
					err = fmt.Errorf("%+v", found)
				}
				return err
			})
		})
	})
}
