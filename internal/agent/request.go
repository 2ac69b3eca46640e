package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hotcold/hotcold/lease/notice"
)

// Kinds of requests.
const (
	RequestSwitchover = "switchover"
	RequestPause      = "pause"
	RequestResume     = "resume"
)

// requests looks what operators want.
func (b *board) requests(ctx context.Context) {
	b.drain(ctx) // who hears an answer finds what led to it in the history
	ctx, cancel := context.WithTimeout(ctx, boardLimit)
	defer cancel()
	found, err := b.a.o.Database.Requests(ctx, b.a.o.Lease)
	if err != nil {
		b.a.o.Log.Debug("could not look for requests", "err", err)
		return
	}
	b.pauses(ctx, found)
	for _, r := range found {
		if r.Kind == RequestSwitchover {
			b.switchover(ctx, r)
		}
	}
}

// pausedBy says who asked for hands off, by the requests that have not ended,
// oldest first; empty: nobody.
func pausedBy(found []notice.Request) string {
	by := ""
	for _, r := range found {
		switch {
		case r.Kind == RequestResume:
			by = ""
		case r.Kind == RequestPause && by == "":
			by = r.By
		}
	}
	return by
}

// pauses brings pause and resume into force. A pause stays accepted for as long
// as it is in force, so every agent finds it there; a resume ends it.
func (b *board) pauses(ctx context.Context, found []notice.Request) {
	var inForce []notice.Request
	resumes := map[int64]bool{}
	for _, r := range found {
		switch r.Kind {
		case RequestPause:
			b.accept(ctx, r)
			inForce = append(inForce, r)
		case RequestResume:
			resumes[r.ID] = b.resumes[r.ID] || b.a.forgive()
			b.resume(ctx, r, inForce)
			inForce = nil
		}
	}
	b.resumes = resumes
	b.a.setPaused(pausedBy(found))
}

// resume ends the pauses before it. A resume stays accepted until somebody has
// the lease: the agent that accepted it may be gone, or not the one that could
// run the node, and all that see it let a failed node be tried again.
func (b *board) resume(ctx context.Context, r notice.Request, pauses []notice.Request) {
	if b.accept(ctx, r) {
		b.a.note(EventResumed, b.a.Snapshot().Epoch, Document{Text: "resumed by " + r.By})
	}
	for _, p := range pauses {
		b.answer(ctx, p, notice.StateDone, "resumed by "+r.By)
	}
	s := b.a.Snapshot()
	switch {
	case s.Holder == "":
	case len(pauses) > 0:
		b.answer(ctx, r, notice.StateDone, "resumed: takeover and restart work again")
	default:
		b.answer(ctx, r, notice.StateDone, fmt.Sprintf("nothing is paused, and %s has the lease at epoch %d", s.Holder, s.Epoch))
	}
}

// accept takes an open request on. It returns false where it was not open any
// more, or somebody else was faster.
func (b *board) accept(ctx context.Context, r notice.Request) bool {
	if r.State != notice.StateOpen {
		return false
	}
	ok, err := b.a.o.Database.Accept(ctx, r.ID, b.a.o.Self.Instance)
	if err != nil {
		b.a.o.Log.Warn("could not accept a request", "request", r.Kind, "err", err)
	}
	return ok && err == nil
}

// answer ends a request. It returns false where another agent did.
func (b *board) answer(ctx context.Context, r notice.Request, state, text string) bool {
	ended, err := b.a.o.Database.Answer(ctx, r.ID, state, text)
	if err != nil && !errors.Is(err, notice.ErrEnded) {
		b.a.o.Log.Warn("could not answer a request", "request", r.Kind, "err", err)
	}
	return ended
}

// switchover is a hand-over that a person asked for; it is the cause for which
// a term ends.
type switchover struct {
	id     int64
	target string // instance
	by     string
}

func (s *switchover) Error() string { return "switchover to " + s.target + ", asked for by " + s.by }

// switchover grants, refuses or answers one request.
func (b *board) switchover(ctx context.Context, r notice.Request) {
	s := b.a.Snapshot()
	if b.a.switching(r.ID) {
		return
	}
	by, _ := b.a.pause()
	end := judgeSwitchover(s, by, r)
	if end.grant {
		end = b.grant(ctx, r, s)
	}
	// A request that is not granted goes straight to its end: one that is accepted
	// is being carried out, and whoever is hot would answer that it was.
	if end.state == "" || !b.answer(ctx, r, end.state, end.text) {
		return
	}
	if end.state == notice.StateRefused {
		b.a.note(EventRefused, s.Epoch, Document{Text: "switchover refused", Cause: end.text})
	}
}

