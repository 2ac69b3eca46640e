package testserver_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/testserver"
)

func TestProxyPassesBothWaysAndTheEnd(t *testing.T) {
	p := testserver.Proxy(t, echoServer(t))
	conn := dialTCP(t, p.Addr())
	if err := say(conn, "hello", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(conn); err != nil || len(rest) != 0 {
		t.Fatalf("after the end came %q, %v", rest, err)
	}
}

func TestCutProxyResetsAndRefusesUntilRestored(t *testing.T) {
	p := testserver.Proxy(t, echoServer(t))
	conn := dialTCP(t, p.Addr())
	if err := say(conn, "hello", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	if err := say(conn, "anyone", 10*time.Second); err == nil {
		t.Fatal("a cut connection answered")
	}
	if refused, err := net.DialTimeout("tcp", p.Addr(), time.Second); err == nil {
		_ = refused.Close()
		t.Fatal("a cut relay took a connection")
	}
	p.Restore(t)
	if err := say(dialTCP(t, p.Addr()), "again", 10*time.Second); err != nil {
		t.Fatal(err)
	}
}

func TestHangingProxyHoldsBackUntilRestored(t *testing.T) {
	p := testserver.Proxy(t, echoServer(t))
	old := dialTCP(t, p.Addr())
	if err := say(old, "hello", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	p.Hang()
	fresh := dialTCP(t, p.Addr())
	for name, conn := range map[string]net.Conn{"old": old, "fresh": fresh} {
		if err := say(conn, "anyone", 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%s connection: %v, want silence", name, err)
		}
	}
	p.Restore(t)
	for name, conn := range map[string]net.Conn{"old": old, "fresh": fresh} {
		if err := hear(conn, "anyone", 10*time.Second); err != nil {
			t.Fatalf("%s connection: %v", name, err)
		}
	}
}

// echoServer sends back what it gets.
func echoServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		work.Wait()
	})
	return l.Addr().String()
}

func dialTCP(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

// say sends a word and waits for its echo.
func say(conn net.Conn, word string, limit time.Duration) error {
	if _, err := io.WriteString(conn, word+"\n"); err != nil {
		return err
	}
	return hear(conn, word, limit)
}

func hear(conn net.Conn, word string, limit time.Duration) error {
	if err := conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	got, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if got != word+"\n" {
		return errors.New("heard " + got)
	}
	return nil
}
