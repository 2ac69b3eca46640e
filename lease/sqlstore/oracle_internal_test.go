package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sijms/go-ora/v2/network"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver/ledger"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/leasetest"
	"github.com/hotcold/hotcold/lease/notice"
)

// realOracle names an Oracle database for the suite: an oracle:// address of a user who may
// create tables. None can be had in the build, so it is allowed to be missing there.
const realOracle = "HOTCOLD_TEST_ORACLE"

// fakeOracle stands in the place of the driver: it knows our statements by their
// text, and nothing of Oracle's protocol or SQL. What it has of Oracle's ways is
// that ” is NULL, that numbers and truths come as TO_CHAR writes them, that a
// key which exists is ORA-00001, and that a transaction is whole or not at all.
// Nobody else gets in while one is open.
type fakeOracle struct {
	*ledger.Ledger
	t       *testing.T
	turn    chan struct{} // holds one while somebody works
	partial bool
	role    string
	charset string
	// protection are the mode and the level, standbys how many there are and how many have all; nobody may see them without.
	protection, standbys []any

	may []any // what fencing needs and the user has

	mu              sync.Mutex     // guards all below
	sessions        map[string]int // of each user
	stubborn, taken int            // so many ends end nothing; so often the turn is another's
	steps           []string       // what fencing did
	hung            chan struct{}
	fail            *network.OracleError // of the next statement that is not of the set-up
}

func newFakeOracle(t *testing.T) *fakeOracle {
	t.Helper()
	text, err := os.ReadFile("testdata/statements.oracle.sql")
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.New(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return &fakeOracle{Ledger: l, t: t, turn: make(chan struct{}, 1), role: "PRIMARY", charset: oracleCharset, sessions: map[string]int{}}
}

// open makes a store over connections of its own.
func (f *fakeOracle) open() *DB {
	c, err := Config{Dialect: Oracle, DSN: "oracle://none"}.complete()
	if err != nil {
		f.t.Fatal(err)
	}
	d := newOracleOver(c, clock.System(), f)
	db := &DB{dialect: d, sql: compose(c.TablePrefix, d.words()), log: slog.New(slog.DiscardHandler)}
	f.t.Cleanup(func() {
		if err := db.Close(); err != nil {
			f.t.Error(err)
		}
	})
	return db
}

func (f *fakeOracle) hang() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hung = make(chan struct{})
}

func (f *fakeOracle) restore() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.hung)
	f.hung = nil
}

func (f *fakeOracle) failing(code int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = &network.OracleError{ErrCode: code, ErrMsg: fmt.Sprintf("ORA-%05d: as a test wants it", code)}
}

