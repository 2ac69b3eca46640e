package drive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
)

// Linked is an entry of the base directory that has to be on the drive.
type Linked struct {
	// Name is relative to the base directory: "artemis".
	Name string
	// Required: without it data of the node stays behind. Else it is only unusual.
	Required bool
}

// Other is what the other machine's agent last said.
type Other struct {
	Instance string
	// DriveID is the marker of its drive; empty where that is not known.
	DriveID string
}

// CheckOptions are what a check looks at. All but Expect and Clock may be left out.
type CheckOptions struct {
	Expect    Expect
	EpochFile string
	// Instance is this machine's agent.
	Instance string
	BaseDir  string
	Links    []Linked
	// User is who runs the node; nil: whoever checks.
	User *User
	// Fstab is where the machine's mounts are written down.
	Fstab string
	Other Other
	Clock clock.Clock
}

// User is who owns the node's files.
type User struct{ UID, GID int }

// checkLimit bounds what a check does on the drive.
const checkLimit = 15 * time.Second

// Check looks at the drive as a takeover would, and says what it found, good and bad,
// in the order in which a person would mend it. It writes a small file beside the
// node's own and removes it. Where the drive hangs it leaves one goroutine behind.
func Check(ctx context.Context, o CheckOptions) []Finding {
	mounts, err := ReadMounts()
	if err != nil {
		return []Finding{finding(Fault, "mount", "unreadable", "", "%v", err)}
	}
	if m, ok := Serving(mounts, o.Expect.Path); ok && m.Kind() == Automount {
		if mounts, err = within(ctx, o.Clock, func() ([]Mount, error) { return mountsAt(o.Expect.Path) }); err != nil {
			return []Finding{hangs(o.Expect.Path, err)}
		}
	}
	serving, _ := Serving(mounts, o.Expect.Path)
	found := Judge(mounts, o.Expect)
	if f, ok := forgotten(o.Fstab, o.Expect.Path, serving); ok {
		found = []Finding{f}
	}
	found = append(found, checkFstab(o.Fstab, o.Expect.Path, serving)...)
	found = append(found, checkPoint(mounts, serving)...)
	if slices.ContainsFunc(found, func(f Finding) bool { return f.Code == CodeNotMounted }) {
		return append(found, checkLinks(o)...)
	}
	there, err := within(ctx, o.Clock, func() ([]Finding, error) { return checkThere(ctx, o), nil })
	if err != nil {
		return append(found, hangs(o.Expect.Path, err))
	}
	return append(found, there...)
}

func hangs(path string, err error) Finding {
	return finding(Fault, "mount", "hangs", "is its server up, and the way to it?", "%s does not answer: %v", path, err)
}

// errCheckLimit is why a check was given up.
var errCheckLimit = fmt.Errorf("not within %v", checkLimit)

// within runs f, which may hang, and leaves it behind after checkLimit.
func within[T any](ctx context.Context, c clock.Clock, f func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		v, err := f()
		done <- answer{v, err}
	}()
	timer := c.Timer(c.Now().Boot + checkLimit)
	defer timer.Stop()
	var zero T
	select {
	case a := <-done:
		return a.value, a.err
	case <-timer.C():
		return zero, errCheckLimit
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	}
}

// checkFstab judges the line from which the drive is mounted at the next start.
func checkFstab(fstab, path string, serving Mount) []Finding {
	if fstab == "" {
		return nil
	}
	text, err := os.ReadFile(fstab)
	if err != nil {
		return []Finding{finding(Note, "fstab", "unreadable", "", "%s cannot be read: %v", fstab, err)}
	}
	e, ok := ParseFstab(string(text)).Serving(path)
	switch {
	case !ok && serving.Kind().Shared():
		return []Finding{finding(Warning, "fstab", "noEntry", "`hotcold drive fstab` writes one", "no line of %s mounts %s: after a restart of the machine it is not there", fstab, path)}
	case !ok:
		return nil
	}
	found := JudgeEntry(e)
	if serving.Point == filepath.Clean(e.Point) && serving.Kind().Shared() && e.Type != "efs" && !sameSource(e.Source, serving.Source) {
		found = append(found, finding(Warning, "fstab", "otherSource", "mount it anew, or mend the line", "%s has %s for %s, and %s is mounted", fstab, e.Source, e.Point, serving.Source))
	}
	return append(found, checkCredentials(e)...)
}

