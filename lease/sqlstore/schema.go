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

// width is how many columns the table has.
func (t table) width() int {
	n := 0
	for _, c := range t.columns {
		if !strings.HasPrefix(c, "PRIMARY KEY") {
			n++
		}
	}
	return n
}

// tables returns what the package keeps, in the neutral words of fill.
func tables() []table {
	return []table{
		{name: "lease", rights: []string{"SELECT", "INSERT", "UPDATE"}, columns: []string{
			"name {key} NOT NULL PRIMARY KEY",
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
			"lease {key} NOT NULL",
			"id {key} NOT NULL",
			"nonce {key} NOT NULL",
			"machine {text} NOT NULL",
			"boot {text} NOT NULL",
			"state {text} NOT NULL",
			"document {text} NOT NULL",
			"written_at {instant} NOT NULL DEFAULT {now}",
			"PRIMARY KEY (lease, id, nonce)",
		}},
		{name: "event", rights: []string{"SELECT", "INSERT", "DELETE"}, index: "lease, id", columns: []string{
			"id {identity}",
			"lease {key} NOT NULL",
			"instance {text} NOT NULL",
			"kind {text} NOT NULL",
			"epoch {number} NOT NULL",
			"document {text} NOT NULL",
			"happened_at {instant} NOT NULL DEFAULT {now}",
		}},
		{name: "request", rights: []string{"SELECT", "INSERT", "UPDATE", "DELETE"}, index: "lease, id", columns: []string{
			"id {identity}",
			"lease {key} NOT NULL",
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
			"name {key} NOT NULL PRIMARY KEY",
			"value {text} NOT NULL",
		}},
	}
}

// setUp are the statements that make what is not there and touch nothing that is.
func setUp(prefix string, w words) []string {
	var all []string
	add := func(template string) { all = append(all, fill(prefix, w, template)) }
	for _, t := range tables() {
		columns := t.columns
		if t.index != "" && w.inside {
			columns = append(columns, "INDEX {p}"+t.name+"_by_lease ("+t.index+")")
		}
		add("CREATE TABLE IF NOT EXISTS {p}" + t.name + " (\n    " + strings.Join(columns, ",\n    ") + "\n)" + w.table)
		if t.index != "" && !w.inside {
			add("CREATE INDEX IF NOT EXISTS {p}" + t.name + "_by_lease ON {p}" + t.name + " (" + t.index + ")")
		}
	}
	add("INSERT INTO {p}meta (name, value) VALUES ('schema', '" + schemaVersion + "')" + w.keep)
	if w.random != "" {
		add("INSERT INTO {p}meta (name, value) VALUES ('incarnation', {random})" + w.keep)
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
	if write, found := scripts()[dialect]; found {
		return schemaTitle(dialect) + write(c.TablePrefix), nil
	}
	s := scriptOf(dialect)
	var b strings.Builder
	b.WriteString(schemaTitle(dialect))
	b.WriteString(s.usage)
	for _, statement := range setUp(c.TablePrefix, s.words) {
		b.WriteString("\n" + statement + ";\n")
	}
	if s.grant == nil {
		return b.String(), nil
	}
	b.WriteString("\n")
	for _, t := range tables() {
		b.WriteString(s.grant(strings.Join(t.rights, ", "), c.TablePrefix+t.name))
	}
	return b.String(), nil
}

// script is how an administrator's script differs from one database to another.
type script struct {
	words words
	usage string                            // comments on how to run it
	grant func(rights, table string) string // nil: there are no roles
}

func scriptOf(dialect string) script {
	switch dialect {
	case Postgres:
		return script{postgresWords(), postgresUsage, func(rights, table string) string {
			return fmt.Sprintf("GRANT %s ON %s TO :\"role\";\n", rights, table)
		}}
	case MySQL, MariaDB:
		return script{mysqlWords(), mysqlUsage, mysqlGrant}
	}
	return script{words: sqliteWords()}
}

const postgresUsage = `-- Run it once, with the name of the role under which the agents log in:
--     psql -v role=ROLE -f FILE DATABASE
`

// scripts write all of the script, but for its title, of dialects that have their own
// way to say it.
func scripts() map[string]func(prefix string) string {
	return map[string]func(prefix string) string{SQLServer: sqlserverScript, Oracle: oracleScript}
}

func schemaTitle(dialect string) string {
	return fmt.Sprintf("-- The tables of hotcold for %s, version %s. Running this again changes nothing.\n", dialect, schemaVersion)
}
