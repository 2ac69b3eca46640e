package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/internal/cloud"
	"github.com/hotcold/hotcold/internal/config"
)

func (a *app) renderCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "render", Short: "write the set-up down: both clouds, and machines of one's own", GroupID: "set",
		Long: `render writes what stands around the pair, from the one configuration: it asks no
cloud and changes nothing but files.

  hotcold render azure        balancer, firewall, drive and machines in Azure
  hotcold render aws          the same in AWS
  hotcold render haproxy      the balancer's probes and rules for HAProxy
  hotcold render systemd      the units of the agent and of the balancer
  hotcold render keepalived   one address for two balancers of one's own
  hotcold render prometheus   alert rules

Values that a cloud would refuse are told with their place and the range before
anything is written. No output holds a secret. The machine that renders needs
neither the node's secrets nor its variables.

With --check DIR it compares what was rendered there earlier with what the
configuration says now, and with what the files say now. It ends with 8 where
something has drifted.`,
		Example: `  hotcold render azure --out azure
  hotcold render aws --format cloudformation --out aws
  hotcold render --check azure`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return noSubcommand(c, args[0])
		},
		RunE: func(c *cobra.Command, _ []string) error {
			if !c.Flags().Changed("check") {
				return c.Help()
			}
			return a.renderCheck(c.Context(), dir)
		},
	}
	a.jsonFlag(c)
	c.Flags().StringVar(&dir, "check", "", "compare this `folder` with the configuration")
	c.AddCommand(a.renderAzureCommand(), a.renderAWSCommand(), a.renderHAProxyCommand(), a.renderSystemdCommand(), a.renderKeepalivedCommand(), a.renderPrometheusCommand())
	for _, sub := range c.Commands() {
		sub.ValidArgsFunction = cobra.NoFileCompletions
	}
	return c
}

// rendering is one run of render for one target.
type rendering struct {
	target string
	format string
	out    string
	force  bool
	// What one target or the other is told besides.
	balancer, address, link, job string
	router                       int
}

// flags are those that every target has.
func (r *rendering) flags(c *cobra.Command) {
	c.Flags().StringVarP(&r.out, "out", "o", "", "write to this `folder`")
	c.Flags().BoolVar(&r.force, "force", false, "overwrite files that hotcold did not write, or that somebody has changed")
}

// formatFlag adds --format. The first format is the default.
func (r *rendering) formatFlag(c *cobra.Command, formats []string) {
	c.Flags().StringVar(&r.format, "format", formats[0], "`how` it is written: "+strings.Join(formats, ", "))
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

func oneOfFormats(format string, formats []string) error {
	if slices.Contains(formats, format) {
		return nil
	}
	return usage("--format is %q, want one of %s", format, strings.Join(formats, ", "))
}

// planned reads the configuration and makes the plan.
func (a *app) planned(ctx context.Context) (*config.Config, *cloud.Plan, error) {
	c, err := a.loadSetup(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, err := cloud.New(cloud.OptionsOf(c))
	return c, p, err
}

// loadSetup reads what a set-up says, on a machine that need not have anything but the configuration.
func (a *app) loadSetup(ctx context.Context) (*config.Config, error) {
	return a.loadWithBalancer(ctx, config.LoadSetup)
}

// written puts a set where the command line wants it. One file goes to standard output where no folder is named.
func (a *app) written(r rendering, s cloud.Set, warnings []string) error {
	for _, w := range warnings {
		report(a.Stderr, "warning", w)
	}
	if r.out == "" {
		for _, f := range s.Files {
			if _, err := fmt.Fprint(a.Stdout, f.Text); err != nil {
				return err
			}
		}
		return nil
	}
	if err := cloud.Write(r.out, s, r.force); err != nil {
		var foreign *cloud.ForeignError
		if errors.As(err, &foreign) {
			return &failure{code: exitRefused, err: err, hint: "look at what would be lost, then use --force, or another folder"}
		}
		return err
	}
	for _, f := range s.Files {
		fmt.Fprintln(a.Stdout, filepath.Join(r.out, filepath.FromSlash(f.Name)))
	}
	return nil
}

// render makes the set of a target; the warnings are for people.
func (a *app) render(ctx context.Context, r rendering) (cloud.Set, []string, error) {
	switch r.target {
	case "azure":
		return a.renderAzure(ctx, r)
	case "aws":
		return a.renderAWS(ctx, r)
	}
	return a.renderOwn(ctx, r)
}

// drifted is what --check --json prints.
type drifted struct {
	Target string        `json:"target"`
	Format string        `json:"format"`
	Drift  []cloud.Drift `json:"drift"`
}

// renderCheck compares a folder with the configuration.
func (a *app) renderCheck(ctx context.Context, dir string) error {
	if dir == "" {
		return usage("--check names no folder: is a variable empty?")
	}
	target, format, err := cloud.Rendered(dir)
	if errors.Is(err, cloud.ErrNotRendered) {
		return &failure{code: exitFailed, err: err, hint: "`hotcold render --help` shows how to render"}
	}
	if err != nil {
		return err
	}
	s, warnings, err := a.render(ctx, recalled(target, format))
	if err != nil {
		return err
	}
	all, err := cloud.Check(dir, s)
	if err != nil {
		return err
	}
	if a.json {
		if err := a.printJSON(drifted{target, format, append([]cloud.Drift{}, all...)}); err != nil {
			return err
		}
	} else {
		for _, w := range warnings {
			report(a.Stderr, "warning", w)
		}
		for _, d := range all {
			fmt.Fprintln(a.Stdout, d)
		}
	}
	if len(all) > 0 {
		return &failure{code: exitNotWell, err: fmt.Errorf("%s has drifted from the configuration", dir),
			hint: fmt.Sprintf("`hotcold render %s --out %s` writes it anew", target, dir)}
	}
	return nil
}
