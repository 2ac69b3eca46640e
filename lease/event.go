package lease

import "time"

// Kind says what an [Event] tells.
type Kind int

// The kinds of events.
const (
	Looked      Kind = iota // the database answered a challenger; Observation, Verdict
	LookFailed              // it did not; Err
	Held                    // something keeps a challenger from claiming a lease that is free; Err
	Claiming                // the lease is being taken; Observation, Verdict
	Claimed                 // the lease is ours; Observation, Trust
	ClaimFailed             // somebody else was faster, or the outcome is unknown; Err
	Renewed                 // an acknowledged renewal; Trust, RoundTrip
	RenewFailed             // an attempt without a known outcome; Err, Trust
	Jumped                  // the machine's clock jumped; Jump, Trust
	TermEnding              // the term is over and the node has to be fenced; Err, Trust
	Released                // the lease was given back, with the node seen dead; Observation
	NotReleased             // it could not be given back, others wait for it to stand still; Err
	Hinted                  // the database says that something changed
	MemoRefused             // a memo that no database keeps was not taken; Err
)

var kindNames = [...]string{"looked", "look failed", "held", "claiming", "claimed", "claim failed", "renewed",
	"renew failed", "jumped", "ending", "released", "not released", "hinted", "memo refused"}

// String names the kind for a log line.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "unknown"
	}
	return kindNames[k]
}

// Event is one thing that happened to a lease. It carries all that the decision saw.
type Event struct {
	Kind        Kind
	At          Reading
	Observation Observation
	Verdict     Verdict
	Trust       Trust
	Doubt       bool
	RoundTrip   time.Duration
	Jump        time.Duration
	Err         error
}
