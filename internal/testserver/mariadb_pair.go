package testserver

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// MariaDBPair is a primary and a replica that follows it by GTID.
type MariaDBPair struct {
	Primary, Replica *MariaDBServer
	semiSync         bool
	reseeds          int
}

// NewMariaDBPair starts both. With semiSync, a commit on the primary is answered
// only after the replica has it on its disk (AFTER_SYNC, with no timeout to speak
// of); without, the replica follows as it can.
func NewMariaDBPair(t testing.TB, semiSync bool, settings ...string) *MariaDBPair {
	t.Helper()
	p := &MariaDBPair{Primary: MariaDB(t, settings...), Replica: MariaDB(t, settings...), semiSync: semiSync}
	// One administrator for both, as a cluster has.
	p.Replica.Exec(t, "SET sql_log_bin = 0", fmt.Sprintf("ALTER USER '%s'@'%%' IDENTIFIED BY '%s'", mariaUser, p.Primary.password))
	p.Replica.password = p.Primary.password
	p.follow(t)
	return p
}

// follow makes the replica one of the primary, and returns when it has all that
// the primary has.
func (p *MariaDBPair) follow(t testing.TB) {
	t.Helper()
	if p.semiSync {
		p.Replica.Exec(t, "SET GLOBAL rpl_semi_sync_slave_enabled = ON", "SET GLOBAL rpl_semi_sync_master_enabled = OFF")
	}
	p.Replica.Exec(t, "SET GLOBAL read_only = ON",
		fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='%s', MASTER_PASSWORD='%s',"+
			" MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1", p.Primary.port, mariaUser, p.Primary.password),
		"START SLAVE")
	if p.semiSync {
		p.Primary.Exec(t, "SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_SYNC", "SET GLOBAL rpl_semi_sync_master_timeout = 600000",
			"SET GLOBAL rpl_semi_sync_master_enabled = ON")
		await(t, "a replica that acknowledges", func() bool {
			return p.Primary.Status(t, "Rpl_semi_sync_master_clients") == "1" && p.Primary.Status(t, "Rpl_semi_sync_master_status") == "ON"
		})
	}
	p.CaughtUp(t)
}

// CaughtUp waits until the replica has what the primary has now.
func (p *MariaDBPair) CaughtUp(t testing.TB) {
	t.Helper()
	p.reached(t, p.Primary.Value(t, "SELECT @@gtid_binlog_pos"))
}

// reached waits until the replica has applied what is called so, and perhaps more.
func (p *MariaDBPair) reached(t testing.TB, position string) {
	t.Helper()
	seconds := int(queryLimit/time.Second) - 5
	if position != "" && p.Replica.Value(t, fmt.Sprintf("SELECT MASTER_GTID_WAIT('%s', %d)", position, seconds)) != "0" {
		t.Fatalf("the replica has not reached %s after %d s", position, seconds)
	}
}

// CutReplication stops the replica from hearing of anything new. What it has
// heard it keeps.
func (p *MariaDBPair) CutReplication(t testing.TB) {
	t.Helper()
	p.Replica.Exec(t, "STOP SLAVE IO_THREAD")
}

// Promote lets the replica take writes, after it has applied all that it has
// heard, and swaps the names. The former primary is as it was: stopped, or still
// taking writes.
func (p *MariaDBPair) Promote(t testing.TB) {
	t.Helper()
	p.Replica.Exec(t, "STOP SLAVE IO_THREAD")
	// The position in the relay log, which the SQL thread may not have reached yet.
	p.reached(t, p.Replica.ask(t, "SHOW SLAVE STATUS", "Gtid_IO_Pos"))
	p.Replica.Exec(t, "STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = OFF")
	if p.semiSync {
		p.Replica.Exec(t, "SET GLOBAL rpl_semi_sync_slave_enabled = OFF")
	}
	p.Primary, p.Replica = p.Replica, p.Primary
}

// Rejoin makes the former primary a replica of the new one.
func (p *MariaDBPair) Rejoin(t testing.TB) {
	t.Helper()
	if p.Replica.cmd == nil {
		p.Replica.Start(t)
	}
	p.Replica.Exec(t, "SET GLOBAL gtid_slave_pos = @@gtid_current_pos")
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
func (p *MariaDBPair) Reseed(t testing.TB) {
	t.Helper()
	p.reseeds++
	id := p.reseeds*lastPort + p.Replica.port
	p.Replica.settings = append(p.Replica.settings, fmt.Sprint("server_id=", id)) // the last one counts
	p.Replica.Exec(t, fmt.Sprint("SET GLOBAL server_id = ", id), "SET sql_log_bin = 0", "DROP DATABASE "+mariaDatabase, "CREATE DATABASE "+mariaDatabase, "SET sql_log_bin = 1",
		"RESET MASTER", "SET GLOBAL gtid_slave_pos = ''")
	p.follow(t)
}
