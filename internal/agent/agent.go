package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/drive"
	"github.com/hotcold/hotcold/internal/machine"
	"github.com/hotcold/hotcold/internal/probe"
	"github.com/hotcold/hotcold/internal/process"
	"github.com/hotcold/hotcold/lease"
)

// Options are what an agent needs.
type Options struct {
	Version string
	// Lease is the lease's name, the same on all machines of a pair.
	Lease string
	// Machine is this machine's name, for people.
	Machine string
	// Self is this agent's identity.
	Self lease.Identity
	// Timing is the lease's checked timing.
	Timing lease.Timing
	// Database keeps the lease and is where agents meet. nil: no lease at
	// all; nothing then keeps a second node from running.
	Database Store
	// Dialect names the kind of database, for people.
	Dialect string

	// Preset is the kind of node, for people.
	Preset string
	// Process is how the node is started. Epoch, Instance, Output, Clock and
	// Log are filled in by the agent; Output, if set, also gets every line.
	Process process.Options
	// Ready are the looks that must all succeed until the node counts as
	// ready; none: it is ready once it runs.
	Ready []probe.Probe
	// ReadyLines are the probes among Ready which want to see the node's output.
	ReadyLines []*probe.LogLine
	// ReadyTimeout is how long a start may take.
	ReadyTimeout time.Duration
	// Health is how a ready node is watched; none: it is well while it runs.
	Health Health
	// StopTimeout is how long a planned stop may take before SIGKILL.
	StopTimeout time.Duration
	// PlannedExits are the ends with which the node asks to be started again.
	PlannedExits []PlannedExit
	// ExitMeaning explains an exit code, or returns "".
	ExitMeaning func(code int) string
	// Ports are addresses that the node will listen on: on a cold machine
	// nobody else may.
	Ports []string
	// BaseDir is the node's base directory, which has to be writable.
	BaseDir string
	// Configured is the configuration in JSON, without its secrets, which the other
	// machine's operators compare with theirs; nil: nothing is told.
	Configured json.RawMessage
	// Twins are what this machine and the others must have alike.
	Twins TwinOptions
	// Checks looks at this machine, which takes its time; nil: nobody does.
	Checks func(context.Context) []machine.Finding
	// LockOut is who is locked out of the database before the node is started.
	LockOut LockOut
	// EpochFile keeps the greatest epoch on the shared drive; empty: none.
	EpochFile string
	// Drive is how the shared drive is watched; without a path it is not. Without a
	// lease there is no epoch to watch it with.
	Drive Drive

	Restart  Restart
	Failover Failover
	// ExitIfHeld ends Run when a living holder is seen (standby = exit).
	ExitIfHeld bool
	// StopOnLoss stops the node at the first failed renewal and ends Run.
	StopOnLoss bool

	// Hurry, when closed, makes a planned stop kill the node at once.
	Hurry <-chan struct{}
	// Published is told of each new snapshot. It must not block.
	Published func(Snapshot)
	// Beat is called whenever the agent's loop turns. It must not block.
	Beat  func()
	Clock clock.Clock
	Log   *slog.Logger
}

// Health is how a node is watched once it is ready.
type Health struct {
	Probes      []probe.Probe
	Interval    time.Duration
	Timeout     time.Duration
	Threshold   int
	StartPeriod time.Duration
}

// Agent runs a node while it holds the lease.
type Agent struct {
	o        Options
	epochs   epochFile
	board    *board // nil without a database
	fit      fitness
	drive    *drive.Watch // nil: none is watched
	node     atomic.Pointer[process.Node]
	former   *process.Node // the last one started; only one term runs at a time
	snapshot atomic.Pointer[Snapshot]

	mu       sync.Mutex // guards all below; never held across I/O
	snap     Snapshot
	standing standing
	endTerm  context.CancelCauseFunc // ends the present Run of the holder; nil between
	chosen   bool                    // the lease that may be claimed was released for this very agent
	silence  bool                    // a cold agent has said that the database does not answer
	unfit    string                  // why this machine could not run the node, as it was said last
	silent   time.Duration           // how old the row was that is being claimed, by the database's clock
	tenure   *drive.Tenure           // the drive is held; nil: it is not
	planned  *switchover             // the switchover that is under way from here
	lastMemo memo                    // what the row says of failures
	// lastHolder is who held the lease last, also after its release; empty: nobody yet.
	lastHolder string
	promise    promise       // what the guarantee of the snapshot was made from
	poke       chan struct{} // closed and renewed when a pause begins or ends
}

