package process

import (
	"errors"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// run watches over the node until nothing of its tree is left.
func (g *guard) run() {
	orders, agent := g.orders, g.agent
	g.start()
	g.reap()
	for g.fate.phase != gone {
		g.timer.Reset(min(g.fate.wake(), g.watchdog.due(g.fate.deadline.DeadBy)))
		select {
		case o, ok := <-orders:
			if !ok {
				orders = nil
				g.lost()
				break
			}
			g.obey(o)
		case <-agent:
			agent = nil
			g.lost()
		case v := <-g.kids[mainRole].verdict:
			g.hear(mainRole, v)
			debug.FreeOSMemory() // what the start took, the environment above all
		case v := <-g.kids[askerRole].verdict:
			g.hear(askerRole, v)
		case v := <-g.kids[resortRole].verdict:
			g.hear(resortRole, v)
		case <-g.childs:
		case <-g.empty:
			g.empty = nil
		case <-g.timer.C():
		}
		g.reap()
		g.step(event{kind: tick})
		g.watchdog.feed(g.clock.Now().Boot, g.fate.deadline.DeadBy)
	}
	if err := g.watchdog.sleep(); err != nil {
		g.talk.note(g.clock.Now().Boot, err.Error())
	}
}

func (g *guard) lost() {
	g.openValve().agentLost()
	g.step(event{kind: lost})
}

func (g *guard) obey(o order) {
	g.step(event{kind: extend, deadline: o.Deadline})
	if o.Stop {
		g.step(event{kind: stop, killAt: o.StopBy})
	}
	if o.Kill {
		g.step(event{kind: kill})
	}
}

// step decides and does. Nothing that it does waits.
func (g *guard) step(e event) {
	before := g.fate.phase
	now := g.clock.Now().Boot
	next, acts := g.fate.next(now, e)
	g.fate = next
	if acts.has(askPlanned) {
		g.askPlanned()
	}
	if acts.has(askFenced) {
		g.openValve()
		g.signal()
	}
	if acts.has(killPass) {
		g.killGroup()
		g.sweeps.trigger()
	}
	if acts.has(tellOverdue) {
		g.overdue(now)
	}
	if before < stopping && next.phase >= stopping && next.phase < gone {
		g.talk.send(report{Kind: reportStopping, At: now, Cause: next.cause})
	}
	if before < killing && next.phase == killing {
		g.talk.send(report{Kind: reportKilling, At: now, Cause: next.cause})
	}
}

// signal sends the stop signal to the node's process group. The main process
// leads that group and is reaped by this goroutine alone, so its number cannot
// have gone to another process.
func (g *guard) signal() {
	if g.kids[mainRole].pid == 0 {
		return
	}
	err := unix.Kill(-g.kids[mainRole].pid, g.spec.StopSignal)
	if errors.Is(err, unix.ESRCH) {
		// The group is empty between fork and setsid.
		err = unix.Kill(g.kids[mainRole].pid, g.spec.StopSignal)
	}
	if err != nil && !errors.Is(err, unix.ESRCH) {
		g.talk.note(g.clock.Now().Boot, "send stop signal: "+err.Error())
	}
}

// killGroup kills the node's process group, which is most often all of the tree.
func (g *guard) killGroup() {
	if g.kids[mainRole].pid != 0 {
		_ = unix.Kill(-g.kids[mainRole].pid, unix.SIGKILL) // the sweep finds what this misses
	}
}

// reap takes the dead off the process table. When no child is left, nothing of
// the tree is left: the guard is its subreaper, so every process of the tree has
// an ancestor among the guard's children. The kernel answers that in one step,
// without a look through /proc that a fork could slip through.
func (g *guard) reap() {
	g.peek()
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG|unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ECHILD):
			g.childless()
			return
		case err != nil || pid == 0:
			return
		default:
			g.reaped(pid, ws)
		}
	}
}

// peek looks whether the main process has exited, before it is reaped: as long
// as it is not, its number and that of its group cannot mean another one.
func (g *guard) peek() {
	if g.kids[mainRole].pid == 0 || g.fate.phase == stopping {
		return // in a stop the rest of the tree keeps its grace
	}
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, g.kids[mainRole].pid, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	if err == nil && info.Signo == int32(unix.SIGCHLD) {
		g.killGroup()
	}
}

func (g *guard) reaped(pid int, ws unix.WaitStatus) {
	for r := range roles {
		k := &g.kids[r]
		if k.pid != pid {
			continue
		}
		k.pid = 0
		if r == resortRole {
			g.sweeps.spare(nobody) // the number may be given to a process of the node
		}
		if k.verdict != nil {
			k.ended = &ws // its launcher's verdict comes first
			return
		}
		g.ended(r, ws)
		return
	}
}

// childless ends the watch unless something entered the cgroup from outside, or
// is on its way out of it: a process leaves it a moment after it was reaped.
func (g *guard) childless() {
	for _, k := range g.kids {
		if k.verdict != nil {
			return
		}
	}
	if g.fate.phase == gone {
		return
	}
	alive, err := g.cg.populated()
	if alive {
		if g.empty == nil {
			g.empty = g.cg.watchEmpty()
		}
		if err != nil {
			g.talk.note(g.clock.Now().Boot, err.Error())
		}
		return
	}
	now := g.clock.Now().Boot
	g.step(event{kind: treeGone})
	g.talk.send(report{Kind: reportGone, At: now})
	if err := g.cg.remove(); err != nil {
		g.talk.note(now, err.Error())
	}
	g.spec.Record.Dead = true
	g.records.put(g.spec.Record)
}

func (g *guard) overdue(now time.Duration) {
	left, err := remaining(os.Getpid(), g.cg)
	r := report{Kind: reportOverdue, At: now, Left: left}
	if err != nil {
		r.Text = err.Error()
	}
	g.talk.send(r)
	if len(g.spec.LastResort) == 0 {
		return
	}
	g.launchResort()
}

func (g *guard) openValve() *valve {
	if g.valve == nil {
		g.valve = newValve(g.clock, fdOutRead, fdErrRead)
	}
	return g.valve
}

// close lets what was said and written reach the agent and the disk, within a
// limit: with the node gone, a guard that waits for ever serves nobody.
func (g *guard) close() {
	limit := g.clock.Timer(g.clock.Now().Boot + guardFlush)
	defer limit.Stop()
	for _, done := range []<-chan struct{}{g.talk.close(), g.records.close()} {
		select {
		case <-done:
		case <-limit.C():
			return
		}
	}
}
