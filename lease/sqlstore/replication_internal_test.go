package sqlstore

import (
	"strings"
	"testing"
)

func TestWhatPostgresSaysOfItsReplicationIsNeverTakenForBetterThanItIs(t *testing.T) {
	for name, c := range map[string]struct {
		facts postgresCopies
		want  Copies
		raise string // part of what would raise it
	}{
		"one server":                     {postgresCopies{fsync: true, commit: "on"}, CopiesNone, ""},
		"a standby in sync":              {postgresCopies{fsync: true, commit: "on", names: "s1", seen: 1, inSync: 1}, CopiesSynchronous, ""},
		"a standby that applies":         {postgresCopies{fsync: true, commit: "remote_apply", names: "ANY 1 (a, b)", seen: 2, inSync: 2}, CopiesSynchronous, ""},
		"the synchronous one is away":    {postgresCopies{fsync: true, commit: "on", names: "s1"}, CopiesDegraded, "bring a standby back"},
		"another one is connected":       {postgresCopies{fsync: true, commit: "on", names: "s1", seen: 1}, CopiesDegraded, "bring a standby back"},
		"nothing is waited for":          {postgresCopies{fsync: true, commit: "on", seen: 1}, CopiesAsynchronous, "synchronous_standby_names"},
		"a replica that is away":         {postgresCopies{fsync: true, commit: "on", away: 1}, CopiesAsynchronous, "synchronous_standby_names"},
		"the standby's memory is enough": {postgresCopies{fsync: true, commit: "remote_write", names: "s1", seen: 1, inSync: 1}, CopiesAsynchronous, "synchronous_commit"},
		"without fsync":                  {postgresCopies{commit: "on", names: "s1", seen: 1, inSync: 1}, CopiesAsynchronous, "fsync"},
		"without fsync, alone":           {postgresCopies{commit: "on"}, CopiesAsynchronous, "fsync"},
		"hidden from this role":          {postgresCopies{fsync: true, commit: "on", names: "s1", hidden: 1, role: "agents"}, CopiesUnknown, `GRANT pg_monitor TO "agents"`},
		"hidden, nothing is waited for":  {postgresCopies{fsync: true, commit: "on", hidden: 1, role: "agents"}, CopiesUnknown, `GRANT pg_monitor TO "agents"`},
	} {
		r := c.facts.judge()
		if r.Copies != c.want || r.Text == "" || r.Asserted || (c.raise == "") != (r.Raise == "") || !strings.Contains(r.Raise, c.raise) {
			t.Errorf("%s: %+v, want %s and a way that says %q", name, r, c.want, c.raise)
		}
	}
}

func TestLevelAWantsBothAFenceInThisTermAndADatabaseThatLosesNothing(t *testing.T) {
	for copies, want := range map[Copies][3]Level{ // off, due, done
		CopiesSynchronous:  {LevelB, LevelB, LevelA},
		CopiesNone:         {LevelB, LevelB, LevelA},
		CopiesDegraded:     {LevelC, LevelC, LevelC},
		CopiesAsynchronous: {LevelC, LevelC, LevelC},
		CopiesUnknown:      {LevelC, LevelC, LevelC},
		"":                 {LevelC, LevelC, LevelC},
	} {
		for f, level := range want {
			g := GuaranteeOf(Replication{Copies: copies, Text: "found", Raise: "mend"}, Fencing(f))
			if g.Level != level || !strings.Contains(g.Text, "found") {
				t.Errorf("%q with fencing %d: %v, want level %s", copies, f, g, level)
			}
			if (level == LevelA) != (g.Raise == "") || level == LevelC && g.Raise != "mend" {
				t.Errorf("%q with fencing %d: would be raised by %q", copies, f, g.Raise)
			}
		}
	}
}

func TestNobodyIsToldToFenceInADatabaseWithoutRoles(t *testing.T) {
	if g := GuaranteeOf(Replication{Copies: CopiesNone, NoRoles: true}, FencingOff); g.Level != LevelB || g.Raise != "" {
		t.Errorf("%+v", g)
	}
}

func TestWhatAPersonVouchesForIsSaidToBeAsserted(t *testing.T) {
	for _, c := range assertions() {
		if r := asserted(c); !r.Asserted || r.Copies != c || !strings.Contains(r.Text, "asserted") || (r.Raise == "") != r.lossless() {
			t.Errorf("%+v", r)
		}
	}
	for _, c := range []Copies{CopiesUnknown, CopiesDegraded, "perhaps"} {
		if _, err := (Config{Dialect: SQLite, DSN: "x", Replication: c}).complete(); err == nil {
			t.Errorf("%q can be asserted", c)
		}
	}
}

func TestALiteralIsOneTextWhateverStandsInIt(t *testing.T) {
	for text, want := range map[string]string{"a": "'a'", "it's": "'it''s'", `a\b`: ` E'a\\b'`, `\'; DROP`: ` E'\\''; DROP'`} {
		if got := literal(text); got != want {
			t.Errorf("literal(%q) is %s, want %s", text, got, want)
		}
	}
}

