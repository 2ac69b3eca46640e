package pathtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/hotcold/hotcold/internal/testserver/yard"
)

// machine is one of the pair: what listens there, and who came.
type machine struct {
	name  string
	place *yard.Place
	// came counts connections that were accepted.
	came atomic.Int64

	mu        sync.Mutex
	listeners map[uint16]*net.TCPListener
	conns     map[net.Conn]int64 // each with its number in the order in which they came
	running   sync.WaitGroup
}

// handler is what a machine does with a connection. It is closed afterwards.
type handler func(*net.TCPConn)

// serve makes m answer at a port, in place of what answered there.
func (s *stage) serve(m *machine, port uint16, h handler) {
	s.Helper()
	m.unserve(port)
	l, err := m.place.Listen(context.Background(), netip.Addr{}, port)
	if err != nil {
		s.Fatalf("listen at port %d of machine %s: %v", port, m.name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listeners == nil {
		m.listeners, m.conns = map[uint16]*net.TCPListener{}, map[net.Conn]int64{}
	}
	m.listeners[port] = l
	m.running.Go(func() { m.accept(l, h) })
}

func (m *machine) accept(l *net.TCPListener, h handler) {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			return // closed
		}
		number := m.came.Add(1)
		m.mu.Lock()
		m.conns[c] = number
		m.mu.Unlock()
		m.running.Go(func() {
			defer func() {
				m.mu.Lock()
				delete(m.conns, c)
				m.mu.Unlock()
				_ = c.Close()
			}()
			h(c)
		})
	}
}

// unserve makes m refuse at a port. Connections stay.
func (m *machine) unserve(port uint16) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.listeners[port]; l != nil {
		_ = l.Close()
		delete(m.listeners, port)
	}
}

// number says that c was the how-manieth to come.
func (m *machine) number(c net.Conn) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.conns[c]
}

// open is how many connections there are.
func (m *machine) open() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.conns)
}

// close ends all that listens and all connections.
func (m *machine) close() {
	m.mu.Lock()
	for _, l := range m.listeners {
		_ = l.Close()
	}
	for c := range m.conns {
		_ = c.Close()
	}
	m.mu.Unlock()
	m.running.Wait()
}

// greet says which address was reached.
func greet(c *net.TCPConn) error {
	_, err := fmt.Fprintln(c, netip.MustParseAddrPort(c.LocalAddr().String()).Addr().Unmap())
	return err
}

// echo greets and sends back what comes, to the end.
func echo(c *net.TCPConn) {
	if greet(c) != nil {
		return
	}
	buffer := make([]byte, 32<<10)
	for {
		n, err := c.Read(buffer)
		if n > 0 {
			if _, err := c.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// hold greets, and then neither says nor hears anything more than the end.
func hold(c *net.TCPConn) {
	if greet(c) == nil {
		_, _ = io.Copy(io.Discard, c)
	}
}
