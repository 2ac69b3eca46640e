package process

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// Deadline says when a node has to be gone, as boot-clock readings.
type Deadline struct {
	// StopAt is when stopping begins: the node gets the stop signal.
	StopAt time.Duration `json:"stopAt"`
	// KillAt is when SIGKILL goes out to the whole tree.
	KillAt time.Duration `json:"killAt"`
	// DeadBy is when the last process has to be gone; afterwards the last
	// resort runs.
	DeadBy time.Duration `json:"deadBy"`
}

func (d Deadline) ordered() bool { return d.StopAt <= d.KillAt && d.KillAt <= d.DeadBy }

// later returns the later of each of the three instants.
func (d Deadline) later(o Deadline) Deadline {
	return Deadline{max(d.StopAt, o.StopAt), max(d.KillAt, o.KillAt), max(d.DeadBy, o.DeadBy)}
}

// The environment of the node. The guard carries GuardMark in place of NodeMark.
const (
	// EpochVar holds the fencing token, in decimal.
	EpochVar = "HOTCOLD_EPOCH"
	// InstanceVar holds Options.Instance.
	InstanceVar = "HOTCOLD_INSTANCE"
	// NodeMark holds an identifier drawn anew for each start. By it Clean
	// finds processes that outlived both the agent and the guard.
	NodeMark = "HOTCOLD_NODE"
	// GuardMark marks a guard with the identifier of the start it serves.
	GuardMark = "HOTCOLD_GUARD"
	// resortMark marks the last resort, which no pass of killing may hit.
	resortMark = "HOTCOLD_LAST_RESORT"
	// NodePIDVar is given to the stop command only: the main process's id.
	NodePIDVar = "HOTCOLD_NODE_PID"
)

// Values of Options.Cgroup that are not a directory.
const (
	// CgroupAuto takes a cgroup below the agent's own where that is allowed.
	CgroupAuto = "auto"
	// CgroupOff does without.
	CgroupOff = "off"
)

// defaultLossGrace is how long a node whose agent died may take to stop: long
// enough to flush and unlock, short against any lease that is still trusted.
const defaultLossGrace = 5 * time.Second

// Options describe one start of a node.
type Options struct {
	// Argv is the command. A name without a slash is looked up in the PATH
	// of Env, a relative path below Dir.
	Argv []string
	// Dir is the node's working directory.
	Dir string
	// Env is the complete environment but for the HOTCOLD_ variables.
	Env []string
	// Epoch and Instance are told to the node.
	Epoch    uint64
	Instance string
	// RuntimeDir is a directory of this instance and this machine alone. It
	// is created with mode 0700. It has to be on a local file system.
	RuntimeDir string
	// StopSignal asks the node's process group to end. Default SIGTERM.
	StopSignal syscall.Signal
	// StopCommand is run by Stop in place of the signal; if it cannot be run
	// or fails, the signal is sent. A fence always uses the signal.
	StopCommand []string
	// LossGrace is how long a node may take to end after its agent died, never
	// beyond the deadline. Default 5 s.
	LossGrace time.Duration
	// Cgroup is CgroupAuto (default), CgroupOff, or the directory of a
	// cgroup v2 below which a cgroup is made; a directory named here that
	// cannot be used is an error.
	Cgroup string
	// Guard is the command that runs GuardMain. Default: this program with
	// the argument "guard".
	Guard []string
	// Output receives what the node writes. Nil throws it away.
	Output Sink
	// LastResort is run once when the tree is not gone by Deadline.DeadBy.
	LastResort []string
	// Watchdog is the path of a watchdog device that the guard arms while the
	// node runs, so that the machine is reset by Deadline.DeadBy if the tree was
	// not seen dead, whatever hangs; empty: none. The node is not started where
	// the device cannot be had or cannot keep that time.
	Watchdog string
	// Clock is the machine's clock; it has to read what the guard reads, so
	// only a test's wrapper of clock.System makes sense here.
	Clock clock.Clock
	// Log receives what a person may want to know. Nil is silent.
	Log *slog.Logger
}

// Errors that a caller branches on.
var (
	// ErrNoTime means that the deadline leaves no room for a start.
	ErrNoTime = errors.New("the deadline leaves no time to run a node")
	// ErrGuardLives means that a guard of an earlier start is still there: Clean.
	ErrGuardLives = errors.New("a guard of an earlier start still runs")
	// ErrAlive means that processes of a tree are still there, or may be.
	ErrAlive = errors.New("the node's processes were not seen dead")
)

// withDefaults checks o and fills in what was left open.
func (o Options) withDefaults() (Options, error) {
	var errs []error
	if len(o.Argv) == 0 || o.Argv[0] == "" {
		errs = append(errs, errors.New("no command to run"))
	}
	if o.Instance == "" {
		errs = append(errs, errors.New("no instance name"))
	}
	if !filepath.IsAbs(o.RuntimeDir) {
		errs = append(errs, fmt.Errorf("runtime directory %q is not an absolute path", o.RuntimeDir))
	}
	if !filepath.IsAbs(o.Dir) {
		errs = append(errs, fmt.Errorf("working directory %q is not an absolute path", o.Dir))
	}
	if o.Cgroup == "" {
		o.Cgroup = CgroupAuto
	}
	if o.StopSignal == 0 {
		o.StopSignal = syscall.SIGTERM
	}
	if o.LossGrace <= 0 {
		o.LossGrace = defaultLossGrace
	}
	if o.Clock == nil {
		o.Clock = clock.System()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, errors.Join(errs...)
}
