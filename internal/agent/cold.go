package agent

import (
	"context"
	"strings"

	"github.com/hotcold/hotcold/lease"
)

// admit is asked by the lease before each claim, and floor after it.
func (a *Agent) admit(o lease.Observation) error {
	now := a.o.Clock.Now().Boot
	a.mu.Lock()
	defer a.mu.Unlock()
	a.chosen = chosen(a.o.Self.Instance, o)
	return admit(a.standing, a.chosen, o, now)
}

// floor returns the greatest epoch that the drive knows of. Before that it asks
// once more whether a person wants hands off: an agent that has just started
// would not know, nor one whose twin was paused and then stopped right away.
func (a *Agent) floor(ctx context.Context) (uint64, error) {
	found, err := a.o.Database.Requests(ctx, a.o.Lease)
	if err != nil {
		return 0, err
	}
	a.mu.Lock()
	chosen := a.chosen
	a.mu.Unlock()
	if by := pausedBy(found); by != "" && !chosen {
		a.board.pollSoon()
		return 0, &pausedError{by: by}
	}
	return a.epochs.read()
}

// down tells whether no node of ours is meant to be up.
func (a *Agent) down() bool {
	s := a.Snapshot().State
	return s == Cold || s == Failed
}

// fitnessKnown takes in what was found about this machine.
func (a *Agent) fitnessKnown(faults []string) {
	a.mu.Lock()
	a.standing.faults = faults
	a.mu.Unlock()
	a.coldReasons()
}

// coldReasons brings a cold agent's Ready and Reasons up to date.
func (a *Agent) coldReasons() {
	a.mu.Lock()
	s := a.standing
	state, holds := a.snap.State, a.snap.holds()
	reachable, holder := a.snap.Database.Reachable, a.snap.Holder
	dbError := a.snap.Database.Error
	a.mu.Unlock()
	if state != Cold && state != Paused && state != Failed || holds {
		return // whoever holds the lease says by itself how it stands
	}
	if state != Cold && s.paused == "" {
		return
	}
	var reasons []string
	switch {
	case !reachable && dbError == "":
		reasons = append(reasons, "the database has not answered yet")
	case !reachable:
		reasons = append(reasons, "the database does not answer: "+dbError)
	}
	reasons = append(reasons, s.unfit()...)
	if s.unsure {
		reasons = append(reasons, errUnsure.Error())
	}
	if err := chance(s, a.o.Clock.Now().Boot); err != nil {
		reasons = append(reasons, err.Error())
	}
	ready := len(reasons) == 0
	if ready && holder != "" {
		reasons = []string{holder + " holds the lease"}
	}
	if s.paused != "" {
		ready, reasons = false, append([]string{"paused by " + s.paused}, reasons...)
	}
	a.change(func(n *Snapshot) {
		if n.State == state { // it may have moved on meanwhile
			n.Ready, n.Reasons = ready, reasons
		}
	})
	if reachable { // else the database's silence has been told
		a.tellFitness(s.unfit())
	}
}

// tellFitness logs when a cold machine becomes unfit to take over, or fit again.
func (a *Agent) tellFitness(faults []string) {
	a.mu.Lock()
	was := a.unfit
	a.unfit = strings.Join(faults, "; ")
	now := a.unfit
	a.mu.Unlock()
	switch {
	case now == was:
	case now != "":
		a.o.Log.Warn("this machine could not run the node", "machine", a.o.Machine, "reasons", faults)
	default:
		a.o.Log.Info("this machine could run the node again", "machine", a.o.Machine)
	}
}
