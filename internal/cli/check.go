package cli

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/drive"
	"github.com/hotcold/hotcold/internal/status"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// finding is one line of a check.
type finding struct {
	Level string `json:"level"` // "ok", "note", "warning", "fault"
	About string `json:"about"`
	Text  string `json:"text"`
}

// report of a check.
type checkReport struct {
	Findings []finding `json:"findings"`
	Faults   int       `json:"faults"`
	Warnings int       `json:"warnings"`
}

func (r *checkReport) add(level, about, format string, args ...any) {
	r.Findings = append(r.Findings, finding{level, about, fmt.Sprintf(format, args...)})
	switch level {
	case "fault":
		r.Faults++
	case "warning":
		r.Warnings++
	}
}

func (a *app) checkCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "check", Short: "find what would go wrong, before it is needed", Args: noArgs, GroupID: "set",
		Long: `check looks at this machine as a takeover would: the configuration, the timing
with its inequality and numbers, the database and the rights in it, the node's
command, its directories and ports, the shared drive, and what the agents of the
pair last said. It changes nothing but the tables, which it makes if they are
not there. It ends with 0 when nothing is at fault, and with 8 otherwise.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := a.load(cmd.Context())
			if err != nil {
				return err
			}
			r := a.check(cmd.Context(), conf)
			if a.json {
				err = a.printJSON(r)
			} else {
				a.printCheck(r)
			}
			if err == nil && r.Faults > 0 {
				return &failure{code: exitNotWell, err: errNotWell}
			}
			return err
		},
	}
	a.jsonFlag(c)
	return c
}

func (a *app) check(ctx context.Context, c *config.Config) *checkReport {
	r := &checkReport{}
	r.add("ok", "configuration", "%s is understood; this instance is %s, lease %q, preset %s", c.File, c.Instance.ID, c.LeaseName, c.Preset.Name)
	a.lintCheck(ctx, r, c)
	t, err := timing(c)
	if err != nil {
		r.add("fault", "timing", "%v", err)
	} else if c.MutualExclusion.On {
		for _, line := range t.Explain() {
			r.add("ok", "timing", "%s", line)
		}
		a.checkDatabase(ctx, r, c, t)
	}
	if o, err := a.agentOptions(c, t, slog.New(slog.DiscardHandler)); err != nil {
		r.add("fault", "node", "%v", err)
	} else if faults := agent.Faults(o); len(faults) == 0 {
		r.add("ok", "node", "%s can be started here: command, directories and drive are there", c.Node.Command[0])
	} else {
		for _, f := range faults {
			r.add("fault", "node", "%s", f)
		}
	}
	a.checkDrive(ctx, r, c)
	for _, trap := range c.Preset.Traps {
		r.add("note", string(c.Preset.Name), "%s", trap)
	}
	return r
}

// checkDrive looks at the shared drive, if there is one.
func (a *app) checkDrive(ctx context.Context, r *checkReport, c *config.Config) {
	if c.Drive.Path == "" {
		return
	}
	s := shared{path: c.Drive.Path, conf: c}
	for _, f := range drive.Check(ctx, a.driveCheck(ctx, s)) {
		r.add(string(f.Level), "drive", "%s", f)
	}
}

// checkDatabase looks at the database, the lease in it, and the other agents.
func (a *app) checkDatabase(ctx context.Context, r *checkReport, c *config.Config, t lease.Timing) {
	db, err := open(ctx, c, t.Attempt, slog.New(slog.DiscardHandler))
	if err != nil {
		r.add("fault", "database", "%v", err)
		return
	}
	defer db.Close()
	o, err := overview(ctx, c, db)
	if err != nil {
		_, hint := judge(err)
		r.add("fault", "database", "%s", strings.TrimSuffix(err.Error()+"; "+hint, "; "))
		return
	}
	r.add("ok", "database", "%s answers and may be used; it is incarnation %s", c.Database, o.Incarnation)
	switch c.Database.Dialect {
	case config.DialectSQLite:
		r.add("warning", "database", "SQLite is a file of this machine: it keeps agents of one machine apart, and is no lease between two")
	case config.DialectEtcd:
		r.add("note", "database", "restore a snapshot of etcd under a new cluster token only, with the agents stopped")
		if len(c.Database.Hosts) < 3 {
			r.add("warning", "database", "%d member(s) of etcd are named: name all of them, three or five, so that one may be lost", len(c.Database.Hosts))
		}
	}
	a.checkGuarantee(ctx, r, c, db, o)
	checkOthers(ctx, r, c, t, o)
}

// checkGuarantee says how far the promise goes, and what would make it go further.
func (a *app) checkGuarantee(ctx context.Context, r *checkReport, c *config.Config, db database, o status.Overview) {
	ctx, cancel := context.WithTimeout(ctx, databaseLimit)
	defer cancel()
	if c.Database.Fencing.On {
		faults, grants, err := db.FencingFaults(ctx, fenceOf(c))
		if err != nil {
			faults = append(faults, err.Error())
		}
		for _, fault := range faults {
			r.add("fault", "fencing", "%s", fault)
		}
		for _, grant := range grants {
			r.add("note", "fencing", "an administrator mends that with: %s;", grant)
		}
		if len(faults) == 0 {
			f := fenceOf(c)
			r.add("ok", "fencing", "the agent may lock %s out of the database, and let %s in", strings.Join(f.Others, ", "), f.Mine)
		}
	}
	g := o.Guarantee
	if g == nil {
		r.add("warning", "guarantee", "how the database is replicated could not be found out, so the level is C at best")
		return
	}
	level := "ok"
	if g.Level == sqlstore.LevelC {
		level = "warning"
	}
	r.add(level, "guarantee", "level %s: %s", g.Level, g.Text)
	if g.Raise != "" {
		r.add("note", "guarantee", "what would raise it: %s", g.Raise)
	}
}

// checkOthers compares with what the other agents run with.
func checkOthers(_ context.Context, r *checkReport, c *config.Config, t lease.Timing, o status.Overview) {
	var others int
	for _, m := range o.Instances {
		if m.ID == c.Instance.ID || m.Stale || m.State == agent.Ended {
			continue
		}
		others++
		r.add("ok", "pair", "%s is %s, %.0f s ago", m.ID, m.State, m.AgeSeconds)
	}
	if others == 0 {
		r.add("warning", "pair", "no other agent is up: nobody could take over")
	}
	if w := o.Timing; w != nil && o.Holder != nil && !o.Holder.Released &&
		(w.WaitSeconds != t.Wait.Seconds() || w.UpdateSeconds != t.Update.Seconds() || w.FenceSeconds != t.Fence.Seconds()) {
		r.add("fault", "pair", "%s runs with updateInterval %v s, waitInterval %v s, fenceTimeout %v s: give both machines the same numbers",
			o.Holder.Instance, w.UpdateSeconds, w.WaitSeconds, w.FenceSeconds)
	}
	for _, w := range o.Warnings {
		r.add("warning", "pair", "%s", w)
	}
}

func (a *app) printCheck(r *checkReport) {
	for _, f := range r.Findings {
		fmt.Fprintf(a.Stdout, "%-8s %-14s %s\n", f.Level, f.About, strings.ReplaceAll(f.Text, "\n", "; "))
	}
	fmt.Fprintf(a.Stderr, "%s, %s\n", count(r.Faults, "fault"), count(r.Warnings, "warning"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
