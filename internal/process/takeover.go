package process

import (
	"errors"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// This file is what the agent does when its guard does not do its work.

// patience is how long a guard may take to say that it has begun what it has
// to do. It is a part of the time that killing has, and short, because a guard
// that runs answers within a millisecond.
func (n *Node) patience() time.Duration {
	d := n.fate.deadline
	return min(max((d.DeadBy-d.KillAt)/4, 20*time.Millisecond), 250*time.Millisecond)
}

func (g guardHandle) kill() {
	// A guard that is gone already is what we want.
	_ = unix.PidfdSendSignal(g.pidfd, unix.SIGKILL, nil, 0)
}

// awaitKilling gives the guard a moment to say that it kills.
func (n *Node) awaitKilling() {
	if !n.guardless && !n.obeyed {
		n.ackBy = n.clock.Now().Boot + n.patience()
	}
}

// awaitOverdue gives the guard a moment to report what is left, which is also
// when it runs the last resort. Without a guard we do both.
func (n *Node) awaitOverdue() {
	if n.guardless {
		n.tellOverdue()
		return
	}
	if !n.resorted {
		n.ackBy = n.clock.Now().Boot + n.patience()
	}
}

// superviseGuard kills a guard that had its moment. Its children come to us then.
func (n *Node) superviseGuard() {
	now := n.clock.Now().Boot
	if n.askBy > 0 && now >= n.askBy {
		n.askBy = 0
		n.askNode()
	}
	if n.tellBy > 0 && now >= n.tellBy {
		n.tellWhatIsLeft()
	}
	if n.guardless || n.ackBy == 0 {
		return
	}
	if n.obeyed && (!n.fate.overdue || n.resorted) {
		n.ackBy = 0
		return
	}
	if now >= n.ackBy {
		n.ackBy = 0
		n.log.Warn("guard does not obey and is killed", "guard", n.guard.pid, "pid", n.main.PID)
		n.guard.kill()
	}
}

// lastWords is how long a dead guard's words may take to arrive. They are in
// our socket already, so this is for a child that holds the other end by accident.
const lastWords = 100 * time.Millisecond

// hearRest takes what the guard said before it ended.
func (n *Node) hearRest() {
	limit := n.clock.Timer(n.clock.Now().Boot + lastWords)
	defer limit.Stop()
	for {
		select {
		case r := <-n.reports:
			n.hear(r)
		case <-n.heard:
			return
		case <-limit.C():
			return
		}
	}
}

// askNode sends the stop signal in place of a guard that has not said that it
// did. The guard stays: while it is there it may still wake up and be of use.
func (n *Node) askNode() {
	if n.fate.phase != stopping || n.guardless || n.main.PID == 0 {
		return
	}
	err := n.main.signal(n.o.StopSignal)
	n.log.Warn("guard does not answer, the agent sends the stop signal", "guard", n.guard.pid, "pid", n.main.PID, "err", err)
}

func (n *Node) loseGuard() {
	if n.fate.phase == gone {
		return
	}
	n.guardless, n.ackBy = true, 0
	if n.failure == nil {
		n.log.Warn("guard is gone, the agent kills the node's processes", "guard", n.guard.pid, "pid", n.main.PID)
	}
	n.step(event{kind: lost})
	n.sweep()
	if n.fate.overdue && !n.resorted {
		n.tellOverdue()
	}
}

// helpAfter is when we help a guard that has not said that it kills, without
// taking its place yet: a scan of /proc costs more than it takes to answer.
const helpAfter = 10 * time.Millisecond

// sweep begins a pass of killing in a goroutine of its own: neither a cgroup
// nor /proc may hold up the watch.
func (n *Node) sweep() {
	if n.sweeping {
		return
	}
	n.sweeping = true
	cg, pid, alone := n.cg, n.main.PID, n.guardless
	help := !n.obeyed && n.clock.Now().Boot > n.fate.killedAt+helpAfter
	n.helpers.Go(func() {
		r := sweepResult{err: cg.kill()}
		if alone || help {
			r = n.orphans.sweep(pid, cg, r)
		}
		r.calm = r.calm && alone
		n.swept <- r
	})
}

// judge takes the result of a pass.
func (n *Node) judge(r sweepResult) {
	n.sweeping, n.left = false, r.left
	if n.tellBy > 0 && len(n.left) > 0 {
		n.tellWhatIsLeft()
	}
	if r.status != nil {
		n.exit(*r.status, n.clock.Now().Boot)
	}
	if !r.calm || r.err != nil {
		n.calm = 0
		return
	}
	n.calm++
	// One look through /proc can miss a process that forks while it is
	// taken; its parent would leave a trace that the second look sees.
	if n.calm >= 2 {
		n.step(event{kind: treeGone})
		return
	}
	n.sweep()
}

// tellOverdue reports what is left and runs the last resort. Where no pass has
// looked yet what is left, the report waits for the one that is under way, but
// not for long: what is stuck may hold it up.
func (n *Node) tellOverdue() {
	if !n.overdue {
		n.overdue = true
		n.tellBy = n.clock.Now().Boot
		if len(n.left) == 0 {
			n.tellBy += n.patience()
		}
	}
	n.resorted = true
	if len(n.o.LastResort) == 0 {
		return
	}
	n.runResort()
}

// tellWhatIsLeft says what the last pass found.
func (n *Node) tellWhatIsLeft() {
	n.tellBy = 0
	left := make([]Leftover, len(n.left))
	for i, p := range n.left {
		left[i] = leftover(p)
	}
	n.tellLeft(left, "")
}

// runResort runs the last resort in place of the guard. Nobody waits for it.
func (n *Node) runResort() {
	p, err := resortProgram(n.o.guardArgv(), n.o.LastResort, n.o.Instance)
	p.near = true // in another session it would be taken for the node's
	var pid int
	if err == nil {
		pid, _, err = p.start()
	}
	n.log.Warn("last resort is run by the agent", "err", err)
	if err != nil {
		return
	}
	n.helpers.Go(func() {
		for _, err := unix.Wait4(pid, nil, 0, nil); errors.Is(err, unix.EINTR); {
			_, err = unix.Wait4(pid, nil, 0, nil)
		}
	})
}

// tellLeft says, once, what a person has to look at.
func (n *Node) tellLeft(left []Leftover, text string) {
	words := make([]string, len(left))
	for i, l := range left {
		words[i] = l.String()
	}
	n.log.Error("the node's processes do not die: the lease is not released", "epoch", n.o.Epoch,
		"left", strings.Join(words, ", "), "lastResort", len(n.o.LastResort) > 0, "err", text)
}
