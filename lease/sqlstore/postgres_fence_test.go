package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// twoNodes is a database with a table that two nodes write to, each under a role
// of its own, and a role for the agents that has what the printed statements give.
type twoNodes struct {
	t      testing.TB
	server *testserver.PostgresServer
	db     *sqlstore.DB // as the agents' role
	fence  sqlstore.Fence
	seen   lease.Observation
}

func newTwoNodes(t testing.TB, opts ...testserver.Option) *twoNodes {
	t.Helper()
	server := testserver.Postgres(t, append(opts, testserver.NoFsync())...)
	n := &twoNodes{t: t, server: server, fence: sqlstore.Fence{Lease: "node", Holder: "a", Nonce: "n", Epoch: 1, Mine: "node_a", Others: []string{"node_b"}}}
	server.Exec(t,
		"CREATE ROLE agents LOGIN PASSWORD 'secret'", "CREATE ROLE nodes", "GRANT CREATE ON SCHEMA public TO agents",
		"CREATE ROLE node_a LOGIN PASSWORD 'secret' IN ROLE nodes", "CREATE ROLE node_b LOGIN PASSWORD 'secret' IN ROLE nodes",
		"CREATE TABLE journal (n bigint GENERATED ALWAYS AS IDENTITY, writer text DEFAULT session_user)", "GRANT INSERT, SELECT ON journal TO nodes")
	for _, statement := range statements(sqlstore.FencingSchema(sqlstore.Postgres, n.fence)) {
		server.Exec(t, strings.ReplaceAll(statement, `:"role"`, "agents"))
	}
	n.db = openPostgres(t, n.as("agents"))
	n.seen = claimed(t, n.db, "node")
	return n
}

// statements are the lines that are no comments.
func statements(text string) (all []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") {
			all = append(all, strings.TrimSuffix(line, ";"))
		}
	}
	return all
}

// as is the server's address for another role.
func (n *twoNodes) as(role string) string {
	return fmt.Sprintf("postgres://%s:secret@127.0.0.1:%d/postgres?sslmode=disable", role, n.server.Port())
}

