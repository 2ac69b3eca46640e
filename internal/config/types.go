package config

import (
	"log/slog"
	"net"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/hotcold/hotcold/hocon"
)

// Config is everything that one agent was told: the node's own node.conf and hotcold's block, checked and typed.
// It is made by Load, never changed afterwards, and may be read from any goroutine.
type Config struct {
	// File is the absolute path of the file that was loaded.
	File string
	// NodeConf is the absolute path of the node's own file, or empty where there is none.
	NodeConf string
	// Files are the absolute paths of all files that were read, and of those that would have been had they been there:
	// with any of them changed, Load may say something else.
	Files []string
	// BaseDir is the node's base directory, absolute and clean. Relative paths of the settings start here.
	BaseDir string
	// RuntimeDir is where the agent keeps what must not outlive a boot: its socket, the guard's files, its lock.
	// Load does not make it.
	RuntimeDir string
	// LeaseName is the key of the lease row. Both machines of a pair have the same one, and no other pair has it.
	LeaseName string
	// Instance is who this agent is, among all agents of the database.
	Instance Instance
	// MutualExclusion is how the lease is held.
	MutualExclusion MutualExclusion
	// Database is where the lease is kept. It is the zero value where MutualExclusion.On is false.
	Database Database
	// Preset is what is known beforehand of this kind of node.
	Preset Preset
	// Node is how the node is started, watched and stopped.
	Node Node
	// Clone is what two machines must have alike.
	Clone Clone
	// Drive is the shared drive.
	Drive Drive
	// Machines are those of the pair, sorted by name; empty where nobody said.
	Machines []Machine
	// Balancer is what stands in front of the pair.
	Balancer Balancer
	// Cloud is what only a cloud has to be told.
	Cloud Cloud
	// Listen is the agent's own HTTP listener.
	Listen Listen
	// Log is what the agent writes of itself.
	Log Log
	// Warnings are what a person should know although the file can be used, sorted by position.
	Warnings []Warning
	// Settings are all settings of the table with what is in force, in the order of the table, secrets masked.
	Settings []Effective

	where   map[string]Pos
	origins map[string]hocon.Origin
}

// Where says where the value of a setting stands ("hotcold.mutualExclusion.waitInterval"), be it in hotcold's block
// or in the place of node.conf that stands for it. It is the zero Pos where the default is in force.
func (c *Config) Where(path string) Pos { return c.where[path] }

// Origin says all that is known of where a setting came from, and false where the default is in force.
func (c *Config) Origin(path string) (hocon.Origin, bool) {
	o, ok := c.origins[path]
	return o, ok
}

// Instance is the identity of one agent.
type Instance struct {
	// MachineName is the name of the machine: machineName, or the host name.
	MachineName string
	// ID is the machine's name, a colon, and the base directory: "machine-a:/opt/corda". It is the holder's name
	// in the lease row.
	ID string
}

// Standby is what a cold agent does while another holds the lease.
type Standby string

// The two ways of standing by.
const (
	// StandbyWait keeps the agent up: it watches the lease and takes over.
	StandbyWait Standby = "wait"
	// StandbyExit ends the agent where another holds a fresh lease, as Corda Enterprise's own node does.
	StandbyExit Standby = "exit"
)

// DatabaseLoss is what a holder does when a renewal fails.
type DatabaseLoss string

// The two answers to a database that does not answer.
const (
	// LossKeepTrying tries again until stopping must begin.
	LossKeepTrying DatabaseLoss = "keepTrying"
	// LossExit stops the node at the first failure.
	LossExit DatabaseLoss = "exit"
)

// MutualExclusion is how the lease is held. The spans are as they were written or defaulted, each in its own range;
// package lease checks that they fit each other.
type MutualExclusion struct {
	// On is false where somebody asked for a node without a lease. Nothing then keeps a second node from running.
	On bool
	// UpdateInterval is U, the renewal period.
	UpdateInterval time.Duration
	// WaitInterval is W, how long a challenger must see the row stand still.
	WaitInterval time.Duration
	// FenceTimeout is K, the worst time from the decision to kill until the node is seen dead. Zero means: let package
	// lease derive it.
	FenceTimeout time.Duration
	// AttemptTimeout is T, the limit of one attempt at the database. Zero means: let package lease derive it.
	AttemptTimeout time.Duration
	// Standby is what a cold agent does.
	Standby Standby
	// OnDatabaseLoss is what a holder does when a renewal fails.
	OnDatabaseLoss DatabaseLoss
	// LastResort is the command for a node that cannot be killed; empty where there is none.
	LastResort []string
	// Watchdog is the path of a watchdog device; empty where none is used.
	Watchdog string
}

