package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
)

// balanceListen is where the settings of a balancer's listener stand.
const balanceListen = "hotcold.balancer.listen"

// BalanceOptions are what a balancer's server needs.
type BalanceOptions struct {
	// Address, TLS and Key are as in [Options].
	Address string
	TLS     TLS
	Key     config.Secret
	// View is what the balancer tells now. It must not block.
	View func() BalanceView
	// Connections, where it is set, lists at most limit connections.
	Connections func(ctx context.Context, limit int) (*balancer.Connections, error)
	// Live tells whether the balancer's loop turns.
	Live  *LiveCheck
	Clock clock.Clock
	Log   *slog.Logger
}

// NewBalance makes a balancer's HTTP listener. It answers GET and HEAD on
//
//	/ready    200 while all rules have a machine, else 503 and why
//	/live     200 while the balancer's loop turns (see [LiveCheck])
//	/state    the BalanceView as JSON, with 100 connections or as many as ?connections=N says
//	/metrics  the BalanceView for Prometheus
//	/         a page for people
//
// with the same limits and the same proofs of who asks as an agent's.
func NewBalance(o BalanceOptions) (*Server, error) {
	if o.View == nil || o.Live == nil || o.Clock == nil || o.Log == nil {
		return nil, errors.New("make the balancer's status server: View, Live, Clock and Log are all needed")
	}
	s := balanceServer(o)
	if err := s.o.check(balanceListen); err != nil {
		return nil, err
	}
	if o.TLS.on() {
		certs, err := readCertificates(o.TLS)
		if err != nil {
			return nil, fmt.Errorf("%s.tls: %w", balanceListen, err)
		}
		s.certs = certs
	}
	return s, nil
}

// NewBalanceOn makes the same server on a listener that only those reach who may ask: a socket in a directory of the
// balancer's user.
func NewBalanceOn(l net.Listener, o BalanceOptions) *Server {
	s := balanceServer(BalanceOptions{View: o.View, Connections: o.Connections, Live: o.Live, Clock: o.Clock, Log: o.Log})
	s.Take(l)
	return s
}

func balanceServer(o BalanceOptions) *Server {
	s := newServer(Options{Address: o.Address, TLS: o.TLS, Key: o.Key, Clock: o.Clock, Log: o.Log})
	b := &balancePages{server: s, view: o.View, connections: o.Connections, live: o.Live}
	s.at, s.pages = balanceListen, func() http.Handler { return s.guarded(b.routes()) }
	return s
}

// balancePages are what a balancer's server serves.
type balancePages struct {
	server *Server
	view   func() BalanceView
	// connections is nil where there are none to be told of.
	connections func(ctx context.Context, limit int) (*balancer.Connections, error)
	live        *LiveCheck
}

func (b *balancePages) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		v := b.view()
		sayWhether(w, v.Serving() && !v.Leaving, v.Headline())
	})
	mux.HandleFunc("/live", func(w http.ResponseWriter, _ *http.Request) { sayLive(w, b.live) })
	mux.HandleFunc("/state", b.state)
	mux.Handle("/metrics", b.metrics())
	mux.HandleFunc("/{$}", b.page)
	return mux
}

// look is the view with some of the connections; with none if none are asked for.
func (b *balancePages) look(ctx context.Context, limit int) BalanceView {
	v := b.view()
	if b.connections == nil || limit == 0 {
		return v
	}
	ctx, cancel := context.WithTimeout(ctx, listLimit)
	defer cancel()
	return v.With(b.connections(ctx, limit))
}

func (b *balancePages) state(w http.ResponseWriter, r *http.Request) {
	limit := stateConnections
	if text := r.URL.Query().Get("connections"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > MaxConnections {
			say(w, http.StatusBadRequest, fmt.Sprintf("connections: want a number from 0 to %d, got %q", MaxConnections, text))
			return
		}
		limit = n
	}
	body, err := json.MarshalIndent(b.look(r.Context(), limit), "", "  ")
	if err != nil {
		say(w, http.StatusInternalServerError, "write the state as JSON: "+err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(body, '\n')) // an error here is the client's, who has gone
}

// page is for the person who types the address into a browser.
func (b *balancePages) page(w http.ResponseWriter, r *http.Request) {
	var text strings.Builder
	if err := WriteBalancePage(&text, b.look(r.Context(), pageConnections)); err != nil {
		say(w, http.StatusInternalServerError, "write the page: "+err.Error())
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'") // nothing but what stands in the page
	w.Write([]byte(text.String()))
}
