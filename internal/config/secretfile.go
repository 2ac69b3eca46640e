package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxSecretBytes is far more than any password or key needs, and keeps a wrong path (a journal, a device) from
// filling the memory.
const maxSecretBytes = 64 << 10

// Who besides its owner may not have any right on a file with a secret.
const (
	nobodyElse = 0o077
	// noStranger is for the directory in which systemd hands secrets to a service: there an access list lets the
	// service's user in, and its mask shows as rights of the group.
	noStranger = 0o007
)

// readSecretFile reads the first line of a file on which none of the rights in closed is granted. The mode is that of
// the open file, so that the file that was looked at is the file that is read.
func readSecretFile(path string, closed os.FileMode) (secret Secret, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return Secret{}, fmt.Errorf("read secret: %w", err)
	}
	// Asked before opening: to open a pipe would wait for its writer.
	if !info.Mode().IsRegular() {
		return Secret{}, fmt.Errorf("read secret: %s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, fmt.Errorf("read secret: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info, err = f.Stat(); err != nil {
		return Secret{}, fmt.Errorf("read secret: %w", err)
	}
	if mode := info.Mode().Perm(); mode&closed != 0 {
		return Secret{}, fmt.Errorf("%s may be read by others than its owner (mode %04o); run: chmod 600 %s", path, mode, path)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	if err != nil {
		return Secret{}, fmt.Errorf("read secret: %w", err)
	}
	if len(content) > maxSecretBytes {
		return Secret{}, fmt.Errorf("%s is too large for a secret (limit %d bytes)", path, maxSecretBytes)
	}
	line, _, _ := bytes.Cut(content, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 {
		return Secret{}, fmt.Errorf("%s has an empty first line, want the secret there", path)
	}
	return NewSecret(string(line)), nil
}
