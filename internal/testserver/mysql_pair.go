package testserver

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// MySQLPair is a primary and a replica that follows it by GTID.
type MySQLPair struct {
	Primary, Replica *MySQLServer
	words            replicaWords
	semiSync         bool
	reseeds          int
}

// NewMariaDBPair starts both. With semiSync, a commit on the primary is answered
// only after the replica has it on its disk (AFTER_SYNC, with no timeout to speak
// of); without, the replica follows as it can.
func NewMariaDBPair(t testing.TB, semiSync bool, settings ...string) *MySQLPair {
	t.Helper()
	return newMySQLPair(t, mariadb(), semiSync, settings)
}

// NewMySQLPair is as NewMariaDBPair.
func NewMySQLPair(t testing.TB, semiSync bool, settings ...string) *MySQLPair {
	t.Helper()
	return newMySQLPair(t, mysqlOfDebian(), semiSync, settings)
}

func newMySQLPair(t testing.TB, f mysqlFlavour, semiSync bool, settings []string) *MySQLPair {
	t.Helper()
	if semiSync {
		settings = append(slices.Clone(settings), f.replica.settings...)
	}
	p := &MySQLPair{Primary: startMySQL(t, f, settings), Replica: startMySQL(t, f, settings), words: f.replica, semiSync: semiSync}
	// One administrator for both, as a cluster has.
	p.Replica.Exec(t, "SET sql_log_bin = 0", fmt.Sprintf("ALTER USER '%s'@'%%' IDENTIFIED BY '%s'", mysqlUser, p.Primary.password))
	p.Replica.password = p.Primary.password
	p.follow(t)
	return p
}

// follow makes the replica one of the primary, and returns when it has all that
// the primary has.
func (p *MySQLPair) follow(t testing.TB) {
	t.Helper()
	source := p.words.semiSource
	if p.semiSync {
		p.Replica.Exec(t, "SET GLOBAL "+p.words.semiReplica+" = ON", "SET GLOBAL "+source+"_enabled = OFF")
	}
	p.Replica.Exec(t, p.words.readOnly, fmt.Sprintf(p.words.follow, p.Primary.port, mysqlUser, p.Primary.password), p.words.start)
	if p.semiSync {
		p.Primary.Exec(t, "SET GLOBAL "+source+"_wait_point = AFTER_SYNC", "SET GLOBAL "+source+"_timeout = 600000",
			"SET GLOBAL "+source+"_enabled = ON")
		await(t, "a replica that acknowledges", func() bool {
			return p.Primary.Status(t, source+"_clients") == "1" && p.Primary.Status(t, source+"_status") == "ON"
		})
	}
	p.CaughtUp(t)
}

// CaughtUp waits until the replica has what the primary has now.
func (p *MySQLPair) CaughtUp(t testing.TB) {
	t.Helper()
	p.reached(t, p.Primary.Value(t, p.words.has))
}

// reached waits until the replica has applied what is called so, and perhaps more.
func (p *MySQLPair) reached(t testing.TB, position string) {
	t.Helper()
	seconds := int(queryLimit/time.Second) - 5
	if position != "" && p.Replica.Value(t, fmt.Sprintf(p.words.wait, position, seconds)) != "0" {
		t.Fatalf("the replica has not reached %s after %d s", position, seconds)
	}
}

// CutReplication stops the replica from hearing of anything new. What it has
// heard it keeps.
func (p *MySQLPair) CutReplication(t testing.TB) {
	t.Helper()
	p.Replica.Exec(t, p.words.stopListening)
}

// StopReplica stops the replica from hearing and from applying. StartReplica lets it go on.
func (p *MySQLPair) StopReplica(t testing.TB) {
	t.Helper()
	p.Replica.Exec(t, p.words.stop)
}

// StartReplica lets the replica go on, and returns when it acknowledges again where it is to.
func (p *MySQLPair) StartReplica(t testing.TB) {
	t.Helper()
	p.Replica.Exec(t, p.words.start)
	if p.semiSync {
		await(t, "a replica that acknowledges", func() bool { return p.Primary.Status(t, p.words.semiSource+"_clients") == "1" })
	}
}

// Promote lets the replica take writes, after it has applied all that it has
// heard, and swaps the names. The former primary is as it was: stopped, or still
// taking writes.
func (p *MySQLPair) Promote(t testing.TB) {
	t.Helper()
	p.CutReplication(t)
	// The position in the relay log, which the SQL thread may not have reached yet.
	p.reached(t, p.Replica.ask(t, p.words.status, p.words.heard))
	p.Replica.Exec(t, p.words.stop, p.words.forget, p.words.write)
	if p.semiSync {
		p.Replica.Exec(t, "SET GLOBAL "+p.words.semiReplica+" = OFF")
	}
	p.Primary, p.Replica = p.Replica, p.Primary
}

// Rejoin makes the former primary a replica of the new one.
func (p *MySQLPair) Rejoin(t testing.TB) {
	t.Helper()
	if p.Replica.cmd == nil {
		p.Replica.Start(t)
	}
	p.Replica.Exec(t, p.words.rejoin...)
	p.follow(t)
}

// await looks until f is content, with a limit.
func await(t testing.TB, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	for !f() {
		if clock.Wait(ctx, clock.System(), 10*time.Millisecond) != nil {
			t.Fatalf("%s: not within %v", what, readyLimit)
		}
	}
}

// Reseed makes the former primary a replica of the new one where it has what the new
// one never heard of: its tables go, and it begins with a copy. It gets another
// server_id, as a new server has: what it wrote under its own it would skip.
func (p *MySQLPair) Reseed(t testing.TB) {
	t.Helper()
	p.reseeds++
	id := p.reseeds*lastPort + p.Replica.port
	p.Replica.settings = append(p.Replica.settings, fmt.Sprint("server_id=", id)) // the last one counts
	p.Replica.Exec(t, append([]string{fmt.Sprint("SET GLOBAL server_id = ", id),
		"SET sql_log_bin = 0", "DROP DATABASE " + mysqlDatabase, "CREATE DATABASE " + mysqlDatabase, "SET sql_log_bin = 1"}, p.words.reset...)...)
	p.follow(t)
}
