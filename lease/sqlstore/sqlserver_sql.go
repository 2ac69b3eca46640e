package sqlstore

import (
	"fmt"
	"strconv"
	"strings"
)

// The statements of SQL Server are written out: too little of the common
// templates is T-SQL. They take the arguments in the common order, as @p1, @p2
// and so on, and need SQL Server 2016 (DATEDIFF_BIG).
//
// # Text
//
// Every text column has a binary collation, so that capitals count. That alone is
// not exact: SQL Server compares as if the shorter text had spaces at its end. So
// every comparison compares the number of bytes as well, and the keys of the
// tables hold it.
//
// # The conditional UPDATE
//
// It is right under READ COMMITTED whether or not the database has
// READ_COMMITTED_SNAPSHOT. Both choose the rows of an UPDATE by a scan that
// takes an update lock on the row and then reads its present values, never a
// version of before; nobody else can hold an update lock on that row until our
// transaction has ended. Of two UPDATEs with the same key the second waits,
// reads what the first has written and finds no row. The hints UPDLOCK and
// ROWLOCK say the same outright, and keep optimized locking, where a server has
// it, from reading before it locks. Under SNAPSHOT the second would fail
// with 3960 instead; sessions of ours do not use it.
//
// # The first claim
//
// INSERT ... WHERE NOT EXISTS, whose look has UPDLOCK and HOLDLOCK: the place
// where the row would be is locked until the statement has ended, so that the
// second waits and finds the row. The primary key stands behind that.
const (
	sqlserverCollation = "Latin1_General_100_BIN2"
	// sqlserverRecovery holds the identity of the database's files and of the path of
	// recovery that it is on. Azure SQL Database does not have it.
	sqlserverRecovery = " LEFT JOIN sys.database_recovery_status AS f ON f.database_id = d.database_id"
	// sqlserverNoRecovery stands in its place there.
	sqlserverNoRecovery = " LEFT JOIN (SELECT CAST(NULL AS nvarchar(36)) AS database_guid, CAST(NULL AS nvarchar(36)) AS recovery_fork_guid) AS f ON 1 = 0"
)

// sqlserverIncarnation: the server's name, which another replica and another
// server does not share; the GUID in the files, which is new in every restore to
// a new database; the fork of recovery, which is new after a restore to a
// point in time and after a failover that was forced; the day on which the
// database was made; and the table's own number. Members of public read all of
// them where nobody took VIEW ANY DATABASE from them.
func sqlserverIncarnation() string {
	return "(SELECT CONCAT(CONVERT(nvarchar(128), SERVERPROPERTY('ServerName')), N'/', CONVERT(nvarchar(36), f.database_guid)," +
		" N'/', CONVERT(nvarchar(36), f.recovery_fork_guid), N'/', CONVERT(nvarchar(30), d.create_date, 126)," +
		" N'/', OBJECT_ID(N'{p}lease')) COLLATE " + sqlserverCollation +
		" FROM sys.databases AS d" + sqlserverRecovery + " WHERE d.database_id = DB_ID())"
}

// exactly compares a text column with the argument of that number.
func exactly(column string, argument int) string {
	return fmt.Sprintf("%[1]s = @p%[2]d AND DATALENGTH(%[1]s) = DATALENGTH(@p%[2]d)", column, argument)
}

const (
	sqlserverNow    = "SYSUTCDATETIME()"
	sqlserverMicros = "DATEDIFF_BIG(microsecond, '1970-01-01', %s)"
	sqlserverAge    = "DATEDIFF_BIG(microsecond, %s, SYSUTCDATETIME())"
	// sqlserverLock is what a conditional write of one row takes.
	sqlserverLock = " WITH (UPDLOCK, ROWLOCK)"
	// sqlserverHold locks the place of a row that may not be there.
	sqlserverHold = " WITH (UPDLOCK, HOLDLOCK)"
)

func sqlserverMicrosOf(column string) string { return fmt.Sprintf(sqlserverMicros, column) }
func sqlserverAgeOf(column string) string    { return fmt.Sprintf(sqlserverAge, column) }

// sqlserverArguments is "@pFROM, ..., @pTO".
func sqlserverArguments(from, to int) string {
	var all []string
	for n := from; n <= to; n++ {
		all = append(all, "@p"+strconv.Itoa(n))
	}
	return strings.Join(all, ", ")
}

