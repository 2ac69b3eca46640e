package agent_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/drive"
	"github.com/hotcold/hotcold/internal/probe"
	"github.com/hotcold/hotcold/internal/process"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/notice"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

func TestMain(m *testing.M) {
	if process.IsGuard(os.Args) { // agents start this very program as their guard
		os.Exit(process.GuardMain(os.Args[2:]))
	}
	if drive.IsProbe(os.Args) { // and as what looks at their drive
		os.Exit(drive.ProbeMain())
	}
	if how := os.Getenv(crashVar); how != "" {
		crash(how)
		os.Exit(0)
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // they wait, and hardly compute
		panic(err)
	}
	os.Exit(m.Run())
}

// limit bounds every wait of these tests; it is far above what they take.
const limit = time.Minute

// machine is one agent with a base directory of its own.
type machine struct {
	t     *testing.T
	agent *agent.Agent
	dir   string
	file  string // the database
	db    *sqlstore.DB
	stop  context.CancelCauseFunc
	ended chan error

	mu      sync.Mutex // guards changed
	changed chan struct{}
}

// pair is the database that the machines of a test share.
type pair struct {
	t  *testing.T
	db string
}

// newPair makes a database whose lease was released, so that the first agent need
// not wait.
func newPair(t *testing.T) pair {
	t.Helper()
	p := pair{t, filepath.Join(memoryDir(t), "lease.db")}
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Dialect: sqlstore.SQLite, DSN: p.db})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	seen, err := db.Read(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	timing := pairTiming(t)
	if err := db.Swap(t.Context(), seen, lease.Record{
		Name: "test", Holder: "nobody", Version: 1, Released: true, Incarnation: seen.Incarnation,
		Update: timing.Update, Wait: timing.Wait, Trust: timing.Trust, Fence: timing.Fence,
	}); err != nil {
		t.Fatal(err)
	}
	return p
}

// pairTiming is quick to renew and slow to give up: many pairs run at once on a
// machine that may be loaded.
func pairTiming(t *testing.T) lease.Timing {
	t.Helper()
	timing, err := lease.Settings{Update: 300 * time.Millisecond, Wait: 10 * time.Second}.Timing()
	if err != nil {
		t.Fatal(err)
	}
	return timing
}

// memoryDir is a folder in memory, where there is one. Many pairs that run at once
// share one disk, and their renewals would wait for each other's fsync.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "hotcold-agent-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// start runs an agent whose node is a shell script.
func (p pair) start(name, script string, changes ...func(*agent.Options)) *machine {
	t := p.t
	t.Helper()
	dir := t.TempDir()
	m := &machine{t: t, dir: dir, file: p.db, ended: make(chan error, 1), changed: make(chan struct{})}
	timing := pairTiming(t)
	var err error
	if m.db, err = sqlstore.Open(t.Context(), sqlstore.Config{Dialect: sqlstore.SQLite, DSN: p.db}); err != nil {
		t.Fatal(err)
	}
	boot, err := process.BootID()
	if err != nil {
		t.Fatal(err)
	}
	o := agent.Options{
		Lease: "test", Machine: name, Timing: timing, Database: m.db, Dialect: "sqlite", BaseDir: dir,
		Self:         lease.Identity{Instance: name + ":" + dir, Nonce: name + t.Name(), Boot: boot},
		Process:      process.Options{Argv: []string{"/bin/sh", "-c", script}, Dir: dir, Env: os.Environ(), RuntimeDir: filepath.Join(dir, "run")},
		ReadyTimeout: 10 * time.Second, StopTimeout: 5 * time.Second,
		Restart:   agent.Restart{Attempts: 1, Backoff: 10 * time.Millisecond, MaxBackoff: time.Second, ResetAfter: time.Hour},
		Failover:  agent.Failover{Budget: 2, Window: time.Hour},
		Log:       slog.New(slog.NewTextHandler(t.Output(), nil)).With("agent", name),
		Published: func(agent.Snapshot) { m.wake() },
	}
	for _, change := range changes {
		change(&o)
	}
	if m.agent, err = agent.New(o); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	m.stop = stop
	over := make(chan struct{})
	go func() {
		defer close(over)
		m.ended <- m.agent.Run(ctx)
	}()
	t.Cleanup(func() {
		stop(errors.New("the test is over"))
		<-over
		m.db.Close()
	})
	return m
}

func (m *machine) wake() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.changed)
	m.changed = make(chan struct{})
}

// until waits for a snapshot that fits.
func (m *machine) until(what string, fits func(agent.Snapshot) bool) agent.Snapshot {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), limit)
	defer cancel()
	for {
		changed := m.next()
		if s := m.agent.Snapshot(); fits(s) {
			return s
		}
		select {
		case <-changed:
		case <-ctx.Done():
			m.t.Fatalf("%s did not come: %+v", what, m.agent.Snapshot())
		}
	}
}

