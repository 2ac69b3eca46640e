package testserver

import (
	"net"
	"sync"
	"testing"
	"time"
)

// relayBuffer is how much one direction of a connection may hold back: bytes that
// were read when the relay was told to hang and are passed on after Restore.
const relayBuffer = 32 << 10

// dialLimit bounds the relay's own connect, which stays on one machine.
const dialLimit = 10 * time.Second

// TCPProxy is a relay in front of a server that can be told to fail: it makes a
// real database unreachable, or silent, without touching it.
type TCPProxy struct {
	addr string
	work sync.WaitGroup // every goroutine of the relay

	mu       sync.Mutex
	target   string
	listener net.Listener // nil while the relay refuses
	conns    map[net.Conn]struct{}
	flowing  chan struct{} // closed while bytes pass
	closed   bool
}

// Proxy starts a relay to target, a host:port, that ends with the test.
func Proxy(t testing.TB, target string) *TCPProxy {
	t.Helper()
	p := &TCPProxy{
		addr:    loopback(FreePort(t)),
		target:  target,
		conns:   map[net.Conn]struct{}{},
		flowing: make(chan struct{}),
	}
	close(p.flowing)
	if err := p.listen(); err != nil {
		t.Fatalf("listen as a relay: %v", err)
	}
	t.Cleanup(func() {
		p.end()
		p.work.Wait()
	})
	return p
}

// Addr returns the relay's own host:port.
func (p *TCPProxy) Addr() string { return p.addr }

// Cut resets every connection and refuses new ones, like a server whose process died.
func (p *TCPProxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	p.drop()
}

// Redirect resets every connection and relays new ones to another target, as a
// name that is moved to another server does.
func (p *TCPProxy) Redirect(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
	p.drop()
}

// Hang keeps connections and takes new ones, but passes nothing on, like a network
// that swallows packets. What was sent meanwhile passes after Restore.
func (p *TCPProxy) Hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.flowing:
		p.flowing = make(chan struct{})
	default: // hangs already
	}
}

// Restore ends Cut and Hang: connections that hung go on, new ones are taken.
func (p *TCPProxy) Restore(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	cut := p.listener == nil
	p.flow()
	p.mu.Unlock()
	if !cut {
		return
	}
	if err := p.listen(); err != nil {
		t.Fatalf("listen again as a relay: %v", err)
	}
}

// listen opens the port. It is not for concurrent use with itself.
func (p *TCPProxy) listen() error {
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.listener = l
	p.mu.Unlock()
	p.work.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // closed by Cut or by the end of the test
			}
			p.work.Go(func() { p.relay(client) })
		}
	})
	return nil
}

// relay serves one connection until a side ends it.
func (p *TCPProxy) relay(client net.Conn) {
	if !p.hold(client) {
		return
	}
	defer p.let(client)
	p.awaitFlow()
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	server, err := net.DialTimeout("tcp", target, dialLimit)
	if err != nil {
		return
	}
	if !p.hold(server) {
		return
	}
	defer p.let(server)
	var directions sync.WaitGroup
	directions.Go(func() { p.pass(server, client) })
	directions.Go(func() { p.pass(client, server) })
	directions.Wait()
}

// pass copies one direction. Its end closes the way on, so that the other end
// learns of it.
func (p *TCPProxy) pass(to, from net.Conn) {
	buffer := make([]byte, relayBuffer)
	for {
		n, err := from.Read(buffer)
		p.awaitFlow()
		if n > 0 {
			if _, errWrite := to.Write(buffer[:n]); errWrite != nil {
				_ = from.Close() // no one takes what it sends
				return
			}
		}
		if err == nil {
			continue
		}
		if half, ok := to.(*net.TCPConn); ok {
			_ = half.CloseWrite()
		}
		return
	}
}

// awaitFlow returns when bytes may pass.
func (p *TCPProxy) awaitFlow() {
	p.mu.Lock()
	flowing := p.flowing
	p.mu.Unlock()
	<-flowing
}

// hold takes conn into the books, or closes it when the relay is cut or over.
func (p *TCPProxy) hold(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil || p.closed {
		reset(conn)
		return false
	}
	p.conns[conn] = struct{}{}
	return true
}

func (p *TCPProxy) let(conn net.Conn) {
	_ = conn.Close()
	p.mu.Lock()
	delete(p.conns, conn)
	p.mu.Unlock()
}

// flow opens the gate. The caller holds mu.
func (p *TCPProxy) flow() {
	select {
	case <-p.flowing:
	default:
		close(p.flowing)
	}
}

// drop resets every connection. The caller holds mu.
func (p *TCPProxy) drop() {
	for conn := range p.conns {
		reset(conn)
	}
}

func (p *TCPProxy) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.listener != nil {
		_ = p.listener.Close()
	}
	p.drop()
	p.flow()
}

// reset closes conn with a TCP reset, as the kernel does for a process that died.
func reset(conn net.Conn) {
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	_ = conn.Close()
}
