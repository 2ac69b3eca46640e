package agent_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/probe"
	"github.com/hotcold/hotcold/lease/notice"
)

// quit ends an agent and waits for it.
func (m *machine) quit() error {
	m.stop(errors.New("enough"))
	err := <-m.ended
	m.ended <- err
	return err
}

// ghost leaves a request that an agent accepted which is no more.
func (m *machine) ghost(r notice.Request) int64 {
	m.t.Helper()
	// It is asked of another lease and moved, or a living agent would be faster.
	r.Lease, r.By = "elsewhere", "a person"
	id, err := m.db.Ask(m.t.Context(), r)
	if err != nil {
		m.t.Fatal(err)
	}
	if ok, err := m.db.Accept(m.t.Context(), id, "ghost:/gone"); !ok || err != nil {
		m.t.Fatalf("accept: %v, %v", ok, err)
	}
	db, err := sql.Open("sqlite", "file:"+m.file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		m.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(m.t.Context(), "UPDATE hotcold_request SET lease = 'test' WHERE id = ?", id); err != nil {
		m.t.Fatal(err)
	}
	return id
}

// outcome waits for the end of a request.
func (m *machine) outcome(id int64) notice.Request {
	m.t.Helper()
	timer := clock.System().Timer(clock.System().Now().Boot + limit)
	defer timer.Stop()
	for {
		r, err := m.db.Request(m.t.Context(), id)
		if err != nil {
			m.t.Fatal(err)
		}
		if r.Ended() {
			return r
		}
		select {
		case <-timer.C():
			m.t.Fatalf("no end of %+v", r)
		default:
			_ = clock.Wait(m.t.Context(), clock.System(), 20*time.Millisecond)
		}
	}
}

func TestAHandOverThatComesTooLateEndsNoOtherTerm(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := p.start("a", serves)
	a.untilState(agent.Hot)
	b := p.start("b", serves)
	s := b.untilState(agent.Cold)
	if b.agent.HandOver(s.Epoch, "a") {
		t.Error("a cold agent handed over")
	}
	if a.agent.HandOver(s.Epoch+1, "b") {
		t.Error("a term that is over was handed over")
	}
	looks := b.agent.Snapshot().Counters.Looks
	b.until("more looks", func(s agent.Snapshot) bool { return s.State == agent.Cold && s.Counters.Looks > looks+2 })
	if s := a.agent.Snapshot(); s.State != agent.Hot || s.Epoch != 1 {
		t.Errorf("a is %s at epoch %d", s.State, s.Epoch)
	}
}

func TestASwitchoverIsRefusedDuringAPause(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := p.start("a", serves)
	a.untilState(agent.Hot)
	b := p.start("b", serves)
	b.untilState(agent.Cold)
	a.untilAnnounced("b")
	a.ask(notice.Request{Kind: agent.RequestPause})
	r := a.ask(notice.Request{Kind: agent.RequestSwitchover})
	if r.State != notice.StateRefused || !strings.Contains(r.Answer, "paused by a person") {
		t.Errorf("answer: %+v", r)
	}
	if r.AcceptedBy != "" { // the hot agent would take it for a switchover that came about
		t.Errorf("it was accepted before it was refused: %+v", r)
	}
	if s := a.agent.Snapshot(); s.State != agent.Hot || s.Epoch != 1 {
		t.Errorf("a is %s at epoch %d", s.State, s.Epoch)
	}
}

func TestAnAgentThatStartsDuringAPauseDoesNotClaim(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := p.start("a", serves)
	a.untilState(agent.Hot)
	a.ask(notice.Request{Kind: agent.RequestPause})
	if err := a.quit(); err != nil {
		t.Fatal(err)
	}
	b := p.start("b", serves)
	s := b.untilState(agent.Paused)
	if s.Counters.Claims != 0 || !slices.Contains(s.Reasons, "paused by a person") {
		t.Errorf("%d claims, reasons %q", s.Counters.Claims, s.Reasons)
	}
	b.ask(notice.Request{Kind: agent.RequestResume})
	b.untilState(agent.Hot)
}

func TestAResumeWhoseAgentDiedComesToAnEnd(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := p.start("a", serves)
	a.untilState(agent.Hot)
	pause := a.ask(notice.Request{Kind: agent.RequestPause})
	if err := a.quit(); err != nil {
		t.Fatal(err)
	}
	resume := a.ghost(notice.Request{Kind: agent.RequestResume})
	b := p.start("b", serves)
	b.untilState(agent.Hot)
	for _, id := range []int64{pause.ID, resume} {
		if r := b.outcome(id); r.State != notice.StateDone {
			t.Errorf("%+v", r)
		}
	}
}

func TestAResumeReachesTheMachineThatCouldRunTheNode(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	script := "test -e mended && exec sleep 1000; exit 1"
	a, b := p.start("a", script), p.start("b", script)
	failed := func(s agent.Snapshot) bool { return s.State == agent.Failed }
	a.until("failed", failed)
	b.until("failed", failed)
	if err := os.WriteFile(filepath.Join(b.dir, "mended"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.agent.FitnessKnown([]string{"no java"})
	id := a.ghost(notice.Request{Kind: agent.RequestResume}) // an agent of the pair accepts it first, and b hears of it all the same
	b.untilState(agent.Hot)
	if r := b.outcome(id); r.State != notice.StateDone {
		t.Errorf("%+v", r)
	}
}

func TestASwitchoverToSomebodyElseIsNotDoneBecauseAnybodyIsHot(t *testing.T) {
	t.Parallel()
	a := newPair(t).start("a", serves)
	a.untilState(agent.Hot)
	id := a.ghost(notice.Request{Kind: agent.RequestSwitchover, Target: "c"})
	if r := a.outcome(id); r.State != notice.StateRefused || !strings.Contains(r.Answer, "c did not take over") {
		t.Errorf("answer: %+v", r)
	}
}

func TestASwitchoverAsksTheNewestWordOfAnAgent(t *testing.T) {
	t.Parallel()
	a := newPair(t).start("a", serves)
	a.untilState(agent.Hot)
	for _, word := range []struct {
		nonce string
		said  agent.Snapshot
	}{
		{"former start", agent.Snapshot{State: agent.Cold, Ready: true}},
		{"present start", agent.Snapshot{State: agent.Cold, Reasons: []string{"no drive"}}},
	} {
		doc, err := json.Marshal(word.said)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.db.Announce(t.Context(), notice.Instance{Lease: "test", ID: "b:/opt", Machine: "b", Nonce: word.nonce, State: "cold", Document: doc}); err != nil {
			t.Fatal(err)
		}
		// SQLite's clock counts milliseconds: the next word is to be a newer one.
		if err := clock.Wait(t.Context(), clock.System(), 5*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	r := a.ask(notice.Request{Kind: agent.RequestSwitchover})
	if r.State != notice.StateRefused || !strings.Contains(r.Answer, "no drive") {
		t.Errorf("answer: %+v", r)
	}
}

func TestAPausedAgentGoesOnSayingHowItsNodeEnded(t *testing.T) {
	t.Parallel()
	a := newPair(t).start("a", "while ! test -e end; do sleep 0.05; done; rm end; exit 7")
	a.untilState(agent.Hot)
	a.ask(notice.Request{Kind: agent.RequestPause})
	a.until("paused", func(s agent.Snapshot) bool { return s.Paused })
	if s := a.agent.Snapshot(); !slices.Equal(s.Reasons, []string{"paused by a person"}) {
		t.Errorf("hot and paused, reasons %q", s.Reasons)
	}
	if err := os.WriteFile(filepath.Join(a.dir, "end"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.untilState(agent.Paused)
	a.agent.FitnessKnown(nil)
	if s := a.agent.Snapshot(); len(s.Reasons) != 1 || !strings.Contains(s.Reasons[0], "exit code 7") {
		t.Errorf("reasons %q", s.Reasons)
	}
	a.ask(notice.Request{Kind: agent.RequestResume})
	if s := a.untilState(agent.Hot); len(s.Reasons) != 0 {
		t.Errorf("hot again, reasons %q", s.Reasons)
	}
}

func TestANodeThatIsNotWellIsStoppedWhenThePauseEnds(t *testing.T) {
	t.Parallel()
	a := newPair(t).start("a", serves, func(o *agent.Options) {
		well, err := probe.NewCommand(probe.CommandOptions{Argv: []string{"test", "!", "-e", "sick"}, Dir: o.BaseDir, Clock: clock.System()})
		if err != nil {
			t.Fatal(err)
		}
		o.Health = agent.Health{Probes: []probe.Probe{well}, Interval: 50 * time.Millisecond, Timeout: 10 * time.Second, Threshold: 1}
	})
	a.untilState(agent.Hot)
	a.ask(notice.Request{Kind: agent.RequestPause})
	a.until("paused", func(s agent.Snapshot) bool { return s.Paused })
	sick := filepath.Join(a.dir, "sick")
	if err := os.WriteFile(sick, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := a.until("not well", func(s agent.Snapshot) bool { return !s.Node.Healthy })
	if s.State != agent.Hot || s.Counters.NodeExits != 0 {
		t.Errorf("hands were not off: %s, %d exits", s.State, s.Counters.NodeExits)
	}
	a.ask(notice.Request{Kind: agent.RequestResume})
	a.until("the end of the node", func(s agent.Snapshot) bool { return s.Counters.NodeExits == 1 })
	if err := os.Remove(sick); err != nil {
		t.Fatal(err)
	}
	a.until("a node that is well", func(s agent.Snapshot) bool { return s.State == agent.Hot && s.Node.Healthy })
}
