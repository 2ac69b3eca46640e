package demo

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/witness"
)

func TestKeys(t *testing.T) {
	for _, c := range []struct {
		name  string
		reads []string
		want  string
	}{
		{"each letter is an action", []string{"kamftsprd?q"}, "kamftsprd?q"},
		{"capitals as well", []string{"KQ"}, "kq"},
		{"h asks for help, Ctrl-D quits", []string{"h\x04"}, "?q"},
		{"others are nothing", []string{"xyz 1\r\n\t\x7f"}, ""},
		{"letters with accents are nothing", []string{"\u00e9\u00f1k"}, "k"},
		{"cursor keys are nothing", []string{"\x1b[A\x1b[Dk"}, "k"},
		{"cursor keys of the other kind", []string{"\x1bOAk"}, "k"},
		{"function keys and modifiers", []string{"\x1b[15~\x1b[1;5Dk"}, "k"},
		{"a sequence cut in two", []string{"\x1b", "[", "1;5", "Dk"}, "k"},
		{"Alt and a letter", []string{"\x1bkm"}, "m"},
		{"Escape twice", []string{"\x1b\x1b[Dk"}, "k"},
		{"nothing", []string{""}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d decoder
			got := ""
			for _, r := range c.reads {
				for _, a := range d.decode([]byte(r)) {
					got += string(rune(a))
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// at is a run of the node, in seconds.
func at(instance string, epoch int64, start, last float64) witness.Life {
	return witness.Life{Instance: instance, Epoch: epoch, PID: int(10 * start), Start: span(start), Ready: span(start + 0.1), Last: span(last)}
}

func TestATurnIsJudgedByWhatWasDoneBefore(t *testing.T) {
	a, b := at("a", 1, 1, 10), at("b", 2, 11, 20)
	quick := []witness.Stall{{Last: span(10), Next: span(11.2)}}
	for _, c := range []struct {
		name    string
		lives   []witness.Life
		stalls  []witness.Stall
		deeds   []deed
		what    string
		unbound string
		held    bool
	}{
		{"within the bound", []witness.Life{a, b}, quick, []deed{{at: span(10), what: "killed"}}, "killed", "", true},
		{"beyond the bound", []witness.Life{a, b}, []witness.Stall{{Last: span(8), Next: span(11.2)}}, []deed{{at: span(10), what: "killed"}}, "killed", "", false},
		{"no node for too long", []witness.Life{at("a", 1, 1, 8), b}, nil, []deed{{at: span(8), what: "killed"}}, "killed", "", false},
		{"nobody did anything", []witness.Life{a, b}, quick, nil, unasked, unbidden, true},
		{"what came later does not count", []witness.Life{a, b}, quick, []deed{{at: span(12), what: "killed"}}, unasked, unbidden, true},
		{"the other one was not able", []witness.Life{a, b}, quick, []deed{{at: span(10), what: "killed", excuse: "b was down"}}, "killed", "b was down", true},
		{"an earlier excuse stays", []witness.Life{a, b}, quick, []deed{{at: span(9), what: "pause", excuse: "paused"}, {at: span(10), what: "killed"}}, "killed", "paused", true},
		{"a restart in place has no bound", []witness.Life{at("a", 1, 1, 5), at("a", 1, 11, 20)}, nil, []deed{{at: span(5), what: "killed"}}, "killed", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := turns(changes(c.lives), c.stalls, c.deeds, scene{bound: 1500 * time.Millisecond})
			if len(got) != 1 {
				t.Fatalf("%d turns", len(got))
			}
			if g := got[0]; g.what != c.what || g.unbound != c.unbound || g.held() != c.held {
				t.Errorf("got %q, %q, held %v; want %q, %q, %v", g.what, g.unbound, g.held(), c.what, c.unbound, c.held)
			}
		})
	}
}

func TestNoBoundCountsWhereTheDatabaseDidNotAnswerInTime(t *testing.T) {
	lives := []witness.Life{at("a", 1, 1, 10), at("b", 2, 15, 20)}
	deeds := []deed{{at: span(10), what: "killed"}}
	for _, c := range []struct {
		name string
		slow float64
		held bool
	}{
		{"while it mattered", 12, true},
		{"before", 9, false},
		{"after", 16, false},
	} {
		got := turns(changes(lives), nil, deeds, scene{bound: span(1), slow: []time.Duration{span(c.slow)}})
		if got[0].held() != c.held {
			t.Errorf("%s: held %v, %q", c.name, got[0].held(), got[0].unbound)
		}
	}
}

func TestASlowDatabaseIsSeenInWhatTheAgentsSay(t *testing.T) {
	well := view{answered: true}
	well.Database.Reachable = true
	failed, away, unclaimed := well, well, well
	failed.Counters.RenewalFailures = 1
	away.Database.Reachable = false
	unclaimed.Reasons = []string{"a claim did not succeed: no answer within 98ms"}
	for _, c := range []struct {
		name          string
		before, after view
		want          bool
	}{
		{"all is well", well, well, false},
		{"a renewal failed", well, failed, true},
		{"none since then", failed, failed, false},
		{"a new agent, of which nothing is known yet", view{}, failed, false},
		{"it answers no more", well, away, true},
		{"a claim had no answer", well, unclaimed, true},
	} {
		if got := c.after.slow(c.before); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestADeedExplainsOneTurnOnly(t *testing.T) {
	lives := []witness.Life{at("a", 1, 1, 10), at("b", 2, 11, 20), at("a", 3, 21, 30)}
	got := turns(changes(lives), nil, []deed{{at: span(10), what: "killed", excuse: "paused"}}, scene{})
	if got[0].what != "killed" || got[1].what != unasked {
		t.Errorf("got %q, then %q", got[0].what, got[1].what)
	}
}

func TestTheNodesOwnStartIsPartOfTheBound(t *testing.T) {
	lives := []witness.Life{at("a", 1, 1, 10), at("b", 2, 11, 20)}
	for _, c := range []struct {
		name     string
		measured time.Duration
		want     time.Duration
	}{
		{"as the agent measured it", span(0.5), span(2.0)},
		{"as the node's record tells it, where that is longer", span(0.01), span(1.6)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := turns(changes(lives), nil, nil, scene{bound: span(1.5), starts: map[int]time.Duration{110: c.measured}})
			if got[0].bound != c.want {
				t.Errorf("got %v, want %v", got[0].bound, c.want)
			}
		})
	}
}

func TestTheReportSaysWhatDidNotHold(t *testing.T) {
	late := turn{what: "killed", from: at("a", 1, 1, 10), to: at("b", 2, 15, 20), dark: span(5), bound: span(1)}
	for _, c := range []struct {
		name   string
		found  witness.Report
		turns  []turn
		failed []string
		want   string
	}{
		{"nothing wrong", witness.Report{Acked: 5}, nil, nil, ""},
		{"a lost write", witness.Report{Acked: 5, Lost: []witness.Loss{{ID: "x"}}}, nil, nil, "1 acknowledged writes are lost"},
		{"two at once", witness.Report{Acked: 5, Overlaps: []witness.Overlap{{}}}, nil, nil, "were alive at once"},
		{"a late takeover", witness.Report{Acked: 5}, []turn{late}, nil, "took 5.00 s, more than the bound of 1.00 s"},
		{"something that did not come", witness.Report{Acked: 5}, nil, []string{"waited in vain"}, "waited in vain"},
		{"a client that never got through", witness.Report{}, nil, nil, "not one write was acknowledged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := conclude(c.found, c.turns, c.failed, 0)
			if got := strings.Join(r.Faults, "; "); r.Held != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("held %v, faults %q, want %q", r.Held, got, c.want)
			}
		})
	}
}

func TestTheProcessTableIsRead(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       proc
		ok         bool
	}{
		{"a plain line", "7 (sh) S 3 7 7", proc{pid: 7, parent: 3, state: "S"}, true},
		{"a name that is made to deceive", "7 (a) Z 1 (b) R 3 7", proc{pid: 7, parent: 3, state: "R"}, true},
		{"a zombie", "7 (sh) Z 1 7", proc{pid: 7, parent: 1, state: "Z"}, true},
		{"an empty file", "", proc{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, ok := parseStat(7, c.text); ok != c.ok || ok && got != c.want {
				t.Errorf("got %+v, %v", got, ok)
			}
		})
	}
	table := []proc{{2, 1, "S"}, {3, 2, "S"}, {4, 3, "S"}, {5, 3, "Z"}, {6, 1, "S"}}
	if got := descendants(table, 2); !slices.Equal(got, []int{3, 4}) {
		t.Errorf("descendants: %v", got)
	}
}

func TestLocksAreReadFromTheKernelsTable(t *testing.T) {
	const table = "1: POSIX  ADVISORY  WRITE 12 fe:00:4711 1073741824 1073742335\n1: -> POSIX  ADVISORY  READ 13 fe:00:4711 0 EOF\n2: FLOCK  ADVISORY  WRITE 14 fe:00:99 0 EOF\n"
	for _, c := range []struct {
		name  string
		pid   int
		inode uint64
		want  bool
	}{
		{"it holds one", 12, 4711, true},
		{"it waits for one", 13, 4711, false},
		{"on another file", 14, 4711, false},
		{"a part of the number is no match", 12, 711, false},
	} {
		if got := holdsLock(table, c.pid, c.inode); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestLongTalkIsWrappedAtSpaces(t *testing.T) {
	const text = "machine-a starts its node again because it ended"
	for _, c := range []struct {
		name  string
		text  string
		width int
		want  []string
	}{
		{"no width is known", text, -10, []string{text}},
		{"it fits", text, 60, []string{text}},
		{"it does not", text, 30, []string{"machine-a starts its node", "again because it ended"}},
		{"a long path stays whole", "/" + strings.Repeat("x", 50), 30, []string{"/" + strings.Repeat("x", 50)}},
	} {
		if got := wrap(c.text, c.width); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}
