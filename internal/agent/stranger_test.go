package agent_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/probe"
	"github.com/hotcold/hotcold/internal/process"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/notice"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// number waits until a file holds a number.
func (m *machine) number(name string) int {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), limit)
	defer cancel()
	for {
		text, _ := os.ReadFile(filepath.Join(m.dir, name))
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			return n
		}
		if err := clock.Wait(ctx, clock.System(), 10*time.Millisecond); err != nil {
			m.t.Fatalf("no number in %s", name)
		}
	}
}

// freeze puts a process where SIGKILL does not reach it, like one that hangs
// in the kernel on a dead drive.
func freeze(t *testing.T, pid int) (thaw func()) {
	t.Helper()
	dir, err := os.MkdirTemp("/sys/fs/cgroup/freezer", "hotcold-agent-test-")
	if err != nil {
		t.Skipf("no cgroup v1 freezer to make a process unkillable with: %v", err)
	}
	write := func(name, value string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0); err != nil {
			t.Errorf("freezer: %v", err)
		}
	}
	t.Cleanup(func() { os.Remove(dir) })
	write("cgroup.procs", strconv.Itoa(pid))
	write("freezer.state", "FROZEN")
	once := sync.OnceFunc(func() { write("freezer.state", "THAWED") })
	t.Cleanup(once)
	return once
}

