package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/hocon"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/corda"
	"github.com/hotcold/hotcold/lease"
)

// fault is one finding of a lint, for machines.
type fault struct {
	Severity string `json:"severity"` // "error", "warning"
	Rule     string `json:"rule"`
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Path     string `json:"path,omitempty"`
	Text     string `json:"text"`
	Mend     string `json:"mend,omitempty"`
}

func (a *app) configLintCommand() *cobra.Command {
	var edition string
	c := &cobra.Command{
		Use: "lint [FILE]", Short: "what is wrong, each with file, line and column", Args: files(0, 1, "one file, or none"),
		Long: `lint reads a node.conf or a hotcold.conf (the configuration, where no FILE is
named) and tells everything that would go wrong with it: what the node refuses,
what does not work on two machines, what still holds ${ inside of quotes, and
intervals that do not fit the lease. Each finding has its place, what was read and
what would be right. Without errors it ends with 0, with errors with 3.

A variable that is not set here is a warning: it may be set where the node runs.`,
		Example: `  hotcold config lint
  hotcold config lint node.conf
  hotcold config lint node.conf --edition open-source`,
		ValidArgsFunction: completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			e, ok := corda.EditionNamed(edition)
			if !ok {
				return usage("--edition is %q, want one of %s", edition, strings.Join(corda.Editions(), ", "))
			}
			found, err := a.lintFile(cmd.Context(), args, e)
			if err != nil {
				return err
			}
			return a.printLint(corda.Sort(found))
		},
	}
	a.jsonFlag(c)
	c.Flags().StringVar(&edition, "edition", "any", "Corda's `edition`: any, open-source, enterprise, enterprise-3")
	_ = c.RegisterFlagCompletionFunc("edition", cobra.FixedCompletions(corda.Editions(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// lintFile lints what is named: a node's own file, or hotcold's with all that it names.
func (a *app) lintFile(ctx context.Context, args []string, e corda.Edition) ([]corda.Finding, error) {
	file := ""
	if len(args) == 1 {
		file = args[0]
	} else {
		var err error
		if file, err = a.find(); err != nil {
			return nil, err
		}
	}
	n, err := a.loadNode(ctx, file, corda.Sources{Environ: a.Environ(), Lenient: true})
	var faults hocon.Errors
	if errors.As(err, &faults) {
		if len(args) == 1 && len(faults) == 1 && faults[0].Err != nil && faults[0].Pos.Line == 0 {
			return nil, err // there is no such file, or nobody may read it
		}
		return corda.FromErrors(faults), nil
	}
	if err != nil {
		return nil, err
	}
	if !n.Config.At("hotcold").Exists() {
		return append(corda.Lint(n, e), timingOfNode(n)...), nil
	}
	return a.lintOwn(ctx, file, n, e)
}

// lintOwn lints a hotcold.conf, and the node.conf that it includes or names. Where a variable is not set, what is
// hotcold's own cannot be decoded, and only the node's part is looked at.
func (a *app) lintOwn(ctx context.Context, file string, n *corda.Node, e corda.Edition) ([]corda.Finding, error) {
	if len(n.Unset) > 0 && n.Config.At("myLegalName").Exists() {
		return append(corda.Lint(n, e), corda.Finding{Severity: corda.Warning, Rule: "unset", Pos: n.Config.At("hotcold").KeyPos(), Path: "hotcold",
			Text: "was not looked at, because variables are not set in this environment: " + strings.Join(n.Unset, ", ")}), nil
	}
	conf, err := a.loadFile(ctx, file)
	var faults hocon.Errors
	if errors.As(err, &faults) {
		return corda.FromErrors(faults), nil
	}
	if err != nil {
		return nil, err
	}
	found := a.findings(ctx, conf, e)
	if _, err := timing(conf); err != nil && conf.MutualExclusion.On {
		found = append(found, corda.Finding{Severity: corda.Error, Rule: "interval", Pos: hocon.Pos(conf.Where("hotcold.mutualExclusion.waitInterval")),
			Path: "hotcold.mutualExclusion.waitInterval", Text: unsafe(err)})
	}
	return found, nil
}

// findings are what a configuration that can be used is warned of, and what is wrong with its node.conf.
func (a *app) findings(ctx context.Context, c *config.Config, e corda.Edition) []corda.Finding {
	var found []corda.Finding
	told := map[hocon.Pos]bool{}
	node, err := a.nodeOf(ctx, c, true)
	if err != nil {
		found = append(found, corda.Finding{Severity: corda.Error, Rule: "file", Text: err.Error()})
	} else if node != nil {
		found = corda.Lint(node, e)
	}
	for i := range found {
		found[i].Pos.File = a.short(found[i].Pos.File)
		told[found[i].Pos] = true
	}
	for _, w := range c.Warnings {
		pos := hocon.Pos(w.Pos)
		pos.File = a.short(pos.File)
		if !told[pos] || pos == (hocon.Pos{}) {
			found = append(found, corda.Finding{Severity: corda.Warning, Rule: "config", Pos: pos, Path: w.Path, Text: w.Text})
		}
	}
	return corda.Sort(found)
}

// unsafe is the text of a broken inequality, without the place that the finding has already.
func unsafe(err error) string {
	var f *failure
	if errors.As(err, &f) {
		if inner := errors.Unwrap(f.err); inner != nil {
			return inner.Error()
		}
	}
	return err.Error()
}

// timingOfNode holds the intervals of a node.conf against the inequality of the lease, since hotcold reads them there.
func timingOfNode(n *corda.Node) []corda.Finding {
	const at = "enterpriseConfiguration.mutualExclusionConfiguration."
	update, errU := n.Config.At(at + "updateInterval").Duration(time.Millisecond)
	wait, errW := n.Config.At(at + "waitInterval").Duration(time.Millisecond)
	if errU != nil || errW != nil || wait <= update {
		return nil // what is not there has hotcold's default, and the other faults are told
	}
	if _, err := (lease.Settings{Update: update, Wait: wait}).Timing(); err != nil {
		return []corda.Finding{{Severity: corda.Error, Rule: "interval", Pos: n.Config.At(at + "waitInterval").Pos(), Path: at + "waitInterval", Text: err.Error()}}
	}
	return nil
}

// printLint prints what was found, and ends with an error where there is one.
func (a *app) printLint(found []corda.Finding) error {
	faults := []fault{}
	errs := 0
	for _, f := range found {
		faults = append(faults, fault{string(f.Severity), f.Rule, f.Pos.File, f.Pos.Line, f.Pos.Col, f.Path, f.Text, f.Mend})
		if f.Severity == corda.Error {
			errs++
		}
	}
	if a.json {
		if err := a.printJSON(map[string]any{"findings": faults, "errors": errs, "warnings": len(found) - errs}); err != nil {
			return err
		}
	} else {
		for _, f := range found {
			if _, err := fmt.Fprintf(a.Stdout, "%-7s %s\n", f.Severity, f); err != nil {
				return err
			}
		}
	}
	total := count(errs, "error") + ", " + count(len(found)-errs, "warning")
	if errs > 0 {
		return &failure{code: exitConfig, err: errors.New(total)}
	}
	if !a.json {
		fmt.Fprintln(a.Stderr, total)
	}
	return nil
}

// lintCheck is the part of a check that looks at the files.
func (a *app) lintCheck(ctx context.Context, r *checkReport, c *config.Config) {
	for _, f := range a.findings(ctx, c, corda.AnyEdition) {
		level := "warning"
		if f.Severity == corda.Error {
			level = "fault"
		}
		r.add(level, "configuration", "%s", f)
	}
}
