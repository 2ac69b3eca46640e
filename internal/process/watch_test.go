package process

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These tests harm the agent, the guard, or both, and look from outside that
// no node is left when the deadline has come.

func TestGuardStopsTheNodeWhenTheAgentIsKilled(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, `trap 'echo end > end; exit 0' TERM; echo ready > ready; while :; do sleep 0.01; done`)
		a := r.agent(agentOrder{StopIn: time.Hour, KillIn: time.Hour, DeadIn: time.Hour, LossGrace: time.Hour})
		r.awaitFile("ready")
		a.signal(t, syscall.SIGKILL)
		r.eventually("the node to be dead", func() bool { return len(r.alive()) == 0 })
		r.awaitFile("end")
		r.wantProof(true)
	})
}

func TestGuardKillsWhatDoesNotStopWhenTheAgentIsKilled(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, stubborn)
		a := r.agent(agentOrder{StopIn: time.Hour, KillIn: time.Hour, DeadIn: time.Hour, LossGrace: 100 * time.Millisecond})
		r.awaitFile("daemon")
		a.signal(t, syscall.SIGKILL)
		r.eventually("the node to be dead", func() bool { _, daemon := r.daemon(); return !daemon && len(r.alive()) == 0 })
		r.wantProof(true)
	})
}

// A node that writes while it stops must not hang on, or die of, a pipe that
// nobody reads any more.
func TestNodeThatWritesALotCanStillStopPolitelyWithoutItsAgent(t *testing.T) {
	t.Parallel()
	for name, sig := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "stopped": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, CgroupAuto, `trap 'head -c 3000000 /dev/zero && echo end > end; exit 0' TERM; echo ready > ready; while :; do sleep 0.01; done`)
			a := r.agent(agentOrder{StopIn: time.Second, KillIn: limit, DeadIn: limit, LossGrace: limit})
			r.awaitFile("ready")
			a.signal(t, sig)
			r.awaitFile("end")
		})
	}
}

func TestGuardKillsTheNodeWhenTheAgentIsStopped(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, stubborn)
		a := r.agent(agentOrder{StopIn: 2 * time.Second, KillIn: 2500 * time.Millisecond, DeadIn: time.Hour, Extend: true})
		r.awaitFile("daemon")
		a.signal(t, syscall.SIGSTOP)
		stoppedAt := r.clock.Now().Boot
		r.eventually("the node to be dead", func() bool { _, daemon := r.daemon(); return !daemon && len(r.alive()) == 0 })
		if took := r.clock.Now().Boot - stoppedAt; took > 5*time.Second {
			t.Errorf("dead %v after the agent was stopped, want 2.5 s at most", took)
		}
		a.signal(t, syscall.SIGCONT)
		if err := a.cmd.Wait(); err != nil {
			t.Errorf("agent: %v", err)
		}
	})
}

func TestAgentKillsTheTreeWhenTheGuardIsKilled(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, stubborn)
		n := r.startReady(r.far())
		send(t, n.guardPID(), syscall.SIGKILL)
		r.within(n.Done(), "the tree to be seen dead")
		r.wantDaemonDead()
		res := n.Result()
		if res.Cause != GuardLost || !res.Known || res.Signal != syscall.SIGKILL {
			t.Errorf("result %+v", res)
		}
		n.Wait()
		r.wantProof(true)
	})
}

func TestAgentKillsTheTreeAtTheDeadlineWhenTheGuardIsStopped(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, stubborn)
		d := r.in(2*time.Second, 2300*time.Millisecond, 3*time.Second)
		n := r.startReady(d)
		send(t, n.guardPID(), syscall.SIGSTOP)
		r.within(n.Done(), "the tree to be seen dead")
		r.wantDaemonDead()
		res := n.Result()
		if res.GoneAt < d.KillAt || res.GoneAt > d.DeadBy || res.Cause != Fenced {
			t.Errorf("killed at %v, seen dead at %v, had to be by %v: %+v", d.KillAt, res.GoneAt, d.DeadBy, res)
		}
		n.Wait()
		r.wantProof(true)
	})
}

