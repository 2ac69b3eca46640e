package sqlstore_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/hotcold/hotcold/lease/notice"
	"github.com/hotcold/hotcold/lease/notice/noticetest"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// onEach runs a test of the board on each database, over two connections.
func onEach(t *testing.T, f func(t *testing.T, a, b *sqlstore.DB)) {
	for _, k := range kinds() {
		t.Run(k.dialect, func(t *testing.T) {
			c := k.fresh(t)
			f(t, open(t, c), open(t, c))
		})
	}
	t.Run(sqlstore.SQLServer, func(t *testing.T) {
		server := tdsServer(t)
		f(t, over(t, server), over(t, server))
	})
}

func TestEveryDatabaseKeepsTheBoard(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.dialect, func(t *testing.T) {
			noticetest.Run(t, func(t *testing.T) (a, b noticetest.Board) {
				c := k.fresh(t)
				return open(t, c), open(t, c)
			})
		})
	}
	t.Run(sqlstore.SQLServer, func(t *testing.T) {
		noticetest.Run(t, func(t *testing.T) (a, b noticetest.Board) {
			server := tdsServer(t)
			return over(t, server), over(t, server)
		})
	})
}

func TestAllLeasesAreListed(t *testing.T) {
	onEach(t, func(t *testing.T, a, b *sqlstore.DB) {
		if none, err := a.Leases(t.Context()); err != nil || len(none) != 0 {
			t.Fatalf("a new database lists %+v (%v)", none, err)
		}
		want := claimed(t, a, "alpha")
		claimed(t, b, "beta")
		got, err := b.Leases(t.Context())
		must(t, err)
		if len(got) != 2 || !got[0].Same(want) || got[0].Record != want.Record || got[1].Record.Name != "beta" {
			t.Fatalf("listed %+v", got)
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wins(t *testing.T, accept func(context.Context, int64, string) (bool, error), id int64, by string, want bool) {
	t.Helper()
	if got, err := accept(t.Context(), id, by); err != nil || got != want {
		t.Fatalf("accept by %s: %v (%v), want %v", by, got, err, want)
	}
}

func answers(t *testing.T, db *sqlstore.DB, id int64, state, text string, want bool) {
	t.Helper()
	if moved, err := db.Answer(t.Context(), id, state, text); err != nil || moved != want {
		t.Fatalf("answer %s: %v (%v), want %v", state, moved, err, want)
	}
}

// The goal: what is kept has a limit. The method: put old rows in behind the
// board's back, and write one more with a new store, whose first write looks for them.
func TestTheBoardForgetsWhatIsOld(t *testing.T) {
	t.Run(sqlstore.SQLite, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "board.db")
		program := newOther(t, path)
		forgets(t, func() *sqlstore.DB { return openSQLite(t, path) }, func(s string) { program.run(s) },
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10050) "+
				"INSERT INTO hotcold_event (lease, instance, kind, epoch, document) SELECT 'node', '', 'old', 1, '' FROM n",
			"written_at - 25 * 3600000000", "ended_at - 31 * 24 * 3600000000")
	})
	t.Run(sqlstore.Postgres, func(t *testing.T) {
		dsn := database(t)
		forgets(t, func() *sqlstore.DB { return openPostgres(t, dsn) }, func(s string) { do(t, dsn, s) },
			"INSERT INTO hotcold_event (lease, instance, kind, epoch, document) SELECT 'node', '', 'old', 1, '' FROM generate_series(1, 10050)",
			"written_at - interval '25 hours'", "ended_at - interval '31 days'")
	})
	for _, my := range []myKind{maria(), mysqlOwn()} {
		t.Run(my.dialect, func(t *testing.T) {
			dsn := my.database(t)
			forgets(t, func() *sqlstore.DB { return openMySQL(t, dsn) }, func(s string) { mysqlDo(t, dsn, s) },
				"INSERT INTO hotcold_event (lease, instance, kind, epoch, document)"+
					" SELECT 'node', '', 'old', 1, '' FROM information_schema.COLLATIONS a, information_schema.COLLATIONS b LIMIT 10050",
				"written_at - INTERVAL 25 HOUR", "ended_at - INTERVAL 31 DAY")
		})
	}
}

func forgets(t *testing.T, fresh func() *sqlstore.DB, run func(string), manyEvents, dayOld, monthOld string) {
	db := fresh()
	for _, nonce := range []string{"1", "2"} {
		must(t, db.Announce(t.Context(), notice.Instance{Lease: "node", ID: "a", Nonce: nonce}))
	}
	must(t, db.Announce(t.Context(), notice.Instance{Lease: "node", ID: "b", Nonce: "1"}))
	id, err := db.Ask(t.Context(), notice.Request{Lease: "node", Kind: "old"})
	must(t, err)
	answers(t, db, id, notice.StateRefused, "no", true)
	run(manyEvents)
	run("UPDATE hotcold_instance SET written_at = " + dayOld + " WHERE nonce = '1'")
	run("UPDATE hotcold_request SET ended_at = " + monthOld)

	must(t, fresh().Announce(t.Context(), notice.Instance{Lease: "node", ID: "a", Nonce: "3"}))
	must(t, fresh().Append(t.Context(), notice.Event{Lease: "node", Kind: "new"}))
	_, err = db.Ask(t.Context(), notice.Request{Lease: "node", Kind: "new"})
	must(t, err)

	instances, err := db.Instances(t.Context(), "node")
	must(t, err)
	left := map[string]bool{}
	for _, i := range instances {
		left[i.ID+i.Nonce] = true
	}
	if len(left) != 3 || !left["a2"] || !left["a3"] || !left["b1"] {
		t.Errorf("left are %v, want a2, a3 and b1, which is the last word of b", left)
	}
	events, err := db.Events(t.Context(), "node", 20000)
	must(t, err)
	if len(events) != 10000 || events[0].Kind != "new" {
		t.Errorf("%d events are left, the newest is %q", len(events), events[0].Kind)
	}
	if _, err := db.Request(t.Context(), id); !errors.Is(err, notice.ErrNoRequest) {
		t.Errorf("an old request: %v, want ErrNoRequest", err)
	}
}
