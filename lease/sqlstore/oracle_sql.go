package sqlstore

import (
	"fmt"
	"strconv"
	"strings"
)

// The statements of Oracle, 12.2 or newer. They take the arguments in the common
// order, each once.
//
// # Empty text
//
// Oracle keeps ” as NULL, and NULL is equal to nothing. So no text column but a
// key is NOT NULL, the key of a lease is compared with DECODE, for which two NULLs are
// equal, and what is read as NULL is empty text again.
//
// # Numbers
//
// They are read through TO_CHAR: 63 bits are more digits than some ways through
// a driver keep.
//
// # The conditional UPDATE
//
// Under READ COMMITTED it finds its row as of its beginning and waits for whoever
// has the row locked. If the row is another one then, the statement begins anew
// as of that moment (write consistency), so the second of two with the same
// key finds no row. A first claim is an INSERT; the second one waits for the
// first and gets ORA-00001, which means that nothing was written.
const (
	oracleNow    = "SYS_EXTRACT_UTC(SYSTIMESTAMP)"
	oracleOrigin = "TIMESTAMP '1970-01-01 00:00:00'"
	// oracleReset is the part of the incarnation that needs a right on V_$DATABASE.
	oracleReset   = "TO_CHAR(v.dbid) || '/' || TO_CHAR(v.resetlogs_change#) FROM v$database v"
	oracleNoReset = "'-' FROM DUAL"
)

// oracleIncarnation: the name of the database and its container, of which a standby
// has another one; the table's own number; the database's number and the
// point at which its logs began anew, as after a restore to a point in time, a
// flashback or a failover.
func oracleIncarnation() string {
	return "(SELECT SYS_CONTEXT('USERENV', 'DB_UNIQUE_NAME') || '/' || SYS_CONTEXT('USERENV', 'CON_NAME') || '/' ||" +
		" (SELECT TO_CHAR(MAX(o.object_id)) FROM all_objects o WHERE o.owner = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')" +
		" AND o.object_name = UPPER('{p}lease') AND o.object_type = 'TABLE') || '/' || " + oracleReset + ")"
}

// oracleMicros is a span in microseconds.
func oracleMicros(span string) string {
	return fmt.Sprintf("TO_CHAR(ROUND(((EXTRACT(DAY FROM %[1]s) * 24 + EXTRACT(HOUR FROM %[1]s)) * 60 + EXTRACT(MINUTE FROM %[1]s)) * 60000000"+
		" + EXTRACT(SECOND FROM %[1]s) * 1000000))", "("+span+")")
}

func oracleMicrosOf(column string) string { return oracleMicros(column + " - " + oracleOrigin) }
func oracleAgeOf(column string) string    { return oracleMicros(oracleNow + " - " + column) }

func oracleArguments(from, to int) string {
	var all []string
	for n := from; n <= to; n++ {
		all = append(all, ":"+strconv.Itoa(n))
	}
	return strings.Join(all, ", ")
}

