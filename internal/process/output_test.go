package process

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestFloodReachesTheSinkWithoutLoss(t *testing.T) {
	t.Parallel()
	r := newRig(t, CgroupAuto, "")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r.o.Argv, r.o.Env = []string{self}, []string{nodeVar + "=flood"}
	next, bad := 0, 0
	r.o.Output = SinkFunc(func(lines []Line) {
		for _, l := range lines {
			if i, err := strconv.Atoi(l.Text[:9]); err != nil || i != next || len(l.Text) != floodWidth-1 {
				bad++
			}
			next++
		}
	})
	n := r.start(r.far())
	r.within(n.Done(), "the flood to end")
	n.Wait()
	res := n.Result()
	if next != floodLines || bad != 0 || res.DroppedLines != 0 {
		t.Errorf("%d lines of %d, %d bad, %d dropped", next, floodLines, bad, res.DroppedLines)
	}
	if len(res.Tail) != tailLen || !strings.HasPrefix(res.Tail[tailLen-1].Text, fmt.Sprintf("%09d", floodLines-1)) {
		t.Errorf("tail %v", res.Tail)
	}
}

func TestSinkThatHangsStopsNeitherTheNodeNorItsEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, CgroupAuto, "head -c 2000000 /dev/zero | tr '\\0' '\\n'; echo done > done; exec sleep 1000")
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	r.o.Output = SinkFunc(func([]Line) { <-hang })
	n := r.start(r.far())
	r.awaitFile("done")
	n.Kill()
	r.within(n.Done(), "the node to be seen dead")
	if res := n.Result(); res.DroppedLines == 0 {
		t.Error("no line was dropped")
	}
}

func TestSlowSinkIsToldWhatItMissed(t *testing.T) {
	t.Parallel()
	r := newRig(t, CgroupAuto, "head -c 2000000 /dev/zero | tr '\\0' '\\n'; echo done > done; exec sleep 1000")
	hang, open := make(chan struct{}), atomic.Bool{}
	var got, told atomic.Int64
	r.o.Output = SinkFunc(func(lines []Line) {
		if !open.Load() {
			<-hang
		}
		for _, l := range lines {
			if l.Stream == Notice {
				k, _ := strconv.ParseInt(strings.Fields(l.Text)[1], 10, 64)
				told.Add(k)
				continue
			}
			got.Add(1)
		}
	})
	n := r.start(r.far())
	r.awaitFile("done")
	open.Store(true)
	close(hang)
	n.Kill()
	n.Wait() // which does not wait for ever for a sink that a loaded machine makes slow
	r.eventually("all lines to be written or told to be missing", func() bool { return got.Load()+told.Load() >= 2_000_000 })
	if got.Load()+told.Load() != 2_000_000 || told.Load() != int64(n.Result().DroppedLines) || told.Load() == 0 {
		t.Errorf("%d lines and %d told to be missing, want 2000000 together", got.Load(), told.Load())
	}
}

func TestOutputHeldOpenByAStrangerDoesNotHoldUsUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, CgroupAuto, "echo ready; exec sleep 1000")
	n := r.startReady(r.far())
	w, err := os.OpenFile(procPath(n.PID(), "fd/1"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	n.Kill()
	n.Wait()
	if n.Result().Tail[0].Text != "ready" {
		t.Error("the tail is lost")
	}
}

func TestLinesAreCutAtTheLimitAndOnlyThere(t *testing.T) {
	s := splitter{stream: Stderr}
	long := strings.Repeat("a", lineLimit)
	var lines []Line
	for _, part := range []string{"on", "e\ntwo\n\n", long + "b\n", long + "\n", "rest"} {
		lines = append(lines, s.add([]byte(part), time.Time{})...)
	}
	lines = append(lines, s.flush(time.Time{})...)
	want := []Line{{Text: "one"}, {Text: "two"}, {Text: ""}, {Text: long, Cut: true}, {Text: "b"}, {Text: long}, {Text: "rest"}}
	for i := range want {
		want[i].Stream = Stderr
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%d lines, want %d", len(lines), len(want))
		for _, l := range lines {
			t.Logf("%d %v", len(l.Text), l.Cut)
		}
	}
}

func TestConsoleTellsTheJournalWhatALineIs(t *testing.T) {
	var b strings.Builder
	lines := []Line{{Stream: Stdout, Text: "out"}, {Stream: Stderr, Text: "err"}, {Stream: Notice, Text: "note"}}
	Sinks{Console{W: &b, Journal: true}, Console{W: &b}}.Lines(lines)
	if got, want := b.String(), "<6>out\n<5>err\n<4>note\nout\nerr\nnote\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func lines(texts ...string) []Line {
	var l []Line
	for _, t := range texts {
		l = append(l, Line{Text: t})
	}
	return l
}

func TestFileIsRotatedAndOnlySoManyAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.log")
	f, err := OpenFile(FileOptions{Path: path, MaxBytes: 8, Keep: 2, Mode: 0o600})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"1111", "2222", "3333", "4", "555555555555", "6"} {
		f.Lines(lines(s))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	all, _ := filepath.Glob(path + "*")
	for _, p := range all {
		b, _ := os.ReadFile(p)
		got[filepath.Base(p)] = string(b)
		if fi, _ := os.Stat(p); fi.Mode() != 0o600 {
			t.Errorf("%s has mode %v", p, fi.Mode())
		}
	}
	want := map[string]string{"node.log": "6\n", "node.log.1": "555555555555\n", "node.log.2": "3333\n4\n"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFileThatCannotBeWrittenWarnsOnceAndRecovers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "node.log")
	var log lockedBuffer
	f, err := OpenFile(FileOptions{Path: path, MaxBytes: 100, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no full device here: %v", err)
	}
	good := f.f
	f.f = full
	f.Lines(lines("a", "b"))
	f.Lines(lines("c"))
	f.f = good
	f.Lines(lines("d"))
	if got, want := log.String(), "no space left on device"; strings.Count(got, "level=WARN") != 1 || !strings.Contains(got, want) || !strings.Contains(got, "lost=3") {
		t.Errorf("log %s", got)
	}
	b, err := os.ReadFile(path)
	if want := "hotcold: about 3 lines of output were lost here\nd\n"; string(b) != want || err != nil {
		t.Errorf("file %q, want %q", b, want)
	}
}

func TestFileThatCannotBeOpenedIsAnError(t *testing.T) {
	if _, err := OpenFile(FileOptions{Path: "/no/such/dir/node.log"}); err == nil {
		t.Fatal("no error")
	} else if want := fs.ErrNotExist.Error(); !strings.Contains(err.Error(), "no such file") {
		t.Fatalf("got %v, want %s", err, want)
	}
}
