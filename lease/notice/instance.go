package notice

import "time"

// Instance is what one start of an agent last said of itself. An agent that was
// started twice, or two agents that were given one identity, have one each.
type Instance struct {
	// Lease, ID and Nonce are the key: the lease that the agent is after, who
	// it is, and which start of it this is.
	Lease, ID, Nonce string
	Machine          string
	Boot             string
	// State is a word for people and for the other agents.
	State string
	// Document is JSON that means nothing here.
	Document []byte
	// WrittenAt and Age are by the store's clock.
	WrittenAt time.Time
	Age       time.Duration
}