// Errors with which Run ends, besides those of packages lease and process.
var (
	// ErrDatabaseLost: the database did not answer and onDatabaseLoss = exit.
	ErrDatabaseLost = errors.New("the database was lost, the node has been stopped")
)

// New checks the options. It starts nothing.
func New(o Options) (*Agent, error) {
	if o.Clock == nil {
		o.Clock = clock.System()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Published == nil {
		o.Published = func(Snapshot) {}
	}
	if o.Beat == nil {
		o.Beat = func() {}
	}
	if o.ExitMeaning == nil {
		o.ExitMeaning = func(int) string { return "" }
	}
	if len(o.Process.Argv) == 0 {
		return nil, errors.New("there is no command to run")
	}
	taken := o.Clock.Now()
	now := taken.Wall
	a := &Agent{o: o, epochs: epochFile(o.EpochFile), poke: make(chan struct{})}
	a.standing.budget = o.Failover.Budget
	a.standing.unsure = o.Database != nil && len(o.Twins.Selection.Identity) > 0
	a.fit = fitness{o: &a.o}
	a.drive = a.newDrive()
	t := o.Timing
	a.snap = Snapshot{
		Version: o.Version, Lease: o.Lease, Instance: o.Self.Instance, Machine: o.Machine, PID: pid(),
		Started: now, State: Cold, Since: now, Leaseless: o.Database == nil,
		Reasons: []string{"just started"}, Confirmed: taken, Slack: t.Slack,
		Timing: Timing{UpdateSeconds: t.Update.Seconds(), WaitSeconds: t.Wait.Seconds(), TrustSeconds: t.Trust.Seconds(),
			FenceSeconds: t.Fence.Seconds(), AttemptSeconds: t.Attempt.Seconds()},
		Node:     Node{Preset: o.Preset},
		Database: Database{Kind: o.Dialect},
		Fencing:  FencingState{On: o.LockOut.By != nil, Role: o.LockOut.Mine, LockedOut: o.LockOut.Others},
	}
	if o.Database != nil {
		a.snap.Timing.TakeoverSeconds = t.Takeover().Seconds()
		a.board = newBoard(a)
	}
	first := a.snap
	a.snapshot.Store(&first)
	return a, nil
}

// Snapshot returns what the agent last said of itself.
func (a *Agent) Snapshot() Snapshot { return *a.snapshot.Load() }

// change alters the snapshot and publishes it.
func (a *Agent) change(f func(s *Snapshot)) {
	a.mu.Lock()
	before := a.snap
	f(&a.snap)
	if a.snap.State != before.State {
		a.snap.Since = a.o.Clock.Now().Wall
	}
	if p := a.snap.promise(); p != a.promise {
		a.promise, a.snap.Guarantee = p, p.guarantee()
	}
	after := a.snap
	a.snapshot.Store(&after) // in here, so that an older one never replaces a newer one
	a.mu.Unlock()
	if a.board != nil && (after.State != before.State || after.Ready != before.Ready || after.Paused != before.Paused) {
		a.board.announceSoon()
	}
	a.o.Published(after)
}

// enter changes the state, with the reasons for it.
func (a *Agent) enter(s State, reasons ...string) {
	was := a.Snapshot().State
	a.change(func(n *Snapshot) {
		n.State, n.Reasons = s, reasons
		n.Ready = s == Hot
	})
	if was != s {
		a.o.Log.Info("state changed", "machine", a.o.Machine, "from", string(was), "to", string(s), "reasons", reasons)
	}
}

// Run is the agent's life. It returns when ctx has ended and the node has been
// seen dead, or earlier with an error that says why it cannot go on; then, too,
// the node is dead.
func (a *Agent) Run(ctx context.Context) error {
	lock, err := process.Acquire(a.o.Process.RuntimeDir)
	if err != nil {
		return err
	}
	defer lock.Release()
	leave, err := stayAlone(a.o.Self.Instance)
	if err != nil {
		return err
	}
	defer leave()
	proven, err := a.clean(ctx)
	if err != nil {
		return err
	}
	defer a.settle()
	if a.o.Database == nil {
		return a.runLeaseless(ctx)
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var workers sync.WaitGroup
	if a.o.Configured != nil {
		a.note(EventConfigured, 0, Document{Text: "the agent has started", Config: a.o.Configured})
	}
	workers.Go(func() { a.board.run(background) })
	if a.drive != nil {
		workers.Go(func() { a.drive.Run(background) })
		a.drive.Known(ctx)
	}
	fit := make(chan struct{}) // closed once it is known what this machine is fit for
	known := sync.OnceFunc(func() { close(fit) })
	workers.Go(func() {
		a.fit.run(background, a.down, func(faults []string) {
			a.fitnessKnown(faults)
			known()
		})
	})
	workers.Go(func() { newTwins(a).run(background) })
	workers.Go(func() { a.runChecks(background) })
	select {
	case <-fit:
	case <-ctx.Done():
	}
	err = a.runLeased(ctx, proven)
	a.enter(Ended)
	stop()
	workers.Wait()
	a.board.flush(context.WithoutCancel(ctx))
	return err
}

// clean makes sure that nothing is left of an earlier agent's node.
func (a *Agent) clean(ctx context.Context) (proven uint64, err error) {
	a.change(func(s *Snapshot) { s.Reasons = []string{"making sure that nothing is left of an earlier node"} })
	proof, err := process.Clean(ctx, process.CleanOptions{
		RuntimeDir: a.o.Process.RuntimeDir, Instance: a.o.Self.Instance, Cgroup: a.o.Process.Cgroup, Clock: a.o.Clock, Log: a.o.Log,
	})
	if err != nil && ctx.Err() != nil && proof.Killed == 0 {
		return 0, context.Cause(ctx) // told to end while it looked, and it had found nothing
	}
	if err != nil {
		return 0, fmt.Errorf("make sure that nothing is left of an earlier node: %w", err)
	}
	if !proof.Proven {
		return 0, nil
	}
	return proof.Epoch, nil
}

// runLeased holds the lease term after term.
func (a *Agent) runLeased(ctx context.Context, proven uint64) error {
	for ctx.Err() == nil {
		h, err := lease.New(lease.Options{
			Name: a.o.Lease, Self: a.o.Self, Timing: a.o.Timing, Store: a.o.Database, Clock: a.o.Clock,
			ProvenEpoch: proven, ExitIfHeld: a.o.ExitIfHeld, StopOnLoss: a.o.StopOnLoss,
			Floor:  a.floor,
			Admit:  a.admit,
			Report: a.heard,
		})
		if err != nil {
			return err
		}
		proven = 0 // from now on the nonce in the row tells our own terms
		if err := a.term(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// term runs one term, from looking at the lease to its release.
func (a *Agent) term(ctx context.Context, h *lease.Holder) error {
	termCtx, end := context.WithCancelCause(ctx)
	defer end(nil)
	a.mu.Lock()
	a.endTerm = end
	a.mu.Unlock()
	result, err := h.Run(termCtx, func(ctx context.Context, t *lease.Term) lease.Ending {
		returned := false
		defer func() {
			if !returned { // somebody called runtime.Goexit: the lease would be renewed for ever
				panic("the work has left without seeing the node dead")
			}
		}()
		e := a.work(ctx, t)
		returned = true
		return e
	})
	a.mu.Lock()
	a.endTerm, a.planned = nil, nil
	a.mu.Unlock()
	switch {
	case err != nil && context.Cause(ctx) != nil:
		return nil
	case err != nil:
		return err
	}
	a.change(func(s *Snapshot) { s.Trust, s.Doubt, s.serve = lease.Trust{}, false, nil })
	if errors.Is(result.Cause, lease.ErrDatabaseLost) {
		return fmt.Errorf("%w: %w", ErrDatabaseLost, result.Cause)
	}
	if a.o.ExitIfHeld && errors.Is(result.Cause, lease.ErrTrustEnded) && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", ErrDatabaseLost, result.Cause)
	}
	if ctx.Err() == nil {
		a.enter(Cold, "the node was stopped here")
	}
	return nil
}
