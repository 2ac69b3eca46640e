package balancer

import (
	"time"

	"github.com/hotcold/hotcold/internal/config"
)

// Snapshot is what a balancer knows at one moment. It is immutable; the page, the JSON and the metrics are renderings
// of it. Times of day are for people.
type Snapshot struct {
	// Lease is the pair's, and Profile whose manners the balancer has.
	Lease   string         `json:"lease"`
	Profile config.Profile `json:"profile"`
	Started time.Time      `json:"started"`
	// Agents: the word of an agent elects. Otherwise the machines are known by their looks alone.
	Agents bool `json:"agents"`
	// Epoch is the greatest that was ever heard of; where no agent is asked it counts the balancer's own choices.
	Epoch uint64 `json:"epoch"`
	// Groups are the rules that move together: one in the profile of a pair, one for each probe otherwise.
	Groups   []GroupState   `json:"groups"`
	Machines []MachineState `json:"machines"`
	// Alarms are what a person should look at now.
	Alarms []Alarm `json:"alarms,omitempty"`
	// Config is what is in force. It holds no secret in the clear.
	Config   config.Balancer `json:"-"`
	Counters Counters        `json:"counters"`
	// Flows are the data path's own.
	Flows Flows `json:"flows"`
}

// Target is the first group's, which is the service's in the profile of a pair.
func (s Snapshot) Target() Target {
	if len(s.Groups) == 0 {
		return Target{}
	}
	return s.Groups[0].Target
}

// GroupState is where the rules of one group are sent.
type GroupState struct {
	// Group is its name, empty for the one group of a pair; Rules are the names of its rules.
	Group string   `json:"group,omitempty"`
	Rules []string `json:"rules"`
	// Target is where the data path was last told to send traffic; Since is when.
	Target Target    `json:"target"`
	Since  time.Time `json:"since"`
	// Why explains in a sentence why it is that one, or why nobody.
	Why string `json:"why"`
	// Unsteered says that the data path has not taken the latest decision, and why; empty: it has.
	Unsteered string `json:"unsteered,omitempty"`
}

// MachineState is what is known of one machine.
type MachineState struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Agent   string `json:"agent,omitempty"`
	// Word is what its agent said last; nil where agents are not asked.
	Word   *WordState   `json:"word,omitempty"`
	Probes []ProbeState `json:"probes,omitempty"`
	// Explain says for each group why this machine is, or is not, where its traffic goes.
	Explain []Explanation `json:"explain"`
	// History are the latest changes, the oldest first, at most 64.
	History []Change `json:"history,omitempty"`
}

// WordState is an agent's word as it is known now.
type WordState struct {
	// Heard: there is a word. All but Connected and Error is empty where there is none.
	Heard bool `json:"heard"`
	// Hot is what it said. It is believed for as long as TrustLeftSeconds is more than nothing.
	Hot              bool    `json:"hot"`
	TrustLeftSeconds float64 `json:"trustLeftSeconds"`
	State            string  `json:"state,omitempty"`
	Ready            bool    `json:"ready"`
	Epoch            uint64  `json:"epoch"`
	// Why is the agent's own reason why not hot.
	Why string `json:"why,omitempty"`
	// At is when the word came.
	At time.Time `json:"at,omitzero"`
	// Connected: the stream is open, so that a change is known at once.
	Connected bool `json:"connected"`
	// Error is why there is no stream, or why what came was not heard.
	Error string `json:"error,omitempty"`
}

// Belief is what is believed of a machine by one probe.
type Belief string

// The beliefs.
const (
	Unknown Belief = "unknown"
	Well    Belief = "well"
	Ill     Belief = "ill"
)

// ProbeState is what one probe makes of one machine.
type ProbeState struct {
	Name     string               `json:"name"`
	Protocol config.ProbeProtocol `json:"protocol"`
	Belief   Belief               `json:"belief"`
	Since    time.Time            `json:"since,omitzero"`
	// Against counts the looks in a row that contradict the belief, of the Limit that would turn it.
	Against int `json:"against"`
	Limit   int `json:"limit"`
	// Reason is what the last look found wrong; empty: nothing.
	Reason string `json:"reason,omitempty"`
	// Last is when it looked last, and LastSeconds how long that took. Looks counts them, Failures those that failed.
	Last        time.Time `json:"last,omitzero"`
	LastSeconds float64   `json:"lastSeconds"`
	Looks       uint64    `json:"looks"`
	Failures    uint64    `json:"failures"`
}

// Explanation says why a machine is or is not where the traffic of a group goes.
type Explanation struct {
	Group  string `json:"group,omitempty"`
	Target bool   `json:"target"`
	Why    string `json:"why"`
}

// Change is one line of a machine's history.
type Change struct {
	At time.Time `json:"at"`
	// What changed: "agent", "probe NAME" or "traffic".
	What string `json:"what"`
	// Now is what it is since then, Why the reason.
	Now string `json:"now"`
	Why string `json:"why,omitempty"`
}

// AlarmKind names a kind of alarm; a machine may go by it.
type AlarmKind string

// The kinds of alarm.
const (
	// AlarmTwoHot: two agents say hot. The greater epoch gets the traffic.
	AlarmTwoHot AlarmKind = "two-hot"
	// AlarmTwoHealthy: both machines look healthy, and no agent is asked which is hot. The one that was stays.
	AlarmTwoHealthy AlarmKind = "two-healthy"
	// AlarmOldEpoch: an agent says hot with an epoch below the greatest, or with the other machine's. It is not obeyed.
	AlarmOldEpoch AlarmKind = "old-epoch"
	// AlarmLeaseless: an agent says hot without a lease, and there are two machines. It elects nobody.
	AlarmLeaseless AlarmKind = "leaseless"
	// AlarmVeto: the machine that is hot by its agent's word is ill by a probe, so nobody gets traffic.
	AlarmVeto AlarmKind = "veto"
	// AlarmUnsteered: the data path does not do what it is told.
	AlarmUnsteered AlarmKind = "unsteered"
	// AlarmSilent: an agent has not been heard for a while.
	AlarmSilent AlarmKind = "silent"
)

// Alarm is something that a person should look at.
type Alarm struct {
	Kind AlarmKind `json:"kind"`
	// Group is set where only one group of rules is concerned.
	Group string `json:"group,omitempty"`
	// Machine is set where one machine is meant.
	Machine string    `json:"machine,omitempty"`
	Text    string    `json:"text"`
	Since   time.Time `json:"since"`
}

// Counters only grow, also over a Reload.
type Counters struct {
	// Steers counts changes of target that the data path took, SteerFailures those it did not.
	Steers        uint64 `json:"steers"`
	SteerFailures uint64 `json:"steerFailures"`
	// Reloads that were taken over, and those that were refused.
	Reloads        uint64 `json:"reloads"`
	ReloadsRefused uint64 `json:"reloadsRefused"`
	// Words heard from agents; WordsRefused were not of our pair, or could not be read; Streams that were opened.
	Words        uint64 `json:"words"`
	WordsRefused uint64 `json:"wordsRefused"`
	Streams      uint64 `json:"streams"`
	// Looks of all probes.
	Looks uint64 `json:"looks"`
}
