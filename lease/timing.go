package lease

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Settings are the numbers that a person chooses; what is zero is derived.
type Settings struct {
	// Update is how often the holder renews (U, the guide's updateInterval).
	Update time.Duration
	// Wait is how long a challenger must see the row stand still before it may
	// take it (W, the guide's waitInterval).
	Wait time.Duration
	// Fence is the worst time from the moment stopping begins until the last
	// process of the node has been seen dead (K). Zero: 30 % of Wait.
	Fence time.Duration
	// Attempt limits one attempt to renew: connect, execute, commit (T).
	// Zero: as long as leaves three attempts, at most MaxAttempt and, where
	// there is room, at least patientAttempt.
	Attempt time.Duration
}

const (
	// ClockRateError is the worst error of the rate of a machine's clock that
	// is allowed for (rho). Crystals are good to 100 ppm and NTP slews by at
	// most 500 ppm (adjtimex(2)); 2,000 ppm leaves room for a bad virtual machine.
	ClockRateError = 0.002
	// MaxSlack is the time allowed for the scheduler to run what fences (delta).
	// Where Wait is below ten times this, a tenth of Wait is allowed.
	MaxSlack = time.Second
	// MaxAttempt is the longest derived limit of one attempt: a database that
	// has not answered by then is better asked again over a new connection.
	MaxAttempt = 5 * time.Second
	// MinAttempt is the shortest limit of one attempt that can work over a network.
	MinAttempt = 10 * time.Millisecond
	// MinUpdate keeps a typing error (seconds for milliseconds) from flooding the database.
	MinUpdate = 50 * time.Millisecond
	// MaxWait is a day: more is a typing error, not a takeover.
	MaxWait = 24 * time.Hour
	// wantedAttempts is how many attempts the derived limit leaves room for.
	wantedAttempts = 3
	// patientAttempt is what an attempt is given even if fewer fit then. On a
	// machine whose processors are all busy one answer in twenty took 68 ms and
	// several in a minute more than 98 ms (four busy loops on two processors,
	// PostgreSQL beside them): to give up sooner throws answers away that are
	// on their way. With this none was lost in the same minute.
	patientAttempt = 250 * time.Millisecond
	// fenceShare of Wait is the derived Fence.
	fenceShare = 0.3
)

// Timing is a set of numbers for which the inequality has been checked. Make
// one with [Settings.Timing].
type Timing struct {
	Update  time.Duration // U: renewal period
	Wait    time.Duration // W: how long the row must stand still
	Fence   time.Duration // K: from the beginning of stopping to seen dead
	Attempt time.Duration // T: limit of one attempt
	Trust   time.Duration // L: how long after the anchor a node may live
	Slack   time.Duration // delta: allowed for the scheduler
	Spare   int           // m: failed attempts in a row that a holder survives, if then both a read and a write are answered within one T

	breach breach // set by tests of this package only
}

// Default is what is used where nothing is configured: renewed every 2 s,
// taken over after 10 s.
func Default() Settings { return Settings{Update: 2 * time.Second, Wait: 10 * time.Second} }

// ErrUnsafe is matched by the error of [Settings.Timing]: with such numbers two
// nodes could be alive at once, or none could live for long.
var ErrUnsafe = errors.New("unsafe timing")

// Timing derives what is not set and checks the inequality
//
//	W >= (1+rho)/(1-rho) * L + (1+rho) * delta   and   L >= max(U,T) + (m+1)*T + K,  m >= 0
//
// where the first line says that a node is dead, by the clock of the slowest
// allowed machine, before a challenger with the fastest one has waited W, and
// the second that a healthy holder is never stopped for want of time. Trust is
// the greatest L that the first line allows, rounded down.
//
// The error says every number, and the waitInterval that would do.
func (s Settings) Timing() (Timing, error) {
	if err := s.plausible(); err != nil {
		return Timing{}, err
	}
	t := s.derive()
	if !t.holds() {
		return Timing{}, s.unsafe(t)
	}
	return t, nil
}

