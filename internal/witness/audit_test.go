package witness

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

func TestSIGKILLLeavesARecordThatReachesToTheLastWrite(t *testing.T) {
	s := newScene(t)
	before := clock.System().Now().Boot
	a := s.start("A", 3)
	writing := clock.System().Now().Boot
	a.write("one")
	if l := s.lives()[0]; !l.Alive || l.Ended {
		t.Fatalf("while it runs: %+v", l)
	}
	a.kill()
	dead := clock.System().Now().Boot
	l := s.lives()[0]
	if l.Alive || l.Ended || l.Instance != "A" || l.Epoch != 3 || l.PID != a.cmd.Process.Pid || l.Writes != 1 {
		t.Errorf("got %+v", l)
	}
	if l.Start < before || l.Ready < l.Start || l.Last < writing || l.Last > dead {
		t.Errorf("began %v, ready %v, wrote %v, last %v, dead %v", l.Start, l.Ready, writing, l.Last, dead)
	}
}

func TestAHandOverInOrderIsFaultlessAndMeasured(t *testing.T) {
	s := newScene(t)
	a := s.start("A", 1)
	a.write("one")
	a.signal(syscall.SIGTERM)
	a.end()
	b := s.start("B", 2, "--slow-start", "20ms")
	b.write("two")
	b.kill()
	s.start("B", 3).kill()
	r := s.audit("one", "two")
	faultless(t, r)
	if len(r.Changes) != 2 || !r.Changes[0].Moved() || r.Changes[1].Moved() {
		t.Fatalf("got %+v", r.Changes)
	}
	c := r.Changes[0]
	if c.Dark <= 0 || c.Unserved < c.Dark+20*time.Millisecond || c.Dark != r.Lives[1].Start-r.Lives[0].Last {
		t.Fatalf("dark %v, unserved %v", c.Dark, c.Unserved)
	}
}

func TestTheAuditFindsTwoAliveAtOnce(t *testing.T) {
	s := newScene(t)
	a := s.start("A", 1)
	b := s.start("B", 2)
	both := clock.System().Now().Boot
	a.write("one")
	b.write("two")
	a.write("three") // under the old epoch
	apart := clock.System().Now().Boot
	a.kill()
	b.kill()
	r := s.audit("one", "two", "three")
	faulty(t, r, "were alive at once for")
	faulty(t, r, "epochs go backwards in the journal, 1 times, first with three of epoch 1 after two of epoch 2")
	if r.TwoAlive < apart-both || len(r.Overlaps) != 1 || r.Overlaps[0].Shared != r.TwoAlive || !r.Overlaps[0].Met {
		t.Fatalf("two alive for %v, were for %v at least: %+v", r.TwoAlive, apart-both, r.Overlaps)
	}
}

// A node that is frozen before the other one starts, and killed without ever
// running again, beats no more while both are there. Its lock tells on it.
func TestTheAuditFindsAFrozenNodeBesideALivingOne(t *testing.T) {
	s := newScene(t)
	a := s.start("A", 1)
	a.freeze()
	b := s.start("B", 2)
	r := s.audit()
	faulty(t, r, "were alive at once for") // it is alive at this moment
	a.kill()
	b.kill()
	r = s.audit()
	faulty(t, r, "were alive at once when the later one started")
}

func TestTheAuditFindsAChildThatOutlivesItsNode(t *testing.T) {
	for _, arg := range []string{"", " session"} {
		s := newScene(t)
		a := s.start("A", 1)
		pid, err := strconv.Atoi(strings.TrimPrefix(a.ask(a.rpc, "harm orphan"+arg)[0], "ok "))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
		ctx := within(t, patience)
		for len(s.lives()) < 2 {
			if ctx.Err() != nil {
				t.Fatal("the child does not live")
			}
		}
		a.signal(syscall.SIGTERM)
		a.end()
		faultless(t, s.audit()) // parent and child belong together
		syscall.Kill(pid, syscall.SIGTERM)
		b := s.start("B", 2)
		faulty(t, s.audit(), fmt.Sprintf("A (epoch 1, pid %d) and B (epoch 2, pid %d) were alive at once", pid, b.cmd.Process.Pid))
	}
}

func TestTheAuditFindsAWriteThatIsLost(t *testing.T) {
	s := newScene(t)
	a := s.start("A", 1)
	a.write("one", "two", "three")
	a.kill()
	if _, err := s.db.Exec(`DELETE FROM witness_write WHERE id = 'two'`); err != nil {
		t.Fatal(err)
	}
	r := s.audit("one", "two", "three", "four")
	faulty(t, r, "2 acknowledged writes are lost, the first of them two")
	if r.Lost[0] != (Loss{"two", true, false}) || r.Lost[1] != (Loss{"four", false, false}) {
		t.Fatalf("got %+v", r.Lost)
	}
}

