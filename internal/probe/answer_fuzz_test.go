package probe

import (
	"bytes"
	"io"
	"net"
	"regexp"
	"testing"
)

// wellAnswer is how an answer has to begin that makes a node well: a final status line of 200. What comes before it
// may be interim answers (1xx), which HTTP allows; package http forgives spaces before the code.
var wellAnswer = regexp.MustCompile(`(?m)^HTTP/[0-9]\.[0-9] +200(\s|$)`)

// Whatever a port answers, a look ends, and only an answer with status 200 makes a node well.
func FuzzHTTPAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.0 200\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1/\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 +200 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n", "200 OK", "", "\x16\x03\x01\x02\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan struct{})
		go func() {
			defer close(served)
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			conn.Write(answer)
			conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, conn)
		}()
		h, err := NewHTTP(HTTPOptions{URL: "http://" + l.Addr().String() + "/health"})
		if err != nil {
			t.Fatal(err)
		}
		err = h.Look(within(t, patience))
		l.Close()
		<-served
		if err == nil && !wellAnswer.Match(bytes.TrimLeft(answer, "\r\n")) {
			t.Fatalf("well by %q", answer)
		}
	})
}
