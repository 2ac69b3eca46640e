package agent

import (
	"context"
	"strings"
	"time"

	"github.com/hotcold/hotcold/internal/drive"
)

// Drive is how the shared drive is watched.
type Drive struct {
	// Expect is the drive's directory and what has to serve it.
	Expect drive.Expect
	// HangLimit is how long it may take no write until the node is killed.
	HangLimit time.Duration
	// Fstab is where the machine's mounts are written down; empty: nowhere.
	Fstab string
	// Program is run as the process that looks at the drive: see [drive.ProbeMain].
	Program []string
}

// newDrive makes the watch, if there is anything to watch.
func (a *Agent) newDrive() *drive.Watch {
	d := a.o.Drive
	if d.Expect.Path == "" || a.o.Database == nil {
		return nil
	}
	return drive.NewWatch(drive.WatchOptions{
		Expect: d.Expect, EpochFile: a.o.EpochFile, Instance: a.o.Self.Instance, Lease: a.o.Lease, HangLimit: d.HangLimit, Fstab: d.Fstab, Program: d.Program,
		Told: a.driveTold, Clock: a.o.Clock, Log: a.o.Log,
	})
}

// driveTold takes in how it stands with the drive. It never blocks.
func (a *Agent) driveTold(s drive.State) {
	a.mu.Lock()
	was, holds := a.snap.Drive, a.snap.holds()
	a.standing.drive = s.Fault
	a.mu.Unlock()
	a.change(func(n *Snapshot) { n.Drive = s })
	if holds {
		a.tellDrive(was, s)
	}
	if warnings := strings.Join(s.Warnings, "; "); warnings != "" && warnings != strings.Join(was.Warnings, "; ") {
		a.o.Log.Warn("the shared drive is not mounted as it should be", "machine", a.o.Machine, "path", s.Path, "warnings", s.Warnings)
	}
	if was.Fault != s.Fault {
		a.coldReasons()
	}
}

// tellDrive logs what becomes of the drive while a node runs on it. A cold machine
// says it among its reasons.
func (a *Agent) tellDrive(was, is drive.State) {
	switch {
	case was.Fault == "" && is.Fault != "":
		a.o.Log.Warn("the shared drive does not take writes", "machine", a.o.Machine, "path", is.Path, "limit", a.o.Drive.HangLimit, "err", is.Fault)
	case was.Fault != "" && is.Fault == "" && was.At != (time.Time{}):
		a.o.Log.Info("the shared drive takes writes again", "machine", a.o.Machine, "path", is.Path)
	}
}

// holdDrive has the drive locked and stamped for a term, until what it returns is called.
func (a *Agent) holdDrive(epoch uint64) (leave func()) {
	if a.drive == nil {
		return func() {}
	}
	t := a.drive.Hold(epoch)
	a.mu.Lock()
	a.tenure = t
	a.mu.Unlock()
	return func() {
		a.mu.Lock()
		a.tenure = nil
		a.mu.Unlock()
		a.drive.Release(t)
	}
}

// driveLost delivers why the drive counts as lost; nil where none is held.
func (a *Agent) driveLost() <-chan error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tenure == nil {
		return nil
	}
	return a.tenure.Lost()
}

// fenceFromDrive kills a node whose drive is lost: it can bring nothing to an end
// there, and the other machine may have a drive that works. A drive that came back
// while a person asked for hands off is as good as one that was never away.
func (l *life) fenceFromDrive(ctx context.Context) {
	a, cause := l.a, l.lost
	l.lost = nil
	if ctx.Err() != nil || l.fault != "" || a.drive.State().Well && !drive.Gone(cause) {
		return
	}
	epoch := l.g.Trust().Epoch
	l.fault, l.gone = cause.Error(), true
	l.unready("traffic ends")
	a.o.Log.Error("the shared drive is lost: fencing the node", "machine", a.o.Machine, "epoch", epoch, "err", cause)
	a.change(func(s *Snapshot) { s.Counters.Fences++ })
	a.enter(Fencing, cause.Error())
	a.note(EventFencing, epoch, Document{Text: "fencing the node", Cause: cause.Error()})
	l.node.Kill()
}
