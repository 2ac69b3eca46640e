package probe

import "fmt"

// Threshold says how many looks in a row change what is believed of a node.
type Threshold struct {
	// Failures in a row make a well node unwell. At least 1.
	Failures int
	// Successes in a row make an unwell node well. At least 1.
	Successes int
}

func (t Threshold) check() error {
	if t.Failures < 1 || t.Successes < 1 {
		return fmt.Errorf("threshold of %d failures and %d successes: each has to be 1 or more", t.Failures, t.Successes)
	}
	return nil
}

// Health is what is believed of a node, and how much speaks against it.
type Health struct {
	// Well is the belief.
	Well bool
	// Unknown: nothing is believed yet, and Well is false. One success makes the node well; for unwell it takes as
	// many failures as ever.
	Unknown bool
	// Against counts the looks in a row that contradict the belief.
	Against int
}

// Next takes one look into account and tells whether the belief changed.
func (t Threshold) Next(h Health, well bool) (next Health, changed bool) {
	if h.Unknown && well {
		return Health{Well: true}, true
	}
	if well == h.Well && !h.Unknown {
		return Health{Well: h.Well}, false
	}
	limit := t.Failures
	if well {
		limit = t.Successes
	}
	h.Against++
	if h.Against < limit {
		return h, false
	}
	return Health{Well: well}, true
}
