package testserver

import (
	"fmt"
	"net"
	"path/filepath"
	"testing"
)

// standbyReady is the beginning of what a standby says: "read-only" since version 14, "read only" before.
const standbyReady = "database system is ready to accept read"

// Standby starts a server that follows s by streaming, under the application name
// that synchronous_standby_names knows, and ends with the test. It reads from address, such as
// TCPProxy.Addr, so that a test can cut it off; empty: from s itself.
func (s *PostgresServer) Standby(t testing.TB, name, address string, opts ...Option) *PostgresServer {
	t.Helper()
	if address == "" {
		address = loopback(s.port)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	standby, err := makePostgres(s.bin, opts, func(n *PostgresServer) error {
		n.password, n.ready = s.password, standbyReady // the roles are copied too
		source := fmt.Sprintf("host=%s port=%s user=%s application_name=%s sslmode=disable", host, port, postgresUser, name)
		cmd := n.command("pg_basebackup", "--pgdata", filepath.Join(n.dir, "data"), "--dbname", source,
			"--write-recovery-conf", "--checkpoint", "fast", "--no-sync")
		cmd.Env = append(cmd.Env, "PGPASSWORD="+s.password)
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("copy the PostgreSQL cluster: %w: %s", err, trimmed(output))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	standby.endWith(t)
	return standby
}

// Promote makes a standby the server that takes writes, and returns when it is.
func (s *PostgresServer) Promote(t testing.TB) {
	t.Helper()
	s.Exec(t, "SELECT pg_promote(true, 60)")
	s.ready = postgresReady
}
