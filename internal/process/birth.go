package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// role is what a child of the guard is for.
type role uint8

const (
	mainRole   role = iota // the node's main process
	askerRole              // the stop command
	resortRole             // the last resort, which is not part of the tree
	roles
)

// child is one of the guard's own children.
type child struct {
	pid     int            // 0 before it is there and after it was reaped
	verdict <-chan verdict // nil when it was heard
	ended   *unix.WaitStatus
	at      time.Duration // right before the fork
}

// launch starts a child in a role.
func (g *guard) launch(r role, p program) error {
	at := g.clock.Now().Boot
	pid, v, err := p.start()
	if err != nil {
		return err
	}
	g.kids[r] = child{pid: pid, verdict: v, at: at}
	return nil
}

// start starts the node, unless it is too late for it.
func (g *guard) start() {
	if now := g.clock.Now().Boot; now >= g.spec.Deadline.StopAt {
		g.fail(verdict{Text: ErrNoTime.Error()})
		return
	}
	if err := g.arm(); err != nil {
		g.fail(verdict{Text: err.Error()})
		return
	}
	if err := g.launchMain(); err != nil {
		v := verdict{Text: err.Error()}
		errors.As(err, &v.Errno)
		g.fail(v)
		return
	}
	// From here on the node is the only writer of its output, so that the agent
	// sees where it ends. A stop command writes there too.
	if len(g.spec.StopCommand) == 0 {
		closeAll(fdOutWrite, fdErrWrite)
		g.spec.Env = nil
	}
	g.spec.Record.Node.PID = g.kids[mainRole].pid
	// It is not reaped yet, so its entry is there.
	if p, err := readStat(g.spec.Record.Node.PID); err == nil {
		g.spec.Record.Node = p.ident()
	}
	if p, err := readStat(os.Getpid()); err == nil {
		g.spec.Record.Guard = p.ident()
	}
	g.records.put(g.spec.Record)
}

// arm arms the watchdog, if there is one.
func (g *guard) arm() error {
	if g.spec.Watchdog == "" {
		return nil
	}
	d := g.spec.Deadline
	var err error
	g.watchdog, err = openWatchdog(g.spec.Watchdog, d.DeadBy-d.StopAt, g.clock.Now().Boot)
	return err
}

// launchMain starts the node's main process, in its cgroup if that can be had.
func (g *guard) launchMain() error {
	s := &g.spec
	p := program{self: os.Args, path: s.Path, argv: s.Argv, dir: s.Dir, env: s.Env,
		out: [2]uintptr{fdOutWrite, fdErrWrite}, cg: g.cg, dying: true}
	err := g.launch(mainRole, p)
	if err == nil || p.cg == "" || s.CgroupMust {
		return err
	}
	g.noCgroup = err.Error()
	// A record that names a cgroup proves that nothing lives outside of it,
	// so it has to be corrected before something does.
	s.Record.Cgroup = ""
	if err := s.Record.write(s.RecordPath); err != nil {
		return err
	}
	if err := g.cg.remove(); err != nil {
		g.talk.note(g.clock.Now().Boot, err.Error())
	}
	g.cg, p.cg = "", ""
	g.sweeps = newSweeper("")
	return g.launch(mainRole, p)
}

// hear takes a launcher's verdict.
func (g *guard) hear(r role, v verdict) {
	k := &g.kids[r]
	k.verdict = nil
	failed := v != verdict{}
	switch {
	case r == mainRole && failed:
		g.fail(v)
	case r == mainRole && g.fate.phase != running:
		// The silence may be that of a launcher that was stopped on its way,
		// and a node that only just ran is on its way out.
		g.fail(verdict{Text: ErrNoTime.Error()})
	case r == mainRole:
		g.talk.send(report{Kind: reportStarted, At: k.at, PID: g.spec.Record.Node.PID, PIDStart: g.spec.Record.Node.Start,
			Cgroup: string(g.cg), CgroupErr: g.noCgroup, MemoryErr: g.unlocked})
	case r == resortRole:
		g.talk.send(report{Kind: reportResort, At: k.at, Text: v.Text})
	}
	if k.ended != nil {
		g.ended(r, *k.ended)
	}
}

// fail says that there is no node, and lets the guard come to its end.
func (g *guard) fail(v verdict) {
	g.failed = true
	g.talk.send(report{Kind: reportFailed, At: g.clock.Now().Boot, Errno: v.Errno, Text: v.Text})
}

// askPlanned runs the stop command, or sends the signal.
func (g *guard) askPlanned() {
	s := g.spec
	if len(s.StopCommand) == 0 || g.kids[mainRole].pid == 0 {
		g.signal()
		return
	}
	env := append(s.Env[:len(s.Env):len(s.Env)], NodePIDVar+"="+strconv.Itoa(g.kids[mainRole].pid))
	err := g.launch(askerRole, program{self: os.Args, path: s.StopPath, argv: s.StopCommand, dir: s.Dir, env: env,
		out: [2]uintptr{fdOutWrite, fdErrWrite}, cg: g.cg, dying: true})
	if err != nil {
		g.talk.note(g.clock.Now().Boot, "run stop command: "+err.Error()+"; the stop signal is sent")
		g.signal()
	}
}

// ended takes note that a child has ended.
func (g *guard) ended(r role, ws unix.WaitStatus) {
	now := g.clock.Now().Boot
	switch {
	case r == mainRole && !g.failed:
		g.talk.send(report{Kind: reportExited, At: now, Status: uint32(ws)})
		g.step(event{kind: mainExit})
	case r == askerRole && ws.ExitStatus() != 0:
		g.talk.note(now, "stop command ended with "+statusText(ws)+"; the stop signal is sent")
		g.signal()
	case r == resortRole:
		g.talk.note(now, "last resort ended with "+statusText(ws))
	}
}

func statusText(ws unix.WaitStatus) string {
	if ws.Signaled() {
		return "signal " + unix.SignalName(ws.Signal())
	}
	return fmt.Sprintf("exit code %d", ws.ExitStatus())
}

// resortProgram is the last resort, outside of the tree.
func resortProgram(self, argv []string, instance string) (program, error) {
	env := []string{"PATH=" + defaultPath, InstanceVar + "=" + instance, resortMark + "=1"}
	path, err := lookPath(argv[0], "/", env)
	return program{self: self, path: path, argv: argv, dir: "/", env: env}, err
}

// launchResort runs the last resort.
func (g *guard) launchResort() {
	p, err := resortProgram(os.Args, g.spec.LastResort, g.spec.Record.Instance)
	if err == nil {
		g.sweeps.spare(launching)
		err = g.launch(resortRole, p)
		g.sweeps.spare(g.kids[resortRole].pid)
	}
	if err != nil {
		var errno syscall.Errno
		errors.As(err, &errno)
		g.talk.send(report{Kind: reportResort, At: g.clock.Now().Boot, Errno: errno, Text: err.Error()})
	}
}
