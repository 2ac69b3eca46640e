package sqlstore_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// counter is a relay that counts how often the talk turns from the server to the
// client: one turn is one round trip.
type counter struct {
	addr string

	mu     sync.Mutex // guards all below
	turns  int
	asking bool // the client spoke last
}

func count(t testing.TB, target string) *counter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	c := &counter{addr: listener.Addr().String()}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		must(t, listener.Close())
		wg.Wait()
	})
	wg.Go(func() {
		for {
			client, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				t.Error(err)
				return
			}
			wg.Go(func() { c.pass(server, client, true) })
			wg.Go(func() { c.pass(client, server, false) })
		}
	})
	return c
}

func (c *counter) pass(to, from net.Conn, asking bool) {
	defer to.Close()
	_, _ = io.Copy(writer{to, func() { // ends when either side does
		c.mu.Lock()
		defer c.mu.Unlock()
		if asking && !c.asking {
			c.turns++
		}
		c.asking = asking
	}}, from)
}

type writer struct {
	io.Writer
	before func()
}

func (w writer) Write(p []byte) (int, error) {
	w.before()
	return w.Writer.Write(p)
}

func (c *counter) take() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.turns
	c.turns = 0
	return n
}

func TestARenewalIsOneRoundTrip(t *testing.T) {
	for _, k := range kinds() {
		if k.dialect == sqlstore.SQLite {
			continue // there is nobody to talk to
		}
		t.Run(k.dialect, func(t *testing.T) {
			c := k.fresh(t)
			relay := count(t, testserver.Addr(t, c.DSN))
			c.DSN = testserver.Via(t, c.DSN, relay.addr)
			renewsInOneTurn(t, relay, open(t, c))
		})
	}
}

func renewsInOneTurn(t *testing.T, relay *counter, db *sqlstore.DB) {
	held := claimed(t, db, "node")
	swapped(t, db, held, renewal(held)) // the first one prepares the statement
	for range 3 {
		held = observed(t, db, "node")
		relay.take()
		swapped(t, db, held, renewal(held))
		if n := relay.take(); n != 1 {
			t.Errorf("a renewal took %d round trips", n)
		}
		observed(t, db, "node")
		if n := relay.take(); n != 1 {
			t.Errorf("a read took %d round trips", n)
		}
	}
}
