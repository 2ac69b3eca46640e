package agent

import (
	"context"
	"errors"
	"time"

	"github.com/hotcold/hotcold/internal/process"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/notice"
)

// heard takes in what the lease reports. It never blocks.
func (a *Agent) heard(e lease.Event) {
	a.o.Beat()
	switch e.Kind {
	case lease.Looked:
		a.looked(e)
	case lease.LookFailed:
		if errors.Is(e.Err, context.Canceled) {
			return // the agent was told to end while it looked: this says nothing about the database
		}
		if a.first(&a.silence) {
			a.o.Log.Warn("the database does not answer: trying again until it does", "machine", a.o.Machine, "err", e.Err)
		}
		a.change(func(s *Snapshot) {
			s.Counters.Looks++
			s.Database.Reachable, s.Database.Error = false, e.Err.Error()
		})
		a.coldReasons()
	case lease.Held:
		a.held(e.Err)
	case lease.Claiming:
		a.o.Log.Info("claiming the lease", "machine", a.o.Machine, "why", e.Verdict.Why, "epoch", e.Observation.Record.Epoch,
			"version", e.Observation.Record.Version, "holder", e.Observation.Record.Holder, "incarnation", e.Observation.Incarnation)
		a.mu.Lock()
		if a.silent = e.Observation.Age; e.Observation.Record.Released {
			a.silent = 0
		}
		a.mu.Unlock()
		a.enter(Claiming, e.Verdict.Why)
	case lease.ClaimFailed:
		a.o.Log.Info("claim did not succeed", "machine", a.o.Machine, "err", e.Err)
		a.enter(Cold, "a claim did not succeed: "+e.Err.Error())
	case lease.Claimed:
		a.claimed(e)
	case lease.Renewed:
		a.renewed(e)
	case lease.RenewFailed:
		a.renewFailed(e)
	case lease.Jumped:
		a.o.Log.Warn("the clock jumped: no traffic until the database has confirmed the lease", "machine", a.o.Machine,
			"jump", e.Jump, "epoch", e.Trust.Epoch)
		a.change(func(s *Snapshot) {
			s.Doubt = true
			s.Counters.ClockJumps++
		})
	case lease.TermEnding:
		a.termEnding(e)
	case lease.Released:
		a.change(func(s *Snapshot) { s.Holder = "" })
		a.o.Log.Info("released the lease", "machine", a.o.Machine, "epoch", e.Observation.Record.Epoch, "successor", e.Observation.Record.Successor)
		a.note(EventReleased, e.Observation.Record.Epoch, Document{Text: "released the lease"})
	case lease.NotReleased:
		a.o.Log.Warn("could not release the lease: the others wait until it has stood still", "machine", a.o.Machine, "err", e.Err)
	case lease.Hinted:
		a.board.pollSoon()
	}
}

func (a *Agent) looked(e lease.Event) {
	r := e.Observation.Record
	now := a.o.Clock.Now()
	a.mu.Lock()
	silence := a.silence
	a.silence, a.lastHolder = false, r.Holder
	a.mu.Unlock()
	if silence {
		a.o.Log.Info("the database answers again", "machine", a.o.Machine)
	}
	a.change(func(s *Snapshot) {
		s.Counters.Looks++
		s.Epoch = max(s.Epoch, r.Epoch)
		s.Holder = r.Holder
		if r.Released {
			s.Holder = ""
		}
		s.Database.Reachable, s.Database.Error = true, ""
		s.Database.LastAnswer, s.Database.Incarnation = now.Wall, e.Observation.Incarnation
	})
	a.mu.Lock()
	mended := a.snap.State == Failed && a.standing.failures(r.Memo).Failures < a.o.Failover.Budget
	a.mu.Unlock()
	if mended {
		a.enter(Cold)
	}
	a.coldReasons()
}

// first tells whether what said stands for has not been said yet, and notes
// that it is now.
func (a *Agent) first(said *bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	was := *said
	*said = true
	return !was
}

