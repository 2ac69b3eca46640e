package status_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/status"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/notice"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// cest is a zone that does not depend on the machine that runs the test.
var cest = time.FixedZone("CEST", 2*60*60)

const onA, onB = "machine-a:/opt/corda", "machine-b:/opt/corda"

func timing(t *testing.T) lease.Timing {
	t.Helper()
	tm, err := lease.Default().Timing()
	if err != nil {
		t.Fatal(err)
	}
	return tm
}

// row is the lease as machine A holds it, renewed that long before noon.
func row(t *testing.T, age time.Duration) lease.Observation {
	t.Helper()
	tm := timing(t)
	return lease.Observation{Exists: true, Incarnation: "7301/3", WrittenAt: noon.Add(-age), Age: age,
		Record: lease.Record{Name: "corda-node", Holder: onA, Nonce: "n1", Epoch: 7, Version: 312, Incarnation: "7301/3",
			Update: tm.Update, Wait: tm.Wait, Trust: tm.Trust, Fence: tm.Fence}}
}

// word is an agent's row, written that long before noon.
func word(t *testing.T, s agent.Snapshot, nonce string, age time.Duration) notice.Instance {
	t.Helper()
	document, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return notice.Instance{Lease: s.Lease, ID: s.Instance, Machine: s.Machine, Nonce: nonce, Boot: "boot-" + s.Machine,
		State: string(s.State), Document: document, WrittenAt: noon.Add(-age), Age: age}
}

func changed(s agent.Snapshot, f func(*agent.Snapshot)) agent.Snapshot {
	f(&s)
	return s
}

// pair is a healthy pair at noon.
func pair(t *testing.T) status.Facts {
	t.Helper()
	return status.Facts{Lease: "corda-node", Database: "postgres db1:5432/corda", Timing: timing(t), AnnounceEvery: 5 * time.Second,
		Observation: row(t, 1200*time.Millisecond),
		Instances: []notice.Instance{
			word(t, hotSnapshot(clock.NewStepped().Now()), "n1", 3*time.Second),
			word(t, coldSnapshot(), "n2", 2*time.Second),
		}}
}

// pairs are the situations that a person can meet; each has two golden files.
func pairs(t *testing.T) map[string]status.Facts {
	t.Helper()
	all := map[string]status.Facts{}
	add := func(name string, change func(*status.Facts)) {
		f := pair(t)
		change(&f)
		all[name] = f
	}
	hot, cold := hotSnapshot(clock.NewStepped().Now()), coldSnapshot()
	add("healthy", func(*status.Facts) {})
	add("never", func(f *status.Facts) {
		f.Observation = lease.Observation{Record: lease.Record{Name: "corda-node"}, Incarnation: "7301/3"}
		f.Instances = nil
	})
	add("unannounced", func(f *status.Facts) { f.Instances = nil })
	add("late", func(f *status.Facts) { f.Observation = row(t, 4*time.Second) })
	add("due", func(f *status.Facts) {
		f.Observation = row(t, 14*time.Second)
		f.Instances[0] = word(t, hot, "n1", 16*time.Second)
	})
	add("alone", func(f *status.Facts) {
		f.Observation = row(t, 14*time.Second)
		f.Instances = []notice.Instance{
			word(t, hot, "n1", 16*time.Second),
			word(t, changed(cold, func(s *agent.Snapshot) {
				s.Ready = false
				s.Reasons = []string{"drive /mnt/artemis is not mounted", "port 10002 is taken by another program"}
			}), "n2", time.Second),
		}
	})
	add("released", func(f *status.Facts) {
		f.Observation = row(t, 48*time.Second)
		f.Observation.Record.Released, f.Observation.Record.Successor = true, onB
		f.Instances[0] = word(t, changed(hot, func(s *agent.Snapshot) { s.State, s.Ready, s.Node = agent.Ended, false, agent.Node{} }), "n1", 48*time.Second)
		f.Requests = []notice.Request{{ID: 3, Kind: "switchover", State: "accepted", Target: "machine-b", By: "root@machine-a",
			AcceptedBy: onA, AskedAt: noon.Add(-50 * time.Second), Age: 50 * time.Second}}
	})
	add("paused", func(f *status.Facts) {
		paused := func(s *agent.Snapshot) { s.Paused, s.Reasons = true, []string{"paused by root@machine-a"} }
		f.Instances = []notice.Instance{
			word(t, changed(hot, paused), "n1", 3*time.Second),
			word(t, changed(cold, func(s *agent.Snapshot) { paused(s); s.Ready = false }), "n2", 2*time.Second),
		}
	})
	add("failed", func(f *status.Facts) {
		f.Observation = row(t, 2*time.Minute)
		f.Observation.Record.Released = true
		failed := func(s *agent.Snapshot) {
			s.State, s.Ready, s.Node.PID, s.Node.LastExit, s.Node.LastLine = agent.Failed, false, 0, "exit code 1", "\x1b[31mAddress already in use"
			s.Reasons = []string{"the node failed 3 times in a row on both machines"}
		}
		f.Instances = []notice.Instance{
			word(t, changed(hot, failed), "n1", 3*time.Second),
			word(t, changed(cold, failed), "n2", 2*time.Second),
		}
	})
	add("fenced", func(f *status.Facts) {
		f.Replication = sqlstore.Replication{Copies: sqlstore.CopiesSynchronous, Text: "replication is synchronous"}
		f.Instances[0] = word(t, changed(hot, func(s *agent.Snapshot) {
			s.Fencing = agent.FencingState{On: true, Role: "node_a", LockedOut: []string{"node_b"}, Epoch: s.Epoch, At: noon, Seconds: 0.012}
		}), "n1", 3*time.Second)
	})
	add("unfenced", func(f *status.Facts) { // the holder is at a new epoch and has not locked the others out yet
		f.Replication = sqlstore.Replication{Copies: sqlstore.CopiesNone, Text: "one server without a replica"}
		f.Instances[0] = word(t, changed(hot, func(s *agent.Snapshot) {
			s.Fencing = agent.FencingState{On: true, Role: "node_a", LockedOut: []string{"node_b"}, Epoch: s.Epoch - 1, Error: "the database does not answer"}
		}), "n1", 3*time.Second)
	})
	add("asynchronous", func(f *status.Facts) {
		f.Replication = sqlstore.Replication{Copies: sqlstore.CopiesAsynchronous, Text: "replication is asynchronous", Raise: "set synchronous_standby_names"}
	})
	add("duplicate", func(f *status.Facts) { f.Instances = append(f.Instances, word(t, cold, "n3", time.Second)) })
	add("restarted", func(f *status.Facts) {
		f.Observation.Record.Nonce = "n0"
		f.Instances = []notice.Instance{
			word(t, changed(hot, func(s *agent.Snapshot) { s.State = agent.Cold; s.Node.PID = 0; s.Node.LastExit = "" }), "n1", time.Second),
			word(t, cold, "n2", 2*time.Second),
			word(t, cold, "n-of-yesterday", 20*time.Hour),
		}
	})
	add("strange", func(f *status.Facts) {
		f.Observation.Incarnation = "9999/1"
		f.Observation.Record.Update = time.Second
		f.Instances[1].Document = []byte("{")
		f.Instances = append(f.Instances, word(t, changed(hot, func(s *agent.Snapshot) {
			s.Instance, s.Machine, s.Version = "machine-c\r\x07:/opt", "machine-c", "0.2.0"
		}), "n9", time.Second))
	})
	return all
}

