package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	mysqlReplicationVariables = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'sync_binlog', 'gtid_mode', 'innodb_flush_log_at_trx_commit'," +
		" 'group_replication_group_name', 'group_replication_consistency'," +
		" 'rpl_semi_sync_master_enabled', 'rpl_semi_sync_master_timeout', 'rpl_semi_sync_master_wait_point', 'rpl_semi_sync_master_wait_no_slave'," +
		" 'rpl_semi_sync_source_enabled', 'rpl_semi_sync_source_timeout', 'rpl_semi_sync_source_wait_point', 'rpl_semi_sync_source_wait_no_replica'," +
		" 'rpl_semi_sync_source_wait_for_replica_count', 'rpl_semi_sync_master_wait_for_slave_count')"
	mysqlReplicationStatus = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Rpl_semi_sync_master_status', 'Rpl_semi_sync_master_clients'," +
		" 'Rpl_semi_sync_source_status', 'Rpl_semi_sync_source_clients')"
	// mysqlReplicas counts those who read the binary log, a mysqlbinlog that does among them.
	mysqlReplicas = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'"
	// mysqlMembers are those of a group; the view belongs to MySQL alone.
	mysqlMembers = "SELECT COUNT(*), COALESCE(SUM(MEMBER_STATE = 'ONLINE'), 0) FROM performance_schema.replication_group_members"
	// mysqlReplicaStatus has a row for each server that a MySQL follows; those of a group are not among them.
	mysqlReplicaStatus = "SHOW REPLICA STATUS"
	// mysqlProcess asks for what only the right PROCESS shows. Without it the list of
	// sessions is short and no error says so.
	mysqlProcess = "SELECT COUNT(*) FROM information_schema.INNODB_TRX"
)

// mysqlPatience is how long a semi-synchronous server has to wait for its replica at
// least, for it to count as one that does not go on alone: by then a person has come.
const mysqlPatience = 24 * time.Hour

// mysqlCopies is what a MySQL or MariaDB server says of its replication.
type mysqlCopies struct {
	set, state      map[string]string
	role            string // who asks
	hidden          bool   // the sessions of others are not shown to it
	blind           bool   // nor whether a MySQL follows another server
	replicas        int    // that read the binary log now
	members, online int    // of a group
}

func (*mysqlDB) replication(ctx context.Context, s session) (Replication, error) {
	var c mysqlCopies
	var err error
	if c.set, err = mysqlPairs(ctx, s, mysqlReplicationVariables); err != nil {
		return Replication{}, err
	}
	if c.state, err = mysqlPairs(ctx, s, mysqlReplicationStatus); err != nil {
		return Replication{}, err
	}
	if err = s.QueryRowContext(ctx, "SELECT CURRENT_USER()").Scan(&c.role); err != nil {
		return Replication{}, err
	}
	if c.set["gtid_mode"] != "" { // MySQL
		if err = mysqlTried(ctx, s, mysqlReplicaStatus); mysqlRights(err) || mysqlNumber(err) == syntaxError {
			c.blind, err = mysqlRights(err), nil
		}
		if err != nil {
			return Replication{}, err
		}
	}
	if c.set["group_replication_group_name"] != "" {
		err = s.QueryRowContext(ctx, mysqlMembers).Scan(&c.members, &c.online)
		if mysqlRights(err) {
			c.members, err = 0, nil
		}
		return c.judge(), err
	}
	switch err = seesSessions(ctx, s); {
	case mysqlRights(err):
		c.hidden, err = true, nil
	case err == nil:
		err = s.QueryRowContext(ctx, mysqlReplicas).Scan(&c.replicas)
	}
	return c.judge(), err
}

// seesSessions is an error where the sessions of others are not shown.
func seesSessions(ctx context.Context, s session) error {
	var n int
	return s.QueryRowContext(ctx, mysqlProcess).Scan(&n)
}

func mysqlRights(err error) bool { return errors.Is(mysqlKind(mysqlNumber(err)), ErrRights) }

// mysqlPairs reads an answer of names and values.
func mysqlPairs(ctx context.Context, s session, query string) (map[string]string, error) {
	rows, err := s.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for rows.Next() {
		var name string
		var value sql.NullString
		if err := rows.Scan(&name, &value); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		all[name] = value.String
	}
	return all, errors.Join(rows.Err(), rows.Close())
}

// judge says what the facts mean. That a server may follow another one unseen is no worse: there no incarnation
// stands still, so the lease is not taken.
func (c mysqlCopies) judge() Replication {
	r := c.copies()
	if !c.blind {
		return r
	}
	r.Text += fmt.Sprintf("; the account %s may not see whether it follows another server", c.role)
	const right = "REPLICATION CLIENT ON *.* TO "
	if r.Raise == "" {
		r.Raise = "GRANT " + right + mysqlAccountOf(c.role)
	}
	r.Raise = strings.Replace(r.Raise, "GRANT PROCESS ON *.* TO ", "GRANT PROCESS, "+right, 1)
	return r
}