// checkCredentials looks who may read the file with the password.
func checkCredentials(e Entry) []Finding {
	file, ok := e.mount().Option("credentials")
	if !ok {
		if file, ok = e.mount().Option("cred"); !ok {
			return nil
		}
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []Finding{finding(Fault, "fstab", "noCredentials", "write it again: `hotcold drive fstab`", "the file %s with the password is not there: the drive cannot be mounted again", file)}
	case err != nil:
		return nil // only root may look into its directory, which is as it should be
	case info.Mode().Perm()&0o077 != 0:
		return []Finding{finding(Fault, "fstab", "credentials", "chmod 600 "+file, "the file %s with the password has mode %04o: others may read it", file, info.Mode().Perm())}
	}
	return nil
}

// checkThere looks at what is on the drive. It may hang.
func checkThere(ctx context.Context, o CheckOptions) []Finding {
	found := checkMarker(o)
	found = append(found, checkLinks(o)...)
	found = append(found, CheckRights(o.Expect.Path, o.User, o.Clock)...)
	found = append(found, checkLock(ctx, o)...)
	return append(found, checkRoom(o)...)
}

func checkMarker(o CheckOptions) []Finding {
	m, err := ReadMarker(o.Expect.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.Other.DriveID != "":
		return []Finding{finding(Fault, "marker", CodeNoMarker, "is it mounted here?", "%s has no marker, and the drive of %s has %.8s: this is another one", o.Expect.Path, o.Other.Instance, o.Other.DriveID)}
	case errors.Is(err, fs.ErrNotExist):
		return []Finding{finding(Fault, "marker", "noMarker", "`hotcold drive link` makes one, on one machine: it shows on the other",
			"there is no %s in %s: nothing tells this drive from an empty directory", MarkerFile, o.Expect.Path)}
	case err != nil:
		return []Finding{finding(Fault, "marker", "marker", "", "%v", err)}
	case o.Other.DriveID != "" && o.Other.DriveID != m.ID:
		return []Finding{finding(Fault, "marker", CodeOtherDrive, "mount the same one on both machines", "this is drive %.8s, and %s has %.8s: two drives", m.ID, o.Other.Instance, o.Other.DriveID)}
	case o.Other.DriveID != "":
		return []Finding{finding(OK, "marker", "marker", "", "this is drive %.8s, as on %s", m.ID, o.Other.Instance)}
	}
	return []Finding{finding(OK, "marker", "marker", "", "this is drive %.8s, made by %s on %s; compare on the other machine", m.ID, m.By, m.Made.Format(time.DateOnly))}
}

// checkLinks looks at the entries of the base directory that have to be on the drive.
func checkLinks(o CheckOptions) []Finding {
	var found []Finding
	for _, l := range o.Links {
		found = append(found, checkLink(o, l))
	}
	return found
}

func checkLink(o CheckOptions, l Linked) Finding {
	bad := Fault
	if !l.Required {
		bad = Warning
	}
	path := filepath.Join(o.BaseDir, l.Name)
	next := "stop the node, then `hotcold drive link`"
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return finding(bad, "link", "notLinked", next, "%s is not there: the node would make it on this machine's own disk", path)
	case err != nil:
		return finding(bad, "link", "notLinked", "", "%v", err)
	case info.Mode()&fs.ModeSymlink == 0 && Within(filepath.Clean(path), filepath.Clean(o.Expect.Path)):
		return finding(OK, "link", "linked", "", "%s is on the drive itself", path)
	case info.Mode()&fs.ModeSymlink == 0:
		return finding(bad, "link", "notLinked", next+" with --move", "%s is no link: what the node writes there stays on this machine", path)
	}
	target, err := os.Readlink(path)
	if err != nil {
		return finding(bad, "link", "notLinked", "", "%v", err)
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(o.BaseDir, target)
	}
	if !Within(filepath.Clean(target), filepath.Clean(o.Expect.Path)) {
		return finding(bad, "link", "notLinked", "remove the link, then `hotcold drive link`", "%s leads to %s, which is not on the drive %s", path, target, o.Expect.Path)
	}
	return finding(OK, "link", "linked", "", "%s leads to %s", path, target)
}

