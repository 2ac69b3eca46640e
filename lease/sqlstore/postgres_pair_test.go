package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
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

// pgPair is a primary and a standby that follows it through a link that can be cut.
type pgPair struct {
	t                testing.TB
	primary, standby *testserver.PostgresServer
	link             *testserver.TCPProxy
}

func newPgPair(t testing.TB) *pgPair {
	t.Helper()
	p := &pgPair{t: t, primary: testserver.Postgres(t)}
	p.link = testserver.Proxy(t, fmt.Sprintf("127.0.0.1:%d", p.primary.Port()))
	p.standby = p.primary.Standby(t, "s1", p.link.Addr())
	return p
}

// dsn names both servers; the one that takes writes is found.
func (p *pgPair) dsn() string {
	return strings.Replace(p.primary.DSN(), fmt.Sprintf(":%d/", p.primary.Port()), fmt.Sprintf(":%d,127.0.0.1:%d/", p.primary.Port(), p.standby.Port()), 1)
}

// synchronous has the primary's commits wait for a standby of that name, or for none.
func (p *pgPair) synchronous(name string) {
	p.t.Helper()
	p.primary.Exec(p.t, fmt.Sprintf("ALTER SYSTEM SET synchronous_standby_names = '%s'", name), "SELECT pg_reload_conf()")
}

// copies waits until the database says that it is replicated like that.
func (p *pgPair) copies(db *sqlstore.DB, want sqlstore.Copies) sqlstore.Replication {
	p.t.Helper()
	var r sqlstore.Replication
	eventually(p.t, func(ctx context.Context) (err error) {
		if r, err = db.Replication(ctx); err == nil && r.Copies != want {
			err = fmt.Errorf("it is %+v, want %s", r, want)
		}
		return err
	})
	return r
}

func TestThePairSaysHowItIsReplicated(t *testing.T) {
	p := newPgPair(t)
	db := openPostgres(t, p.dsn())
	p.copies(db, sqlstore.CopiesAsynchronous)
	p.synchronous("s1")
	if r := p.copies(db, sqlstore.CopiesSynchronous); sqlstore.GuaranteeOf(r, sqlstore.FencingOff).Level != sqlstore.LevelB {
		t.Errorf("a synchronous pair is %v", sqlstore.GuaranteeOf(r, sqlstore.FencingOff))
	}
	p.primary.Exec(t, "CREATE ROLE plain LOGIN PASSWORD 'secret'", "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO plain")
	plain := openPostgres(t, fmt.Sprintf("postgres://plain:secret@127.0.0.1:%d/postgres?sslmode=disable", p.primary.Port()))
	hidden := p.copies(plain, sqlstore.CopiesUnknown)
	p.primary.Exec(t, hidden.Raise) // what it says is what helps
	p.copies(plain, sqlstore.CopiesSynchronous)

	p.synchronous("another")
	p.copies(db, sqlstore.CopiesDegraded)
	p.synchronous("s1")
	p.copies(db, sqlstore.CopiesSynchronous)
	p.standby.Stop(t)
	p.copies(db, sqlstore.CopiesDegraded)
	do(t, p.primary.DSN(), "SET synchronous_commit = local", "SELECT pg_create_physical_replication_slot('away', true)")
	p.synchronous("")
	p.copies(db, sqlstore.CopiesAsynchronous) // nobody is connected, and somebody is waited for
	p.primary.Exec(t, "SELECT pg_drop_replication_slot('away')")
	p.copies(db, sqlstore.CopiesNone)
}

// span is a term as its holder had to believe in it.
type span struct {
	who      string
	epoch    uint64
	from, to time.Duration
}

// terms are what all holders of a test believed, on the one clock of this machine.
type terms struct {
	greatest atomic.Uint64 // the epoch file on the shared drive

	mu    sync.Mutex // guards all below
	spans []span
}

// holder runs for a lease until the test says so.
type holder struct {
	begun chan uint64 // the epoch of each term that begins
	end   context.CancelCauseFunc
	over  chan struct{}
}

var errTold = errors.New("the test has ended it")

