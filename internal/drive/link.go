package drive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// LinkOptions say what is linked where.
type LinkOptions struct {
	// BaseDir is the node's, Name the entry in it: "artemis".
	BaseDir, Name string
	// Target is the directory on the drive.
	Target string
	// Move: a directory that is there is moved to the drive, and the old one kept.
	Move bool
	// User will own what is made; nil: whoever runs this.
	User *User
	// Progress is told of each file that is moved.
	Progress func(path string, doneBytes, allBytes int64)
}

// Linking is what has to be done.
type Linking string

// What a link may need.
const (
	Nothing  Linking = "nothing"   // it is linked
	LinkOnly Linking = "link"      // make the link
	MoveAll  Linking = "move"      // move what is there, then link
	SetAside Linking = "set aside" // an empty directory gives way to the link
)

// Kept is the name under which a directory that was moved stays.
const Kept = ".before-hotcold"

// PlanLink finds out what has to be done. It refuses what would hide or lose data. It
// changes nothing.
func PlanLink(o LinkOptions) (Linking, error) {
	path := filepath.Join(o.BaseDir, o.Name)
	if info, err := os.Stat(o.BaseDir); err != nil || !info.IsDir() {
		return "", fmt.Errorf("the base directory %s is not there", o.BaseDir)
	}
	if Within(o.Target, path) || Within(path, o.Target) {
		return "", fmt.Errorf("%s and %s are within one another", path, o.Target)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return LinkOnly, nil
	case err != nil:
		return "", fmt.Errorf("look at what is to be linked: %w", err)
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(o.BaseDir, to)
		}
		if filepath.Clean(to) == filepath.Clean(o.Target) {
			return Nothing, nil
		}
		return "", fmt.Errorf("%s leads to %s already, and not to %s: remove that link if it is not meant", path, to, o.Target)
	case !info.IsDir():
		return "", fmt.Errorf("%s is a file, and no directory", path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return "", err
	}
	if len(entries) == 0 {
		return SetAside, nil
	}
	if !o.Move {
		return "", fmt.Errorf("%s is not empty (%s): a link would hide that: --move moves it to the drive, verified file by file, and keeps the old one", path, entries[0].Name())
	}
	if there, err := os.ReadDir(o.Target); err == nil && len(there) > 0 {
		return "", fmt.Errorf("both %s and %s have files: a person has to say which are the node's", path, o.Target)
	}
	if pid, ok := usedBy(path); ok {
		return "", fmt.Errorf("process %d uses %s: stop the node first", pid, path)
	}
	return MoveAll, nil
}

// Link does what PlanLink finds. Doing it twice is no harm.
func Link(ctx context.Context, o LinkOptions) (Linking, error) {
	plan, err := PlanLink(o)
	if err != nil || plan == Nothing {
		return plan, err
	}
	path := filepath.Join(o.BaseDir, o.Name)
	switch plan {
	case MoveAll:
		kept := path + Kept
		if _, err := os.Lstat(kept); !errors.Is(err, fs.ErrNotExist) {
			return plan, fmt.Errorf("%s is there: an earlier move has kept it; see to it first", kept)
		}
		if err := move(ctx, path, o); err != nil {
			return plan, fmt.Errorf("move %s to the drive: %w", path, err)
		}
		if err := os.Rename(path, kept); err != nil {
			return plan, fmt.Errorf("set the old directory aside: %w", err)
		}
	case SetAside:
		if err := os.Remove(path); err != nil {
			return plan, fmt.Errorf("remove the empty directory: %w", err)
		}
	}
	if err := o.own(o.Target, func() error { return os.MkdirAll(o.Target, 0o700) }); err != nil {
		return plan, fmt.Errorf("make the directory on the drive: %w", err)
	}
	if err := os.Symlink(o.Target, path); err != nil {
		return plan, fmt.Errorf("link it: %w", err)
	}
	if o.User != nil && os.Geteuid() == 0 {
		return plan, os.Lchown(path, o.User.UID, o.User.GID)
	}
	return plan, nil
}

