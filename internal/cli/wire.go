package cli

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/buildinfo"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/drive"
	"github.com/hotcold/hotcold/internal/probe"
	"github.com/hotcold/hotcold/internal/process"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// identity is new with every start of an agent.
func identity(c *config.Config) (lease.Identity, error) {
	boot, err := process.BootID()
	if err != nil {
		return lease.Identity{}, err
	}
	nonce := make([]byte, 16)
	rand.Read(nonce) // it never fails (crypto/rand)
	return lease.Identity{Instance: c.Instance.ID, Nonce: hex.EncodeToString(nonce), Boot: boot}, nil
}

// agentOptions maps the configuration to what the agent needs.
func (a *app) agentOptions(c *config.Config, t lease.Timing, log *slog.Logger) (agent.Options, error) {
	self, err := identity(c)
	if err != nil {
		return agent.Options{}, err
	}
	n, m := c.Node, c.MutualExclusion
	o := agent.Options{
		Version: buildinfo.Read().Version, Lease: c.LeaseName, Machine: c.Instance.MachineName, Self: self, Timing: t,
		Dialect: string(c.Database.Dialect), Preset: string(c.Preset.Name), BaseDir: c.BaseDir, EpochFile: c.Drive.EpochFile,
		ReadyTimeout: n.Ready.Timeout, StopTimeout: n.Stop.Timeout, ExitMeaning: c.Preset.ExitMeaning,
		Restart:    agent.Restart{Attempts: n.Restart.Attempts, Backoff: n.Restart.Backoff, MaxBackoff: n.Restart.MaxBackoff, ResetAfter: n.Restart.ResetAfter},
		Failover:   agent.Failover{Budget: n.Failover.Budget, Window: n.Failover.Window},
		ExitIfHeld: m.Standby == config.StandbyExit, StopOnLoss: m.OnDatabaseLoss == config.LossExit,
		Hurry: a.hurry, Clock: a.Clock, Log: log,
	}
	for _, p := range n.Ports {
		o.Ports = append(o.Ports, p.Address)
	}
	for _, e := range c.Preset.PlannedExits {
		o.PlannedExits = append(o.PlannedExits, agent.PlannedExit{Code: e.Code, Line: e.Line, Meaning: e.Meaning})
	}
	if o.Drive, err = a.driveOptions(c); err != nil {
		return o, err
	}
	env := a.nodeEnv(n.Env)
	o.Process = process.Options{
		Argv: n.Command, Dir: n.Dir, Env: env, RuntimeDir: c.RuntimeDir, StopSignal: n.Stop.Signal, StopCommand: n.Stop.Command,
		Cgroup: n.Cgroup, LastResort: m.LastResort, Watchdog: m.Watchdog,
	}
	if o.Ready, o.ReadyLines, err = probes(n.Ready.Checks, n.Dir, env, a.Clock); err != nil {
		return o, err
	}
	o.Health = agent.Health{Interval: n.Health.Interval, Timeout: n.Health.Timeout, Threshold: n.Health.Threshold, StartPeriod: n.Health.StartPeriod}
	o.Health.Probes, _, err = probes(n.Health.Checks, n.Dir, env, a.Clock)
	return o, err
}

// driveOptions are how the shared drive is watched: by this program, in a process of its own.
func (a *app) driveOptions(c *config.Config) (agent.Drive, error) {
	if c.Drive.Path == "" || !c.MutualExclusion.On {
		return agent.Drive{}, nil
	}
	self, err := a.Executable()
	if err != nil {
		return agent.Drive{}, fmt.Errorf("find our own program: %w", err)
	}
	return agent.Drive{Expect: expected(c), HangLimit: c.Drive.HangLimit, Fstab: drive.FstabFile, Program: drive.ProbeArgs(self)}, nil
}

// expected is what the configuration says of the drive.
func expected(c *config.Config) drive.Expect {
	return drive.Expect{Path: c.Drive.Path, Kind: drive.Kind(c.Drive.Type), Source: c.Drive.Source}
}

// lockOut is who is locked out of the database before the node starts.
func lockOut(c *config.Config, db database) agent.LockOut {
	if !c.Database.Fencing.On {
		return agent.LockOut{}
	}
	f := fenceOf(c)
	return agent.LockOut{By: db, Mine: f.Mine, Others: f.Others}
}

// fenceOf names the roles of the configuration; of the lease it knows only the name.
func fenceOf(c *config.Config) sqlstore.Fence {
	f := c.Database.Fencing
	return sqlstore.Fence{Lease: c.LeaseName, Mine: f.Roles[c.Instance.MachineName], Others: f.OthersRoles(c.Instance.MachineName)}
}

// vouchedFor is the replication that a person asserts; empty where the database is asked.
func vouchedFor(r config.Replication) sqlstore.Copies {
	switch r {
	case config.ReplicationSynchronous:
		return sqlstore.CopiesSynchronous
	case config.ReplicationAsynchronous:
		return sqlstore.CopiesAsynchronous
	case config.ReplicationNone:
		return sqlstore.CopiesNone
	}
	return ""
}

// nodeEnv is the agent's own environment with what the configuration adds,
// less what belongs to the agent alone.
func (a *app) nodeEnv(more map[string]config.Secret) []string {
	var env []string
	for _, kv := range a.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if _, replaced := more[name]; replaced || slices.Contains(agentsOwn(), name) {
			continue
		}
		env = append(env, kv)
	}
	for name, value := range more {
		env = append(env, name+"="+value.Reveal())
	}
	slices.Sort(env)
	return env
}

// agentsOwn are variables by which systemd speaks to the agent: a node that
// saw them would answer in its place.
func agentsOwn() []string {
	return []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", configVar, inheritVar, pastVar, rootVar}
}

// probes makes the looks that a configuration asks for.
func probes(c config.Checks, dir string, env []string, k clock.Clock) (all []probe.Probe, lines []*probe.LogLine, err error) {
	if len(c.TCP) > 0 {
		p, err := probe.NewTCP(c.TCP...)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, p)
	}
	for _, h := range c.HTTP {
		p, err := httpProbe(h)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, p)
	}
	if c.Log != nil {
		p, err := probe.NewLogLine(c.Log.String())
		if err != nil {
			return nil, nil, err
		}
		all, lines = append(all, p), append(lines, p)
	}
	if len(c.Command) > 0 {
		p, err := probe.NewCommand(probe.CommandOptions{Argv: c.Command, Dir: dir, Env: env, Clock: k})
		if err != nil {
			return nil, nil, err
		}
		all = append(all, p)
	}
	return all, lines, nil
}

// nodeOutput is where the node's lines go, and what to close at the end.
func (a *app) nodeOutput(o config.Output, log *slog.Logger) (process.Sink, func() error, error) {
	var sinks process.Sinks
	if o.PassThrough {
		_, journal := a.Lookup("JOURNAL_STREAM")
		sinks = append(sinks, process.Console{W: a.Stdout, Journal: journal})
	}
	if o.File == "" {
		return sinks, func() error { return nil }, nil
	}
	f, err := process.OpenFile(process.FileOptions{Path: o.File, MaxBytes: o.MaxSizeBytes, Keep: o.Keep, Log: log})
	if err != nil {
		return nil, nil, fmt.Errorf("open the node's output file: %w", err)
	}
	return append(sinks, f), f.Close, nil
}
