package drive

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

const (
	// MaxAbandoned is how many probing processes may be left behind in the kernel
	// until nobody looks any more: each costs a process that nothing can end.
	MaxAbandoned = 3
	// answerLimit is how long a look may take until a drive counts as one that hangs.
	answerLimit = 3 * time.Second
	// coldPause is between two looks while cold: what is looked at changes by the hand
	// of a person.
	coldPause = 5 * time.Second
	// hotPause is the longest time between two beats while hot, and beatsPerLimit how
	// many there are within the limit for a drive that hangs, at the least.
	hotPause, beatsPerLimit = 2 * time.Second, 10
	// watchTick is how often a look that hangs is judged anew.
	watchTick = 500 * time.Millisecond
	// endLimit is how long a probing process may take to die at the end.
	endLimit = time.Second
)

// LockHeld is the word of [State] for a lock that is ours.
const LockHeld = string(lockMine)

// State is how it stands with a drive, for people and machines. It is immutable.
type State struct {
	Path   string `json:"path"`
	Kind   Kind   `json:"type,omitempty"`
	Source string `json:"source,omitempty"`
	// ID is the marker's: the same on both machines, or they have two drives.
	ID string `json:"id,omitempty"`
	// Well: it answers, and is what it should be. Fault says why not.
	Well  bool   `json:"well"`
	Fault string `json:"fault,omitempty"`
	// Warnings are what a person should mend.
	Warnings []string  `json:"warnings,omitempty"`
	At       time.Time `json:"at,omitzero"` // when it last answered
	// FsyncSeconds is how long the last write took until it was durable; zero while cold.
	FsyncSeconds float64 `json:"fsyncSeconds,omitempty"`
	// Lock is [LockHeld] while it is ours, "held elsewhere", "lost", or empty.
	Lock string `json:"lock,omitempty"`
	// Holder is who stamped the drive last, where that was somebody else.
	Holder    string `json:"holder,omitempty"`
	FreeBytes uint64 `json:"freeBytes,omitempty"`
	// Abandoned is how many looks hang in the kernel for good.
	Abandoned int `json:"abandoned,omitempty"`
}

// WatchOptions are what a watch needs.
type WatchOptions struct {
	Expect Expect
	// EpochFile keeps the greatest epoch; empty: none.
	EpochFile string
	// Instance is who we are, Lease the name of the pair.
	Instance, Lease string
	// HangLimit is how long the drive may take no write until a hot node is killed.
	HangLimit time.Duration
	// Fstab is where the machine's mounts are written down; empty: nowhere.
	Fstab string
	// Program is what is run as the probing process: our own program and [ProbeMain].
	Program []string
	// Told is called with every state that is new. It must not block.
	Told  func(State)
	Clock clock.Clock
	Log   *slog.Logger
}

// Watch looks at a drive for as long as an agent runs.
type Watch struct {
	o     WatchOptions
	poke  chan struct{}
	first chan struct{} // closed once there is a state

	mu    sync.Mutex // guards what follows
	term  *Tenure    // nil: cold
	state State

	// Of the goroutine in Run alone:
	prober    *prober
	abandoned []*prober
	asked     uint64        // N of the order that is not answered yet; zero: none
	askedAt   time.Duration // boot clock
	n         uint64
	seen      Seen
	id        string
	wellAt    time.Duration // boot clock of the last good answer
	had       lockState
	refused   uint64 // N of the first beat in a row that found the lock held elsewhere
	told      bool   // that a look hangs, since the drive was last well
}

// Tenure is the time in which an agent is hot, as far as the drive goes.
type Tenure struct {
	epoch uint64
	began time.Duration
	lost  chan error
	over  bool // it counts as lost; of the goroutine in Run alone
}

// Lost delivers an error when the drive is lost: the node has to be killed then.
func (t *Tenure) Lost() <-chan error { return t.lost }

// ErrLost is the kind of what [Tenure.Lost] delivers.
var ErrLost = errors.New("the shared drive is lost")

type lostError struct {
	why  string
	gone bool
}

func (e *lostError) Error() string   { return e.why }
func (e *lostError) Is(t error) bool { return t == ErrLost }

// Gone tells whether a drive was lost for good: it is another one, or another agent
// has begun on it. One that only hung may come back.
func Gone(err error) bool {
	var lost *lostError
	return errors.As(err, &lost) && lost.gone
}

// NewWatch makes a watch. It looks at nothing yet.
func NewWatch(o WatchOptions) *Watch {
	return &Watch{o: o, poke: make(chan struct{}, 1), first: make(chan struct{}), state: State{Path: o.Expect.Path, Fault: "the shared drive has not been looked at yet"}}
}

