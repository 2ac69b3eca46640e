package testserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
)

// mysqlFlavour is what differs between MariaDB and MySQL, as far as a test's server goes.
type mysqlFlavour struct {
	name     string // for people
	scheme   string // of its addresses
	accounts []string
	settings []string
	find     func() (mysqlPrograms, error)
	install  func(*MySQLServer) error // makes the system tables
	replica  replicaWords
}

// mysqlPrograms are command lines: of the server, and of what makes its directory.
type mysqlPrograms struct {
	server  []string
	install string
}

// mariadb is a MariaDB of the machine's. It runs as the user mysql, or nobody.
func mariadb() mysqlFlavour {
	return mysqlFlavour{
		name: "MariaDB", scheme: "mariadb", accounts: []string{"mysql", "nobody"},
		settings: []string{"gtid_strict_mode=ON", "log_slave_updates=ON", "innodb_log_file_size=8M"},
		find:     findMariaDB, install: installMariaDB, replica: mariadbReplica(),
	}
}

// mysqlOfDebian is the MySQL that scripts/test-deps.sh brings into the cache. It runs as the test's
// own user, root too: another may not reach the cache.
func mysqlOfDebian() mysqlFlavour {
	return mysqlFlavour{
		name: "MySQL", scheme: "mysql",
		settings: []string{"gtid_mode=ON", "enforce_gtid_consistency=ON", "mysqlx=OFF", "secure_file_priv=NULL",
			"innodb_redo_log_capacity=64M", "table_open_cache=400"},
		find: findMySQL, install: installMySQL, replica: mysqlReplica(),
	}
}

func findMariaDB() (mysqlPrograms, error) {
	if !supported {
		return mysqlPrograms{}, errors.New("servers for tests need Linux")
	}
	server, err := exec.LookPath("mariadbd")
	if err != nil { // Debian keeps it out of most users' PATH
		server, err = exec.LookPath("/usr/sbin/mariadbd")
	}
	install, err2 := exec.LookPath("mariadb-install-db")
	if err != nil || err2 != nil {
		return mysqlPrograms{}, errors.New("MariaDB is not installed: no mariadbd and mariadb-install-db")
	}
	return mysqlPrograms{[]string{server, "--no-defaults"}, install}, nil
}

// findMySQL finds the server with the libraries that came with it, which are not the machine's.
func findMySQL() (mysqlPrograms, error) {
	if !supported {
		return mysqlPrograms{}, errors.New("servers for tests need Linux")
	}
	cache, err := cacheDir()
	if err != nil {
		return mysqlPrograms{}, err
	}
	home := filepath.Join(cache, "mysql-"+runtime.GOARCH)
	in := func(name string) string { return filepath.Join(home, name) }
	if _, err := os.Stat(in("mysqld")); err != nil {
		return mysqlPrograms{}, fmt.Errorf("MySQL is not in the cache: %w", err)
	}
	server := []string{in("ld.so"), "--library-path", in("lib"), in("mysqld"), "--no-defaults", "--basedir=" + home,
		"--lc-messages-dir=" + in("share"), "--character-sets-dir=" + in("share/charsets"), "--plugin-dir=" + in("plugin")}
	if os.Geteuid() == 0 {
		server = append(server, "--user=root")
	}
	return mysqlPrograms{server, in("data")}, nil
}

func installMariaDB(s *MySQLServer) error {
	cmd := s.command([]string{s.bin.install}, "--no-defaults", "--datadir="+s.data(), "--auth-root-authentication-method=normal",
		"--skip-test-db", "--skip-name-resolve", "--innodb_log_file_size=8M", "--innodb_flush_log_at_trx_commit=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the system tables of MariaDB: %w: %s", err, trimmed(output))
	}
	return nil
}

// installMySQL copies those that were made when the server was fetched, which takes a moment instead of seconds.
func installMySQL(s *MySQLServer) error {
	if err := os.CopyFS(s.data(), os.DirFS(s.bin.install)); err != nil {
		return fmt.Errorf("copy the system tables of MySQL: %w", err)
	}
	return nil
}

// replicaWords are the statements and names of replication. MySQL has replaced those that MariaDB keeps.
type replicaWords struct {
	settings        []string // that semi-synchronous replication wants of both
	semiSource      string   // the prefix of the source's variables, in lower case
	semiReplica     string   // the switch of the replica
	follow          string   // of a port, a user and a password
	start, stop     string
	stopListening   string
	forget          string // to have followed
	status, heard   string // the statement, and the column with what has been heard
	has, wait       string // the position of a server, and the wait for one, with a limit in seconds
	rejoin          []string
	reset           []string // to a server without a past
	readOnly, write string
}

func mariadbReplica() replicaWords {
	return replicaWords{
		semiSource: "rpl_semi_sync_master", semiReplica: "rpl_semi_sync_slave_enabled",
		follow: "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='%s', MASTER_PASSWORD='%s'," +
			" MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1",
		start: "START SLAVE", stop: "STOP SLAVE", stopListening: "STOP SLAVE IO_THREAD", forget: "RESET SLAVE ALL",
		status: "SHOW SLAVE STATUS", heard: "Gtid_IO_Pos",
		has: "SELECT @@gtid_binlog_pos", wait: "SELECT MASTER_GTID_WAIT('%s', %d)",
		rejoin:   []string{"SET GLOBAL gtid_slave_pos = @@gtid_current_pos"},
		reset:    []string{"RESET MASTER", "SET GLOBAL gtid_slave_pos = ''"},
		readOnly: "SET GLOBAL read_only = ON", write: "SET GLOBAL read_only = OFF",
	}
}

// mysqlReplica beats once a second: a source that writes nothing notices by that that its replica has gone.
func mysqlReplica() replicaWords {
	return replicaWords{
		settings:   []string{"plugin_load_add=semisync_source.so", "plugin_load_add=semisync_replica.so"},
		semiSource: "rpl_semi_sync_source", semiReplica: "rpl_semi_sync_replica_enabled",
		follow: "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%d, SOURCE_USER='%s', SOURCE_PASSWORD='%s'," +
			" SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1, SOURCE_HEARTBEAT_PERIOD=1, GET_SOURCE_PUBLIC_KEY=1",
		start: "START REPLICA", stop: "STOP REPLICA", stopListening: "STOP REPLICA IO_THREAD", forget: "RESET REPLICA ALL",
		status: "SHOW REPLICA STATUS", heard: "Retrieved_Gtid_Set",
		has: "SELECT @@global.gtid_executed", wait: "SELECT WAIT_FOR_EXECUTED_GTID_SET('%s', %d)",
		reset:    []string{"RESET BINARY LOGS AND GTIDS"},
		readOnly: "SET GLOBAL super_read_only = ON", write: "SET GLOBAL read_only = OFF",
	}
}

// serverSettings are those of every server: others could follow it, and a commit is on the disk.
func (f mysqlFlavour) serverSettings(port int) []string {
	number := strconv.Itoa(port)
	return append([]string{
		"port=" + number, "bind_address=127.0.0.1", "skip_name_resolve=ON",
		"socket=s.sock", "pid_file=s.pid", // below datadir
		"server_id=" + number, "log_bin=bin", "relay_log=relay",
		"sync_binlog=1", "innodb_flush_log_at_trx_commit=1",
		"innodb_buffer_pool_size=24M", "performance_schema=OFF",
	}, f.settings...)
}
