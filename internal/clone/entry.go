package clone

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Entry is one file of a manifest.
type Entry struct {
	// Path is relative to the base directory, with slashes.
	Path string `json:"path"`
	Size int64  `json:"size"`
	Mode Mode   `json:"mode"`
	// ModTime is when it was last written, for people; two files may differ in it.
	ModTime time.Time `json:"modified,omitzero"`
	// SHA256 is of the content, in hex; empty for a link.
	SHA256 string `json:"sha256,omitempty"`
	// Link is where a symbolic link points to; empty for a file.
	Link string `json:"link,omitempty"`
	// Keys are what a key store holds; none where it could not be opened.
	Keys []Key `json:"keys,omitempty"`
	// Closed says why a key store could not be opened; empty where it could.
	Closed string `json:"closed,omitempty"`
}

// Mode are the permissions of a file, as ls and chmod know them.
type Mode fs.FileMode

func (m Mode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// MarshalText writes 0640.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads 0640.
func (m *Mode) UnmarshalText(text []byte) error {
	var n uint32
	if _, err := fmt.Sscanf(string(text), "%o", &n); err != nil || n > uint32(fs.ModePerm) {
		return fmt.Errorf("want permissions such as 0640, got %q", text)
	}
	*m = Mode(n)
	return nil
}

// Key is one certificate in a key store, by fingerprints that name it and open nothing.
type Key struct {
	// Certificate and Public are the SHA-256, in hex, of the certificate and of the public key in it.
	Certificate string `json:"certificate"`
	Public      string `json:"public"`
	// Trusted: the store trusts it and has no private key for it.
	Trusted bool `json:"trusted,omitempty"`
}

// Manifest is what one machine has of a selection, in the order of the paths.
type Manifest struct {
	Entries []Entry `json:"entries"`
	// Dirs are the listed directories that are there, with a slash behind.
	Dirs []string `json:"dirs,omitempty"`
	// Left are what could not be listed, and why, in words.
	Left []string `json:"left,omitempty"`
	// Parts are files on their way that an interruption left.
	Parts []string `json:"-"`
}

// At finds an entry.
func (m Manifest) At(path string) (Entry, bool) {
	i, ok := slices.BinarySearchFunc(m.Entries, path, func(e Entry, path string) int { return strings.Compare(e.Path, path) })
	if !ok {
		return Entry{}, false
	}
	return m.Entries[i], true
}

// Only is the part of a manifest that a selection lists.
func (m Manifest) Only(sel Selection) Manifest {
	only := Manifest{Left: m.Left}
	for _, e := range m.Entries {
		if sel.lists(e.Path) {
			only.Entries = append(only.Entries, e)
		}
	}
	return only
}

// Firm is a manifest without the files in which the node itself writes: those come
// and go while it is hot, and nobody has to be told each time.
func (m Manifest) Firm(sel Selection) Manifest {
	firm := Manifest{Left: m.Left}
	for _, e := range m.Entries {
		if !anyPart(sel.Loose, e.Path) {
			firm.Entries = append(firm.Entries, e)
		}
	}
	return firm
}

// Bytes is the size of all files together.
func (m Manifest) Bytes() (n int64) {
	for _, e := range m.Entries {
		n += e.Size
	}
	return n
}

// Digest stands for all of a manifest but the times: two that have the same one are alike.
func (m Manifest) Digest() string {
	h := sha256.New()
	for _, e := range m.Entries {
		e.ModTime = time.Time{}
		text, err := json.Marshal(e)
		if err != nil {
			panic("encode an entry: " + err.Error()) // texts and numbers cannot fail
		}
		h.Write(append(text, '\n'))
	}
	for _, left := range m.Left {
		fmt.Fprintf(h, "left %q\n", left)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Fingerprint is a digest as a person compares it: its first bytes, in groups.
func Fingerprint(hexDigest string) string {
	text := strings.ToUpper(hexDigest)
	var groups []string
	for len(text) >= 4 && len(groups) < 6 {
		groups, text = append(groups, text[:4]), text[4:]
	}
	return "SHA256 " + strings.Join(groups, " ")
}
