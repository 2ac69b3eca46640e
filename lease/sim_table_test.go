package lease

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

// design is the page that has the table of broken rules. The table and the
// traces in it are written by this file (make sim-table) and held by it.
const design = "../docs/design/lease.md"

// budget is how many seeds a breach may take to be found.
const budget = 3000

// killing is a seed that finds a breach, and the sentence that it breaks.
type killing struct {
	seed  uint64
	fault string
}

// first searches for the first seed that finds b.
func (b brokenRule) first() (killing, bool) {
	for seed := range uint64(budget) {
		if w := simulate(seed, b.breach, b.setting(), false); w.fault != "" {
			return killing{seed, w.fault}, true
		}
	}
	return killing{}, false
}

func (b brokenRule) row(k killing) string {
	return fmt.Sprintf("| %d | %s | %s | %d |", b.rule, b.name, k.fault, k.seed+1)
}

// A check that cannot fail proves nothing: each rule is broken once, and the
// same simulation has to see which sentence breaks. Which seed does is known
// from the table, where make sim-table found it by trying them from zero.
func TestEachBrokenRuleIsFound(t *testing.T) {
	t.Parallel()
	if os.Getenv("HOTCOLD_SIM") == "table" {
		writeTable(t)
	}
	page := string(must(os.ReadFile(design)))
	for _, b := range breaches() {
		t.Run(b.name, func(t *testing.T) {
			line := regexp.MustCompile(`(?m)^\| \d+ \| ` + regexp.QuoteMeta(b.name) + ` \| .* \| (\d+) \|$`).FindStringSubmatch(page)
			if line == nil {
				t.Fatalf("%s has no row of this breach: make sim-table", design)
			}
			seed := must(strconv.ParseUint(line[1], 10, 64)) - 1
			synctest.Test(t, func(t *testing.T) {
				if seed >= budget {
					t.Fatalf("%d seeds are too many", seed+1)
				}
				w := simulate(seed, b.breach, b.setting(), false)
				if got := b.row(killing{seed, w.fault}); w.fault == "" || got != line[0] {
					t.Fatalf("now it is\n%s\nand was\n%s\nmake sim-table", got, line[0])
				}
				t.Logf("%s", line[0])
			})
		})
	}
}

// The traces in the page are what these seeds do.
func TestTheTracesOfTheDesignAreWhatTheSimulationDoes(t *testing.T) {
	t.Parallel()
	page := string(must(os.ReadFile(design)))
	synctest.Test(t, func(t *testing.T) {
		found := traceBlock.FindAllStringSubmatch(page, -1)
		if len(found) < len(told()) {
			t.Fatalf("%d traces in %s, want %d", len(found), design, len(told()))
		}
		for _, block := range found {
			b, ok := named(block[1])
			if !ok {
				t.Fatalf("there is no breach %q", block[1])
			}
			w := simulate(must(strconv.ParseUint(block[2], 10, 64)), b.breach, b.setting(), true)
			if got := timeline(w); got != block[3] {
				t.Errorf("%s: now it is\n%s\nmake sim-table", block[1], got)
			}
		}
	})
}

// told are the breaches whose story the page tells.
func told() []breach {
	return []breach{anchorAtAnswer, noGuard, killTimeLeftOut, quickElsewhere, releasedElsewhere, restartBelieved}
}

func named(name string) (brokenRule, bool) {
	for _, b := range breaches() {
		if b.name == name {
			return b, true
		}
	}
	return brokenRule{}, false
}

var traceBlock = regexp.MustCompile("(?m)^\\*\\*(.+)\\*\\*, seed (\\d+)\\.\n\n```text\n((?:[^`]*\n))```$")

// timelineLines is what a reader can follow.
const timelineLines = 14

// timeline is the end of a trace, up to the sentence that was looked for.
func timeline(w *world) string {
	var lines []string
	for _, line := range w.trace {
		_, broken, is := strings.Cut(line, "BROKEN: ")
		if is && broken != w.fault {
			continue
		}
		lines = append(lines, line+"\n")
		if is {
			break
		}
	}
	return strings.Join(lines[max(0, len(lines)-timelineLines):], "")
}

// shortest searches for the world in which least happens until b is found.
func (b brokenRule) shortest(from uint64) (uint64, *world) {
	var best *world
	var at uint64
	for seed := from; seed < from+300; seed++ {
		w := simulate(seed, b.breach, b.setting(), true)
		if w.fault != "" && (best == nil || len(w.trace) < len(best.trace)) {
			best, at = w, seed
		}
	}
	return at, best
}

// writeTable searches anew and puts what it finds into the page.
func writeTable(t *testing.T) {
	page := string(must(os.ReadFile(design)))
	var rows, stories strings.Builder
	rows.WriteString("| rule | broken so | the sentence that breaks | seeds needed |\n|---|---|---|---|\n")
	synctest.Test(t, func(t *testing.T) {
		for _, b := range breaches() {
			k, ok := b.first()
			if !ok {
				t.Errorf("%q is not found by %d seeds", b.name, budget)
				continue
			}
			rows.WriteString(b.row(k) + "\n")
			t.Log(b.row(k))
			for _, tell := range told() {
				if b.breach == tell {
					seed, w := b.shortest(k.seed)
					fmt.Fprintf(&stories, "**%s**, seed %d.\n\n```text\n%s```\n\n", b.name, seed, timeline(w))
				}
			}
		}
	})
	page = between(page, "table", rows.String())
	page = between(page, "traces", stories.String())
	if err := os.WriteFile(design, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}

// between replaces what stands between two marks of the page.
func between(page, mark, text string) string {
	begin, end := "<!-- "+mark+": make sim-table -->\n", "<!-- end of "+mark+" -->\n"
	before, rest, ok := strings.Cut(page, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		panic("the page has lost its marks: " + mark)
	}
	return before + begin + "\n" + strings.TrimSpace(text) + "\n\n" + end + after
}
