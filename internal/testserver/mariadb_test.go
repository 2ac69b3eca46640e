package testserver_test

import (
	"testing"

	"github.com/hotcold/hotcold/internal/testserver"
)

func TestMariaDBKeepsCommittedRowsThroughAKill(t *testing.T) {
	s := testserver.MariaDB(t)
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
}

func TestSharedMariaDBGivesDatabasesThatAreApart(t *testing.T) {
	s := testserver.SharedMariaDB(t)
	if again := testserver.SharedMariaDB(t); again != s {
		t.Fatal("a second server was started")
	}
	if one, two := s.CreateDatabase(t, "one"), s.CreateDatabase(t, "two"); one == two {
		t.Fatal("two databases have one address")
	}
}

// What was committed before a promotion is there after it, there and back.
func TestAPromotedMariaDBHasWhatItsPrimaryAcknowledged(t *testing.T) {
	for name, semiSync := range map[string]bool{"semi-synchronous": true, "asynchronous": false} {
		t.Run(name, func(t *testing.T) {
			p := testserver.NewMariaDBPair(t, semiSync)
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