func oracleStatements(prefix string) statements {
	marks := strings.NewReplacer("{incarnation}", oracleIncarnation(), "{now}", oracleNow)
	sql := func(template string) string { return strings.ReplaceAll(marks.Replace(template), "{p}", prefix) }
	same := func(column string, n int) string { return fmt.Sprintf("DECODE(%s, :%d, 1, 0) = 1", column, n) }
	s := oracleBoard(sql)
	answered := "SELECT {incarnation}, l.name, l.holder, l.nonce, l.boot, TO_CHAR(l.epoch), TO_CHAR(l.version), TO_CHAR(l.released), l.successor," +
		" l.incarnation, TO_CHAR(l.update_us), TO_CHAR(l.wait_us), TO_CHAR(l.trust_us), TO_CHAR(l.fence_us), l.memo, " +
		oracleMicrosOf("l.written_at") + ", " + oracleAgeOf("l.written_at")
	s.read = sql(answered + " FROM DUAL LEFT JOIN {p}lease l ON l.name = :1")
	s.leases = sql(answered + " FROM {p}lease l ORDER BY l.name")
	s.claim = sql("INSERT INTO {p}lease (" + leaseColumns + ", written_at) SELECT " + oracleArguments(1, 14) + ", {now} FROM DUAL WHERE {incarnation} = :15")
	s.renew = sql("UPDATE {p}lease SET holder = :1, nonce = :2, boot = :3, epoch = :4, version = :5, released = :6, successor = :7," +
		" incarnation = :8, update_us = :9, wait_us = :10, trust_us = :11, fence_us = :12, memo = :13, written_at = {now}" +
		" WHERE name = :14 AND " + same("holder", 15) + " AND " + same("nonce", 16) + " AND epoch = :17 AND version = :18 AND released = :19" +
		" AND " + same("incarnation", 20) + " AND {incarnation} = :21")
	s.create = oracleSetUp(prefix)
	s.schemaVersion = sql("SELECT value FROM {p}meta WHERE name = 'schema'")
	s.signal = sql("SELECT value FROM {p}meta WHERE name = :1")
	s.raiseSignal = sql("DECLARE n VARCHAR2(1000) := :1; BEGIN" +
		" UPDATE {p}meta SET value = TO_CHAR(TO_NUMBER(value) + 1) WHERE name = n;" +
		" IF SQL%ROWCOUNT = 0 THEN BEGIN INSERT INTO {p}meta (name, value) VALUES (n, '1');" +
		" EXCEPTION WHEN DUP_VAL_ON_INDEX THEN UPDATE {p}meta SET value = TO_CHAR(TO_NUMBER(value) + 1) WHERE name = n; END; END IF; END;")
	return s
}

func oracleBoard(sql func(string) string) statements {
	requestColumns := "TO_CHAR(id), lease, kind, target, asked_by, document, state, accepted_by, answer, " +
		oracleMicrosOf("asked_at") + ", " + oracleMicrosOf("ended_at") + ", " + oracleAgeOf("asked_at")
	daysAgo := func(days int) string { return fmt.Sprintf("{now} - INTERVAL '%d' DAY", days) }
	const change = "UPDATE {p}instance SET machine = m, boot = b, state = s, document = d, written_at = {now} WHERE lease = l AND id = i AND nonce = n;"
	return statements{
		announce: sql("DECLARE l VARCHAR2(1000) := :1; i VARCHAR2(4000) := :2; m VARCHAR2(4000) := :3; n VARCHAR2(1000) := :4;" +
			" b VARCHAR2(1000) := :5; s VARCHAR2(1000) := :6; d CLOB := :7; BEGIN " + change +
			" IF SQL%ROWCOUNT = 0 THEN BEGIN INSERT INTO {p}instance (lease, id, machine, nonce, boot, state, document, written_at)" +
			" VALUES (l, i, m, n, b, s, d, {now}); EXCEPTION WHEN DUP_VAL_ON_INDEX THEN " + change + " END; END IF; END;"),
		forgetInstances: sql("DELETE FROM {p}instance WHERE lease = :1 AND id = :2 AND nonce <> :3 AND written_at < " + daysAgo(instanceDays)),
		instances: sql("SELECT lease, id, machine, nonce, boot, state, document, " + oracleMicrosOf("written_at") + ", " + oracleAgeOf("written_at") +
			" FROM {p}instance WHERE lease = :1 ORDER BY id, written_at DESC, nonce"),

		record: sql("INSERT INTO {p}event (id, lease, instance, kind, epoch, document, happened_at) VALUES ({p}number.NEXTVAL, " + oracleArguments(1, 5) + ", {now})"),
		forgetEvents: sql("DELETE FROM {p}event WHERE lease = :1 AND id <=" +
			" (SELECT id FROM {p}event WHERE lease = :2 ORDER BY id DESC OFFSET " + strconv.Itoa(keptEvents) + " ROWS FETCH NEXT 1 ROWS ONLY)"),
		events: sql("SELECT TO_CHAR(id), lease, instance, kind, TO_CHAR(epoch), document, " + oracleMicrosOf("happened_at") +
			" FROM {p}event WHERE lease = :1 ORDER BY id DESC FETCH FIRST :2 ROWS ONLY"),

		ask: sql("INSERT INTO {p}request (lease, kind, target, asked_by, document, id, state, asked_at) VALUES (" +
			oracleArguments(1, 6) + ", 'open', {now})"),
		forgetRequests: sql("DELETE FROM {p}request WHERE lease = :1 AND ended_at < " + daysAgo(requestDays)),
		requests:       sql("SELECT " + requestColumns + " FROM {p}request WHERE lease = :1 AND state IN ('open', 'accepted') ORDER BY id"),
		request:        sql("SELECT " + requestColumns + " FROM {p}request WHERE id = :1"),
		accept: sql("UPDATE {p}request SET state = 'accepted', accepted_by = :1" +
			" WHERE id = :2 AND (state = 'open' OR (state = 'accepted' AND accepted_by = :3))"),
		answer: sql("UPDATE {p}request SET state = :1, answer = :2, ended_at = {now} WHERE id = :3 AND state IN ('open', 'accepted')"),
		withdraw: sql("UPDATE {p}request SET state = 'withdrawn', ended_at = COALESCE(ended_at, {now})" +
			" WHERE id = :1 AND state IN ('open', 'withdrawn')"),
	}
}

