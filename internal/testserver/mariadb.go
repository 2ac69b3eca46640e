package testserver

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"
)

const (
	mariaUser     = "hotcold"
	mariaDatabase = "hotcold"
	mariaReady    = "ready for connections"
)

// MariaDBServer is a MariaDB of the test's own: GTIDs, a binary log, and every
// commit synced, as a server that others replicate from has to be.
type MariaDBServer struct {
	dir      string // holds data/ and the first statements; removed at the end
	bin      mariaPrograms
	port     int
	password string
	settings []string
	user     *syscall.Credential // nil: the test's own user
	keeper   *keeper
	log      *logTail

	cmd    *exec.Cmd     // nil while the server is down
	exited chan struct{} // closed when cmd has been waited for
}

// mariaPrograms are paths: of the server, and of what makes its directory.
type mariaPrograms struct{ server, install string }

// MariaDB starts a server that ends with the test, with settings such as
// "max_connections=10". It skips the test where MariaDB is not installed, and
// fails it in the build.
func MariaDB(t testing.TB, settings ...string) *MariaDBServer {
	t.Helper()
	bin, err := findMariaDB()
	if err != nil {
		missing(t, err)
	}
	s, err := newMariaDB(bin, settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of the MariaDB log of port %d:\n%s", s.port, s.log)
		}
		if err := s.remove(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// DSN returns the address of the server's first database, with user and password.
func (s *MariaDBServer) DSN() string { return s.dsn(mariaDatabase) }

// Addr returns the server's host:port.
func (s *MariaDBServer) Addr() string { return loopback(s.port) }

// Password returns the administrator's password, for tests which check that no
// log and no error shows it.
func (s *MariaDBServer) Password() string { return s.password }

func (s *MariaDBServer) dsn(database string) string {
	u := url.URL{Scheme: "mariadb", User: url.UserPassword(mariaUser, s.password), Host: s.Addr(), Path: "/" + database, RawQuery: "tls=false"}
	return u.String()
}

// CreateDatabase makes an empty database that is dropped when the test ends, and
// returns its address.
func (s *MariaDBServer) CreateDatabase(t testing.TB, name string) string {
	t.Helper()
	s.Exec(t, "CREATE DATABASE `"+name+"`")
	t.Cleanup(func() {
		if s.cmd == nil {
			return // stopped by the test: the directory goes with the server
		}
		s.Exec(t, "DROP DATABASE IF EXISTS `"+name+"`")
	})
	return s.dsn(name)
}

// Exec runs statements as administrator in the first database, in a clean-up too.
func (s *MariaDBServer) Exec(t testing.TB, statements ...string) {
	t.Helper()
	err := s.talk(mariaDatabase, func(ctx context.Context, c *sql.Conn) error {
		for _, statement := range statements {
			if _, err := c.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("run %q: %w", statement, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Value returns the first column of the first row of a query's answer as text, or
// "" where there is none.
func (s *MariaDBServer) Value(t testing.TB, query string) string {
	t.Helper()
	return s.ask(t, query, "")
}

// Status returns a status variable of the server.
func (s *MariaDBServer) Status(t testing.TB, name string) string {
	t.Helper()
	return s.ask(t, "SHOW GLOBAL STATUS LIKE '"+name+"'", "Value")
}

// ask returns the column of that name, or the first, of the first row.
func (s *MariaDBServer) ask(t testing.TB, query, column string) string {
	t.Helper()
	var found sql.NullString
	err := s.talk(mariaDatabase, func(ctx context.Context, c *sql.Conn) error {
		rows, err := c.QueryContext(ctx, query)
		if err != nil {
			return fmt.Errorf("ask %q: %w", query, err)
		}
		names, err := rows.Columns()
		if err == nil && rows.Next() {
			into := make([]any, len(names))
			for i := range into {
				into[i] = new(sql.RawBytes)
			}
			into[max(0, slices.Index(names, column))] = &found
			err = rows.Scan(into...)
		}
		return errors.Join(err, rows.Err(), rows.Close())
	})
	if err != nil {
		t.Fatal(err)
	}
	return found.String
}

// talk lends a connection of the administrator's.
func (s *MariaDBServer) talk(database string, f func(context.Context, *sql.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), queryLimit)
	defer cancel()
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName, c.Logger = mariaUser, s.password, "tcp", s.Addr(), database, &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return err
	}
	pool := sql.OpenDB(connector)
	conn, err := pool.Conn(ctx)
	if err != nil {
		return errors.Join(err, pool.Close())
	}
	return errors.Join(f(ctx, conn), conn.Close(), pool.Close())
}

// Stop ends the server in good order; open connections are cut. Start brings it back.
func (s *MariaDBServer) Stop(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		t.Fatal("stop MariaDB: it is not running")
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("stop MariaDB: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	select {
	case <-s.exited:
		s.cmd = nil
	case <-ctx.Done():
		t.Fatalf("MariaDB runs %v after SIGTERM; end of its log:\n%s", stopLimit, s.log)
	}
}

// Kill kills the server at once, as a crash does. Committed data is there again
// after Start.
func (s *MariaDBServer) Kill(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		t.Fatal("kill MariaDB: it is not running")
	}
	if err := killAll(s.dir); err != nil {
		t.Fatalf("kill MariaDB: %v", err)
	}
	<-s.exited
	s.cmd = nil
}

// Start starts a stopped or killed server on its old port and data, and returns
// when it answers.
func (s *MariaDBServer) Start(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// Pause freezes the server: connections stay open and nothing answers.
func (s *MariaDBServer) Pause(t testing.TB) {
	t.Helper()
	if _, err := freeze(s.dir); err != nil {
		t.Fatalf("pause MariaDB: %v", err)
	}
}

// Resume lets a paused server go on.
func (s *MariaDBServer) Resume(t testing.TB) {
	t.Helper()
	if err := thaw(s.dir); err != nil {
		t.Fatalf("resume MariaDB: %v", err)
	}
}

// newMariaDB makes a directory, a keeper for it and a server in it. After an error
// nothing is left.
func newMariaDB(bin mariaPrograms, settings []string) (*MariaDBServer, error) {
	account, err := serverUser("mysql", "nobody")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	dir, err := os.MkdirTemp("", "hotcold-mariadb-") // not below t.TempDir, as for PostgreSQL
	if err != nil {
		return nil, fmt.Errorf("make the directory of MariaDB: %w", err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	k, err := keep(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s := &MariaDBServer{dir: dir, bin: bin, port: port, password: rand.Text(), user: account, keeper: k, log: &logTail{},
		settings: append([]string{
			"port=" + strconv.Itoa(port), "bind_address=127.0.0.1", "skip_name_resolve=ON",
			"socket=s.sock", "pid_file=s.pid", // below datadir
			"server_id=" + strconv.Itoa(port), "log_bin=bin", "relay_log=relay", "gtid_strict_mode=ON", "log_slave_updates=ON",
			"sync_binlog=1", "innodb_flush_log_at_trx_commit=1",
			"innodb_buffer_pool_size=24M", "innodb_log_file_size=8M", "performance_schema=OFF",
		}, settings...)}
	err = s.install()
	if err == nil {
		err = s.start()
	}
	if err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

// install makes the system tables, and the statements that every start runs before
// the server takes connections: they stay out of the binary log, or a replica would
// have transactions that its primary has not.
func (s *MariaDBServer) install() error {
	first := filepath.Join(s.dir, "init.sql")
	login := "'" + mariaUser + "'@'%'"
	script := "SET sql_log_bin = 0;\nCREATE DATABASE IF NOT EXISTS " + mariaDatabase +
		";\nCREATE USER IF NOT EXISTS " + login + " IDENTIFIED BY '" + s.password +
		"';\nGRANT ALL ON *.* TO " + login + " WITH GRANT OPTION;\nDROP USER IF EXISTS root@localhost;\n"
	if err := os.WriteFile(first, []byte(script), 0o600); err != nil {
		return fmt.Errorf("write the first statements of MariaDB: %w", err)
	}
	if s.user != nil {
		for _, path := range []string{s.dir, first} {
			if err := os.Chown(path, int(s.user.Uid), int(s.user.Gid)); err != nil {
				return fmt.Errorf("give MariaDB its directory: %w", err)
			}
		}
	}
	cmd := s.command(s.bin.install, "--no-defaults", "--datadir="+filepath.Join(s.dir, "data"), "--auth-root-authentication-method=normal",
		"--skip-test-db", "--skip-name-resolve", "--innodb_log_file_size=8M", "--innodb_flush_log_at_trx_commit=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the system tables of MariaDB: %w: %s", err, trimmed(output))
	}
	return nil
}

// start runs the server and waits for its ready line.
func (s *MariaDBServer) start() error {
	if s.cmd != nil {
		return errors.New("start MariaDB: it is running")
	}
	args := []string{"--no-defaults", "--datadir=" + filepath.Join(s.dir, "data"), "--init_file=" + filepath.Join(s.dir, "init.sql")}
	for _, setting := range s.settings {
		args = append(args, "--"+setting)
	}
	cmd := s.command(s.bin.server, args...)
	ready := s.log.expect(mariaReady)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start MariaDB: %w", err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended stands in its log
	}()
	s.cmd, s.exited = cmd, exited
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	select {
	case <-ready:
		return nil
	case <-exited:
		s.cmd = nil
		return fmt.Errorf("MariaDB ended while starting; end of its log:\n%s", s.log)
	case <-ctx.Done():
		return fmt.Errorf("MariaDB is not ready after %v; end of its log:\n%s", readyLimit, s.log)
	}
}

// command prepares one of MariaDB's programs, as a user that is not root.
func (s *MariaDBServer) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC", "HOME=" + s.dir, "TMPDIR=" + s.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: s.user}
	return cmd
}

// remove ends the server, however it is, and removes its directory.
func (s *MariaDBServer) remove() error {
	err := s.keeper.finish()
	if s.cmd != nil {
		<-s.exited
		s.cmd = nil
	}
	return err
}

func findMariaDB() (mariaPrograms, error) {
	if !supported {
		return mariaPrograms{}, errors.New("servers for tests need Linux")
	}
	server, err := exec.LookPath("mariadbd")
	if err != nil { // Debian keeps it out of most users' PATH
		server, err = exec.LookPath("/usr/sbin/mariadbd")
	}
	install, err2 := exec.LookPath("mariadb-install-db")
	if err != nil || err2 != nil {
		return mariaPrograms{}, errors.New("MariaDB is not installed: no mariadbd and mariadb-install-db")
	}
	return mariaPrograms{server, install}, nil
}