// own makes something and gives it to the node's user, where the drive has owners.
func (o LinkOptions) own(path string, f func() error) error {
	_, err := os.Lstat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err := f(); err != nil {
		return err
	}
	if !fresh || o.User == nil || os.Geteuid() != 0 {
		return nil
	}
	return tolerant(os.Chown(path, o.User.UID, o.User.GID))
}

// tolerant forgives a drive that has no owners or modes of its own: SMB's are the mount's.
func tolerant(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EACCES) {
		return nil
	}
	return err
}

// file is one entry below the directory that is moved.
type file struct {
	rel  string
	info fs.FileInfo
}

// move copies a directory to the drive under a name of its own, verifies every file
// there, and gives it its name only then. What it finds half done of an earlier try it
// removes. The source is left as it is.
func move(ctx context.Context, from string, o LinkOptions) error {
	part := filepath.Join(filepath.Dir(o.Target), ".hotcold-moving-"+filepath.Base(o.Target))
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	files, all, err := listed(from)
	if err != nil {
		return err
	}
	var done int64
	for _, f := range files {
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), os.RemoveAll(part))
		}
		o.Progress(f.rel, done, all)
		if err := moveOne(filepath.Join(from, f.rel), filepath.Join(part, f.rel), f.info); err != nil {
			return fmt.Errorf("%s: %w", f.rel, err)
		}
		done += f.info.Size()
	}
	o.Progress("", done, all)
	if again, _, err := listed(from); err != nil || !same(files, again) {
		return errors.Join(fmt.Errorf("%s changed while it was copied: is the node running?", from), err)
	}
	if err := settle(part, files); err != nil {
		return err
	}
	if err := os.Remove(o.Target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // it is there and not empty
	}
	return os.Rename(part, o.Target)
}

// listed are all entries below a directory, parents first, and their size.
func listed(dir string) (files []file, bytes int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.IsDir() && !info.Mode().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a directory", path)
		}
		rel, err := filepath.Rel(dir, path)
		files = append(files, file{rel, info})
		if info.Mode().IsRegular() {
			bytes += info.Size()
		}
		return err
	})
	return files, bytes, err
}

func same(a, b []file) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].rel != b[i].rel || a[i].info.Size() != b[i].info.Size() || !a[i].info.ModTime().Equal(b[i].info.ModTime()) {
			return false
		}
	}
	return true
}

// moveOne copies one entry, makes it durable, and reads it back from the drive.
func moveOne(from, to string, info fs.FileInfo) error {
	if info.IsDir() {
		return os.MkdirAll(to, 0o700)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, sum), in)
	if err = errors.Join(err, out.Sync()); err == nil {
		forget(out)
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	back, err := os.Open(to)
	if err != nil {
		return err
	}
	defer back.Close()
	check := sha256.New()
	if _, err := io.Copy(check, back); err != nil {
		return fmt.Errorf("read it back: %w", err)
	}
	if string(check.Sum(nil)) != string(sum.Sum(nil)) {
		return errors.New("what the drive gives back is not what was written")
	}
	return nil
}

// settle gives the copies their owners, modes and times, children first, as far as the
// drive has them.
func settle(part string, files []file) error {
	for i := len(files) - 1; i >= 0; i-- {
		path, info := filepath.Join(part, files[i].rel), files[i].info
		if uid, gid, ok := ownerOf(info); ok && os.Geteuid() == 0 {
			if err := tolerant(os.Lchown(path, uid, gid)); err != nil {
				return err
			}
		}
		if err := errors.Join(tolerant(os.Chmod(path, info.Mode().Perm())), tolerant(os.Chtimes(path, info.ModTime(), info.ModTime()))); err != nil {
			return err
		}
	}
	return nil
}

// usedBy finds a process that has something below a directory open, as far as this
// user may see.
func usedBy(dir string) (pid int, used bool) {
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		to, err := os.Readlink(fd)
		if err != nil || !Within(to, dir) {
			continue
		}
		if _, err := fmt.Sscanf(strings.TrimPrefix(fd, "/proc/"), "%d", &pid); err == nil && pid != os.Getpid() {
			return pid, true
		}
	}
	return 0, false
}