// copies says what the facts mean. Where they leave a doubt it says the worse.
func (c mysqlCopies) copies() Replication {
	r := Replication{Copies: CopiesUnknown}
	binlog := c.set["log_bin"] != "OFF" && c.set["log_bin"] != "0"
	switch {
	case c.set["innodb_flush_log_at_trx_commit"] != "1":
		r.Copies, r.Text = CopiesAsynchronous, "innodb_flush_log_at_trx_commit is not 1: a crash of the database's machine loses the last second"
		r.Raise = "set innodb_flush_log_at_trx_commit to 1"
	case binlog && c.set["sync_binlog"] != "1":
		r.Copies, r.Text = CopiesAsynchronous, "sync_binlog is not 1: a crash of the database's machine can lose what it has acknowledged"
		r.Raise = "set sync_binlog to 1"
	case c.set["group_replication_group_name"] != "":
		return c.group()
	case c.set["rpl_semi_sync_source_enabled"] == "ON":
		return c.semiSync("source", "replica")
	case c.set["rpl_semi_sync_master_enabled"] == "ON":
		return c.semiSync("master", "slave")
	case !binlog:
		r.Copies, r.Text = CopiesNone, "one server without a replica: it writes no binary log"
	case c.hidden:
		r.Text = fmt.Sprintf("it writes a binary log, and the account %s may not see whether replicas read it", c.role)
		r.Raise = "GRANT PROCESS ON *.* TO " + mysqlAccountOf(c.role)
	case c.replicas > 0:
		r.Copies, r.Text = CopiesAsynchronous, fmt.Sprintf("replication is asynchronous: %s, and no commit waits for one", replicas(c.replicas))
		r.Raise = "replicate semi-synchronously, without a time-out to speak of"
	default:
		r.Text = "it writes a binary log, and no replica reads it now: one that is away is not seen"
		r.Raise = "switch the binary log off if there is no replica, or say so with hotcold.database.replication = none"
	}
	return r
}

// semiSync judges a server whose commits wait for a replica. The settings are called after the
// one side and the other, and that changed in MySQL 8.0.26.
func (c mysqlCopies) semiSync(us, them string) Replication {
	name := "rpl_semi_sync_" + us + "_"
	milliseconds, err := strconv.ParseInt(c.set[name+"timeout"], 10, 64)
	limit := time.Duration(milliseconds) * time.Millisecond
	clients, _ := strconv.Atoi(c.state["Rpl_semi_sync_"+us+"_clients"]) // what is no number counts as none
	wanted, err2 := strconv.Atoi(c.set[name+"wait_for_"+them+"_count"])
	if err2 != nil || wanted < 1 {
		wanted = 1 // MariaDB has no such setting and waits for one
	}
	r := Replication{Copies: CopiesAsynchronous}
	switch {
	case c.state["Rpl_semi_sync_"+us+"_status"] != "ON":
		r.Copies, r.Text = CopiesDegraded, "semi-synchronous replication has given up waiting (Rpl_semi_sync_"+us+"_status is not ON): a failover loses what is acknowledged now"
		r.Raise = "bring a semi-synchronous replica back"
	case clients < wanted:
		r.Copies = CopiesDegraded
		r.Text = fmt.Sprintf("%d semi-synchronous replicas are connected, and a commit waits for %d: commits wait, and so do renewals", clients, wanted)
		r.Raise = "bring a semi-synchronous replica back"
	case err != nil || limit < mysqlPatience:
		r.Text = fmt.Sprintf("replication is semi-synchronous for %v only (%stimeout): after that the server answers without its replica, and nobody is told", limit, name)
		r.Raise = fmt.Sprintf("SET GLOBAL %stimeout = 604800000, in the configuration file too", name)
	case c.set[name+"wait_no_"+them] != "ON":
		r.Text = fmt.Sprintf("%swait_no_%s is OFF: without a replica the server answers at once", name, them)
		r.Raise = fmt.Sprintf("SET GLOBAL %swait_no_%s = ON, in the configuration file too", name, them)
	case c.set[name+"wait_point"] != "AFTER_SYNC":
		r.Text = fmt.Sprintf("%swait_point is %s: others see a commit that a failover can lose", name, c.set[name+"wait_point"])
		r.Raise = fmt.Sprintf("SET GLOBAL %swait_point = AFTER_SYNC, in the configuration file too", name)
	default:
		r.Copies = CopiesSynchronous
		r.Text = fmt.Sprintf("replication is semi-synchronous, AFTER_SYNC, with a time-out of %v: %s", limit, replicas(clients))
	}
	return r
}

// group judges MySQL's Group Replication: a commit is answered when most of the members have it.
func (c mysqlCopies) group() Replication {
	r := Replication{Copies: CopiesUnknown}
	consistency := c.set["group_replication_consistency"]
	switch {
	case c.members == 0:
		r.Text = fmt.Sprintf("it is in a group, and the account %s may not see of whom", c.role)
		r.Raise = "GRANT SELECT ON performance_schema.replication_group_members TO " + mysqlAccountOf(c.role)
	case c.online < 2 || 2*c.online <= c.members:
		r.Copies, r.Text = CopiesDegraded, fmt.Sprintf("%d of %d members of the group are online", c.online, c.members)
		r.Raise = "bring the members of the group back"
	case consistency == "" || consistency == "EVENTUAL" || consistency == "BEFORE":
		r.Copies = CopiesAsynchronous
		r.Text = fmt.Sprintf("group_replication_consistency is %q: a new primary answers before it has applied all of the old one's", consistency)
		r.Raise = "SET PERSIST group_replication_consistency = 'BEFORE_ON_PRIMARY_FAILOVER', on every member"
	default:
		r.Copies = CopiesSynchronous
		r.Text = fmt.Sprintf("a group replicates, %d of %d members are online, group_replication_consistency is %s", c.online, c.members, consistency)
	}
	return r
}

// mysqlAccountOf quotes an account as CURRENT_USER() writes it, user@host.
func mysqlAccountOf(account string) string {
	at := strings.LastIndex(account, "@")
	if at < 0 {
		return mysqlName(account)
	}
	return mysqlAccount{account[:at], account[at+1:]}.String()
}
