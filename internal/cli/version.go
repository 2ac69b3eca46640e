package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/internal/buildinfo"
)

func (a *app) versionCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "version", Short: "say which build this is", Args: noArgs, GroupID: "see",
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.printJSON(buildinfo.Read())
			}
			_, err := fmt.Fprintln(a.Stdout, buildinfo.String())
			return err
		},
	}
	a.jsonFlag(c)
	return c
}

// printJSON writes one value as data.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