func TestWhatMySQLSaysOfItsReplicationIsNeverTakenForBetterThanItIs(t *testing.T) {
	durable := func(more ...string) map[string]string {
		set := map[string]string{"log_bin": "ON", "sync_binlog": "1", "innodb_flush_log_at_trx_commit": "1"}
		for i := 0; i < len(more); i += 2 {
			set[more[i]] = more[i+1]
		}
		return set
	}
	semi := func(more ...string) map[string]string {
		const name = "rpl_semi_sync_source_"
		return durable(append([]string{name + "enabled", "ON", name + "timeout", "604800000", name + "wait_no_replica", "ON", name + "wait_point", "AFTER_SYNC",
			name + "wait_for_replica_count", "1"}, more...)...)
	}
	acknowledged := map[string]string{"Rpl_semi_sync_source_status": "ON", "Rpl_semi_sync_source_clients": "1"}
	group := func(consistency string) map[string]string {
		return durable("group_replication_group_name", "g", "group_replication_consistency", consistency)
	}
	for name, c := range map[string]struct {
		facts mysqlCopies
		want  Copies
		raise string // part of what would raise it
	}{
		"no binary log":                {mysqlCopies{set: durable("log_bin", "OFF")}, CopiesNone, ""},
		"nobody reads the log":         {mysqlCopies{set: durable()}, CopiesUnknown, "replication = none"},
		"hidden":                       {mysqlCopies{set: durable(), hidden: true, role: "agents@%"}, CopiesUnknown, "GRANT PROCESS ON *.* TO `agents`@`%`"},
		"blind":                        {mysqlCopies{set: semi(), state: acknowledged, blind: true, role: "a@h"}, CopiesSynchronous, "REPLICATION CLIENT ON *.* TO `a`@`h`"},
		"hidden and blind":             {mysqlCopies{set: durable(), hidden: true, blind: true, role: "a@h"}, CopiesUnknown, "GRANT PROCESS, REPLICATION CLIENT ON *.* TO `a`@`h`"},
		"replicas":                     {mysqlCopies{set: durable(), replicas: 2}, CopiesAsynchronous, "semi-synchronously"},
		"the last second":              {mysqlCopies{set: durable("log_bin", "OFF", "innodb_flush_log_at_trx_commit", "2")}, CopiesAsynchronous, "innodb_flush_log_at_trx_commit"},
		"nothing is known":             {mysqlCopies{}, CopiesAsynchronous, "innodb_flush_log_at_trx_commit"},
		"the log is not synced":        {mysqlCopies{set: semi("sync_binlog", "0"), state: acknowledged}, CopiesAsynchronous, "sync_binlog"},
		"semi-synchronous":             {mysqlCopies{set: semi(), state: acknowledged}, CopiesSynchronous, ""},
		"it has given up":              {mysqlCopies{set: semi(), state: map[string]string{"Rpl_semi_sync_source_status": "OFF"}}, CopiesDegraded, "bring"},
		"no replica acknowledges":      {mysqlCopies{set: semi(), state: map[string]string{"Rpl_semi_sync_source_status": "ON", "Rpl_semi_sync_source_clients": "0"}}, CopiesDegraded, "bring"},
		"one of two acknowledges":      {mysqlCopies{set: semi("rpl_semi_sync_source_wait_for_replica_count", "2"), state: acknowledged}, CopiesDegraded, "bring"},
		"it gives up soon":             {mysqlCopies{set: semi("rpl_semi_sync_source_timeout", "10000"), state: acknowledged}, CopiesAsynchronous, "timeout = 604800000"},
		"a time-out that is no number": {mysqlCopies{set: semi("rpl_semi_sync_source_timeout", ""), state: acknowledged}, CopiesAsynchronous, "timeout"},
		"it does not wait alone":       {mysqlCopies{set: semi("rpl_semi_sync_source_wait_no_replica", "OFF"), state: acknowledged}, CopiesAsynchronous, "wait_no_replica"},
		"others see it before":         {mysqlCopies{set: semi("rpl_semi_sync_source_wait_point", "AFTER_COMMIT"), state: acknowledged}, CopiesAsynchronous, "AFTER_SYNC"},
		"a group":                      {mysqlCopies{set: group("BEFORE_ON_PRIMARY_FAILOVER"), members: 3, online: 2}, CopiesSynchronous, ""},
		"a group of one":               {mysqlCopies{set: group("BEFORE_ON_PRIMARY_FAILOVER"), members: 1, online: 1}, CopiesDegraded, "members"},
		"half a group":                 {mysqlCopies{set: group("AFTER"), members: 4, online: 2}, CopiesDegraded, "members"},
		"a group that answers early":   {mysqlCopies{set: group("EVENTUAL"), members: 3, online: 3}, CopiesAsynchronous, "BEFORE_ON_PRIMARY_FAILOVER"},
		"a group that is hidden":       {mysqlCopies{set: group("AFTER"), role: "a@h"}, CopiesUnknown, "replication_group_members TO `a`@`h`"},
	} {
		r := c.facts.judge()
		if r.Copies != c.want || r.Text == "" || r.Asserted || (c.raise == "") != (r.Raise == "") || !strings.Contains(r.Raise, c.raise) {
			t.Errorf("%s: %+v, want %s and a way that says %q", name, r, c.want, c.raise)
		}
	}
}

