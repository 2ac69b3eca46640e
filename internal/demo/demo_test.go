package demo

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/witness"
)

// Tests here run one after the other: Run owns all children of its process.

// limit bounds every wait of these tests; it is far above what they take.
const limit = 4 * time.Minute

// calmWait is a waitInterval that also holds where other tests keep the disk
// busy: what is tested here is not how fast a takeover can be.
const calmWait = 4 * time.Second

// program builds the real program.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hotcold")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "github.com/hotcold/hotcold/cmd/hotcold")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return path
}

// bounded ends with the test, or when it takes too long.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// traces lists the processes that have to do with a folder.
func traces(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	for _, p := range processes() {
		args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid)) // it may end just now
		env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.pid))
		own := bytes.Contains(args, []byte("hotcold\x00demo\x00"))
		if !own && (bytes.Contains(args, []byte(dir)) || bytes.Contains(env, []byte("machine-a:"+dir)) || bytes.Contains(env, []byte("machine-b:"+dir))) {
			found = append(found, fmt.Sprintf("%d %s", p.pid, bytes.ReplaceAll(args, []byte{0}, []byte{' '})))
		}
	}
	return found
}

// nothingLeft fails the test if the demo left something behind.
func nothingLeft(t *testing.T, temp string) {
	t.Helper()
	if left := traces(t, temp); len(left) > 0 {
		t.Errorf("processes are left:\n%s", strings.Join(left, "\n"))
	}
	entries, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s is left in the temporary folder", e.Name())
	}
}

// options are a demo in this very process.
func options(t *testing.T, program string, out *bytes.Buffer) Options {
	return Options{
		Executable: program, Environ: os.Environ(), TempDir: t.TempDir(), Wait: calmWait, Clock: clock.System(), Screen: Screen{Out: out},
		Open: func(dsn string) (*sql.DB, error) { return sql.Open("sqlite", dsn) },
	}
}

func TestALostWriteIsABrokenPromise(t *testing.T) {
	var out bytes.Buffer
	o := options(t, program(t), &out)
	o.audit = func(ctx context.Context, e witness.Evidence) (witness.Report, error) {
		e.Acked = append(e.Acked, "demo-999999")
		return witness.Audit(ctx, e)
	}
	r, err := run(bounded(t), o, func(context.Context, *show) error { return nil })
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if r.Held || r.Writes.Lost != 1 || len(r.Faults) != 1 || !strings.Contains(r.Faults[0], "demo-999999") {
		t.Errorf("report: %+v", r)
	}
	if !strings.Contains(out.String(), "DID NOT HOLD: 1 acknowledged writes are lost") {
		t.Errorf("the talk does not say so:\n%s", &out)
	}
	nothingLeft(t, o.TempDir)
}

// An SQLite file stays locked while its client is stopped. In a pair of two
// machines the database is neither of them.
func TestAFrozenAgentNeverKeepsTheDatabaseLocked(t *testing.T) {
	var out bytes.Buffer
	o := options(t, program(t), &out)
	r, err := run(bounded(t), o, func(ctx context.Context, s *show) error {
		db, err := o.Open("file:" + s.stage.lease + "?_pragma=busy_timeout(250)")
		if err != nil {
			return err
		}
		defer db.Close()
		db.SetMaxOpenConns(1)
		for i := range 40 {
			if err := s.keepers[0].freeze(ctx, s.stage.lease); err != nil {
				return err
			}
			_, err := db.ExecContext(ctx, "BEGIN IMMEDIATE; ROLLBACK")
			if err != nil {
				t.Errorf("freeze %d: %v", i, err)
			}
			if err := s.keepers[0].thaw(); err != nil {
				return err
			}
			// Another phase of the renewals each time.
			if err := clock.Wait(ctx, o.Clock, time.Duration(7+i)*time.Millisecond); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !r.Held {
		t.Errorf("%v, %v\n%s", err, r.Faults, &out)
	}
	nothingLeft(t, o.TempDir)
}

// An agent that was frozen finds its node dead. That is no fault of the node:
// the machine has to be of use again at once.
func TestAThawedMachineCanTakeOverAtOnce(t *testing.T) {
	var out bytes.Buffer
	o := options(t, program(t), &out)
	ctx := bounded(t)
	r, err := run(ctx, o, func(ctx context.Context, s *show) error {
		if err := s.perform(ctx, step{title: "freeze", do: func(ctx context.Context, s *show) error { return s.freeze(ctx) }}); err != nil {
			return err
		}
		if err := s.thaw(); err != nil {
			return err
		}
		if err := s.settle(ctx); err != nil {
			return err
		}
		log, err := os.ReadFile(s.stage.machines[0].Log)
		if err == nil && strings.Contains(string(log), "the node failed here") {
			t.Errorf("the agent blames the node:\n%s", log)
		}
		return err
	})
	if err != nil || !r.Held || len(r.Turns) != 1 || !r.Turns[0].Takeover {
		t.Errorf("%v, %+v\n%s", err, r, &out)
	}
	nothingLeft(t, o.TempDir)
}

func TestAFolderThatIsNotEmptyIsLeftAlone(t *testing.T) {
	var out bytes.Buffer
	o := options(t, "/bin/true", &out)
	o.Dir = t.TempDir()
	mine := filepath.Join(o.Dir, "mine")
	if err := os.WriteFile(mine, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(bounded(t), o); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
}

func TestAnAgentThatDoesNotStartIsSaidWithItsLastWords(t *testing.T) {
	var out bytes.Buffer
	o := options(t, filepath.Join(t.TempDir(), "agent"), &out)
	if err := os.WriteFile(o.Executable, []byte("#!/bin/sh\n[ \"$1\" = run ] || exec sleep 1000\necho no such luck >&2\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Run(bounded(t), o)
	if err == nil || !strings.Contains(err.Error(), "the agent of machine-a ended by itself (exit status 3), its last words: no such luck") {
		t.Errorf("got %v", err)
	}
	nothingLeft(t, o.TempDir)
}
