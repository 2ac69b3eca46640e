package sqlstore

import (
	"context"
	"fmt"
)

// postgresReplicationQuery asks for all that decides, at one instant. A receiver of a
// logical slot is no server to be promoted, and a base backup no replica yet. The columns of pg_stat_replication
// are NULL for a role without pg_monitor. A physical slot that nobody reads
// belongs to a replica that is away.
const postgresReplicationQuery = `
SELECT current_setting('synchronous_standby_names'), current_setting('synchronous_commit'), current_setting('fsync') = 'on',
	current_user,
	count(*) FILTER (WHERE r.state IS NULL),
	count(*) FILTER (WHERE r.state <> 'backup'),
	count(*) FILTER (WHERE r.state = 'streaming' AND r.sync_state IN ('sync', 'quorum')),
	(SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT active)
FROM pg_stat_replication r
WHERE NOT EXISTS (SELECT 1 FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')`

// postgresCopies is what a PostgreSQL server says of its replication.
type postgresCopies struct {
	names  string // synchronous_standby_names
	commit string // synchronous_commit of our own sessions
	fsync  bool
	role   string // who asks
	hidden int    // replicas of which this role sees nothing but that they are there
	seen   int    // replicas, connected now
	inSync int    // of these, streaming and waited for
	away   int    // slots of replicas that are not connected
}

func (*postgresDB) replication(ctx context.Context, s session) (Replication, error) {
	var c postgresCopies
	err := s.QueryRowContext(ctx, postgresReplicationQuery).
		Scan(&c.names, &c.commit, &c.fsync, &c.role, &c.hidden, &c.seen, &c.inSync, &c.away)
	return c.judge(), err
}

// judge says what the facts mean. Where they leave a doubt it says the worse.
func (c postgresCopies) judge() Replication {
	r := Replication{Copies: CopiesUnknown}
	switch {
	case !c.fsync:
		r.Copies, r.Text = CopiesAsynchronous, "fsync is off: a crash of the database's machine can lose what it has acknowledged"
		r.Raise = "switch fsync on"
	case c.hidden > 0:
		r.Text = fmt.Sprintf("%s, and the role %s may not see how it is replicated", replicas(c.hidden), c.role)
		r.Raise = fmt.Sprintf("GRANT pg_monitor TO %s", identifier(c.role))
	case c.names != "" && c.inSync == 0:
		r.Copies = CopiesDegraded
		r.Text = fmt.Sprintf("synchronous_standby_names is %q, and no standby is in sync now: commits wait, and so do renewals", c.names)
		r.Raise = "bring a standby back that synchronous_standby_names names"
	case c.names != "" && c.commit == "remote_write":
		r.Copies = CopiesAsynchronous
		r.Text = "synchronous_commit is remote_write: a standby whose machine crashes too can lose what was acknowledged"
		r.Raise = "set synchronous_commit to on for the agents' role"
	case c.names != "":
		r.Copies = CopiesSynchronous
		r.Text = fmt.Sprintf("replication is synchronous: synchronous_standby_names is %q, synchronous_commit is %s, %d in sync", c.names, c.commit, c.inSync)
	case c.seen+c.away > 0:
		r.Copies = CopiesAsynchronous
		r.Text = fmt.Sprintf("replication is asynchronous: %s, %d away, and synchronous_standby_names is empty", replicas(c.seen), c.away)
		r.Raise = "set synchronous_standby_names, so that a commit waits for a standby"
	default:
		r.Copies = CopiesNone
		r.Text = "one server without a replica"
	}
	return r
}

func replicas(n int) string {
	if n == 1 {
		return "1 replica is connected"
	}
	return fmt.Sprintf("%d replicas are connected", n)
}
