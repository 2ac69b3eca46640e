package testserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Limits of waiting for PostgreSQL, wide enough for two busy cores.
const (
	readyLimit = 60 * time.Second // initdb takes about 1 s, a start after a crash less
	stopLimit  = 30 * time.Second // a fast shutdown writes a checkpoint
	queryLimit = 30 * time.Second
)

const (
	postgresUser  = "hotcold"
	postgresReady = "database system is ready to accept connections"
)

// An Option changes how Postgres sets up its server.
type Option func(*postgresOptions)

type postgresOptions struct {
	settings []string // name=value, as for postgres -c
}

// NoFsync switches fsync off: faster, for tests that never crash the machine. A
// killed server still keeps what it committed.
func NoFsync() Option { return Setting("fsync", "off") }

// Setting sets a server parameter, for instance ("max_connections", "10").
func Setting(name, value string) Option {
	return func(o *postgresOptions) { o.settings = append(o.settings, name+"="+value) }
}

// PostgresServer is a PostgreSQL of the test's own.
type PostgresServer struct {
	dir      string // holds data/ and the password file; removed at the end
	bin      string
	port     int
	password string
	settings []string
	user     *syscall.Credential // nil: the test's own user
	keeper   *keeper
	log      *logTail
	ready    string // the line with which it says that it can be used

	cmd    *exec.Cmd     // nil while the server is down
	exited chan struct{} // closed when cmd has been waited for
}

// Postgres starts a server that ends with the test. It skips the test where
// PostgreSQL is not installed, and fails it in the build.
func Postgres(t testing.TB, opts ...Option) *PostgresServer {
	t.Helper()
	bin, err := findPostgres()
	if err != nil {
		missing(t, err)
	}
	s, err := newPostgres(bin, opts)
	if err != nil {
		t.Fatal(err)
	}
	s.endWith(t)
	return s
}

// endWith removes the server when the test ends.
func (s *PostgresServer) endWith(t testing.TB) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of the PostgreSQL log:\n%s", s.log)
		}
		if err := s.remove(); err != nil {
			t.Error(err)
		}
	})
}

// DSN returns the address of the server's first database, with user and password.
func (s *PostgresServer) DSN() string { return s.dsn("postgres") }

// Port returns the TCP port on 127.0.0.1.
func (s *PostgresServer) Port() int { return s.port }

// PID returns the main process of a running server.
func (s *PostgresServer) PID() int { return s.cmd.Process.Pid }

// Password returns the superuser's password, for tests which check that no log
// and no error shows it.
func (s *PostgresServer) Password() string { return s.password }

// CreateDatabase makes an empty database that is dropped when the test ends, and
// returns its address: tests that share a server are isolated by it.
func (s *PostgresServer) CreateDatabase(t testing.TB, name string) string {
	t.Helper()
	id := pgx.Identifier{name}.Sanitize()
	s.Exec(t, "CREATE DATABASE "+id)
	t.Cleanup(func() {
		if s.cmd == nil {
			return // stopped by the test: the directory goes with the server
		}
		if err := s.exec("DROP DATABASE IF EXISTS " + id + " WITH (FORCE)"); err != nil {
			t.Errorf("drop database %s: %v", id, err)
		}
	})
	return s.dsn(name)
}

// Exec runs statements as superuser in the first database, each on its own.
func (s *PostgresServer) Exec(t testing.TB, statements ...string) {
	t.Helper()
	if err := s.exec(statements...); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the server in good order; open connections are cut. Start brings it back.
func (s *PostgresServer) Stop(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		t.Fatal("stop PostgreSQL: it is not running")
	}
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatalf("stop PostgreSQL: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	select {
	case <-s.exited:
		s.cmd = nil
	case <-ctx.Done():
		t.Fatalf("PostgreSQL runs %v after SIGINT; end of its log:\n%s", stopLimit, s.log)
	}
}

// Kill kills every process of the server at once, as a crash does. Committed data
// is there again after Start.
func (s *PostgresServer) Kill(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		t.Fatal("kill PostgreSQL: it is not running")
	}
	if err := killAll(s.dir); err != nil {
		t.Fatalf("kill PostgreSQL: %v", err)
	}
	<-s.exited
	s.cmd = nil
}

