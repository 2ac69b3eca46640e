package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
)

// Options are what a Server needs.
type Options struct {
	// Address is host:port. An address that is not loopback needs TLS, and a client certificate or a Key.
	Address string
	// TLS are PEM files; the zero value is plain HTTP.
	TLS TLS
	// Key, where it is not empty, has to be sent with every request as "Authorization: Bearer KEY".
	Key config.Secret
	// Snapshot returns the agent's latest snapshot. It must not block: it is what /hot waits for.
	Snapshot func() agent.Snapshot
	// Live tells whether the agent's loop turns.
	Live *LiveCheck
	// Bell, where it is set, is rung when there is a new snapshot, so that streams tell of it at once.
	Bell *Bell
	// Clock is this machine's clock.
	Clock clock.Clock
	// Log gets what goes wrong with connections.
	Log *slog.Logger
}

// limits bound what clients may take. Tests lower them.
type limits struct {
	// connections at once. A pair is asked by a few balancers, Prometheus and a person.
	connections int
	// streams at once among them: a pair has a balancer or two, and a few more while they are replaced.
	streams int
	// line is how long a client may take to read one line of a stream.
	line time.Duration
	// header is how long a client may take to send its request.
	header time.Duration
	// answer is how long a client may take to read what it is sent.
	answer time.Duration
	// idle is how long a kept connection may be silent: longer than the pause between two probes or scrapes.
	idle time.Duration
	// headerBytes is what a request may have; net/http adds 4 KiB of its own.
	headerBytes int
	// stop is how long running answers may take once the server ends.
	stop time.Duration
	// reload is how often certificate files are looked at for a change.
	reload time.Duration
}

func defaultLimits() limits {
	return limits{
		connections: 256,
		streams:     32,
		line:        2 * time.Second,
		header:      5 * time.Second,
		answer:      10 * time.Second,
		idle:        2 * time.Minute,
		headerBytes: 8 << 10,
		stop:        2 * time.Second,
		reload:      time.Minute,
	}
}

// Server is the agent's HTTP listener. Make one with New.
type Server struct {
	o        Options
	limits   limits
	certs    *certificates // nil for plain HTTP
	listener net.Listener  // nil before Listen
	lines    *lines
	refused  atomic.Uint64 // connections over the limit
	streams  chan struct{} // one value for each stream
	at       string        // where its settings stand
	taken    net.Listener  // the listener without its bounds
	// addressAt is the setting of its address, where that is not at.address.
	addressAt string
	// pages is what is served, where it is not an agent's pages.
	pages func() http.Handler
	// once ends each connection after one request.
	once bool
}

// New checks the options and reads the certificates. It opens nothing.
func New(o Options) (*Server, error) {
	if o.Snapshot == nil || o.Live == nil || o.Clock == nil || o.Log == nil {
		return nil, errors.New("make the status server: Snapshot, Live, Clock and Log are all needed")
	}
	if err := o.check(agentListen); err != nil {
		return nil, err
	}
	s := newServer(o)
	if o.TLS.on() {
		certs, err := readCertificates(o.TLS)
		if err != nil {
			return nil, fmt.Errorf("hotcold.listen.tls: %w", err)
		}
		s.certs = certs
	}
	return s, nil
}

func newServer(o Options) *Server {
	s := &Server{o: o, limits: defaultLimits(), lines: &lines{c: make(chan string, 1)}, at: agentListen}
	s.streams = make(chan struct{}, s.limits.streams)
	return s
}

// agentListen is where the settings of an agent's listener stand.
const agentListen = "hotcold.listen"

// check says all that is wrong with where the server is to listen and whom it lets in.
func (o Options) check(at string) error {
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		return fmt.Errorf("%s.address %q: want host:port, such as 127.0.0.1:10080", at, o.Address)
	}
	faults := o.TLS.faults()
	if !loopback(host) {
		if !o.TLS.on() {
			faults = append(faults, fmt.Errorf("%s.address %q can be reached from other machines: "+
				"give %s.tls a certificate and a key, or listen on 127.0.0.1", at, o.Address, at))
		}
		if o.TLS.ClientCAFile == "" && o.Key.Empty() {
			faults = append(faults, fmt.Errorf("%s.address %q can be reached from other machines: "+
				"say who may ask, with %s.tls.clientCA or %s.keyFile", at, o.Address, at, at))
		}
	}
	return errors.Join(faults...)
}