// next is closed at the next change of the snapshot.
func (m *machine) next() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

func (m *machine) untilState(s agent.State) agent.Snapshot {
	m.t.Helper()
	return m.until(string(s), func(n agent.Snapshot) bool { return n.State == s && (s != agent.Cold || n.Ready) })
}

// ask makes a request and waits for its end.
func (m *machine) ask(r notice.Request) notice.Request {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), limit)
	defer cancel()
	r.Lease, r.By = "test", "a person"
	id, err := m.db.Ask(ctx, r)
	if err != nil {
		m.t.Fatal(err)
	}
	for {
		if r, err = m.db.Request(ctx, id); err != nil {
			m.t.Fatal(err)
		}
		if r.Ended() || r.Kind == agent.RequestPause && r.State == notice.StateAccepted {
			return r
		}
		if err := clock.Wait(ctx, clock.System(), 20*time.Millisecond); err != nil {
			m.t.Fatalf("request %+v: %v", r, err)
		}
	}
}

// untilAnnounced waits until the row of a machine says that it is ready.
func (m *machine) untilAnnounced(name string) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), limit)
	defer cancel()
	for {
		rows, err := m.db.Instances(ctx, "test")
		if err != nil {
			m.t.Fatal(err)
		}
		for _, r := range rows {
			if r.Machine == name && strings.Contains(string(r.Document), `"ready":true`) {
				return
			}
		}
		if err := clock.Wait(ctx, clock.System(), 20*time.Millisecond); err != nil {
			m.t.Fatalf("%s did not announce that it is ready: %v", name, err)
		}
	}
}

func (m *machine) row() lease.Observation {
	m.t.Helper()
	o, err := m.db.Read(m.t.Context(), "test")
	if err != nil {
		m.t.Fatal(err)
	}
	return o
}

const serves = "exec sleep 1000"

func TestANodeThatEndsOnceIsRestartedInPlace(t *testing.T) {
	t.Parallel()
	m := newPair(t).start("a", "test -e once && exec sleep 1000; touch once; exit 3")
	s := m.until("a restart", func(s agent.Snapshot) bool { return s.State == agent.Hot && s.Node.Restarts == 1 })
	if s.Epoch != 1 || s.Node.LastExit != "exit code 3" {
		t.Errorf("epoch %d, last exit %q", s.Epoch, s.Node.LastExit)
	}
}

func TestANodeThatKeepsFailingHereIsHandedOver(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := p.start("a", "exit 3")
	a.until("a hand-over", func(s agent.Snapshot) bool { return s.State == agent.Cold && s.Epoch == 1 && s.Counters.NodeExits == 2 })
	b := p.start("b", serves)
	if s := b.untilState(agent.Hot); s.Epoch != 2 {
		t.Errorf("b is hot at epoch %d", s.Epoch)
	}
}

func TestAMachineWhereTheNodeFailedIsNotReadyWhileTheOtherHasItsChance(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := p.start("a", "exit 3")
	a.until("not ready, and why", func(s agent.Snapshot) bool {
		return s.State == agent.Cold && !s.Ready && len(s.Reasons) > 0 && strings.Contains(s.Reasons[0], "the node failed here")
	})
	p.start("b", serves).untilState(agent.Hot)
	a.untilState(agent.Cold)
}

