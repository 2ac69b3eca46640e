package drive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// limit bounds every wait of these tests; it is far above what they take.
const limit = time.Minute

// holdOpen starts a child that has a file open, until what it returns is called.
func holdOpen(t *testing.T, f *os.File) func() {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{f}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestALockIsSeenAndNotTakenByWhoAsks(t *testing.T) {
	dir := t.TempDir()
	k := &keeper{dir: dir}
	defer k.close()
	for range 2 {
		if s, err := k.touch(); err != nil || s != lockMine {
			t.Fatal(s, err)
		}
	}
	other := &keeper{dir: dir}
	if s, err := other.touch(); err != nil || s != lockElse {
		t.Errorf("a second one: %q, %v", s, err)
	}
	path := filepath.Join(dir, LockFile)
	for range 2 { // asking twice shows that asking takes nothing
		if held, err := heldElsewhere(path); err != nil || !held {
			t.Errorf("held %v, %v", held, err)
		}
	}
	k.close()
	if held, err := heldElsewhere(path); err != nil || held {
		t.Errorf("after the end: held %v, %v", held, err)
	}
	if s, err := other.touch(); err != nil || s != lockMine {
		t.Errorf("the second one then: %q, %v", s, err)
	}
	other.close()
}

// The Go runtime may open and close the same file elsewhere in the process.
func TestALockOutlivesAnotherCloseOfItsFile(t *testing.T) {
	dir := t.TempDir()
	k := &keeper{dir: dir}
	defer k.close()
	if _, err := k.touch(); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(filepath.Join(dir, LockFile)); err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	if held, err := heldElsewhere(filepath.Join(dir, LockFile)); err != nil || !held {
		t.Errorf("held %v, %v", held, err)
	}
}

func TestAStampIsReadBackAndAShorterOneLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"a machine with a rather long name:/opt/corda", "b:/x"} {
		want := Holder{Instance: name, Epoch: uint64(i + 1), Beat: 7, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
		if err := stamp(dir, want); err != nil {
			t.Fatal(err)
		}
		if got, err := readHolder(dir); err != nil || got != want {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func TestAMarkerIsMadeOnceAndStays(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	first, made, err := MakeMarker(dir, "primary", now)
	if err != nil || !made || len(first.ID) != 32 {
		t.Fatal(first, made, err)
	}
	if again, made, err := MakeMarker(dir, "back-up", now); err != nil || made || again != first {
		t.Errorf("got %v, %v, %v", again, made, err)
	}
	if err := os.WriteFile(filepath.Join(dir, MarkerFile), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if m, made, err := MakeMarker(dir, "back-up", now); err == nil || made {
		t.Errorf("a damaged one was replaced: %v", m)
	}
}

func TestADrillMeasuresFromTheLastStamp(t *testing.T) {
	dir := t.TempDir()
	o := func(name string, tell func(string, ...any)) DrillOptions {
		return DrillOptions{Dir: dir, Name: name, Tell: tell, Clock: clock.System()}
	}
	holding, end := context.WithCancel(t.Context())
	seen, held := make(chan struct{}, 9), make(chan error, 1)
	go func() { held <- DrillHold(holding, o("a", func(string, ...any) { seen <- struct{}{} })) }()
	<-seen
	waiting, stop := context.WithTimeout(t.Context(), limit)
	defer stop()
	got, err := DrillWait(waiting, o("b", func(string, ...any) { end() }))
	if err != nil || !got.Seen || got.From != "a" || got.Seconds > limit.Seconds() {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := <-held; err != nil {
		t.Error(err)
	}
}

// sshfs, nobrl and local_lock do this: the other machine counts on, under a lock that
// is not to be seen.
func TestADrillFindsLocksThatAreNotSeen(t *testing.T) {
	dir := t.TempDir()
	ctx, end := context.WithTimeout(t.Context(), limit)
	defer end()
	go func() {
		for beat := 1; clock.Wait(ctx, clock.System(), drillBeat) == nil; beat++ {
			_ = os.WriteFile(filepath.Join(dir, drillStamps), fmt.Appendf(nil, `{"name":"a","beat":%d}`, beat), 0o644)
		}
	}()
	_, err := DrillWait(ctx, DrillOptions{Dir: dir, Name: "b", Tell: t.Logf, Clock: clock.System()})
	if !errors.Is(err, ErrLocksUnseen) {
		t.Errorf("got %v", err)
	}
}

func TestABenchSaysWhatAJournalWouldFeel(t *testing.T) {
	for _, c := range []struct {
		p50, p99 time.Duration
		level    Level
	}{
		{time.Millisecond, 8 * time.Millisecond, OK},
		{15 * time.Millisecond, 20 * time.Millisecond, Warning},
		{time.Millisecond, 900 * time.Millisecond, Warning},
		{80 * time.Millisecond, 90 * time.Millisecond, Warning},
	} {
		times := make([]time.Duration, 100)
		for i := range times {
			times[i] = c.p50
		}
		times[99] = c.p99
		if level, text := Verdict(times); level != c.level {
			t.Errorf("p50 %v, p99 %v: %s, %s", c.p50, c.p99, level, text)
		}
	}
	dir := t.TempDir()
	s, err := Bench(t.Context(), BenchOptions{Dir: dir, For: 50 * time.Millisecond, StreamBytes: 2 << 20, Progress: func(string, float64) {}, Clock: clock.System()})
	if err != nil || s.Writes == 0 || s.BytesPerSecond <= 0 {
		t.Errorf("got %+v, %v", s, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
