package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

const (
	// sqlserverPlace is what every user sees: the edition, whether the database is in an
	// availability group, and who asks.
	sqlserverPlace = "SELECT CONVERT(bigint, SERVERPROPERTY('EngineEdition')), CONVERT(bigint, CASE WHEN d.replica_id IS NULL THEN 0 ELSE 1 END)," +
		" d.delayed_durability_desc, SUSER_SNAME() FROM sys.databases AS d WHERE d.database_id = DB_ID()"
	// sqlserverMirrors counts the mirror, the way of before availability groups.
	sqlserverMirrors = "SELECT CONVERT(bigint, COUNT(*)) FROM sys.database_mirroring WHERE database_id = DB_ID() AND mirroring_guid IS NOT NULL"
	// sqlserverGroup counts the other replicas, and those of them without which no commit is answered now. SQL Server 2016
	// does not have the first column.
	sqlserverGroup = "SELECT CONVERT(bigint, g.required_synchronized_secondaries_to_commit), CONVERT(bigint, COUNT(*))," +
		" CONVERT(bigint, SUM(CASE WHEN r.availability_mode = 1 AND s.connected_state = 1 AND b.synchronization_state = 2" +
		" AND b.is_suspended = 0 AND b.is_commit_participant = 1 THEN 1 ELSE 0 END)), MAX(g.name)" +
		" FROM sys.databases AS d JOIN sys.availability_replicas AS me ON me.replica_id = d.replica_id" +
		" JOIN sys.availability_groups AS g ON g.group_id = me.group_id" +
		" JOIN sys.availability_replicas AS r ON r.group_id = g.group_id AND r.replica_id <> me.replica_id" +
		" LEFT JOIN sys.dm_hadr_availability_replica_states AS s ON s.replica_id = r.replica_id" +
		" LEFT JOIN sys.dm_hadr_database_replica_states AS b ON b.replica_id = r.replica_id AND b.group_database_id = d.group_database_id" +
		" WHERE d.database_id = DB_ID() GROUP BY g.required_synchronized_secondaries_to_commit"
)

// noSuchColumn is what SQL Server 2016 says of a column that came later.
const noSuchColumn = 207

// sqlserverCopies is what a SQL Server says of its replication.
type sqlserverCopies struct {
	edition  int64
	grouped  bool   // the database is in an availability group
	delayed  string // delayed_durability_desc
	login    string // who asks
	mirrored bool
	hidden   bool // the group is not shown to this login
	old      bool // the server cannot be told to wait
	group    string
	required int64 // secondaries that a commit waits for, whatever happens
	others   int64 // replicas
	inSync   int64 // of these, waited for now
}

func (*sqlserverDB) replication(ctx context.Context, s session) (Replication, error) {
	var c sqlserverCopies
	var grouped int64
	if err := s.QueryRowContext(ctx, sqlserverPlace).Scan(&c.edition, &grouped, &c.delayed, &c.login); err != nil {
		return Replication{}, err
	}
	c.grouped = grouped != 0
	if c.managed() {
		return c.judge(), nil
	}
	var mirrors int64
	if err := s.QueryRowContext(ctx, sqlserverMirrors).Scan(&mirrors); err != nil {
		return Replication{}, err
	}
	if c.mirrored = mirrors > 0; c.mirrored || !c.grouped {
		return c.judge(), nil
	}
	err := s.QueryRowContext(ctx, sqlserverGroup).Scan(&c.required, &c.others, &c.inSync, &c.group)
	switch {
	case number(err) == noSuchColumn:
		c.old, err = true, nil
	case errors.Is(err, sql.ErrNoRows), errors.Is(sqlserverKinds()[number(err)], ErrRights):
		c.hidden, err = true, nil
	}
	return c.judge(), err
}

// managed tells the services of Azure and others, which replicate below SQL: edition 3 is Enterprise and 2 is
// Standard, 4 Express; the rest are services.
func (c sqlserverCopies) managed() bool { return c.edition < 2 || c.edition > 4 }

// judge says what the facts mean. Where they leave a doubt it says the worse.
func (c sqlserverCopies) judge() Replication {
	r := Replication{Copies: CopiesUnknown}
	switch {
	case c.delayed == "FORCED":
		r.Copies, r.Text = CopiesAsynchronous, "DELAYED_DURABILITY is FORCED: a crash of the server loses what it has acknowledged"
		r.Raise = "ALTER DATABASE CURRENT SET DELAYED_DURABILITY = DISABLED"
	case c.managed():
		r.Text = fmt.Sprintf("a managed service (engine edition %d) replicates below SQL, where nothing of it is to be seen", c.edition)
		r.Raise = "say what it is in hotcold.database.replication; failover groups and geo-replication are asynchronous"
	case c.mirrored:
		r.Copies, r.Text = CopiesAsynchronous, "the database is mirrored, and a server that has lost its mirror goes on alone"
		r.Raise = "use an availability group with REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = 1"
	case !c.grouped:
		r.Copies, r.Text = CopiesNone, "one server without a replica: the database is in no availability group and is not mirrored"
	case c.hidden:
		r.Text = fmt.Sprintf("the database is in an availability group, and the login %s sees no other replica of it", c.login)
		r.Raise = "GRANT VIEW SERVER STATE, VIEW ANY DEFINITION TO " + sqlserverName(c.login)
	case c.old:
		r.Copies, r.Text = CopiesAsynchronous, "this version of SQL Server goes on alone when it has lost its secondaries"
		r.Raise = "SQL Server 2017 or newer has REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT"
	case c.required < 1:
		r.Copies = CopiesAsynchronous
		r.Text = fmt.Sprintf("%d of %d other replicas are in sync, and a server that has lost them goes on alone (REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT is 0)", c.inSync, c.others)
		r.Raise = "ALTER AVAILABILITY GROUP " + sqlserverName(c.group) + " SET (REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = 1)"
	case c.inSync < c.required:
		r.Copies = CopiesDegraded
		r.Text = fmt.Sprintf("%d of %d other replicas are in sync, and a commit waits for %d: commits wait, and so do renewals", c.inSync, c.others, c.required)
		r.Raise = "bring a synchronous secondary back"
	default:
		r.Copies = CopiesSynchronous
		r.Text = fmt.Sprintf("replication is synchronous: %d of %d other replicas are in sync, and a commit waits for %d", c.inSync, c.others, c.required)
	}
	return r
}

// sqlserverName quotes a name.
func sqlserverName(name string) string { return "[" + strings.ReplaceAll(name, "]", "]]") + "]" }