// State is how it stands now. It never blocks.
func (w *Watch) State() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// Known waits until the drive has been looked at once, or counts as one that hangs.
func (w *Watch) Known(ctx context.Context) {
	select {
	case <-w.first:
	case <-ctx.Done():
	}
}

// Hold begins a tenure: from now on the drive is locked, stamped with the epoch, and
// the node has to go when it is lost.
func (w *Watch) Hold(epoch uint64) *Tenure {
	t := &Tenure{epoch: epoch, began: w.o.Clock.Now().Boot, lost: make(chan error, 1)}
	w.mu.Lock()
	w.term = t
	w.mu.Unlock()
	w.nudge()
	return t
}

// Release ends a tenure, once the node has been seen dead: the lock is given up, or is
// left behind with a drive that hangs.
func (w *Watch) Release(t *Tenure) {
	w.mu.Lock()
	if w.term == t {
		w.term = nil
	}
	w.mu.Unlock()
	w.nudge()
}

func (w *Watch) nudge() {
	select {
	case w.poke <- struct{}{}:
	default:
	}
}

func (w *Watch) tenure() *Tenure {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.term
}

// Run watches until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	w.wellAt = w.o.Clock.Now().Boot
	timer := w.o.Clock.Timer(w.wellAt)
	defer timer.Stop()
	defer w.leave()
	var last *Tenure
	for ctx.Err() == nil {
		t := w.tenure()
		if t != last && w.asked == 0 {
			timer.Reset(w.look(t)) // hot or cold as of now: no time to lose
			last = t
		}
		select {
		case <-ctx.Done():
			return
		case <-w.poke:
			continue
		case s, ok := <-w.answers():
			w.answered(s, ok)
			timer.Reset(w.o.Clock.Now().Boot + w.pause(t))
		case <-timer.C():
			switch {
			case w.asked == 0:
				timer.Reset(w.look(t))
				last = t
			case w.late():
				timer.Reset(w.o.Clock.Now().Boot + w.pause(t))
			default:
				w.giveUp()
				timer.Reset(w.o.Clock.Now().Boot + watchTick)
			}
		}
		w.judge(w.tenure())
	}
}

// late takes in an answer that is there already: after a machine or an agent stood
// still, the timer may be the first to be heard.
func (w *Watch) late() bool {
	select {
	case s, ok := <-w.answers():
		w.answered(s, ok)
		return true
	default:
		return false
	}
}

func (w *Watch) pause(t *Tenure) time.Duration {
	if t == nil {
		return coldPause
	}
	return min(hotPause, w.o.HangLimit/beatsPerLimit)
}

// look asks for a look, and returns when to turn to it again.
func (w *Watch) look(t *Tenure) time.Duration {
	now := w.o.Clock.Now().Boot
	if w.prober == nil && !w.replace() {
		return now + watchTick
	}
	w.n++
	o := Order{N: w.n, Expect: w.o.Expect, Instance: w.o.Instance, Lease: w.o.Lease, EpochFile: w.o.EpochFile, Fstab: w.o.Fstab}
	if t != nil {
		o.Epoch = t.epoch
	}
	w.asked, w.askedAt = w.n, now
	w.prober.ask(o)
	return now + watchTick
}

// replace starts a probing process, unless too many hang already.
func (w *Watch) replace() bool {
	w.bury()
	if len(w.abandoned) >= MaxAbandoned {
		return false
	}
	p, err := startProber(w.o.Program)
	if err != nil {
		w.seen = Seen{N: w.n + 1, Fault: err.Error()}
		return false
	}
	w.prober = p
	return true
}

// bury forgets abandoned processes that have died after all.
func (w *Watch) bury() {
	var stuck []*prober
	for _, p := range w.abandoned {
		if !p.dead() {
			stuck = append(stuck, p)
		}
	}
	w.abandoned = stuck
}

func (w *Watch) answers() <-chan Seen {
	if w.prober == nil {
		return nil
	}
	return w.prober.answers
}

// answered takes an answer in, or the end of the probing process.
func (w *Watch) answered(s Seen, ok bool) {
	if !ok {
		w.prober.end()
		w.prober, w.asked = nil, 0
		w.seen.Fault = "what looks at the shared drive has ended"
		return
	}
	w.asked, w.seen = 0, s
	if w.id == "" || w.tenure() == nil && s.ID != "" {
		w.id = s.ID // while cold a person may give the machine another drive
	}
	if w.view(w.tenure()).well() {
		w.wellAt, w.told = w.o.Clock.Now().Boot, false
	}
}