// Dialect is a kind of database.
type Dialect string

// The dialects that are recognised. All of them but DialectH2 come out of Load.
const (
	DialectPostgres  Dialect = "postgres"
	DialectSQLite    Dialect = "sqlite"
	DialectEtcd      Dialect = "etcd"
	DialectSQLServer Dialect = "sqlserver"
	DialectOracle    Dialect = "oracle"
	DialectMySQL     Dialect = "mysql"
	DialectMariaDB   Dialect = "mariadb"
	DialectH2        Dialect = "h2"
)

// Database is where the lease is kept.
type Database struct {
	// Dialect chooses the store.
	Dialect Dialect
	// Hosts are the servers in the order in which they are tried; empty for SQLite.
	Hosts []HostPort
	// Name is the database's name on the server, the absolute path of the SQLite file, or what begins etcd's keys.
	Name string
	// User is who logs in; empty where the driver's default is meant.
	User string
	// Password is the user's password; empty where there is none.
	Password Secret
	// Params are the parameters that were taken over, in the words of the driver, but for those that are secret.
	Params map[string]string
	// DSN is what the driver is opened with: key=value pairs for pgx, a mysql://, mariadb://, sqlserver:// or oracle://
	// URL for sqlstore, or the path of the SQLite file. It holds the password.
	DSN Secret
	// TablePrefix begins the names of hotcold's tables.
	TablePrefix string
	// Replication is how the database is replicated, where a person vouches for it.
	Replication Replication
	// Fencing is who is locked out of the database before a node starts.
	Fencing Fencing
	// TLS is the encrypted way to etcd; the others have it in Params.
	TLS DatabaseTLS
}

// DatabaseTLS is an encrypted way to etcd.
type DatabaseTLS struct {
	// On encrypts the way.
	On bool
	// CA, Certificate and Key are absolute paths of PEM files, or empty.
	CA, Certificate, Key string
}

// Replication is how a person says that the database is replicated.
type Replication string

// The words for it.
const (
	// ReplicationAuto has the database itself asked.
	ReplicationAuto         Replication = "auto"
	ReplicationSynchronous  Replication = "synchronous"
	ReplicationAsynchronous Replication = "asynchronous"
	ReplicationNone         Replication = "none"
)

// Fencing is how the nodes of the other machines are locked out of the database before ours starts.
type Fencing struct {
	// On is false unless somebody asked for it.
	On bool
	// Roles are the roles under which the nodes log in, by the name of the machine.
	Roles map[string]string
}

// String names the database without any secret: "postgres db1:5432,db2:5432/corda".
func (d Database) String() string {
	switch {
	case d.Dialect == "":
		return "no database"
	case d.Dialect == DialectSQLite:
		return string(d.Dialect) + " " + d.Name
	}
	text := string(d.Dialect) + " "
	for i, h := range d.Hosts {
		if i > 0 {
			text += ","
		}
		text += h.String()
	}
	return text + "/" + d.Name
}

// HostPort is one server's address.
type HostPort struct {
	// Host is a name or an address; IPv6 without brackets.
	Host string
	// Port is 1 to 65535.
	Port int
}

// String is the address as it is dialled.
func (h HostPort) String() string { return net.JoinHostPort(h.Host, strconv.Itoa(h.Port)) }

// PresetName names a kind of node.
type PresetName string

// The presets.
const (
	PresetCorda   PresetName = "corda"
	PresetArtemis PresetName = "artemis"
	PresetCommand PresetName = "command"
)

// Preset is what is known beforehand of a kind of node. Its defaults are already in Node; what remains here is
// knowledge that no setting changes.
type Preset struct {
	// Name is corda, artemis or command.
	Name PresetName
	// Guessed is true where nobody said hotcold.preset and it was told by the look of node.conf.
	Guessed bool
	// PlannedExits are the ends of the node that ask for a start on this very machine and are no failure.
	PlannedExits []PlannedExit
	// ExitCodes say what an exit code means to the person who reads the history.
	ExitCodes []ExitCode
	// Files are what the back-up needs from the primary.
	Files []SharedFile
	// OnDrive are the directories, relative to the base directory, that have to be on the shared drive.
	OnDrive []DriveDir
	// Identity are the key stores among them that make the node who it is, Loose those in which the node itself
	// writes, so that two machines differ for a while, and Signed those that the network signs and all of it knows.
	Identity, Loose, Signed []string
	// Traps are what goes wrong with such a node in a pair; `hotcold check` shows them.
	Traps []string
}

