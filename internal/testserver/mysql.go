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
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"
)

const (
	mysqlUser     = "hotcold"
	mysqlDatabase = "hotcold"
	mysqlReady    = "ready for connections"
)

// MySQLServer is a MySQL or MariaDB of the test's own: GTIDs, a binary log, and every
// commit synced, as a server that others replicate from has to be.
type MySQLServer struct {
	flavour  mysqlFlavour
	dir      string // holds data/ and the first statements; removed at the end
	bin      mysqlPrograms
	port     int
	password string
	settings []string
	user     *syscall.Credential // nil: the test's own user
	keeper   *keeper
	log      *logTail

	cmd    *exec.Cmd     // nil while the server is down
	exited chan struct{} // closed when cmd has been waited for
}

// MariaDB starts a server that ends with the test, with settings such as
// "max_connections=10". It skips the test where MariaDB is not installed, and
// fails it in the build.
func MariaDB(t testing.TB, settings ...string) *MySQLServer {
	t.Helper()
	return startMySQL(t, mariadb(), settings)
}

// MySQL is as MariaDB. Its performance_schema is off, as there, unless a setting says otherwise.
func MySQL(t testing.TB, settings ...string) *MySQLServer {
	t.Helper()
	return startMySQL(t, mysqlOfDebian(), settings)
}

