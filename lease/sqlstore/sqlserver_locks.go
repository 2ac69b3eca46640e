package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hotcold/hotcold/lease"
)

// sqlserverLocks locks users of one database of a SQL Server out.
//
// # Why nobody is coming
//
// A login that was let in before is not looked for. Every right that a node has in
// the database is denied to its user, and the server checks rights when a statement begins, whenever its
// session logged in. So a statement of the old node either began before the denial was committed, and
// then its session is in the list of sessions, is ended and waited for; or it begins later and is refused.
// That needs two things of the server: it lists the session of every statement that runs, and it looks at
// no rights of before the denial. The second holds for all but those whom nothing can be denied: the owner of the
// database, members of sysadmin, and the owner of an object. [sqlserverLocks.lacking] names them.
//
// # The turn
//
// KILL is not allowed in a transaction, so none can hold the lease's row over it. As on
// MySQL there is a turn, here a lock of the application's. Taking it, looking at the row, doing what is to be done and
// giving it back are one batch: a machine that freezes is not in the midst of it. Only a batch that was broken off leaves
// the turn to its session, which is ended then. A session that did not get the turn in a second, and finds the
// row its own, ends the one that has it.
//
// The denial itself is in a transaction that holds the row.
type sqlserverLocks struct{ prefix string }

func (q *sqlserverDB) locks() locks { return sqlserverLocks{q.prefix} }

// weakness: what no real server has run makes no promise.
func (sqlserverLocks) weakness() string {
	return "no SQL Server has run the statements for it in hotcold's own tests"
}

// sqlserverDenied are the rights by which something can be changed or read, and those by which they could be had again.
func sqlserverDenied() []string {
	return []string{"SELECT", "INSERT", "UPDATE", "DELETE", "EXECUTE", "ALTER", "ALTER ANY SCHEMA", "TAKE OWNERSHIP", "CONTROL", "CONNECT"}
}

const (
	// sqlserverSees is 1 where the login sees the sessions of others. Without it there would seem to be none.
	sqlserverSees = "HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW SERVER STATE')"
	// sqlserverEnds is 1 where it may end them.
	sqlserverEnds = "HAS_PERMS_BY_NAME(NULL, NULL, N'ALTER ANY CONNECTION')"
	// sqlserverLooksUp is 1 where it sees who is in a role of the server.
	sqlserverLooksUp = "HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW ANY DEFINITION')"
	// Azure SQL Database has rights of the database in their place, and no roles of the server.
	sqlserverAzureSees    = "HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'VIEW DATABASE STATE')"
	sqlserverAzureEnds    = "HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'KILL DATABASE CONNECTION')"
	sqlserverAzureLooksUp = "1"

	// sqlserverPrepared counts the distributed transactions that no session has any more. The server does not say whose they are.
	sqlserverPrepared = "SELECT CONVERT(bigint, COUNT(DISTINCT request_owner_guid)) FROM sys.dm_tran_locks" +
		" WHERE request_session_id = -2 AND resource_database_id = DB_ID()"
)

// sqlserverKill ends, one after the other, the sessions whose numbers are asked for by that query, which wants @id to be less
// than them. Each is looked for at once before its KILL, since numbers are given again. 6106: it has gone by itself.
func sqlserverKill(query string) string {
	return "SET @id = 0;\nWHILE @id IS NOT NULL\nBEGIN\n" +
		"SET @id = (" + query + ");\n" +
		"IF @id IS NOT NULL\nBEGIN\n" +
		"SET @theirs = @theirs + 1;\nSET @kill = N'KILL ' + CONVERT(nvarchar(11), @id);\n" +
		"BEGIN TRY\nEXEC (@kill);\nEND TRY\nBEGIN CATCH\nIF ERROR_NUMBER() <> 6106 THROW;\nEND CATCH\n" +
		"END\nEND\n"
}

// guarded is one batch that has the turn while it does then, which looks at the row. It takes the lease, holder, nonce and epoch as
// @p1 to @p4, and answers with whether it had the turn, whether the row was as it should be, and how many sessions it ended.
func (l sqlserverLocks) guarded(then string) string {
	const query = "SELECT MIN(k.request_session_id) FROM sys.dm_tran_locks AS k WHERE k.resource_type = N'APPLICATION' AND k.request_status = N'GRANT'" +
		" AND k.resource_database_id = DB_ID() AND CHARINDEX(@turn, k.resource_description) > 0 AND k.request_session_id > @id"
	return strings.ReplaceAll("SET NOCOUNT ON;\n"+
		"DECLARE @turn nvarchar(32) = N'hotcold/' + LEFT(CONVERT(nvarchar(64), HASHBYTES('SHA2_256', CONCAT(N'{p}/', @p1)), 2), 24);\n"+
		"DECLARE @got int, @held bigint = 0, @theirs bigint = 0, @id int, @kill nvarchar(40);\n"+
		"IF COALESCE("+sqlserverSees+", 0) <> 1 THROW 51001, 'the login may not see the sessions of others', 1;\n"+
		"EXEC @got = sys.sp_getapplock @Resource = @turn, @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 1000;\n"+
		"BEGIN TRY\nIF @got >= 0\nBEGIN\n"+then+"END\nELSE\nBEGIN\n"+l.look("")+"IF @held = 1\nBEGIN\n"+sqlserverKill(query)+"END\nEND\nEND TRY\n"+
		"BEGIN CATCH\nIF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;\n"+
		"IF @got >= 0 EXEC sys.sp_releaseapplock @Resource = @turn, @LockOwner = 'Session';\nTHROW;\nEND CATCH;\n"+
		"IF @got >= 0 EXEC sys.sp_releaseapplock @Resource = @turn, @LockOwner = 'Session';\n"+
		"SELECT CONVERT(bigint, @got), @held, @theirs", "{p}", l.prefix)
}

