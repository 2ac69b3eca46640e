package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/hocon"
	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/process"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/etcdstore"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// The exit codes. They are listed in docs/operations.md; scripts rely on them.
const (
	exitDone        = 0   // it did what it was asked
	exitFailed      = 1   // it did not, for a reason that has no code of its own
	exitUsage       = 2   // the command line was not understood
	exitConfig      = 3   // the configuration was refused
	exitDatabase    = 4   // the database did not answer, or the right to use it is missing
	exitHeld        = 5   // another agent holds the lease (standby = exit)
	exitRefused     = 6   // a request was refused, or not confirmed in time
	exitTwin        = 7   // another agent has this identity
	exitNotWell     = 8   // the command worked, and what it looked at is not well
	exitInterrupted = 130 // ended by Ctrl-C, with nothing left behind
)

// failure is an error with an exit code and the next step for a person.
type failure struct {
	code int
	err  error
	hint string
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func usage(format string, args ...any) error {
	return &failure{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// judge finds the exit code and the hint of an error.
func judge(err error) (code int, hint string) {
	var f *failure
	var disagreement *lease.DisagreementError
	var twin *lease.TwinError
	var held *lease.HeldError
	var locked *process.LockedError
	var twinHere *agent.TwinHereError
	var schema *sqlstore.SchemaError
	var faults hocon.Errors
	var ended *signalled
	switch {
	case err == nil:
		return exitDone, ""
	case errors.As(err, &f):
		return f.code, f.hint
	case errors.As(err, &ended) && !errors.Is(err, process.ErrAlive): // whatever it was waiting for
		return exitInterrupted, ""
	case errors.As(err, &faults), errors.Is(err, lease.ErrUnsafe):
		return exitConfig, ""
	case errors.As(err, &disagreement):
		return exitConfig, "write the same mutualExclusion block on both machines, then start the agents again"
	case errors.As(err, &twin):
		return exitTwin, "set machineName on one of the machines (hotcold.mutualExclusion.machineName)"
	case errors.As(err, &held):
		return exitHeld, "it can take over when that one has stopped; with standby = wait it would wait for that"
	case errors.As(err, &locked), errors.As(err, &twinHere):
		return exitTwin, "`hotcold status` shows it; stop the other agent first, or give this one another base directory"
	case errors.As(err, &schema):
		return exitDatabase, "give `hotcold schema --print` to whoever administers the database"
	case errors.Is(err, sqlstore.ErrRights) && errors.Is(err, fs.ErrPermission): // of a file, not of a role
		return exitDatabase, "let the user of the agents write in that directory"
	case errors.Is(err, sqlstore.ErrUnreachable) && errors.Is(err, fs.ErrNotExist):
		return exitDatabase, "make that directory, or mend hotcold.database.url"
	case errors.Is(err, sqlstore.ErrRights):
		return exitDatabase, "`hotcold schema --print` shows the rights that are needed"
	case errors.Is(err, sqlstore.ErrLogin):
		return exitDatabase, "are the user, the password and the name of the database right? (hotcold.database, or dataSourceProperties of node.conf)"
	case errors.Is(err, sqlstore.ErrReadOnly):
		return exitDatabase, "is this a standby? name the server that takes writes, or all servers, in hotcold.database.url"
	case errors.Is(err, sqlstore.ErrDiskFull):
		return exitDatabase, "make room on the disk of the database"
	case errors.Is(err, sqlstore.ErrDamaged), errors.Is(err, sqlstore.ErrBusy):
		return exitDatabase, ""
	case errors.Is(err, sqlstore.ErrNetworkDrive):
		return exitConfig, "keep the lease in PostgreSQL (hotcold.database.url)"
	case errors.Is(err, sqlstore.ErrUnsuited):
		return exitConfig, "keep the lease in another database (hotcold.database.url)"
	case errors.Is(err, sqlstore.ErrUnreachable):
		return exitDatabase, "is the address right, is the server up, does a firewall stand between?"
	case errors.Is(err, etcdstore.ErrLogin):
		return exitDatabase, "are the user and the password right? (hotcold.database.user, passwordFile)"
	case errors.Is(err, etcdstore.ErrRights):
		return exitDatabase, "grant the user's role readwrite on the prefix: etcdctl role grant-permission --prefix=true ROLE readwrite PREFIX/"
	case errors.Is(err, etcdstore.ErrDiskFull):
		return exitDatabase, "compact and defragment etcd, then disarm its alarm"
	case errors.Is(err, etcdstore.ErrDamaged), errors.Is(err, etcdstore.ErrDoubt):
		return exitDatabase, ""
	case errors.Is(err, etcdstore.ErrUnreachable):
		return exitDatabase, "are the addresses right, is a majority of the members up, does a firewall stand between, is TLS wanted (etcds://)?"
	case errors.Is(err, agent.ErrDatabaseLost):
		return exitDatabase, "the node is down; it can start when the database answers again"
	case errors.Is(err, process.ErrAlive): // also where a signal ended the waiting for it
		return exitFailed, "processes of an earlier node may live: end them, or restart this machine, before anything else"
	case errors.Is(err, context.Canceled):
		return exitInterrupted, ""
	case errors.Is(err, unix.ENOSPC):
		return exitFailed, "make room on that disk"
	case errors.Is(err, unix.EROFS):
		return exitFailed, "the agent has to write there: mount it for writing, or choose another place (hotcold.runtimeDir, hotcold.node.output.file)"
	case errors.Is(err, fs.ErrNotExist):
		return exitFailed, "is a drive not mounted, or a name wrong? (hotcold.baseDirectory, hotcold.runtimeDir)"
	case errors.Is(err, fs.ErrPermission):
		return exitFailed, "run it as the user of the node"
	}
	return exitFailed, ""
}
