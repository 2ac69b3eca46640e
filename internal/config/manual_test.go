package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// update writes the manual instead of comparing it: go test ./internal/config -run Manual -update
var update = flag.Bool("update", false, "write docs/configuration.md")

const manualPath = "../../docs/configuration.md"

func TestManualIsWrittenFromTheTable(t *testing.T) {
	want := manual(t)
	if *update {
		if err := os.WriteFile(manualPath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(manualPath)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the table says; run: go test ./internal/config -run Manual -update", manualPath)
	}
}

// The other direction: every setting that the manual has a heading for is in the table, and each once.
func TestManualHasEverySettingOnceAndNoOther(t *testing.T) {
	text, err := os.ReadFile(manualPath)
	if err != nil {
		t.Fatal(err)
	}
	headings := map[string]int{}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "#### `"); ok {
			headings[strings.TrimSuffix(path, "`")]++
		}
	}
	for _, s := range Settings() {
		if headings[s.Path] != 1 {
			t.Errorf("%s has %d headings, want 1", s.Path, headings[s.Path])
		}
		delete(headings, s.Path)
	}
	for path := range headings {
		t.Errorf("%s is in the manual and not in the table", path)
	}
}

const manualHead = `# Configuration

<!-- Written by a test from the table of settings in internal/config. Change the table, then run:
     go test ./internal/config -run Manual -update -->

hotcold reads HOCON, because node.conf is HOCON. One file is enough, hotcold.conf; it begins with ` + "`include \"node.conf\"`" + `,
so that what the node's file says is not said twice. The same file works on both machines: ` + "`${NAME}`" + ` takes a value
from the environment, and the machine's name makes the rest of the difference.

hotcold can also be pointed at a node.conf alone: then all its own settings have their defaults. An open-source Corda node
refuses to start with keys that it does not know, so keep ` + "`hotcold { }`" + ` out of the node's own file.

- What is hotcold's own stands under ` + "`hotcold`" + `. A key there that does not exist is an error, with its place and the
  nearest right name. All other keys belong to the node.
- All faults of a file are reported in one run, each with file, line and column.
- **Durations**: ` + "`2 seconds`, `500 ms`, `10m`" + `. A number without a unit is milliseconds.
- **Paths** are relative to the base directory (but for nodeConf and baseDirectory, which are relative to hotcold.conf).
- **Commands**: a list is run as it stands; one text goes to ` + "`/bin/sh -c`" + `. Nothing splits a text at its blanks.
- **Substitutions** stand outside of quotes: ` + "`${HOST}\":10002\"`" + `. Inside quotes ` + "`${HOST}`" + ` is plain text; hotcold warns of it.
- An **empty value** (` + "`\"\"` or `[]`" + `) takes away what a preset has given.

` + "`hotcold config explain`" + ` says of one setting what is in force and where that came from, ` + "`hotcold config lint`" + ` what is wrong;
[config-commands.md](config-commands.md) shows how.

## The lease and node.conf

The block of Corda Enterprise's hot-cold guide is read from node.conf,

` + "```text" + `
enterpriseConfiguration.mutualExclusionConfiguration { on, machineName, updateInterval, waitInterval }
` + "```" + `

and so is ` + "`hotcold.mutualExclusion`" + `. Where both say something, hotcold's own wins, key by key. Where neither says
anything, the lease is **on** with an updateInterval of 2 seconds and a waitInterval of 10. Only an explicit
` + "`on = false`" + ` switches it off: the node then runs without a lease, and the agent says so at every start.

The identity of an agent is its machineName, a colon, and the node's base directory: ` + "`machine-a:/opt/corda`" + `. The lease
itself is named by ` + "`hotcold.name`" + `.

An Enterprise node that has its own mutual exclusion switched on keeps a second lease beside hotcold's, and may wait for
that one after a planned switch-over. Set ` + "`on = false`" + ` in node.conf and ` + "`hotcold.mutualExclusion.on = true`" + ` to have one
lease only.

## The database

The lease is kept where the node keeps its own data, at the address of ` + "`dataSourceProperties`" + `, written nested
or as quoted keys. A JDBC address of PostgreSQL is translated: several hosts, ` + "`currentSchema`, `sslmode`" + ` and the other
ssl parameters, ` + "`options`, `targetServerType`" + `. With several hosts the one that takes writes is looked for. So is one
of MySQL or MariaDB: several hosts and the modes of their drivers, ` + "`sslMode`, `useSSL`" + ` and what belongs to them; a Java
key store cannot be translated and is refused. Parameters without a meaning for the lease are left out; those that one
might miss are warned of. What hotcold's own ` + "`mysql://`" + ` addresses know stands in [mysql.md](mysql.md).

` + "`hotcold.database`" + ` says another place, or only another user: PostgreSQL, MySQL, MariaDB, SQL Server, Oracle, etcd ([etcd.md](etcd.md))
or SQLite. A SQLite file serves two agents on **one** machine (a trial, a test); on a network drive its locks do not hold, and two
machines with a file each would have two leases and two nodes. So SQLite is used only where it is asked for.

### JDBC forms

What the node's driver reads from its settings, hotcold reads too: the tests ask pgjdbc 42.7, MariaDB Connector/J 2.7 and 3.5,
MySQL Connector/J 9.1, Microsoft's driver 12.8 and Oracle's 23.6 what they make of an address, and compare. Where hotcold
cannot keep what an address asks for, it refuses it and says which part; it never goes on with less.

| driver | understood | refused |
|---|---|---|
| PostgreSQL | ` + "`jdbc:postgresql://HOST:PORT,HOST/DATABASE?...`, `jdbc:postgresql:DATABASE`" + ` | ` + "`PGHOST`, `PGPORT`, `PGDBNAME`" + ` as parameters |
| MariaDB | ` + "`jdbc:mariadb:[MODE:]//HOST:PORT,HOST/DATABASE?...`, `address=(host=...)(port=...)`" + `; with its class also ` + "`jdbc:mysql:`" + ` | key stores, sockets of one's own |
| MySQL | ` + "`jdbc:mysql:[MODE:]//[USER:PASSWORD@]HOST/DATABASE?...`" + `; the user there wins over a parameter | ` + "`mysql+srv`" + `, a user per host, ` + "`(host=...,port=...)`" + `, key stores |
| SQL Server | ` + "`jdbc:sqlserver://HOST\\INSTANCE:PORT;property={value}`" + `; ` + "`serverName`" + ` wins over the host | IPv6 before the first ` + "`;`" + `, logins other than user and password |
| Oracle | ` + "`jdbc:oracle:thin:@[tcp:\\|tcps:]//HOST,HOST:PORT/SERVICE`, `@HOST:PORT:SID`, `@(DESCRIPTION=...)`" + ` | ` + "`oci`" + `, names of tnsnames.ora, wallets |

The words of TLS in MariaDB's addresses differ between the driver's releases; the stricter reading holds.

A data source may also be given in parts, under the class that puts them together:

| ` + "`dataSourceClassName`" + ` | parts under ` + "`dataSource`" + ` |
|---|---|
| ` + "`org.postgresql.ds.PGSimpleDataSource`" + ` | ` + "`serverName`" + ` or ` + "`serverNames`, `portNumber`" + ` or ` + "`portNumbers`" + ` (as many), ` + "`databaseName`, `ssl`, `sslMode`, `currentSchema`" + ` and others of the address |
| ` + "`com.mysql.cj.jdbc.MysqlDataSource`" + ` | ` + "`serverName`, `port`" + ` or ` + "`portNumber`, `databaseName`, `sslMode`, `useSSL`" + ` |
| ` + "`org.mariadb.jdbc.MariaDbDataSource`" + ` (2.x) | ` + "`serverName`, `port`" + ` or ` + "`portNumber`, `databaseName`, `properties`" + ` |
| ` + "`com.microsoft.sqlserver.jdbc.SQLServerDataSource`" + ` | every property of the address; they win over ` + "`url`" + ` |
| ` + "`oracle.jdbc.pool.OracleDataSource`" + ` | ` + "`serverName`, `portNumber`, `serviceName`" + ` or ` + "`databaseName`" + ` (the SID), ` + "`networkProtocol`, `driverType = thin`" + ` |

HikariCP's own ` + "`jdbcUrl`" + ` is taken where there is no class, and its ` + "`username`" + ` and ` + "`password`" + ` win over those of the data source. Other properties beside it are
not looked at; one that has to do with TLS or the login is refused there.
Parts that stand beside a ` + "`url`" + ` are warned of and not looked at, except with SQL Server.

## Secrets

Passwords and keys are printed as ` + "`***`" + ` everywhere, and no error quotes an address that could hold one. Files with secrets
must be readable by their owner only (chmod 600); in the directory in which systemd hands over credentials
(` + "`$CREDENTIALS_DIRECTORY`" + `) its access list may let the service in too. Addresses in node.conf are taken as they are, so prefer
` + "`dataSource.password`" + ` to a password inside the address.
`

