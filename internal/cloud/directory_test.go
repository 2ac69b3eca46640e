package cloud_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/cloud"
)

// set makes a set whose only value is an interval.
func set(t *testing.T, interval int, files ...cloud.File) cloud.Set {
	t.Helper()
	type probe struct {
		Name     string
		Interval int
	}
	s, err := cloud.NewSet("azure", "terraform", map[string]any{"Probes": []probe{{"p2p", interval}}}, files...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func file(name, text string) cloud.File { return cloud.File{Name: name, Mode: 0o644, Text: text} }

func write(t *testing.T, dir string, s cloud.Set) {
	t.Helper()
	if err := cloud.Write(dir, s, false); err != nil {
		t.Fatal(err)
	}
}

// list is what lies in a folder, but for the manifest.
func list(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == ".hotcold-render.json" {
			return err
		}
		text, err := os.ReadFile(name)
		all = append(all, strings.TrimPrefix(name, dir+"/")+"="+string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func TestWritingAgainReplacesWhatIsOursAndRemovesWhatIsOver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	script := cloud.File{Name: "sub/run.sh", Mode: 0o755, Text: "one"}
	write(t, dir, set(t, 5, file("a", "one"), script, file("old", "one")))
	if info, err := os.Stat(filepath.Join(dir, "sub/run.sh")); err != nil || info.Mode() != 0o755 {
		t.Errorf("the script is %v, %v", info, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "a")); err != nil || info.Mode() != 0o644 {
		t.Errorf("the file is %v, %v", info, err)
	}
	write(t, dir, set(t, 5, file("a", "two")))
	if got := list(t, dir); got != "a=two" {
		t.Errorf("the folder has %s", got)
	}
}

func TestFilesOfOthersAreNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := set(t, 5, file("a", "one"), file("b", "one"))
	err := cloud.Write(dir, s, false)
	var foreign *cloud.ForeignError
	if !errors.As(err, &foreign) || !slices.Equal(foreign.Files, []string{"a"}) {
		t.Fatalf("got %v", err)
	}
	if got := list(t, dir); got != "a=mine" {
		t.Errorf("although it was refused the folder has %s", got)
	}
	if err := cloud.Write(dir, s, true); err != nil {
		t.Fatal(err)
	}
	if got := list(t, dir); got != "a=one b=one" {
		t.Errorf("with force the folder has %s", got)
	}
	// One that somebody has changed since is somebody's too, also when it is not wanted any more.
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cloud.Write(dir, s, false); !errors.As(err, &foreign) {
		t.Fatalf("got %v", err)
	}
	write(t, dir, set(t, 5, file("b", "one")))
	if got := list(t, dir); got != "a=changed b=one" {
		t.Errorf("the folder has %s", got)
	}
}

// A run that was killed before the manifest was written is no trouble for the next one.
func TestWhatWasInterruptedIsWrittenAgain(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, dir, set(t, 5, file("a", "one"), file("b", "one")))
}

func TestDriftIsToldPerFileAndPerValue(t *testing.T) {
	dir := t.TempDir()
	if _, err := cloud.Check(dir, set(t, 5)); !errors.Is(err, cloud.ErrNotRendered) {
		t.Errorf("an empty folder: %v", err)
	}
	was := set(t, 5, file("same", "x"), file("by-hand", "x"), file("lost", "x"), file("over", "x"), file("moved", "x"))
	write(t, dir, was)
	if all, err := cloud.Check(dir, was); err != nil || len(all) != 0 {
		t.Errorf("nothing has drifted, and it says %v, %v", all, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "by-hand"), []byte("y"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "lost")); err != nil {
		t.Fatal(err)
	}
	all, err := cloud.Check(dir, set(t, 6, file("same", "x"), file("by-hand", "x"), file("lost", "x"), file("moved", "z"), file("new", "x")))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range all {
		got = append(got, d.String())
	}
	want := []string{
		"by-hand: has been changed by hand", "by-hand:1: has `y`, would have `x`", "lost: has been removed", "moved: the configuration says something else now",
		"new: would be new", "over: is not part of it any more", "probes.p2p.interval: was 5, is now 6",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	target, format, err := cloud.Rendered(dir)
	if target != "azure" || format != "terraform" || err != nil {
		t.Errorf("it remembers %s, %s, %v", target, format, err)
	}
}

// A manifest is data of a folder that anybody may have written.
func TestAManifestLeadsNowhereElse(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "victim")
	dir := filepath.Join(filepath.Dir(outside), "folder")
	for name, text := range map[string]string{outside: "x", filepath.Join(dir, ".hotcold-render.json"): `{"version":1,"files":{"../victim":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}}`} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, set(t, 5, file("a", "one")))
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("a file outside of the folder was removed: %v", err)
	}
}

func TestAWordOfAShellStaysOneWord(t *testing.T) {
	for text, want := range map[string]string{
		"plain-1.2/x": "plain-1.2/x", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$HOME": "'$HOME'", "a;b": "'a;b'", "{a}": "'{a}'", "~": "'~'",
	} {
		if got := cloud.Quote(text); got != want {
			t.Errorf("%q is written %s, want %s", text, got, want)
		}
	}
}

// A line is told with what it stands in, and one that was moved is told twice.
func TestALineThatDriftedIsToldWithItsPlace(t *testing.T) {
	const there = `resource "probe" "p2p" {
  port = 10002
}

resource "probe" "rpc" {
  port     = 1
  interval = 5
}
`
	for _, c := range []struct{ name, there, now, want string }{
		{"a block", there, strings.Replace(there, "= 5", "= 9", 1), "x:7: resource \"probe\" \"rpc\": has `interval = 5`, would have `interval = 9`"},
		{"a line more", there, strings.Replace(there, "  port = 10002\n", "  port = 10002\n  path = 1\n", 1), "x:3: resource \"probe\" \"p2p\": has nothing, would have `path = 1`"},
		{"a line less", there, strings.Replace(there, "  port     = 1\n", "", 1), "x:6: resource \"probe\" \"rpc\": has `port     = 1`, would have nothing"},
		{"a unit", "[Unit]\nA=1\n\n[Service]\nB=1\n", "[Unit]\nA=1\n\n[Service]\nB=2\n", "x:5: [Service]: has `B=1`, would have `B=2`"},
		{"blanks", "a:\n  b\n", "a:\n    b\n", ""},
		{"everything", strings.Repeat("a\n", 20), strings.Repeat("b\n", 20), "x: and more lines"},
	} {
		dir := t.TempDir()
		write(t, dir, set(t, 5, file("x", c.there)))
		all, err := cloud.Check(dir, set(t, 5, file("x", c.now)))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(all) > 1 {
			got = all[len(all)-1].String()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