func TestANodeThatFailsEverywhereIsGivenUpUntilAPersonResumes(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	script := "test -e mended && exec sleep 1000; echo cannot open the store; exit 1"
	a, b := p.start("a", script), p.start("b", script)
	failed := func(s agent.Snapshot) bool { return s.State == agent.Failed }
	a.until("failed", failed)
	s := b.until("failed", failed)
	if want := "the node failed 2 times in a row"; !strings.Contains(s.Reasons[0], want) || !strings.Contains(s.Reasons[0], "cannot open the store") {
		t.Errorf("reasons %q, want %q and the node's last line", s.Reasons, want)
	}
	for _, m := range []*machine{a, b} {
		if err := os.WriteFile(filepath.Join(m.dir, "mended"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r := a.ask(notice.Request{Kind: agent.RequestResume}); r.State != notice.StateDone {
		t.Fatalf("resume: %+v", r)
	}
	for {
		changedA, changedB := a.next(), b.next()
		if a.agent.Snapshot().State == agent.Hot || b.agent.Snapshot().State == agent.Hot {
			return
		}
		select {
		case <-changedA:
		case <-changedB:
		}
	}
}

func TestASwitchoverGoesToTheOtherAgentAndIsConfirmed(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := p.start("a", serves)
	a.untilState(agent.Hot)
	b := p.start("b", serves)
	b.untilState(agent.Cold)
	a.untilAnnounced("b")
	r := a.ask(notice.Request{Kind: agent.RequestSwitchover})
	if r.State != notice.StateDone || !strings.Contains(r.Answer, "b is hot at epoch 2") {
		t.Errorf("answer: %+v", r)
	}
	if s := a.agent.Snapshot(); s.State == agent.Hot {
		t.Error("a is still hot")
	}
}

func TestASwitchoverIsRefusedWhenNobodyCouldTakeOver(t *testing.T) {
	t.Parallel()
	a := newPair(t).start("a", serves)
	a.untilState(agent.Hot)
	r := a.ask(notice.Request{Kind: agent.RequestSwitchover, Target: "b"})
	if r.State != notice.StateRefused || !strings.Contains(r.Answer, `no agent "b" has announced itself`) {
		t.Errorf("answer: %+v", r)
	}
	if s := a.agent.Snapshot(); s.State != agent.Hot || s.Epoch != 1 {
		t.Errorf("a is %s at epoch %d", s.State, s.Epoch)
	}
}

func TestASwitchoverThatNobodyTookUpIsNotCalledDone(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := p.start("a", serves)
	a.untilState(agent.Hot)
	b := p.start("b", serves)
	b.untilState(agent.Cold)
	a.untilAnnounced("b")
	// Its row still says that it is ready, and it hears nothing any more.
	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}
	r := a.ask(notice.Request{Kind: agent.RequestSwitchover})
	if want := "the other machine did not take over; a is hot again at epoch 2"; r.State != notice.StateRefused || r.Answer != want {
		t.Errorf("answer: %+v, want %q", r, want)
	}
}

func TestAPausedNodeThatEndsIsLeftAloneUntilResumed(t *testing.T) {
	t.Parallel()
	a := newPair(t).start("a", "while ! test -e end; do sleep 0.05; done; rm end; exit 1")
	a.untilState(agent.Hot)
	if r := a.ask(notice.Request{Kind: agent.RequestPause}); r.State != notice.StateAccepted {
		t.Fatalf("pause: %+v", r)
	}
	a.until("paused", func(s agent.Snapshot) bool { return s.Paused })
	if err := os.WriteFile(filepath.Join(a.dir, "end"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := a.untilState(agent.Paused)
	if s.Counters.NodeStarts != 1 || a.row().Record.Released {
		t.Errorf("starts %d, row %v", s.Counters.NodeStarts, a.row())
	}
	a.ask(notice.Request{Kind: agent.RequestResume})
	if s := a.untilState(agent.Hot); s.Epoch != 1 || s.Counters.NodeStarts != 2 {
		t.Errorf("epoch %d, starts %d", s.Epoch, s.Counters.NodeStarts)
	}
}

func TestAnAgentThatEndsReleasesOnlyAfterItsNodeIsDead(t *testing.T) {
	t.Parallel()
	a := newPair(t).start("a", `trap 'sleep 0.3; echo gone > gone; exit 0' TERM; echo $$ > main; while :; do sleep 0.05; done`)
	a.untilState(agent.Hot)
	a.number("main") // from here on it heeds the signal
	a.stop(errors.New("enough"))
	if err := <-a.ended; err != nil {
		t.Fatal(err)
	}
	a.ended <- nil
	if _, err := os.Stat(filepath.Join(a.dir, "gone")); err != nil {
		t.Error("the node was not left to end in order")
	}
	if o := a.row(); !o.Record.Released {
		t.Errorf("not released: %v", o)
	}
	if s := a.agent.Snapshot(); s.State != agent.Ended || s.Node.PID != 0 {
		t.Errorf("snapshot %+v", s)
	}
}

func TestANodeThatAsksToBeStartedAgainIsStartedHere(t *testing.T) {
	t.Parallel()
	flagDay := agent.PlannedExit{Code: 0, Line: regexp.MustCompile("needs to be started again"), Meaning: "flag day"}
	m := newPair(t).start("a", "test -e once && exec sleep 1000; touch once; echo it needs to be started again; exit 0",
		func(o *agent.Options) {
			o.PlannedExits = []agent.PlannedExit{flagDay}
			o.Restart.Attempts = 0 // a failure would be handed over at once
		})
	if s := m.until("the second start", func(s agent.Snapshot) bool { return s.State == agent.Hot && s.Counters.NodeStarts == 2 }); s.Epoch != 1 {
		t.Errorf("epoch %d", s.Epoch)
	}
}

// The last words of a node are judged by, whether or not whoever takes its
// output has had them yet.
func TestLastWordsCountAlsoWhereTheOutputIsStuck(t *testing.T) {
	t.Parallel()
	stuck := make(chan struct{})
	defer close(stuck)
	m := newPair(t).start("a", "test -e once && exec sleep 1000; touch once; echo first; sleep 0.5; echo it needs to be started again; exit 0",
		func(o *agent.Options) {
			o.PlannedExits = []agent.PlannedExit{{Code: 0, Line: regexp.MustCompile("needs to be started again"), Meaning: "flag day"}}
			o.Restart.Attempts = 0
			o.Process.Output = process.SinkFunc(func([]process.Line) { <-stuck })
		})
	m.until("the second start, without a hand-over", func(s agent.Snapshot) bool {
		if s.Epoch > 1 {
			t.Fatalf("handed over: %+v", s)
		}
		return s.State == agent.Hot && s.Counters.NodeStarts == 2
	})
	if s := m.agent.Snapshot(); s.Node.LastLine != "it needs to be started again" {
		t.Errorf("last line %q", s.Node.LastLine)
	}
}

func TestACommandThatDoesNotExistIsNeverClaimedFor(t *testing.T) {
	t.Parallel()
	m := newPair(t).start("a", "", func(o *agent.Options) { o.Process.Argv = []string{"/nonexistent/node"} })
	s := m.until("a reason", func(s agent.Snapshot) bool { return s.Database.Reachable && len(s.Reasons) > 0 })
	if s.Ready || !strings.Contains(strings.Join(s.Reasons, " "), "the node's command /nonexistent/node does not exist") {
		t.Errorf("ready %v, reasons %q", s.Ready, s.Reasons)
	}
	if m.row().Record.Epoch > 0 {
		t.Error("the lease was claimed")
	}
}

func TestTheEpochIsOnTheDriveBeforeTheNodeStarts(t *testing.T) {
	t.Parallel()
	drive := t.TempDir()
	file := filepath.Join(drive, "hotcold.epoch")
	if err := os.WriteFile(file, []byte("41\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := newPair(t).start("a", `cat "$DRIVE/hotcold.epoch" > tmp; echo $HOTCOLD_EPOCH >> tmp; mv tmp seen; exec sleep 1000`,
		func(o *agent.Options) {
			seen, err := probe.NewCommand(probe.CommandOptions{Argv: []string{"test", "-e", "seen"}, Dir: o.BaseDir, Clock: clock.System()})
			if err != nil {
				t.Fatal(err)
			}
			o.Ready = []probe.Probe{seen}
			o.EpochFile = file
			o.Process.Env = append(o.Process.Env, "DRIVE="+drive)
		})
	s := m.untilState(agent.Hot)
	if s.Epoch < 42 {
		t.Errorf("epoch %d, want more than the drive had seen", s.Epoch)
	}
	m.stop(errors.New("enough"))
	<-m.ended
	m.ended <- nil
	if seen, _ := os.ReadFile(filepath.Join(m.dir, "seen")); string(seen) != fmt.Sprintf("%d\n%[1]d\n", s.Epoch) {
		t.Errorf("the node saw %q", seen)
	}
}

func TestWithoutALeaseTheNodeRunsAndTheAgentSaysSo(t *testing.T) {
	t.Parallel()
	m := newPair(t).start("a", serves, func(o *agent.Options) { o.Database, o.Timing = nil, lease.Timing{} })
	if s := m.untilState(agent.Hot); !s.Leaseless || !s.HotAt(clock.System().Now()) {
		t.Errorf("snapshot %+v", s)
	}
}

func TestASecondAgentOfOneInstanceIsTurnedAway(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := p.start("a", serves)
	a.untilState(agent.Hot)
	b := p.start("a", serves, func(o *agent.Options) { o.Process.RuntimeDir = filepath.Join(a.dir, "run") })
	var locked *process.LockedError
	err := <-b.ended
	b.ended <- err
	if !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("got %v", err)
	}
}

func TestStandbyExitSaysWhoHoldsTheLease(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.start("a", serves).untilState(agent.Hot)
	b := p.start("b", serves, func(o *agent.Options) { o.ExitIfHeld = true })
	err := <-b.ended
	b.ended <- err
	var held *lease.HeldError
	if !errors.As(err, &held) || !strings.HasPrefix(held.Holder, "a:") {
		t.Errorf("got %v", err)
	}
}

func TestAnUnfitMachineSaysSoInItsLogOnce(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	m := newPair(t).start("a", "", func(o *agent.Options) {
		o.Process.Argv = []string{"/nonexistent/node"}
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	m.until("some looks", func(s agent.Snapshot) bool { return s.Counters.Looks > 5 })
	if n := strings.Count(log.String(), "this machine could not run the node"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
}

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
