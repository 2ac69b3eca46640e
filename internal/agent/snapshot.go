package agent

import (
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/drive"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// State is what an agent is doing.
type State string

// The states of an agent. ARCHITECTURE.md draws how one follows another.
const (
	// Cold: the node is down here; the agent looks at the lease and waits.
	Cold State = "cold"
	// Claiming: the lease was free or stood still for long enough, and is being taken.
	Claiming State = "claiming"
	// Starting: the lease is ours, the node has been started and is not ready yet.
	Starting State = "starting"
	// Hot: the lease is ours and the node is ready.
	Hot State = "hot"
	// Stopping: the node is stopped as planned, while the lease is still renewed.
	Stopping State = "stopping"
	// Fencing: trust is running out or is lost; the node is being killed.
	Fencing State = "fencing"
	// Paused: a person asked for hands off; nothing is claimed or restarted.
	Paused State = "paused"
	// Failed: the node failed too often on both machines; a person has to look.
	Failed State = "failed"
	// Ended: the agent has left in order.
	Ended State = "ended"
)

// Snapshot is what an agent says of itself at one moment. It is immutable once
// published; the page, the JSON, the metrics and the agent's row in the
// database are renderings of it. Times of day are for people.
type Snapshot struct {
	Version  string    `json:"version"`
	Lease    string    `json:"lease"`
	Instance string    `json:"instance"`
	Machine  string    `json:"machine"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`

	State State     `json:"state"`
	Since time.Time `json:"since"`
	// Ready: when hot, the node answers; when cold, this machine could take over.
	Ready bool `json:"ready"`
	// Reasons say why not ready, or why in this state, in words.
	Reasons []string `json:"reasons,omitempty"`

	// Epoch is that of our own term, or the last one seen.
	Epoch uint64 `json:"epoch"`
	// Holder is the instance that held the lease when it was last seen.
	Holder string `json:"holder,omitempty"`
	// Leaseless: mutual exclusion is off, nothing keeps a second node away.
	Leaseless bool `json:"leaseless,omitempty"`
	// Paused: a person asked for hands off.
	Paused bool `json:"paused,omitempty"`

	// Trust is zero unless the lease is ours.
	Trust lease.Trust `json:"-"`
	// Doubt: the machine's clock jumped and the database has not yet said
	// that the lease is still ours; no traffic until it has.
	Doubt bool `json:"doubt,omitempty"`
	// Confirmed is when the database last confirmed the lease, and Slack by how much the time of
	// day may move against the boot clock until the machine counts as paused.
	Confirmed clock.Reading `json:"-"`
	Slack     time.Duration `json:"-"`
	// serve asks the term itself, which knows of its end before anybody else does; nil: there is none.
	serve func(clock.Reading) bool

	Timing   Timing       `json:"timing"`
	Node     Node         `json:"node"`
	Database Database     `json:"database"`
	Fencing  FencingState `json:"fencing,omitzero"`
	// Drive is how it stands with the shared drive; zero where none is watched.
	Drive drive.State `json:"drive,omitzero"`
	// Guarantee is how far the promise goes now; zero until the database has been looked at.
	Guarantee sqlstore.Guarantee `json:"guarantee,omitzero"`
	Counters  Counters           `json:"counters"`
	// Twins is how this machine compares with the other.
	Twins Twins `json:"twins,omitzero"`
	// Checks is what was found about this machine the last time that it was looked at.
	Checks Checks `json:"checks,omitzero"`
}

// Timing is the lease's numbers in seconds, for people and for machines that read JSON.
type Timing struct {
	UpdateSeconds   float64 `json:"updateSeconds"`
	WaitSeconds     float64 `json:"waitSeconds"`
	TrustSeconds    float64 `json:"trustSeconds"`
	FenceSeconds    float64 `json:"fenceSeconds"`
	AttemptSeconds  float64 `json:"attemptSeconds"`
	TakeoverSeconds float64 `json:"takeoverSeconds"` // worst case of the next takeover, the node's own start left out
}

// Node is what is known of the node's process.
type Node struct {
	Preset   string    `json:"preset"`
	PID      int       `json:"pid,omitempty"` // zero: no process
	Started  time.Time `json:"started,omitzero"`
	Ready    time.Time `json:"ready,omitzero"` // when it became ready
	Healthy  bool      `json:"healthy"`
	Restarts int       `json:"restarts"`           // in place, since this term began
	LastExit string    `json:"lastExit,omitempty"` // in words: "exit code 1", "killed by SIGKILL"
	LastLine string    `json:"lastLine,omitempty"` // last output line of a node that ended
	// StartSeconds is how long the last start took from process to ready;
	// KillSeconds the longest time a kill took until the node was seen dead.
	StartSeconds float64 `json:"startSeconds,omitempty"`
	KillSeconds  float64 `json:"killSeconds,omitempty"`
}

// Database is what is known of the database that keeps the lease.
type Database struct {
	Kind        string    `json:"kind"`
	Reachable   bool      `json:"reachable"`
	LastAnswer  time.Time `json:"lastAnswer,omitzero"`
	Error       string    `json:"error,omitempty"`
	Incarnation string    `json:"incarnation,omitempty"`
	// RoundTripSeconds is how long the last answered statement took.
	RoundTripSeconds float64 `json:"roundTripSeconds,omitempty"`
	// Replication is how it is replicated; a part of the guarantee.
	Replication sqlstore.Replication `json:"-"`
}

// FencingState is what is known of locking the other machines' nodes out of the database.
type FencingState struct {
	// On: it is asked for. All else is zero where it is not.
	On bool `json:"on"`
	// Role is the one that is let in here, LockedOut are those that lose their login.
	Role      string   `json:"role,omitempty"`
	LockedOut []string `json:"lockedOut,omitempty"`
	// Epoch is the term of the last one that succeeded here, At when that was, Seconds how long it took.
	Epoch   uint64    `json:"epoch,omitempty"`
	At      time.Time `json:"at,omitzero"`
	Seconds float64   `json:"seconds,omitempty"`
	// Prepared is how many transactions of the others were prepared then.
	Prepared int `json:"prepared,omitempty"`
	// Error is why the last try failed; empty where it succeeded.
	Error string `json:"error,omitempty"`
}

// Counters only grow while the agent lives.
type Counters struct {
	Renewals        uint64 `json:"renewals"`
	RenewalFailures uint64 `json:"renewalFailures"`
	Looks           uint64 `json:"looks"`
	Claims          uint64 `json:"claims"`
	Fences          uint64 `json:"fences"`
	NodeStarts      uint64 `json:"nodeStarts"`
	NodeExits       uint64 `json:"nodeExits"`
	ClockJumps      uint64 `json:"clockJumps"`
	LockOuts        uint64 `json:"lockOuts"`
	LockOutFailures uint64 `json:"lockOutFailures"`
}

// HotAt tells whether traffic may be sent here. It is computed from the clock
// whenever it is asked, so that it turns false on time even if all else hangs.
func (s Snapshot) HotAt(now clock.Reading) bool {
	if s.State != Hot || !s.Ready {
		return false
	}
	if s.Leaseless {
		return true
	}
	// The lease finds a jump at its next turn; whoever asks finds it at once.
	jumped := s.Slack > 0 && now.Jump(s.Confirmed).Abs() > s.Slack
	return !s.Doubt && !jumped && now.Boot < s.Trust.StopAt && (s.serve == nil || s.serve(now))
}

// holds tells whether the lease is ours.
func (s Snapshot) holds() bool { return s.Trust != lease.Trust{} }

// TrustLeft is how long the node may still be alive without another renewal;
// zero where the lease is not ours.
func (s Snapshot) TrustLeft(now clock.Reading) time.Duration {
	return max(0, s.Trust.DeadBy-now.Boot)
}