// plausible refuses numbers that cannot be meant, and with them all that
// arithmetic could overflow on.
func (s Settings) plausible() error {
	var faults []error
	for _, n := range []struct {
		name     string
		is, from time.Duration
		derived  bool // zero means: derive it
	}{
		{"updateInterval", s.Update, MinUpdate, false},
		{"waitInterval", s.Wait, MinUpdate, false},
		{"fenceTimeout", s.Fence, time.Millisecond, true},
		{"attemptTimeout", s.Attempt, MinAttempt, true},
	} {
		if n.derived && n.is == 0 {
			continue
		}
		if n.is < n.from || n.is > MaxWait {
			faults = append(faults, fmt.Errorf("%w: %s is %v, want %v to %v", ErrUnsafe, n.name, n.is, n.from, MaxWait))
		} else if n.is%time.Microsecond != 0 {
			// The row keeps no more, and the others would read other numbers.
			faults = append(faults, fmt.Errorf("%w: %s is %v, want whole microseconds", ErrUnsafe, n.name, n.is))
		}
	}
	return errors.Join(faults...)
}

// holds tells whether a healthy holder has the time to renew: the second line
// of the inequality. The first holds by how Trust is derived.
func (t Timing) holds() bool {
	return t.Attempt >= MinAttempt && t.room() >= t.Attempt
}

// room is the time for attempts from when a renewal is sent until stopping
// begins. Where the last one took longer than a period, the next is sent late.
func (t Timing) room() time.Duration { return t.Trust - t.Fence - max(t.Update, t.Attempt) }

// derive computes without judging.
func (s Settings) derive() Timing {
	t := Timing{Update: s.Update, Wait: s.Wait, Fence: s.Fence, Attempt: s.Attempt}
	t.Slack = min(MaxSlack, s.Wait/10)
	if t.Fence == 0 {
		t.Fence = time.Duration(fenceShare * float64(s.Wait)).Truncate(time.Millisecond)
	}
	usable := float64(t.Wait) - (1+ClockRateError)*float64(t.Slack)
	t.Trust = time.Duration(math.Floor(usable * (1 - ClockRateError) / (1 + ClockRateError))).Truncate(time.Millisecond)
	if t.Attempt == 0 {
		room := t.room()
		t.Attempt = min(MaxAttempt, max(room/wantedAttempts, min(room, patientAttempt))).Truncate(time.Millisecond)
	}
	if t.Attempt > 0 {
		t.Spare = int(t.room()/t.Attempt) - 1
	}
	return t
}

// unsafe explains why t does not hold and what would.
func (s Settings) unsafe(t Timing) error {
	attempt := max(t.Attempt, MinAttempt)
	advice := fmt.Sprintf("no waitInterval up to %v would do: lower fenceTimeout or attemptTimeout", MaxWait)
	if enough, ok := s.enough(); ok {
		advice = fmt.Sprintf("with these numbers waitInterval has to be at least %v", enough)
		if roomy := 3 * s.Update; roomy > enough && roomy <= MaxWait {
			advice += fmt.Sprintf(", and %v leaves room for slow answers", roomy)
		}
	}
	period := max(t.Update, attempt)
	return fmt.Errorf("%w: waitInterval %v leaves a trust of %v, which is less than updateInterval %v (or an attempt that takes longer) + one attempt of %v + fenceTimeout %v = %v: "+
		"another node could be started while this one is still alive; %s",
		ErrUnsafe, t.Wait, t.Trust, t.Update, attempt, t.Fence, period+attempt+t.Fence, advice)
}

// adviceStep is the fineness of the wait that is advised.
const adviceStep = 100 * time.Millisecond

