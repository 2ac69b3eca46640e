package sqlstore_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/leasetest"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// other is another program that uses the database file.
type other struct {
	t    testing.TB
	conn *sql.Conn
}

func newOther(t testing.TB, path string) other {
	t.Helper()
	pool, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(conn.Close(), pool.Close()); err != nil {
			t.Error(err)
		}
	})
	return other{t, conn}
}

func (o other) run(statement string, args ...any) {
	o.t.Helper()
	if _, err := o.conn.ExecContext(o.t.Context(), statement, args...); err != nil {
		o.t.Fatalf("%s: %v", statement, err)
	}
}

func TestSQLiteKeepsThePromisesOfALease(t *testing.T) {
	leasetest.Run(t, func(t *testing.T) leasetest.Fixture {
		path := filepath.Join(t.TempDir(), "lease.db")
		a, b := openSQLite(t, path), openSQLite(t, path)
		observed(t, a, "any") // makes the file, with its rights
		program := newOther(t, path)
		return leasetest.Fixture{
			A: a, B: b,
			Hang:    func() { program.run("BEGIN EXCLUSIVE") },
			Restore: func() { program.run("ROLLBACK") },
			ChangeIncarnation: func() {
				program.run("VACUUM INTO ?", path+".copy")
				rename(t, path+".copy", path)
			},
			WatchWithin: 2 * time.Second,
		}
	})
}

func TestSQLiteFileIsItsOwnersOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "with ?#%41&mode=ro spaces.db")
	claimed(t, openSQLite(t, path), "node")
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || len(files) == 0 || files[0] != path {
		t.Fatalf("found %q (%v), want %q", files, err, path)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s has mode %v, want 0600", f, got)
		}
	}
}

func TestSQLiteFileThatWasRemovedIsAnotherDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lease.db")
	db := openSQLite(t, path)
	held := claimed(t, db, "node")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := db.Swap(t.Context(), held, renewal(held)); !errors.Is(err, lease.ErrChanged) {
		t.Fatalf("renewal after the file was removed: %v, want ErrChanged", err)
	}
	now := observed(t, db, "node")
	if now.Exists || now.Incarnation == held.Incarnation {
		t.Fatalf("a new file was read as %+v", now)
	}
}

func TestSQLiteFileThatIsReplacedDuringATransactionIsDoubt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lease.db")
	db := openSQLite(t, path)
	held := claimed(t, db, "node")
	program := newOther(t, path)
	program.run("VACUUM INTO ?", path+".copy")
	program.run("BEGIN EXCLUSIVE")
	result := make(chan error, 1)
	go func() { result <- db.Swap(t.Context(), held, renewal(held)) }()
	// The swap has looked at the file, or will see the new one; both are allowed.
	select {
	case err := <-result:
		t.Fatalf("swap came back (%v) while another program held the file", err)
	case <-timeout(t, 300*time.Millisecond):
	}
	rename(t, path+".copy", path)
	program.run("ROLLBACK")
	if err := <-result; !errors.Is(err, sqlstore.ErrDoubt) {
		t.Fatalf("swap into a file that was replaced: %v, want ErrDoubt", err)
	}
	if now := observed(t, db, "node"); now.Record.Version != held.Record.Version || now.Incarnation == held.Incarnation {
		t.Fatalf("the copy was read as %+v", now)
	}
}

func TestSQLiteWatchEndsWhenTheFileIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lease.db")
	db := openSQLite(t, path)
	woke := make(chan struct{}, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- db.Watch(t.Context(), "node", func() {
			select {
			case woke <- struct{}{}:
			default:
			}
		})
	}()
	<-woke // the first look
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, sqlstore.ErrDoubt) {
			t.Fatalf("watch ended with %v", err)
		}
	case <-timeout(t, patience):
		t.Fatal("watch did not notice that its file is gone")
	}
}

func TestManyAgentsMayMakeTheSQLiteTablesAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lease.db")
	incarnations := make([]string, 8)
	var wg sync.WaitGroup
	for i := range incarnations {
		db := openSQLite(t, path)
		wg.Go(func() {
			o, err := db.Read(t.Context(), "node")
			if err != nil {
				t.Error(err)
			}
			incarnations[i] = o.Incarnation
		})
	}
	wg.Wait()
	for _, got := range incarnations {
		if got == "" || got != incarnations[0] {
			t.Fatalf("the agents saw different databases: %q", incarnations)
		}
	}
}

func TestSQLiteErrorsHaveTheirKinds(t *testing.T) {
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged.db")
	if err := os.WriteFile(damaged, []byte("this is a text and not a database, and long enough to be taken for a header of one"), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer.db")
	claimed(t, openSQLite(t, newer), "node")
	newOther(t, newer).run("UPDATE hotcold_meta SET value = '99' WHERE name = 'schema'")
	for _, c := range []struct {
		name, path string
		want       error
	}{
		{"no directory", filepath.Join(dir, "none", "lease.db"), sqlstore.ErrUnreachable},
		{"a directory", dir, nil},
		{"not a database", damaged, sqlstore.ErrDamaged},
		{"tables of another version", newer, &sqlstore.SchemaError{}},
	} {
		_, err := openSQLite(t, c.path).Read(t.Context(), "node")
		var schema *sqlstore.SchemaError
		switch wanted := c.want.(type) {
		case nil:
			if err == nil {
				t.Errorf("%s: no error", c.name)
			}
		case *sqlstore.SchemaError:
			if !errors.As(err, &schema) || schema.Found != "99" {
				t.Errorf("%s: %v, want %T", c.name, err, wanted)
			}
		default:
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
		}
	}
}

// A renewal that waits for another program ends with its context and says why.
func TestSQLiteSaysWhenAnotherProgramKeepsItBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lease.db")
	db := openSQLite(t, path)
	held := claimed(t, db, "node")
	newOther(t, path).run("BEGIN IMMEDIATE")
	err := within(t, 200*time.Millisecond, contextual(db, held))
	if err == nil || errors.Is(err, lease.ErrChanged) {
		t.Fatalf("renewal under another program's lock: %v", err)
	}
	if now := observed(t, db, "node"); !now.Same(held) {
		t.Fatalf("the row changed: %+v", now)
	}
}
