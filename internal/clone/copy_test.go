package clone_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/clone"
)

// The goal is a back-up that is a twin: all that the guide names, with
// permissions and times, and nothing that belongs to one machine.
func TestATwinHasAllThatANodeNeedsAndNothingThatBelongsToOneMachine(t *testing.T) {
	primary, backUp := node(t, newKeyPair(t)), t.TempDir()
	from, to := open(t, primary), open(t, backUp)
	cloned(t, from, to, clone.Intent{})
	checkTwin(t, primary, backUp)
	if again := cloned(t, from, to, clone.Intent{}); !allOf(again, clone.Same) {
		t.Errorf("a second run has something to do: %v", again)
	}
}

func checkTwin(t *testing.T, primary, backUp string) {
	t.Helper()
	here, there := manifest(t, open(t, primary)), manifest(t, open(t, backUp))
	if d := clone.Compare(here, there, nodeSelection(), "back-up"); len(d) > 0 {
		t.Errorf("the twins differ: %v", d)
	}
	if len(here.Entries) != 9 {
		t.Errorf("%d files are listed, want 9: %v", len(here.Entries), here.Entries)
	}
	for _, e := range there.Entries {
		if e.Link == "" && e.ModTime.Year() != 2026 {
			t.Errorf("%s was last written at %v", e.Path, e.ModTime)
		}
	}
	for name, mode := range map[string]os.FileMode{"certificates/nodekeystore.jks": 0o600, "cordapps/app.jar": 0o640, "network-parameters": 0o644} {
		if info, err := os.Stat(filepath.Join(backUp, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s has %v, %v; want %v", name, info, err, mode)
		}
	}
	if target, err := os.Readlink(filepath.Join(backUp, "corda.jar")); target != "corda-4.12.jar" {
		t.Errorf("corda.jar is a link to %q, %v", target, err)
	}
	for _, name := range []string{"artemis", "logs", "brokers", "process-id", "persistence.mv.db", "cordapps/h2.mv.db"} {
		if _, err := os.Lstat(filepath.Join(backUp, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is there", name)
		}
	}
	noParts(t, backUp)
}

func noParts(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if strings.Contains(filepath.Base(path), ".hotcold-clone-") {
			t.Errorf("%s was left behind", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func allOf(steps []clone.Step, kinds ...clone.Kind) bool {
	for _, s := range steps {
		ok := false
		for _, k := range kinds {
			ok = ok || s.Kind == k
		}
		if !ok {
			return false
		}
	}
	return true
}

// cut is a side that fails once some bytes were written to it.
type cut struct {
	clone.Side
	left int
}

type cutFile struct {
	clone.File
	side *cut
}

var errCut = errors.New("the way was cut")

func (c *cut) Part(name string) (clone.File, error) {
	f, err := c.Side.Part(name)
	if err != nil {
		return nil, err
	}
	return cutFile{f, c}, nil
}

func (f cutFile) WriteAt(p []byte, at int64) (int, error) {
	if f.side.left -= len(p); f.side.left < 0 {
		n, _ := f.File.WriteAt(p[:len(p)/2], at) // half of it arrived
		return n, errCut
	}
	return f.File.WriteAt(p, at)
}

func TestAnInterruptedCopyIsGoneOnWith(t *testing.T) {
	primary, backUp := node(t, newKeyPair(t)), t.TempDir()
	from := open(t, primary)
	steps, _ := clone.Decide(manifest(t, from), clone.Manifest{}, nodeSelection(), clone.Intent{})
	err := clone.Copy(t.Context(), from, &cut{open(t, backUp), 1_500_000}, steps, clone.CopyOptions{})
	if !errors.Is(err, errCut) || !strings.Contains(err.Error(), "corda-4.12.jar: on "+backUp) {
		t.Fatalf("the copy ended with %v", err)
	}
	if _, err := os.Lstat(filepath.Join(backUp, "corda-4.12.jar")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a file has the name of the whole: %v", err)
	}
	var first int64 = -1
	to := open(t, backUp)
	steps, _ = clone.Decide(manifest(t, from), manifest(t, to), nodeSelection(), clone.Intent{})
	err = clone.Copy(t.Context(), from, to, steps, clone.CopyOptions{Wrote: func(path string, n int64) {
		if path == "corda-4.12.jar" && first < 0 {
			first = n
		}
	}})
	if err != nil || first < 1_000_000 {
		t.Errorf("the second run began at byte %d: %v", first, err)
	}
	checkTwin(t, primary, backUp)
}

// A part may be damaged: the next run finds that out when it reads the whole back.
func TestADamagedPartIsBegunAnew(t *testing.T) {
	primary, backUp := node(t, newKeyPair(t)), t.TempDir()
	from := open(t, primary)
	steps, _ := clone.Decide(manifest(t, from), clone.Manifest{}, nodeSelection(), clone.Intent{})
	if err := clone.Copy(t.Context(), from, &cut{open(t, backUp), 1_500_000}, steps, clone.CopyOptions{}); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	parts, _ := filepath.Glob(filepath.Join(backUp, ".hotcold-clone-*"))
	if len(parts) != 1 {
		t.Fatalf("there are parts %v", parts)
	}
	if err := os.WriteFile(parts[0], bytes.Repeat([]byte("x"), 1_000_000), 0o600); err != nil {
		t.Fatal(err)
	}
	cloned(t, from, open(t, backUp), clone.Intent{})
	checkTwin(t, primary, backUp)
}

// liar is a side whose disk changes what is written to it.
type liar struct{ clone.Side }

type liarFile struct{ clone.File }

func (l liar) Part(name string) (clone.File, error) {
	f, err := l.Side.Part(name)
	return liarFile{f}, err
}

func (f liarFile) WriteAt(p []byte, at int64) (int, error) {
	changed := bytes.Clone(p)
	changed[0] ^= 1
	return f.File.WriteAt(changed, at)
}

func TestWhatIsReadBackOtherwiseGetsNoName(t *testing.T) {
	primary, backUp := node(t, newKeyPair(t)), t.TempDir()
	from := open(t, primary)
	steps, _ := clone.Decide(manifest(t, from), clone.Manifest{}, nodeSelection(), clone.Intent{})
	err := clone.Copy(t.Context(), from, liar{open(t, backUp)}, steps, clone.CopyOptions{})
	if !errors.Is(err, clone.ErrPart) {
		t.Errorf("the copy ended with %v", err)
	}
	noParts(t, backUp)
}

func TestAFileThatChangesWhileItIsCopiedIsNotPutInPlace(t *testing.T) {
	primary, backUp := node(t, newKeyPair(t)), t.TempDir()
	from := open(t, primary)
	steps, _ := clone.Decide(manifest(t, from), clone.Manifest{}, nodeSelection(), clone.Intent{})
	put(t, primary, "cordapps/app.jar", bytes.Repeat([]byte("wolf"), 1000), 0o640)
	err := clone.Copy(t.Context(), from, open(t, backUp), steps, clone.CopyOptions{})
	if err == nil || !strings.Contains(err.Error(), "cordapps/app.jar: it changed while it was copied") {
		t.Errorf("the copy ended with %v", err)
	}
	noParts(t, backUp)
}

func TestACopyEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	primary, backUp := node(t, newKeyPair(t)), t.TempDir()
	from := open(t, primary)
	steps, _ := clone.Decide(manifest(t, from), clone.Manifest{}, nodeSelection(), clone.Intent{})
	why := errors.New("Ctrl-C")
	err := clone.Copy(ctx, from, open(t, backUp), steps, clone.CopyOptions{Wrote: func(path string, n int64) {
		if path == "corda-4.12.jar" && n > 0 {
			cancel(why)
		}
	}})
	if !errors.Is(err, why) {
		t.Errorf("the copy ended with %v", err)
	}
	cloned(t, from, open(t, backUp), clone.Intent{})
	checkTwin(t, primary, backUp)
}

func TestNothingIsDeletedUnlessAskedFor(t *testing.T) {
	primary, backUp := node(t, newKeyPair(t)), t.TempDir()
	from, to := open(t, primary), open(t, backUp)
	cloned(t, from, to, clone.Intent{})
	put(t, backUp, "cordapps/old.jar", []byte("old"), 0o644)
	put(t, backUp, "notes.txt", []byte("mine"), 0o644)
	if steps := cloned(t, from, to, clone.Intent{}); !allOf(steps, clone.Same, clone.Keep) {
		t.Errorf("steps %v", steps)
	}
	if _, err := os.Stat(filepath.Join(backUp, "cordapps/old.jar")); err != nil {
		t.Error(err)
	}
	cloned(t, from, to, clone.Intent{Delete: true})
	if _, err := os.Stat(filepath.Join(backUp, "cordapps/old.jar")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was asked for: %v", err)
	}
	if _, err := os.Stat(filepath.Join(backUp, "notes.txt")); err != nil {
		t.Errorf("what nobody listed is gone: %v", err)
	}
}

func TestNothingIsWrittenThroughALink(t *testing.T) {
	for _, side := range []string{"", "cordapps"} {
		primary, backUp, elsewhere := node(t, newKeyPair(t)), t.TempDir(), t.TempDir()
		if side != "" {
			if err := os.Symlink(elsewhere, filepath.Join(backUp, side)); err != nil {
				t.Fatal(err)
			}
		}
		from, to := open(t, primary), open(t, backUp)
		steps, _ := clone.Decide(manifest(t, from), manifest(t, to), nodeSelection(), clone.Intent{})
		err := clone.Copy(t.Context(), from, to, steps, clone.CopyOptions{})
		if (err != nil) != (side != "") {
			t.Errorf("the copy ended with %v", err)
		}
		if all, _ := os.ReadDir(elsewhere); len(all) > 0 {
			t.Errorf("%v was written through a link", all)
		}
	}
}

func TestAFileTakesThePlaceOfALinkAndNotOfWhatItPointsTo(t *testing.T) {
	primary, backUp := node(t, newKeyPair(t)), t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	put(t, filepath.Dir(outside), "outside", []byte("not ours"), 0o644)
	if err := os.Symlink(outside, filepath.Join(backUp, "network-parameters")); err != nil {
		t.Fatal(err)
	}
	cloned(t, open(t, primary), open(t, backUp), clone.Intent{})
	if text, err := os.ReadFile(outside); string(text) != "not ours" {
		t.Errorf("%q, %v", text, err)
	}
	checkTwin(t, primary, backUp)
}

func TestSweepRemovesPartsThatNobodyGoesOnWith(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "cordapps/.hotcold-clone-0123456789abcdef-01234567", []byte("half"), 0o600)
	d := open(t, dir)
	if err := clone.Sweep(d, manifest(t, d)); err != nil {
		t.Error(err)
	}
	noParts(t, dir)
}
