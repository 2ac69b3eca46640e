package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/internal/config"
)

func (a *app) configSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "JSON Schema of hotcold.conf, for editors", Args: noArgs,
		Long: `schema prints a JSON Schema of what is hotcold's own in hotcold.conf, made of the
same table as the manual. It says less than ` + "`hotcold config lint`" + ` finds: HOCON's
substitutions and includes are beyond it.`,
		Example: `  hotcold config schema > hotcold.schema.json`,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(a.Stdout, config.JSONSchema())
			return err
		},
	}
}

func (a *app) configManCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man", Short: "the manual page hotcold.conf(5)", Args: noArgs,
		Long:    `man prints the manual page of hotcold.conf as roff, made of the table of settings.`,
		Example: `  hotcold config man | man -l -`,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(a.Stdout, config.ManPage())
			return err
		},
	}
}
