package clone_test

import (
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clone"
)

func TestSinceWhenTwoMachinesDiffer(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 3, 2, 3, minute, 0, 0, time.UTC) }
	has := func(sha string) clone.Manifest {
		if sha == "" {
			return clone.Manifest{}
		}
		return clone.Manifest{Entries: []clone.Entry{{Path: "x", SHA256: sha}}}
	}
	for name, c := range map[string]struct {
		told []clone.Told
		want time.Time
	}{
		"nothing told":             {nil, time.Time{}},
		"one machine told":         {[]clone.Told{{at(1), true, has("a")}}, time.Time{}},
		"alike":                    {[]clone.Told{{at(1), true, has("a")}, {at(2), false, has("a")}}, time.Time{}},
		"ever since both told":     {[]clone.Told{{at(1), true, has("a")}, {at(2), false, has("b")}, {at(3), false, has("c")}}, at(2)},
		"missing on one":           {[]clone.Told{{at(1), true, has("a")}, {at(2), false, has("")}}, at(2)},
		"alike in between":         {[]clone.Told{{at(1), true, has("a")}, {at(2), false, has("b")}, {at(3), true, has("b")}, {at(4), true, has("c")}}, at(4)},
		"they differed, no longer": {[]clone.Told{{at(1), true, has("a")}, {at(2), false, has("b")}, {at(3), true, has("b")}}, time.Time{}},
	} {
		if got := clone.Since(c.told, "x"); !got.Equal(c.want) {
			t.Errorf("%s: since %v, want %v", name, got, c.want)
		}
	}
}
