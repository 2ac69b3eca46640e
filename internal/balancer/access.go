package balancer

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
)

// accessReload is how often the files are looked at for a change: certificates are renewed days before they end.
const accessReload = time.Minute

// access is how agents are asked: whom we believe, and who we are. The files are read by one worker and handed to
// handshakes through a pointer, so that a renewed certificate needs no restart and a hung drive delays no word.
type access struct {
	files   config.AgentAccess
	pem     [3][]byte // owned by follow once it runs
	current atomic.Pointer[tls.Config]
}

// readAccess reads the files. Without an authority agents are asked in plain HTTP.
func readAccess(files config.AgentAccess) (*access, error) {
	a := &access{files: files}
	if !a.secure() {
		return a, nil
	}
	_, err := a.read()
	return a, err
}

func (a *access) secure() bool { return a.files.CA != "" }

func (a *access) scheme() string {
	if a.secure() {
		return "https"
	}
	return "http"
}

// header shows the token, where there is one.
func (a *access) header() http.Header {
	h := http.Header{}
	if !a.files.Token.Empty() {
		h.Set("Authorization", "Bearer "+a.files.Token.Reveal())
	}
	return h
}

// read takes the files over if they have changed and are whole; otherwise what was read before stays.
func (a *access) read() (changed bool, err error) {
	var pem [3][]byte
	for i, path := range []string{a.files.CA, a.files.Certificate, a.files.Key} {
		if path == "" {
			continue
		}
		if pem[i], err = os.ReadFile(path); err != nil {
			return false, fmt.Errorf("hotcold.balancer.agents: %w", err)
		}
	}
	if a.current.Load() != nil && bytes.Equal(pem[0], a.pem[0]) && bytes.Equal(pem[1], a.pem[1]) && bytes.Equal(pem[2], a.pem[2]) {
		return false, nil
	}
	next := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool(), NextProtos: []string{"http/1.1"}}
	if !next.RootCAs.AppendCertsFromPEM(pem[0]) {
		return false, fmt.Errorf("hotcold.balancer.agents.ca: no certificate in %s", a.files.CA)
	}
	if a.files.Certificate != "" {
		pair, err := tls.X509KeyPair(pem[1], pem[2])
		if err != nil {
			return false, fmt.Errorf("hotcold.balancer.agents: read certificate %s with key %s: %w", a.files.Certificate, a.files.Key, err)
		}
		next.Certificates = []tls.Certificate{pair}
	}
	a.pem = pem
	a.current.Store(next)
	return true, nil
}

// follow reads the files again and again until ctx ends.
func (a *access) follow(ctx context.Context, clk clock.Clock, log *slog.Logger) {
	said := ""
	for a.secure() && clock.Wait(ctx, clk, accessReload) == nil {
		changed, err := a.read()
		switch {
		case err != nil && err.Error() != said:
			// Going on is safe: what is in use stays as it is.
			said = err.Error()
			log.Warn("renewed files for asking agents cannot be used, the former ones stay", "err", err)
		case err == nil:
			said = ""
			if changed {
				log.Info("files for asking agents read anew", "path", a.files.CA)
			}
		}
	}
}

// dial connects to an agent and, over TLS, sees that it is who its address says, with what was read last.
func (a *access) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1} // heartbeats are sooner
	conn, err := d.DialContext(ctx, network, address)
	if err != nil || !a.secure() {
		return conn, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		conn.Close()
		return nil, err
	}
	secured := tls.Client(conn, a.config(host))
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

func (a *access) config(host string) *tls.Config {
	c := a.current.Load().Clone()
	c.ServerName = host
	return c
}
