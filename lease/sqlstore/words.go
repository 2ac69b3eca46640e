package sqlstore

import (
	"strconv"
	"strings"
)

// words are the pieces of SQL in which databases differ. All times leave the
// database as microseconds since 1970, as it counts them.
type words struct {
	text, number, truth, instant string // column types
	key                          string // a text of which an index is made
	identity                     string // type of an id that the database gives
	now                          string // an instant, by the database's clock
	incarnation                  string // a scalar expression
	random                       string // a new name, where the incarnation is kept in the meta table
	micros                       func(column string) string
	age                          func(column string) string // microseconds from column to now
	daysAgo                      func(days int) string
	dollars                      bool // placeholders are $1, $2 and so on, not ?
	// written gives all statements of a database that the templates do not fit;
	// it needs no other word.
	written func(prefix string) statements

	skip   string                            // at the end of a counted INSERT: a row that is there stays
	keep   string                            // the same where nobody counts
	upsert func(key string) string           // at the end of an INSERT: a row with that key is changed, as follows
	given  func(column string) string        // there, the value that was to be inserted
	next   func(table, column string) string // there, the text of a number that is greater by one
	table  string                            // at the end of CREATE TABLE
	inside bool                              // an index is made in CREATE TABLE, not after it
}

// standard are the words of databases that know ON CONFLICT.
func (w words) standard() words {
	w.key = w.text
	w.skip, w.keep = " ON CONFLICT DO NOTHING", " ON CONFLICT DO NOTHING"
	w.upsert = func(key string) string { return " ON CONFLICT (" + key + ") DO UPDATE SET " }
	w.given = func(column string) string { return "excluded." + column }
	w.next = func(table, column string) string {
		return "CAST(CAST(" + table + "." + column + " AS INTEGER) + 1 AS TEXT)"
	}
	return w
}

// statements are complete, for one dialect and one prefix.
type statements struct {
	read, leases, claim, renew             string
	announce, forgetInstances, instances   string
	record, forgetEvents, events           string
	ask, forgetRequests, requests, request string
	accept, answer, withdraw               string
	create                                 []string // all that makes a new database ours
	schemaVersion                          string
	signal, raiseSignal                    string
	look                                   string // what a watcher compares where nothing is signalled
}

// fill replaces the marks in a template. A word may itself hold {p}.
func fill(prefix string, w words, template string) string {
	r := strings.NewReplacer("{text}", w.text, "{key}", w.key, "{number}", w.number, "{truth}", w.truth, "{instant}", w.instant,
		"{identity}", w.identity, "{now}", w.now, "{incarnation}", w.incarnation, "{random}", w.random)
	return strings.ReplaceAll(r.Replace(template), "{p}", prefix)
}

// bind writes the placeholders of a statement as the dialect has them. No
// statement of ours has a question mark for anything else.
func bind(w words, statement string) string {
	if !w.dollars {
		return statement
	}
	var b strings.Builder
	n := 0
	for _, part := range strings.SplitAfter(statement, "?") {
		if head, found := strings.CutSuffix(part, "?"); found {
			n++
			b.WriteString(head + "$" + strconv.Itoa(n))
			continue
		}
		b.WriteString(part)
	}
	return b.String()
}

const leaseColumns = "name, holder, nonce, boot, epoch, version, released, successor, incarnation, update_us, wait_us, trust_us, fence_us, memo"

