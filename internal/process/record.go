package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// recordVersion changes when an older program would misread the record.
const recordVersion = 1

// record is the state file: what the last start of a node left behind.
type record struct {
	Version int `json:"version"`
	// Machine is BootID at the time of writing.
	Machine  string `json:"machine"`
	ID       string `json:"id"`
	Instance string `json:"instance"`
	Epoch    uint64 `json:"epoch"`
	// Dead is the tombstone: the whole tree was seen dead. Without it the
	// tree has to be taken for alive.
	Dead bool `json:"dead"`
	// Cgroup holds every process of the tree, or is empty if there is none.
	Cgroup string `json:"cgroup,omitempty"`
	Agent  ident  `json:"agent"`
	Guard  ident  `json:"guard"`
	Node   ident  `json:"node"`
}

func recordPath(runtimeDir string) string { return filepath.Join(runtimeDir, "node.json") }
func guardLockPath(dir string) string     { return filepath.Join(dir, "guard.lock") }

// readRecord returns nil where there is no record.
func readRecord(path string) (*record, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read state file: %w", err)
	}
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("read state file %s: %w", path, err)
	}
	if r.Version != recordVersion {
		return nil, fmt.Errorf("read state file %s: version %d is not known", path, r.Version)
	}
	return &r, nil
}

// write replaces the file as a whole and makes it durable.
func (r record) write(path string) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write state file: %w", err)
	}
	tmp := path + ".tmp"
	if err := writeSynced(tmp, append(b, '\n')); err != nil {
		return fmt.Errorf("write state file: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write state file: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}

// BootID names one boot of this machine as seen from one pid namespace: while
// it is the same, a process id means the same thing, and a process that is not
// there is dead. A container that was made anew has another one.
func BootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read boot id: %w", err)
	}
	fi, err := os.Stat("/proc/self/ns/pid")
	if err != nil {
		return "", fmt.Errorf("read pid namespace: %w", err)
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return "", errors.New("read pid namespace: no inode")
	}
	return fmt.Sprintf("%s/%d", strings.TrimSpace(string(b)), st.Ino), nil
}
