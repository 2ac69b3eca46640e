package testserver

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// newPostgres makes a directory, a keeper for it and a cluster in it, and starts
// the server. After an error nothing is left.
func newPostgres(bin string, opts []Option) (*PostgresServer, error) {
	return makePostgres(bin, opts, (*PostgresServer).initdb)
}

// makePostgres starts a server in a directory of its own, which fill has filled.
func makePostgres(bin string, opts []Option, fill func(*PostgresServer) error) (*PostgresServer, error) {
	var o postgresOptions
	for _, opt := range opts {
		opt(&o)
	}
	account, err := serverUser("postgres", "nobody")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	// Not below t.TempDir: its parents belong to the test's user, and the keeper
	// must outlive the test.
	dir, err := os.MkdirTemp("", "hotcold-postgres-")
	if err != nil {
		return nil, fmt.Errorf("make the directory of PostgreSQL: %w", err)
	}
	dir, err = filepath.EvalSymlinks(dir) // the keeper compares with what /proc shows
	if err != nil {
		return nil, err
	}
	k, err := keep(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s := &PostgresServer{
		dir: dir, bin: bin, port: port, password: rand.Text(), user: account, keeper: k, log: &logTail{}, ready: postgresReady,
		settings: append([]string{
			"port=" + strconv.Itoa(port),
			"listen_addresses=127.0.0.1",
			"unix_socket_directories=", // a socket's path may be too long
			"dynamic_shared_memory_type=mmap",
			"log_line_prefix=%m [%p] ",
			"logging_collector=off",
		}, o.settings...),
	}
	if err := s.own(s.dir); err != nil {
		return nil, errors.Join(err, s.remove())
	}
	if err := fill(s); err != nil {
		return nil, errors.Join(err, s.remove())
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

// initdb makes the cluster: UTF-8, no locale of the machine, password by SCRAM.
func (s *PostgresServer) initdb() error {
	secret := filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(s.password+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the password file of PostgreSQL: %w", err)
	}
	if err := s.own(secret); err != nil {
		return err
	}
	// No sync: what is lost with the machine is lost with the test.
	cmd := s.command("initdb", "--pgdata", filepath.Join(s.dir, "data"), "--username", postgresUser,
		"--pwfile", secret, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the PostgreSQL cluster: %w: %s", err, trimmed(output))
	}
	return nil
}

// own gives a path to the user PostgreSQL runs as.
func (s *PostgresServer) own(path string) error {
	if s.user == nil {
		return nil
	}
	if err := os.Chown(path, int(s.user.Uid), int(s.user.Gid)); err != nil {
		return fmt.Errorf("give PostgreSQL its directory: %w", err)
	}
	return nil
}

// serverUser returns the user a database runs as, nil for the test's own: it
// refuses to run as root. Of the accounts the first is taken that there is.
func serverUser(accounts ...string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range accounts {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(errUID, errGID); err != nil {
			return nil, fmt.Errorf("read the ids of user %q: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("a database does not run as root, and there is no user %s", strings.Join(accounts, " or "))
}