// A node whose main process is gone and of which a child cannot be killed: no
// traffic, no release, and no end of the agent until it is seen dead.
func TestNothingIsReleasedWhileAProcessOfTheNodeLives(t *testing.T) {
	t.Parallel()
	m := newPair(t).start("a", "sleep 1000 & echo $! > child; echo $$ > main; exec sleep 1000")
	m.untilState(agent.Hot)
	thaw := freeze(t, m.number("child"))
	if err := syscall.Kill(m.number("main"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s := m.until("no traffic", func(s agent.Snapshot) bool { return !s.HotAt(clock.System().Now()) })
	if s.State == agent.Hot || s.Ready {
		t.Errorf("%s, ready %v", s.State, s.Ready)
	}
	m.stop(errors.New("enough"))
	renewals := m.agent.Snapshot().Counters.Renewals
	m.until("renewals meanwhile", func(s agent.Snapshot) bool { return s.Counters.Renewals > renewals+3 })
	if o := m.row(); o.Record.Released {
		t.Errorf("released: %v", o)
	}
	select {
	case err := <-m.ended:
		t.Errorf("the agent ended: %v", err)
		m.ended <- err
	default:
	}
	thaw()
	if err := m.quit(); err != nil {
		t.Fatal(err)
	}
	if o := m.row(); !o.Record.Released {
		t.Errorf("not released: %v", o)
	}
}

// The drive answers when the epoch is read and hangs when it is to be written:
// the lease must go to a machine whose drive works.
func TestADriveThatHangsAfterTheClaimDoesNotKeepTheLease(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	file := filepath.Join(t.TempDir(), "hotcold.epoch")
	hang := sync.OnceFunc(func() {
		if err := unix.Mkfifo(file, 0o600); err != nil {
			t.Error(err)
		}
	})
	a := p.start("a", serves, func(o *agent.Options) {
		o.EpochFile = file
		published := o.Published
		o.Published = func(s agent.Snapshot) {
			if s.State == agent.Claiming {
				hang()
			}
			published(s)
		}
	})
	t.Cleanup(func() { // before the agent is waited for: lets go what hangs
		if f, err := os.OpenFile(file, os.O_RDWR, 0); err == nil {
			f.Close()
		}
	})
	a.until("the lease is given back", func(s agent.Snapshot) bool { return s.Epoch == 1 && s.State == agent.Cold })
	o := a.row()
	if !o.Record.Released || !strings.Contains(o.Record.Memo, "has not answered") {
		t.Errorf("row %v, memo %s", o, o.Record.Memo)
	}
	if s := a.agent.Snapshot(); s.Counters.NodeStarts != 0 {
		t.Error("the node was started")
	}
	p.start("b", serves).untilState(agent.Hot)
}

func TestAnAgentThatLosesItsLeaseLooksWhoHasIt(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := p.start("a", serves, func(o *agent.Options) { o.ExitIfHeld = true })
	a.untilState(agent.Hot)
	o := a.row()
	thief := o.Record
	thief.Holder, thief.Nonce, thief.Epoch, thief.Version = "b:/opt", "b", 7, thief.Version+1
	for { // until no renewal of a comes between
		if err := a.db.Swap(t.Context(), o, thief); err == nil {
			break
		} else if !errors.Is(err, lease.ErrChanged) {
			t.Fatal(err)
		}
		o = a.row()
		thief.Version = o.Record.Version + 1
	}
	a.until("a fence", func(s agent.Snapshot) bool { return s.Counters.Fences == 1 && s.Counters.NodeExits == 1 })
	o = a.row()
	for range 3 { // somebody who lives renews
		thief = o.Record
		thief.Version++
		if err := a.db.Swap(t.Context(), o, thief); err != nil {
			t.Fatal(err)
		}
		o = a.row()
		looks := a.agent.Snapshot().Counters.Looks
		select {
		case err := <-a.ended:
			a.ended <- err
		case <-waitFor(a, func(s agent.Snapshot) bool { return s.Counters.Looks > looks }):
		}
	}
	err := <-a.ended
	a.ended <- err
	var held *lease.HeldError
	if !errors.As(err, &held) || held.Holder != "b:/opt" {
		t.Errorf("got %v, want who holds the lease", err)
	}
}

// waitFor is closed when a snapshot fits, or the test is over.
func waitFor(m *machine, fits func(agent.Snapshot) bool) <-chan struct{} {
	done := make(chan struct{})
	ctx := m.t.Context()
	go func() {
		defer close(done)
		for {
			changed := m.next()
			if fits(m.agent.Snapshot()) {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return done
}

func TestAnAgentWhoseNameIsTakenEndsAndTheOtherGoesOn(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := p.start("a", serves)
	a.untilState(agent.Hot)
	timing := pairTiming(t)
	twin, err := lease.New(lease.Options{
		Name: "test", Self: lease.Identity{Instance: a.agent.Snapshot().Instance, Nonce: "another machine", Boot: "another boot"}, Timing: timing, Store: a.db,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = twin.Run(t.Context(), func(context.Context, *lease.Term) lease.Ending {
		t.Error("the twin claimed")
		return lease.Ending{}
	})
	var twinErr *lease.TwinError
	if !errors.As(err, &twinErr) {
		t.Errorf("got %v", err)
	}
	if s := a.agent.Snapshot(); s.State != agent.Hot || s.Epoch != 1 || s.Counters.Fences != 0 {
		t.Errorf("a is %s at epoch %d", s.State, s.Epoch)
	}
}

// SIGTERM while the database is gone: the end comes in a bounded time, and not
// before the node is dead.
func TestAnAgentEndsInTimeWithoutADatabase(t *testing.T) {
	t.Parallel()
	m := newPair(t).start("a", `trap 'sleep 0.2; exit 0' TERM; echo $$ > main; while :; do sleep 0.05; done`)
	m.untilState(agent.Hot)
	pid := m.number("main")
	if err := m.db.Close(); err != nil {
		t.Fatal(err)
	}
	began := clock.System().Now().Boot
	if err := m.quit(); err != nil {
		t.Fatal(err)
	}
	if took := clock.System().Now().Boot - began; took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d: %v", pid, err)
	}
	if s := m.agent.Snapshot(); s.State != agent.Ended || s.Node.PID != 0 {
		t.Errorf("%+v", s)
	}
}

func TestANodeIsNotStoppedForBeingSlowDuringAPause(t *testing.T) {
	t.Parallel()
	m := newPair(t).start("a", serves, func(o *agent.Options) {
		never, err := probe.NewCommand(probe.CommandOptions{Argv: []string{"test", "-e", "ready"}, Dir: o.BaseDir, Clock: clock.System()})
		if err != nil {
			t.Fatal(err)
		}
		o.Ready, o.ReadyTimeout = []probe.Probe{never}, 3*time.Second
	})
	m.until("starting", func(s agent.Snapshot) bool { return s.State == agent.Starting && s.Node.PID != 0 })
	m.ask(notice.Request{Kind: agent.RequestPause})
	pid := m.until("paused", func(s agent.Snapshot) bool { return s.Paused }).Node.PID
	renewals := m.agent.Snapshot().Counters.Renewals
	s := m.until("time to pass", func(s agent.Snapshot) bool { return s.Counters.Renewals > renewals+12 })
	if s.Node.PID != pid || s.State != agent.Starting {
		t.Errorf("%s, process %d, was %d", s.State, s.Node.PID, pid)
	}
	m.ask(notice.Request{Kind: agent.RequestResume})
	m.until("the end of the node", func(s agent.Snapshot) bool { return s.Counters.NodeExits == 1 })
}

// zombies counts the children of this process that nobody reaped and that lead
// no process group: what probes and nodes left behind.
func zombies(t *testing.T) int {
	t.Helper()
	n := 0
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, p := range stats {
		text, err := os.ReadFile(p)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		f := strings.Fields(rest)
		if len(f) > 2 && f[0] == "Z" && f[1] == strconv.Itoa(os.Getpid()) && f[2] != strings.Fields(string(text))[0] {
			n++
		}
	}
	return n
}

// Many terms of one agent, one after the other, in a program that does nothing
// else: what a term opens it closes.
func TestATermLeavesNothingBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	m := newPair(t).start("a", serves, func(o *agent.Options) {
		leaves, err := probe.NewCommand(probe.CommandOptions{Argv: []string{"/bin/sh", "-c", "sleep 1000 & exit 0"}, Dir: o.BaseDir, Clock: clock.System()})
		if err != nil {
			t.Fatal(err)
		}
		o.Ready = []probe.Probe{leaves}
	})
	var early, late left
	var last uint64
	for term := range termsToCompare {
		last = m.until("hot", func(s agent.Snapshot) bool { return s.State == agent.Hot && s.Epoch > last }).Epoch
		if term == 5 {
			early = leftNow(t)
		}
		if term < termsToCompare-1 {
			m.agent.EndTerm(errors.New("again"))
		}
	}
	// A look or a renewal may be under way at any one moment; what leaks stays.
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for changed := m.next(); ; changed = m.next() {
		if late = leftNow(t); late.files <= early.files+3 && late.goroutines <= early.goroutines+3 && late.zombies <= 3 {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			stacks := make([]byte, 1<<20)
			t.Fatalf("after %d terms %+v, after 6 %+v\n%s", termsToCompare, late, early, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// left is what a program holds at one moment.
type left struct{ files, goroutines, zombies int }

func leftNow(t *testing.T) left {
	t.Helper()
	return left{files: open(t), goroutines: runtime.NumGoroutine(), zombies: zombies(t)}
}

// termsToCompare is enough to tell a leak from noise.
const termsToCompare = 25

func open(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// The history cannot be written at all, for want of a right for example: the
// agent's word and the requests go on.
func TestAHistoryThatCannotBeWrittenHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	m := p.start("a", serves)
	m.untilAnnounced("a")
	raw, err := sql.Open("sqlite", p.db)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.ExecContext(t.Context(), "PRAGMA busy_timeout = 10000; CREATE TRIGGER refuse BEFORE INSERT ON hotcold_event BEGIN SELECT RAISE(ABORT, 'no right'); END"); err != nil {
		t.Fatal(err)
	}
	m.untilState(agent.Hot)
	if r := m.ask(notice.Request{Kind: agent.RequestSwitchover, Target: "a"}); r.State != notice.StateDone {
		t.Errorf("%+v", r)
	}
	if err := m.quit(); err != nil {
		t.Fatal(err)
	}
	rows, err := m.db.Instances(t.Context(), "test")
	if err != nil || len(rows) != 1 || rows[0].State != string(agent.Ended) {
		t.Errorf("rows %+v, %v", rows, err)
	}
}

func TestADriveThatHangsLeavesOneLookBehind(t *testing.T) {
	file := filepath.Join(t.TempDir(), "look-behind.epoch")
	if err := unix.Mkfifo(file, 0o600); err != nil { // nobody writes: to open it hangs
		t.Fatal(err)
	}
	m := newPair(t).start("a", serves, func(o *agent.Options) { o.EpochFile = file })
	t.Cleanup(func() {
		if f, err := os.OpenFile(file, os.O_RDWR, 0); err == nil {
			f.Close()
		}
	})
	s := m.until("the reason", func(s agent.Snapshot) bool {
		return s.Counters.Looks > 6 && strings.Contains(strings.Join(s.Reasons, " "), "is the network drive alive?")
	})
	if s.Ready || s.Counters.Claims != 0 {
		t.Errorf("ready %v, %d claims", s.Ready, s.Counters.Claims)
	}
	// No other test runs meanwhile, so these are all of ours.
	if n := strings.Count(stacks(), "agent.epochFile.read("); n > 1 {
		t.Errorf("%d looks hang", n)
	}
}

func stacks() string {
	text := make([]byte, 8<<20)
	return string(text[:runtime.Stack(text, true)])
}

const crashVar = "HOTCOLD_TEST_CRASH"

// crash is the body of an agent that panics, or leaves its goroutine, in the
// middle of its work.
func crash(how string) {
	dir := os.Getenv("HOTCOLD_TEST_DIR")
	timing, err := lease.Settings{Update: 300 * time.Millisecond, Wait: 4 * time.Second}.Timing()
	if err != nil {
		panic(err)
	}
	db, err := sqlstore.Open(context.Background(), sqlstore.Config{Dialect: sqlstore.SQLite, DSN: filepath.Join(dir, "lease.db")})
	if err != nil {
		panic(err)
	}
	a, err := agent.New(agent.Options{
		Lease: "test", Machine: "a", Timing: timing, Database: db, BaseDir: dir, StopTimeout: time.Second,
		Self: lease.Identity{Instance: "a:" + dir, Nonce: "n"},
		Process: process.Options{Argv: []string{"/bin/sh", "-c", "trap '' TERM; sleep 1000 & echo $! > child; echo $$ > main; wait; sleep 1000"},
			Dir: dir, Env: os.Environ(), RuntimeDir: filepath.Join(dir, "run"), LossGrace: 100 * time.Millisecond},
		Failover: agent.Failover{Budget: 2, Window: time.Hour},
		Published: func(s agent.Snapshot) {
			if s.State != agent.Hot || s.Node.Ready.IsZero() {
				return
			}
			for _, name := range []string{"main", "child"} { // the test reads them
				for !exists(filepath.Join(dir, name)) {
					_ = clock.Wait(context.Background(), clock.System(), time.Millisecond)
				}
			}
			if how == "goexit" {
				runtime.Goexit()
			}
			panic("our own mistake")
		},
	})
	if err != nil {
		panic(err)
	}
	_ = a.Run(context.Background())
}

func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}

func TestAMistakeOfOursEndsTheNodeAndReleasesNothing(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"panic", "goexit"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			c := exec.CommandContext(ctx, os.Args[0])
			c.Env = append(os.Environ(), crashVar+"="+how, "HOTCOLD_TEST_DIR="+dir)
			out, err := c.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || ctx.Err() != nil || !strings.Contains(string(out), "panic: ") {
				t.Fatalf("%v\n%s", err, out)
			}
			m := &machine{t: t, dir: dir}
			for _, name := range []string{"main", "child"} {
				pid := m.number(name)
				for !gone(pid) {
					if err := clock.Wait(ctx, clock.System(), 10*time.Millisecond); err != nil {
						t.Fatalf("%s, process %d, lives", name, pid)
					}
				}
			}
			if m.db, err = sqlstore.Open(ctx, sqlstore.Config{Dialect: sqlstore.SQLite, DSN: filepath.Join(dir, "lease.db")}); err != nil {
				t.Fatal(err)
			}
			defer m.db.Close()
			if o := m.row(); !o.Exists || o.Record.Released {
				t.Errorf("row %v", o)
			}
		})
	}
}

// gone tells whether a process is dead; one that only nobody has reaped yet is.
func gone(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, _ := strings.Cut(string(stat), ") ")
	return err != nil || strings.HasPrefix(rest, "Z")
}
