package process

import (
	"syscall"
	"time"
)

// The agent and its guard talk JSON values over a socket pair, one value after
// the other. The first one is the spec; then the agent sends orders and the
// guard sends reports.

// spec is what the guard has to know. It travels over the socket and not in
// argv or the environment, because Env may hold secrets.
type spec struct {
	ID          string         `json:"id"`
	AgentPID    int            `json:"agentPid"`
	Path        string         `json:"path"`
	Argv        []string       `json:"argv"`
	Dir         string         `json:"dir"`
	Env         []string       `json:"env"`
	Deadline    Deadline       `json:"deadline"`
	LossGrace   time.Duration  `json:"lossGrace"`
	StopSignal  syscall.Signal `json:"stopSignal"`
	StopPath    string         `json:"stopPath,omitempty"`
	StopCommand []string       `json:"stopCommand,omitempty"`
	LastResort  []string       `json:"lastResort,omitempty"`
	Watchdog    string         `json:"watchdog,omitempty"`
	// Cgroup is the node's cgroup, made by the agent; empty for none.
	Cgroup string `json:"cgroup,omitempty"`
	// CgroupMust forbids to go on without it.
	CgroupMust bool `json:"cgroupMust,omitempty"`
	// RecordPath is where Record is kept up to date.
	RecordPath string `json:"recordPath"`
	Record     record `json:"record"`
}

// order is all that the agent wants, not a step of it: a later order says all
// that an earlier one said, so orders may be left out when the guard is slow.
type order struct {
	Deadline Deadline `json:"deadline"`
	Stop     bool     `json:"stop,omitempty"`
	// StopBy is the boot-clock reading at which a planned stop turns into a kill.
	StopBy time.Duration `json:"stopBy,omitempty"`
	Kill   bool          `json:"kill,omitempty"`
}

type reportKind string

const (
	reportStarted  reportKind = "started"
	reportFailed   reportKind = "failed"   // could not start; nothing runs
	reportStopping reportKind = "stopping" // by the guard's own decision
	reportKilling  reportKind = "killing"
	reportExited   reportKind = "exited" // the main process
	reportOverdue  reportKind = "overdue"
	reportResort   reportKind = "resort" // the last resort was started, or could not be
	reportGone     reportKind = "gone"   // nothing is left
	reportNote     reportKind = "note"   // something to log
)

type report struct {
	Kind reportKind    `json:"kind"`
	At   time.Duration `json:"at"`
	// started
	PID       int    `json:"pid,omitempty"`
	PIDStart  uint64 `json:"pidStart,omitempty"`
	Cgroup    string `json:"cgroup,omitempty"`
	CgroupErr string `json:"cgroupErr,omitempty"`
	MemoryErr string `json:"memoryErr,omitempty"` // why the guard's memory is not locked
	// failed
	Errno syscall.Errno `json:"errno,omitempty"`
	Text  string        `json:"text,omitempty"` // also of a note
	// stopping, killing
	Cause Cause `json:"cause,omitempty"`
	// exited
	Status uint32 `json:"status,omitempty"`
	// overdue
	Left []Leftover `json:"left,omitempty"`
}
