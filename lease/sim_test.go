package lease

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// tally is what was simulated.
type tally struct {
	seeds, starts, takeovers, refused int
	simulated                         time.Duration
	fault                             string
}

func (s *tally) add(w *world) {
	s.seeds++
	s.starts += w.starts
	s.takeovers += w.takeovers
	s.refused += w.refusedWrites
	s.simulated += w.now
}

const year = 365 * 24 * time.Hour

func (s tally) String() string {
	return fmt.Sprintf("%d seeds, %.4f simulated years, %d node starts, %d takeovers", s.seeds, float64(s.simulated)/float64(year), s.starts, s.takeovers)
}

// perMinute says how fast that was.
func (s tally) perMinute(took time.Duration) string {
	return fmt.Sprintf("%.4f years and %.0f takeovers per minute", float64(s.simulated)/float64(year)/took.Minutes(), float64(s.takeovers)/took.Minutes())
}

// sweep simulates each step-th seed, from a first one until it is told to stop or
// a sentence is broken.
func sweep(t *testing.T, from, step uint64, s setting, more func(tally, *world) bool) (sum tally) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		for seed := from; ; seed += step {
			w := simulate(seed, unbroken, s, false)
			sum.add(w)
			if w.fault != "" {
				trace := simulate(seed, unbroken, s, true).trace
				sum.fault = fmt.Sprintf("seed %d: %s\n%s", seed, w.fault, strings.Join(trace[max(0, len(trace)-80):], "\n"))
				t.Error(sum.fault)
			}
			if w.fault != "" || !more(sum, w) {
				return
			}
		}
	})
	return sum
}

// Goal: no two nodes are alive at once, no two agents may have traffic, no epoch
// is used twice, and a node runs again in time. Method: two to five agents run
// Holder.Run with wrong clocks, on a database that answers late, twice or never,
// fails over with and without its last writes, and splits; processes are stopped
// and killed, machines sleep, and guards are as late as they may be.
// HOTCOLD_SIM_SEEDS sets how many seeds are tried, HOTCOLD_SIM_FROM the first.
func TestNoTwoNodesAreAliveAtOnce(t *testing.T) {
	seeds, from := uint64(usualSeeds), uint64(0)
	if text := os.Getenv("HOTCOLD_SIM_SEEDS"); text != "" {
		seeds = must(strconv.ParseUint(text, 10, 64))
	}
	if text := os.Getenv("HOTCOLD_SIM_FROM"); text != "" {
		from = must(strconv.ParseUint(text, 10, 64))
	}
	lanes := uint64(runtime.GOMAXPROCS(0))
	for lane := range lanes {
		t.Run(fmt.Sprint("lane ", lane), func(t *testing.T) {
			t.Parallel()
			want := int((seeds + lanes - 1) / lanes)
			begun := clock.System().Now().Boot
			sum := sweep(t, from+lane, lanes, usual(), func(s tally, _ *world) bool { return s.seeds < want })
			if sum.starts < 3*sum.seeds && !t.Failed() {
				t.Errorf("only %v: nothing was tried", sum)
			}
			t.Logf("%v; %s", sum, sum.perMinute(clock.System().Now().Boot-begun))
		})
	}
}

func TestASeedReplaysToTheLetter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(40) {
			a, b := simulate(seed, unbroken, usual(), true), simulate(seed, unbroken, usual(), true)
			if !slices.Equal(a.trace, b.trace) || len(a.trace) < 20 {
				t.Fatalf("seed %d: two runs differ, or nothing happened", seed)
			}
		}
	})
}

// Where an assumption does not hold two nodes can be alive at once. The
// simulation shows that, says which assumption it was, and that what rests on
// other legs still stands: no node of an old epoch writes once a newer one was
// started, because it was locked out of the database; epochs grow, where the
// database did not fall apart; and a pause that the time of day shows ends
// traffic.
func TestABrokenAssumptionIsNamedAndFencingStillHolds(t *testing.T) {
	for _, may := range []assumption{pausedAndSeen, pausedUnseen, fastClock, deadGuard, unkillable, bothAcknowledge, incarnationComes} {
		t.Run(string(may), func(t *testing.T) {
			t.Parallel()
			s := usual()
			s.may = may
			overlaps, named := 0, 0
			sum := sweep(t, 0, 1, s, func(s tally, w *world) bool {
				if w.overlaps > 0 {
					overlaps += w.overlaps
					if w.assumed == string(may) {
						named++
					}
				}
				return s.seeds < 40
			})
			if overlaps == 0 || named == 0 {
				t.Errorf("%d overlaps in %v, named by %d seeds: is that an assumption at all?", overlaps, sum, named)
			}
			t.Logf("%v: %d overlaps, %d writes of old epochs refused", sum, overlaps, sum.refused)
		})
	}
}

// HOTCOLD_SIM=forever simulates until it is stopped (make sim).
func TestSimulateUntilStopped(t *testing.T) {
	if os.Getenv("HOTCOLD_SIM") != "forever" {
		t.Skip("make sim runs this until it is stopped")
	}
	simulateUntilStopped(t)
}
