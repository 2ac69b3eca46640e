package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/hocon"
	"github.com/hotcold/hotcold/internal/corda"
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
}

func (a *app) configDiffCommand() *cobra.Command {
	var setA, setB []string
	c := &cobra.Command{
		Use: "diff A B", Short: "two machines' files: equal but for what may differ", Args: files(2, 2, "two files"),
		Long: `diff compares two node.conf, or two hotcold.conf with what they include, by
meaning: 20000 is "20000", and dataSource.url is the same nested or quoted. What
may differ between two machines (their own addresses, machineName, paths) is
marked as expected; what has to differ and does not is told too. Of secrets it
says only that they differ. It ends with 0 when nothing unexpected was found, and
with 8 otherwise.

Substitutions take their values from this machine's environment; --set-a and
--set-b give each file those of its own machine. One without a value compares as
equal to itself.`,
		Example: `  hotcold config diff primary/node.conf backup/node.conf
  hotcold config diff node.conf node.conf --set-a NODE_MACHINE_ADDRESS=10.0.0.4 \
      --set-b NODE_MACHINE_ADDRESS=10.0.0.5`,
		ValidArgsFunction: completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
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
	return c
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
		d := difference{Path: c.Path, Kind: c.Kind.String(), Expected: c.Expected, A: c.A, B: c.B}
		if c.Kind == hocon.Removed || c.Kind == hocon.Changed {
			o := originOf(c.AOrigin, true)
			d.AOrigin = &o
		}
		if c.Kind == hocon.Added || c.Kind == hocon.Changed {
			o := originOf(c.BOrigin, true)
			d.BOrigin = &o
		}
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
