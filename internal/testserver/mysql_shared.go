package testserver

import (
	"sync"
	"testing"
)

// sharedMySQLServer is a server that all tests of a binary use.
type sharedMySQLServer struct {
	mu     sync.Mutex
	server *MySQLServer
	err    error // why the start went wrong: tried once, told to every test
}

// They are variables of the package for the reason that shared is one.
var sharedMaria, sharedMySQL sharedMySQLServer

// SharedMariaDB returns a server that is started once and serves all tests of
// the binary, which keep apart by CreateDatabase and must not stop it. Main ends it.
func SharedMariaDB(t testing.TB) *MySQLServer {
	t.Helper()
	return sharedMaria.get(t, mariadb())
}

// SharedMySQL is as SharedMariaDB.
func SharedMySQL(t testing.TB) *MySQLServer {
	t.Helper()
	return sharedMySQL.get(t, mysqlOfDebian())
}

func (m *sharedMySQLServer) get(t testing.TB, f mysqlFlavour) *MySQLServer {
	t.Helper()
	bin, err := f.find()
	if err != nil {
		missing(t, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server == nil && m.err == nil {
		m.server, m.err = newMySQL(f, bin, nil)
	}
	if m.err != nil {
		t.Fatal(m.err)
	}
	return m.server
}

func (m *sharedMySQLServer) stop() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server == nil {
		return nil
	}
	s := m.server
	m.server = nil
	return s.remove()
}
