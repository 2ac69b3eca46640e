package status

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clock"
)

// probeListen is where the address of the listener for probes stands.
const probeListen = "hotcold.listen.probe"

// ProbeOptions are what a listener for a cloud's probes needs.
type ProbeOptions struct {
	// Address is host:port. It may be one that other machines reach: see NewProbe.
	Address string
	// Snapshot is as in [Options].
	Snapshot func() agent.Snapshot
	Clock    clock.Clock
	Log      *slog.Logger
}

// probeLimits are tighter than those of the other listener: a probe is one short request from a machine nearby, and
// whoever asks for more is a stranger.
func probeLimits() limits {
	l := defaultLimits()
	l.header, l.answer, l.headerBytes = 2*time.Second, 2*time.Second, 1<<10
	return l
}

// NewProbe makes the listener that a cloud's balancer asks. Such a probe shows no certificate and no key, so anybody may
// ask, and is told one bit: GET and HEAD of /hot are answered with 200 while traffic may be sent here and with 503
// otherwise, all else with 404, never with a text. A connection serves one request.
func NewProbe(o ProbeOptions) (*Server, error) {
	if o.Snapshot == nil || o.Clock == nil || o.Log == nil {
		return nil, errors.New("make the listener for probes: Snapshot, Clock and Log are all needed")
	}
	if _, _, err := net.SplitHostPort(o.Address); err != nil {
		return nil, fmt.Errorf("%s %q: want host:port, such as 0.0.0.0:4655", probeListen, o.Address)
	}
	s := newServer(Options{Address: o.Address, Snapshot: o.Snapshot, Clock: o.Clock, Log: o.Log})
	s.limits, s.addressAt, s.once = probeLimits(), probeListen, true
	s.pages = func() http.Handler { return http.HandlerFunc(s.probed) }
	return s, nil
}

// probed tells whether this machine is hot by the clock as it reads now, and nothing else.
func (s *Server) probed(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store") // an answer is true for an instant
	h.Set("Content-Length", "0")
	switch {
	case r.URL.Path != "/hot" || r.Method != http.MethodGet && r.Method != http.MethodHead || r.ContentLength != 0:
		w.WriteHeader(http.StatusNotFound)
	case s.view().Hot:
		w.WriteHeader(http.StatusOK)
	default:
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}
