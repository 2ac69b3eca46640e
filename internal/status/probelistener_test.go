package status_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/status"
)

// serveProbe runs a listener for probes until the test ends; lower may be nil.
func serveProbe(t *testing.T, lower func(*status.Server)) *bench {
	t.Helper()
	b := &bench{clock: clock.NewStepped(), ended: make(chan error, 1)}
	b.set(hotSnapshot(b.clock.Now()))
	s, err := status.NewProbe(status.ProbeOptions{
		Address: "127.0.0.1:0", Clock: b.clock, Log: slog.New(slog.DiscardHandler), Snapshot: func() agent.Snapshot { return *b.snapshot.Load() },
	})
	if err != nil {
		t.Fatal(err)
	}
	b.run(t, s, lower)
	return b
}

// exchange sends bytes and returns all that comes until the connection ends.
func exchange(t *testing.T, b *bench, request string) string {
	t.Helper()
	c := dial(t, b)
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("%q: %v", request, err)
	}
	return string(answer)
}

// bare is an answer of that status without a text.
func bare(answer string, code int) error {
	head, body, whole := strings.Cut(answer, "\r\n\r\n")
	switch lines := strings.Split(head, "\r\n"); {
	case !whole || body != "":
		return fmt.Errorf("there is a text: %q", answer)
	case lines[0] != fmt.Sprintf("HTTP/1.1 %d %s", code, http.StatusText(code)) && lines[0] != fmt.Sprintf("HTTP/1.0 %d %s", code, http.StatusText(code)):
		return fmt.Errorf("got %q, want %d", lines[0], code)
	default:
		for _, line := range lines[1:] {
			name, value, _ := strings.Cut(line, ": ")
			switch name {
			case "Date":
			case "Cache-Control", "Content-Length", "Connection":
				if value != map[string]string{"Cache-Control": "no-store", "Content-Length": "0", "Connection": "close"}[name] {
					return fmt.Errorf("there is %q", line)
				}
			default:
				return fmt.Errorf("there is %q", line)
			}
		}
	}
	return nil
}