// held takes in why a lease that is free is not claimed.
func (a *Agent) held(err error) {
	var failed *FailedError
	var paused *pausedError
	switch {
	case errors.As(err, &failed):
		if a.Snapshot().State != Failed {
			a.o.Log.Error("gave up on the node", "machine", a.o.Machine, "failures", failed.Failures, "holder", failed.By, "err", failed.Why)
		}
		a.enter(Failed, err.Error())
	case errors.As(err, &paused):
		a.enter(Paused, paused.Error())
	default:
		a.enter(Cold, err.Error())
	}
}

func (a *Agent) claimed(e lease.Event) {
	a.mu.Lock()
	a.standing.notBefore, a.lastHolder = 0, a.o.Self.Instance
	a.lastMemo = a.standing.failures(e.Observation.Record.Memo)
	a.mu.Unlock()
	a.change(func(s *Snapshot) {
		s.Counters.Claims++
		s.Epoch, s.Holder, s.Trust, s.Doubt = e.Trust.Epoch, a.o.Self.Instance, e.Trust, false
		s.Confirmed = a.o.Clock.Now()
	})
	a.o.Log.Info("claimed the lease", "machine", a.o.Machine, "epoch", e.Trust.Epoch, "trust", e.Trust.DeadBy-e.Trust.Anchor)
	a.mu.Lock()
	silent := a.silent
	a.mu.Unlock()
	a.board.pollSoon() // a resume may wait for somebody to have the lease
	a.note(EventClaimed, e.Trust.Epoch, Document{Text: "claimed the lease", Seconds: silent.Seconds()})
}

func (a *Agent) renewed(e lease.Event) {
	a.extend(e.Trust)
	now := a.o.Clock.Now()
	a.o.Log.Debug("renewed", "epoch", e.Trust.Epoch, "took", e.RoundTrip)
	wasDown := !a.Snapshot().Database.Reachable
	a.change(func(s *Snapshot) {
		s.Counters.Renewals++
		s.Trust, s.Doubt, s.Confirmed = e.Trust, e.Doubt, now
		s.Database.Reachable, s.Database.Error = true, ""
		s.Database.LastAnswer, s.Database.RoundTripSeconds = now.Wall, e.RoundTrip.Seconds()
		s.Database.Incarnation = e.Observation.Incarnation
	})
	if wasDown {
		a.o.Log.Info("the database answers again", "machine", a.o.Machine, "epoch", e.Trust.Epoch)
	}
}

func (a *Agent) renewFailed(e lease.Event) {
	left := e.Trust.StopAt - a.o.Clock.Now().Boot
	if a.Snapshot().Database.Reachable {
		a.o.Log.Warn("renewal failed: trying again until stopping must begin", "machine", a.o.Machine, "epoch", e.Trust.Epoch,
			"trust", left.Round(time.Millisecond), "err", e.Err)
	}
	a.change(func(s *Snapshot) {
		s.Counters.RenewalFailures++
		s.Trust, s.Doubt = e.Trust, e.Doubt
		s.Database.Reachable, s.Database.Error = false, e.Err.Error()
	})
}

func (a *Agent) termEnding(e lease.Event) {
	a.o.Log.Error("the term has ended: fencing the node", "machine", a.o.Machine, "epoch", e.Trust.Epoch,
		"anchor", e.Trust.Anchor, "stopAt", e.Trust.StopAt, "deadBy", e.Trust.DeadBy, "now", e.At.Boot,
		"version", e.Observation.Record.Version, "err", e.Err)
	a.note(EventLost, e.Trust.Epoch, Document{Text: "the lease could not be kept", Cause: e.Err.Error()})
}

// extend tells the node's guard how long the node may live.
func (a *Agent) extend(t lease.Trust) {
	if n := a.node.Load(); n != nil {
		n.Extend(deadlineOf(t))
	}
}

func deadlineOf(t lease.Trust) process.Deadline {
	return process.Deadline{StopAt: t.StopAt, KillAt: t.KillAt(), DeadBy: t.DeadBy}
}

// note writes an event into the shared history, in the background.
func (a *Agent) note(kind string, epoch uint64, d Document) {
	if a.board == nil {
		return
	}
	d.Machine = a.o.Machine
	a.board.append(notice.Event{Lease: a.o.Lease, Instance: a.o.Self.Instance, Kind: kind, Epoch: epoch, Document: d.encode()})
}