func manual(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(manualHead)
	b.WriteString("\n## Examples\n")
	for _, e := range [][2]string{{"A Corda node", "corda"}, {"An Artemis broker", "artemis"}, {"Any program", "command"}} {
		text, err := os.ReadFile(filepath.Join("../../examples", e[1], "hotcold.conf"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\n%s (examples/%s):\n\n```text\n%s```\n", e[0], e[1], text)
	}
	b.WriteString("\n## Settings\n")
	group := ""
	for _, s := range Settings() {
		if g := groupOf(s.Path); g != group {
			group = g
			fmt.Fprintf(&b, "\n### %s\n", group)
		}
		writeSetting(&b, s)
	}
	b.WriteString("\n## Presets\n")
	for _, name := range []PresetName{PresetCorda, PresetArtemis, PresetCommand} {
		writePreset(&b, presetKnowledge(name))
	}
	return b.String()
}

// groupOf is the object that a setting stands in.
func groupOf(path string) string {
	parent, _, _ := cutLast(path)
	return parent
}

func writeSetting(b *strings.Builder, s Setting) {
	fmt.Fprintf(b, "\n#### `%s`\n\n%s\n\n- Type: %s", s.Path, s.Meaning, s.Type)
	if len(s.Choices) > 0 {
		fmt.Fprintf(b, " (`%s`)", strings.Join(s.Choices, "`, `"))
	}
	if s.Min != "" || s.Max != "" {
		fmt.Fprintf(b, ", from %s to %s", s.Min, s.Max)
	}
	fmt.Fprintf(b, "\n- Default: %s\n- Why change it: %s\n", s.DefaultInWords(), s.Why)
}

func writePreset(b *strings.Builder, p Preset) {
	fmt.Fprintf(b, "\n### %s\n\n| exit code | meaning |\n|---|---|\n", p.Name)
	for _, e := range p.ExitCodes {
		fmt.Fprintf(b, "| %d | %s |\n", e.Code, e.Meaning)
	}
	for _, e := range p.PlannedExits {
		fmt.Fprintf(b, "\nExit code %d after a line that matches `%s` is no failure: the node is started again on this machine (%s).\n", e.Code, e.Line, e.Meaning)
	}
	if len(p.Files) > 0 {
		b.WriteString("\nThe back-up needs from the primary:\n\n| path | needed | why |\n|---|---|---|\n")
		for _, f := range p.Files {
			needed := "if there"
			if f.Required {
				needed = "always"
			}
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", f.Path, needed, f.Why)
		}
	}
	if len(p.Traps) > 0 {
		b.WriteString("\nKnown traps:\n\n")
		for _, trap := range p.Traps {
			fmt.Fprintf(b, "- %s\n", trap)
		}
	}
}
