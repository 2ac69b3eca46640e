package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func look(t *testing.T, o HTTPOptions) error {
	t.Helper()
	p, err := NewHTTP(o)
	if err != nil {
		t.Fatal(err)
	}
	return p.Look(within(t, patience))
}

const jolokia = `{"request":{"type":"read"},"value":{"Value":"STARTED","Flows":[7,"b"],"Draining":false,"Since":null},"status":200}`

func TestHTTPJudgesStatusAndBody(t *testing.T) {
	const status = "value.Value"
	cases := []struct {
		name string
		code int
		body string
		o    HTTPOptions
		want Outcome
		text string
	}{
		{"200 is well", 200, "", HTTPOptions{}, Well, ""},
		{"204 is not 200", 204, "", HTTPOptions{}, Wrong, "answered 204 No Content"},
		{"204 where it is asked for", 204, "", HTTPOptions{Status: []int{200, 204}}, Well, ""},
		{"an error", 503, "cold", HTTPOptions{}, Wrong, "answered 503 Service Unavailable"},
		{"a wanted pattern", 200, "all is well", HTTPOptions{Match: regexp.MustCompile(`is\s+well`)}, Well, ""},
		{"a missing pattern", 200, "all is ill", HTTPOptions{Match: regexp.MustCompile(`is\s+well`)}, Wrong, "answered with nothing that matches \"is\\\\s+well\""},
		{"a wanted text", 200, "all is well", HTTPOptions{Contains: "is well"}, Well, ""},
		{"a missing text", 200, "all is ill", HTTPOptions{Contains: "is well"}, Wrong, `answered without "is well"`},
		{"a text beyond the limit", 200, strings.Repeat(" ", bodyLimitBytes) + "well", HTTPOptions{Contains: "well"}, Wrong, `answered without "well"`},
		{"Jolokia says started", 200, jolokia, HTTPOptions{JSON: []JSONEqual{{status, "STARTED"}, {"status", "200"}}}, Well, ""},
		{"numbers, truth, nothing, indexes", 200, jolokia, HTTPOptions{JSON: []JSONEqual{
			{"value.Flows.0", "7"}, {"value.Flows.1", "b"}, {"value.Draining", "false"}, {"value.Since", "null"}}}, Well, ""},
		{"Jolokia says starting", 200, strings.Replace(jolokia, "STARTED", "STARTING", 1), HTTPOptions{JSON: []JSONEqual{{status, "STARTED"}}},
			Wrong, `value.Value is "STARTING", want "STARTED"`},
		{"no such value", 200, `{"value":[]}`, HTTPOptions{JSON: []JSONEqual{{"value.0", "x"}}}, Wrong, `answered without a value at value.0, want "x"`},
		{"not a single value", 200, jolokia, HTTPOptions{JSON: []JSONEqual{{"value", "x"}}}, Wrong, `value is not a single value, want "x"`},
		{"not JSON", 200, "<html>", HTTPOptions{JSON: []JSONEqual{{"a", "b"}}}, Wrong, "answered no JSON: invalid character '<' looking for beginning of value"},
		{"two values", 200, `{} {}`, HTTPOptions{JSON: []JSONEqual{{"a", "b"}}}, Wrong, "answered no JSON: something follows the first value"},
		{"endless JSON", 200, `"` + strings.Repeat("a", bodyLimitBytes) + `"`, HTTPOptions{JSON: []JSONEqual{{"a", "b"}}}, Wrong, "answered more than 64 KiB"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.code)
				io.WriteString(w, c.body)
			})
			c.o.URL = s.URL + "/status"
			text := c.text
			if text != "" {
				text = "GET " + c.o.URL + ": " + text
			}
			want(t, look(t, c.o), c.want, text)
		})
	}
}

func TestHTTPFollowsNoRedirect(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			t.Error("the redirect was followed")
		}
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	want(t, look(t, HTTPOptions{URL: s.URL + "/"}), Wrong, "GET "+s.URL+"/: answered 302 Found")
}

func TestHTTPTellsWhatKindOfSilenceItMet(t *testing.T) {
	short := func(conn net.Conn) { conn.Read(make([]byte, 1024)) }
	other := func(conn net.Conn) {
		conn.Read(make([]byte, 1024))
		io.WriteString(conn, "220 mail.example ESMTP\r\n")
	}
	refused, mute, closing, mail := deaf(t), silent(t), listen(t, short), listen(t, other)
	cases := []struct {
		address string
		want    Outcome
		text    string
	}{
		{refused, Refused, "connection refused"},
		{mute, TimedOut, "timed out while waiting for the answer"},
		{closing, Wrong, "closed the connection without an answer"},
		{mail, Wrong, "answered, but not in HTTP"},
	}
	for _, c := range cases {
		p, err := NewHTTP(HTTPOptions{URL: "http://" + c.address})
		if err != nil {
			t.Fatal(err)
		}
		d := patience
		if c.want == TimedOut {
			d = 50 * time.Millisecond
		}
		want(t, p.Look(within(t, d)), c.want, "GET http://"+c.address+": "+c.text)
	}
}

func TestHTTPTimesOutInTheMiddleOfABody(t *testing.T) {
	over := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "half of")
		w.(http.Flusher).Flush()
		<-over
	})
	defer close(over)
	p, err := NewHTTP(HTTPOptions{URL: s.URL, Contains: "the whole"})
	if err != nil {
		t.Fatal(err)
	}
	want(t, p.Look(within(t, time.Second)), TimedOut, "GET "+s.URL+": timed out while reading the answer")
}

func TestHTTPSNeedsACertificateThatIsTrusted(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshake below is meant to fail
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	want(t, look(t, HTTPOptions{URL: s.URL, TLS: &tls.Config{RootCAs: pool}}), Well, "")
	err := look(t, HTTPOptions{URL: s.URL, TLS: &tls.Config{RootCAs: x509.NewCertPool()}})
	if OutcomeOf(err) != Wrong || !strings.Contains(err.Error(), "certificate not accepted: x509:") {
		t.Fatalf("got %v", err)
	}
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	tlsURL := strings.Replace(plain.URL, "http:", "https:", 1)
	want(t, look(t, HTTPOptions{URL: tlsURL}), Wrong, "GET "+tlsURL+": does not speak TLS")
}

func TestHTTPShowsNoSecretOfItsURL(t *testing.T) {
	url := "http://user:pa55@" + deaf(t) + "/hot?key=t0ken"
	err := look(t, HTTPOptions{URL: url})
	if s := err.Error(); strings.Contains(s, "pa55") || strings.Contains(s, "t0ken") || !strings.Contains(s, "/hot") {
		t.Fatal(s)
	}
	if _, err := NewHTTP(HTTPOptions{URL: "ftp://user:pa55@host/"}); err == nil || strings.Contains(err.Error(), "pa55") {
		t.Fatal(err)
	}
}

func TestHTTPSendsItsHeaders(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "node.example" || r.Header.Get("X-Key") != "k" {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	o := HTTPOptions{URL: s.URL, Header: http.Header{"Host": {"node.example"}, "X-Key": {"k"}}}
	want(t, look(t, o), Well, "")
}

func TestHTTPLooksAfreshEachTime(t *testing.T) {
	conns := make(chan string, 2)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { conns <- r.RemoteAddr })
	p, err := NewHTTP(HTTPOptions{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.Look(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if one, two := <-conns, <-conns; one == two {
		t.Fatal("the connection was used again")
	}
}
