package lease

import (
	"context"
	"errors"
	"fmt"
)

// beginning is an acknowledged claim.
type beginning struct {
	tenure Tenure
	// sent is the reading before the claim was sent: if the machine was paused
	// since, the claim tells nothing about now.
	sent Reading
}

// claim watches the lease until it is ours. What it leaves undecided when it
// ends without the lease is given back.
func (h *Holder) claim(ctx context.Context) (beginning, error) {
	b, unsure, err := h.contend(ctx)
	if err != nil && unsure {
		h.giveBack(context.WithoutCancel(ctx))
	}
	return b, err
}

// contend looks and claims. unsure says that the outcome of a claim is unknown.
func (h *Holder) contend(ctx context.Context) (b beginning, unsure bool, err error) {
	c := NewChallenge(h.o.Timing, h.o.Self, h.o.ProvenEpoch)
	for ctx.Err() == nil {
		asked := h.o.Clock.Now()
		again := asked.Boot + h.o.Timing.Look()
		o, err := h.read(ctx)
		if err != nil {
			h.report(Event{Kind: LookFailed, Err: err})
			h.wait(ctx, again)
			continue
		}
		now := h.o.Clock.Now() // after the answer came
		if h.o.Timing.breaks(waitFromQuestion) {
			now = asked
		}
		c = c.Observe(o, now)
		if h.o.Timing.breaks(claimReadBack) && c.Mine() {
			return beginning{NewTenure(h.o.Timing, h.o.Self, o, asked.Boot, h.o.StopOnLoss), asked}, false, nil
		}
		v, err := c.Verdict(now)
		h.report(Event{Kind: Looked, Observation: o, Verdict: v, Err: err})
		switch {
		case err != nil:
			return beginning{}, unsure, err
		case h.o.ExitIfHeld && c.Held():
			return beginning{}, unsure, &HeldError{Holder: o.Record.Holder, Epoch: o.Record.Epoch}
		case !v.Claim:
			h.wait(ctx, min(again, now.Boot+v.In))
			continue
		}
		next, err := h.prepare(ctx, c)
		if err != nil {
			h.report(Event{Kind: Held, Observation: o, Err: err})
			h.wait(ctx, again)
			continue
		}
		h.report(Event{Kind: Claiming, Observation: o, Verdict: v})
		b, err := h.take(ctx, o, next)
		if err == nil {
			return b, false, nil
		}
		h.report(Event{Kind: ClaimFailed, Observation: o, Err: err})
		unsure = unsure || !errors.Is(err, ErrChanged)
		h.wait(ctx, again)
	}
	return beginning{}, unsure, context.Cause(ctx)
}

// prepare makes the row that claims, or says why nothing is claimed now.
func (h *Holder) prepare(ctx context.Context, c Challenge) (Record, error) {
	if h.o.Admit != nil {
		if err := h.o.Admit(c.Seen()); err != nil {
			return Record{}, err
		}
	}
	if h.o.Floor == nil {
		return c.Next(0), nil
	}
	floor, err := ask(ctx, h, h.floors, h.o.Floor)
	if err != nil {
		return Record{}, fmt.Errorf("read the greatest epoch: %w", err)
	}
	return c.Next(floor), nil
}

// take writes the claim once. Only an acknowledged write begins a term: a claim
// that is read back later is claimed anew, which the row allows at once. A
// caller who wants to end waits for the outcome, for one attempt at most,
// because a claim that nobody knows of keeps everybody out for the wait.
func (h *Holder) take(ctx context.Context, seen Observation, next Record) (beginning, error) {
	sent := h.o.Clock.Now() // before the request is sent
	if _, err := ask(context.WithoutCancel(ctx), h, h.calls, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, h.o.Store.Swap(ctx, seen, next)
	}); err != nil {
		return beginning{}, err
	}
	if h.o.Timing.breaks(anchorAtAnswer) {
		sent = h.o.Clock.Now()
	}
	row := Observation{Exists: true, Record: next, Incarnation: seen.Incarnation}
	t := NewTenure(h.o.Timing, h.o.Self, row, sent.Boot, h.o.StopOnLoss)
	h.report(Event{Kind: Claimed, Observation: row, Trust: t.Trust()})
	return beginning{t, sent}, nil
}

// giveBack releases a claim that arrived although nobody told us. No work was
// begun under it. One that arrives later than this is left to the wait.
func (h *Holder) giveBack(ctx context.Context) {
	o, err := h.read(ctx)
	if err != nil {
		h.report(Event{Kind: NotReleased, Err: err})
		return
	}
	if !h.o.Self.owns(o) || o.Record.Released {
		return
	}
	t := &term{h: h, tenure: NewTenure(h.o.Timing, h.o.Self, o, h.o.Clock.Now().Boot, false)}
	if err := t.release(ctx, ""); err != nil {
		h.report(Event{Kind: NotReleased, Err: err, Observation: o})
	}
}