// hold runs one holder over dsn, term after term.
func (ts *terms) hold(t testing.TB, who, dsn string) *holder {
	t.Helper()
	timing, err := lease.Settings{Update: 300 * time.Millisecond, Wait: 4 * time.Second}.Timing()
	must(t, err)
	db := open(t, sqlstore.Config{Dialect: sqlstore.Postgres, DSN: dsn, Attempt: timing.Attempt})
	ctx, end := context.WithCancelCause(t.Context())
	h := &holder{begun: make(chan uint64, 16), end: end, over: make(chan struct{})}
	go func() {
		defer close(h.over)
		for n := 0; ctx.Err() == nil; n++ {
			l, err := lease.New(lease.Options{
				Name: "node", Self: lease.Identity{Instance: who, Nonce: fmt.Sprint(who, n)}, Timing: timing, Store: db,
				Floor: func(context.Context) (uint64, error) { return ts.greatest.Load(), nil },
			})
			if err == nil {
				_, err = l.Run(ctx, func(ctx context.Context, term *lease.Term) lease.Ending { return ts.work(ctx, who, term, h) })
			}
			if err != nil && ctx.Err() == nil {
				t.Errorf("%s: %v", who, err)
				return
			}
		}
	}()
	t.Cleanup(h.stop)
	return h
}

// work believes in a term until it ends, and no longer than that.
func (ts *terms) work(ctx context.Context, who string, term *lease.Term, h *holder) lease.Ending {
	s := span{who: who, epoch: term.Trust().Epoch, from: clock.System().Now().Boot}
	for was := ts.greatest.Load(); was < s.epoch && !ts.greatest.CompareAndSwap(was, s.epoch); was = ts.greatest.Load() {
	}
	h.begun <- s.epoch
	<-ctx.Done()
	s.to = clock.System().Now().Boot
	if !errors.Is(context.Cause(ctx), errTold) {
		s.to = max(s.to, term.Trust().DeadBy) // a node may live for as long as that
	}
	ts.mu.Lock()
	ts.spans = append(ts.spans, s)
	ts.mu.Unlock()
	return lease.Ending{}
}

func (h *holder) stop() {
	h.end(errTold)
	<-h.over
}

// begins waits for the next term.
func (h *holder) begins(t testing.TB) uint64 {
	t.Helper()
	select {
	case epoch := <-h.begun:
		return epoch
	case <-timeout(t, 2*patience):
		t.Fatal("no term has begun")
		return 0
	}
}

// sound wants no two terms at one instant, and no epoch twice.
func (ts *terms) sound(t testing.TB) {
	t.Helper()
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for i, a := range ts.spans {
		for _, b := range ts.spans[i+1:] {
			if a.from < b.to && b.from < a.to && (a.who != b.who) {
				t.Errorf("%+v and %+v were believed at once", a, b)
			}
			if a.epoch == b.epoch {
				t.Errorf("epoch %d was given out twice: %+v and %+v", a.epoch, a, b)
			}
		}
	}
	if len(ts.spans) < 2 {
		t.Errorf("the terms were %+v, want some", ts.spans)
	}
}

// The goal: a failover that loses nothing leaves one believer, and every write that was
// acknowledged. The method: two holders and a load on a synchronous pair; kill the primary, promote the
// standby, and see who goes on.
func TestAPromotionUnderLoadLosesNoAcknowledgedWriteAndMakesNoTwoHolders(t *testing.T) {
	p := newPgPair(t)
	p.primary.Exec(t, "CREATE TABLE load (n bigint)")
	p.synchronous("s1")
	p.copies(openPostgres(t, p.dsn()), sqlstore.CopiesSynchronous)
	var ts terms
	a := ts.hold(t, "a", p.dsn())
	first := a.begins(t)
	b := ts.hold(t, "b", p.dsn())
	acknowledged := load(t, p.primary.DSN())
	eventually(t, func(context.Context) error {
		if acknowledged.Load() < 200 {
			return errors.New("there is no load yet")
		}
		return nil
	})
	p.primary.Kill(t)
	p.standby.Promote(t)
	var found int64
	must(t, session(t, p.standby.DSN()).QueryRow(t.Context(), "SELECT max(n) FROM load").Scan(&found))
	if sure := acknowledged.Load(); found < sure {
		t.Errorf("%d writes were acknowledged, and %d are there", sure, found)
	}
	// a may have come through within its trust; then it has to go.
	var next uint64
	select {
	case next = <-a.begun:
	case next = <-b.begun:
	case <-timeout(t, 8*time.Second):
		a.stop()
		next = b.begins(t)
	}
	if next <= first {
		t.Errorf("epoch %d follows epoch %d", next, first)
	}
	a.stop()
	b.stop()
	ts.sound(t)
}

