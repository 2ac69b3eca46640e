package cli

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/hocon"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
)

// accessed waits until a file has a line that holds a text.
func accessed(t *testing.T, file, text string) {
	t.Helper()
	c := clock.System()
	for end := c.Now().Boot + time.Minute; ; {
		got, _ := os.ReadFile(file) // it may not be there yet
		if strings.Contains(string(got), text) {
			return
		}
		if c.Now().Boot > end {
			t.Fatalf("%s has no %q: %q", file, text, got)
		}
		if err := clock.Wait(t.Context(), c, time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheAccessLogGoesOnInANewFileAfterARotation(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.log")
	l, err := openAccessLog(file, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	over := make(chan struct{})
	go func() { defer close(over); l.run(ctx) }()
	at := clock.Reading{Wall: time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)}
	client := netip.MustParseAddrPort("[fd00::1]:4000")
	l.tell(at, gone{Rule: "p2p", Client: client, Machine: "machine-a", Epoch: 7, In: 1, Out: 2, Age: 1500 * time.Millisecond, End: "cut"})
	accessed(t, file, "2026-11-25T03:00:00.000Z rule=p2p client=[fd00::1]:4000 machine=machine-a epoch=7 in=1 out=2 seconds=1.500 waited=0.000 end=cut\n")
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	l.tell(at, gone{Rule: "before", Client: client, End: "left"})
	l.reopen()
	accessed(t, file+".1", "rule=before client=[fd00::1]:4000 machine=- ")
	for created := false; !created; _, err = os.Stat(file) {
		created = err == nil
		if err := clock.Wait(t.Context(), clock.System(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	l.tell(at, gone{Rule: "after", Client: client, End: "ended"})
	end()
	<-over
	accessed(t, file, "rule=after ")
}

func TestWithoutAnAccessLogNothingIsKept(t *testing.T) {
	l, err := openAccessLog("", nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l.tell(clock.Reading{}, gone{})
	if len(l.lines) != 0 {
		t.Error("a line waits for nobody")
	}
	if _, err := openAccessLog(filepath.Join(t.TempDir(), "no", "such", "directory"), nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a file that cannot be opened is taken")
	}
}

func TestAFileIsReadWhenItHasSettledAndNotWhileItIsGone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hotcold.conf")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a")
	more := filepath.Join(t.TempDir(), "more.conf")
	w := newFileWatch(&config.Config{File: file, Files: []string{file, more}})
	see := func(want bool, when string) {
		t.Helper()
		if w.changed() != want {
			t.Errorf("%s: changed is %v", when, !want)
		}
	}
	see(false, "at first")
	write("half")
	see(false, "while it is written")
	write("the whole")
	see(false, "while it is written on")
	see(true, "once it has settled")
	see(false, "once it was read")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	see(false, "while it is gone")
	see(false, "while it stays away")
	write("a new one")
	see(false, "when it comes back")
	see(true, "when it has settled again")
	if err := os.WriteFile(more, []byte("b"), 0o600); err != nil {
		t.Fatal(err)
	}
	see(false, "when a file that may be included appears")
	see(true, "when that has settled")
	mended := filepath.Join(t.TempDir(), "mended.conf")
	w.also(hocon.Errors{{Pos: hocon.Pos{File: mended}}})
	see(false, "while a faulty file is as it was")
	if err := os.WriteFile(mended, []byte("c"), 0o600); err != nil {
		t.Fatal(err)
	}
	see(false, "when it is mended")
	see(true, "when it is mended and has settled")
}
