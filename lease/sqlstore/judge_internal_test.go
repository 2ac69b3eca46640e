package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A full disk, as SQLite says it: the file may not grow beyond what it has.
func TestAFullDiskIsSaidToBeOne(t *testing.T) {
	pool, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "full.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1)
	for _, statement := range []string{"CREATE TABLE t (x)", "PRAGMA max_page_count = 2"} {
		if _, err := pool.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	_, full := pool.ExecContext(t.Context(), "INSERT INTO t VALUES (zeroblob(100000))")
	if err := (&sqliteDB{}).judge(t.Context(), full); !errors.Is(err, ErrDiskFull) {
		t.Fatalf("judged as %v, want ErrDiskFull", err)
	}
}

func TestAnErrorIsOneLineAndSaysWhyItsContextEnded(t *testing.T) {
	why := errors.New("the trust runs out")
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Nanosecond, why)
	defer cancel()
	<-ctx.Done()
	err := unreachable(ctx, errors.Join(fmt.Errorf("connect:\n\tfirst host"), context.DeadlineExceeded))
	if text := err.Error(); strings.ContainsAny(text, "\n\t") || !strings.Contains(text, why.Error()) {
		t.Errorf("the error reads %q", text)
	}
	for _, target := range []error{ErrUnreachable, why, context.DeadlineExceeded} {
		if !errors.Is(err, target) {
			t.Errorf("%v does not match %v", err, target)
		}
	}
}