// oracleNumber draws the id of a request.
func oracleNumber(prefix string) string {
	return "SELECT TO_CHAR(" + prefix + "number.NEXTVAL) FROM DUAL"
}

// oracleTables: the widths are in characters, and within 4000 bytes of AL32UTF8;
// those of a key within 6398 bytes.
func oracleTables() []sqlserverTable {
	text := func(name, width string) string { return name + " VARCHAR2(" + width + " CHAR)" }
	instant := func(name string) string { return name + " TIMESTAMP(6) DEFAULT " + oracleNow + " NOT NULL" }
	number := func(name string) string { return name + " NUMBER(19) NOT NULL" }
	return []sqlserverTable{
		{name: "lease", rights: []string{"SELECT", "INSERT", "UPDATE"}, columns: []string{
			text("name", "200") + " NOT NULL PRIMARY KEY", text("holder", "1000"), text("nonce", "200"), text("boot", "200"),
			number("epoch"), number("version"), "released NUMBER(1) NOT NULL", text("successor", "1000"), text("incarnation", "400"),
			number("update_us"), number("wait_us"), number("trust_us"), number("fence_us"), "memo VARCHAR2(4000 BYTE)", instant("written_at"),
		}},
		{name: "instance", rights: []string{"SELECT", "INSERT", "UPDATE", "DELETE"}, columns: []string{
			text("lease", "200") + " NOT NULL", text("id", "400") + " NOT NULL", text("nonce", "200") + " NOT NULL",
			text("machine", "1000"), text("boot", "200"), text("state", "200"), "document CLOB", instant("written_at"), "PRIMARY KEY (lease, id, nonce)",
		}},
		{name: "event", rights: []string{"SELECT", "INSERT", "DELETE"}, index: "lease, id", columns: []string{
			"id NUMBER(19) NOT NULL PRIMARY KEY", text("lease", "200"), text("instance", "1000"), text("kind", "200"), number("epoch"),
			"document CLOB", instant("happened_at"),
		}},
		{name: "request", rights: []string{"SELECT", "INSERT", "UPDATE", "DELETE"}, index: "lease, id", columns: []string{
			"id NUMBER(19) NOT NULL PRIMARY KEY", text("lease", "200"), text("kind", "200"), text("target", "1000"), text("asked_by", "1000"),
			"document CLOB", text("state", "20"), text("accepted_by", "1000"), "answer CLOB", instant("asked_at"), "ended_at TIMESTAMP(6)",
		}},
		{name: "meta", rights: []string{"SELECT", "INSERT", "UPDATE"}, columns: []string{
			text("name", "400") + " NOT NULL PRIMARY KEY", text("value", "400"),
		}},
	}
}