// answers waits while the database hangs.
func (f *fakeOracle) answers(ctx context.Context) error {
	f.mu.Lock()
	hung := f.hung
	f.mu.Unlock()
	if hung == nil {
		return ctx.Err()
	}
	select {
	case <-hung:
		return driver.ErrBadConn
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fakeOracle) Driver() driver.Driver { return nil }

func (f *fakeOracle) Connect(ctx context.Context) (driver.Conn, error) {
	c := &fakeConn{db: f, link: &link{sockets: map[*socket]bool{}}}
	if err := openOracle(ctx, c, c.link); err != nil {
		return nil, err
	}
	return c, nil
}

type fakeConn struct {
	db   *fakeOracle
	link *link
	undo func() // of the transaction that is open
}

func (c *fakeConn) wire() *link   { return c.link }
func (c *fakeConn) IsValid() bool { return !c.link.gone() }
func (c *fakeConn) Prepare(string) (driver.Stmt, error) {
	return nil, errors.New("nothing is prepared")
}
func (c *fakeConn) Begin() (driver.Tx, error) { return nil, errors.New("want BeginTx") }

func (c *fakeConn) Close() error {
	if c.undo != nil {
		return c.Rollback()
	}
	return nil
}

func (c *fakeConn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	if err := c.db.answers(ctx); err != nil {
		return nil, err
	}
	select {
	case c.db.turn <- struct{}{}:
		c.undo = c.db.Snapshot()
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *fakeConn) Commit() error {
	c.undo = nil
	<-c.db.turn
	return nil
}

func (c *fakeConn) Rollback() error {
	c.undo()
	return c.Commit()
}

func (c *fakeConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	answer, err := c.run(ctx, text, args)
	return driver.RowsAffected(answer.Changed), err
}

func (c *fakeConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	answer, err := c.run(ctx, text, args)
	if err != nil {
		return nil, err
	}
	return &fakeRows{answer: answer}, nil
}

func (c *fakeConn) run(ctx context.Context, text string, named []driver.NamedValue) (ledger.Answer, error) {
	if err := c.db.answers(ctx); err != nil {
		return ledger.Answer{}, err
	}
	name, err := c.db.Name(text)
	if err != nil {
		c.db.t.Errorf("%v", err)
		return ledger.Answer{}, err
	}
	if c.undo == nil {
		select {
		case c.db.turn <- struct{}{}:
			defer func() { <-c.db.turn }()
		case <-ctx.Done():
			return ledger.Answer{}, ctx.Err()
		}
	}
	row := func(values ...any) (ledger.Answer, error) {
		return ledger.Answer{Columns: make([]ledger.Kind, len(values)), Rows: [][]any{values}}, nil
	}
	name, _, _ = strings.Cut(name, "#")
	switch name {
	case "opening":
		return ledger.Answer{}, nil
	case "place":
		return row(c.db.role, c.db.charset)
	case "probe":
		if c.db.partial {
			return ledger.Answer{}, &network.OracleError{ErrCode: 942}
		}
		return row("1")
	case "replicationProtection", "replicationStandbys":
		if c.db.protection == nil {
			return ledger.Answer{}, &network.OracleError{ErrCode: 942}
		}
		if name == "replicationStandbys" {
			return row(c.db.standbys...)
		}
		return row(append(c.db.protection[:2:2], "HOTCOLD")...)
	case "replicationMe":
		return row("HOTCOLD")
	case "survey":
		return c.db.tables()
	}
	c.db.mu.Lock()
	fail := c.db.fail
	c.db.fail = nil
	c.db.mu.Unlock()
	if fail != nil {
		return ledger.Answer{}, fail
	}
	if strings.HasPrefix(name, "fence") {
		return c.db.fence(name, named)
	}
	return c.db.act(name, named)
}

func (f *fakeOracle) tables() (ledger.Answer, error) {
	made, err := f.Run("survey", nil)
	a := ledger.Answer{Columns: []ledger.Kind{ledger.Text}}
	if err == nil && made.Rows[0][0] == true {
		for _, t := range oracleTables() {
			a.Rows = append(a.Rows, []any{DefaultTablePrefix + t.name})
		}
	}
	return a, err
}

func (f *fakeOracle) act(name string, named []driver.NamedValue) (ledger.Answer, error) {
	args := make([]any, len(named))
	for i, v := range named {
		args[i] = v.Value
	}
	for _, i := range map[string][]int{"claim": {6}, "renew": {5, 18}}[name] { // released
		args[i] = args[i] == int64(1)
	}
	answer, err := f.Run(name, args)
	switch {
	case errors.Is(err, ledger.ErrNoTable):
		return answer, &network.OracleError{ErrCode: 942}
	case errors.Is(err, ledger.ErrRights):
		return answer, &network.OracleError{ErrCode: 1031}
	case errors.Is(err, ledger.ErrReadOnly):
		return answer, &network.OracleError{ErrCode: 16000}
	case err != nil || name != "claim" || answer.Changed > 0:
		return answer, err
	}
	seen, err := f.Run("read", args[:1])
	if err == nil && seen.Rows[0][0] == args[14] { // the row was there
		err = &network.OracleError{ErrCode: 1}
	}
	return answer, err
}

type fakeRows struct {
	answer ledger.Answer
	next   int
}

func (r *fakeRows) Columns() []string { return make([]string, len(r.answer.Columns)) }
func (r *fakeRows) Close() error      { return nil }

func (r *fakeRows) Next(row []driver.Value) error {
	if r.next == len(r.answer.Rows) {
		return io.EOF
	}
	for i, value := range r.answer.Rows[r.next] {
		switch v := value.(type) {
		case int64:
			row[i] = fmt.Sprint(v)
		case bool:
			row[i] = map[bool]string{true: "1", false: "0"}[v]
		case string:
			if row[i] = nil; v != "" {
				row[i] = v
			}
		default:
			row[i] = v
		}
	}
	r.next++
	return nil
}

func TestTheOracleStoreKeepsThePromisesOfALeaseOverAFakeDriver(t *testing.T) {
	leasetest.Run(t, func(t *testing.T) leasetest.Fixture {
		f := newFakeOracle(t)
		return leasetest.Fixture{
			A: f.open(), B: f.open(), Hang: f.hang, Restore: f.restore,
			ChangeIncarnation: func() { f.FailOver(false) }, WatchWithin: 2 * time.Second,
		}
	})
}

func TestOracleKeepsThePromisesOfALease(t *testing.T) {
	dsn := os.Getenv(realOracle)
	if dsn == "" {
		t.Skipf("%s names no database; without one only our use of database/sql is tested, over a fake driver", realOracle)
	}
	fixtures := 0
	leasetest.Run(t, func(t *testing.T) leasetest.Fixture {
		fixtures++
		var stores [2]*DB
		for i := range stores {
			db, err := Open(t.Context(), Config{Dialect: Oracle, DSN: dsn, TablePrefix: fmt.Sprintf("t%x_%x_", os.Getpid(), fixtures)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
			stores[i] = db
		}
		return leasetest.Fixture{A: stores[0], B: stores[1], WatchWithin: 2 * time.Second}
	})
}

// first claims a lease and returns what is there then.
func first(t *testing.T, db *DB) lease.Observation {
	t.Helper()
	seen, err := db.Read(t.Context(), "node")
	if err != nil {
		t.Fatal(err)
	}
	r := lease.Record{Name: "node", Holder: "a", Epoch: 1, Version: 1, Incarnation: seen.Incarnation}
	if err := db.Swap(t.Context(), seen, r); err != nil {
		t.Fatal(err)
	}
	if seen, err = db.Read(t.Context(), "node"); err != nil || seen.Record != r {
		t.Fatalf("came back as %+v (%v)", seen, err)
	}
	return seen
}

func TestOracleErrorsHaveTheirKinds(t *testing.T) {
	for code, want := range map[int]error{
		1017: ErrLogin, 1031: ErrRights, 16000: ErrReadOnly, 1653: ErrDiskFull, 60: ErrBusy, 1013: ErrBusy, 1578: ErrDamaged, 3113: ErrUnreachable, 12541: ErrUnreachable,
	} {
		f := newFakeOracle(t)
		db := f.open()
		held := first(t, db)
		r := held.Record
		r.Version++
		f.failing(code)
		if err := db.Swap(t.Context(), held, r); !errors.Is(err, want) || !strings.Contains(err.Error(), fmt.Sprintf("ORA-%05d", code)) {
			t.Errorf("ORA-%05d is judged as %v, want %v", code, err, want)
		}
		if err := db.Swap(t.Context(), held, r); err != nil {
			t.Errorf("after ORA-%05d: %v", code, err)
		}
	}
}

func TestAnOracleDatabaseThatKeepsNoLeaseIsRefused(t *testing.T) {
	f := newFakeOracle(t)
	f.role = "PHYSICAL STANDBY"
	if _, err := f.open().Read(t.Context(), "node"); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a standby: %v, want ErrReadOnly", err)
	}
	f = newFakeOracle(t)
	f.charset = "WE8MSWIN1252"
	if _, err := f.open().Read(t.Context(), "node"); err == nil || !strings.Contains(err.Error(), "WE8MSWIN1252") {
		t.Errorf("another character set: %v", err)
	}
	f = newFakeOracle(t)
	f.Deny("create", true)
	var schema *SchemaError
	if _, err := f.open().Read(t.Context(), "node"); !errors.As(err, &schema) || len(schema.Missing) != 5 || !errors.Is(err, ErrRights) {
		t.Errorf("no right to create: %v, want a SchemaError with five tables", err)
	}
}

func TestAUserWhoMayNotReadTheResetOfTheLogsCanKeepALease(t *testing.T) {
	f := newFakeOracle(t)
	f.partial = true
	first(t, f.open())
}

// Empty text is NULL to Oracle, and comes back as empty text from the board too.
func TestTheBoardOnOracleKeepsEmptyText(t *testing.T) {
	f := newFakeOracle(t)
	db := f.open()
	id, err := db.Ask(t.Context(), notice.Request{Lease: "node", Kind: "pause", Document: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	if taken, err := db.Accept(t.Context(), id, "a"); err != nil || !taken {
		t.Fatalf("accept: %v (%v)", taken, err)
	}
	if _, err := db.Answer(t.Context(), id, notice.StateDone, ""); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Append(t.Context(), notice.Event{Lease: "node", Kind: "hot"}), db.Announce(t.Context(), notice.Instance{Lease: "node", ID: "a", Nonce: "1"})); err != nil {
		t.Fatal(err)
	}
	r, err := db.Request(t.Context(), id)
	if err != nil || r.ID != id || r.Target != "" || r.Answer != "" || r.State != notice.StateDone || string(r.Document) != "{}" || !r.Ended() {
		t.Fatalf("came back as %+v (%v)", r, err)
	}
	events, err := db.Events(t.Context(), "node", 9)
	if err != nil || len(events) != 1 || events[0].Instance != "" {
		t.Fatalf("events %+v (%v)", events, err)
	}
	instances, err := db.Instances(t.Context(), "node")
	if err != nil || len(instances) != 1 || instances[0].Machine != "" {
		t.Fatalf("instances %+v (%v)", instances, err)
	}
}

func TestHowOracleIsReplicatedIsAsked(t *testing.T) {
	for name, c := range map[string]struct {
		protection, standbys []any
		want                 Copies
	}{
		"hidden":      {nil, nil, CopiesUnknown},
		"one":         {[]any{"MAXIMUM PERFORMANCE", "MAXIMUM PERFORMANCE"}, []any{"0", "0"}, CopiesNone},
		"synchronous": {[]any{"MAXIMUM PROTECTION", "MAXIMUM PROTECTION"}, []any{"2", "1"}, CopiesSynchronous},
	} {
		f := newFakeOracle(t)
		f.protection, f.standbys = c.protection, c.standbys
		if r, err := f.open().Replication(t.Context()); err != nil || r.Copies != c.want || r.WeakFencing == "" {
			t.Errorf("%s: %+v (%v), want %s", name, r, err, c.want)
		}
	}
}
