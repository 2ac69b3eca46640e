package drive

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// linkRig is a base directory and a drive.
func linkRig(t *testing.T) LinkOptions {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"base", "mnt"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return LinkOptions{BaseDir: filepath.Join(dir, "base"), Name: "artemis", Target: filepath.Join(dir, "mnt", "artemis"), Progress: func(string, int64, int64) {}}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func TestANewNodeIsLinkedAndASecondTimeIsNoHarm(t *testing.T) {
	o := linkRig(t)
	for i, want := range []Linking{LinkOnly, Nothing} {
		if done, err := Link(t.Context(), o); err != nil || done != want {
			t.Fatalf("time %d: %s, %v", i+1, done, err)
		}
	}
	if to, err := os.Readlink(filepath.Join(o.BaseDir, "artemis")); err != nil || to != o.Target {
		t.Errorf("leads to %q, %v", to, err)
	}
}

func TestALinkNeverHidesData(t *testing.T) {
	o := linkRig(t)
	journal := filepath.Join(o.BaseDir, "artemis", "journal", "1.amq")
	write(t, journal, "messages")
	if _, err := Link(t.Context(), o); err == nil || !strings.Contains(err.Error(), "--move") {
		t.Fatalf("got %v", err)
	}
	if text, err := os.ReadFile(journal); err != nil || string(text) != "messages" {
		t.Errorf("the journal: %q, %v", text, err)
	}
}

func TestAMoveVerifiesEveryFileAndKeepsTheOld(t *testing.T) {
	o := linkRig(t)
	o.Move = true
	old := filepath.Join(o.BaseDir, "artemis")
	write(t, filepath.Join(old, "journal", "1.amq"), strings.Repeat("x", 3<<20))
	write(t, filepath.Join(old, "bindings", "2"), "b")
	write(t, filepath.Join(filepath.Dir(o.Target), ".hotcold-moving-artemis", "rest"), "of a move that was cut short")
	when := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(old, "bindings", "2"), when, when); err != nil {
		t.Fatal(err)
	}
	var told []string
	o.Progress = func(path string, _, _ int64) { told = append(told, path) }
	if done, err := Link(t.Context(), o); err != nil || done != MoveAll {
		t.Fatal(done, err)
	}
	for _, dir := range []string{old, old + Kept, o.Target} {
		if text, err := os.ReadFile(filepath.Join(dir, "journal", "1.amq")); err != nil || len(text) != 3<<20 {
			t.Errorf("%s: %d bytes, %v", dir, len(text), err)
		}
	}
	info, err := os.Stat(filepath.Join(o.Target, "bindings", "2"))
	if err != nil || info.Mode().Perm() != 0o640 || !info.ModTime().Equal(when) {
		t.Errorf("mode %v, time %v, %v", info.Mode(), info.ModTime(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(o.Target), ".hotcold-*")); len(left) > 0 || len(told) < 4 {
		t.Errorf("left %q, told %q", left, told)
	}
	if done, err := Link(t.Context(), o); err != nil || done != Nothing {
		t.Errorf("a second time: %s, %v", done, err)
	}
}

func TestAMoveThatIsBrokenOffLeavesTheNodeAsItWas(t *testing.T) {
	o := linkRig(t)
	o.Move = true
	old := filepath.Join(o.BaseDir, "artemis")
	write(t, filepath.Join(old, "a"), "a")
	write(t, filepath.Join(old, "b"), "b")
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(path string, _, _ int64) {
		if path == "a" {
			cancel()
		}
	}
	if _, err := Link(ctx, o); err == nil {
		t.Fatal("it went on")
	}
	if info, err := os.Lstat(old); err != nil || !info.IsDir() {
		t.Errorf("%v, %v", info, err)
	}
	if left, err := os.ReadDir(filepath.Dir(o.Target)); err != nil || len(left) > 0 {
		t.Errorf("left on the drive: %v, %v", left, err)
	}
}

func TestAFileThatChangesWhileItIsMovedStopsTheMove(t *testing.T) {
	o := linkRig(t)
	o.Move = true
	old := filepath.Join(o.BaseDir, "artemis")
	write(t, filepath.Join(old, "a"), "a")
	o.Progress = func(path string, _, _ int64) {
		if path == "" {
			write(t, filepath.Join(old, "b"), "a node is running")
		}
	}
	if _, err := Link(t.Context(), o); err == nil || !strings.Contains(err.Error(), "changed while it was copied") {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Lstat(o.Target); !os.IsNotExist(err) {
		t.Error("half a journal got its name on the drive")
	}
}

func TestDataOnBothSidesIsForAPerson(t *testing.T) {
	o := linkRig(t)
	o.Move = true
	write(t, filepath.Join(o.BaseDir, "artemis", "a"), "a")
	write(t, filepath.Join(o.Target, "b"), "b")
	if _, err := Link(t.Context(), o); err == nil || !strings.Contains(err.Error(), "a person has to say") {
		t.Errorf("got %v", err)
	}
}

func TestADirectoryInUseIsNotMoved(t *testing.T) {
	o := linkRig(t)
	o.Move = true
	write(t, filepath.Join(o.BaseDir, "artemis", "a"), "a")
	f, err := os.Open(filepath.Join(o.BaseDir, "artemis", "a"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	child := holdOpen(t, f)
	if _, err := Link(t.Context(), o); err == nil || !strings.Contains(err.Error(), "stop the node first") {
		t.Errorf("got %v", err)
	}
	child()
}

func TestALinkToAnotherPlaceIsNotReplaced(t *testing.T) {
	o := linkRig(t)
	if err := os.Symlink("/elsewhere", filepath.Join(o.BaseDir, "artemis")); err != nil {
		t.Fatal(err)
	}
	if _, err := Link(t.Context(), o); err == nil || !strings.Contains(err.Error(), "/elsewhere already") {
		t.Errorf("got %v", err)
	}
}

func TestCheckTellsHowTheDirectoryIsLinked(t *testing.T) {
	o := linkRig(t)
	check := func() Finding {
		return checkLink(CheckOptions{BaseDir: o.BaseDir, Expect: Expect{Path: filepath.Dir(o.Target)}}, Linked{"artemis", true})
	}
	if f := check(); f.Level != Fault || f.Code != "notLinked" {
		t.Errorf("nothing there: %+v", f)
	}
	path := filepath.Join(o.BaseDir, "artemis")
	write(t, filepath.Join(path, "a"), "a")
	if f := check(); f.Level != Fault || !strings.Contains(f.Next, "--move") {
		t.Errorf("a directory: %+v", f)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/tmp", path); err != nil {
		t.Fatal(err)
	}
	if f := check(); f.Level != Fault || !strings.Contains(f.Text, "not on the drive") {
		t.Errorf("a link to another place: %+v", f)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Link(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if f := check(); f.Level != OK {
		t.Errorf("linked: %+v", f)
	}
}
