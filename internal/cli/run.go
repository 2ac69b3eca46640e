package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/machine"
	"github.com/hotcold/hotcold/internal/probe"
	"github.com/hotcold/hotcold/internal/process"
	"github.com/hotcold/hotcold/internal/status"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/etcdstore"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

func (a *app) runCommand() *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "the agent of this machine: runs the node while it holds the lease", Args: noArgs, GroupID: "run",
		Long: `run is the agent. Cold, it watches the lease; when the lease is free it takes it
and starts the node; hot, it renews the lease and watches the node. When the
lease cannot be renewed in time it kills the node, and sees it dead, before
anybody else may start one. A guard process does the same if the agent hangs.

SIGTERM or Ctrl-C stops the node in order, sees it dead and releases the lease,
so that the other machine takes over at once. A second one kills the node.

Under systemd use Type=notify; the watchdog is supported.`,
		Example: `  hotcold run
  hotcold run --config /etc/hotcold/hotcold.conf`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := a.run(cmd.Context())
			// A signal while the agent still starts is no failure either, unless
			// it kept us from seeing an earlier agent's node dead.
			if errors.Is(err, context.Canceled) && cmd.Context().Err() != nil && !errors.Is(err, process.ErrAlive) {
				return nil
			}
			return err
		},
	}
}

// run wires the configuration to an agent and its listener.
func (a *app) run(ctx context.Context) (err error) {
	c, err := a.load(ctx)
	if err != nil {
		return err
	}
	log, flush := a.logger(c.Log)
	defer flush()
	defer outliveReaders()()
	for _, w := range c.Warnings {
		log.Warn(w.Text, "path", w.Path, "at", w.Pos.String())
	}
	t, err := timing(c)
	if err != nil {
		return err
	}
	if err := baseThere(c); err != nil {
		return err
	}
	o, err := a.agentOptions(c, t, log)
	if err != nil {
		return &failure{code: exitConfig, err: err}
	}
	output, closeOutput, err := a.nodeOutput(c.Node.Output, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeOutput()) }()
	o.Process.Output = output
	if o.Twins, err = a.twinOptions(ctx, c); err != nil {
		return err
	}
	o.Checks = func(ctx context.Context) []machine.Finding { return machine.Look(ctx, a.machineOptions(c)) }
	if c.MutualExclusion.On {
		db, err := a.store(ctx, c, t, log)
		if err != nil {
			return err
		}
		defer db.Close()
		o.Database, o.LockOut = db, lockOut(c, db)
		if o.Configured, err = a.report(ctx, c); err != nil {
			log.Warn("the configuration is not told to the other machine", "err", err)
		}
	}
	return a.serve(ctx, c, o, log)
}

// baseThere refuses to make a base directory on the way to a runtime directory in
// it: where its drive is not mounted it would look like an empty node, and be
// started. With a runtime directory elsewhere the agent waits for it, not ready.
func baseThere(c *config.Config) error {
	if !strings.HasPrefix(c.RuntimeDir, strings.TrimSuffix(c.BaseDir, "/")+"/") {
		return nil
	}
	if _, err := os.Stat(c.BaseDir); err != nil {
		return fmt.Errorf("look at the base directory: %w", err)
	}
	return nil
}

// store opens the database and finds out what no waiting would mend: tables or
// rights that are missing. A database that is down is waited for.
func (a *app) store(ctx context.Context, c *config.Config, t lease.Timing, log *slog.Logger) (database, error) {
	db, err := open(ctx, c, t.Attempt, log)
	if err != nil {
		return nil, &failure{code: exitConfig, err: err}
	}
	reading, cancel := context.WithTimeout(ctx, databaseLimit)
	defer cancel()
	_, err = db.Read(reading, c.LeaseName)
	var schema *sqlstore.SchemaError
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, errors.Join(context.Cause(ctx), db.Close())
	case errors.As(err, &schema), errors.Is(err, sqlstore.ErrRights), errors.Is(err, sqlstore.ErrLogin), errors.Is(err, sqlstore.ErrNetworkDrive),
		errors.Is(err, etcdstore.ErrLogin), errors.Is(err, etcdstore.ErrRights), errors.Is(err, etcdstore.ErrDamaged):
		return nil, errors.Join(err, db.Close())
	default:
		log.Warn("the database does not answer yet: waiting for it", "database", c.Database.String(), "err", err)
	}
	return db, nil
}

// liveLimit is how long the agent's loop may stand still until it counts as hung.
func liveLimit(t lease.Timing) time.Duration { return max(5*time.Second, 2*t.Wait) }

