package clone_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/clone"
	"github.com/hotcold/hotcold/internal/testserver"
)

func digest(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}

// Real stores, as keytool makes them: Java's own format, and PKCS #12, which it
// writes under the name .jks too.
func TestStoresOfKeytoolAreOpened(t *testing.T) {
	keytool := testserver.Keytool(t)
	for _, kind := range []string{"JKS", "PKCS12"} {
		dir := t.TempDir()
		keys, trust := filepath.Join(dir, "certificates/nodekeystore.jks"), filepath.Join(dir, "certificates/truststore.jks")
		if err := os.Mkdir(filepath.Dir(keys), 0o700); err != nil {
			t.Fatal(err)
		}
		der := filepath.Join(dir, "cert.der")
		run := func(args ...string) {
			t.Helper()
			if out, err := exec.CommandContext(t.Context(), keytool, args...).CombinedOutput(); err != nil {
				t.Fatalf("keytool %v: %v: %s", args, err, out)
			}
		}
		run("-genkeypair", "-keystore", keys, "-storetype", kind, "-storepass", password, "-keypass", password, "-alias", "identity", "-keyalg", "EC", "-dname", "CN=x")
		run("-exportcert", "-keystore", keys, "-storepass", password, "-alias", "identity", "-file", der)
		run("-importcert", "-noprompt", "-keystore", trust, "-storetype", kind, "-storepass", password, "-alias", "root", "-file", der)
		cert, err := os.ReadFile(der)
		if err != nil {
			t.Fatal(err)
		}
		m := manifest(t, open(t, dir))
		for name, trusted := range map[string]bool{"certificates/nodekeystore.jks": false, "certificates/truststore.jks": true} {
			e, _ := m.At(name)
			if len(e.Keys) != 1 || e.Keys[0].Certificate != digest(cert) || e.Keys[0].Trusted != trusted || e.Closed != "" {
				t.Errorf("%s %s: %+v, want certificate %s", kind, name, e, digest(cert))
			}
		}
		m, err = clone.Build(t.Context(), open(t, dir), nodeSelection(), clone.BuildOptions{})
		if e, _ := m.At("certificates/nodekeystore.jks"); err != nil || e.Keys != nil || !strings.Contains(e.Closed, "password is not known") {
			t.Errorf("without a password: %+v, %v", e, err)
		}
	}
}