// compose makes every statement that the package sends.
func compose(prefix string, w words) statements {
	if w.written != nil {
		return w.written(prefix)
	}
	sql := func(template string) string { return bind(w, fill(prefix, w, template)) }
	answered := "SELECT {incarnation}, " + qualified("l.", leaseColumns) + ", " + w.micros("l.written_at") + ", " + w.age("l.written_at")
	instanceColumns := "lease, id, machine, nonce, boot, state, document"
	requestColumns := "id, lease, kind, target, asked_by, document, state, accepted_by, answer, " +
		w.micros("asked_at") + ", " + w.micros("ended_at") + ", " + w.age("asked_at")
	return statements{
		read:   sql(answered + " FROM (SELECT 1) one LEFT JOIN {p}lease l ON l.name = ?"),
		leases: sql(answered + " FROM {p}lease l ORDER BY l.name"),
		claim: sql("INSERT INTO {p}lease (" + leaseColumns + ", written_at) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {now}" +
			" FROM (SELECT 1) one WHERE {incarnation} = ?" + w.skip),
		renew: sql("UPDATE {p}lease SET holder = ?, nonce = ?, boot = ?, epoch = ?, version = ?, released = ?, successor = ?," +
			" incarnation = ?, update_us = ?, wait_us = ?, trust_us = ?, fence_us = ?, memo = ?, written_at = {now}" +
			" WHERE name = ? AND holder = ? AND nonce = ? AND epoch = ? AND version = ? AND released = ? AND incarnation = ?" +
			" AND {incarnation} = ?"),

		announce: sql("INSERT INTO {p}instance (" + instanceColumns + ", written_at) VALUES (?, ?, ?, ?, ?, ?, ?, {now})" +
			w.upsert("lease, id, nonce") + assigned(w, "machine", "boot", "state", "document", "written_at")),
		forgetInstances: sql("DELETE FROM {p}instance WHERE lease = ? AND id = ? AND nonce <> ? AND written_at < " + w.daysAgo(instanceDays)),
		instances: sql("SELECT " + instanceColumns + ", " + w.micros("written_at") + ", " + w.age("written_at") +
			" FROM {p}instance WHERE lease = ? ORDER BY id, written_at DESC, nonce"),

		record: sql("INSERT INTO {p}event (lease, instance, kind, epoch, document, happened_at) VALUES (?, ?, ?, ?, ?, {now})"),
		// A table within a table: not every database deletes from what it selects from.
		forgetEvents: sql("DELETE FROM {p}event WHERE lease = ? AND id <= (SELECT id FROM" +
			" (SELECT id FROM {p}event WHERE lease = ? ORDER BY id DESC LIMIT 1 OFFSET " + strconv.Itoa(keptEvents) + ") newest)"),
		events: sql("SELECT id, lease, instance, kind, epoch, document, " + w.micros("happened_at") +
			" FROM {p}event WHERE lease = ? ORDER BY id DESC LIMIT ?"),

		ask: sql("INSERT INTO {p}request (lease, kind, target, asked_by, document, state, accepted_by, answer, asked_at)" +
			" VALUES (?, ?, ?, ?, ?, 'open', '', '', {now})"),
		forgetRequests: sql("DELETE FROM {p}request WHERE lease = ? AND ended_at < " + w.daysAgo(requestDays)),
		requests:       sql("SELECT " + requestColumns + " FROM {p}request WHERE lease = ? AND state IN ('open', 'accepted') ORDER BY id"),
		request:        sql("SELECT " + requestColumns + " FROM {p}request WHERE id = ?"),
		accept: sql("UPDATE {p}request SET state = 'accepted', accepted_by = ?" +
			" WHERE id = ? AND (state = 'open' OR (state = 'accepted' AND accepted_by = ?))"),
		answer: sql("UPDATE {p}request SET state = ?, answer = ?, ended_at = {now} WHERE id = ? AND state IN ('open', 'accepted')"),
		withdraw: sql("UPDATE {p}request SET state = 'withdrawn', ended_at = COALESCE(ended_at, {now})" +
			" WHERE id = ? AND state IN ('open', 'withdrawn')"),

		create:        setUp(prefix, w),
		schemaVersion: sql("SELECT value FROM {p}meta WHERE name = 'schema'"),
		signal:        sql("SELECT value FROM {p}meta WHERE name = ?"),
		raiseSignal:   sql("INSERT INTO {p}meta (name, value) VALUES (?, '1')" + w.upsert("name") + "value = " + w.next("{p}meta", "value")),
		look: sql("SELECT l.nonce, l.epoch, l.released, r.asked, r.newest, r.taken, r.ended FROM" +
			" (SELECT COUNT(*) asked, MAX(id) newest, COUNT(NULLIF(state, 'open')) taken, COUNT(ended_at) ended" +
			" FROM {p}request WHERE lease = ?) r LEFT JOIN {p}lease l ON l.name = ?"),
	}
}

// assigned sets columns to what was to be inserted.
func assigned(w words, columns ...string) string {
	var all []string
	for _, c := range columns {
		all = append(all, c+" = "+w.given(c))
	}
	return strings.Join(all, ", ")
}

// qualified writes the table's name before each column.
func qualified(table, columns string) string {
	return table + strings.ReplaceAll(columns, ", ", ", "+table)
}
