package doctest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/lease"
)

// The table of worked examples begins with a column without a name.
func TestWorkedExamplesOfTheInequalityAreWhatIsComputed(t *testing.T) {
	rows := readPage(t, "docs/lease.md").table(t, "")
	if len(rows) < 3 {
		t.Fatalf("want three worked examples, got %v", rows)
	}
	for _, cells := range rows {
		s := lease.Settings{Update: span(t, cells[1]), Wait: span(t, cells[2])}
		c, err := s.Timing()
		if err != nil {
			t.Fatalf("%s: %v", cells[0], err)
		}
		want := []string{cells[0], short(c.Update), short(c.Wait), short(c.Fence), short(c.Attempt), short(c.Slack), short(c.Trust),
			"s + " + short(c.Trust-c.Fence), "s + " + short(c.Trust), fmt.Sprint(c.Spare), short(c.Takeover().Round(time.Millisecond))}
		if !slices.Equal(cells, want) {
			t.Errorf("computed\n%q\nand docs/lease.md says\n%q", want, cells)
		}
	}
}

// short writes a span as the page does: 300 ms, 1.32 s, 40 s.
func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%v s", float64(d.Milliseconds())/1000)
}

func span(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return d
}
