package drive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// bare is the directory under a mount.
type bare struct {
	mode      fs.FileMode
	immutable bool
	entries   []string // what a node wrote there while nothing was mounted
}

func (b bare) protected() bool { return b.immutable || b.mode.Perm() == 0 }

// immutableFlag is FS_IMMUTABLE_FL of linux/fs.h: what `chattr +i` sets.
const immutableFlag = 0x10

// mostEntries is how many names are read of what is hidden under a mount.
const mostEntries = 3

// underMount looks below a mount, by a private copy of the mount that it was put on.
// Only root may.
func underMount(mounts []Mount, m Mount) (bare, error) {
	var parent Mount
	for _, p := range mounts {
		if p.ID == m.Parent {
			parent = p
		}
	}
	rel, err := filepath.Rel(parent.Point, m.Point)
	if parent.ID == 0 || err != nil || rel == "." {
		return bare{}, fmt.Errorf("it is not known what %s was mounted on", m.Point)
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, parent.Point, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return bare{}, err
	}
	defer unix.Close(tree)
	var x unix.Statx_t
	if err := unix.Statx(tree, rel, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MODE, &x); err != nil {
		return bare{}, err
	}
	b := bare{mode: fs.FileMode(x.Mode & 0o777), immutable: x.Attributes&unix.STATX_ATTR_IMMUTABLE != 0}
	fd, err := unix.Openat(tree, rel, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return bare{}, err
	}
	d := os.NewFile(uintptr(fd), m.Point)
	defer d.Close()
	b.entries, _ = d.Readdirnames(mostEntries) // an empty one ends with an error, too
	return b, nil
}

// checkPoint looks whether a node could write into the directory under the mount, and
// whether one has.
func checkPoint(mounts []Mount, m Mount) []Finding {
	if !m.Kind().Shared() {
		return nil
	}
	b, err := underMount(mounts, m)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return []Finding{finding(Note, "mount point", "unknown", "run it as root to look there", "whether the directory under the mount is protected is not known")}
	case err != nil:
		return nil // it was mounted in a way in which nothing is under it
	case len(b.entries) > 0:
		return []Finding{finding(Fault, "mount point", "hidden", "stop the node, unmount, and see whose files these are", "there are files under the mount on %s (%s, ...): something wrote there while the drive was not mounted", m.Point, b.entries[0])}
	case !b.protected():
		return []Finding{finding(Warning, "mount point", "bare", "unmount it and `chmod 0 "+m.Point+"`; or use `hotcold drive fstab --apply`, which does that", "the directory under the mount has mode %04o: a node that starts without the drive writes there", b.mode.Perm())}
	}
	return []Finding{finding(OK, "mount point", "protected", "", "nothing can be written to %s while the drive is not mounted", m.Point)}
}

// Protect makes a mount point and takes all rights from it, so that a node which
// starts without its drive fails, and does not begin an empty journal. Where the disk
// can do it not even root may write there. What is in it stays, and is an error.
func Protect(point string) error {
	if err := os.MkdirAll(filepath.Dir(point), 0o755); err != nil {
		return fmt.Errorf("make the mount point: %w", err)
	}
	if err := os.Mkdir(point, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the mount point: %w", err)
	}
	entries, err := os.ReadDir(point)
	switch {
	case err != nil:
		return fmt.Errorf("look into the mount point: %w", err)
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty (%s): a mount would hide that; move it away first", point, entries[0].Name())
	}
	d, err := os.Open(point)
	if err != nil {
		return fmt.Errorf("protect the mount point: %w", err)
	}
	defer d.Close()
	if flags, err := unix.IoctlGetInt(int(d.Fd()), unix.FS_IOC_GETFLAGS); err == nil && flags&immutableFlag != 0 {
		return nil // it is as it should be
	}
	if err := d.Chmod(0); err != nil {
		return fmt.Errorf("protect the mount point: %w", err)
	}
	if flags, err := unix.IoctlGetInt(int(d.Fd()), unix.FS_IOC_GETFLAGS); err == nil {
		_ = unix.IoctlSetPointerInt(int(d.Fd()), unix.FS_IOC_SETFLAGS, flags|immutableFlag) // no right, or no such disk: the mode is enough for all but root
	}
	return nil
}

// Own gives the root of a fresh drive to the node's user. It does nothing where it is
// somebody's already, or where the drive has no owners of its own.
func Own(dir string, u *User) (done bool, err error) {
	if u == nil || u.UID == 0 || os.Geteuid() != 0 {
		return false, nil
	}
	was, err := OwnerOf(dir)
	if err != nil || was.UID != 0 {
		return false, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 1 || len(entries) == 1 && entries[0].Name() != "lost+found" {
		return false, err
	}
	if err := os.Chown(dir, u.UID, u.GID); err != nil {
		return false, tolerant(err)
	}
	return true, nil
}

// as runs f with the rights of a user on files, where we are root. The thread that has
// them ends with it.
func as(u *User, f func() error) error {
	if u == nil || os.Geteuid() != 0 || u.UID == 0 {
		return f()
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread goes, and its rights with it
		if err := errors.Join(unix.Setfsgid(u.GID), unix.Setfsuid(u.UID)); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}
