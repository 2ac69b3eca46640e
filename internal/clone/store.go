package clone

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/hotcold/hotcold/internal/config"
)

// maxStoreBytes is far above any key store of a node.
const maxStoreBytes = 1 << 20

// isStore tells by its name whether a file is a key store. What it is by its content is looked at when it is opened.
func isStore(name string) bool {
	return slices.Contains([]string{".jks", ".p12", ".pfx", ".keystore", ".truststore", ".ks", ".ts"}, strings.ToLower(path.Ext(name)))
}

// keysIn opens a key store with the first password that does, and names what it
// holds. A store that none of them opens says why: its digest still tells whether
// two are alike.
func keysIn(content []byte, passwords []config.Secret) (keys []Key, closed string) {
	if len(passwords) == 0 {
		return nil, "its password is not known"
	}
	opened := jks
	switch {
	case bytes.HasPrefix(content, []byte{0xfe, 0xed, 0xfe, 0xed}):
	case len(content) > 0 && content[0] == 0x30: // a sequence, as PKCS #12 begins
		opened = pkcs
	default:
		return nil, "it is neither JKS nor PKCS #12"
	}
	for _, p := range passwords {
		if found, err := opened(content, p.Reveal()); err == nil {
			slices.SortFunc(found, func(a, b Key) int { return strings.Compare(a.Certificate, b.Certificate) })
			return found, ""
		}
	}
	return nil, "no password of the node's configuration opens it"
}

// jks reads Java's own format. The certificates in it stand in the open; the
// password says that nobody has touched them.
func jks(content []byte, password string) ([]Key, error) {
	store := keystore.New(keystore.WithOrderedAliases(), keystore.WithCaseExactAliases())
	if err := store.Load(bytes.NewReader(content), []byte(password)); err != nil {
		return nil, err
	}
	var keys []Key
	for _, alias := range store.Aliases() {
		if store.IsPrivateKeyEntry(alias) {
			chain, err := store.GetPrivateKeyEntryCertificateChain(alias)
			if err != nil {
				return nil, err
			}
			if len(chain) == 0 {
				return nil, fmt.Errorf("an entry has no certificate")
			}
			keys = append(keys, keyOf(chain[0].Content, false))
			continue
		}
		entry, err := store.GetTrustedCertificateEntry(alias)
		if err != nil {
			return nil, err
		}
		keys = append(keys, keyOf(entry.Certificate.Content, true))
	}
	return keys, nil
}

// pkcs reads the format that newer Java writes, under the name .jks too.
func pkcs(content []byte, password string) ([]Key, error) {
	if trusted, err := pkcs12.DecodeTrustStore(content, password); err == nil {
		var keys []Key
		for _, c := range trusted {
			keys = append(keys, keyOfCertificate(c, true))
		}
		return keys, nil
	}
	_, leaf, _, err := pkcs12.DecodeChain(content, password) // the private key is thrown away at once
	if err != nil {
		return nil, err
	}
	return []Key{keyOfCertificate(leaf, false)}, nil
}

// keyOf names a certificate. One that Go cannot read, with a curve that it does
// not know for example, is its own name for its key too.
func keyOf(der []byte, trusted bool) Key {
	if c, err := x509.ParseCertificate(der); err == nil {
		return keyOfCertificate(c, trusted)
	}
	whole := sha256.Sum256(der)
	return Key{Certificate: hex.EncodeToString(whole[:]), Public: hex.EncodeToString(whole[:]), Trusted: trusted}
}

func keyOfCertificate(c *x509.Certificate, trusted bool) Key {
	whole, public := sha256.Sum256(c.Raw), sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return Key{Certificate: hex.EncodeToString(whole[:]), Public: hex.EncodeToString(public[:]), Trusted: trusted}
}