// CheckRights writes to a drive as the node's user would, nil for whoever asks, and measures what fsync takes. What it
// wrote it removes.
func CheckRights(path string, u *User, c clock.Clock) []Finding {
	var times []time.Duration
	err := as(u, func() error {
		var err error
		times, err = syncTimes(path, c, checkSyncs, checkSyncTime)
		return err
	})
	who := "this user"
	if u != nil {
		who = fmt.Sprintf("the node's user (%d)", u.UID)
	}
	if err != nil {
		next := "chown it to the node's user; on SMB the mount says who owns it (uid, gid)"
		if errors.Is(err, unix.ENOSPC) {
			next = "make room"
		}
		return []Finding{finding(Fault, "rights", "rights", next, "%s cannot write to %s: %v", who, path, err)}
	}
	found := []Finding{finding(OK, "rights", "rights", "", "%s may write to %s", who, path)}
	level, word := Verdict(times)
	f := finding(level, "speed", "fsync", "", "a write of 4 KiB is durable after %s (p50), %s (p99): %s", shown(percentile(times, 50)), shown(percentile(times, 99)), word)
	if level != OK {
		f.Next = "`hotcold drive bench` measures more"
	}
	return append(found, f)
}

// checkRoom says how much fits on the drive.
func checkRoom(o CheckOptions) []Finding {
	var room unix.Statfs_t
	if err := unix.Statfs(o.Expect.Path, &room); err != nil || room.Blocks == 0 {
		return nil // it does not say
	}
	free, all := room.Bavail*uint64(room.Bsize), room.Blocks*uint64(room.Bsize)
	switch {
	case free < 64<<20:
		return []Finding{finding(Fault, "room", "room", "make room", "%s of %s are free", bytesShown(free), bytesShown(all))}
	case free < all/10 && free < 10<<30:
		return []Finding{finding(Warning, "room", "room", "make room", "%s of %s are free", bytesShown(free), bytesShown(all))}
	}
	return []Finding{finding(OK, "room", "room", "", "%s of %s are free", bytesShown(free), bytesShown(all))}
}

func bytesShown(n uint64) string {
	switch {
	case n >= 1<<40:
		return fmt.Sprintf("%.1f TiB", float64(n)/(1<<40))
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
}

// checkLock finds out whether a lock of the other machine is seen here. That can only
// be known while an agent there is hot, which its stamps tell.
func checkLock(ctx context.Context, o CheckOptions) []Finding {
	first, err := readHolder(o.Expect.Path)
	if err != nil {
		return []Finding{finding(Fault, "locks", "locks", "", "%v", err)}
	}
	unknown := finding(Note, "locks", "unproven", "`hotcold drive drill` on both machines", "nobody is hot, so it is not known whether the other machine sees a lock")
	if first.Instance == "" {
		return []Finding{unknown}
	}
	alive := false
	for waited := time.Duration(0); !alive && waited < 2*hotPause; waited += hotPause / 4 {
		if clock.Wait(ctx, o.Clock, hotPause/4) != nil {
			break
		}
		h, err := readHolder(o.Expect.Path)
		alive = err == nil && h.Instance != "" && (h.Beat != first.Beat || h.Epoch != first.Epoch)
		if alive {
			first = h
		}
	}
	held, err := heldElsewhere(filepath.Join(o.Expect.Path, LockFile))
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return []Finding{finding(Fault, "locks", "locks", "mount NFS 4.1 or SMB 3 with locks", "the lock of the hot agent cannot be asked for: %v", err)}
	case alive && held && first.Instance == o.Instance:
		return []Finding{finding(OK, "locks", "mine", "", "this machine's agent is hot and has the lock; look on the other machine whether it is seen there")}
	case alive && held:
		return []Finding{finding(OK, "locks", "seen", "", "the lock of %s at epoch %d is seen here", first.Instance, first.Epoch)}
	case alive:
		return []Finding{finding(Fault, "locks", "unseen", "mount it with locks (no nobrl, nolock or local_lock on either machine), and give the machines different host names: to an NFS server one name is one client", "%s is hot and stamps the drive, and its lock is not seen here", first.Instance)}
	case held:
		return []Finding{finding(Warning, "locks", "orphaned", "nothing, if that machine just died: the server gives it up later", "a lock is held, and %s, the last one that was hot, stamps the drive no more", first.Instance)}
	}
	return []Finding{unknown}
}
