package balancer

import (
	"time"

	"github.com/hotcold/hotcold/internal/config"
)

// facts are all that a decision is made from. All instants are readings of this machine's boot-time clock.
type facts struct {
	now time.Duration
	// agents: their word elects. Otherwise cloud says whether a cloud is rehearsed.
	agents, cloud bool
	// epoch is the greatest that was ever heard of from an agent.
	epoch    uint64
	groups   []groupFacts
	machines []machineFacts
}

// groupFacts are the rules that move together.
type groupFacts struct {
	name string
	// probes are those by TCP, HTTP and HTTPS whose belief counts; in a rehearsed cloud also those that ask an agent.
	probes []string
	// last is where traffic went last, be it that it goes nowhere now.
	last Target
}

// machineFacts are what is known of one machine.
type machineFacts struct {
	config.Machine
	word   heard
	belief map[string]sight // by probe; none: never looked
}

// heard is an agent's word as it may be believed.
type heard struct {
	Word
	// any: there is a word.
	any bool
	// until is when a hot word ends to be true, if no other follows.
	until time.Duration
	// silent is since when the agent cannot be heard; 0 while its stream is open. Why says the reason.
	silent time.Duration
	why    string
}

// hotAt tells whether the word says hot and may be believed.
func (h heard) hotAt(now time.Duration) bool { return h.any && h.Hot && now < h.until }

// sight is what a probe makes of a machine.
type sight struct {
	belief Belief
	reason string // what the last look found wrong
}

// decision is what is to be done.
type decision struct {
	// epoch is the greatest ever heard of, with what is known now.
	epoch  uint64
	groups []choice
	alarms []Alarm // without Since
	// next is when time alone may make another decision; 0: never.
	next time.Duration
}

// choice is where one group's traffic goes.
type choice struct {
	target Target
	why    string
	// machines says for each machine, in their order, why it is or is not the target.
	machines []string
}

// validity is until when a word may be believed. Sent is when its request was sent, and came when it was here, both by
// our boot clock. The agent said it Held after it had got the request, so not before sent + Held, and not after came.
// The two clocks may run differently; the earlier of the two bounds counts against ourselves.
func validity(w Word, sent, came time.Duration) time.Duration {
	return min(sent+w.Held, came) + w.Trust
}
