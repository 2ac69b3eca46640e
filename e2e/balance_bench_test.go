package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/testserver"
)

// greeterVar makes this test binary a node that listens at the address it names, and tells whoever connects when it
// was started and since when it listens.
const greeterVar = "HOTCOLD_E2E_GREETER"

func greeter(addr string) int {
	started := now()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	listening := now()
	fmt.Println("listening")
	for {
		c, err := l.Accept()
		if err == nil {
			_, err = fmt.Fprintln(c, int64(started), int64(listening))
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
		go func() {
			_, _ = io.Copy(io.Discard, c) // until the client goes, or the node is killed
			_ = c.Close()
		}()
	}
}

// greeterNode knows a greeter by its second word, which it does not need.
func greeterNode(root string, argv []string) string {
	if len(argv) < 2 {
		return ""
	}
	return sleeperNode(root, argv[1:])
}

// All processes of the hot machine are killed at once. A client who was connected comes back through the balancer, and
// waits there. Measured are the takeover, which the lease's wait decides; what the balancer adds, from when the next
// node listens until the client has its first byte; and how long the client did not know that it was cut. Aim for what
// the balancer adds: 50 ms.
//
// The next node is known to be ready by a line that it prints, or by its port.
func BenchmarkTakeoverThroughTheBalancer(b *testing.B) {
	b.Run("line", func(b *testing.B) {
		benchmarkTakeover(b, func(string) string { return `ready.log = "^listening"` })
	})
	b.Run("port", func(b *testing.B) {
		benchmarkTakeover(b, func(addr string) string { return fmt.Sprintf("ready.tcp = [%q]", addr) })
	})
}

func benchmarkTakeover(b *testing.B, ready func(addr string) string) {
	const samples = 15
	dsn := database(b)
	p := newPair(b, greeterNode)
	port := testserver.FreePort(b)
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for i, m := range p.machines() {
		m.configure(fmt.Sprintf(`  name = "greeters"
  database.url = %q
  node {
    command = [%q, %q], env { %s = "%s:%d" }
    %s, restart.attempts = 0, failover.budget = 1000
  }
%s`, dsn, self, m.program(), greeterVar, machineAddress(i), port, ready(fmt.Sprintf("%s:%d", machineAddress(i), port)), fast))
	}
	f := startBalancer(b, p, "greeters", port)
	p.startBoth()
	var cut, takeover, added, whole []time.Duration
	for b.Loop() {
		for range samples {
			pause(b, 2*fastWait+100*time.Millisecond)
			hot, _ := p.settle()
			client, _, _ := greeted(b, f.addr)
			at := hot.crash()
			ended(b, client)
			cut = append(cut, now()-at)
			_, started, listening := greeted(b, f.addr)
			first := now()
			if started < at {
				b.Fatalf("greeted by the node that was killed")
			}
			takeover, added, whole = append(takeover, started-at), append(added, first-listening), append(whole, first-at)
			hot.start()
		}
	}
	reportSpans(b, "cut", cut)
	reportSpans(b, "takeover", takeover)
	reportSpans(b, "added", added)
	reportSpans(b, "whole", whole)
}

// greeted connects and waits for the greeting: when the node was started, and since when it listens. Who reaches a node
// that is just being killed is cut again, and comes again, as every client does.
func greeted(b *testing.B, addr string) (c net.Conn, started, listening time.Duration) {
	b.Helper()
	until(b, settleLimit, "a greeting through the balancer", func() (bool, string) {
		var err error
		if c, err = net.DialTimeout("tcp", addr, settleLimit); err != nil {
			return false, err.Error()
		}
		line := make([]byte, 64)
		n := 0
		if err = c.SetReadDeadline(time.Now().Add(settleLimit)); err == nil {
			n, err = c.Read(line)
		}
		if err == nil {
			_, err = fmt.Sscan(strings.TrimSpace(string(line[:n])), (*int64)(&started), (*int64)(&listening))
		}
		if err != nil {
			_ = c.Close()
			return false, err.Error()
		}
		return true, ""
	})
	conn := c
	b.Cleanup(func() { _ = conn.Close() })
	return c, started, listening
}

// ended waits until a connection is over.
func ended(b *testing.B, c net.Conn) {
	b.Helper()
	if n, err := c.Read(make([]byte, 1)); err == nil {
		b.Fatalf("%d bytes came from nowhere", n)
	}
}
