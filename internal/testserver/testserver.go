package testserver

import (
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"testing"
)

// Ports given out by FreePort lie below 32768, where Linux starts to take ports
// for outgoing connections: a stopped server's port stays free for its next start.
const (
	firstPort   = 20000
	lastPort    = 32000
	portLookups = 200 // enough even when nine of ten ports were taken
)

// Main runs the tests of m, takes down the servers that were shared and returns
// the exit code. Call it as os.Exit(testserver.Main(m)) from TestMain.
func Main(m *testing.M) int {
	code := m.Run()
	if err := errors.Join(shared.stop(), sharedMaria.stop(), sharedMySQL.stop()); err != nil {
		_, _ = os.Stderr.WriteString("testserver: " + err.Error() + "\n")
		return max(code, 1)
	}
	return code
}

// FreePort returns a TCP port of 127.0.0.1 on which nothing listened a moment ago.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	return port
}

func freePort() (int, error) {
	var lastErr error
	for range portLookups {
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			lastErr = err
			continue
		}
		return port, l.Close()
	}
	return 0, lastErr
}

func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// missing ends the test because the machine lacks what it needs: as a failure in
// the build, where everything can be installed, as a skip on a laptop.
func missing(t testing.TB, reason error) {
	t.Helper()
	const hint = "(scripts/test-deps.sh brings what the tests need)"
	if os.Getenv("HOTCOLD_CI") != "" || os.Getenv("CI") != "" {
		t.Fatalf("%v %s", reason, hint)
	}
	t.Skipf("%v %s", reason, hint)
}
