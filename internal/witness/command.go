package witness

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// EpochVariable is where an agent tells its node the epoch.
const EpochVariable = "HOTCOLD_EPOCH"

// Process is what a witness takes from the process it is.
type Process struct {
	// Args are the arguments behind the name of the command.
	Args []string
	// Getenv looks up the environment.
	Getenv func(string) string
	// Open opens the database named by --db. The driver is linked in by who
	// builds the program.
	Open func(dsn string) (*sql.DB, error)
	Out  io.Writer
}

// Command is a whole process that is a witness: it reads the arguments, opens
// the database and runs until ctx ends. Ask for --help to see the arguments.
func Command(ctx context.Context, p Process) error {
	o, dsn, err := parse(p)
	if err != nil {
		return err
	}
	if o.Family != 0 {
		return Run(ctx, o)
	}
	o.DB, err = p.Open(dsn)
	if err != nil {
		return fmt.Errorf("witness: open the database: %w", err)
	}
	return errors.Join(Run(ctx, o), o.DB.Close())
}

func parse(p Process) (o Options, dsn string, err error) {
	o = Options{PID: os.Getpid(), Clock: clock.System(), Out: p.Out}
	f := flag.NewFlagSet("witness", flag.ContinueOnError)
	f.SetOutput(p.Out)
	f.StringVar(&o.Instance, "instance", "", "name of this instance")
	f.StringVar(&o.P2P, "p2p", "127.0.0.1:10002", "address of the P2P port")
	f.StringVar(&o.RPC, "rpc", "127.0.0.1:10003", "address of the RPC port")
	f.StringVar(&o.Web, "web", "127.0.0.1:10004", "address of the web port")
	f.StringVar(&o.Journal, "journal", "", "journal file on the shared drive")
	f.StringVar(&o.Records, "records", "", "directory of the records")
	f.StringVar(&dsn, "db", "", "database of the table")
	f.DurationVar(&o.SlowStart, "slow-start", 0, "time before the ports open")
	f.DurationVar(&o.SlowStop, "slow-stop", 0, "time after the ports closed")
	f.BoolVar(&o.IgnoreTerm, "ignore-term", false, "do not end when told to")
	f.DurationVar(&o.Family, "family", 0, "only live, as a child of the run that started then")
	harm := f.Bool("harm", false, "obey harm on the RPC port")
	if err := f.Parse(p.Args); err != nil {
		return o, "", fmt.Errorf("witness: %w", err)
	}
	if f.NArg() > 0 {
		return o, "", fmt.Errorf("witness: %q is not an argument", f.Arg(0))
	}
	if text := p.Getenv(EpochVariable); text != "" {
		if o.Epoch, err = strconv.ParseInt(text, 10, 64); err != nil {
			return o, "", fmt.Errorf("witness: %s=%q is not an epoch", EpochVariable, text)
		}
	}
	if *harm {
		o.Harm = selfHarm()
	}
	return o, dsn, nil
}

// selfHarm is done to this very process.
func selfHarm() *Harm {
	return &Harm{
		Exit: os.Exit,
		Kill: func() {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // it comes at once
		},
		Orphan: func(family time.Duration) *exec.Cmd {
			// The same command line once more; of two values the last counts.
			args := append(os.Args[1:len(os.Args):len(os.Args)], "--family", family.String())
			cmd := exec.Command("/proc/self/exe", args...)
			// Held open on purpose: who waits for the end of the output waits.
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			return cmd
		},
	}
}
