package clone

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/hotcold/hotcold/internal/clock"
)

// Remote is a side on another machine, over SFTP.
type Remote struct {
	host   Host
	base   string
	client *ssh.Client
	sftp   *sftp.Client
	owner  *sftp.FileStat // who owns the base directory
	// ctx is the life of the connection, and not that of a call: its cause says
	// why the connection ended, which package sftp does not know.
	ctx   context.Context
	end   context.CancelCauseFunc
	alive sync.WaitGroup
}

// newRemote opens a base directory over a connection, which it owns from here on.
func newRemote(ctx context.Context, o SSHOptions, client *ssh.Client, baseDir string) (*Remote, error) {
	r := &Remote{host: o.Host, client: client}
	r.ctx, r.end = context.WithCancelCause(ctx)
	// The end of the caller's work ends what waits for the other side.
	context.AfterFunc(r.ctx, func() { client.Close() })
	r.alive.Go(func() { r.watch(o.Clock) })
	err := r.open(baseDir)
	if err != nil {
		err = because(r.ctx, err)
		return nil, errors.Join(fmt.Errorf("open %s on %s: %w", baseDir, o.Host, err), r.Close())
	}
	return r, nil
}

func (r *Remote) open(baseDir string) (err error) {
	r.sftp, err = sftp.NewClient(r.client, sftp.UseConcurrentWrites(true))
	if err != nil {
		return fmt.Errorf("start SFTP: %w", err)
	}
	if r.base, err = r.sftp.RealPath(baseDir); err != nil { // the base directory itself may be a link
		return err
	}
	info, err := r.sftp.Stat(r.base)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return errors.New("it is no directory")
	}
	r.owner, _ = info.Sys().(*sftp.FileStat)
	return nil
}

// watch asks again and again whether the other side is there: SFTP itself would
// wait for ever.
func (r *Remote) watch(c clock.Clock) {
	for clock.Wait(r.ctx, c, aliveEvery) == nil {
		answered := make(chan error, 1)
		go func() {
			_, _, err := r.client.SendRequest("keepalive@openssh.com", true, nil)
			answered <- err // it ends with the connection at the latest
		}()
		timer := c.Timer(c.Now().Boot + aliveLimit)
		select {
		case err := <-answered:
			if err != nil {
				r.end(fmt.Errorf("the connection to %s ended: %w", r.host, err))
			}
		case <-timer.C():
			r.end(fmt.Errorf("%s has not answered for %v", r.host, aliveLimit))
		case <-r.ctx.Done():
		}
		timer.Stop()
	}
}

// Close ends the connection.
func (r *Remote) Close() error {
	r.end(nil)
	r.alive.Wait()
	if r.sftp != nil {
		_ = r.sftp.Close() // the way is cut by now: what was to be durable is
	}
	return ignoreClosed(r.client.Close())
}

// String is user@host:directory.
func (r *Remote) String() string { return r.host.String() + ":" + r.base }

func (r *Remote) at(name string) string { return path.Join(r.base, name) }

// why prefers the reason for which the connection ended.
func (r *Remote) why(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return because(r.ctx, err)
}

// Lstat says what stands at a name.
func (r *Remote) Lstat(name string) (fs.FileInfo, error) {
	info, err := r.sftp.Lstat(r.at(name))
	return info, r.why(err)
}

// ReadDir says what a directory holds.
func (r *Remote) ReadDir(name string) ([]fs.FileInfo, error) {
	all, err := r.sftp.ReadDirContext(r.ctx, r.at(name))
	return all, r.why(err)
}

// ReadLink says where a link points to.
func (r *Remote) ReadLink(name string) (string, error) {
	target, err := r.sftp.ReadLink(r.at(name))
	return target, r.why(err)
}

// Open opens a file for reading. SFTP cannot say that a link is not followed, so
// it is looked at before.
func (r *Remote) Open(name string) (File, error) {
	info, err := r.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no file any more")
	}
	f, err := r.sftp.Open(r.at(name))
	if err != nil {
		return nil, r.why(err)
	}
	return remoteFile{f, r}, nil
}

// Part opens a file for writing.
func (r *Remote) Part(name string) (File, error) {
	f, err := r.sftp.OpenFile(r.at(name), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, r.why(err)
	}
	if err := errors.Join(f.Chmod(0o600), r.own(f.Stat, f.Chown)); err != nil {
		return nil, errors.Join(r.why(err), f.Close())
	}
	return remoteFile{f, r}, nil
}

// own gives what the superuser has made to the owner of the base directory.
func (r *Remote) own(stat func() (fs.FileInfo, error), chown func(uid, gid int) error) error {
	if r.owner == nil || r.owner.UID == 0 {
		return nil
	}
	info, err := stat()
	if err != nil {
		return err
	}
	if mine, ok := info.Sys().(*sftp.FileStat); !ok || mine.UID != 0 {
		return nil
	}
	return chown(int(r.owner.UID), int(r.owner.GID))
}

// Chmod sets permissions.
func (r *Remote) Chmod(name string, mode fs.FileMode) error {
	return r.why(r.sftp.Chmod(r.at(name), mode))
}

// Chtimes sets when a file was last written.
func (r *Remote) Chtimes(name string, modified time.Time) error {
	return r.why(r.sftp.Chtimes(r.at(name), modified, modified))
}

// Rename replaces what is there in one step, which wants OpenSSH's extension.
func (r *Remote) Rename(from, to string) error {
	return r.why(r.sftp.PosixRename(r.at(from), r.at(to)))
}

// Remove removes a file, a link, or a directory that is empty.
func (r *Remote) Remove(name string) error { return r.why(r.sftp.Remove(r.at(name))) }

// Mkdir makes a directory.
func (r *Remote) Mkdir(name string, mode fs.FileMode) error {
	if err := r.sftp.Mkdir(r.at(name)); err != nil {
		return r.why(err)
	}
	return r.why(errors.Join(r.sftp.Chmod(r.at(name), mode), r.own(
		func() (fs.FileInfo, error) { return r.sftp.Lstat(r.at(name)) },
		func(uid, gid int) error { return r.sftp.Chown(r.at(name), uid, gid) })))
}

// Symlink makes a link.
func (r *Remote) Symlink(target, name string) error {
	return r.why(r.sftp.Symlink(target, r.at(name)))
}

// SyncDir does nothing: SFTP has no word for it.
func (r *Remote) SyncDir(string) error { return nil }

// remoteFile is an open file there.
type remoteFile struct {
	*sftp.File
	side *Remote
}

func (f remoteFile) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.File.ReadAt(p, at)
	if err != nil && f.side.ctx.Err() != nil {
		err = context.Cause(f.side.ctx)
	}
	return n, err
}

func (f remoteFile) WriteAt(p []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(p, at)
	return n, f.side.why(err)
}

// Sync makes the content durable. A server that does not know how is not OpenSSH's;
// what was written is still read back.
func (f remoteFile) Sync() error {
	if _, ok := f.side.sftp.HasExtension("fsync@openssh.com"); !ok {
		return nil
	}
	return f.side.why(f.File.Sync())
}