// load writes row after row, until the server goes, and counts what was acknowledged.
func load(t testing.TB, dsn string) *atomic.Int64 {
	var n atomic.Int64
	conn := session(t, dsn)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for next := int64(1); ; next++ {
			if _, err := conn.Exec(t.Context(), "INSERT INTO load VALUES ($1)", next); err != nil {
				return
			}
			n.Store(next)
		}
	}()
	t.Cleanup(func() { <-done })
	return &n
}

// The goal: an acquisition that a failover loses makes no two believers, and its epoch is
// not given out again. The method: cut the replication, let b take the lease on the primary, which is
// acknowledged and not replicated; kill the primary and promote a standby that knows only of a.
func TestAnAcquisitionThatAFailoverLosesIsNotRepeated(t *testing.T) {
	p := newPgPair(t)
	var ts terms
	a := ts.hold(t, "a", p.dsn())
	first := a.begins(t)
	caughtUp(t, p)
	p.link.Cut()
	a.stop()
	b := ts.hold(t, "b", p.dsn())
	lost := b.begins(t)
	if lost != first+1 {
		t.Fatalf("b has epoch %d after %d", lost, first)
	}
	p.primary.Kill(t)
	p.standby.Promote(t)
	db := openPostgres(t, p.dsn())
	if now := observed(t, db, "node"); now.Record.Epoch != first || now.Record.Holder != "a" {
		t.Fatalf("the promoted server knows %v: the acquisition was not lost", now)
	}
	again := ts.hold(t, "a", p.dsn())
	var next uint64
	select {
	case next = <-again.begun:
	case next = <-b.begun:
	case <-timeout(t, 2*patience):
		t.Fatal("nobody took the lease on the promoted server")
	}
	if next <= lost {
		t.Errorf("epoch %d follows %d, which the database had lost", next, lost)
	}
	again.stop()
	b.stop()
	ts.sound(t)
}

// caughtUp waits until the standby has the lease's row as the primary has it at some moment.
func caughtUp(t testing.TB, p *pgPair) {
	t.Helper()
	var sent string
	must(t, session(t, p.primary.DSN()).QueryRow(t.Context(), "SELECT pg_current_wal_lsn()::text").Scan(&sent))
	behind, err := pgx.Connect(t.Context(), p.standby.DSN())
	must(t, err)
	eventually(t, func(ctx context.Context) error {
		var there bool
		if err := behind.QueryRow(ctx, "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn", sent).Scan(&there); err != nil || there {
			return err
		}
		return errors.New("the standby is behind")
	})
	must(t, behind.Close(t.Context()))
}

// The goal: a commit whose wait for the standby was cancelled is unknown, because it is there on
// one server and lost on the other. The method: freeze the standby, cancel the wait, and promote it.
func TestACommitWhoseWaitWasCancelledIsUnknownAndGoneAfterThePromotion(t *testing.T) {
	p := newPgPair(t)
	db := openPostgres(t, p.primary.DSN())
	held := claimed(t, db, "node")
	p.synchronous("s1")
	p.copies(db, sqlstore.CopiesSynchronous)
	swapped(t, db, held, renewal(held))
	held = observed(t, db, "node")
	caughtUp(t, p)
	p.link.Cut()
	result := make(chan error, 1)
	go func() { result <- within(t, patience, contextual(db, held)) }()
	eventually(t, func(context.Context) error {
		if waiting(t, p.primary.DSN(), "SyncRep") == 0 {
			return errors.New("nothing waits for the standby")
		}
		return nil
	})
	do(t, p.primary.DSN(), "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
	if err := <-result; !errors.Is(err, sqlstore.ErrDoubt) {
		t.Fatalf("the wait was cancelled: %v, want ErrDoubt", err)
	}
	if now := observed(t, db, "node"); now.Record != renewal(held) {
		t.Fatalf("the primary has %v", now)
	}
	p.primary.Kill(t)
	p.standby.Promote(t)
	if now := observed(t, openPostgres(t, p.standby.DSN()), "node"); now.Record != held.Record {
		t.Fatalf("the promoted standby has %v, want what was acknowledged", now)
	}
}
