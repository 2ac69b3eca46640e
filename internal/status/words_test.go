package status_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/status"
)

func TestSpanHasTheTwoUnitsThatMatter(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0 ms"},
		{340 * time.Millisecond, "340 ms"},
		{999*time.Millisecond + 600*time.Microsecond, "1 s"},
		{1240 * time.Millisecond, "1.2 s"},
		{9960 * time.Millisecond, "10 s"},
		{48 * time.Second, "48 s"},
		{59*time.Second + 700*time.Millisecond, "1 min"},
		{192 * time.Second, "3 min 12 s"},
		{2*time.Hour + 5*time.Minute + 9*time.Second, "2 h 5 min"},
		{76 * time.Hour, "3 d 4 h"},
		{48 * time.Hour, "2 d"},
		{-3 * time.Second, "-3 s"},
	} {
		if got := status.Span(c.d); got != c.want {
			t.Errorf("%v: %q, want %q", c.d, got, c.want)
		}
	}
}

func TestWordsFromElsewhereCannotSteerATerminal(t *testing.T) {
	o := status.Overview{Lease: "a\x1b]0;owned\x07\nb\u202e\xff", Database: "B\u00e4nk"}
	var b strings.Builder
	if err := status.WriteTable(&b, o, status.Style{}); err != nil {
		t.Fatal(err)
	}
	want := `lease      a\x1b]0;owned\a b\u202e\ufffd in ` + "B\u00e4nk"
	if got, _, _ := strings.Cut(b.String(), "\n"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAgoOfAClockThatIsAheadIsNow(t *testing.T) {
	if got := status.Ago(-time.Second); got != "now" {
		t.Errorf("got %q", got)
	}
	if got := status.Ago(192 * time.Second); got != "3 min 12 s ago" {
		t.Errorf("got %q", got)
	}
}