func TestAProbeIsToldOneBit(t *testing.T) {
	b := serveProbe(t, nil)
	ask := func(what string, code int) {
		t.Helper()
		if err := bare(exchange(t, b, "GET /hot HTTP/1.1\r\nHost: 10.0.1.4:4655\r\n\r\n"), code); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	ask("hot", 200)
	b.clock.Advance(5*time.Second - time.Nanosecond)
	ask("an instant before stopping begins", 200)
	b.clock.Advance(time.Nanosecond)
	ask("trust is over", 503)
	b.set(hotSnapshot(b.clock.Now()))
	ask("renewed", 200)
	b.clock.Sleep(5 * time.Second)
	ask("the machine slept", 503)
	b.set(coldSnapshot())
	ask("cold", 503)
	doubted := hotSnapshot(b.clock.Now())
	doubted.Doubt = true
	b.set(doubted)
	ask("in doubt", 503)
	b.set(agent.Snapshot{})
	ask("nothing said yet", 503)
}

// Whatever is asked, no lease, machine, version or epoch is named, and there is no text but net/http's own about what is
// no request at all.
func TestAProbeIsToldNothingElse(t *testing.T) {
	b := serveProbe(t, nil)
	const host = " HTTP/1.1\r\nHost: x\r\n"
	for request, code := range map[string]int{
		"GET /hot" + host + "\r\n":                                                 200,
		"HEAD /hot" + host + "\r\n":                                                200,
		"GET /hot?watch" + host + "\r\n":                                           200,
		"GET http://x/hot" + host + "\r\n":                                         200,
		"GET /hot HTTP/1.0\r\n\r\n":                                                200,
		"GET /hot" + host + "Authorization: Bearer key\r\n\r\n":                    200,
		"GET /hot" + host + "Connection: keep-alive\r\nUpgrade: h2c\r\n\r\n":       200,
		"GET /hot" + host + "Content-Length: 3\r\n\r\nabc":                         404,
		"GET /hot" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n":          404,
		"POST /hot" + host + "Content-Length: 0\r\n\r\n":                           404,
		"PUT /hot" + host + "\r\n":                                                 404,
		"DELETE /hot" + host + "\r\n":                                              404,
		"TRACE /hot" + host + "\r\n":                                               404,
		"OPTIONS *" + host + "\r\n":                                                404,
		"CONNECT db:5432" + host + "\r\n":                                          404,
		"GET /" + host + "\r\n":                                                    404,
		"GET //hot" + host + "\r\n":                                                404,
		"GET /hot/" + host + "\r\n":                                                404,
		"GET /x/../hot" + host + "\r\n":                                            404,
		"GET /state" + host + "\r\n":                                               404,
		"GET /metrics" + host + "\r\n":                                             404,
		"GET /ready" + host + "\r\n":                                               404,
		"GET /debug/pprof/" + host + "\r\n":                                        404,
		"GET /hot" + host + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc": 404,
	} {
		if err := bare(exchange(t, b, request), code); err != nil {
			t.Errorf("%q: %v", request, err)
		}
	}
	for _, request := range []string{"hello\r\n\r\n", "GET /hot HTTP/9.9\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET /hot HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc"} {
		answer := exchange(t, b, request+strings.Repeat("\r\n", 2))
		for _, word := range []string{"corda", "machine", "0.1.0", "hotcold", "epoch", "Server", "200 OK"} {
			if strings.Contains(answer, word) {
				t.Errorf("%q is answered with %q", request, answer)
			}
		}
	}
}

func TestAConnectionServesOneProbe(t *testing.T) {
	b := serveProbe(t, nil)
	one := "GET /hot HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"
	if err := bare(exchange(t, b, strings.Repeat(one, 100)), 200); err != nil {
		t.Errorf("a hundred at once: %v", err)
	}
}

func TestASlowClientOfAProbeIsCutOff(t *testing.T) {
	b := serveProbe(t, func(s *status.Server) { s.SetLimits(0, 50*time.Millisecond, 0, 0) })
	for _, begun := range []string{"", "GET /ho", "GET /hot HTTP/1.1\r\nHost: x\r\nX: "} {
		if answer := exchange(t, b, begun); strings.Contains(answer, "200 OK") || strings.Contains(answer, "503") {
			t.Errorf("%q without an end is answered with %q", begun, answer)
		}
	}
}

func TestAProbesHeaderIsShort(t *testing.T) {
	b := serveProbe(t, nil)
	c := dial(t, b)
	go func() { // more than is read of it; the end of the connection ends this
		_, _ = io.WriteString(c, "GET /hot HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 1<<20))
	}()
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil && !errors.Is(err, syscall.ECONNRESET) || err == nil && line != "HTTP/1.1 431 Request Header Fields Too Large\r\n" {
		t.Errorf("got %q, %v", line, err)
	}
}

func TestAFloodOfConnectionsIsBounded(t *testing.T) {
	b := serveProbe(t, func(s *status.Server) { s.SetLimits(4, 0, 0, 0) })
	var idle []net.Conn
	for range 4 {
		c := dial(t, b)
		idle = append(idle, c)
		if _, err := io.WriteString(c, "GET /hot HTTP/1.1\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		c := dial(t, b)
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Fatalf("one more connection is served: %d, %v", n, err)
		}
	}
	if b.Refused() != 20 {
		t.Errorf("%d connections were refused, want 20", b.Refused())
	}
	// One that waits is answered all the same.
	if _, err := io.WriteString(idle[0], "Host: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(idle[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := bare(string(answer), 200); err != nil {
		t.Error(err)
	}
}

func TestAListenerForProbesSaysWhichSettingIsWrong(t *testing.T) {
	b := serveProbe(t, nil)
	o := status.ProbeOptions{Address: b.Addr().String(), Clock: b.clock, Log: slog.New(slog.DiscardHandler), Snapshot: func() agent.Snapshot { return agent.Snapshot{} }}
	s, err := status.NewProbe(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "or set hotcold.listen.probe: ") {
		t.Errorf("a port that is taken: %v", err)
	}
	o.Address = "4655"
	if _, err := status.NewProbe(o); err == nil || !strings.Contains(err.Error(), `hotcold.listen.probe "4655": want host:port`) {
		t.Errorf("an address without a host: %v", err)
	}
	if _, err := status.NewProbe(status.ProbeOptions{}); err == nil {
		t.Error("nothing is not enough")
	}
}