// loopback tells whether only this machine can reach a host. A name other than localhost could be anything by the
// time it is looked up.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// Listen takes the port, so that one which is taken is known before anything is started. Run serves it.
func (s *Server) Listen() error {
	address := s.o.Address
	if host, port, _ := net.SplitHostPort(address); host == "localhost" {
		// Not looked up: what a resolver makes of the name may be reachable from elsewhere.
		address = net.JoinHostPort("127.0.0.1", port)
	}
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen on %s: another program has this port: end it, or set %s: %w", s.o.Address, s.setting(), err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("listen on %s: this machine does not have that address: set %s: %w", s.o.Address, s.setting(), err)
	case err != nil:
		return fmt.Errorf("listen on %s (%s): %w", s.o.Address, s.setting(), err)
	}
	s.Take(l)
	return nil
}

// setting is where the address stands.
func (s *Server) setting() string { return cmp.Or(s.addressAt, s.at+".address") }

// Take serves a listener that is there already, in the place of Listen.
func (s *Server) Take(l net.Listener) {
	s.taken = l
	s.listener = &limited{Listener: l, slots: make(chan struct{}, s.limits.connections), refuse: s.refuse}
}

// Listener is what Listen or Take have given the server; nil before.
func (s *Server) Listener() net.Listener { return s.taken }

// Addr is where the server listens, with the port that the system chose if 0 was asked for. It is nil before Listen.
func (s *Server) Addr() net.Addr {
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// URL is where a client on this machine reaches the server, without a path.
func (s *Server) URL() string {
	scheme := "http"
	if s.certs != nil {
		scheme = "https"
	}
	return scheme + "://" + s.Addr().String()
}

func (s *Server) refuse() {
	s.refused.Add(1)
	s.lines.tell(fmt.Sprintf("refused a connection: there are %d already", s.limits.connections))
}

// Run serves until ctx ends, and then gives running answers a short while. It listens if Listen was not called. It
// returns nil when it ended because ctx did.
func (s *Server) Run(ctx context.Context) error {
	if s.listener == nil {
		if err := s.Listen(); err != nil {
			return err
		}
	}
	helpers, end := context.WithCancel(ctx)
	defer end()
	web := s.web(helpers)
	var running sync.WaitGroup
	running.Go(func() { s.lines.log(helpers, s.o.Log) })
	if s.certs != nil {
		running.Go(func() { s.certs.follow(helpers, s.o.Clock, s.limits.reload, s.o.Log) })
	}
	served := make(chan error, 1)
	running.Go(func() { served <- s.serve(web) })

	var failed error
	select {
	case err := <-served:
		failed = fmt.Errorf("serve the agent's state on %s: %w", s.Addr(), err)
	case <-ctx.Done():
	}
	end()
	return errors.Join(failed, s.stop(ctx, web, &running))
}

// web is the server of pages. Streams end when ctx does; all else is short.
func (s *Server) web(ctx context.Context) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // one request at a time on each connection: the limit of connections is one of requests too
	web := &http.Server{
		Handler:           s.handler(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		Protocols:         protocols,
		ReadHeaderTimeout: s.limits.header,
		ReadTimeout:       s.limits.header,
		WriteTimeout:      s.limits.answer,
		IdleTimeout:       s.limits.idle,
		MaxHeaderBytes:    s.limits.headerBytes,
		ErrorLog:          log.New(s.lines, "", 0),
		// OPTIONS * is for the handler like all else.
		DisableGeneralOptionsHandler: true,
	}
	web.SetKeepAlivesEnabled(!s.once)
	if s.certs != nil {
		web.TLSConfig = s.certs.config()
	}
	return web
}

func (s *Server) serve(web *http.Server) error {
	if s.certs != nil {
		return web.ServeTLS(s.listener, "", "")
	}
	return web.Serve(s.listener)
}

// stop ends within twice the limit, whatever the clients do. A helper that hangs in I/O (a certificate on a dead
// drive, a log nobody reads) is left behind then: a status page must not keep the agent from exiting.
func (s *Server) stop(ctx context.Context, web *http.Server, running *sync.WaitGroup) error {
	ctx = context.WithoutCancel(ctx)
	clients, cancel := context.WithTimeout(ctx, s.limits.stop)
	defer cancel()
	if err := web.Shutdown(clients); err != nil {
		web.Close() // cuts off who is too slow; the listener is closed already, so there is no error to tell of
	}
	helpers, cancel := context.WithTimeout(ctx, s.limits.stop)
	defer cancel()
	ended := make(chan struct{})
	go func() { defer close(ended); running.Wait() }()
	select {
	case <-ended:
		return nil
	case <-helpers.Done():
		return fmt.Errorf("stop the status server: not over after %v", 2*s.limits.stop)
	}
}
