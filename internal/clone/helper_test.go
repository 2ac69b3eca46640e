package clone_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pavlo-v-chernykh/keystore-go/v4"

	"github.com/hotcold/hotcold/internal/clone"
	"github.com/hotcold/hotcold/internal/config"
)

// password is that of every key store of these tests.
const password = "cordacadevpass"

func passwords() []config.Secret { return []config.Secret{config.NewSecret(password)} }

// nodeSelection is what a Corda node's twin needs.
func nodeSelection() clone.Selection {
	return clone.Selection{
		Wanted: []clone.Wanted{
			{Path: "certificates/", Required: true, Why: "another identity"}, {Path: "network-parameters", Required: true},
			{Path: "cordapps/"}, {Path: "drivers/"}, {Path: "*.jar"}, {Path: "ssh/"},
		},
		Never:    clone.NeverOfAnyNode(),
		Identity: []string{"certificates/nodekeystore.jks", "certificates/sslkeystore.jks", "certificates/truststore.jks"},
		Secret:   []string{"certificates", "ssh", "*.jks"},
	}
}

// put writes a file and the directories that it needs.
func put(t *testing.T, dir, name string, content []byte, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	old := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

// keyPair is a private key with a certificate.
type keyPair struct {
	key  *ecdsa.PrivateKey
	cert []byte
}

func newKeyPair(t *testing.T) keyPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{key: key, cert: issue(t, key, 1)}
}

// issue makes a certificate for a key.
func issue(t *testing.T, key *ecdsa.PrivateKey, serial int64) []byte {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "Corda HA"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// store is a JKS with a private key.
func (p keyPair) store(t *testing.T, pass string) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		t.Fatal(err)
	}
	s := keystore.New()
	if err := s.SetPrivateKeyEntry("identity-private-key", keystore.PrivateKeyEntry{CreationTime: time.Unix(0, 0), PrivateKey: der,
		CertificateChain: []keystore.Certificate{{Type: "X.509", Content: p.cert}}}, []byte(pass)); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.Store(&b, []byte(pass)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// node makes a base directory as a primary has it.
func node(t *testing.T, id keyPair) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"nodekeystore", "sslkeystore", "truststore"} {
		put(t, dir, "certificates/"+name+".jks", id.store(t, password), 0o644)
	}
	put(t, dir, "network-parameters", []byte("signed"), 0o644)
	put(t, dir, "cordapps/app.jar", bytes.Repeat([]byte("flow"), 1000), 0o640)
	put(t, dir, "cordapps/config/app.conf", []byte("a = 1"), 0o600)
	put(t, dir, "drivers/postgresql.jar", []byte("driver"), 0o644)
	put(t, dir, "corda-4.12.jar", bytes.Repeat([]byte("node"), 700_000), 0o644)
	if err := os.Symlink("corda-4.12.jar", filepath.Join(dir, "corda.jar")); err != nil {
		t.Fatal(err)
	}
	// What belongs to one machine, or to the drive.
	for _, name := range []string{"artemis/journal/server.lock", "logs/node.log", "brokers/rpc/x", "process-id", "persistence.mv.db", "cordapps/h2.mv.db"} {
		put(t, dir, name, []byte("mine"), 0o644)
	}
	return dir
}

// open opens a directory as a side.
func open(t *testing.T, dir string) *clone.Directory {
	t.Helper()
	d, err := clone.OpenDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// manifest lists a side.
func manifest(t *testing.T, s clone.Side) clone.Manifest {
	t.Helper()
	m, err := clone.Build(t.Context(), s, nodeSelection(), clone.BuildOptions{Passwords: passwords()})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// cloned makes one side like another, and returns the steps.
func cloned(t *testing.T, from, to clone.Side, i clone.Intent) []clone.Step {
	t.Helper()
	steps, refusals := clone.Decide(manifest(t, from), manifest(t, to), nodeSelection(), i)
	if len(refusals) > 0 {
		t.Fatalf("refused: %v", refusals)
	}
	if err := clone.Copy(t.Context(), from, to, steps, clone.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	return steps
}
