package probe

import "testing"

func TestThresholdCountsOnlyLooksInARow(t *testing.T) {
	cases := []struct {
		name      string
		threshold Threshold
		start     bool
		looks     string // + well, - not
		want      string // belief after each look
	}{
		{"one failure is enough when one is asked for", Threshold{1, 1}, true, "-+-", "-+-"},
		{"three failures in a row", Threshold{3, 1}, true, "---", "++-"},
		{"a success in between starts the count anew", Threshold{3, 1}, true, "--+--+---", "++++++++-"},
		{"two successes in a row", Threshold{1, 2}, false, "+-++", "---+"},
		{"a failure while unwell changes nothing", Threshold{2, 2}, false, "--++--", "---++-"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h, got := Health{Well: c.start}, ""
			for _, look := range c.looks {
				before := h.Well
				next, changed := c.threshold.Next(h, look == '+')
				if changed != (next.Well != before) {
					t.Fatalf("after %q: changed=%v, belief %v to %v", got, changed, before, next.Well)
				}
				h = next
				got += map[bool]string{true: "+", false: "-"}[h.Well]
			}
			if got != c.want {
				t.Fatalf("looks %s from %v: got %s, want %s", c.looks, c.start, got, c.want)
			}
		})
	}
}

func TestNothingIsBelievedUntilOneSuccessOrEnoughFailures(t *testing.T) {
	limits := Threshold{Failures: 2, Successes: 3}
	unknown := Health{Unknown: true}
	if h, changed := limits.Next(unknown, true); !changed || h != (Health{Well: true}) {
		t.Fatalf("after a success: %+v, changed %v", h, changed)
	}
	h, changed := limits.Next(unknown, false)
	if changed || h != (Health{Unknown: true, Against: 1}) {
		t.Fatalf("after one failure: %+v, changed %v", h, changed)
	}
	if h, changed := limits.Next(h, false); !changed || h != (Health{}) {
		t.Fatalf("after two failures: %+v, changed %v", h, changed)
	}
}
