package testserver_test

import (
	"testing"

	"github.com/hotcold/hotcold/internal/testserver"
)

func TestMySQLAndMariaDBKeepCommittedRowsThroughAKill(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *testserver.MySQLServer{"MariaDB": testserver.MariaDB, "MySQL": testserver.MySQL} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			s.Exec(t, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (42)")
			s.Kill(t)
			s.Start(t)
			if got := s.Value(t, "SELECT n FROM kept"); got != "42" {
				t.Fatalf("kept %q, want 42", got)
			}
			s.Stop(t)
			s.Start(t)
			if got := s.Value(t, "SELECT n FROM kept"); got != "42" {
				t.Fatalf("kept %q, want 42", got)
			}
		})
	}
}

func TestASharedMySQLOrMariaDBGivesDatabasesThatAreApart(t *testing.T) {
	for name, shared := range map[string]func(testing.TB) *testserver.MySQLServer{"MariaDB": testserver.SharedMariaDB, "MySQL": testserver.SharedMySQL} {
		t.Run(name, func(t *testing.T) {
			s := shared(t)
			if again := shared(t); again != s {
				t.Fatal("a second server was started")
			}
			if one, two := s.CreateDatabase(t, "one"), s.CreateDatabase(t, "two"); one == two {
				t.Fatal("two databases have one address")
			}
		})
	}
}

// What was committed before a promotion is there after it, there and back.
func TestAPromotedMySQLOrMariaDBHasWhatItsPrimaryAcknowledged(t *testing.T) {
	for flavour, start := range map[string]func(testing.TB, bool, ...string) *testserver.MySQLPair{"MariaDB": testserver.NewMariaDBPair, "MySQL": testserver.NewMySQLPair} {
		for name, semiSync := range map[string]bool{"semi-synchronous": true, "asynchronous": false} {
			t.Run(flavour+", "+name, func(t *testing.T) {
				p := start(t, semiSync)
				p.Primary.Exec(t, "CREATE TABLE kept (n int)")
				for range 2 {
					p.Primary.Exec(t, "INSERT INTO kept VALUES (1)")
					if !semiSync {
						p.CaughtUp(t)
					}
					p.Primary.Kill(t)
					p.Promote(t)
					p.Rejoin(t)
				}
				if got := p.Primary.Value(t, "SELECT COUNT(*) FROM kept"); got != "2" {
					t.Fatalf("%s rows, want 2", got)
				}
			})
		}
	}
}

// A server that was promoted, lost what its successor never heard, and was made anew follows it.
func TestAReseededMySQLOrMariaDBHasWhatItsPrimaryHas(t *testing.T) {
	for name, start := range map[string]func(testing.TB, bool, ...string) *testserver.MySQLPair{"MariaDB": testserver.NewMariaDBPair, "MySQL": testserver.NewMySQLPair} {
		t.Run(name, func(t *testing.T) {
			p := start(t, false)
			p.Primary.Exec(t, "CREATE TABLE kept (n int)")
			p.CaughtUp(t)
			p.CutReplication(t)
			p.Primary.Exec(t, "INSERT INTO kept VALUES (1)")
			p.Primary.Kill(t)
			p.Promote(t)
			p.Primary.Exec(t, "INSERT INTO kept VALUES (2)")
			p.Replica.Start(t)
			p.Reseed(t)
			if got := p.Replica.Value(t, "SELECT GROUP_CONCAT(n) FROM kept"); got != "2" {
				t.Fatalf("the copy has %s, want 2", got)
			}
		})
	}
}

// The next primary has what the last one acknowledged.
func TestAMySQLGroupGoesOnWithoutItsPrimary(t *testing.T) {
	g := testserver.NewMySQLGroup(t, 3)
	first := g.Primary(t)
	first.Exec(t, "CREATE TABLE kept (n int PRIMARY KEY)", "INSERT INTO kept VALUES (42)")
	first.Kill(t)
	if got := g.Primary(t).Value(t, "SELECT n FROM kept"); got != "42" {
		t.Fatalf("kept %q, want 42", got)
	}
}
