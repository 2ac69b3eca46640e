package process

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroup is the directory of a cgroup v2 that holds one node and nothing else.
// The zero value stands for none.
type cgroup string

// instancePrefix is the same for all cgroups of an instance, so that Clean
// finds those that no record names.
func instancePrefix(instance string) string {
	sum := sha256.Sum256([]byte(instance))
	return "hotcold-" + hex.EncodeToString(sum[:4]) + "-"
}

// cgroupParent returns the directory below which to make cgroups: the agent's
// own cgroup, which is what systemd delegates and what a container owns.
func cgroupParent(setting string) (string, error) {
	if setting != "" && setting != CgroupAuto {
		var fs unix.Statfs_t
		if err := unix.Statfs(setting, &fs); err != nil {
			return "", fmt.Errorf("look at cgroup %s: %w", setting, err)
		}
		if fs.Type != unix.CGROUP2_SUPER_MAGIC {
			return "", fmt.Errorf("%s is not in a cgroup v2 file system", setting)
		}
		return setting, nil
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("look for cgroup v2: %w", err)
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", fmt.Errorf("look for cgroup v2: %w", err)
	}
	return ownCgroup(string(mounts), string(own))
}

// ownCgroup joins what mountinfo and /proc/self/cgroup say.
func ownCgroup(mountinfo, own string) (string, error) {
	path, found := "", false
	for line := range strings.Lines(own) {
		if p, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			path, found = p, true
		}
	}
	if !found {
		return "", errors.New("this process is in no cgroup v2")
	}
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		f := strings.Fields(before)
		if !ok || len(f) < 5 || !strings.HasPrefix(after, "cgroup2 ") {
			continue
		}
		root, point := unescapeMount(f[3]), unescapeMount(f[4])
		rest, inside := strings.CutPrefix(path+"/", strings.TrimSuffix(root, "/")+"/")
		if !inside || strings.Contains("/"+rest+"/", "/../") {
			continue // this mount does not show our own cgroup
		}
		return filepath.Join(point, rest), nil
	}
	return "", errors.New("no mounted cgroup v2 shows the cgroup of this process")
}

// unescapeMount undoes the octal escapes of mountinfo.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// populated tells whether a living process is in the cgroup or below. Zombies
// do not count. A cgroup that is not there is empty: only an empty one can be
// removed.
func (c cgroup) populated() (bool, error) {
	if c == "" {
		return false, nil
	}
	b, err := os.ReadFile(filepath.Join(string(c), "cgroup.events"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return false, nil
	}
	if err != nil {
		return true, fmt.Errorf("read cgroup: %w", err)
	}
	return !bytes.Contains(b, []byte("populated 0")), nil
}

// kill kills all that is in the cgroup and below, forks in flight included.
func (c cgroup) kill() error {
	if c == "" {
		return nil
	}
	err := writeControl(filepath.Join(string(c), "cgroup.kill"), "1")
	if err == nil || errors.Is(err, unix.ENODEV) {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("kill cgroup: %w", err)
	}
	if _, err := os.Stat(string(c)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return c.killEach() // before Linux 5.14 there is no cgroup.kill
}

// killEach kills the processes one by one. One that forks meanwhile is found
// by the next pass.
func (c cgroup) killEach() error {
	ids, err := c.processes()
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		errs = append(errs, id.kill())
	}
	return errors.Join(errs...)
}

// processes lists the living processes in the cgroup and below.
func (c cgroup) processes() ([]ident, error) {
	var ids []ident
	if c == "" {
		return nil, nil
	}
	err := filepath.WalkDir(string(c), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENODEV) {
			return err
		}
		for _, f := range strings.Fields(string(b)) {
			pid, _ := strconv.Atoi(f)
			if p, err := readStat(pid); err == nil && !p.dead() {
				ids = append(ids, p.ident())
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list cgroup: %w", err)
	}
	return ids, nil
}

// remove removes the cgroup and those that the node made below it.
func (c cgroup) remove() error {
	if c == "" {
		return nil
	}
	entries, err := os.ReadDir(string(c))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove cgroup: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := (c + cgroup("/"+e.Name())).remove(); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(string(c)); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove cgroup %s: %w", c, err)
	}
	return nil
}

func writeControl(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}