func TestWhatSQLServerSaysOfItsReplicationIsNeverTakenForBetterThanItIs(t *testing.T) {
	for name, c := range map[string]struct {
		facts sqlserverCopies
		want  Copies
		raise string // part of what would raise it
	}{
		"one server":             {sqlserverCopies{edition: 3}, CopiesNone, ""},
		"a secondary in sync":    {sqlserverCopies{edition: 3, grouped: true, required: 1, others: 2, inSync: 1}, CopiesSynchronous, ""},
		"too few in sync":        {sqlserverCopies{edition: 3, grouped: true, required: 2, others: 2, inSync: 1}, CopiesDegraded, "bring"},
		"it may go on alone":     {sqlserverCopies{edition: 3, grouped: true, group: "g]", others: 2, inSync: 2}, CopiesAsynchronous, "GROUP [g]]] SET (REQUIRED_"},
		"the version is old":     {sqlserverCopies{edition: 3, grouped: true, old: true}, CopiesAsynchronous, "2017"},
		"hidden from this login": {sqlserverCopies{edition: 3, grouped: true, hidden: true, login: "agents"}, CopiesUnknown, "VIEW SERVER STATE, VIEW ANY DEFINITION TO [agents]"},
		"mirrored":               {sqlserverCopies{edition: 2, mirrored: true}, CopiesAsynchronous, "availability group"},
		"not durable":            {sqlserverCopies{edition: 3, delayed: "FORCED"}, CopiesAsynchronous, "DELAYED_DURABILITY"},
		"Azure SQL Database":     {sqlserverCopies{edition: 5}, CopiesUnknown, "hotcold.database.replication"},
		"Managed Instance":       {sqlserverCopies{edition: 8, grouped: true, required: 1, inSync: 1}, CopiesUnknown, "hotcold.database.replication"},
		"nothing is known":       {sqlserverCopies{}, CopiesUnknown, "hotcold.database.replication"},
	} {
		r := c.facts.judge()
		if r.Copies != c.want || r.Text == "" || r.Asserted || (c.raise == "") != (r.Raise == "") || !strings.Contains(r.Raise, c.raise) {
			t.Errorf("%s: %+v, want %s and a way that says %q", name, r, c.want, c.raise)
		}
	}
}

func TestWhatOracleSaysOfItsReplicationIsNeverTakenForBetterThanItIs(t *testing.T) {
	const protection, availability, performance = "MAXIMUM PROTECTION", "MAXIMUM AVAILABILITY", "MAXIMUM PERFORMANCE"
	for name, c := range map[string]struct {
		facts oracleCopies
		want  Copies
		raise string // part of what would raise it
	}{
		"one database":                {oracleCopies{mode: performance, level: performance}, CopiesNone, ""},
		"a standby that has all":      {oracleCopies{mode: protection, level: protection, standbys: 1, inSync: 1}, CopiesSynchronous, ""},
		"a standby that has not":      {oracleCopies{mode: protection, level: protection, standbys: 1}, CopiesDegraded, "bring"},
		"protected on paper":          {oracleCopies{mode: protection, level: "UNPROTECTED", standbys: 1, inSync: 1}, CopiesDegraded, "bring"},
		"it may go on alone":          {oracleCopies{mode: availability, level: availability, standbys: 1, inSync: 1}, CopiesAsynchronous, "MAXIMIZE PROTECTION"},
		"it has gone on alone":        {oracleCopies{mode: availability, level: "RESYNCHRONIZATION", standbys: 1}, CopiesDegraded, "bring"},
		"nothing is waited for":       {oracleCopies{mode: performance, level: performance, standbys: 1, inSync: 1}, CopiesAsynchronous, "MAXIMIZE PROTECTION"},
		"hidden from this user":       {oracleCopies{hidden: true, user: "AGENTS"}, CopiesUnknown, "SYS.V_$ARCHIVE_DEST_STATUS TO AGENTS"},
		"a mode that is not known":    {oracleCopies{mode: "ANOTHER", level: "ANOTHER"}, CopiesUnknown, "hotcold.database.replication"},
		"a view without its contents": {oracleCopies{}, CopiesUnknown, "hotcold.database.replication"},
	} {
		r := c.facts.judge()
		if r.Copies != c.want || r.Text == "" || r.Asserted || (c.raise == "") != (r.Raise == "") || !strings.Contains(r.Raise, c.raise) {
			t.Errorf("%s: %+v, want %s and a way that says %q", name, r, c.want, c.raise)
		}
	}
}
