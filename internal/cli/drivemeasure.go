package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/drive"
)

func (a *app) driveBenchCommand() *cobra.Command {
	var path string
	var span time.Duration
	var size int
	c := &cobra.Command{
		Use: "bench", Short: "how long a durable write takes, and whether that will do for a journal", Args: noArgs,
		Long: `bench writes blocks of 4 KiB, each made durable with fsync, as a broker's journal
does for each durable message; then one long file. It says how long a write took (p50:
half of them were faster; p99: one in a hundred was slower), how many bytes a second
went through, and what that means for a journal. It removes what it wrote.

It loads the drive: not while the node works on it. It ends with 8 where the drive is
too slow.`,
		Example: `  hotcold drive bench
  hotcold drive bench --path /mnt/corda --for 30s --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if span <= 0 || size <= 0 {
				return usage("--for and --size want more than nothing")
			}
			s, err := a.sharedDrive(cmd.Context(), path)
			if err != nil {
				return err
			}
			return a.bench(cmd.Context(), drive.BenchOptions{Dir: s.path, For: span, StreamBytes: int64(size) << 20, Clock: a.Clock})
		},
	}
	pathFlag(c, &path)
	c.Flags().DurationVar(&span, "for", 10*time.Second, "how `long` to write small blocks")
	c.Flags().IntVar(&size, "size", 64, "length of the long file in `MiB`")
	a.jsonFlag(c)
	return c
}

func (a *app) bench(ctx context.Context, o drive.BenchOptions) error {
	o.Progress = a.progress()
	s, err := aside(ctx, a.Clock, func() (drive.Speed, error) { return drive.Bench(ctx, o) })
	if err != nil {
		return err
	}
	if a.json {
		if err := a.printJSON(s); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.Stdout, "write and fsync  p50 %s, p99 %s, longest %s, of %d\n", millis(s.P50Seconds), millis(s.P99Seconds), millis(s.MaxSeconds), s.Writes)
		fmt.Fprintf(a.Stdout, "one long file    %.1f MiB a second\n", s.BytesPerSecond/(1<<20))
		fmt.Fprintf(a.Stdout, "%s %s\n", sign(s.Level), s.Verdict)
	}
	if s.Level != drive.OK {
		return &failure{code: exitNotWell, err: errNotWell}
	}
	return nil
}

func millis(seconds float64) string { return fmt.Sprintf("%.2f ms", seconds*1000) }

// progress shows on a terminal what part is done.
func (a *app) progress() func(string, float64) {
	if !terminal(a.Stderr) {
		return func(string, float64) {}
	}
	return func(what string, part float64) {
		end := ""
		if part >= 1 {
			end = "\n"
		}
		fmt.Fprintf(a.Stderr, "\r\x1b[K%s  %3.0f %%%s", what, 100*part, end)
	}
}

// aside runs what may hang on a drive, and leaves it behind when ctx ends. What hangs
// ends with the process.
func aside[T any](ctx context.Context, c clock.Clock, f func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		v, err := f()
		done <- answer{v, err}
	}()
	select {
	case got := <-done:
		return got.value, got.err
	case <-ctx.Done():
	}
	// It hears of the end by itself and cleans up, unless it hangs.
	timer := c.Timer(c.Now().Boot + asideLimit)
	defer timer.Stop()
	select {
	case got := <-done:
		return got.value, got.err
	case <-timer.C():
		var zero T
		return zero, context.Cause(ctx)
	}
}

// asideLimit is how long something may take to clean up after itself.
const asideLimit = time.Second

func (a *app) driveDrillCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "drill hold|wait", Short: "with both machines: when one has ended, how soon has the other its lock?",
		Long: `drill measures what a machine that dies leaves behind on the drive. One machine
holds a lock and stamps the drive, the other waits for that lock. Then end the
first one, the hard way: pull its plug, freeze it, cut its network. The other says
how long after the last stamp it had the lock.

Neither touches the node's files, nor the agent's: a drill may run beside them. A
broker waits for its journal's lock just as long, so this is a part of a takeover
after a crash; the lease is not. If the lock is had while the first machine still
holds it, locks are not seen between the machines, and drill says so.`,
		Example: `  hotcold drive drill hold       # on one machine
  hotcold drive drill wait       # on the other`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return noSubcommand(c, args[0])
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.drillHoldCommand(), a.drillWaitCommand())
	return c
}

// drillLimit is how long a waiting machine waits where nobody says: some servers never
// notice that a client is gone.
const drillLimit = 10 * time.Minute

func (a *app) drillHoldCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use: "hold", Short: "hold the lock and stamp the drive, until this machine is ended", Args: noArgs,
		Long: `hold takes the drill's lock and stamps the drive five times a second, until Ctrl-C, or
until the lock is lost: then it says how long after its last good stamp it noticed.`,
		Example: `  hotcold drive drill hold`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := a.drill(cmd.Context(), path)
			if err != nil {
				return err
			}
			_, err = aside(cmd.Context(), a.Clock, func() (struct{}, error) { return struct{}{}, drive.DrillHold(cmd.Context(), o) })
			if errors.Is(err, drive.ErrHeld) {
				return &failure{code: exitFailed, err: err, hint: "the other machine holds it: `hotcold drive drill wait` here"}
			}
			return err
		},
	}
	pathFlag(c, &path)
	return c
}

func (a *app) drillWaitCommand() *cobra.Command {
	var path string
	var span time.Duration
	c := &cobra.Command{
		Use: "wait", Short: "wait for the lock, and say how long that took", Args: noArgs,
		Long: `wait tries to get the drill's lock five times a second. When the other machine has
ended, and its server has given the lock up, it says how long after the last stamp
that was. It lets go at once. Where the other machine's lock is not seen at all, it
says so and ends with 1.`,
		Example: `  hotcold drive drill wait --for 15m`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := a.drill(cmd.Context(), path)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), span, fmt.Errorf("not within %v", span))
			defer cancel()
			t, err := aside(ctx, a.Clock, func() (drive.Takeover, error) { return drive.DrillWait(ctx, o) })
			if errors.Is(err, drive.ErrLocksUnseen) {
				return &failure{code: exitFailed, err: err, hint: "mount it with locks on both machines: no nobrl, nolock, local_lock or sshfs; `hotcold drive check`"}
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(t)
			}
			fmt.Fprintf(a.Stdout, "the lock of %s could be had %.1f s after its last stamp\n", t.From, t.Seconds)
			return nil
		},
	}
	pathFlag(c, &path)
	c.Flags().DurationVar(&span, "for", drillLimit, "how `long` to wait")
	a.jsonFlag(c)
	return c
}

func (a *app) drill(ctx context.Context, path string) (drive.DrillOptions, error) {
	s, err := a.sharedDrive(ctx, path)
	if err != nil {
		return drive.DrillOptions{}, err
	}
	tell := func(format string, args ...any) { fmt.Fprintf(a.Stderr, "hotcold: "+format+"\n", args...) }
	return drive.DrillOptions{Dir: s.path, Name: s.machine(a), Tell: tell, Clock: a.Clock}, nil
}
