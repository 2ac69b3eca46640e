package sqlstore

import (
	"fmt"
	"strings"
)

// schemaVersion stands in the row 'schema' of the meta table. It changes when a
// hotcold of before could not work with the tables any more.
const schemaVersion = "1"

// table is one of ours, with the rights that an agent needs on it.
type table struct {
	name    string
	columns []string
	rights  []string
	index   string // columns of a second index, or nothing
}

// tables returns what the package keeps, in the neutral words of fill.
func tables() []table {
	return []table{
		{name: "lease", rights: []string{"SELECT", "INSERT", "UPDATE"}, columns: []string{
			"name {text} NOT NULL PRIMARY KEY",
			"holder {text} NOT NULL",
			"nonce {text} NOT NULL",
			"boot {text} NOT NULL",
			"epoch {number} NOT NULL",
			"version {number} NOT NULL",
			"released {truth} NOT NULL",
			"successor {text} NOT NULL",
			"incarnation {text} NOT NULL",
			"update_us {number} NOT NULL",
			"wait_us {number} NOT NULL",
			"trust_us {number} NOT NULL",
			"fence_us {number} NOT NULL",
			"memo {text} NOT NULL",
			"written_at {instant} NOT NULL DEFAULT {now}",
		}},
		{name: "instance", rights: []string{"SELECT", "INSERT", "UPDATE", "DELETE"}, columns: []string{
			"lease {text} NOT NULL",
			"id {text} NOT NULL",
			"nonce {text} NOT NULL",
			"machine {text} NOT NULL",
			"boot {text} NOT NULL",
			"state {text} NOT NULL",
			"document {text} NOT NULL",
			"written_at {instant} NOT NULL DEFAULT {now}",
			"PRIMARY KEY (lease, id, nonce)",
		}},
		{name: "event", rights: []string{"SELECT", "INSERT", "DELETE"}, index: "lease, id", columns: []string{
			"id {identity}",
			"lease {text} NOT NULL",
			"instance {text} NOT NULL",
			"kind {text} NOT NULL",
			"epoch {number} NOT NULL",
			"document {text} NOT NULL",
			"happened_at {instant} NOT NULL DEFAULT {now}",
		}},
		{name: "request", rights: []string{"SELECT", "INSERT", "UPDATE", "DELETE"}, index: "lease, id", columns: []string{
			"id {identity}",
			"lease {text} NOT NULL",
			"kind {text} NOT NULL",
			"target {text} NOT NULL",
			"asked_by {text} NOT NULL",
			"document {text} NOT NULL",
			"state {text} NOT NULL",
			"accepted_by {text} NOT NULL",
			"answer {text} NOT NULL",
			"asked_at {instant} NOT NULL DEFAULT {now}",
			"ended_at {instant}",
		}},
		// The version of the tables, and what a database without such a thing
		// of its own needs besides.
		{name: "meta", rights: []string{"SELECT"}, columns: []string{
			"name {text} NOT NULL PRIMARY KEY",
			"value {text} NOT NULL",
		}},
	}
}

// setUp are the statements that make what is not there and touch nothing that is.
func setUp(prefix string, w words) []string {
	var all []string
	add := func(template string) { all = append(all, fill(prefix, w, template)) }
	for _, t := range tables() {
		add("CREATE TABLE IF NOT EXISTS {p}" + t.name + " (\n    " + strings.Join(t.columns, ",\n    ") + "\n)")
		if t.index != "" {
			add("CREATE INDEX IF NOT EXISTS {p}" + t.name + "_by_lease ON {p}" + t.name + " (" + t.index + ")")
		}
	}
	add("INSERT INTO {p}meta (name, value) VALUES ('schema', '" + schemaVersion + "') ON CONFLICT DO NOTHING")
	if w.random != "" {
		add("INSERT INTO {p}meta (name, value) VALUES ('incarnation', {random}) ON CONFLICT DO NOTHING")
	}
	return all
}

// Schema returns the statements with which an administrator makes the tables and,
// where the database has roles, grants an agent what it needs.
func Schema(dialect, prefix string) (string, error) {
	c, err := Config{Dialect: dialect, TablePrefix: prefix, DSN: "none"}.complete()
	if err != nil {
		return "", fmt.Errorf("print the schema: %w", err)
	}
	w := sqliteWords()
	if dialect == Postgres {
		w = postgresWords()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "-- The tables of hotcold for %s, version %s. Running this again changes nothing.\n", dialect, schemaVersion)
	if dialect == Postgres {
		b.WriteString("-- Run it once, with the name of the role under which the agents log in:\n" +
			"--     psql -v role=ROLE -f FILE DATABASE\n")
	}
	for _, statement := range setUp(c.TablePrefix, w) {
		b.WriteString("\n" + statement + ";\n")
	}
	if dialect == Postgres {
		b.WriteString("\n")
		for _, t := range tables() {
			fmt.Fprintf(&b, "GRANT %s ON %s TO :\"role\";\n", strings.Join(t.rights, ", "), c.TablePrefix+t.name)
		}
	}
	return b.String(), nil
}