// oracleSetUp makes what is not there. Oracle has no IF NOT EXISTS before 23ai,
// so each statement is a block that goes on where the thing exists.
func oracleSetUp(prefix string) []string {
	var all []string
	add := func(statement string) {
		all = append(all, "BEGIN\n    EXECUTE IMMEDIATE '"+strings.ReplaceAll(statement, "'", "''")+"';\n"+
			"EXCEPTION WHEN OTHERS THEN\n    IF SQLCODE NOT IN (-955, -1, -1408) THEN RAISE; END IF;\nEND;")
	}
	for _, t := range oracleTables() {
		add(fmt.Sprintf("CREATE TABLE %s (\n        %s\n    )", prefix+t.name, strings.Join(t.columns, ",\n        ")))
		if t.index != "" {
			add(fmt.Sprintf("CREATE INDEX %[1]s%[2]s_lease ON %[1]s%[2]s (%[3]s)", prefix, t.name, t.index))
		}
	}
	// In order and without a cache: the newest event has the greatest number on all instances of a cluster.
	add("CREATE SEQUENCE " + prefix + "number ORDER NOCACHE")
	add("INSERT INTO " + prefix + "meta (name, value) VALUES ('schema', '" + schemaVersion + "')")
	return all
}

// oracleScript is for SQL*Plus or SQLcl, in the schema that is to own the tables.
func oracleScript(prefix string) string {
	var b strings.Builder
	b.WriteString("-- Run it with SQL*Plus or SQLcl in the schema of the agents' user. An agent tells every failover,\n" +
		"-- restore and flashback if it may read this besides:\n" +
		"--     GRANT SELECT ON SYS.V_$DATABASE TO USER;\n")
	for _, statement := range oracleSetUp(prefix) {
		b.WriteString("\n" + statement + "\n/\n")
	}
	b.WriteString("\nCOMMIT;\n\n-- Only where the agents' user is another one than the owner of the tables:\n")
	for _, t := range oracleTables() {
		fmt.Fprintf(&b, "--     GRANT %s ON %s TO USER;\n", strings.Join(t.rights, ", "), prefix+t.name)
	}
	b.WriteString("--     GRANT SELECT ON " + prefix + "number TO USER;\n" +
		"-- and its sessions have to be set to this schema (ALTER SESSION SET CURRENT_SCHEMA in a logon trigger).\n")
	return b.String()
}

// oracleOpening sets a session up: a commit waits until it is on disk, whatever
// the server has, and text is compared byte by byte.
func oracleOpening() string {
	var b strings.Builder
	b.WriteString("BEGIN")
	for _, set := range []string{
		"COMMIT_WAIT = ''FORCE_WAIT''", "COMMIT_LOGGING = ''IMMEDIATE''", "NLS_COMP = BINARY", "NLS_SORT = BINARY",
		"ISOLATION_LEVEL = READ COMMITTED", "NLS_NUMERIC_CHARACTERS = ''.,''",
	} {
		b.WriteString(" EXECUTE IMMEDIATE 'ALTER SESSION SET " + set + "';")
	}
	return b.String() + " END;"
}

// Where a session is, for any user, and whether the incarnation can be read whole.
const (
	oraclePlace = "SELECT SYS_CONTEXT('USERENV', 'DATABASE_ROLE'), p.value FROM nls_database_parameters p WHERE p.parameter = 'NLS_CHARACTERSET'"
	oracleProbe = "SELECT TO_CHAR(dbid) FROM v$database"
)

// oracleSurvey lists which tables there are.
func oracleSurvey(prefix string) string {
	var names []string
	for _, t := range oracleTables() {
		names = append(names, "UPPER('"+prefix+t.name+"')")
	}
	return "SELECT LOWER(t.table_name) FROM all_tables t WHERE t.owner = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') AND t.table_name IN (" +
		strings.Join(names, ", ") + ")"
}