// ExitMeaning says what an exit code of the node means, or "" where nothing is known of it.
func (p Preset) ExitMeaning(code int) string {
	for _, e := range p.ExitCodes {
		if e.Code == code {
			return e.Meaning
		}
	}
	return ""
}

// PlannedExit is an end of the node that asks for a new start here.
type PlannedExit struct {
	// Code is the exit code that must be seen.
	Code int
	// Line must match a line of the node's output since its start.
	Line *regexp.Regexp
	// Meaning says why, for the log and the history.
	Meaning string
}

// ExitCode is the meaning of one exit code.
type ExitCode struct {
	Code    int
	Meaning string
}

// SharedFile is a file or directory, relative to the base directory, that must be the same on both machines.
type SharedFile struct {
	// Path is relative to the base directory; one that ends in a slash is a directory.
	Path string
	// Required is false where a node can do without it.
	Required bool
	// Why says what breaks without it.
	Why string
}

// DriveDir is a directory of the node that both machines need to share.
type DriveDir struct {
	// Name is relative to the base directory.
	Name string
	// Required is false where the node may have been told of another place.
	Required bool
}

// Node is how the node is started, watched and stopped.
type Node struct {
	// Command is the program and its arguments. Never empty.
	Command []string
	// Dir is the absolute working directory.
	Dir string
	// Env is added to the agent's own environment. The values may be secrets.
	Env map[string]Secret
	// Ports are the addresses that the node listens on on this machine, as far as the preset knows them.
	Ports []Port
	// Ready is how the node is known to serve.
	Ready Ready
	// Health is how a hot node is watched.
	Health Health
	// Stop is how a planned stop is done.
	Stop Stop
	// Restart is how often a failed node is started again here.
	Restart Restart
	// Failover limits how often a node that fails everywhere goes from machine to machine.
	Failover Failover
	// Output is where the node's stdout and stderr go.
	Output Output
	// Cgroup is how the node's tree is kept together: "auto", "off", or the absolute path of a cgroup v2 directory
	// that the agent may write to.
	Cgroup string
}

// The words that stand for a cgroup where no path is given.
const (
	CgroupAuto = "auto"
	CgroupOff  = "off"
)

// Port is one address that the node listens on.
type Port struct {
	// Name is what the port is for: "p2p", "rpc", "rpc admin", "jolokia", "ssh", "broker".
	Name string
	// Address is where to connect to from this machine, host:port.
	Address string
}

// Checks are looks at the node. All that are given must hold at once.
type Checks struct {
	// TCP are addresses that must accept a connection.
	TCP []string
	// HTTP are URLs that must answer.
	HTTP []HTTPCheck
	// Log must match a line of the node's output since its start; nil where no line is waited for.
	Log *regexp.Regexp
	// Command must exit with 0; empty where there is none.
	Command []string
}

// None says whether there is nothing to look at, so that a node that runs is good enough.
func (c Checks) None() bool {
	return len(c.TCP) == 0 && len(c.HTTP) == 0 && c.Log == nil && len(c.Command) == 0
}

// HTTPCheck is one look by HTTP: a GET that must be answered with a status of 200 to 299.
type HTTPCheck struct {
	// URL is http or https.
	URL string
	// Body must match the answer; nil where any answer will do.
	Body *regexp.Regexp
}

// Ready is how the node is known to serve. Without checks it is ready once it runs.
type Ready struct {
	Checks
	// Timeout is how long a start may take before it counts as failed.
	Timeout time.Duration
}

// Health is how a hot node is watched. Without checks it is well as long as it runs. Checks.Log is always nil here.
type Health struct {
	Checks
	// Interval is the time from one look to the next.
	Interval time.Duration
	// Timeout is the limit of one look.
	Timeout time.Duration
	// Threshold is how many looks in a row must fail before the node counts as failed.
	Threshold int
	// StartPeriod is the time after ready in which failed looks do not count.
	StartPeriod time.Duration
}

