package testserver

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// mysqlGroupName is a UUID; groups of different tests never meet.
const mysqlGroupName = "5a1e0f4c-1c52-4f0e-9d55-3c0f6e6f2d10"

// MySQLGroup is a group of MySQL servers with one primary (Group Replication).
type MySQLGroup struct {
	Members []*MySQLServer // the first one begins as the primary
}

// NewMySQLGroup starts a group of that many members, which are all online when it returns.
func NewMySQLGroup(t testing.TB, size int, settings ...string) *MySQLGroup {
	t.Helper()
	var seeds []string
	for range size {
		seeds = append(seeds, loopback(FreePort(t)))
	}
	g := &MySQLGroup{}
	for _, seed := range seeds {
		g.Members = append(g.Members, MySQL(t, append([]string{"plugin_load_add=group_replication.so", "report_host=127.0.0.1",
			"group_replication_group_name=" + mysqlGroupName, "group_replication_group_seeds=" + strings.Join(seeds, ","),
			"group_replication_local_address=" + seed, "group_replication_start_on_boot=OFF", "group_replication_ip_allowlist=127.0.0.1",
			"group_replication_recovery_get_public_key=ON", "group_replication_message_cache_size=134217728", "group_replication_member_expel_timeout=0"}, settings...)...))
	}
	first := g.Members[0]
	for _, m := range g.Members[1:] { // one administrator for all, as a cluster has
		m.Exec(t, "SET sql_log_bin = 0", fmt.Sprintf("ALTER USER '%s'@'%%' IDENTIFIED BY '%s'", mysqlUser, first.password))
		m.password = first.password
	}
	first.Exec(t, "SET GLOBAL group_replication_bootstrap_group = ON", g.join(), "SET GLOBAL group_replication_bootstrap_group = OFF")
	for _, m := range g.Members[1:] {
		m.Exec(t, g.join())
	}
	g.await(t, size)
	return g
}

func (g *MySQLGroup) join() string {
	return fmt.Sprintf("START GROUP_REPLICATION USER='%s', PASSWORD='%s'", mysqlUser, g.Members[0].password)
}

// Primary waits until a member that is up leads, and returns it.
func (g *MySQLGroup) Primary(t testing.TB) *MySQLServer {
	t.Helper()
	var found *MySQLServer
	await(t, "a primary of the group", func() bool {
		i := slices.IndexFunc(g.Members, func(m *MySQLServer) bool {
			return m.cmd != nil && m.Value(t, "SELECT MEMBER_ROLE FROM performance_schema.replication_group_members WHERE MEMBER_ID = @@server_uuid") == "PRIMARY" &&
				m.Value(t, "SELECT @@global.read_only") == "0"
		})
		if i >= 0 {
			found = g.Members[i]
		}
		return i >= 0
	})
	return found
}

// await waits until so many members are online, as each of those that are up sees it.
func (g *MySQLGroup) await(t testing.TB, size int) {
	t.Helper()
	for _, m := range g.Members {
		if m.cmd == nil {
			continue
		}
		await(t, fmt.Sprintf("a group of %d", size), func() bool {
			return m.Value(t, "SELECT COUNT(*) FROM performance_schema.replication_group_members WHERE MEMBER_STATE = 'ONLINE'") == fmt.Sprint(size)
		})
	}
}
