package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hotcold/hotcold/internal/testserver"
)

// writers is a pair whose nodes write to PostgreSQL, each under a role of its own.
type writers struct {
	*pair
	server      *testserver.PostgresServer
	admin       *pgx.Conn
	agent, node freezer // the two halves of machine-a: agent with guard, and node
}

// nobody has no node that must be alone: here two are alive, and one of them frozen.
func nobody(string, []string) string { return "" }

func newWriters(t *testing.T, fencing bool) *writers {
	t.Helper()
	w := &writers{agent: newFreezer(t, "agent"), node: newFreezer(t, "node"), server: testserver.Postgres(t, testserver.NoFsync())}
	w.pair = newPair(t, nobody)
	t.Cleanup(func() { w.node.thaw(); w.agent.thaw() }) // before the agents are stopped
	w.server.Exec(t, "CREATE ROLE agents LOGIN PASSWORD 'secret'", "GRANT CREATE ON SCHEMA public TO agents",
		"CREATE ROLE nodes", "CREATE ROLE node_a LOGIN PASSWORD 'secret' IN ROLE nodes", "CREATE ROLE node_b LOGIN PASSWORD 'secret' IN ROLE nodes",
		"CREATE TABLE journal (n bigint GENERATED ALWAYS AS IDENTITY, writer text NOT NULL DEFAULT session_user, epoch bigint NOT NULL, others bigint)",
		"GRANT SELECT, INSERT ON journal TO nodes", "ALTER ROLE node_a SET role = nodes", "ALTER ROLE node_b SET role = nodes")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for m, role := range map[*machine]string{w.a: "node_a", w.b: "node_b"} {
		m.configure(fmt.Sprintf(`  name = "writers"
  database.url = %q
  database.fencing { on = %t, roles { machine-a = node_a, machine-b = node_b } }
  mutualExclusion { updateInterval = 500, waitInterval = 2500 }
  node { command = [%q], env { %s = %q }, cgroup = off, restart.attempts = 20, failover.budget = 1000 }
`, w.as("agents"), fencing, self, writerVar, w.as(role)))
	}
	// The agent and all that comes from it are in the cgroup; what runs a command joins it for a moment.
	w.a.wrap = []string{"/bin/sh", "-c", `echo $$ >"$0"; exec "$@"`, w.agent.procs()}
	w.grant()
	if w.admin, err = pgx.Connect(t.Context(), w.server.DSN()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.admin.Close(context.WithoutCancel(t.Context())) })
	return w
}

func (w *writers) as(role string) string {
	return fmt.Sprintf("postgres://%s:secret@127.0.0.1:%d/postgres?sslmode=disable", role, w.server.Port())
}

// grant runs what the program prints for an administrator, but for the tables, which the agents make.
func (w *writers) grant() {
	w.t.Helper()
	_, fencing, _ := strings.Cut(w.b.run("schema", "--print").stdout, "-- For fencing")
	for line := range strings.Lines(fencing) {
		if statement, ok := strings.CutSuffix(strings.TrimSpace(line), ";"); ok {
			w.server.Exec(w.t, strings.ReplaceAll(statement, `:"role"`, "agents"))
		}
	}
}

func (w *writers) count(query string, args ...any) (n int) {
	w.t.Helper()
	if err := w.admin.QueryRow(w.t.Context(), query, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// late counts the rows of machine-a's node that machine-b's did not see when it started.
func (w *writers) late() int {
	return w.count(`SELECT count(*) FILTER (WHERE writer = 'node_a') - max(others) FILTER (WHERE writer = 'node_b') FROM journal`)
}

// writes waits until a role has written so many more rows.
func (w *writers) writes(role string, more int) {
	w.t.Helper()
	const query = "SELECT count(*) FROM journal WHERE writer = $1"
	before := w.count(query, role)
	until(w.t, settleLimit, role+" to write", func() (bool, string) {
		n := w.count(query, role)
		return n >= before+more, fmt.Sprintf("%d rows, %d before", n, before)
	})
}

// freezeA freezes machine-a as a whole, while its node writes.
func (w *writers) freezeA() {
	w.t.Helper()
	s, err := w.a.state()
	if err != nil || s.Node.PID == 0 {
		w.t.Fatalf("machine-a: %+v %v", s, err)
	}
	w.node.take(s.Node.PID)
	w.writes("node_a", 100)
	w.agent.freeze() // the agent first: nobody there could stop the node
	w.node.freeze()
}

// takenOver freezes machine-a and waits until machine-b's node writes. Machine-a's node has
// been thawed then, and its agent has not: what a paused machine does first when it goes on is not for the agent to say.
func (w *writers) takenOver() {
	w.t.Helper()
	w.startBoth()
	w.writes("node_a", 100)
	w.freezeA()
	w.b.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	w.writes("node_b", 100)
	w.node.thaw()
}

// goOn thaws the rest of machine-a, and waits until its agent is cold and its node dead.
func (w *writers) goOn() {
	w.t.Helper()
	w.agent.thaw()
	w.a.awaitState(settleLimit, "to be cold", func(s state) bool { return s.State == "cold" && s.Node.PID == 0 })
}

// The goal: a machine that is frozen as a whole and goes on after a takeover cannot write any more.
// The method: freeze all of its processes while its node writes as fast as it can, let the other
// machine take over, thaw the node before anybody who could stop it, and wait until it has been
// refused some times; then thaw the rest. The table itself is the judge.
func TestANodeThatWasFrozenCannotWriteAfterTheNextHasStarted(t *testing.T) {
	w := newWriters(t, true)
	w.takenOver()
	until(t, settleLimit, "machine-a's node to be refused", func() (bool, string) {
		text, err := os.ReadFile(filepath.Join(w.a.dir, refusals))
		return len(text) >= 5, fmt.Sprint(len(text), err)
	})
	w.goOn()
	if n := w.late(); n != 0 {
		t.Errorf("%d rows of the old node reached the database after the start of the new one", n)
	}
	if n := w.count("SELECT count(*) FROM journal j WHERE writer = 'node_a' AND n > (SELECT min(n) FROM journal WHERE writer = 'node_b')"); n != 0 {
		t.Errorf("%d rows of the old node come after the first of the new one", n)
	}
	out := w.b.run("status").stdout
	for _, want := range []string{"guarantee  level ", "fencing    node_a locked out of the database at epoch 2, node_b let in"} {
		if !strings.Contains(out, want) {
			t.Errorf("status does not say %q:\n%s", want, out)
		}
	}
	if events := w.b.run("history", "--events").stdout; !strings.Contains(events, "locked node_a out of the database") {
		t.Errorf("the history does not tell of it:\n%s", events)
	}
	if got := w.b.run("check"); strings.Contains(got.stdout, "fault    fencing") || !strings.Contains(got.stdout, "may lock node_a out of the database, and let node_b in") {
		t.Errorf("check says:\n%s", got.stdout)
	}
	w.writes("node_b", 100)
}

// The same without fencing: the test above can fail.
func TestANodeThatWasFrozenStillWritesWithoutFencing(t *testing.T) {
	w := newWriters(t, false)
	w.takenOver()
	until(t, settleLimit, "machine-a's node to write", func() (bool, string) {
		n := w.late()
		return n > 0, fmt.Sprintf("%d rows", n)
	})
	w.goOn()
}