// Stop is how a planned stop is done: the command if there is one, else the signal; SIGKILL after Timeout.
type Stop struct {
	// Signal is sent to the node's first process.
	Signal syscall.Signal
	// Command is run instead of the signal; empty where there is none.
	Command []string
	// Timeout is how long a planned stop may take. The lease is renewed meanwhile. When trust runs out the agent
	// does not wait for it: MutualExclusion.FenceTimeout holds then.
	Timeout time.Duration
}

// Restart is how often a failed node is started again here before the other machine gets its chance.
type Restart struct {
	// Attempts is how many starts in a row may fail; 0 hands over at once.
	Attempts int
	// Backoff is the wait before the first new start; it doubles with each one.
	Backoff time.Duration
	// MaxBackoff is the longest wait.
	MaxBackoff time.Duration
	// ResetAfter is how long a node must have been well until earlier failures are forgotten.
	ResetAfter time.Duration
}

// Failover limits the ping-pong of a node that fails on both machines.
type Failover struct {
	// Budget is how many hand-overs because of failure the pair allows itself within Window; after that it stays
	// failed until a person has looked.
	Budget int
	// Window is the time in which they are counted.
	Window time.Duration
}

// Output is where the node's stdout and stderr go.
type Output struct {
	// File is the absolute path of the file that gets a copy; empty where there is none.
	File string
	// MaxSizeBytes is when the file is rotated.
	MaxSizeBytes int64
	// Keep is how many rotated files stay.
	Keep int
	// PassThrough says whether the lines also go to the agent's own stdout.
	PassThrough bool
}

// Drive is the shared drive.
type Drive struct {
	// Path is its absolute mount point; empty where there is none.
	Path string
	// EpochFile is the absolute path of the file that keeps the greatest epoch ever seen; empty where there is none.
	EpochFile string
	// Type is what has to serve it: any, nfs, smb or glusterfs.
	Type string
	// Source is what has to be mounted; empty where nobody said.
	Source string
	// HangLimit is how long it may take no write until the node is killed.
	HangLimit time.Duration
}

// Listen is the agent's own HTTP listener. On an address that is not loopback Load has made sure that the peer must
// prove itself: by a certificate (TLS.ClientCA), or by Key over TLS.
type Listen struct {
	// Address is host:port; empty means that nothing listens.
	Address string
	// TLS is the zero value where the listener speaks plain HTTP.
	TLS TLS
	// Key is what a caller must show as a bearer token; empty where none is asked for.
	Key Secret
	// Probe is where an agent tells anybody, in plain HTTP, whether this machine is hot, and nothing else: host:port, or
	// empty for nowhere. A balancer's listener has none.
	Probe string
}

// TLS are the absolute paths of PEM files.
type TLS struct {
	Certificate string
	Key         string
	// ClientCA are the authorities whose client certificates are let in; empty where none is asked for.
	ClientCA string
}

// Log is what the agent writes of itself.
type Log struct {
	Level slog.Level
	// Format is "auto", "text" or "json".
	Format string
}

// Pos is a place in a file. The zero Pos stands for a default.
type Pos struct {
	File      string
	Line, Col int
}

// IsZero says whether there is no place: the value was not written anywhere.
func (p Pos) IsZero() bool { return p == Pos{} }

// String is "node.conf:12:5", or "default".
func (p Pos) String() string {
	switch {
	case p.IsZero():
		return "default"
	case p.Line == 0:
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Col)
}

// Warning is what a person should know although the file can be used.
type Warning struct {
	Pos  Pos
	Path string
	Text string
}

// String is "node.conf:12:5: path: text", without what is empty.
func (w Warning) String() string {
	text := w.Text
	if w.Path != "" {
		text = w.Path + ": " + text
	}
	if !w.Pos.IsZero() {
		text = w.Pos.String() + ": " + text
	}
	return text
}

// Effective is one setting with what is in force.
type Effective struct {
	// Path is the setting, as in the table.
	Path string
	// Value is its value for people, secrets masked; empty where the setting has no value.
	Value string
	// Pos is where it stands; the zero Pos where the default is in force.
	Pos Pos
}

// Env is the world outside the files. Load asks for nothing else but the files themselves.
type Env struct {
	// Lookup finds an environment variable. Nil means that there are none.
	Lookup func(name string) (string, bool)
	// Hostname is the machine's own name.
	Hostname string
	// WorkDir is the absolute working directory, for relative paths on the command line.
	WorkDir string
	// Euid is the user that the agent runs as; 0 puts the runtime directory under /run.
	Euid int
}
