package probe

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// patience is how long a test waits for what must happen: only a broken
// program ever waits that long.
const patience = 20 * time.Second

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// listen serves every connection with serve until the test is over.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

// deaf is an address where nobody listens: it was bound and given back.
func deaf(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// silent is an address that accepts and never says a word.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String() // the kernel accepts; nobody reads
}

func want(t *testing.T, err error, outcome Outcome, text string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if OutcomeOf(err) != outcome || got != text {
		t.Fatalf("got %v: %q\nwant %v: %q", OutcomeOf(err), got, outcome, text)
	}
}

// stepTo moves the clock to at once somebody waits for that instant.
func stepTo(t *testing.T, c *clock.Stepped, at time.Duration) {
	t.Helper()
	ctx := within(t, patience)
	for {
		armed, changed := c.Armed()
		if slices.Contains(armed, at) {
			c.Advance(at - c.Now().Boot)
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("nobody waits for %v; armed: %v", at, armed)
		}
	}
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-within(t, patience).Done():
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

var errTest = errors.New("as the test wants it")