func TestKillWorksAtOnceWhenTheGuardIsStopped(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, stubborn)
		n := r.startReady(r.far())
		send(t, n.guardPID(), syscall.SIGSTOP)
		n.Kill()
		r.within(n.Done(), "the tree to be seen dead")
		r.wantDaemonDead()
	})
}

func TestStopIsPoliteWhenTheGuardIsStopped(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, `trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done`)
		n := r.startReady(r.far())
		send(t, n.guardPID(), syscall.SIGSTOP)
		n.Stop(2 * time.Second)
		r.awaitText("bye")
		r.within(n.Done(), "the node to be seen dead")
		if res := n.Result(); res.Cause != Planned || !res.Known || res.Code != 0 {
			t.Errorf("result %+v", res)
		}
	})
}

func TestStopEndsByItsGraceWhenTheGuardIsStopped(t *testing.T) {
	t.Parallel()
	r := newRig(t, CgroupOff, stubborn)
	n := r.startReady(r.far())
	send(t, n.guardPID(), syscall.SIGSTOP)
	n.Stop(100 * time.Millisecond)
	r.within(n.Done(), "the tree to be seen dead")
	r.wantDaemonDead()
}

func TestDeadlineEndsTheNode(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, `trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.01; done`)
		d := r.in(1500*time.Millisecond, 20*time.Second, 21*time.Second)
		n := r.startReady(d)
		r.within(n.Done(), "the node to end")
		n.Wait() // its output has been written
		res := n.Result()
		if res.Cause != Fenced || res.Code != 0 || res.GoneAt < d.StopAt || !strings.Contains(r.text(), "asked") {
			t.Errorf("result %+v", res)
		}
	})
}

func TestExtendMovesTheDeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t, CgroupAuto, stubborn)
	d := r.in(1500*time.Millisecond, 1600*time.Millisecond, 2*time.Second)
	n := r.startReady(d)
	later := Deadline{d.StopAt + time.Second, d.KillAt + time.Second, d.DeadBy + time.Second}
	n.Extend(later)
	n.Extend(d) // an older word that comes late changes nothing
	r.within(n.Done(), "the node to end")
	if res := n.Result(); res.GoneAt < later.KillAt || res.GoneAt > later.DeadBy+time.Second {
		t.Errorf("gone at %v, deadline %+v", res.GoneAt, later)
	}
}

func TestLateExtendDoesNotSaveTheNode(t *testing.T) {
	t.Parallel()
	r := newRig(t, CgroupAuto, `trap 'echo asked' TERM; echo ready; while :; do sleep 0.01; done`)
	d := r.in(1500*time.Millisecond, 2*time.Second, 3*time.Second)
	n := r.startReady(d)
	r.awaitText("asked")
	n.Extend(r.far())
	r.within(n.Done(), "the node to end")
	if res := n.Result(); res.Cause != Fenced || res.GoneAt > d.DeadBy+time.Second {
		t.Errorf("result %+v", res)
	}
}

func TestStoppedNodeIsKilledAtTheDeadline(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, stubborn)
		n := r.startReady(r.in(1500*time.Millisecond, 1600*time.Millisecond, 3*time.Second))
		send(t, n.PID(), syscall.SIGSTOP)
		r.within(n.Done(), "the tree to be seen dead")
		r.wantDaemonDead()
	})
}

// The guard is left alone by what is meant for the agent's terminal or for the
// agent's whole group.
func TestGuardOutlivesSignalsForTheAgent(t *testing.T) {
	t.Parallel()
	r := newRig(t, CgroupAuto, "echo ready; exec sleep 1000")
	n := r.startReady(r.far())
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGPIPE} {
		send(t, n.guardPID(), s)
	}
	n.Stop(time.Hour)
	r.within(n.Done(), "the node to end")
	// A signal that the guard ignored would be ignored by the node too.
	if res := n.Result(); res.Cause != Planned || res.Signal != syscall.SIGTERM {
		t.Errorf("result %+v", res)
	}
}