func TestOverviewOfEverySituation(t *testing.T) {
	for name, facts := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			o := status.OverviewOf(facts)
			var b strings.Builder
			if err := status.WriteTable(&b, o, status.Style{Zone: cest, Width: 120}); err != nil {
				t.Fatal(err)
			}
			golden(t, "overview-"+name+".txt", b.String())
			body, err := json.MarshalIndent(o, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "overview-"+name+".json", string(body)+"\n")
			if o.Well() != slices.Contains([]string{"healthy", "fenced", "unfenced", "asynchronous"}, name) {
				t.Errorf("well: %t", o.Well())
			}
		})
	}
}

func TestOverviewDoesNotDependOnTheOrderOfRows(t *testing.T) {
	f := pair(t)
	a := status.OverviewOf(f)
	slices.Reverse(f.Instances)
	b := status.OverviewOf(f)
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	if string(x) != string(y) {
		t.Errorf("%s\n%s", x, y)
	}
}

func TestTheWordOfAnAgentIsStaleAfterThreePauses(t *testing.T) {
	for age, want := range map[time.Duration]bool{15 * time.Second: false, 15*time.Second + time.Millisecond: true} {
		f := pair(t)
		f.Instances[1] = word(t, coldSnapshot(), "n2", age)
		o := status.OverviewOf(f)
		if o.Instances[1].Stale != want || (len(o.Standby) == 0) != want {
			t.Errorf("%v: stale %t, stand-by %v", age, o.Instances[1].Stale, o.Standby)
		}
	}
}

func TestConditionFollowsTheAgeOfTheLease(t *testing.T) {
	tm := timing(t)
	for _, c := range []struct {
		age  time.Duration
		want status.Condition
	}{
		{0, status.Serving},
		{tm.Update + tm.Attempt, status.Serving},
		{tm.Update + tm.Attempt + 1, status.Late},
		{tm.Wait, status.Late},
		{tm.Wait + 1, status.Due},
	} {
		f := pair(t)
		f.Observation = row(t, c.age)
		f.Timing = lease.Timing{} // a reader without a configuration sees the same
		if got := status.OverviewOf(f).Condition; got != c.want {
			t.Errorf("%v: %s, want %s", c.age, got, c.want)
		}
	}
}

func TestOutputOnATerminalHasColoursAndFitsIt(t *testing.T) {
	o := status.OverviewOf(pairs(t)["alone"])
	var b strings.Builder
	if err := status.WriteTable(&b, o, status.Style{Zone: cest, Width: 80, Color: true}); err != nil {
		t.Fatal(err)
	}
	golden(t, "overview-terminal.txt", b.String())
}

func TestPlainOutputIsASCIIWithoutEscapes(t *testing.T) {
	for name, facts := range pairs(t) {
		var b strings.Builder
		if err := status.WriteTable(&b, status.OverviewOf(facts), status.Style{Zone: cest}); err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(b.String(), func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') }); i >= 0 {
			t.Errorf("%s: %q", name, b.String()[i:])
		}
	}
}

func TestAFileGetsNoColours(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if s := status.StyleOf(f, os.LookupEnv); s != (status.Style{}) {
		t.Errorf("got %+v", s)
	}
}