// serve runs the agent and its listener until ctx ends.
func (a *app) serve(ctx context.Context, c *config.Config, o agent.Options, log *slog.Logger) error {
	live := status.NewLiveCheck(a.Clock, liveLimit(o.Timing))
	o.Beat = live.Touch
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	defer background.Wait()
	defer stop()
	publish, tell := notifier(running, log)
	background.Go(tell)
	bell := status.NewBell()
	o.Published = func(s agent.Snapshot) {
		bell.Ring()
		publish(s)
	}
	g, err := agent.New(o)
	if err != nil {
		return err
	}
	if c.Listen.Address != "" {
		server, err := status.New(status.Options{
			Address: c.Listen.Address, TLS: status.TLS{CertFile: c.Listen.TLS.Certificate, KeyFile: c.Listen.TLS.Key, ClientCAFile: c.Listen.TLS.ClientCA},
			Key: c.Listen.Key, Snapshot: g.Snapshot, Live: live, Bell: bell, Clock: a.Clock, Log: log,
		})
		if err != nil {
			return &failure{code: exitConfig, err: err}
		}
		if err := server.Listen(); err != nil {
			if twin := locked(o.Process.RuntimeDir); twin != nil {
				return twin // it has our port because it is another agent of this very instance
			}
			return &failure{code: exitConfig, err: err, hint: listenHint(err)}
		}
		background.Go(func() {
			if err := server.Run(running); err != nil {
				log.Error("the agent's listener ended", "err", err)
			}
		})
	}
	if c.Listen.Probe != "" {
		probed, err := a.listenProbe(c, g, log)
		if err != nil {
			return err
		}
		background.Go(func() {
			if err := probed.Run(running); err != nil {
				log.Error("the listener for probes ended", "err", err)
			}
		})
	}
	background.Go(func() { a.watchdog(running, live) })
	log.Info("agent started", "machine", o.Machine, "instance", o.Self.Instance, "lease", o.Lease, "version", o.Version,
		"database", c.Database.String(), "listen", c.Listen.Address, "probe", c.Listen.Probe, "update", o.Timing.Update, "wait", o.Timing.Wait)
	sdNotify(log, daemon.SdNotifyReady)
	err = g.Run(ctx)
	sdNotify(log, daemon.SdNotifyStopping)
	log.Info("agent ended", "machine", o.Machine)
	return err
}

// listenProbe opens the listener that a cloud's probes ask.
func (a *app) listenProbe(c *config.Config, g *agent.Agent, log *slog.Logger) (*status.Server, error) {
	server, err := status.NewProbe(status.ProbeOptions{Address: c.Listen.Probe, Snapshot: g.Snapshot, Clock: a.Clock, Log: log})
	if err == nil {
		err = server.Listen()
	}
	if err != nil {
		if twin := locked(c.RuntimeDir); twin != nil {
			return nil, twin
		}
		return nil, &failure{code: exitConfig, err: err}
	}
	return server, nil
}

// listenHint is the next step where the error does not say it by itself.
func listenHint(err error) string {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return "" // said already
	case errors.Is(err, fs.ErrPermission):
		return "ports below 1024 are for root: choose a higher one (hotcold.listen.address)"
	}
	return "hotcold.listen.address chooses another address or port"
}

// locked tells whether another agent of this instance runs here. It leaves
// everything as it was.
func locked(runtimeDir string) *process.LockedError {
	lock, err := process.Acquire(runtimeDir)
	if err == nil {
		lock.Release() // we only wanted to know
		return nil
	}
	var twin *process.LockedError
	errors.As(err, &twin) // any other error is not about a twin
	return twin
}

// notifier tells systemd the agent's state in words. The function it returns
// never blocks: what systemd has not been told yet is replaced by what is newer.
func notifier(ctx context.Context, log *slog.Logger) (publish func(agent.Snapshot), run func()) {
	newest := make(chan string, 1)
	publish = func(s agent.Snapshot) {
		text := string(s.State)
		if len(s.Reasons) > 0 {
			text += ": " + s.Reasons[0]
		}
		select {
		case <-newest:
		default:
		}
		select {
		case newest <- text:
		default: // another goroutine was faster with something as new
		}
	}
	run = func() {
		var said string
		for {
			select {
			case text := <-newest:
				if text != said {
					said = text
					sdNotify(log, "STATUS="+strings.ReplaceAll(text, "\n", " "))
				}
			case <-ctx.Done():
				return
			}
		}
	}
	return publish, run
}

func sdNotify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Debug("systemd was not told", "err", err)
	}
}

// watchdog feeds systemd's watchdog while the agent's loop turns.
func (a *app) watchdog(ctx context.Context, live *status.LiveCheck) {
	period, err := daemon.SdWatchdogEnabled(false)
	if err != nil || period == 0 {
		return
	}
	for clock.Wait(ctx, a.Clock, period/3) == nil {
		if live.Err() == nil {
			_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog) // systemd acts on its absence
		}
	}
}

// httpProbe maps one HTTP check.
func httpProbe(h config.HTTPCheck) (probe.Probe, error) {
	p, err := probe.NewHTTP(probe.HTTPOptions{URL: h.URL, Match: h.Body})
	if err != nil {
		return nil, fmt.Errorf("http check: %w", err)
	}
	return p, nil
}