func TestTreeIsFoundByTheNextAgentWhenAgentAndGuardAreKilled(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, strings.ReplaceAll(stubborn, "env -i ", ""))
		a := r.agent(agentOrder{StopIn: time.Hour, KillIn: time.Hour, DeadIn: time.Hour})
		r.awaitFile("daemon")
		// Stopped first, so that neither can do anything about the other's end.
		send(t, a.Guard, syscall.SIGSTOP)
		a.signal(t, syscall.SIGSTOP)
		send(t, a.Guard, syscall.SIGKILL)
		a.signal(t, syscall.SIGKILL)
		if _, alive := r.daemon(); !alive {
			t.Fatal("nothing was left to be found")
		}
		p := r.wantProof(cg == CgroupAuto)
		if p.Killed == 0 {
			t.Errorf("proof %+v", p)
		}
		if _, alive := r.daemon(); alive || len(r.alive()) > 0 {
			t.Errorf("alive after Clean: %v", r.alive())
		}
		// The proof was recorded: it is there for the next one too.
		r.wantProof(cg == CgroupAuto)
	})
}

func TestCleanEndsAGuardThatGoesOn(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, stubborn)
		a := r.agent(agentOrder{StopIn: time.Hour, KillIn: time.Hour, DeadIn: time.Hour, LossGrace: time.Hour})
		r.awaitFile("daemon")
		a.signal(t, syscall.SIGKILL)
		r.wantProof(cg == CgroupAuto)
		if _, alive := r.daemon(); alive && cg == CgroupAuto {
			t.Error("the daemon is alive")
		}
		if p, err := readStat(a.Guard); err == nil && !p.dead() {
			t.Error("the guard is alive")
		}
	})
}

func TestCleanWaitsForAGuardThatStopsItsNodePolitely(t *testing.T) {
	t.Parallel()
	r := newRig(t, CgroupOff, `trap 'sleep 0.3; echo end > end; exit 0' TERM; echo ready > ready; while :; do sleep 0.01; done`)
	a := r.agent(agentOrder{StopIn: time.Hour, KillIn: time.Hour, DeadIn: time.Hour, LossGrace: time.Hour})
	r.awaitFile("ready")
	a.signal(t, syscall.SIGKILL)
	p, err := Clean(t.Context(), CleanOptions{RuntimeDir: r.o.RuntimeDir, Instance: r.o.Instance, Cgroup: r.o.Cgroup, Grace: limit})
	if err != nil || !p.Proven || p.Killed != 0 {
		t.Errorf("got %+v, %v", p, err)
	}
	r.awaitFile("end")
}

func (r *rig) wantProof(proven bool) Proof {
	r.t.Helper()
	o := CleanOptions{RuntimeDir: r.o.RuntimeDir, Instance: r.o.Instance, Cgroup: r.o.Cgroup, Log: r.o.Log}
	p, err := Clean(r.t.Context(), o)
	if err != nil {
		r.t.Fatal(err)
	}
	if p.Proven != proven {
		r.t.Errorf("proof %+v, want proven %v", p, proven)
	}
	return p
}

// wantCleanFails runs Clean for a moment and expects it to name what is left.
func (r *rig) wantCleanFails(pid int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 500*time.Millisecond)
	defer cancel()
	p, err := Clean(ctx, CleanOptions{RuntimeDir: r.o.RuntimeDir, Instance: r.o.Instance, Cgroup: r.o.Cgroup})
	if !errors.Is(err, ErrAlive) || p.Proven || !strings.Contains(err.Error(), strconv.Itoa(pid)) {
		r.t.Errorf("got %+v, %v; want an error that names %d", p, err, pid)
	}
}
