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
