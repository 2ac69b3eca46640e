package etcdstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"

	"github.com/hotcold/hotcold/internal/clock"
)

// Config says which etcd to use.
type Config struct {
	// Endpoints are the members' client addresses, host:port, in the order in
	// which they are tried.
	Endpoints []string
	// Prefix begins every key; empty: [DefaultPrefix].
	Prefix string
	// User and Password log in where etcd asks for it; both or none.
	User, Password string
	// TLS, where one of its files is named or On is set, encrypts the way.
	TLS TLS
	// Clock is for the times that people read; nil: the system's.
	Clock clock.Clock
	// Logger hears of what heals by itself. Nil: nobody does.
	Logger *slog.Logger
}

// TLS are the files of an encrypted way, in PEM.
type TLS struct {
	// On encrypts also where no file is named: the system's authorities are
	// believed then.
	On bool
	// CAFile has the authorities that are believed; empty: the system's.
	CAFile string
	// CertFile and KeyFile are our own; both or none.
	CertFile, KeyFile string
}

// DefaultPrefix begins every key where no other is configured.
const DefaultPrefix = "hotcold"

var (
	prefixPattern   = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`)
	endpointPattern = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]+$`)
)

// String leaves out who logs in.
func (c Config) String() string { return "etcd " + strings.Join(c.Endpoints, ",") + "/" + c.Prefix }

// GoString is [Config.String], so that no verb of fmt shows the password.
func (c Config) GoString() string { return c.String() }

// LogValue is [Config.String], so that no log shows the password.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Open prepares the use of etcd and says what is wrong with the configuration.
// It does not connect: that happens at the first call, and again after every
// loss, so an agent can start while etcd is down.
func Open(_ context.Context, c Config) (*DB, error) {
	if c.Prefix == "" {
		c.Prefix = DefaultPrefix
	}
	if c.Clock == nil {
		c.Clock = clock.System()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("open etcd: %w", err)
	}
	encrypted, err := c.TLS.load()
	if err != nil {
		return nil, fmt.Errorf("open etcd: %w", err)
	}
	return newDB(c, encrypted)
}

// check reports every fault.
func (c Config) check() error {
	var faults []error
	if len(c.Endpoints) == 0 {
		faults = append(faults, errors.New("no address of a member is given"))
	}
	for _, e := range c.Endpoints {
		if !endpointPattern.MatchString(e) {
			faults = append(faults, errors.New("an address is not host:port")) // it is not shown: it may hold a password
		}
	}
	if !prefixPattern.MatchString(c.Prefix) {
		faults = append(faults, fmt.Errorf("prefix %q: want letters, digits and . _ - with single slashes between", c.Prefix))
	}
	if (c.User == "") != (c.Password == "") {
		faults = append(faults, errors.New("want a user and a password, or neither"))
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		faults = append(faults, errors.New("want a certificate and its key, or neither"))
	}
	return errors.Join(faults...)
}

// load returns nil where the way is not encrypted.
func (t TLS) load() (*tls.Config, error) {
	if !t.On && t.CAFile == "" && t.CertFile == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the authorities: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read the authorities: no certificate in %s", t.CAFile)
		}
	}
	if t.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile); err != nil {
			return nil, fmt.Errorf("read our certificate: %w", err)
		}
		// Read anew for each connection, so that a renewed certificate is taken.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
			return &pair, err
		}
	}
	return c, nil
}
