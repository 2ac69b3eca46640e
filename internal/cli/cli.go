package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/hocon"
	"github.com/hotcold/hotcold/internal/buildinfo"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/drive"
	"github.com/hotcold/hotcold/internal/process"
	"github.com/hotcold/hotcold/internal/status"
)

// World is all that the commands take from the process they run in.
type World struct {
	Stdin          *os.File
	Stdout, Stderr *os.File
	Lookup         func(string) (string, bool)
	Environ        func() []string
	Hostname       func() (string, error)
	WorkDir        func() (string, error)
	Clock          clock.Clock
	// Executable is this program, for the children that are made of it.
	Executable func() (string, error)
}

// System is the world of this process.
func System() World {
	return World{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Lookup: os.LookupEnv, Environ: os.Environ,
		Hostname: os.Hostname, WorkDir: os.Getwd, Clock: clock.System(), Executable: os.Executable,
	}
}

// app is one run of the program.
type app struct {
	World
	config string // --config
	json   bool   // --json
	// hurry is closed at the second signal: the person is impatient.
	hurry chan struct{}
}

// Main runs one command and returns the exit code.
// It has to be called on the main goroutine: see [process.GuardMain].
func Main(args []string, w World) int {
	// A guard holds nothing but a node and a deadline: none of what follows.
	if process.IsGuard(args) {
		return process.GuardMain(args[2:])
	}
	if drive.IsProbe(args) {
		return drive.ProbeMain()
	}
	a := &app{World: w, hurry: make(chan struct{})}
	ctx, stop := a.signals(context.Background())
	defer stop()
	root := a.root()
	root.SetArgs(args[1:])
	err := root.ExecuteContext(ctx)
	code, hint := judge(err)
	if err != nil && code != exitInterrupted && code != exitNotWell {
		report(w.Stderr, "error", faultsShown(err))
	}
	if hint != "" {
		report(w.Stderr, "hint", hint)
	}
	return code
}

// report prints a text of one or more lines as talk.
func report(w io.Writer, kind, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintf(w, "hotcold: %s: %s\n", kind, strings.TrimSuffix(line, "\n"))
	}
}

// maxFaults is how many faults of a file a person is shown at once.
const maxFaults = 20

// faultsShown is the text of an error. A file that is something else altogether
// has a fault in every line.
func faultsShown(err error) string {
	var all hocon.Errors
	if !errors.As(err, &all) || len(all) <= maxFaults {
		return err.Error()
	}
	return fmt.Sprintf("%v\nand %d faults more", all[:maxFaults], len(all)-maxFaults)
}

// signals turns SIGINT and SIGTERM into the end of a context. The second one
// says that there is no time for an orderly end.
func (a *app) signals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	got := make(chan os.Signal, 2)
	signal.Notify(got, syscall.SIGINT, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			s, ok := <-got
			if !ok {
				return
			}
			if n == 0 {
				cancel(&signalled{s})
			} else if n == 1 {
				close(a.hurry)
			}
		}
	}()
	return ctx, func() {
		signal.Stop(got)
		close(got)
		<-done
		cancel(nil)
	}
}

// signalled is the cause of a context that a signal ended.
type signalled struct{ signal os.Signal }

func (s *signalled) Error() string { return "got the signal to end (" + s.signal.String() + ")" }
func (s *signalled) Unwrap() error { return context.Canceled }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "hotcold",
		Short: "one node of two runs: always one, never two",
		Long: `hotcold keeps a service that must run exactly once running on one of two
machines.

On each machine an agent (hotcold run) stands beside the node. The agents share
a lease in the node's own database. The one that holds it runs the node; when it
stops renewing, its node is killed first, and only then does the other one take
over.

  hotcold demo          watch it happen on this machine, with nothing to install
  hotcold check         find what would go wrong, before it is needed
  hotcold run           the agent of this machine
  hotcold status        who is hot, since when, and who could take over
  hotcold switchover    hand the node to the other machine, in order

Settings are read from hotcold.conf (HOCON), which includes the node's own
node.conf. The manual is in docs/.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: noArgs,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if f := c.Flag("config"); f != nil && f.Changed && a.config == "" {
				return usage("--config names no file: is a variable empty?") // else another file would be read in its place
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetFlagErrorFunc(flagFault)
	root.Version = buildinfo.String()
	root.SetVersionTemplate("{{.Version}}\n")
	root.Flags().Bool("version", false, "say which build this is")
	root.PersistentFlags().StringVarP(&a.config, "config", "c", "", "configuration `file` (default: $HOTCOLD_CONFIG,\n./hotcold.conf, /etc/hotcold/hotcold.conf)")
	_ = root.MarkPersistentFlagFilename("config", "conf")
	root.AddGroup(&cobra.Group{ID: "see", Title: "See:"}, &cobra.Group{ID: "run", Title: "Run:"}, &cobra.Group{ID: "steer", Title: "Steer:"}, &cobra.Group{ID: "set", Title: "Set up:"})
	root.CompletionOptions.DisableDefaultCmd = true // ours says less, and refuses what it does not know
	root.SetHelpCommand(a.helpCommand())
	root.AddCommand(a.runCommand(), a.balanceCommand(), a.statusCommand(), a.historyCommand(),
		a.switchoverCommand(), a.pauseCommand(), a.resumeCommand(),
		a.checkCommand(), a.cloneCommand(), a.diffCommand(), a.initCommand(), a.configCommand(), a.driveCommand(), a.demoCommand(), a.renderCommand(), a.schemaCommand(), a.completionCommand(), a.versionCommand(), a.witnessCommand())
	for _, c := range root.Commands() {
		if c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 {
			c.ValidArgsFunction = cobra.NoFileCompletions // none takes a file
		}
	}
	return root
}

// jsonFlag adds --json to a command that prints data.
func (a *app) jsonFlag(c *cobra.Command) {
	c.Flags().BoolVar(&a.json, "json", false, "print JSON, for machines")
}

func (a *app) style() status.Style { return status.StyleOf(a.Stdout, a.Lookup) }