// enough is the least wait, in whole steps, with which the other numbers hold.
// What Wait gives to Trust grows faster than what it gives to a derived Fence,
// so that more wait never makes a sound timing unsound.
func (s Settings) enough() (time.Duration, bool) {
	low, high := time.Duration(0), MaxWait/adviceStep // unsound, unknown
	s.Wait = high * adviceStep
	if !s.derive().holds() {
		return 0, false
	}
	for low+1 < high {
		middle := low + (high-low)/2
		s.Wait = middle * adviceStep
		if s.derive().holds() {
			high = middle
		} else {
			low = middle
		}
	}
	return high * adviceStep, true
}

// Explain writes the inequality down with its numbers, a line each.
func (t Timing) Explain() []string {
	needed := time.Duration(math.Ceil((1+ClockRateError)/(1-ClockRateError)*float64(t.Trust) + (1+ClockRateError)*float64(t.Slack)))
	return []string{
		fmt.Sprintf("a challenger waits W = %v; needed: (1+rho)/(1-rho)*L + (1+rho)*delta = %v with rho = %v, L = %v, delta = %v",
			t.Wait, needed.Truncate(time.Microsecond), ClockRateError, t.Trust, t.Slack),
		fmt.Sprintf("a holder trusts L = %v; needed: max(U,T) + (m+1)*T + K = %v with U = %v, m = %d, T = %v, K = %v",
			t.Trust, max(t.Update, t.Attempt)+time.Duration(t.Spare+1)*t.Attempt+t.Fence, t.Update, t.Spare, t.Attempt, t.Fence),
		fmt.Sprintf("without an answer stopping begins %v after the last renewal was sent, and the node is dead by %v",
			t.Trust-t.Fence, t.Trust),
		fmt.Sprintf("%d failed attempts in a row are survived; a machine that dies is replaced after at most %v, plus the node's own start",
			t.Spare, t.Takeover().Round(time.Millisecond)),
	}
}

// Takeover is the worst time from the last write of a holder whose machine
// dies until a challenger has the lease, where each question of the challenger
// (to the database, and to the drive for the greatest epoch) is answered within
// one attempt. The last write may come right after a look: the next look is
// sent one look (or the slow answer) later and answered one attempt after that;
// then the row has to stand still for Wait by the challenger's own clock, which
// may be slow; then come a look, the greatest epoch and the claim.
//
// The failed attempts that a holder survives do not count here, they come
// before its last write. Each look of the challenger that fails costs at most
// another look and another attempt.
func (t Timing) Takeover() time.Duration {
	slowest := time.Duration(math.Ceil(float64(t.Wait) / (1 - ClockRateError)))
	return max(t.Look(), t.Attempt) + t.Attempt + slowest + 3*t.Attempt
}

// Look is how often a challenger looks: from the sending of one question to
// the sending of the next.
func (t Timing) Look() time.Duration { return min(t.Update, t.Wait/4) }

// agrees compares the numbers that all agents of a pair have to share.
func (t Timing) agrees(r Record) error {
	if t.Update == r.Update && t.Wait == r.Wait && t.Trust == r.Trust && t.Fence == r.Fence {
		return nil
	}
	return &DisagreementError{Holder: r.Holder, Ours: t,
		Theirs: Timing{Update: r.Update, Wait: r.Wait, Trust: r.Trust, Fence: r.Fence}}
}

// DisagreementError says that the row was written by an agent with other timing.
type DisagreementError struct {
	Holder       string
	Ours, Theirs Timing
}

func (e *DisagreementError) Error() string {
	text := fmt.Sprintf("%s runs with other timing:", e.Holder)
	for _, d := range []struct {
		name         string
		ours, theirs time.Duration
	}{
		{"updateInterval", e.Ours.Update, e.Theirs.Update},
		{"waitInterval", e.Ours.Wait, e.Theirs.Wait},
		{"trust", e.Ours.Trust, e.Theirs.Trust},
		{"fenceTimeout", e.Ours.Fence, e.Theirs.Fence},
	} {
		if d.ours != d.theirs {
			text += fmt.Sprintf(" %s is %v here and %v there;", d.name, d.ours, d.theirs)
		}
	}
	return text + " give both machines the same numbers"
}
