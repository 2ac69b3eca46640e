package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/drive"
	"github.com/hotcold/hotcold/internal/status"
	"github.com/hotcold/hotcold/lease"
)

// finding is one line of a check.
type finding struct {
	Level string `json:"level"` // "ok", "note", "warning", "fault"
	About string `json:"about"` // one of checkGroups, or the preset
	Text  string `json:"text"`
	// Next is the next step for a person; missing where there is none.
	Next string `json:"next,omitempty"`
}

// checkReport is what a check says.
type checkReport struct {
	Findings []finding `json:"findings"`
	Faults   int       `json:"faults"`
	Warnings int       `json:"warnings"`
}

func (r *checkReport) add(level, about, format string, args ...any) {
	r.next(level, about, "", format, args...)
}

// next adds a finding with a next step.
func (r *checkReport) next(level, about, next, format string, args ...any) {
	r.Findings = append(r.Findings, finding{level, about, fmt.Sprintf(format, args...), next})
	switch level {
	case "fault":
		r.Faults++
	case "warning":
		r.Warnings++
	}
}

// checkGroups are the parts of a check, in their order.
func checkGroups() []string {
	return []string{"configuration", "timing", "database", "drive", "twins", "node", "machine", "pair"}
}

func (a *app) checkCommand() *cobra.Command {
	var only []string
	c := &cobra.Command{
		Use: "check", Short: "find what would go wrong, before it is needed", Args: noArgs, GroupID: "set",
		Long: `check looks at this machine as a takeover would: the configuration, the timing
with its inequality and numbers, the database with its rights and replication, the
shared drive, whether this machine is a twin of the other, the node's command,
directories and ports, the machine itself (Java, user, limits, unit, clock, room),
and what the agents of the pair last said. Each thing that is not as it should be
has its next step. It changes nothing but the tables, which it makes if they are
not there; on the drive it writes a small file and removes it.

Run it on both machines, as the user of the node. It ends with 0 when nothing is
at fault, and with 8 otherwise. A cold agent looks at the same again and again:
hotcold status says whether it could take over, or why not.`,
		Example: `  hotcold check
  hotcold check --only database,pair
  hotcold check --json | jq '.findings[] | select(.level == "fault")'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, g := range only {
				if !slices.Contains(checkGroups(), g) {
					return usage("--only is %q, want some of %s", g, strings.Join(checkGroups(), ", "))
				}
			}
			conf, err := a.load(cmd.Context())
			if err != nil {
				return err
			}
			r := a.check(cmd.Context(), conf, only)
			if cmd.Context().Err() != nil {
				return context.Cause(cmd.Context()) // what was cut short says nothing
			}
			if a.json {
				err = a.printJSON(r)
			} else {
				err = r.print(a.Stdout)
				fmt.Fprintf(a.Stderr, "%s, %s\n", count(r.Faults, "fault"), count(r.Warnings, "warning"))
			}
			if err == nil && r.Faults > 0 {
				return &failure{code: exitNotWell, err: errNotWell}
			}
			return err
		},
	}
	a.jsonFlag(c)
	c.Flags().StringSliceVar(&only, "only", nil, "some `groups` only, as in database,pair")
	_ = c.RegisterFlagCompletionFunc("only", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return checkGroups(), cobra.ShellCompDirectiveNoFileComp
	})
	return c
}

// checker is one check.
type checker struct {
	*app
	conf *config.Config
	r    *checkReport
	only []string
	db   database         // nil where it cannot be used
	seen *status.Overview // of the pair; nil where the database did not say
}

func (k *checker) wants(group string) bool { return len(k.only) == 0 || slices.Contains(k.only, group) }

func (a *app) check(ctx context.Context, c *config.Config, only []string) *checkReport {
	k := &checker{app: a, conf: c, r: &checkReport{Findings: []finding{}}, only: only}
	if k.wants("configuration") {
		k.r.add("ok", "configuration", "%s is understood; this instance is %s, lease %q, preset %s", c.File, c.Instance.ID, c.LeaseName, c.Preset.Name)
		a.lintCheck(ctx, k.r, c)
	}
	t := k.timing()
	asked := slices.ContainsFunc([]string{"database", "twins", "node", "machine", "pair"}, k.wants)
	if asked && c.MutualExclusion.On && t != (lease.Timing{}) {
		k.open(ctx, t)
		defer k.close()
	}
	if k.wants("drive") {
		a.checkDrive(ctx, k.r, c)
	}
	if k.wants("twins") {
		k.twins(ctx)
	}
	if k.wants("node") {
		k.node(ctx, t)
	}
	if k.wants("machine") {
		k.machine(ctx)
	}
	if k.wants("pair") && k.seen != nil {
		k.pair(t)
	}
	if len(only) == 0 {
		for _, trap := range c.Preset.Traps {
			k.r.add("note", string(c.Preset.Name), "%s", trap)
		}
	}
	return k.r
}

// timing checks the inequality, and says it with its numbers.
func (k *checker) timing() lease.Timing {
	t, err := timing(k.conf)
	switch {
	case err != nil:
		_, hint := judge(err)
		k.r.next("fault", "timing", hint, "%v", err)
		return lease.Timing{}
	case k.conf.MutualExclusion.On && k.wants("timing"):
		for _, line := range t.Explain() {
			k.r.add("ok", "timing", "%s", line)
		}
	}
	return t
}

// node looks whether the node could be started here, and its ports are free.
func (k *checker) node(ctx context.Context, t lease.Timing) {
	o, err := k.agentOptions(k.conf, t, slog.New(slog.DiscardHandler))
	if err != nil {
		k.r.add("fault", "node", "%v", err)
		return
	}
	faults := agent.Faults(o)
	for _, f := range faults {
		k.r.add("fault", "node", "%s", f)
	}
	if len(faults) == 0 {
		k.r.add("ok", "node", "%s can be started here: command, directories and drive are there", k.conf.Node.Command[0])
	}
	if k.nodeMayBeUp() || len(o.Ports) == 0 {
		return
	}
	taken := agent.PortsTaken(ctx, o)
	for _, f := range taken {
		k.r.next("fault", "node", "`ss -ltnp` says which program has it: end that one, or give the node another port", "%s", f)
	}
	if len(taken) == 0 {
		k.r.add("ok", "node", "the node's ports are free: %s", strings.Join(o.Ports, ", "))
	}
}

// nodeMayBeUp tells whether what answers on the node's ports may be the node.
func (k *checker) nodeMayBeUp() bool {
	if k.seen == nil {
		return true
	}
	return slices.ContainsFunc(k.seen.Instances, func(m status.Member) bool {
		return m.ID == k.conf.Instance.ID && !m.Stale && m.State != agent.Ended && m.State != agent.Cold
	})
}

// checkDrive looks at the shared drive, if there is one.
func (a *app) checkDrive(ctx context.Context, r *checkReport, c *config.Config) {
	if c.Drive.Path == "" {
		return
	}
	s := shared{path: c.Drive.Path, conf: c}
	for _, f := range drive.Check(ctx, a.driveCheck(ctx, s)) {
		r.next(string(f.Level), "drive", f.Next, "%s", f.Text)
	}
}

// print writes the findings for a person, by group, with the next step below each.
func (r *checkReport) print(w io.Writer) error {
	marks := map[string]string{"ok": "✓", "note": "·", "warning": "!", "fault": "✗"}
	group := ""
	var errs []error
	line := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format, args...)
		errs = append(errs, err)
	}
	for _, f := range r.Findings {
		if f.About != group {
			group = f.About
			line("%s\n", group)
		}
		line("  %s %s\n", marks[f.Level], strings.ReplaceAll(f.Text, "\n", "; "))
		if f.Next != "" {
			line("    → %s\n", strings.ReplaceAll(f.Next, "\n", "; "))
		}
	}
	return errors.Join(errs...)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
