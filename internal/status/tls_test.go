package status_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/status"
)

// authority signs certificates for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{next: 2}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// sign returns the PEM texts of a certificate for 127.0.0.1 that serves both ends.
func (a *authority) sign(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: "agent"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	a.next++
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return block("CERTIFICATE", der), block("PRIVATE KEY", raw)
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// files writes what a listener needs into a directory of the test's own.
func (a *authority) files(t *testing.T) status.TLS {
	t.Helper()
	dir := t.TempDir()
	f := status.TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), ClientCAFile: filepath.Join(dir, "ca.pem")}
	a.renew(t, f)
	write(t, f.ClientCAFile, block("CERTIFICATE", a.cert.Raw))
	return f
}

func (a *authority) renew(t *testing.T, f status.TLS) {
	t.Helper()
	cert, key := a.sign(t)
	write(t, f.CertFile, cert)
	write(t, f.KeyFile, key)
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// client trusts a and shows a certificate of by, if there is one.
func (a *authority) client(t *testing.T, by *authority) *http.Client {
	t.Helper()
	c := &tls.Config{RootCAs: a.pool()}
	if by != nil {
		pair, err := tls.X509KeyPair(by.sign(t))
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	transport := &http.Transport{TLSClientConfig: c}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: limit}
}

func TestOnlyClientsWithACertificateOfOursAreLetIn(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	b := serve(t, func(o *status.Options) { o.TLS = ours.files(t) }, nil)
	b.client = ours.client(t, ours)
	b.want(t, "/hot", 200, "hot epoch 7")
	for name, c := range map[string]*http.Client{"none": ours.client(t, nil), "another's": ours.client(t, theirs)} {
		if answer, err := c.Get(b.URL() + "/hot"); err == nil {
			t.Errorf("certificate %s: let in with %d", name, answer.StatusCode)
		}
	}
	plain, err := http.Get("http://" + b.Addr().String() + "/hot")
	if err != nil {
		t.Fatal(err)
	}
	plain.Body.Close()
	if plain.StatusCode != 400 {
		t.Errorf("plain HTTP: %d", plain.StatusCode)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	ours := newAuthority(t)
	b := serve(t, func(o *status.Options) { o.TLS = ours.files(t); o.TLS.ClientCAFile = "" }, nil)
	c := ours.client(t, nil)
	c.Transport.(*http.Transport).TLSClientConfig.MaxVersion = tls.VersionTLS11
	c.Transport.(*http.Transport).TLSClientConfig.MinVersion = tls.VersionTLS10
	if answer, err := c.Get(b.URL() + "/hot"); err == nil {
		t.Errorf("TLS 1.1 was let in with %d", answer.StatusCode)
	}
}

func TestCertificateAndKeyAreBothAskedForWhereBothAreSet(t *testing.T) {
	ours := newAuthority(t)
	b := serve(t, func(o *status.Options) { o.TLS = ours.files(t); o.Key = config.NewSecret("s3cret") }, nil)
	b.client = ours.client(t, ours)
	if code, _ := b.get(t, "/hot"); code != 401 {
		t.Errorf("without the key: %d", code)
	}
	if answer, _ := b.ask(t, http.MethodGet, "/hot", "Authorization", "Bearer s3cret"); answer.StatusCode != 200 {
		t.Errorf("with both: %d", answer.StatusCode)
	}
}

func TestRenewedCertificateIsTakenUpWithoutARestartAndABadOneIsNot(t *testing.T) {
	ours := newAuthority(t)
	files := ours.files(t)
	files.ClientCAFile = ""
	b := serve(t, func(o *status.Options) { o.TLS = files }, nil)
	serial := func() int64 {
		c := ours.client(t, nil)
		c.Transport.(*http.Transport).DisableKeepAlives = true
		answer, err := c.Get(b.URL() + "/live")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	reread := func() {
		armed(t, b.clock)
		b.clock.Advance(b.ReloadEvery())
		armed(t, b.clock) // it waits again, so it has read
	}
	first := serial()
	ours.renew(t, files)
	reread()
	second := serial()
	if second == first {
		t.Error("the renewed certificate was not taken up")
	}
	write(t, files.CertFile, []byte("half a fi"))
	reread()
	if serial() != second {
		t.Error("a broken file replaced a good certificate")
	}
}

// armed waits until a timer is set that is not due.
func armed(t *testing.T, c *clock.Stepped) {
	t.Helper()
	for {
		at, changed := c.Armed()
		for _, instant := range at {
			if instant > c.Now().Boot {
				return
			}
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatal("nobody waits")
		}
	}
}

func TestServerIsNotMadeWhereStrangersCouldAsk(t *testing.T) {
	ours := newAuthority(t)
	files := ours.files(t)
	serverOnly := status.TLS{CertFile: files.CertFile, KeyFile: files.KeyFile}
	key := config.NewSecret("s3cret")
	for _, c := range []struct {
		name    string
		address string
		tls     status.TLS
		key     config.Secret
		faults  []string // nil: it is made
	}{
		{"loopback", "127.0.0.1:0", status.TLS{}, config.Secret{}, nil},
		{"loopback of IPv6", "[::1]:0", status.TLS{}, config.Secret{}, nil},
		{"loopback in IPv6's clothes", "[::ffff:127.0.0.1]:0", status.TLS{}, config.Secret{}, nil},
		{"localhost", "localhost:0", status.TLS{}, config.Secret{}, nil},
		{"TLS and client certificate", "0.0.0.0:0", files, config.Secret{}, nil},
		{"TLS and key", "0.0.0.0:0", serverOnly, key, nil},
		{"nothing", "0.0.0.0:0", status.TLS{}, config.Secret{}, []string{"hotcold.listen.tls", "hotcold.listen.keyFile"}},
		{"all addresses", ":0", status.TLS{}, config.Secret{}, []string{"hotcold.listen.tls", "hotcold.listen.keyFile"}},
		{"a name", "machine-a:0", status.TLS{}, key, []string{"hotcold.listen.tls"}},
		{"a name that begins like loopback", "127.0.0.1.example.org:0", status.TLS{}, config.Secret{}, []string{"hotcold.listen.tls"}},
		{"only a key", "10.0.0.4:0", status.TLS{}, key, []string{"hotcold.listen.tls"}},
		{"only TLS", "10.0.0.4:0", serverOnly, config.Secret{}, []string{"hotcold.listen.keyFile"}},
		{"half of TLS", "127.0.0.1:0", status.TLS{CertFile: files.CertFile}, config.Secret{}, []string{"one alone"}},
		{"authority without certificate", "127.0.0.1:0", status.TLS{ClientCAFile: files.ClientCAFile}, config.Secret{}, []string{"clientCA"}},
		{"no such file", "127.0.0.1:0", status.TLS{CertFile: "/nonexistent", KeyFile: files.KeyFile}, config.Secret{}, []string{"/nonexistent"}},
		{"authority without a certificate in it", "127.0.0.1:0", status.TLS{CertFile: files.CertFile, KeyFile: files.KeyFile, ClientCAFile: files.KeyFile}, config.Secret{}, []string{"no certificate"}},
		{"no port", "127.0.0.1", status.TLS{}, config.Secret{}, []string{"host:port"}},
		{"no address", "", status.TLS{}, config.Secret{}, []string{"host:port"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &bench{clock: clock.NewStepped()}
			b.live = status.NewLiveCheck(b.clock, time.Second)
			o := options(b)
			o.Address, o.TLS, o.Key = c.address, c.tls, c.key
			_, err := status.New(o)
			if (err == nil) != (c.faults == nil) {
				t.Fatalf("got %v", err)
			}
			for _, f := range c.faults {
				if !strings.Contains(err.Error(), f) || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("got %v, want a word of %s", err, f)
				}
			}
		})
	}
}