// sqlserverStatements are all that is sent but the set-up of a session.
func sqlserverStatements(prefix string) statements {
	marks := strings.NewReplacer("{incarnation}", sqlserverIncarnation(), "{now}", sqlserverNow)
	sql := func(template string) string { return strings.ReplaceAll(marks.Replace(template), "{p}", prefix) }
	s := sqlserverBoard(sql)
	answered := "SELECT {incarnation}, " + qualified("l.", leaseColumns) + ", " + sqlserverMicrosOf("l.written_at") + ", " + sqlserverAgeOf("l.written_at")
	s.read = sql(answered + " FROM (SELECT 1 AS one) AS o LEFT JOIN {p}lease AS l ON l.name = @p1 AND l.name_bytes = DATALENGTH(@p1)")
	s.leases = sql(answered + " FROM {p}lease AS l ORDER BY l.name, l.name_bytes")
	s.claim = sql("INSERT INTO {p}lease (" + leaseColumns + ", name_bytes, written_at) SELECT " + sqlserverArguments(1, 14) + ", DATALENGTH(@p1), {now}" +
		" WHERE CONCAT({incarnation}, N'.') = CONCAT(@p15, N'.')" +
		" AND NOT EXISTS (SELECT 1 FROM {p}lease" + sqlserverHold + " WHERE name = @p1 AND name_bytes = DATALENGTH(@p1))")
	s.renew = sql("UPDATE {p}lease" + sqlserverLock + " SET holder = @p1, nonce = @p2, boot = @p3, epoch = @p4, version = @p5, released = @p6, successor = @p7," +
		" incarnation = @p8, update_us = @p9, wait_us = @p10, trust_us = @p11, fence_us = @p12, memo = @p13, written_at = {now}" +
		" WHERE name = @p14 AND name_bytes = DATALENGTH(@p14) AND " + exactly("holder", 15) + " AND " + exactly("nonce", 16) +
		" AND epoch = @p17 AND version = @p18 AND released = @p19 AND " + exactly("incarnation", 20) +
		" AND CONCAT({incarnation}, N'.') = CONCAT(@p21, N'.')")
	s.create = sqlserverSetUp(prefix)
	s.schemaVersion = sql("SELECT value FROM {p}meta WHERE name = N'schema'")
	s.signal = sql("SELECT value FROM {p}meta WHERE name = @p1")
	s.raiseSignal = sql("UPDATE {p}meta" + sqlserverHold + " SET value = CONVERT(nvarchar(20), CONVERT(bigint, value) + 1) WHERE name = {signal};" +
		" IF @@ROWCOUNT = 0 INSERT INTO {p}meta (name, value) VALUES ({signal}, N'1')")
	return s
}

// sqlserverBoard are the statements of the board.
func sqlserverBoard(sql func(string) string) statements {
	const instanceColumns = "lease, id, machine, nonce, boot, state, document"
	requestColumns := "id, lease, kind, target, asked_by, document, state, accepted_by, answer, " +
		sqlserverMicrosOf("asked_at") + ", " + sqlserverMicrosOf("ended_at") + ", " + sqlserverAgeOf("asked_at")
	daysAgo := func(days int) string { return fmt.Sprintf("DATEADD(day, -%d, {now})", days) }
	return statements{
		announce: sql("BEGIN TRANSACTION; UPDATE {p}instance" + sqlserverHold + " SET machine = @p3, boot = @p5, state = @p6, document = @p7, written_at = {now}" +
			" WHERE " + exactly("lease", 1) + " AND " + exactly("id", 2) + " AND " + exactly("nonce", 4) + ";" +
			" IF @@ROWCOUNT = 0 INSERT INTO {p}instance (" + instanceColumns + ", lease_bytes, id_bytes, nonce_bytes, written_at) VALUES (" +
			sqlserverArguments(1, 7) + ", DATALENGTH(@p1), DATALENGTH(@p2), DATALENGTH(@p4), {now});" +
			" COMMIT TRANSACTION"),
		forgetInstances: sql("DELETE FROM {p}instance WHERE " + exactly("lease", 1) + " AND " + exactly("id", 2) +
			" AND NOT (" + exactly("nonce", 3) + ") AND written_at < " + daysAgo(instanceDays)),
		instances: sql("SELECT lease, id, machine, nonce, boot, state, document, " + sqlserverMicrosOf("written_at") + ", " + sqlserverAgeOf("written_at") +
			" FROM {p}instance WHERE " + exactly("lease", 1) + " ORDER BY id, written_at DESC, nonce"),

		record: sql("INSERT INTO {p}event (lease, instance, kind, epoch, document, happened_at) VALUES (" + sqlserverArguments(1, 5) + ", {now})"),
		forgetEvents: sql("DELETE FROM {p}event WHERE " + exactly("lease", 1) + " AND id <=" +
			" (SELECT id FROM {p}event WHERE " + exactly("lease", 2) + " ORDER BY id DESC OFFSET " + strconv.Itoa(keptEvents) + " ROWS FETCH NEXT 1 ROWS ONLY)"),
		events: sql("SELECT TOP (@p2) id, lease, instance, kind, epoch, document, " + sqlserverMicrosOf("happened_at") +
			" FROM {p}event WHERE " + exactly("lease", 1) + " ORDER BY id DESC"),

		ask: sql("INSERT INTO {p}request (lease, kind, target, asked_by, document, state, accepted_by, answer, asked_at)" +
			" VALUES (" + sqlserverArguments(1, 5) + ", N'open', N'', N'', {now})"),
		forgetRequests: sql("DELETE FROM {p}request WHERE " + exactly("lease", 1) + " AND ended_at < " + daysAgo(requestDays)),
		requests: sql("SELECT " + requestColumns + " FROM {p}request WHERE " + exactly("lease", 1) +
			" AND state IN (N'open', N'accepted') ORDER BY id"),
		request: sql("SELECT " + requestColumns + " FROM {p}request WHERE id = @p1"),
		accept: sql("UPDATE {p}request" + sqlserverLock + " SET state = N'accepted', accepted_by = @p1" +
			" WHERE id = @p2 AND (state = N'open' OR (state = N'accepted' AND " + exactly("accepted_by", 3) + "))"),
		answer: sql("UPDATE {p}request" + sqlserverLock + " SET state = @p1, answer = @p2, ended_at = {now}" +
			" WHERE id = @p3 AND state IN (N'open', N'accepted')"),
		withdraw: sql("UPDATE {p}request" + sqlserverLock + " SET state = N'withdrawn', ended_at = COALESCE(ended_at, {now})" +
			" WHERE id = @p1 AND state IN (N'open', N'withdrawn')"),
	}
}

