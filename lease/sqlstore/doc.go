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
// # Times
//
// All times and ages are by the database's clock, for people to read; no
// decision is made from them. PostgreSQL counts them in microseconds, SQLite in
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
//	meta      SELECT
//
// # Errors
//
// Beside [lease.ErrChanged], errors match one of the Err values of this package
// where the kind is known, or are a [*SchemaError] or [*RightsError]. One that
// found no server names its address; none holds a password.
//
// # Goroutines and contexts
//
// All methods of DB may be called from any goroutine. Every call ends soon after
// its context, but for SQLite on a disk that hangs: no context reaches into
// fsync(2). The lease has connections of its own, so that a renewal never waits
// for the board. An agent at rest sends one statement for each renewal and holds
// two connections: one for the lease, one that listens.
//
// # Sources
//
// PostgreSQL's manual: functions-admin (pg_walfile_name), functions-info
// (pg_control_system), warm-standby (synchronous replication), appendix A
// (SQLSTATE). SQLite's: pragma (journal_mode, synchronous), howtocorrupt, lockingv3.
package sqlstore
