package drive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// WriteFstab puts an entry into an fstab: idempotently, at once as a whole, with a copy
// of what was there beside it. The copy's name is empty where nothing changed.
func WriteFstab(path string, e Entry, now time.Time) (backup string, err error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the link stays, and what it leads to is replaced
	}
	text, err := os.ReadFile(path)
	info, statErr := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		with, _, _, err := ParseFstab("").With(e)
		if err != nil {
			return "", err
		}
		return "", replaceFile(path, with.String(), 0o644, nil)
	case err != nil || statErr != nil:
		return "", errors.Join(err, statErr)
	}
	with, _, changed, err := ParseFstab(string(text)).With(e)
	if err != nil || !changed {
		return "", err
	}
	backup = path + ".before-hotcold-" + now.UTC().Format("20060102-150405")
	if err := replaceFile(backup, string(text), info.Mode().Perm(), info); err != nil {
		return "", fmt.Errorf("keep a copy of %s: %w", path, err)
	}
	return backup, replaceFile(path, with.String(), info.Mode().Perm(), info)
}

// WriteCredentials writes the file with the user and the password of a share, for root
// alone. It has its mode before anything is in it.
func WriteCredentials(path, user, secret string) error {
	if strings.ContainsAny(user+secret, "\n\r") || secret == "" || user == "" {
		return errors.New("want a user and a password, each in one line")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write the file with the password: %w", err)
	}
	if err := replaceFile(path, "username="+user+"\npassword="+secret+"\n", 0o600, nil); err != nil {
		return fmt.Errorf("write the file with the password: %w", err)
	}
	return nil
}

// replaceFile puts a text in the place of a file, as a whole or not at all. Owner and
// group are those of like, where there is one.
func replaceFile(path, text string, mode fs.FileMode, like fs.FileInfo) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".hotcold-*") // of mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails once it has been renamed, and should
	err = tmp.Chmod(mode)
	if uid, gid, ok := ownerOf(like); ok && err == nil {
		err = tolerant(tmp.Chown(uid, gid))
	}
	if err == nil {
		_, err = tmp.WriteString(text)
	}
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// OwnerOf is who owns a file or directory.
func OwnerOf(path string) (*User, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	uid, gid, ok := ownerOf(info)
	if !ok {
		return nil, fmt.Errorf("%s does not say who owns it", path)
	}
	return &User{uid, gid}, nil
}

// mountLimit bounds a mount: the kernel's own limits are minutes.
const mountLimit = 90 * time.Second

// ErrMount says that a mount did not succeed.
var ErrMount = errors.New("it could not be mounted")

// MountPoint mounts what fstab has for a point, as the machine's start will.
func MountPoint(ctx context.Context, fstab, point string) error {
	ctx, cancel := context.WithTimeout(ctx, mountLimit)
	defer cancel()
	args := []string{point}
	if fstab != FstabFile {
		args = []string{"--fstab", fstab, point}
	}
	said, err := exec.CommandContext(ctx, "mount", args...).CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("not within %v", mountLimit)
	}
	return fmt.Errorf("mount %s: %w: %w: %s", point, ErrMount, err, strings.Join(strings.Fields(string(said)), " "))
}

// MountHint says what a refused mount usually means.
func MountHint(s Share, err error) string {
	text := err.Error()
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	smb := s.Service == AzureFiles || s.Service == SMBServer
	switch {
	case has("unknown filesystem type", "bad option; for several filesystems", "helper program", "No such device"):
		if s.Helper {
			return "install amazon-efs-utils"
		}
		if smb {
			return "install cifs-utils, and a kernel that has cifs"
		}
		return "install nfs-common (Debian, Ubuntu) or nfs-utils"
	case smb && has("Permission denied", "(13)"):
		return "is the key right, does the server take this version of SMB, does it ask for encryption?"
	case smb && has("(115)", "(110)", "(111)", "(112)", "(113)", "timed out", "not within", "Host is down"):
		return "is TCP port 445 open to the server? many networks block it"
	case smb && has("(2)", "No such file"):
		return "is the share's name right, and is the user the storage account's name?"
	case has("access denied", "Operation not permitted"):
		return "does the server's export let this machine in, also from ports above 1023 (insecure, for noresvport)?"
	case has("timed out", "not within", "Connection refused", "No route"):
		return "is TCP port 2049 open to the server? for EFS: is there a mount target in this machine's zone, and does its security group let this machine in?"
	case has("resolve"):
		return "is the server's name right, and does the resolver of this network know it?"
	}
	return "`dmesg | tail` says more"
}
