package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/status"
)

// databaseLimit bounds what a person waits for at a database that does not answer.
const databaseLimit = 10 * time.Second

func (a *app) statusCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "status", Short: "who is hot, since when, and who could take over", Args: noArgs, GroupID: "see",
		Long: `status reads what the agents last said of themselves from the database, so it
works from any machine that has the configuration. It ends with 0 when somebody
is hot and somebody else could take over, and with 8 when a person should look.`,
		Example: `  hotcold status
  hotcold status --json | jq -r .holder.instance`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, db, err := a.opened(cmd.Context())
			if err != nil {
				return err
			}
			defer db.Close()
			o, err := overview(cmd.Context(), conf, db)
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(o)
			} else {
				err = status.WriteTable(a.Stdout, o, a.style())
			}
			if err == nil && !o.Well() {
				return &failure{code: exitNotWell, err: errNotWell}
			}
			return err
		},
	}
	a.jsonFlag(c)
	return c
}

// overview reads all that the database knows of the pair.
func overview(ctx context.Context, c *config.Config, db database) (status.Overview, error) {
	ctx, cancel := context.WithTimeout(ctx, databaseLimit)
	defer cancel()
	t, err := timing(c)
	if err != nil {
		return status.Overview{}, err
	}
	o, err := db.Read(ctx, c.LeaseName)
	if err != nil {
		return status.Overview{}, err
	}
	instances, err := db.Instances(ctx, c.LeaseName)
	if err != nil {
		return status.Overview{}, err
	}
	requests, err := db.Requests(ctx, c.LeaseName)
	if err != nil {
		return status.Overview{}, err
	}
	// Who serves matters more than how far the promise goes: without an answer nothing is said of that.
	replication, _ := db.Replication(ctx)
	return status.OverviewOf(status.Facts{
		Lease: c.LeaseName, Database: c.Database.String(), Observation: o, Timing: t, Instances: instances, Requests: requests,
		Replication: replication, Fencing: c.Database.Fencing.On,
		AnnounceEvery: announceEvery, WritersClock: c.Database.Dialect == config.DialectEtcd,
	}), nil
}

func (a *app) historyCommand() *cobra.Command {
	var limit int
	var all bool
	c := &cobra.Command{
		Use: "history", Short: "past takeovers with measured times", Args: noArgs, GroupID: "see",
		Long: `history reads the events that all agents write into the database: takeovers with
their cause and how long no node was ready, and everything else that happened.
Times are by the database's clock.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > 10000 {
				return usage("--limit is %d, want 1 to 10000", limit)
			}
			conf, db, err := a.opened(cmd.Context())
			if err != nil {
				return err
			}
			defer db.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), databaseLimit)
			defer cancel()
			events, err := db.Events(ctx, conf.LeaseName, limit)
			if err != nil {
				return err
			}
			h := status.HistoryOf(conf.LeaseName, events)
			if a.json {
				return a.printJSON(h)
			}
			if all {
				return status.WriteEvents(a.Stdout, h.Events, a.style())
			}
			return status.WriteTakeovers(a.Stdout, h, a.style())
		},
	}
	c.Flags().IntVar(&limit, "limit", 200, "how many `events` to read, newest first")
	c.Flags().BoolVar(&all, "events", false, "print every event instead of the takeovers")
	a.jsonFlag(c)
	return c
}
