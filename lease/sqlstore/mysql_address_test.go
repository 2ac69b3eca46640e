package sqlstore_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// What internal/config makes of an address is what this package reads, whatever
// characters are in a password.
func TestAddressesFromTheConfigurationReachTheServer(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		server := my.shared(t)
		const password = `a"b'c\d =%&?@/:#+ü,()`
		server.Exec(t, "CREATE USER `o'brien @x`@'%' IDENTIFIED BY 'a\"b''c\\\\d =%&?@/:#+ü,()'", "GRANT ALL ON *.* TO `o'brien @x`@'%'")
		t.Cleanup(func() { server.Exec(t, "DROP USER `o'brien @x`@'%'") })
		dir := t.TempDir()
		for _, address := range []string{
			"mariadb://" + url.UserPassword("o'brien @x", "wrong").String() + "@" + server.Addr() + "/hotcold?tls=false",
			"mysql://127.0.0.1:1," + server.Addr() + "/hotcold",
			"jdbc:mariadb:sequential://127.0.0.1:1," + server.Addr() + "/hotcold?connectTimeout=3000",
			"jdbc:mysql:replication://address=(host=127.0.0.1)(port=" + server.Addr()[len("127.0.0.1:"):] + ")/hotcold?sslMode=DISABLED",
		} {
			file := filepath.Join(dir, "hotcold.conf")
			must(t, os.WriteFile(file, []byte(`hotcold { name = pair, node.command = [/bin/true], database { url = "`+address+
				`", user = "o'brien @x", password = "`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(password)+"\" } }\n"), 0o600))
			c, err := config.Load(file, config.Env{Hostname: "machine-a", WorkDir: dir, Euid: 1000})
			must(t, err)
			db := open(t, sqlstore.Config{Dialect: string(c.Database.Dialect), DSN: c.Database.DSN.Reveal(), TablePrefix: "address_"})
			if _, err := db.Read(t.Context(), "node"); err != nil {
				t.Errorf("%s: %v", address, err)
			}
		}
	})
}

// The goal: each word for TLS does what it says. The method: a server with a
// certificate for 127.0.0.1 by a signer of its own, an account that may log in only
// over TLS, and one that has to show a certificate besides.
func TestTLSOfMySQLIsVerifiedAsAskedFor(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		dir := t.TempDir()
		ours, other := newSigner(t, dir, "ours"), newSigner(t, dir, "other")
		cert, key := ours.sign(t, dir, "server")
		agentCert, agentKey := ours.sign(t, dir, "agent")
		server := my.server(t, "ssl_ca="+ours.file, "ssl_cert="+cert, "ssl_key="+key)
		server.Exec(t, "CREATE USER secure@'%' IDENTIFIED BY 'x' REQUIRE SSL", "GRANT ALL ON hotcold.* TO secure@'%'",
			"CREATE USER shown@'%' IDENTIFIED BY 'x' REQUIRE X509", "GRANT ALL ON hotcold.* TO shown@'%'")
		for _, c := range []struct {
			user, query string
			works       bool
		}{
			{"secure", "", true},
			{"secure", "tls=preferred", true},
			{"secure", "tls=false", false},
			{"secure", "tls=skip-verify", true},
			{"secure", "tls=true&tlsCA=" + ours.file, true},
			{"secure", "tls=true&tlsCA=" + other.file, false},
			{"secure", "tls=true", false}, // the machine's signers do not know it
			{"secure", "tls=true&tlsServerName=db.example.com&tlsCA=" + ours.file, false},
			{"secure", "tls=verify-ca&tlsServerName=db.example.com&tlsCA=" + ours.file, true},
			{"secure", "tls=verify-ca&tlsCA=" + other.file, false},
			{"secure", "tls=verify-ca", false},
			{"shown", "tls=true&tlsCA=" + ours.file, false},
			{"shown", "tls=true&tlsCA=" + ours.file + "&tlsCert=" + agentCert + "&tlsKey=" + agentKey, true},
		} {
			db := openMySQL(t, "mariadb://"+c.user+":x@"+server.Addr()+"/hotcold?"+c.query)
			_, err := db.Read(t.Context(), "node")
			if (err == nil) != c.works {
				t.Errorf("%s with %q: %v, want that it works: %v", c.user, c.query, err, c.works)
			}
			if err != nil && !errors.Is(err, sqlstore.ErrUnreachable) && !errors.Is(err, sqlstore.ErrLogin) {
				t.Errorf("%s with %q: %v has no kind", c.user, c.query, err)
			}
		}
	})
}

// signer is an authority of the test's own.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newSigner(t *testing.T, dir, name string) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return signer{cert, key, writePEM(t, filepath.Join(dir, name+".pem"), "CERTIFICATE", der)}
}

// sign makes a certificate for 127.0.0.1 and its key.
func (s signer) sign(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, s.cert, &key.PublicKey, s.key)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return writePEM(t, filepath.Join(dir, name+".pem"), "CERTIFICATE", der), writePEM(t, filepath.Join(dir, name+".key"), "PRIVATE KEY", secret)
}

// writePEM writes a file that the server, another user, can read too.
func writePEM(t *testing.T, file, kind string, der []byte) string {
	t.Helper()
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o644))
	for _, dir := range []string{filepath.Dir(file), filepath.Dir(filepath.Dir(file))} {
		must(t, os.Chmod(dir, 0o755))
	}
	return file
}