// Start starts a stopped or killed server on its old port and data, and returns
// when it answers.
func (s *PostgresServer) Start(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// Pause freezes every process of the server: connections stay open, new ones are
// taken by the kernel, and nothing answers.
func (s *PostgresServer) Pause(t testing.TB) {
	t.Helper()
	if _, err := freeze(s.dir); err != nil {
		t.Fatalf("pause PostgreSQL: %v", err)
	}
}

// Resume lets a paused server go on.
func (s *PostgresServer) Resume(t testing.TB) {
	t.Helper()
	if err := thaw(s.dir); err != nil {
		t.Fatalf("resume PostgreSQL: %v", err)
	}
}

// Addr returns the host:port that dsn names, for Proxy.
func Addr(t testing.TB, dsn string) string {
	t.Helper()
	return parseDSN(t, dsn).Host
}

// Via returns dsn with its host and port replaced by addr, such as TCPProxy.Addr.
func Via(t testing.TB, dsn, addr string) string {
	t.Helper()
	u := parseDSN(t, dsn)
	u.Host = addr
	return u.String()
}

// parseDSN does not show a wrong DSN, which may hold a password.
func parseDSN(t testing.TB, dsn string) *url.URL {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal("the DSN is not an address")
	}
	return u
}

func (s *PostgresServer) dsn(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(postgresUser, s.password),
		Host:     loopback(s.port),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

func (s *PostgresServer) exec(statements ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), queryLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.DSN())
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return errors.Join(fmt.Errorf("run %q: %w", statement, err), conn.Close(ctx))
		}
	}
	return conn.Close(ctx)
}

// start runs the server and waits for its ready line.
func (s *PostgresServer) start() error {
	if s.cmd != nil {
		return errors.New("start PostgreSQL: it is running")
	}
	args := []string{"-D", filepath.Join(s.dir, "data")}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	cmd := s.command("postgres", args...)
	ready := s.log.expect(s.ready)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
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
		return fmt.Errorf("PostgreSQL ended while starting; end of its log:\n%s", s.log)
	case <-ctx.Done():
		return fmt.Errorf("PostgreSQL is not ready after %v; end of its log:\n%s", readyLimit, s.log)
	}
}

// command prepares one of PostgreSQL's programs, as a user that is not root.
func (s *PostgresServer) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	cmd.Dir = s.dir
	// No PG* variables of the machine, and messages whose text we know.
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC", "HOME=" + s.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: s.user}
	return cmd
}

// remove ends the server, however it is, and removes its directory.
func (s *PostgresServer) remove() error {
	err := s.keeper.finish()
	if s.cmd != nil {
		<-s.exited
		s.cmd = nil
	}
	return err
}

// findPostgres returns the directory of the newest PostgreSQL's programs. Debian
// keeps them out of PATH.
func findPostgres() (string, error) {
	if !supported {
		return "", errors.New("servers for tests need Linux")
	}
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.SortFunc(dirs, func(a, b string) int { return postgresVersion(b) - postgresVersion(a) })
	if found, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(found))
	}
	for _, dir := range dirs {
		_, noInitdb := os.Stat(filepath.Join(dir, "initdb"))
		_, noPostgres := os.Stat(filepath.Join(dir, "postgres"))
		if noInitdb == nil && noPostgres == nil {
			return dir, nil
		}
	}
	return "", errors.New("PostgreSQL is not installed: no initdb and postgres in /usr/lib/postgresql/*/bin or PATH")
}

// postgresVersion reads 15 out of /usr/lib/postgresql/15/bin, 0 if there is none.
func postgresVersion(bin string) int {
	version, err := strconv.ParseFloat(filepath.Base(filepath.Dir(bin)), 64)
	if err != nil {
		return 0
	}
	return int(version * 10)
}

// sharedPostgres is a server that all tests of a binary use.
type sharedPostgres struct {
	mu     sync.Mutex
	server *PostgresServer
	err    error // why the start went wrong: tried once, told to every test
}

// shared is a variable of the package because tests have nothing in common that
// could hold it: the testing package passes no state from TestMain to a test.
var shared sharedPostgres

// SharedPostgres returns a server that is started once and serves all tests of
// the binary, which keep apart by CreateDatabase and must not stop it. Main ends it.
func SharedPostgres(t testing.TB) *PostgresServer {
	t.Helper()
	bin, err := findPostgres()
	if err != nil {
		missing(t, err)
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = newPostgres(bin, nil)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

func (p *sharedPostgres) stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server == nil {
		return nil
	}
	s := p.server
	p.server = nil
	return s.remove()
}

// trimmed returns output for an error message.
func trimmed(output []byte) string { return strings.TrimSpace(string(output)) }
