package testserver

import (
	"sync"
	"testing"
)

// sharedMariaDB is a server that all tests of a binary use.
type sharedMariaDB struct {
	mu     sync.Mutex
	server *MariaDBServer
	err    error // why the start went wrong: tried once, told to every test
}

// sharedMaria is a variable of the package for the reason that shared is one.
var sharedMaria sharedMariaDB

// SharedMariaDB returns a server that is started once and serves all tests of
// the binary, which keep apart by CreateDatabase and must not stop it. Main ends it.
func SharedMariaDB(t testing.TB) *MariaDBServer {
	t.Helper()
	bin, err := findMariaDB()
	if err != nil {
		missing(t, err)
	}
	sharedMaria.mu.Lock()
	defer sharedMaria.mu.Unlock()
	if sharedMaria.server == nil && sharedMaria.err == nil {
		sharedMaria.server, sharedMaria.err = newMariaDB(bin, nil)
	}
	if sharedMaria.err != nil {
		t.Fatal(sharedMaria.err)
	}
	return sharedMaria.server
}

func (m *sharedMariaDB) stop() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server == nil {
		return nil
	}
	s := m.server
	m.server = nil
	return s.remove()
}