// handOver gives the lease to another holder under the next epoch.
func (n *twoNodes) handOver(holder string) sqlstore.Fence {
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

func (n *twoNodes) fenced(f sqlstore.Fence) sqlstore.Fenced {
	n.t.Helper()
	var done sqlstore.Fenced
	must(n.t, within(n.t, patience, func(ctx context.Context) (err error) {
		done, err = n.db.Fence(ctx, f)
		return err
	}))
	return done
}

// login tells whether a role gets in.
func (n *twoNodes) login(role string) bool {
	n.t.Helper()
	conn, err := pgx.Connect(n.t.Context(), n.as(role))
	if err != nil {
		return false
	}
	must(n.t, conn.Close(n.t.Context()))
	return true
}

func TestFencingEndsTheOthersSessionsAndTheirLogin(t *testing.T) {
	n := newTwoNodes(t)
	old, mine := session(t, n.as("node_b")), session(t, n.as("node_a"))
	done := n.fenced(n.fence)
	if done.Ended != 1 || done.Prepared != 0 || done.Took <= 0 {
		t.Errorf("%+v, want one session ended", done)
	}
	if _, err := old.Exec(t.Context(), "INSERT INTO journal DEFAULT VALUES"); err == nil {
		t.Error("a session of the other node still writes")
	}
	if _, err := mine.Exec(t.Context(), "INSERT INTO journal DEFAULT VALUES"); err == nil {
		t.Error("a session of our own last node still writes")
	}
	if n.login("node_b") || !n.login("node_a") {
		t.Error("want node_a to get in, and node_b not to")
	}
	var comment string
	must(t, session(t, n.server.DSN()).QueryRow(t.Context(), "SELECT shobj_description('node_b'::regrole, 'pg_authid')").Scan(&comment))
	if want := `hotcold: locked out at epoch 1 of lease "node", held by a`; comment != want {
		t.Errorf("the role says %q, want %q", comment, want)
	}
	back := n.fenced(n.handOver("b"))
	if back.Ended != 0 || n.login("node_a") || !n.login("node_b") {
		t.Errorf("after the hand-over %+v; want node_b to get in, and node_a not to", back)
	}
}

// A machine that wakes up finishes what it was about to send.
func TestALateHolderLocksNobodyOut(t *testing.T) {
	n := newTwoNodes(t)
	n.fenced(n.handOver("b"))
	serving := session(t, n.as("node_b"))
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
	if _, err := serving.Exec(t.Context(), "INSERT INTO journal DEFAULT VALUES"); err != nil {
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
}

// The goal: whichever agent holds the lease at the end has its node let in, and
// the other one's locked out. The method: both fence as fast as they can, each as if
// its epoch were the last, while the lease goes to and fro.
func TestFencesThatRaceEndAsTheLeaseSays(t *testing.T) {
	n := newTwoNodes(t)
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
}

// The goal: no login that was let in before its role lost it becomes a session
// after the fence. The method: many clients log in and write without pause; each
// fence is followed by a mark, and no row of theirs may come behind it.
func TestNoSessionComesAfterTheFence(t *testing.T) {
	n := newTwoNodes(t, testserver.Setting("max_connections", "60"))
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var written atomic.Int64
	for range 8 {
		clients.Go(func() {
			for ctx.Err() == nil {
				conn, err := pgx.Connect(ctx, n.as("node_b"))
				if err != nil {
					continue
				}
				for range 3 {
					if _, err = conn.Exec(ctx, "INSERT INTO journal DEFAULT VALUES"); err != nil {
						break
					}
					written.Add(1)
				}
				_ = conn.Close(ctx) // the server may have ended it
			}
		})
	}
	admin := session(t, n.server.DSN())
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
		var marked, later int
		must(t, admin.QueryRow(t.Context(), "INSERT INTO journal (writer) VALUES ('mark') RETURNING n").Scan(&marked))
		must(t, within(t, patience, func(ctx context.Context) error { // as many tries to come later as there are clients
			_, err := admin.Exec(ctx, "SELECT pg_sleep(0.02)")
			return err
		}))
		must(t, admin.QueryRow(t.Context(), "SELECT count(*) FROM journal WHERE n > $1 AND writer = 'node_b'", marked).Scan(&later))
		if later > 0 {
			t.Fatalf("%d rows of the other node came after the fence", later)
		}
		n.server.Exec(t, "ALTER ROLE node_b LOGIN")
	}
	stop()
	clients.Wait()
	t.Logf("15 fences against 8 clients that log in without pause, the slowest took %v", slowest)
}

func TestAFenceThatCannotEndASessionSaysSoInTime(t *testing.T) {
	n := newTwoNodes(t)
	session(t, n.as("node_b"))
	n.server.Exec(t, "REVOKE pg_signal_backend FROM agents", "REVOKE node_b FROM agents")
	err := within(t, 5*time.Second, func(ctx context.Context) error {
		_, err := n.db.Fence(ctx, n.fence)
		return err
	})
	if !errors.Is(err, sqlstore.ErrRights) {
		t.Errorf("without the right to end sessions: %v, want ErrRights", err)
	}
	if n.login("node_b") {
		t.Error("the other node still gets in")
	}
}

func TestAFrozenHolderLeavesNoLockOnTheLease(t *testing.T) {
	n := newTwoNodes(t)
	relay := testserver.Proxy(t, fmt.Sprintf("127.0.0.1:%d", n.server.Port()))
	frozen := openPostgres(t, testserver.Via(t, n.as("agents"), relay.Addr()))
	observed(t, frozen, "node")
	cut := make(chan struct{})
	go func() {
		defer close(cut)
		for range 3 {
			_ = within(t, time.Second, func(ctx context.Context) error {
				_, err := frozen.Fence(ctx, n.fence)
				return err // it may have got through or not: nobody on the way back hears of it
			})
		}
	}()
	relay.Cut()
	<-cut
	f := n.handOver("b") // fails where the row is locked
	n.fenced(f)
	if !n.login("node_b") || n.login("node_a") {
		t.Error("want node_b to get in, and node_a not to")
	}
}

func TestPreparedTransactionsOfTheOthersAreCounted(t *testing.T) {
	n := newTwoNodes(t, testserver.Setting("max_prepared_transactions", "4"))
	old := session(t, n.as("node_b"))
	for _, statement := range []string{"BEGIN", "INSERT INTO journal DEFAULT VALUES", "PREPARE TRANSACTION 'left'"} {
		if _, err := old.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if done := n.fenced(n.fence); done.Prepared != 1 {
		t.Errorf("%+v, want one prepared transaction", done)
	}
	n.server.Exec(t, "ROLLBACK PREPARED 'left'")
}

func TestWhatIsMissingForFencingIsSaidWithTheStatementsThatMendIt(t *testing.T) {
	n := newTwoNodes(t)
	faults := func(f sqlstore.Fence) (faults, grants []string) {
		t.Helper()
		faults, grants, err := n.db.FencingFaults(t.Context(), f)
		must(t, err)
		return faults, grants
	}
	if found, _ := faults(n.fence); len(found) > 0 {
		t.Fatalf("with what is printed there are faults: %q", found)
	}
	n.server.Exec(t, "ALTER ROLE agents NOCREATEROLE", "REVOKE pg_signal_backend, pg_monitor FROM agents")
	found, grants := faults(n.fence)
	if len(found) != 3 || len(grants) != 3 {
		t.Fatalf("faults %q, statements %q, want three of each", found, grants)
	}
	if _, err := n.db.Fence(t.Context(), n.fence); !errors.Is(err, sqlstore.ErrRights) {
		t.Errorf("fence without the rights: %v, want ErrRights", err)
	}
	n.server.Exec(t, grants...)
	if found, _ := faults(n.fence); len(found) > 0 {
		t.Errorf("after %q there are faults: %q", grants, found)
	}
	f := n.fence
	f.Mine, f.Others = "agents", []string{"nobody", "hotcold"} // the tests' superuser
	found, _ = faults(f)
	for i, want := range []string{"logs in as agents", "there is no role nobody", "hotcold is a superuser"} {
		if i >= len(found) || !strings.Contains(strings.Join(found, "; "), want) {
			t.Errorf("faults %q, want one that says %q", found, want)
		}
	}
}

func TestSQLiteKnowsNoRolesToLockOut(t *testing.T) {
	db := openSQLite(t, t.TempDir()+"/lease.db")
	if _, err := db.Fence(t.Context(), sqlstore.Fence{Lease: "node", Mine: "a", Others: []string{"b"}}); !errors.Is(err, sqlstore.ErrNoRoles) {
		t.Errorf("fence: %v, want ErrNoRoles", err)
	}
	if faults, _, err := db.FencingFaults(t.Context(), sqlstore.Fence{}); err != nil || len(faults) != 1 {
		t.Errorf("faults %q, %v", faults, err)
	}
	r, err := db.Replication(t.Context())
	if err != nil || r.Copies != sqlstore.CopiesNone {
		t.Errorf("replication %+v, %v", r, err)
	}
}

// BenchmarkFence measures a fencing of one idle session.
func BenchmarkFence(b *testing.B) {
	n := newTwoNodes(b)
	var slowest time.Duration
	for b.Loop() {
		b.StopTimer()
		n.server.Exec(b, "ALTER ROLE node_b LOGIN")
		session(b, n.as("node_b"))
		b.StartTimer()
		slowest = max(slowest, n.fenced(n.fence).Took)
	}
	b.ReportMetric(float64(slowest.Microseconds()), "max-us")
}

// A login that the server was asked for before the fence, and that its client has not
// finished: whether it was let in is not known until it is over.
func TestAFenceWaitsForALoginThatIsUnderWay(t *testing.T) {
	n := newTwoNodes(t)
	conn := n.askForPassword("node_b")
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
}

// The goal: a holder that was frozen in the midst of its fence ends no session of the node
// that its successor has let in. The method: a login that is under way keeps the fence
// going while the lease changes hands.
func TestAFenceThatIsOvertakenEndsNoSessionOfTheSuccessor(t *testing.T) {
	n := newTwoNodes(t)
	n.askForPassword("node_b")
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
	next := n.handOver("b")
	n.server.Exec(t, "ALTER ROLE node_b LOGIN") // as the successor's own fence ends; it would wait for the login too
	serving := session(t, n.as("node_b"))
	select {
	case err := <-overtaken:
		if !errors.Is(err, lease.ErrChanged) {
			t.Errorf("the fence that was overtaken: %v, want ErrChanged", err)
		}
	case <-timeout(t, patience):
		t.Fatal("the fence that was overtaken goes on")
	}
	if _, err := serving.Exec(t.Context(), "INSERT INTO journal DEFAULT VALUES"); err != nil {
		t.Errorf("the node of %s was ended: %v", next.Holder, err)
	}
}

// askForPassword begins a login that the server waits for until the test ends, or
// until what it returns is closed.
func (n *twoNodes) askForPassword(role string) net.Conn {
	n.t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", n.server.Port()))
	must(n.t, err)
	n.t.Cleanup(func() { _ = conn.Close() })                                       // closed before, in some tests
	body := "\x00\x03\x00\x00user\x00" + role + "\x00database\x00postgres\x00\x00" // protocol 3.0
	_, err = conn.Write(append([]byte{0, 0, 0, byte(4 + len(body))}, body...))
	must(n.t, err)
	must(n.t, conn.SetReadDeadline(clock.System().Now().Wall.Add(patience)))
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil { // it asks for the password
		n.t.Fatal(err)
	}
	return conn
}
