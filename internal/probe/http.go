package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

const (
	// bodyLimitBytes is how much of an answer is read: a health page is far
	// smaller, and a node gone mad must not fill the agent's memory.
	bodyLimitBytes = 64 << 10
	// headerLimitBytes bounds the head of an answer likewise.
	headerLimitBytes = 16 << 10
)

// HTTPOptions say what to ask and which answer is the right one.
type HTTPOptions struct {
	// URL is what is asked with GET. Its scheme is http or https.
	URL string
	// Status are the codes that count as well; none means 200 only. A
	// redirect is an answer like any other and is not followed.
	Status []int
	// Match, if not nil, has to match the first 64 KiB of the body.
	Match *regexp.Regexp
	// Contains is a text that has to stand there.
	Contains string
	// JSON are the values that the body has to have.
	JSON []JSONEqual
	// TLS is used for https; nil means the trust store of the system.
	TLS *tls.Config
	// Header is sent along, for a key or a Host.
	Header http.Header
}

// HTTP is a probe that asks a web server. Every look opens a connection of its
// own, so that a listener which no longer accepts is noticed.
type HTTP struct {
	o      HTTPOptions
	target string
	client *http.Client
}

// NewHTTP checks the options and returns the probe.
func NewHTTP(o HTTPOptions) (*HTTP, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return nil, errors.New("http probe: the URL cannot be read") // its text may hold a password
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, fmt.Errorf("http probe: %q is not an http:// or https:// address", u.Redacted())
	}
	for _, j := range o.JSON {
		if j.Path == "" {
			return nil, errors.New("http probe: a JSON value is wanted without a path to it")
		}
	}
	if len(o.Status) == 0 {
		o.Status = []int{http.StatusOK}
	}
	// User, password and query stay out of every message: they may be secret.
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	transport := &http.Transport{
		DisableKeepAlives:      true,
		DisableCompression:     true,
		TLSClientConfig:        o.TLS.Clone(),
		MaxResponseHeaderBytes: headerLimitBytes,
	}
	return &HTTP{o: o, target: "GET " + shown.String(), client: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Look asks once.
func (h *HTTP) Look(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.o.URL, nil)
	if err != nil {
		return &Failure{Outcome: Unreachable, Target: h.target, Reason: "the request cannot be made", Cause: err}
	}
	for k, v := range h.o.Header {
		req.Header[k] = v
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host // net/http takes it from nowhere else
	}
	req.Header.Set("User-Agent", "hotcold-probe")
	resp, err := h.client.Do(req)
	if err != nil {
		return h.failed(ctx, err)
	}
	defer resp.Body.Close()
	if !slices.Contains(h.o.Status, resp.StatusCode) {
		return h.wrong("answered %s", strings.TrimSpace(resp.Status))
	}
	if h.o.Match == nil && h.o.Contains == "" && len(h.o.JSON) == 0 {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, bodyLimitBytes+1))
	if err != nil {
		return fail(ctx, h.target, "reading the answer", err)
	}
	return h.judge(body)
}

func (h *HTTP) failed(ctx context.Context, err error) error {
	var record tls.RecordHeaderError
	var cert *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return h.wrong("does not speak TLS")
	case errors.As(err, &cert):
		return h.wrong("certificate not accepted: %s", oneLine(cert.Err.Error()))
	case errors.Is(err, io.EOF):
		return h.wrong("closed the connection without an answer")
	case strings.Contains(err.Error(), "malformed HTTP"):
		// net/http has no sentinel for an answer that is not HTTP.
		return h.wrong("answered, but not in HTTP")
	}
	return fail(ctx, h.target, "waiting for the answer", err)
}

func (h *HTTP) judge(body []byte) error {
	cut := len(body) > bodyLimitBytes
	if cut {
		body = body[:bodyLimitBytes]
	}
	if h.o.Match != nil && !h.o.Match.Match(body) {
		return h.wrong("answered with nothing that matches %q", h.o.Match)
	}
	if !bytes.Contains(body, []byte(h.o.Contains)) {
		return h.wrong("answered without %q", h.o.Contains)
	}
	if len(h.o.JSON) == 0 {
		return nil
	}
	if cut {
		return h.wrong("answered more than %d KiB", bodyLimitBytes>>10)
	}
	return h.judgeJSON(body)
}

func (h *HTTP) judgeJSON(body []byte) error {
	tree, err := parseJSON(body)
	if err != nil {
		return h.wrong("answered no JSON: %s", oneLine(err.Error()))
	}
	var errs []error
	for _, want := range h.o.JSON {
		if got := want.mismatch(tree); got != "" {
			errs = append(errs, h.wrong("%s", got))
		}
	}
	return join(errs)
}

func (h *HTTP) wrong(format string, args ...any) error {
	return &Failure{Outcome: Wrong, Target: h.target, Reason: fmt.Sprintf(format, args...)}
}