func TestTheAuditFindsAWriteDoneTwice(t *testing.T) {
	s := newScene(t)
	a, b := s.start("A", 1), s.start("B", 1)
	a.write("one")
	b.write("one") // it had read the journal before
	a.kill()
	b.kill()
	r := s.audit("one")
	faulty(t, r, "1 writes are in the journal twice, the first of them one")
	faulty(t, r, "A and B both wrote under epoch 1")
}

func TestTheAuditSaysWhenItCannotRead(t *testing.T) {
	s := newScene(t)
	if err := os.MkdirAll(s.records, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.records+"/x"+recordSuffix, make([]byte, recordSizeBytes), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Audit(t.Context(), Evidence{Records: s.records, Journal: s.journal, DB: s.db, Clock: clock.System()})
	if err == nil || !strings.Contains(err.Error(), "not the record of a witness") {
		t.Fatalf("got %v", err)
	}
}

func life(instance string, epoch int64, start, last time.Duration) Life {
	return Life{Instance: instance, Epoch: epoch, PID: int(start), Start: start, Last: last, Family: start}
}

func TestJudgeMeasuresTheTimeInWhichTwoWereAlive(t *testing.T) {
	child := life("A", 1, 15, 40)
	child.Family = 10
	meets := life("B", 2, 30, 40)
	meets.Met = []LifeID{{10, 10}}
	other := life("C", 4, 12, 100)
	other.Boot = "another boot"
	cases := []struct {
		name  string
		lives []Life
		pairs int
		two   time.Duration
		dark  []time.Duration
	}{
		{"one after the other", []Life{life("A", 1, 10, 20), life("B", 2, 25, 30)}, 0, 0, []time.Duration{5}},
		{"one ends as the other starts", []Life{life("A", 1, 10, 20), life("B", 2, 20, 30)}, 0, 0, []time.Duration{0}},
		{"one within the other", []Life{life("A", 1, 10, 50), life("B", 2, 20, 30)}, 1, 10, []time.Duration{0}},
		{"an end for an instant", []Life{life("A", 1, 10, 21), life("B", 2, 20, 30)}, 1, 1, []time.Duration{0}},
		{"three at once count once", []Life{life("A", 1, 10, 40), life("B", 2, 20, 40), life("C", 3, 30, 40)}, 3, 20, []time.Duration{0, 0}},
		{"darkness after the last of two", []Life{life("A", 1, 10, 50), life("B", 2, 20, 30), life("C", 3, 60, 70)}, 1, 10, []time.Duration{0, 10}},
		{"parent and child", []Life{life("A", 1, 10, 20), child, life("B", 2, 45, 50)}, 0, 0, []time.Duration{5}},
		{"a child and the next", []Life{life("A", 1, 10, 20), child, life("B", 2, 30, 50)}, 1, 10, []time.Duration{0}},
		{"a frozen one that was met", []Life{life("A", 1, 10, 20), meets}, 1, 0, []time.Duration{0}},
		{"another boot", []Life{life("A", 1, 10, 20), other}, 0, 0, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := judge(c.lives, newLedger(), nil, nil)
			var dark []time.Duration
			for _, ch := range r.Changes {
				dark = append(dark, ch.Dark)
			}
			if len(r.Overlaps) != c.pairs || r.TwoAlive != c.two || fmt.Sprint(dark) != fmt.Sprint(c.dark) {
				t.Fatalf("got %d pairs, two for %d, dark %d", len(r.Overlaps), r.TwoAlive, dark)
			}
			if (len(r.Faults()) == 0) != (c.pairs == 0) {
				t.Fatalf("faults: %q", r.Faults())
			}
		})
	}
}

func TestJudgeFindsAnEpochThatGoesBackwards(t *testing.T) {
	r := judge([]Life{life("A", 5, 10, 20), life("B", 4, 25, 30)}, newLedger(), nil, nil)
	faulty(t, r, "B (epoch 4, pid 25) started after A (epoch 5, pid 10)")
}

func TestAJournalLineIsWholeOrTorn(t *testing.T) {
	e := entry{12, "A", 71, "c-1"}
	line := strings.TrimSuffix(e.line(), "\n")
	if got, ok := parseEntry(line); !ok || got != e {
		t.Fatalf("%q: %+v %v", line, got, ok)
	}
	for i := range line {
		if _, ok := parseEntry(line[:i]); ok {
			t.Errorf("the first %d bytes pass for a line", i)
		}
		broken := []byte(line)
		broken[i] ^= 1
		if _, ok := parseEntry(string(broken)); ok {
			t.Errorf("%q passes for a line", broken)
		}
	}
}
