package agent

import "encoding/json"

// Kinds of events in the history that all agents of a lease share.
const (
	EventConfigured = "configured" // an agent has started, and says how it is configured
	EventFiles      = "files"      // an agent says which files it has, when it has started and when they changed
	EventSynced     = "synced"     // a file of the network was brought from the hot machine
	EventClaimed    = "claimed"    // the lease was taken
	EventLockedOut  = "lockedOut"  // the other machines' nodes were locked out of the database
	EventStarted    = "started"    // the node's process was started
	EventReady      = "ready"      // the node answers
	EventUnready    = "unready"    // the node is no longer ready: traffic ends
	EventExited     = "exited"     // the node ended by itself
	EventStopping   = "stopping"   // a planned stop begins
	EventStopped    = "stopped"    // the node was seen dead after a planned stop
	EventFencing    = "fencing"    // trust ended: the node is being killed
	EventFenced     = "fenced"     // the node was seen dead after that
	EventReleased   = "released"   // the lease was given back
	EventLost       = "lost"       // the lease was lost or could not be renewed
	EventPaused     = "paused"     // a person asked for hands off
	EventResumed    = "resumed"    // a person ended that
	EventFailed     = "failed"     // the node failed here and was handed over
	EventRefused    = "refused"    // a request could not be granted
	EventSwitchover = "switchover" // a planned switchover was accepted
)

// Document is the body of an event.
type Document struct {
	// Text is the event in words.
	Text string `json:"text"`
	// Cause is why, if there is more to say.
	Cause string `json:"cause,omitempty"`
	// Seconds is how long it took, where that makes sense; of a claim, how
	// long the holder before had been silent.
	Seconds float64 `json:"seconds,omitempty"`
	// Machine is the name of the machine.
	Machine string `json:"machine"`
	// Config is the configuration that an agent starts with, without its secrets.
	Config json.RawMessage `json:"config,omitempty"`
	// Files are what the machine has of what two machines must have alike.
	Files *Files `json:"files,omitempty"`
}

func (d Document) encode() []byte {
	b, err := json.Marshal(d)
	if err != nil {
		panic("encode an event: " + err.Error()) // texts, numbers and JSON cannot fail
	}
	return b
}