// giveUp leaves a probing process behind that has hung for longer than a drive may:
// it may hang on a mount that is no longer there, while a new one works.
func (w *Watch) giveUp() {
	if w.o.Clock.Now().Boot-w.askedAt < max(w.o.HangLimit, answerLimit) {
		return
	}
	w.prober.end()
	w.abandoned = append(w.abandoned, w.prober)
	w.prober, w.asked = nil, 0
	w.seen.Fault = "the shared drive " + w.o.Expect.Path + " hangs"
	if !w.told {
		w.told = true
		w.o.Log.Warn("a look at the shared drive hangs and is left behind", "path", w.o.Expect.Path, "abandoned", len(w.abandoned))
	}
}

// leave ends the probing process, and with it the lock.
func (w *Watch) leave() {
	if w.prober == nil {
		return
	}
	w.prober.end()
	timer := w.o.Clock.Timer(w.o.Clock.Now().Boot + endLimit)
	defer timer.Stop()
	for {
		select {
		case _, ok := <-w.prober.answers:
			if ok {
				continue
			}
		case <-timer.C():
		}
		return
	}
}

func (w *Watch) view(t *Tenure) view {
	now := w.o.Clock.Now().Boot
	v := view{expect: w.o.Expect, seen: w.seen, id: w.id, silent: now - w.wellAt, hang: w.o.HangLimit, stuck: len(w.abandoned)}
	if w.asked != 0 {
		v.waiting = now - w.askedAt
	}
	if t != nil {
		v.epoch = t.epoch
		v.silent = min(v.silent, now-t.began) // what was before is the business of whoever was fit then
	}
	return v
}

// judge publishes the state, and tells a hot agent that its drive is lost.
func (w *Watch) judge(t *Tenure) {
	w.bury()
	v := w.view(t)
	if v.seen.N == 0 && v.waiting < answerLimit && v.stuck == 0 {
		return // nothing is known yet
	}
	w.publish(w.stateOf(v))
	if t == nil {
		w.had, w.refused = lockNone, 0
		return
	}
	w.tellLock(v)
	why, gone := v.lost()
	if why != "" && !t.over {
		select {
		case t.lost <- &lostError{why, gone}:
		default: // nobody has taken the last one, which says the same
		}
	}
	t.over = why != "" // one that came back may be lost again
}

func (w *Watch) stateOf(v view) State {
	fault := v.fault()
	s := State{Path: v.expect.Path, Kind: v.seen.Mount.Kind(), Source: v.seen.Mount.Source, ID: v.seen.ID, Well: fault == "", Fault: fault,
		At: w.State().At, FsyncSeconds: v.seen.FsyncSeconds, Lock: string(v.seen.Lock), FreeBytes: v.seen.FreeBytes, Abandoned: v.stuck}
	if v.waiting == 0 && v.seen.Fault == "" {
		s.At = w.o.Clock.Now().Wall
	}
	if h := v.seen.Holder.Instance; h != w.o.Instance {
		s.Holder = h
	}
	for _, f := range v.seen.Findings {
		if !f.Unfit() && (f.Level == Warning || f.Level == Fault) && f.Code != "local" {
			s.Warnings = append(s.Warnings, f.String())
		}
	}
	return s
}

func (w *Watch) publish(s State) {
	w.mu.Lock()
	w.state = s
	w.mu.Unlock()
	select {
	case <-w.first:
	default:
		close(w.first)
	}
	w.o.Told(s)
}

// tellLock logs when the lock comes and goes. It is evidence, and nobody waits for it.
func (w *Watch) tellLock(v view) {
	now := v.seen.Lock
	if now != lockElse {
		w.refused = 0
	} else if w.refused == 0 {
		w.refused = v.seen.N
	}
	if now == lockElse && w.refused == v.seen.N {
		return // at a planned hand-over the former holder lets go in this very moment
	}
	if now == w.had || v.seen.Holder.Epoch > v.epoch || now == lockNone {
		return
	}
	attrs := []any{"path", v.expect.Path, "epoch", v.epoch, "holder", v.seen.Holder.Instance, "holderEpoch", v.seen.Holder.Epoch}
	switch now {
	case lockElse:
		w.o.Log.Warn("the lock on the shared drive is held elsewhere: the former holder's machine may still write", attrs...)
	case lockLost:
		w.o.Log.Warn("the drive has given up our lock: it is taken anew", attrs...)
	case lockMine:
		if w.had == lockElse {
			w.o.Log.Info("the lock on the shared drive is ours now", attrs...)
		}
	}
	w.had = now
}
