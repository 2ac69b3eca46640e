package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

func (a *app) schemaCommand() *cobra.Command {
	var print bool
	var dialect, prefix string
	c := &cobra.Command{
		Use: "schema", Short: "make the tables, or print them for an administrator", Args: noArgs, GroupID: "set",
		Long: `hotcold keeps four small tables in the node's own database: the lease, the
agents, their history, and requests of operators. They are made on first use
where the node's database user may create tables. Where it may not, an
administrator runs what this command prints.`,
		Example: `  hotcold schema --print                      # as the configuration says
  hotcold schema --print --dialect postgres   # without a configuration
  hotcold schema                              # make them now`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var fencing string
			switch {
			case dialect != "" && !print:
				return usage("--dialect goes with --print: the tables are made in the database of the configuration")
			case dialect == "" && cmd.Flags().Changed("prefix"):
				return usage("--prefix goes with --dialect: the configuration has its own (hotcold.database.tablePrefix)")
			case !print:
				return a.makeSchema(cmd.Context())
			case dialect == "":
				conf, err := a.load(cmd.Context())
				if err != nil {
					return err
				}
				dialect, prefix = string(conf.Database.Dialect), conf.Database.TablePrefix
				if conf.Database.Dialect == config.DialectEtcd {
					_, err := fmt.Fprintln(a.Stderr, noSchema)
					return err
				}
				if conf.Database.Fencing.On {
					fencing = sqlstore.FencingSchema(dialect, fenceOf(conf))
				}
			}
			text, err := sqlstore.Schema(dialect, prefix)
			if err != nil {
				return usage("%w", err)
			}
			_, err = fmt.Fprint(a.Stdout, text+fencing)
			return err
		},
	}
	c.Flags().BoolVar(&print, "print", false, "print the statements, run nothing")
	c.Flags().StringVar(&dialect, "dialect", "", "with --print: "+strings.Join(sqlstore.Dialects(), ", "))
	c.Flags().StringVar(&prefix, "prefix", "hotcold_", "with --dialect: how the tables' names begin")
	_ = c.RegisterFlagCompletionFunc("dialect", completeDialects) // it fails for a flag that there is not
	return c
}

// noSchema is said where there is nothing to make.
const noSchema = "etcd has no tables: the keys are written when they are needed"

func (a *app) makeSchema(ctx context.Context) error {
	conf, db, err := a.opened(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if conf.Database.Dialect == config.DialectEtcd {
		_, err := fmt.Fprintln(a.Stderr, noSchema)
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, databaseLimit)
	defer cancel()
	if _, err := db.Read(ctx, conf.LeaseName); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.Stderr, "the tables %s... are there, in %s\n", conf.Database.TablePrefix, conf.Database)
	return err
}
