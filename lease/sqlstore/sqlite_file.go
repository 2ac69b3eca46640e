package sqlstore

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// errReplaced is met when the database file is not the one that was opened.
var errReplaced = errors.New("the database file was replaced or removed while it was used")

// fileID tells files apart, on one machine.
type fileID struct{ device, inode uint64 }

func (id fileID) String() string { return fmt.Sprintf("/%x:%d", id.device, id.inode) }

// identify never opens the file: closing any descriptor of a file takes away all
// locks that this process holds on it, SQLite's as well.
func identify(path string) (fileID, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fileID{}, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() {
		return fileID{}, fmt.Errorf("%s is not a file", path)
	}
	return fileID{uint64(stat.Dev), stat.Ino}, nil
}

// create makes an empty file that only its owner reads. SQLite gives the same
// rights to the journal beside it.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil // another agent was faster
	}
	if err != nil {
		return fmt.Errorf("create the database file: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("create the database file: %w", err)
	}
	return syncDirectory(filepath.Dir(path))
}

// syncDirectory makes the name of a new file last.
func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the directory of the database file: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync the directory of the database file: %w", err)
	}
	return nil
}

// networkDrives are the file systems on which locks or the order of writes are
// not what SQLite needs, by the numbers of statfs(2).
func networkDrives() map[int64]string {
	return map[int64]string{
		unix.NFS_SUPER_MAGIC:  "NFS",
		unix.CIFS_SUPER_MAGIC: "SMB (cifs)",
		unix.SMB2_SUPER_MAGIC: "SMB (smb2)",
		unix.SMB_SUPER_MAGIC:  "SMB (smbfs)",
		unix.AFS_SUPER_MAGIC:  "AFS",
		unix.CEPH_SUPER_MAGIC: "Ceph",
		unix.V9FS_MAGIC:       "9P",
		0x01161970:            "GFS2",
		0x7461636f:            "OCFS2",
		0x0bd00bd0:            "Lustre",
	}
}

// localDrive refuses network drives. What FUSE stands for cannot be told, so
// that is a warning.
func localDrive(path string, log *slog.Logger) error {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return fmt.Errorf("look at the drive of the database file: %w", &fs.PathError{Op: "statfs", Path: path, Err: err})
	}
	return judgeDrive(path, int64(stat.Type), log)
}

func judgeDrive(path string, kind int64, log *slog.Logger) error {
	if name, found := networkDrives()[kind]; found {
		return fmt.Errorf("%w: %s is on %s, where SQLite's locks cannot be relied on: use a local disk, or PostgreSQL for two machines",
			ErrNetworkDrive, path, name)
	}
	if kind == unix.FUSE_SUPER_MAGIC {
		log.Warn("the database file is on a FUSE file system: make sure that it is a local disk with working locks", "path", path)
	}
	return nil
}
