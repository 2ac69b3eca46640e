package status

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// TLS are the PEM files of a listener.
type TLS struct {
	// CertFile and KeyFile are the server's own; both or neither.
	CertFile, KeyFile string
	// ClientCAFile, where it is set, names the authorities one of which has to have signed the client's certificate.
	ClientCAFile string
}

func (t TLS) on() bool { return t.CertFile != "" || t.KeyFile != "" }

func (t TLS) faults() (faults []error) {
	if (t.CertFile == "") != (t.KeyFile == "") {
		faults = append(faults, errors.New("hotcold.listen.tls: a certificate and its key are needed, one alone is of no use"))
	}
	if t.ClientCAFile != "" && !t.on() {
		faults = append(faults, errors.New("hotcold.listen.tls.clientCA: without a certificate and a key of the listener nobody can show his own"))
	}
	return faults
}

// certificates are the files as they were read last. They are read by one worker and handed to handshakes through a
// pointer, so that a renewed certificate needs no restart and a hung drive delays no answer.
type certificates struct {
	files   TLS
	pem     [3][]byte // owned by follow once it runs
	current atomic.Pointer[tls.Config]
}

func readCertificates(files TLS) (*certificates, error) {
	c := &certificates{files: files}
	if _, err := c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

// read takes the files over if they have changed and are whole; otherwise what was read before stays.
func (c *certificates) read() (changed bool, err error) {
	var pem [3][]byte
	for i, path := range []string{c.files.CertFile, c.files.KeyFile, c.files.ClientCAFile} {
		if path == "" {
			continue
		}
		if pem[i], err = os.ReadFile(path); err != nil {
			return false, err
		}
	}
	if c.current.Load() != nil && bytes.Equal(pem[0], c.pem[0]) && bytes.Equal(pem[1], c.pem[1]) && bytes.Equal(pem[2], c.pem[2]) {
		return false, nil
	}
	next, err := tlsConfig(c.files, pem)
	if err != nil {
		return false, err
	}
	c.pem = pem
	c.current.Store(next)
	return true, nil
}

func tlsConfig(files TLS, pem [3][]byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(pem[0], pem[1])
	if err != nil {
		return nil, fmt.Errorf("read certificate %s with key %s: %w", files.CertFile, files.KeyFile, err)
	}
	next := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{pair},
		NextProtos:   []string{"http/1.1"},
	}
	if files.ClientCAFile != "" {
		next.ClientCAs = x509.NewCertPool()
		if !next.ClientCAs.AppendCertsFromPEM(pem[2]) {
			return nil, fmt.Errorf("read client authorities %s: no certificate in it", files.ClientCAFile)
		}
		next.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return next, nil
}

// config makes every handshake use what was read last.
func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current.Load(), nil },
	}
}

// follow reads the files again and again until ctx ends.
func (c *certificates) follow(ctx context.Context, clk clock.Clock, every time.Duration, log *slog.Logger) {
	said := ""
	for clock.Wait(ctx, clk, every) == nil {
		changed, err := c.read()
		switch {
		case err != nil && err.Error() != said:
			// Going on is safe: the certificate in use stays as it is.
			said = err.Error()
			log.Warn("renewed certificate cannot be used, the former one stays", "path", c.files.CertFile, "err", err)
		case err == nil:
			said = ""
			if changed {
				log.Info("certificate read anew", "path", c.files.CertFile)
			}
		}
	}
}
