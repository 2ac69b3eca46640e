package cli

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/hocon"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/corda"
)

// shown is one setting or field with what is in force.
type shown struct {
	Path   string `json:"path"`
	Value  string `json:"value"`
	Origin origin `json:"origin"`
}

func (a *app) configShowCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "show", Short: "what is in force, and where each value came from", Args: noArgs,
		Long: `show prints hotcold's own settings, and the fields of a Corda node's node.conf
as the node will see them: command line over system properties over environment
over node.conf over defaults. Each line is a path, its value and its place.
Secrets are shown as ***.`,
		Example: `  hotcold config show
  hotcold config show --all                     # with the defaults
  hotcold config show --json | jq '.fields[] | select(.path == "p2pAddress")'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := a.load(cmd.Context())
			if err != nil {
				return err
			}
			node, err := a.nodeOf(cmd.Context(), conf, false)
			if err != nil {
				return err
			}
			if node != nil {
				for _, f := range node.Findings {
					report(a.Stderr, string(f.Severity), f.String())
				}
			}
			settings, fields := settingsShown(conf, all), fieldsShown(node, all)
			if a.json {
				return a.printJSON(map[string]any{"file": conf.File, "nodeConf": conf.NodeConf, "settings": settings, "fields": fields})
			}
			return a.printShown(append(settings, fields...))
		},
	}
	a.jsonFlag(c)
	c.Flags().BoolVar(&all, "all", false, "with what nobody wrote: the defaults")
	return c
}

func (a *app) printShown(rows []shown) error {
	w := tabwriter.NewWriter(a.Stdout, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.Path, r.Value, r.Origin.place())
	}
	return w.Flush()
}

// settingsShown are hotcold's own settings.
func settingsShown(c *config.Config, all bool) []shown {
	rows := []shown{}
	for _, s := range c.Settings {
		o, written := c.Origin(s.Path)
		if written || all && s.Value != "" {
			rows = append(rows, shown{s.Path, s.Value, originOf(o, written)})
		}
	}
	return rows
}

// fieldsShown are the fields of node.conf, in the order of the table, and then what the table does not know.
func fieldsShown(n *corda.Node, all bool) []shown {
	rows := []shown{}
	if n == nil {
		return rows
	}
	told := map[string]bool{}
	var walk func(v hocon.Value)
	walk = func(v hocon.Value) {
		if v.Path() == "hotcold" || told[v.Path()] || v.Kind() == hocon.Null {
			return
		}
		if v.Kind() == hocon.Object {
			for _, key := range v.Keys() {
				walk(v.Get(key))
			}
			return
		}
		told[v.Path()] = true
		if o := v.Origin(); all || o.Kind != hocon.FromDefault {
			rows = append(rows, shown{v.Path(), v.String(), originOf(o, true)})
		}
	}
	for _, f := range corda.Fields() {
		if v := corda.At(n.Config, f.Path); v.Exists() {
			walk(v)
		}
	}
	walk(n.Config.Root())
	return rows
}