// grant begins a switchover, or says why not.
func (b *board) grant(ctx context.Context, r notice.Request, s Snapshot) outcome {
	target, err := b.target(ctx, r.Target)
	switch {
	case err != nil:
		return outcome{state: notice.StateRefused, text: err.Error()}
	case target == s.Instance:
		return outcome{state: notice.StateDone, text: fmt.Sprintf("%s is hot already, at epoch %d", s.Machine, s.Epoch)}
	case !b.accept(ctx, r):
		return outcome{}
	}
	// Where the term ended meanwhile, whoever is hot next says what became of it.
	b.a.handOver(s.Epoch, &switchover{id: r.ID, target: target, by: r.By})
	return outcome{}
}

// staleAfter is how old the last word of an agent may be that a node is handed to.
const staleAfter = 3 * AnnouncePause

// target finds the agent that a switchover goes to.
func (b *board) target(ctx context.Context, wanted string) (string, error) {
	found, err := b.a.o.Database.Instances(ctx, b.a.o.Lease)
	if err != nil {
		return "", fmt.Errorf("the agents could not be read: %w", err)
	}
	return chooseTarget(found, b.a.o.Self.Instance, wanted)
}

// chooseTarget looks for an agent that could take over from self. found is
// ordered by instance, the newest word of each first.
func chooseTarget(found []notice.Instance, self, wanted string) (string, error) {
	why := "no other agent has announced itself"
	if wanted != "" {
		why = fmt.Sprintf("no agent %q has announced itself", wanted)
	}
	former := ""
	for _, i := range found {
		newest := i.ID != former
		former = i.ID
		switch {
		case !newest: // the word of an earlier start
		case wanted == "" && i.ID == self || wanted != "" && wanted != i.ID && wanted != i.Machine:
		case i.ID == self:
			return self, nil
		default:
			if why = unready(i); why == "" {
				return i.ID, nil
			}
		}
	}
	return "", fmt.Errorf("nobody is ready to take over: %s", why)
}

// unready says why an agent could not take over; empty: it could.
func unready(i notice.Instance) string {
	var s Snapshot
	switch err := json.Unmarshal(i.Document, &s); {
	case err != nil:
		return fmt.Sprintf("%s speaks another version of hotcold", i.Machine)
	case i.Age > staleAfter || s.State == Ended:
		return fmt.Sprintf("%s has said nothing for %v", i.Machine, i.Age.Round(time.Second))
	case s.State != Cold || !s.Ready:
		return fmt.Sprintf("%s is %s and not ready: %v", i.Machine, s.State, s.Reasons)
	}
	return ""
}

// switching tells whether this very term is already handing over for request id.
func (a *Agent) switching(id int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.planned != nil && a.planned.id == id
}

// handOver ends the term of that epoch so that the successor takes over. It
// returns false where that term is not hot any more: the next one must not end
// for what was asked of this one.
func (a *Agent) handOver(epoch uint64, s *switchover) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.endTerm == nil || a.snap.State != Hot || a.snap.Epoch != epoch {
		return false
	}
	// Before the term ends, so that the history tells the cause before its effects.
	a.note(EventSwitchover, epoch, Document{Text: "switchover to " + s.target, Cause: "asked for by " + s.by})
	a.planned = s
	a.endTerm(s)
	return true
}

// pause says who asked for hands off, empty: nobody, and what is closed when
// that changes.
func (a *Agent) pause() (by string, changed <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.standing.paused, a.poke
}

// setPaused brings a pause into force or ends it.
func (a *Agent) setPaused(by string) {
	a.mu.Lock()
	was := a.standing.paused
	a.standing.paused = by
	if was != by {
		close(a.poke)
		a.poke = make(chan struct{})
	}
	a.mu.Unlock()
	if was == by {
		return
	}
	if by != "" {
		a.o.Log.Info("paused: nothing is restarted or taken over", "machine", a.o.Machine, "by", by)
		a.note(EventPaused, a.Snapshot().Epoch, Document{Text: "paused by " + by})
	} else {
		a.o.Log.Info("resumed", "machine", a.o.Machine)
	}
	a.change(func(s *Snapshot) {
		s.Paused = by != ""
		switch {
		case s.State == Hot:
			s.Reasons = hotReasons(by)
		case s.State == Paused && !s.holds() && by == "":
			s.State = Cold
		}
	})
	a.coldReasons()
}

// hotReasons is what a hot agent has to say.
func hotReasons(pausedBy string) []string {
	if pausedBy == "" {
		return nil
	}
	return []string{"paused by " + pausedBy}
}

// forgive lets a node be tried again that had failed too often. It returns
// false where it is not known yet what there is to forgive.
func (a *Agent) forgive() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.snap.Epoch == 0 {
		return false
	}
	a.standing.forgiven = max(a.standing.forgiven, a.snap.Epoch)
	a.lastMemo = memo{}
	return true
}
