package process

import (
	"bytes"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// orphans are the processes of a tree whose guard is gone or does not work,
// seen from the agent. They have come to us, their subreaper, as children; other
// parts of the agent have children too, so that having none left proves nothing
// and is of no use here.
//
// Only one pass at a time uses it.
type orphans struct {
	id      string
	guard   int            // the guard's pid
	known   map[int]bool   // sessions of the tree
	killed  map[ident]bool // killed by us
	strange map[ident]bool // dead, and not known to be ours
}

func newOrphans(id string, guard int) *orphans {
	return &orphans{id: id, guard: guard, known: map[int]bool{}, killed: map[ident]bool{}, strange: map[ident]bool{}}
}

type sweepResult struct {
	left   []procStat
	status *unix.WaitStatus // of the main process, if it was reaped now
	calm   bool             // nothing lived and nothing had died since the last pass
	err    error
}

// sweep kills all that is, or was, below the guard and looks what is left. The
// main process, 0 if there was none, leads a session of the tree.
func (o *orphans) sweep(main int, cg cgroup, r sweepResult) sweepResult {
	r.calm = true
	if main > 0 {
		o.known[main] = true
	}
	for range sweepRounds {
		t, err := readTable()
		if err != nil {
			r.err, r.calm = errors.Join(r.err, err), false
			return r
		}
		if fresh := o.sweepTable(t, main, &r); !fresh {
			break
		}
		r.calm = false
	}
	alive, err := cg.populated()
	r.calm, r.err = r.calm && !alive, errors.Join(r.err, err)
	return r
}

// sweepTable kills what one look has found. It tells whether any was new.
func (o *orphans) sweepTable(t table, main int, r *sweepResult) bool {
	fresh := false
	r.left = nil
	for _, p := range t.oldestFirst() {
		if !o.member(t, p.pid) {
			continue
		}
		if p.dead() {
			o.bury(p, main, r)
			continue
		}
		if o.fading(p) {
			r.calm, r.left = false, append(r.left, p)
			continue
		}
		fresh = fresh || !o.killed[p.ident()]
		r.calm, r.left = false, append(r.left, p)
		o.known[p.session], o.killed[p.ident()] = true, true
		r.err = errors.Join(r.err, p.ident().kill())
	}
	return fresh
}

// member tells whether a process belongs to the tree. All of them descend from
// us now, and none of them can be in our session: the guard left it, and there is
// no way back into one.
func (o *orphans) member(t table, pid int) bool {
	self := os.Getpid()
	child := t.childOf(self, pid)
	if child == 0 || t[child].session == t[self].session || pid == o.guard {
		return false
	}
	if child == o.guard || o.known[t[child].session] || t[child].dead() {
		return true
	}
	if o.fading(t[child]) {
		return pid == child
	}
	// Another guard or another node of this agent is none of ours. As process
	// 1 of a container the agent inherits strangers too.
	vars, err := environ(child, NodeMark, GuardMark, resortMark)
	if errors.Is(err, fs.ErrNotExist) {
		return false // its parent has reaped it: what it left behind has come to us, for the next look
	}
	if self == 1 {
		return err == nil && vars[NodeMark] == o.id
	}
	if vars[NodeMark] == o.id {
		return true
	}
	if vars[resortMark] != "" {
		return false // of the guard that we have lost, and not to be hindered
	}
	return vars[GuardMark] == "" && vars[NodeMark] == "" && !unborn(child)
}

// fading tells whether a child of ours is on its way out and may or may not be
// of the tree: its environment is gone already. It is waited for and not taken
// for ours, because the end of another node of this agent is not ours to reap.
func (o *orphans) fading(child procStat) bool {
	if !child.exiting() || child.dead() || o.known[child.session] || o.killed[child.ident()] {
		return false
	}
	_, err := readEnviron(child.pid)
	return errors.Is(err, unix.ESRCH)
}

// unborn tells whether a child of ours is between its fork and its exec: another
// part of the agent is about to start something. Until then it shares our memory
// and shows our own arguments and environment.
func unborn(pid int) bool {
	for _, name := range []string{"cmdline", "environ"} {
		its, err := os.ReadFile(procPath(pid, name))
		ours, ourErr := os.ReadFile("/proc/self/" + name)
		if err != nil || ourErr != nil || !bytes.Equal(its, ours) {
			return false
		}
	}
	return true
}

// bury takes a dead process of the tree off the process table. One that is not
// known to be ours is left: it may be a guard whose end another Node waits for.
func (o *orphans) bury(p procStat, main int, r *sweepResult) {
	if o.killed[p.ident()] || o.known[p.session] {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(p.pid, &ws, unix.WNOHANG, nil)
		if err != nil || pid != p.pid {
			return // its parent is another one
		}
		if pid == main {
			r.status = &ws
		}
		r.calm = false
		return
	}
	if !o.strange[p.ident()] {
		o.strange[p.ident()] = true
		r.calm = false
	}
}