// signalled runs a write and raises the counter of its lease in one batch and one
// transaction. The batch answers with one row: result, where something was
// written. COMMIT asks for full durability, which a database with
// DELAYED_DURABILITY = ALLOWED leaves to the statement.
func signalled(write, result, raise string, arguments int) string {
	raise = strings.ReplaceAll(raise, "{signal}", "@p"+strconv.Itoa(arguments+1))
	return "DECLARE @changed bigint, @id bigint; BEGIN TRANSACTION; " + write + ";" +
		" SELECT @changed = @@ROWCOUNT, @id = CONVERT(bigint, SCOPE_IDENTITY());" +
		" IF @changed > 0 BEGIN " + raise + " END;" +
		" COMMIT TRANSACTION WITH (DELAYED_DURABILITY = OFF); SELECT " + result
}

// sqlserverTable is one of ours in T-SQL. The widths keep every key within the
// 900 bytes of a clustered index, or the 1700 of another.
type sqlserverTable struct {
	name    string
	columns []string
	rights  []string
	index   string
}

func sqlserverTables() []sqlserverTable {
	text := func(name string, width string) string {
		return name + " nvarchar(" + width + ") COLLATE " + sqlserverCollation + " NOT NULL"
	}
	instant := func(name string) string { return name + " datetime2(7) NOT NULL DEFAULT " + sqlserverNow }
	return []sqlserverTable{
		{name: "lease", rights: []string{"SELECT", "INSERT", "UPDATE"}, columns: []string{
			text("name", "200"), "name_bytes int NOT NULL", text("holder", "1000"), text("nonce", "200"), text("boot", "200"),
			"epoch bigint NOT NULL", "version bigint NOT NULL", "released bit NOT NULL", text("successor", "1000"), text("incarnation", "400"),
			"update_us bigint NOT NULL", "wait_us bigint NOT NULL", "trust_us bigint NOT NULL", "fence_us bigint NOT NULL",
			text("memo", "2000"), instant("written_at"), "PRIMARY KEY (name, name_bytes)",
		}},
		{name: "instance", rights: []string{"SELECT", "INSERT", "UPDATE", "DELETE"}, columns: []string{
			text("lease", "200"), "lease_bytes int NOT NULL", text("id", "400"), "id_bytes int NOT NULL", text("nonce", "200"), "nonce_bytes int NOT NULL",
			text("machine", "1000"), text("boot", "200"), text("state", "200"), text("document", "max"), instant("written_at"),
			"PRIMARY KEY NONCLUSTERED (lease, lease_bytes, id, id_bytes, nonce, nonce_bytes)",
		}},
		{name: "event", rights: []string{"SELECT", "INSERT", "DELETE"}, index: "lease, id", columns: []string{
			"id bigint IDENTITY(1, 1) NOT NULL PRIMARY KEY",
			text("lease", "200"), text("instance", "1000"), text("kind", "200"), "epoch bigint NOT NULL", text("document", "max"), instant("happened_at"),
		}},
		{name: "request", rights: []string{"SELECT", "INSERT", "UPDATE", "DELETE"}, index: "lease, id", columns: []string{
			"id bigint IDENTITY(1, 1) NOT NULL PRIMARY KEY",
			text("lease", "200"), text("kind", "200"), text("target", "1000"), text("asked_by", "1000"), text("document", "max"),
			text("state", "20"), text("accepted_by", "1000"), text("answer", "max"), instant("asked_at"), "ended_at datetime2(7) NULL",
		}},
		// The version of the tables, and the counters that watchers look at.
		{name: "meta", rights: []string{"SELECT", "INSERT", "UPDATE"}, columns: []string{
			text("name", "400") + " PRIMARY KEY", text("value", "400"),
		}},
	}
}

