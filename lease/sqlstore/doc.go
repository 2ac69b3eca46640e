// Package sqlstore keeps leases in SQL databases, and the board on which agents
// and operators leave word for each other.
//
// It decides nothing: who may hold a lease is the business of package lease,
// what the documents of instances, events and requests mean that of the agent.
//
// # What it guarantees
//
// [DB] is a [lease.Store] that passes all of leasetest. A renewal is one
// conditional UPDATE, sent in one round trip, that compares every member of the
// key and the incarnation of the database; it is durable when Swap returns nil.
// Every error but [lease.ErrChanged] means that the outcome is unknown.
//
// PostgreSQL, 11 or newer: durable means what the server means by it
// (synchronous_commit on, remote_write or remote_apply; off and local are
// raised to on for our sessions), so the guarantee against the loss of a server
// is that of its replication. A commit whose wait for the standby was cancelled is
// an unknown outcome. Servers in recovery, and those whose transactions are read-only,
// are refused. The incarnation is the system identifier, the timeline and the
// number of the table; any role may read them. What a caller gives up is not cancelled on the server, because
// that could make a row visible that the standby has not; a statement that
// waits for a lock ends after [Config.Attempt].
//
// Between hotcold and PostgreSQL a pooler has to pool by session. One that
// pools by transaction loses LISTEN and the settings of the session.
//
// MySQL, 8.0.17 or newer, and MariaDB, 10.5 or newer, are one dialect, in InnoDB
// tables only. Durable means what innodb_flush_log_at_trx_commit and sync_binlog
// say, which no session can raise; values that lose writes are warned of. Each
// server's semi-synchronous replication goes on without its replica after a
// timeout, in MariaDB also when KILL QUERY ends the wait, and answers commits then as if nothing
// were: no client can tell such an answer, so it is a success here, and a failover
// may lose it. That it has
// happened is warned of when a connection is made. Servers that are read-only
// and those that follow another server are refused, and so are Galera
// clusters and groups with several primaries. Which server a MySQL follows is shown to
// REPLICATION CLIENT only; to another account such a server has an incarnation that
// is another with each write of its source, so that nobody claims there.
//
// The incarnation is, in MySQL, the server's UUID and a digest of the transactions that it has from
// others. MariaDB has no UUID; there it is
// host name, port, server_id and gtid_slave_pos, the position at which the server
// stopped following another, which no former turn as primary had. To both the time
// is added at which the table was made, by the second. Not told are: a volume that is
// set back under a server of the same name; a server that was primary, was cut off
// and never followed its successor; in MySQL without GTIDs, and in a group, one that leads for the second time.
// Do not let such a server lead within a wait of the other's last write; in a group it has lost nothing.
// ALTER TABLE, in MariaDB a new host name, chown or a hard link of the table's file, and in MySQL transactions of
// another server that a person brings in, make
// another incarnation, which costs a full wait and no safety. The row is
// written into the binary log as a row (READ COMMITTED), so a replica never computes
// an incarnation of its own; with binlog_format STATEMENT the server refuses writes.
//
// No call of ours cancels a statement on the server (KILL QUERY). Each is a
// transaction of its own, so a machine that dies never leaves the row locked. A
// watcher looks five times in a second at the lease and its requests by their keys.
// A proxy between (ProxySQL, MaxScale) has to keep a session on one server.
//
// SQLite: for agents on one machine, as in a demonstration. The file is on a
// local disk (NFS, SMB and their kind are refused, FUSE is warned of), readable
// by its owner only, with a rollback journal and full sync. The incarnation is a
// random name in the file and the file's device and inode. The path is looked at
// before and after every call: a file that was replaced or removed meanwhile is
// another database, and what was answered is unknown. A restore *into* the same
// file cannot be told from ordinary writes; stop the agents first. A process
// that is frozen in the few milliseconds of a write keeps the file locked until
// it goes on: nobody can take the lease meanwhile, which is safe and not available.
//
// SQL Server, 2016 or newer, and Oracle, 12.2 or newer, are not tested against
// a real server in the build: the first is, over its driver, against a test
// server that speaks TDS, the second over a fake driver. Both know our statements
// by their text. Sessions are refused where a commit would not be durable when
// it is answered, or where no write is taken. Watching is looking at a counter, ten
// times in a second, on a connection more. The incarnations are in sqlserver_sql.go and
// oracle_sql.go, with why the conditional UPDATE is right there.
//
// # Replication and fencing
//
// [DB.Replication] says how far the database keeps what it acknowledged, from its own state
// or as a person asserts it, and [GuaranteeOf] what that makes of the promise. Where facts leave a doubt, they say the worse.
//
// [DB.Fence] locks the roles of the other machines' nodes out, for the holder of a
// lease and for nobody else: what changes a role is compared with the lease's row. In PostgreSQL that is
// one transaction, which holds the row and is sent as one message. In MySQL ALTER USER commits by itself;
// there a named lock of the server stands in the place of the row's, and the next holder takes it
// away from one that froze (mysql_locks.go says why the last word is the last holder's). When it returns
// nil none of their sessions is left and none is coming:
// their login is taken, the transactions that a login could still hide in
// are waited for, and sessions are ended until there are none. It does not keep a superuser
// out, and no transaction that was prepared before from being committed by one. SQLite knows no roles. In
// SQL Server rights are denied, which the server looks at when a statement begins, so that a login under way needs no
// looking for (sqlserver_locks.go). In Oracle such a login may still get in, and [GuaranteeOf] makes no level A of it. No real server of these two has run it.
//
// # Times
//
// All times and ages are by the database's clock, for people to read; no
// decision is made from them. PostgreSQL and MySQL count them in microseconds (MySQL
// as of the statement's beginning), SQLite in
// milliseconds. Durations of the lease's timing are kept in microseconds.
//
// # Tables
//
// lease, instance, event, request and meta, behind a common prefix. They are
// made at the first call where the role may do that; [Schema] prints the
// statements for an administrator. The rights that are needed:
//
//	lease     SELECT, INSERT, UPDATE
//	instance  SELECT, INSERT, UPDATE, DELETE
//	event     SELECT, INSERT, DELETE
//	request   SELECT, INSERT, UPDATE, DELETE
//	meta      SELECT; SQL Server and Oracle also INSERT, UPDATE
//
// # Errors
//
// Beside [lease.ErrChanged], errors match one of the Err values of this package
// where the kind is known, or are a [*SchemaError] or [*RightsError]. One that
// found no server names its address; none holds a password. MySQL has no limit on a
// text but 255 characters for names of leases and instances; a longer one is an error.
//
// # Goroutines and contexts
//
// All methods of DB may be called from any goroutine. Every call ends soon after
// its context, but for SQLite on a disk that hangs: no context reaches into
// fsync(2). The lease has connections of its own, so that a renewal never waits
// for the board. An agent at rest sends one statement for each renewal and holds
// two connections: one for the lease, one that listens. In MySQL the one that listens
// asks instead, as it does in SQLite.
//
// # Sources
//
// PostgreSQL's manual: functions-admin (pg_walfile_name), functions-info
// (pg_control_system), warm-standby (synchronous replication), appendix A
// (SQLSTATE), monitoring-stats (pg_stat_replication, pg_stat_activity), view-pg-locks, and a
// pair of PostgreSQL 15 on which both were tried in 2026. MySQL's: server error message
// reference, replication-semisync, innodb-locking, comments (version numbers); MariaDB's:
// comment-syntax, gtid, semisynchronous-replication, and the MariaDB 10.11 and MySQL 9.7 servers on which all of it was tried in 2026. SQLite's: pragma (journal_mode,
// synchronous), howtocorrupt, lockingv3.
package sqlstore
