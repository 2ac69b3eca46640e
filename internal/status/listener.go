package status

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
)

// limited closes connections above a limit at once. Waiting for a free place instead would leave a balancer's probe
// hanging in the kernel's queue until its own time-out, and would hide why.
type limited struct {
	net.Listener
	slots  chan struct{} // one value for each open connection
	refuse func()
}

// Accept returns the next connection that there is a place for.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
			return &placed{Conn: c, leave: sync.OnceFunc(func() { <-l.slots })}, nil
		default:
			l.refuse()
			c.Close() // nothing was sent, so nothing can be lost
		}
	}
}

// placed is a connection that gives its place back when it is closed.
type placed struct {
	net.Conn
	leave func()
}

// Close closes the connection and frees its place.
func (p *placed) Close() error {
	defer p.leave()
	return p.Conn.Close()
}

// lines takes what net/http and the listener have to say without ever making them wait: whoever logs may hang in a
// write, and the loop that accepts connections must not hang with him. While one line waits, others are dropped.
type lines struct {
	c chan string
}

func (l *lines) tell(line string) {
	select {
	case l.c <- line:
	default:
	}
}

// Write makes lines the writer of a log.Logger, which calls it once a line.
func (l *lines) Write(p []byte) (int, error) {
	l.tell(strings.TrimSpace(string(p)))
	return len(p), nil
}

// log passes lines on until ctx ends.
func (l *lines) log(ctx context.Context, to *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case line := <-l.c:
			// Debug: a port scanner or a wrong key must not fill the log. What an operator has to know of is counted
			// in the metrics.
			to.Debug("status listener", "said", line)
		}
	}
}
