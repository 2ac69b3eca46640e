package sqlstore

import (
	"fmt"
	"strings"
	"time"
)

// Spelled is a file of all statements that a dialect sends, by name.
func Spelled(dialect string) string {
	var b strings.Builder
	add := func(name, text string) { fmt.Fprintf(&b, "-- name: %s\n%s\n\n", name, text) }
	switch dialect {
	case SQLServer:
		spellSQLServer(add)
	case Oracle:
		spellOracle(add)
	}
	return b.String()
}

func spellSQLServer(add func(name, text string)) {
	add("opening", strings.Replace(sqlserverOpening(time.Millisecond), "LOCK_TIMEOUT 1;", "LOCK_TIMEOUT 0;", 1))
	add("survey", sqlserverSurvey(DefaultTablePrefix))
	add("replicationPlace", sqlserverPlace)
	add("replicationMirrors", sqlserverMirrors)
	add("replicationGroup", sqlserverGroup)
	l := sqlserverLocks{DefaultTablePrefix}
	for _, w := range []spelled{{name: "fenceEnd", text: l.ending()}, {name: "fenceChange", text: l.changing()}, {name: "fenceRights", text: sqlserverRights}} {
		add(w.name, w.text)
		add(w.name+"#azure", spellAzure(w.text))
	}
	add("fenceEscapes", sqlserverEscapes())
	add("fencePrepared", sqlserverPrepared)
	add("schemaLock", sqlserverSchemaLock(DefaultTablePrefix))
	s := sqlserverStatements(DefaultTablePrefix)
	for i, text := range s.create {
		add(fmt.Sprint("create#", i), text)
	}
	for _, w := range named(s) {
		add(w.name, w.text)
		if strings.Contains(w.text, sqlserverRecovery) {
			add(w.name+"#azure", strings.ReplaceAll(w.text, sqlserverRecovery, sqlserverNoRecovery))
		}
		if w.arguments == 0 {
			continue
		}
		result := "@changed"
		if w.name == "ask" {
			result = "@id"
		}
		text := signalled(w.text, result, s.raiseSignal, w.arguments)
		add(w.name+"+signal", text)
		if strings.Contains(text, sqlserverRecovery) {
			add(w.name+"+signal#azure", strings.ReplaceAll(text, sqlserverRecovery, sqlserverNoRecovery))
		}
	}
}

func spellOracle(add func(name, text string)) {
	add("opening", oracleOpening())
	add("place", oraclePlace)
	add("probe", oracleProbe)
	add("survey", oracleSurvey(DefaultTablePrefix))
	add("replicationProtection", oracleProtection)
	add("replicationStandbys", oracleStandbys)
	add("replicationMe", oracleMe)
	l := oracleLocks{DefaultTablePrefix}
	add("fenceLock", l.locking())
	add("fenceEnd", l.ending())
	add("fenceUnlock", l.unlocking())
	add("fenceLeft", oracleLeft)
	add("fencePrepared", oraclePrepared)
	add("fenceMay", oracleMay)
	add("fenceUser", oracleUser)
	add("number", oracleNumber(DefaultTablePrefix))
	s := oracleStatements(DefaultTablePrefix)
	for i, text := range s.create {
		add(fmt.Sprint("create#", i), text)
	}
	add("raiseSignal", s.raiseSignal)
	for _, w := range named(s) {
		add(w.name, w.text)
		if strings.Contains(w.text, oracleReset) {
			add(w.name+"#partial", strings.ReplaceAll(w.text, oracleReset, oracleNoReset))
		}
	}
}

// spelled is a statement with the number of its arguments, where it may go with a signal.
type spelled struct {
	name, text string
	arguments  int
}

func named(s statements) []spelled {
	return []spelled{
		{"schemaVersion", s.schemaVersion, 0},
		{"signal", s.signal, 0},
		{"read", s.read, 0},
		{"leases", s.leases, 0},
		{"claim", s.claim, 15},
		{"renew", s.renew, 21},
		{"announce", s.announce, 0},
		{"forgetInstances", s.forgetInstances, 0},
		{"instances", s.instances, 0},
		{"record", s.record, 0},
		{"forgetEvents", s.forgetEvents, 0},
		{"events", s.events, 0},
		{"ask", s.ask, 5},
		{"forgetRequests", s.forgetRequests, 0},
		{"requests", s.requests, 0},
		{"request", s.request, 0},
		{"accept", s.accept, 3},
		{"answer", s.answer, 3},
		{"withdraw", s.withdraw, 1},
	}
}