// sqlserverSetUp makes what is not there. Each statement is a batch of its own.
func sqlserverSetUp(prefix string) []string {
	var all []string
	for _, t := range sqlserverTables() {
		name := prefix + t.name
		all = append(all, fmt.Sprintf("IF OBJECT_ID(N'%s', N'U') IS NULL\nCREATE TABLE %s (\n    %s\n)", name, name, strings.Join(t.columns, ",\n    ")))
		if t.index != "" {
			all = append(all, fmt.Sprintf("IF INDEXPROPERTY(OBJECT_ID(N'%[1]s'), N'%[1]s_by_lease', 'IndexID') IS NULL\nCREATE INDEX %[1]s_by_lease ON %[1]s (%[2]s)", name, t.index))
		}
	}
	return append(all, fmt.Sprintf("IF NOT EXISTS (SELECT 1 FROM %[1]smeta WHERE name = N'schema')\nINSERT INTO %[1]smeta (name, value) VALUES (N'schema', N'%[2]s')", prefix, schemaVersion))
}

// sqlserverScript is what an administrator runs with sqlcmd or another tool that
// knows GO. It grants to a role of the database, of which the agents' users are members.
func sqlserverScript(prefix string) string {
	var b strings.Builder
	b.WriteString("-- Run it in the database of the node, as its owner. Then let the agents' user in:\n" +
		"--     ALTER ROLE " + prefix + "agent ADD MEMBER [USER];\n\n" +
		"SET QUOTED_IDENTIFIER ON;\nGO\n")
	for _, statement := range sqlserverSetUp(prefix) {
		b.WriteString("\n" + statement + ";\nGO\n")
	}
	fmt.Fprintf(&b, "\nIF DATABASE_PRINCIPAL_ID(N'%[1]sagent') IS NULL\nCREATE ROLE %[1]sagent;\nGO\n\n", prefix)
	for _, t := range sqlserverTables() {
		fmt.Fprintf(&b, "GRANT %s ON %s TO %sagent;\n", strings.Join(t.rights, ", "), prefix+t.name, prefix)
	}
	b.WriteString("GO\n")
	return b.String()
}

// sqlserverSurvey asks for each right on each table.
func sqlserverSurvey(prefix string) string {
	var wanted []string
	for _, t := range sqlserverTables() {
		for _, right := range t.rights {
			wanted = append(wanted, fmt.Sprintf("(N'%s%s', N'%s')", prefix, t.name, right))
		}
	}
	return "SELECT t.name, t.wanted, CONVERT(bit, CASE WHEN OBJECT_ID(t.name, N'U') IS NULL THEN 0 ELSE 1 END)," +
		" CONVERT(bit, COALESCE(HAS_PERMS_BY_NAME(t.name, N'OBJECT', t.wanted), 0))" +
		" FROM (VALUES " + strings.Join(wanted, ", ") + ") AS t(name, wanted)"
}

// sqlserverSchemaLock keeps two agents from making the tables at once. A wait that
// fails is an error of ours, 51000.
func sqlserverSchemaLock(prefix string) string {
	return "DECLARE @got int; EXEC @got = sp_getapplock @Resource = N'" + prefix + "schema', @LockMode = 'Exclusive', @LockOwner = 'Transaction';" +
		" IF @got < 0 THROW 51000, 'another session makes the tables of hotcold', 1"
}
