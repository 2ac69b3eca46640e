package clone

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// Side is a node's base directory on this machine or another: the verbs of a file
// system, no more. Names are relative to it, with slashes. What it returns says
// neither which side it was nor which file; whoever asks adds both.
type Side interface {
	// String names the side for people: "machine-b:/opt/corda".
	String() string
	Lstat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.FileInfo, error)
	ReadLink(name string) (string, error)
	// Open opens a file for reading, and never what a link points to.
	Open(name string) (File, error)
	// Part opens a file that only its owner may read, for reading and writing, and
	// makes it where it is not there.
	Part(name string) (File, error)
	Chmod(name string, mode fs.FileMode) error
	Chtimes(name string, modified time.Time) error
	// Rename replaces what is there in one step.
	Rename(from, to string) error
	Remove(name string) error
	Mkdir(name string, mode fs.FileMode) error
	Symlink(target, name string) error
	// SyncDir makes the names in a directory durable, where that can be asked for.
	SyncDir(name string) error
}

// File is an open file of a side.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	Sync() error
}

// Directory is a side on this machine. Nothing outside of it is read or written,
// whatever links there are in it.
type Directory struct {
	name     string
	root     *os.Root
	uid, gid int // who owns the base directory
}

// OpenDirectory opens a base directory of this machine.
func OpenDirectory(name string) (*Directory, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("open the base directory: %w", err)
	}
	d := &Directory{name: name, root: root}
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		return nil, errors.Join(fmt.Errorf("look at the base directory %s: %w", name, err), root.Close())
	}
	d.uid, d.gid = int(st.Uid), int(st.Gid)
	return d, nil
}

// Close ends the use of the directory.
func (d *Directory) Close() error { return d.root.Close() }

// String is the directory's name.
func (d *Directory) String() string { return d.name }

// Lstat says what stands at a name.
func (d *Directory) Lstat(name string) (fs.FileInfo, error) { return d.root.Lstat(name) }

// ReadDir says what a directory holds.
func (d *Directory) ReadDir(name string) ([]fs.FileInfo, error) {
	f, err := d.root.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := f.Readdir(MaxEntries + 1)
	if errors.Is(err, io.EOF) {
		err = nil // it is empty
	}
	return all, err
}

// ReadLink says where a link points to.
func (d *Directory) ReadLink(name string) (string, error) { return d.root.Readlink(name) }

// Open opens a file for reading. A pipe or a device that took its place does not hold it up.
func (d *Directory) Open(name string) (File, error) {
	return orNil(d.root.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0))
}

// Part opens a file for writing.
func (d *Directory) Part(name string) (File, error) {
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := d.own(f.Chown); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// own gives what the superuser has made to the owner of the base directory. Anybody else's is their own.
func (d *Directory) own(chown func(uid, gid int) error) error {
	if os.Geteuid() != 0 || d.uid == 0 {
		return nil
	}
	return chown(d.uid, d.gid)
}

// orNil keeps a nil pointer from becoming an interface that is not nil.
func orNil(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Chmod sets permissions.
func (d *Directory) Chmod(name string, mode fs.FileMode) error { return d.root.Chmod(name, mode) }

// Chtimes sets when a file was last written.
func (d *Directory) Chtimes(name string, modified time.Time) error {
	return d.root.Chtimes(name, modified, modified)
}

// Rename replaces what is there in one step.
func (d *Directory) Rename(from, to string) error { return d.root.Rename(from, to) }

// Remove removes a file, a link, or a directory that is empty.
func (d *Directory) Remove(name string) error { return d.root.Remove(name) }

// Mkdir makes a directory.
func (d *Directory) Mkdir(name string, mode fs.FileMode) error {
	if err := d.root.Mkdir(name, mode); err != nil {
		return err
	}
	return d.own(func(uid, gid int) error { return d.root.Lchown(name, uid, gid) })
}

// Symlink makes a link.
func (d *Directory) Symlink(target, name string) error {
	if err := d.root.Symlink(target, name); err != nil {
		return err
	}
	return d.own(func(uid, gid int) error { return d.root.Lchown(name, uid, gid) })
}

// SyncDir makes the names in a directory durable.
func (d *Directory) SyncDir(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// through finds the first directory on the way to a name that is a link: nothing
// is read or written through it.
func through(s Side, name string) error {
	var way []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		way = append([]string{dir}, way...)
	}
	for _, dir := range way {
		info, err := s.Lstat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // it will be made, and then it is no link
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			return fmt.Errorf("%s is a link there, and nothing is written through a link", dir)
		case !info.IsDir():
			return fmt.Errorf("%s is no directory there", dir)
		}
	}
	return nil
}
