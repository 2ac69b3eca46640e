package cli

import (
	"database/sql"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/internal/witness"
)

// witnessCommand is the small node of the demo. It is a command of its own so
// that it is a process of its own.
func (a *app) witnessCommand() *cobra.Command {
	return &cobra.Command{
		Use: "witness", Short: "the small node of the demo", Hidden: true, DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return witness.Command(cmd.Context(), witness.Process{
				Args: args, Out: a.Stdout,
				Getenv: func(name string) string { v, _ := a.Lookup(name); return v },
				Open:   func(dsn string) (*sql.DB, error) { return sql.Open("sqlite", dsn) },
			})
		},
	}
}
