package lease

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// simWaits is how many wait intervals a seed lasts.
const simWaits = 15

func simulate(seed uint64, m mutant, tracing bool) *world {
	w := newWorld(seed, m, tracing)
	w.run(simWaits * max(w.timing.Wait, w.timing.Trust))
	return w
}

// Goal: no two nodes are alive at once, and epochs only grow. Method: agents
// with wrong clocks on a database that answers late, twice or never, fails over
// with and without its last writes, and splits; processes that are stopped and
// killed, with a guard that is as late as it may be. HOTCOLD_SIM_SEEDS sets how
// many are tried.
func TestNoTwoNodesAreAliveAtOnce(t *testing.T) {
	seeds := uint64(2500)
	if text := os.Getenv("HOTCOLD_SIM_SEEDS"); text != "" {
		seeds = must(strconv.ParseUint(text, 10, 64))
	}
	starts := 0
	for seed := range seeds {
		w := simulate(seed, "", false)
		starts += w.starts
		if w.fault != "" {
			trace := simulate(seed, "", true).trace
			t.Fatalf("seed %d: %s\n%s", seed, w.fault, strings.Join(trace[max(0, len(trace)-60):], "\n"))
		}
	}
	if starts < 4*int(seeds) {
		t.Fatalf("only %d nodes were started by %d seeds: nothing was tried", starts, seeds)
	}
	t.Logf("%d nodes were started by %d seeds", starts, seeds)
}

func TestASeedReplaysToTheLetter(t *testing.T) {
	for seed := range uint64(20) {
		if a, b := simulate(seed, "", true), simulate(seed, "", true); !slices.Equal(a.trace, b.trace) || len(a.trace) < 20 {
			t.Fatalf("seed %d: two runs differ, or nothing happened", seed)
		}
	}
}

// A check that cannot fail proves nothing: each rule is broken once, and the
// same simulation has to see two nodes.
func TestEachBrokenRuleIsFound(t *testing.T) {
	for _, broken := range []struct {
		rule mutant
		from uint64 // the first seed that is tried, where few would do
	}{
		{"anchor at the answer", 0},
		{"wait just above update", 0},
		{"kill time left out", 0},
		{"slack left out", 0},
		{"incarnation ignored", 0},
		{"unknown taken as renewed", 0},
		{"a row read back gives trust", 0},
		{"a claim read back is believed", 0},
		{"a row of another database is released", 100},
		{"a row of another database is written anew to release it", 6300},
		{"wait counted from the question", 100},
		{"released before seen dead", 0},
	} {
		t.Run(string(broken.rule), func(t *testing.T) {
			for seed := broken.from; seed < broken.from+5000; seed++ {
				if w := simulate(seed, broken.rule, false); strings.HasPrefix(w.fault, "two nodes alive") {
					t.Logf("seed %d: %s", seed, w.fault)
					return
				}
			}
			t.Fatal("the simulation does not notice")
		})
	}
}
