package cli

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hotcold/hotcold/internal/demo"
	"github.com/hotcold/hotcold/internal/process"
	"github.com/hotcold/hotcold/lease"
)

// demoFlags are the flags of `hotcold demo`.
type demoFlags struct {
	once, keep   bool
	dir          string
	update, wait time.Duration
}

func (a *app) demoCommand() *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use: "demo", Short: "watch a takeover on this machine, with nothing to install", Args: noArgs, GroupID: "see",
		Long: `demo starts two agents on this machine with a small node, a lease in SQLite and a
folder as the drive, and a client that writes all the time. On a terminal it
waits for your keys: kill the node, the agent or a whole machine, freeze an
agent, make the database unreachable, switch over, pause. It tells what happens
and ends with a report: each takeover with its measured time and its bound,
writes lost (0), instants at which two nodes lived (0).

With --once, or without a terminal, it runs through by itself in under 40 s and
ends with 0 only if all of it held. Ctrl-C ends it and leaves nothing behind.`,
		Example: `  hotcold demo
  hotcold demo --once
  hotcold demo --once --json | jq .held`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), f) },
	}
	c.Flags().BoolVar(&f.once, "once", false, "run through by itself and end with the report")
	c.Flags().BoolVar(&f.keep, "keep", false, "keep the folder, and say where it is")
	c.Flags().StringVar(&f.dir, "dir", "", "new or empty `folder` to work in (default: a new one in $TMPDIR)")
	c.Flags().DurationVar(&f.update, "update", demo.DefaultUpdate, "updateInterval of the pair: how often the lease is renewed")
	c.Flags().DurationVar(&f.wait, "wait", demo.DefaultWait, "waitInterval of the pair: how long the lease has to stand still")
	a.jsonFlag(c)
	return c
}

func (a *app) demo(ctx context.Context, f demoFlags) error {
	if _, err := (lease.Settings{Update: f.update, Wait: f.wait}).Timing(); err != nil {
		return &failure{code: exitUsage, err: err, hint: "--update and --wait choose other numbers; without them they are sound"}
	}
	program, err := a.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	ctx, stop := untilNobodyListens(ctx)
	defer stop()
	o := demo.Options{
		Executable: program, Environ: a.demoEnviron(), Dir: f.dir, TempDir: a.tempDir(), Keep: f.keep, Update: f.update, Wait: f.wait,
		Screen: a.screen(), Hurry: a.hurry, Clock: a.Clock, Open: func(dsn string) (*sql.DB, error) { return sql.Open("sqlite", dsn) },
	}
	if !f.once && !a.json && isTerminal(a.Stdin) && isTerminal(a.Stdout) {
		o.Keys = a.Stdin
	}
	r, err := demo.Run(ctx, o)
	if err != nil {
		return err
	}
	if a.json {
		if err := a.printJSON(r); err != nil {
			return err
		}
	}
	return demoOutcome(r)
}

// demoOutcome makes a promise that was not kept an error.
func demoOutcome(r demo.Report) error {
	if r.Held {
		return nil
	}
	return &failure{code: exitFailed, err: errors.New("the demo did not hold what it promised: " + strings.Join(r.Faults, "; ")),
		hint: "with --keep the folder stays and shows how that came about"}
}

// screen is standard output, which is what a person came for, or standard
// error where standard output is data.
func (a *app) screen() demo.Screen {
	f := a.Stdout
	if a.json {
		f = a.Stderr
	}
	name, _ := a.Lookup("TERM")
	off, _ := a.Lookup("NO_COLOR")
	able := isTerminal(f) && name != "dumb"
	return demo.Screen{Out: f, Live: able, Color: able && off == "", Width: func() int {
		width, _, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 0
		}
		return width
	}}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

func (a *app) tempDir() string {
	if dir, ok := a.Lookup("TMPDIR"); ok && dir != "" {
		return dir
	}
	return os.TempDir()
}

// demoEnviron is our environment without what would make an agent of the demo
// believe that it is another one.
func (a *app) demoEnviron() []string {
	return slices.DeleteFunc(a.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(agentsOwn(), name) || name == "JOURNAL_STREAM" || name == process.EpochVar || name == process.InstanceVar
	})
}

// untilNobodyListens also ends the demo when its terminal or its reader is
// gone, in order: else its folder would stay.
func untilNobodyListens(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	gone := make(chan os.Signal, 1)
	signal.Notify(gone, syscall.SIGHUP, syscall.SIGPIPE)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if s, ok := <-gone; ok {
			cancel(&signalled{s})
		}
	}()
	return ctx, func() {
		signal.Stop(gone)
		close(gone)
		<-done
		cancel(nil)
	}
}
