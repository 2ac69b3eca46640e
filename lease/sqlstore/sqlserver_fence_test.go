package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/testserver/tds"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// sqlserverFenced claims a lease on a test server, where the old node has two sessions and ours
// has left one, and says who locks whom out.
func sqlserverFenced(t *testing.T) (*tds.Server, *sqlstore.DB, sqlstore.Fence) {
	t.Helper()
	server := tdsServer(t)
	db := over(t, server)
	held := claimed(t, db, "node")
	server.LogIn("node_a", 2)
	server.LogIn("node_b", 1)
	server.Prepare("fencePrepared", tds.Prepared{Row: []any{int64(3)}})
	return server, db, sqlstore.Fence{Lease: "node", Holder: held.Record.Holder, Nonce: held.Record.Nonce, Epoch: held.Record.Epoch, Mine: "node_b", Others: []string{"node_a"}}
}

func TestFencingInSQLServerDeniesThenEndsThenLetsIn(t *testing.T) {
	server, db, f := sqlserverFenced(t)
	server.Stubborn(2) // the KILL before the denial and the first after it
	done, err := db.Fence(t.Context(), f)
	if err != nil || done.Ended != 2 || done.Prepared != 3 {
		t.Fatalf("fenced %+v (%v), want 2 sessions ended and 3 prepared", done, err)
	}
	want := []string{
		"end node_a 2",
		"DENY SELECT, INSERT, UPDATE, DELETE, EXECUTE, ALTER, ALTER ANY SCHEMA, TAKE OWNERSHIP, CONTROL, CONNECT TO [node_a]",
		"end node_a 2", "end node_a 2", "end node_a 0", "end node_b 1",
	}
	steps := server.Steps()
	if len(steps) != len(want)+1 || !slices.Equal(steps[:len(want)], want) {
		t.Fatalf("the steps were %q", steps)
	}
	last := steps[len(want)]
	if strings.Count(last, " REVOKE ") != 10 || strings.Contains(last, "node_a") || !strings.Contains(last, "\nGRANT CONNECT TO [node_b];\n") {
		t.Errorf("our own user was let in with\n%s", last)
	}
}

func TestAHolderOfBeforeChangesNothingInSQLServer(t *testing.T) {
	for name, other := range map[string]func(*sqlstore.Fence){
		"holder": func(f *sqlstore.Fence) { f.Holder += "x" }, "nonce": func(f *sqlstore.Fence) { f.Nonce += "x" },
		"epoch": func(f *sqlstore.Fence) { f.Epoch++ }, "lease": func(f *sqlstore.Fence) { f.Lease += "x" },
	} {
		server, db, f := sqlserverFenced(t)
		other(&f)
		if _, err := db.Fence(t.Context(), f); !errors.Is(err, lease.ErrChanged) {
			t.Errorf("%s: %v, want ErrChanged", name, err)
		}
		if len(server.Steps()) != 0 || server.Sessions("node_a") != 2 || server.Sessions("node_b") != 1 {
			t.Errorf("%s: done nevertheless: %q", name, server.Steps())
		}
	}
}

func TestALeaseThatWasReleasedLocksNobodyOutOfSQLServer(t *testing.T) {
	server, db, f := sqlserverFenced(t)
	seen := observed(t, db, "node")
	released := renewal(seen)
	released.Released = true
	swapped(t, db, seen, released)
	if _, err := db.Fence(t.Context(), f); !errors.Is(err, lease.ErrChanged) || len(server.Steps()) != 0 {
		t.Errorf("%v, want ErrChanged; done was %q", err, server.Steps())
	}
}