func startMySQL(t testing.TB, f mysqlFlavour, settings []string) *MySQLServer {
	t.Helper()
	bin, err := f.find()
	if err != nil {
		missing(t, err)
	}
	s, err := newMySQL(f, bin, settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of the %s log of port %d:\n%s", f.name, s.port, s.log)
		}
		if err := s.remove(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// DSN returns the address of the server's first database, with user and password.
func (s *MySQLServer) DSN() string { return s.dsn(mysqlDatabase) }

// Addr returns the server's host:port.
func (s *MySQLServer) Addr() string { return loopback(s.port) }

// Password returns the administrator's password, for tests which check that no
// log and no error shows it.
func (s *MySQLServer) Password() string { return s.password }

func (s *MySQLServer) dsn(database string) string {
	u := url.URL{Scheme: s.flavour.scheme, User: url.UserPassword(mysqlUser, s.password), Host: s.Addr(), Path: "/" + database, RawQuery: "tls=false"}
	return u.String()
}

// CreateDatabase makes an empty database that is dropped when the test ends, and
// returns its address.
func (s *MySQLServer) CreateDatabase(t testing.TB, name string) string {
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
func (s *MySQLServer) Exec(t testing.TB, statements ...string) {
	t.Helper()
	err := s.talk(mysqlDatabase, func(ctx context.Context, c *sql.Conn) error {
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
func (s *MySQLServer) Value(t testing.TB, query string) string {
	t.Helper()
	return s.ask(t, query, "")
}

// Status returns a status variable of the server.
func (s *MySQLServer) Status(t testing.TB, name string) string {
	t.Helper()
	return s.ask(t, "SHOW GLOBAL STATUS LIKE '"+name+"'", "Value")
}

// ask returns the column of that name, or the first, of the first row.
func (s *MySQLServer) ask(t testing.TB, query, column string) string {
	t.Helper()
	var found sql.NullString
	err := s.talk(mysqlDatabase, func(ctx context.Context, c *sql.Conn) error {
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
func (s *MySQLServer) talk(database string, f func(context.Context, *sql.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), queryLimit)
	defer cancel()
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName, c.Logger = mysqlUser, s.password, "tcp", s.Addr(), database, &mysql.NopLogger{}
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
func (s *MySQLServer) Stop(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		t.Fatalf("stop %s: it is not running", s.flavour.name)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("stop %s: %v", s.flavour.name, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	select {
	case <-s.exited:
		s.cmd = nil
	case <-ctx.Done():
		t.Fatalf("%s runs %v after SIGTERM; end of its log:\n%s", s.flavour.name, stopLimit, s.log)
	}
}

// Kill kills the server at once, as a crash does. Committed data is there again
// after Start.
func (s *MySQLServer) Kill(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		t.Fatalf("kill %s: it is not running", s.flavour.name)
	}
	if err := killAll(s.dir); err != nil {
		t.Fatalf("kill %s: %v", s.flavour.name, err)
	}
	<-s.exited
	s.cmd = nil
}

// Start starts a stopped or killed server on its old port and data, and returns
// when it answers.
func (s *MySQLServer) Start(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// Reborn restarts a MySQL as a copy of its files on another machine is: under a name of its own (server_uuid).
func (s *MySQLServer) Reborn(t testing.TB) {
	t.Helper()
	s.Stop(t)
	if err := os.Remove(filepath.Join(s.data(), "auto.cnf")); err != nil {
		t.Fatalf("take the name of %s away: %v", s.flavour.name, err)
	}
	s.Start(t)
}

// Pause freezes the server: connections stay open and nothing answers.
func (s *MySQLServer) Pause(t testing.TB) {
	t.Helper()
	if _, err := freeze(s.dir); err != nil {
		t.Fatalf("pause %s: %v", s.flavour.name, err)
	}
}

// Resume lets a paused server go on.
func (s *MySQLServer) Resume(t testing.TB) {
	t.Helper()
	if err := thaw(s.dir); err != nil {
		t.Fatalf("resume %s: %v", s.flavour.name, err)
	}
}

// newMySQL makes a directory, a keeper for it and a server in it. After an error
// nothing is left.
func newMySQL(f mysqlFlavour, bin mysqlPrograms, settings []string) (*MySQLServer, error) {
	var account *syscall.Credential
	var err error
	if len(f.accounts) > 0 {
		if account, err = serverUser(f.accounts...); err != nil {
			return nil, err
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	dir, err := os.MkdirTemp("", "hotcold-"+f.scheme+"-") // not below t.TempDir, as for PostgreSQL
	if err != nil {
		return nil, fmt.Errorf("make the directory of %s: %w", f.name, err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	k, err := keep(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s := &MySQLServer{flavour: f, dir: dir, bin: bin, port: port, password: rand.Text(), user: account, keeper: k, log: &logTail{},
		settings: append(f.serverSettings(port), settings...)}
	err = s.install()
	if err == nil {
		err = s.start()
	}
	if err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

func (s *MySQLServer) data() string { return filepath.Join(s.dir, "data") }

// install makes the system tables, and the statements that every start runs before
// the server takes connections: they stay out of the binary log, or a replica would
// have transactions that its primary has not.
func (s *MySQLServer) install() error {
	first := filepath.Join(s.dir, "init.sql")
	login := "'" + mysqlUser + "'@'%'"
	script := "SET sql_log_bin = 0;\nCREATE DATABASE IF NOT EXISTS " + mysqlDatabase +
		";\nCREATE USER IF NOT EXISTS " + login + " IDENTIFIED BY '" + s.password +
		"';\nGRANT ALL ON *.* TO " + login + " WITH GRANT OPTION;\nDROP USER IF EXISTS root@localhost;\n"
	if err := os.WriteFile(first, []byte(script), 0o600); err != nil {
		return fmt.Errorf("write the first statements of %s: %w", s.flavour.name, err)
	}
	if s.user != nil {
		for _, path := range []string{s.dir, first} {
			if err := os.Chown(path, int(s.user.Uid), int(s.user.Gid)); err != nil {
				return fmt.Errorf("give %s its directory: %w", s.flavour.name, err)
			}
		}
	}
	return s.flavour.install(s)
}

// start runs the server and waits for its ready line.
func (s *MySQLServer) start() error {
	if s.cmd != nil {
		return fmt.Errorf("start %s: it is running", s.flavour.name)
	}
	args := []string{"--datadir=" + s.data(), "--init_file=" + filepath.Join(s.dir, "init.sql")}
	for _, setting := range s.settings {
		args = append(args, "--"+setting)
	}
	cmd := s.command(s.bin.server, args...)
	ready := s.log.expect(mysqlReady)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.flavour.name, err)
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
		return fmt.Errorf("%s ended while starting; end of its log:\n%s", s.flavour.name, s.log)
	case <-ctx.Done():
		return fmt.Errorf("%s is not ready after %v; end of its log:\n%s", s.flavour.name, readyLimit, s.log)
	}
}

// command prepares a program of the server's, as the user it runs as.
func (s *MySQLServer) command(program []string, args ...string) *exec.Cmd {
	cmd := exec.Command(program[0], append(slices.Clone(program[1:]), args...)...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC", "HOME=" + s.dir, "TMPDIR=" + s.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: s.user}
	return cmd
}

// remove ends the server, however it is, and removes its directory.
func (s *MySQLServer) remove() error {
	err := s.keeper.finish()
	if s.cmd != nil {
		<-s.exited
		s.cmd = nil
	}
	return err
}
