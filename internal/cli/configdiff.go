package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/hocon"
	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/corda"
	"github.com/hotcold/hotcold/lease/notice"
)

// difference is one difference of two files, for machines.
type difference struct {
	Path     string  `json:"path"`
	Kind     string  `json:"kind"` // "added", "removed", "changed", "expected to differ"
	Expected bool    `json:"expected"`
	A        string  `json:"a,omitempty"`
	B        string  `json:"b,omitempty"`
	AOrigin  *origin `json:"aOrigin,omitempty"`
	BOrigin  *origin `json:"bOrigin,omitempty"`

	text string // all of it in one line
}

func differenceOf(c hocon.Change) difference {
	d := difference{Path: c.Path, Kind: c.Kind.String(), Expected: c.Expected, A: c.A, B: c.B, text: c.String()}
	if c.Kind == hocon.Removed || c.Kind == hocon.Changed {
		o := originOf(c.AOrigin, true)
		d.AOrigin = &o
	}
	if c.Kind == hocon.Added || c.Kind == hocon.Changed {
		o := originOf(c.BOrigin, true)
		d.BOrigin = &o
	}
	return d
}

func (a *app) configDiffCommand() *cobra.Command {
	var setA, setB []string
	var machine string
	c := &cobra.Command{
		Use: "diff [A B]", Short: "two machines' files: equal but for what may differ", Args: noneOrTwo,
		Long: `diff without files compares this machine's configuration with what the other
machine's agent told of its own when it started; secrets are not compared then.

With files it compares two node.conf, or two hotcold.conf with what they include, by
meaning: 20000 is "20000", and dataSource.url is the same nested or quoted. What
may differ between two machines (their own addresses, machineName, paths) is
marked as expected; what has to differ and does not is told too. Of secrets it
says only that they differ. It ends with 0 when nothing unexpected was found, and
with 8 otherwise.

Substitutions take their values from this machine's environment; --set-a and
--set-b give each file those of its own machine. One without a value compares as
equal to itself.`,
		Example: `  hotcold config diff
  hotcold config diff primary/node.conf backup/node.conf
  hotcold config diff node.conf node.conf --set-a NODE_MACHINE_ADDRESS=10.0.0.4 \
      --set-b NODE_MACHINE_ADDRESS=10.0.0.5`,
		ValidArgsFunction: completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.diffMachines(cmd.Context(), machine)
			}
			var nodes [2]*corda.Node
			for i, set := range [][]string{setA, setB} {
				environ, err := a.variables(set)
				if err != nil {
					return err
				}
				nodes[i], err = a.loadNode(cmd.Context(), args[i], corda.Sources{Environ: environ, Bare: true, Lenient: true})
				if err != nil {
					return err
				}
			}
			return a.printDiff(corda.Diff(nodes[0], nodes[1]))
		},
	}
	a.jsonFlag(c)
	c.Flags().StringArrayVar(&setA, "set-a", nil, "a `NAME=value` of the machine of A (several times)")
	c.Flags().StringArrayVar(&setB, "set-b", nil, "a `NAME=value` of the machine of B (several times)")
	c.Flags().StringVar(&machine, "with", "", "without files: the `machine` to compare with; the one that started last without it")
	return c
}

func noneOrTwo(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return files(2, 2, "two files, or none")(c, args)
}

// reportsLookedAt is how many lines of the history are looked through for what an
// agent told when it started. A pair at rest writes none.
const reportsLookedAt = 10_000

// report is what an agent tells of its configuration.
func (a *app) report(ctx context.Context, c *config.Config) (json.RawMessage, error) {
	n, err := a.loadNode(ctx, c.File, corda.Sources{Environ: a.Environ(), Bare: true, Lenient: true})
	if err != nil {
		return nil, err
	}
	return n.Report(), nil
}

// diffMachines compares this machine's configuration with what another one's agent
// told last.
func (a *app) diffMachines(ctx context.Context, machine string) error {
	c, db, err := a.opened(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	report, err := a.report(ctx, c)
	if err != nil {
		return err
	}
	here, err := corda.Reported(c.Instance.MachineName, report)
	if err != nil {
		return err
	}
	events, err := a.history(ctx, c, db)
	if err != nil {
		return err
	}
	e, d, ok := lastReport(events, c.Instance.ID, machine)
	if !ok {
		return &failure{code: exitFailed, err: errors.New("no other machine has told how it is configured"),
			hint: "its agent does so when it starts (`hotcold run`)"}
	}
	there, err := corda.Reported(d.Machine, d.Config)
	if err != nil {
		return fmt.Errorf("read what %s told at %s: %w", e.Instance, e.At.UTC().Format(time.RFC3339), err)
	}
	fmt.Fprintf(a.Stderr, "%s, as its agent told when it started at %s; secrets are not compared\n", e.Instance, e.At.UTC().Format(time.RFC3339))
	return a.printDiff(corda.Diff(here, there))
}

// lastReport finds what another machine told last of its configuration, among
// events of which the newest comes first.
func lastReport(events []notice.Event, self, machine string) (notice.Event, agent.Document, bool) {
	for _, e := range events {
		var d agent.Document
		if e.Kind == agent.EventConfigured && e.Instance != self && json.Unmarshal(e.Document, &d) == nil && (machine == "" || d.Machine == machine || e.Instance == machine) {
			return e, d, true
		}
	}
	return notice.Event{}, agent.Document{}, false
}

// variables are the environment for substitutions: this machine's, and what was set over it. What stands for a key of
// node.conf by its name (corda_...) is left out: it would be laid over both files alike.
func (a *app) variables(set []string) ([]string, error) {
	var environ []string
	for _, line := range a.Environ() {
		if len(line) < 6 || !strings.EqualFold(line[:5], "corda") || line[5] != '_' && line[5] != '.' {
			environ = append(environ, line)
		}
	}
	for _, line := range set {
		if name, _, ok := strings.Cut(line, "="); !ok || name == "" {
			return nil, usage("%q sets nothing, want NAME=value", name)
		}
		environ = append(environ, line)
	}
	return environ, nil
}

func (a *app) printDiff(changes []hocon.Change) error {
	unexpected := 0
	rows := []difference{}
	for _, c := range changes {
		d := differenceOf(c)
		if !c.Expected {
			unexpected++
		}
		rows = append(rows, d)
	}
	if a.json {
		if err := a.printJSON(map[string]any{"differences": rows, "unexpected": unexpected}); err != nil {
			return err
		}
	} else {
		for i, c := range changes {
			if _, err := fmt.Fprintf(a.Stdout, "%-10s %s\n", map[bool]string{true: "expected", false: "UNEXPECTED"}[rows[i].Expected], c); err != nil {
				return err
			}
		}
		fmt.Fprintf(a.Stderr, "%s, %d of them unexpected\n", count(len(changes), "difference"), unexpected)
	}
	if unexpected > 0 {
		return &failure{code: exitNotWell, err: errNotWell}
	}
	return nil
}