func TestATurnThatAnotherHasInSQLServerIsAskedForAgain(t *testing.T) {
	server, db, f := sqlserverFenced(t)
	server.TakeTurn(2)
	if _, err := db.Fence(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if steps := server.Steps(); !slices.Equal(steps[:3], []string{"turn taken", "turn taken", "end node_a 2"}) {
		t.Errorf("the steps were %q", steps)
	}
	server, db, f = sqlserverFenced(t)
	server.TakeTurn(1)
	f.Epoch--
	if _, err := db.Fence(t.Context(), f); !errors.Is(err, lease.ErrChanged) || server.Sessions("node_a") != 2 {
		t.Errorf("without the turn and with another row: %v, want ErrChanged", err)
	}
}

func TestSessionsOfSQLServerThatDoNotEndKeepOurNodeOut(t *testing.T) {
	server, db, f := sqlserverFenced(t)
	server.Stubborn(1 << 30)
	err := within(t, 300*time.Millisecond, func(ctx context.Context) error {
		_, err := db.Fence(ctx, f)
		return err
	})
	if err == nil {
		t.Fatal("fenced, with sessions left")
	}
	if steps := fmt.Sprint(server.Steps()); strings.Contains(steps, "GRANT") || strings.Contains(steps, "node_b") {
		t.Errorf("our own user was let in: %s", steps)
	}
}

// A fence that fails in the midst is begun anew, on a session that has no turn left.
func TestAFailedFenceOfSQLServerIsTriedAgainOnAnotherSession(t *testing.T) {
	for _, failure := range []tds.Failure{{Number: 6102, Class: 14, Text: "no right to KILL"}, {Number: 51001, Class: 16, Text: "no right to see"}, {Number: 15151, Class: 16, Text: "no such user"}} {
		server, db, f := sqlserverFenced(t)
		_, err := db.Events(t.Context(), "node", 1) // a session is there, and the failure is not that of its set-up
		must(t, err)
		before := server.Connections()
		server.Fail(failure)
		if _, err := db.Fence(t.Context(), f); !errors.Is(err, sqlstore.ErrRights) || !strings.Contains(err.Error(), fmt.Sprint(failure.Number)) {
			t.Errorf("error %d is judged as %v, want ErrRights", failure.Number, err)
		}
		eventually(t, func(context.Context) error { // the turn would have ended with it
			if n := server.Connections(); n >= before {
				return fmt.Errorf("%d connections are left of %d", n, before)
			}
			return nil
		})
		if done, err := db.Fence(t.Context(), f); err != nil {
			t.Errorf("the second time: %+v (%v)", done, err)
		}
	}
}

func TestFencingInAzureSQLDatabaseAsksForRightsOfTheDatabase(t *testing.T) {
	server, _, f := sqlserverFenced(t)
	server.Edition(5, "12.0.2000.8")
	if _, err := over(t, server).Fence(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if server.Heard("fenceEnd") != 0 || server.Heard("fenceEnd#azure") == 0 {
		t.Error("rights of the server were asked for")
	}
}

func TestWhatKeepsSQLServerFromFencingIsNamed(t *testing.T) {
	server, db, f := sqlserverFenced(t)
	server.Prepare("fenceRights", tds.Prepared{Row: []any{"agents", "agents", int64(1), int64(1), int64(1), int64(1)}})
	if faults, grants, err := db.FencingFaults(t.Context(), f); err != nil || len(faults)+len(grants) > 0 {
		t.Fatalf("nothing is wrong: %q %q (%v)", faults, grants, err)
	}
	server.Prepare("fenceRights", tds.Prepared{Row: []any{"agents", "agents", int64(0), int64(0), int64(0), int64(0)}})
	kinds := []string{"missing", "login", "server role", "role", "schema", "object", "grant", "column", "impersonation", "application role"}
	for _, kind := range kinds {
		server.Escape("node_a", kind, "odd]name")
	}
	faults, grants, err := db.FencingFaults(t.Context(), f)
	if err != nil || len(faults) != 4+len(kinds) {
		t.Fatalf("%d faults: %q (%v)", len(faults), faults, err)
	}
	for _, want := range []string{
		"GRANT CONTROL TO [agents]", "GRANT VIEW SERVER STATE TO [agents]", "GRANT ALTER ANY CONNECTION TO [agents]", "GRANT VIEW ANY DEFINITION TO [agents]",
		"ALTER SERVER ROLE [odd]]name] DROP MEMBER [node_a]", "ALTER ROLE [odd]]name] DROP MEMBER [node_a]", "ALTER AUTHORIZATION ON SCHEMA::[odd]]name] TO dbo",
	} {
		if !slices.Contains(grants, want) {
			t.Errorf("%q is not among %q", want, grants)
		}
	}
	f.Others = []string{"agents"}
	if faults, _, err := db.FencingFaults(t.Context(), f); err != nil || !strings.Contains(strings.Join(faults, "\n"), "it would lock itself out") {
		t.Errorf("%q (%v)", faults, err)
	}
}

func TestTheSchemaForSQLServerGrantsWhatFencingNeeds(t *testing.T) {
	text := sqlstore.FencingSchema(sqlstore.SQLServer, sqlstore.Fence{Mine: "a", Others: []string{"b"}})
	for _, want := range []string{"GRANT CONTROL TO [$(agent)];", "USE master;", "ALTER ANY CONNECTION, VIEW SERVER STATE"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