func (sqlserverLocks) look(hint string) string {
	return "SELECT @held = COUNT(*) FROM {p}lease" + hint + " WHERE name = @p1 AND name_bytes = DATALENGTH(@p1) AND " +
		exactly("holder", 2) + " AND " + exactly("nonce", 3) + " AND epoch = @p4 AND released = 0;\n"
}

// ending ends the sessions of the user @p5, in whatever database of the server they are.
func (l sqlserverLocks) ending() string {
	return l.guarded(l.look("") + "IF @held = 1\nBEGIN\n" + sqlserverKill(
		"SELECT MIN(s.session_id) FROM sys.dm_exec_sessions AS s JOIN sys.database_principals AS p ON p.sid IN (s.security_id, s.original_security_id)"+
			" WHERE p.name = @p5 AND s.session_id > @id AND s.session_id <> @@SPID") + "END\n")
}

// changing runs @p5 in a transaction that holds the row.
func (l sqlserverLocks) changing() string {
	return l.guarded("BEGIN TRANSACTION;\n" + l.look(sqlserverHold) + "IF @held = 1 EXEC sys.sp_executesql @p5;\n" +
		"COMMIT TRANSACTION WITH (DELAYED_DURABILITY = OFF);\n")
}

// run sends a guarded batch until it has had the turn. After any error the turn may still be the session's, and ends with it.
func (sqlserverLocks) run(ctx context.Context, s session, f Fence, batch, argument string) (theirs int, err error) {
	own, ok := s.(*sqlserverSession)
	if !ok {
		return 0, fmt.Errorf("the session is a %T", s)
	}
	for {
		got, held, ended, err := own.fenced(ctx, batch, f, argument)
		switch {
		case err != nil:
			own.link.cut()
			return 0, err
		case held != 1:
			return 0, lease.ErrChanged
		case got >= 0:
			return ended, nil
		}
	}
}

// fenced reads all of the answer: what the server says after the row counts too.
func (s *sqlserverSession) fenced(ctx context.Context, batch string, f Fence, argument string) (got, held, ended int, err error) {
	rows, err := s.QueryContext(ctx, batch, f.Lease, f.Holder, f.Nonce, int64(f.Epoch), argument)
	if err != nil {
		return 0, 0, 0, err
	}
	answered := rows.Next()
	if answered {
		err = rows.Scan(&got, &held, &ended)
	}
	for rows.Next() { // there is one row; the rest of the answer is read to its end
	}
	if err = errors.Join(err, rows.Err(), rows.Close()); err == nil && !answered {
		err = errNoAnswer
	}
	return got, held, ended, err
}

// shut ends their sessions also before the denial, which may have to wait for what they have locked.
func (l sqlserverLocks) shut(ctx context.Context, s session, f Fence) (pending string, err error) {
	if _, _, err := l.end(ctx, s, f, ""); err != nil {
		return "", err
	}
	_, err = l.run(ctx, s, f, l.changing(), sqlserverDeny(f.Others))
	return "", err
}

// end knows of nobody who is coming: see [sqlserverLocks].
func (l sqlserverLocks) end(ctx context.Context, s session, f Fence, _ string) (theirs, coming int, err error) {
	for _, role := range f.Others {
		n, err := l.run(ctx, s, f, l.ending(), role)
		if err != nil {
			return 0, 0, err
		}
		theirs += n
	}
	return theirs, 0, nil
}

func (l sqlserverLocks) open(ctx context.Context, s session, f Fence) (prepared int, err error) {
	if _, err := l.run(ctx, s, f, l.ending(), f.Mine); err != nil {
		return 0, err
	}
	if _, err := l.run(ctx, s, f, l.changing(), sqlserverAllow(f.Mine)); err != nil {
		return 0, err
	}
	err = s.QueryRowContext(ctx, sqlserverPrepared).Scan(&prepared)
	return prepared, err
}

// sqlserverDeny denies in the database as a whole, which goes before whatever is granted on a schema or an object of it.
func sqlserverDeny(users []string) string {
	var to []string
	for _, user := range users {
		to = append(to, sqlserverName(user))
	}
	return "DENY " + strings.Join(sqlserverDenied(), ", ") + " TO " + strings.Join(to, ", ")
}

// sqlserverAllow takes back what was denied, and no more: REVOKE alone would also take what was granted. The right to connect, which every
// user is given when he is made, was replaced by its denial. A denial that another user made stays, and is an error.
func sqlserverAllow(user string) string {
	denied := "EXISTS (SELECT 1 FROM sys.database_permissions AS d WHERE d.class = 0 AND d.state = 'D'" +
		" AND d.grantee_principal_id = DATABASE_PRINCIPAL_ID(" + sqlserverText(user) + ") AND d.permission_name IN (%s))"
	var b strings.Builder
	var all []string
	for _, right := range sqlserverDenied() {
		all = append(all, sqlserverText(right))
		fmt.Fprintf(&b, "IF "+denied+" REVOKE %s FROM %s;\n", sqlserverText(right), right, sqlserverName(user))
	}
	fmt.Fprintf(&b, "GRANT CONNECT TO %s;\n", sqlserverName(user))
	fmt.Fprintf(&b, "IF "+denied+" THROW 51002, 'a right was denied by another user than the agent, and stays so', 1;", strings.Join(all, ", "))
	return b.String()
}

// sqlserverText quotes a text.
func sqlserverText(text string) string { return "N'" + strings.ReplaceAll(text, "'", "''") + "'" }
