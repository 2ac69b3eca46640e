package drive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
)

// Order is what a probing process is told to do: one look, or one beat of a hot agent.
type Order struct {
	N      uint64 `json:"n"`
	Expect Expect `json:"expect"`
	// Epoch is our own; zero: we are cold, and nothing is written.
	Epoch    uint64 `json:"epoch,omitempty"`
	Instance string `json:"instance,omitempty"`
	// Lease is the name of the pair.
	Lease     string `json:"lease,omitempty"`
	EpochFile string `json:"epochFile,omitempty"`
	// Fstab is where the machine's mounts are written down.
	Fstab string `json:"fstab,omitempty"`
}

// Seen is what came of it.
type Seen struct {
	N uint64 `json:"n"`
	// Mount is what serves the drive, Findings what is wrong with it.
	Mount    Mount     `json:"mount"`
	Findings []Finding `json:"findings,omitempty"`
	// ID is the marker's; empty where there is none.
	ID string `json:"id,omitempty"`
	// Fault is why the drive did not do what was asked; empty: it did.
	Fault string `json:"fault,omitempty"`
	// Full: it did not for want of room.
	Full bool `json:"full,omitempty"`
	// FsyncSeconds is how long a write took until it was durable; zero while cold.
	FsyncSeconds float64   `json:"fsyncSeconds,omitempty"`
	Lock         lockState `json:"lock,omitempty"`
	// Holder is who stamped the drive last, before us.
	Holder Holder `json:"holder,omitzero"`
	// Greatest is the greatest epoch on the drive.
	Greatest  uint64 `json:"greatest,omitempty"`
	FreeBytes uint64 `json:"freeBytes,omitempty"`
}

// look does what an order says. It may hang. The keeper is that of this process.
func look(o Order, k *keeper, c clock.Clock) Seen {
	s := Seen{N: o.N}
	if o.Epoch == 0 {
		k.close() // whatever is found now, we are not hot any more
	}
	mounts, err := mountsAt(o.Expect.Path)
	if err != nil {
		s.Fault = err.Error()
		return s
	}
	s.Mount, _ = Serving(mounts, o.Expect.Path)
	s.Findings = Judge(mounts, o.Expect)
	if f, ok := forgotten(o.Fstab, o.Expect.Path, s.Mount); ok {
		s.Findings = append([]Finding{f}, s.Findings...)
	}
	for _, f := range s.Findings {
		if f.Code == CodeNotMounted && f.Level == Fault {
			return s // what is there instead of the drive says nothing
		}
	}
	if err := s.read(o); err != nil {
		s.fail(err)
		return s
	}
	if s.foreign(o.Lease) {
		k.close()
		return s
	}
	if o.Epoch == 0 {
		if err := s.usable(o.Expect.Path); err != nil {
			s.fail(err)
		}
		return s
	}
	if err := s.hold(o, k, c); err != nil {
		s.fail(err)
	}
	return s
}

// foreign tells whether another pair keeps its files in this very directory. Its epochs
// say nothing of ours, and to fight for the stamp would help nobody.
func (s *Seen) foreign(lease string) bool {
	if s.Holder.Lease == "" || lease == "" || s.Holder.Lease == lease {
		return false
	}
	s.Findings = append(s.Findings, finding(Warning, "locks", "otherPair", "give each pair a directory of its own on the drive (hotcold.drive.path); if that pair is no more, remove "+HolderFile,
		"the pair %q keeps its files in this directory, so nothing is locked and stamped for ours", s.Holder.Lease))
	s.Greatest, s.Holder = 0, Holder{}
	return true
}

func (s *Seen) fail(err error) {
	s.Fault = err.Error()
	s.Full = errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// read reads what stands on the drive, and writes nothing.
func (s *Seen) read(o Order) error {
	switch m, err := ReadMarker(o.Expect.Path); {
	case err == nil:
		s.ID = m.ID
	case !errors.Is(err, fs.ErrNotExist):
		return err
	default:
		if _, err := os.Stat(o.Expect.Path); err != nil { // no marker is only no marker where the drive is there
			return fmt.Errorf("the shared drive is not there: %w", err)
		}
	}
	var err error
	if s.Holder, err = readHolder(o.Expect.Path); err != nil {
		return err
	}
	s.Greatest = s.Holder.Epoch
	if o.EpochFile != "" {
		greatest, err := readEpoch(o.EpochFile)
		if err != nil {
			return err
		}
		s.Greatest = max(s.Greatest, greatest)
	}
	var room unix.Statfs_t
	if err := unix.Statfs(o.Expect.Path, &room); err == nil && room.Blocks > 0 {
		s.FreeBytes = room.Bavail * uint64(room.Bsize)
	}
	return nil
}

// readEpoch reads the greatest epoch; zero where there is no file yet.
func readEpoch(path string) (uint64, error) {
	text, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	epoch, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%s holds %.40q, want one number: write the greatest epoch of `hotcold history` into it", path, text)
	}
	return epoch, nil
}

// usable tells whether a node could be started on the drive.
func (s *Seen) usable(dir string) error {
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("the shared drive %s cannot be written: %w", dir, err)
	}
	if s.Mount.Type != "" && s.FreeBytes == 0 && roomKnown(dir) {
		return fmt.Errorf("the shared drive %s has no space left: make room: %w", dir, unix.ENOSPC)
	}
	held, err := heldElsewhere(filepath.Join(dir, LockFile))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.EINVAL): // nobody was hot yet; no locks of this kind
	case errors.Is(err, fs.ErrPermission): // another user's agent made it; SMB may also say so of a lock
		s.Lock = lockElse
	case err != nil:
		return err
	case held:
		s.Lock = lockElse
	}
	return nil
}

func roomKnown(dir string) bool {
	var room unix.Statfs_t
	return unix.Statfs(dir, &room) == nil && room.Blocks > 0
}

// hold does one beat of a hot agent: the lock, the stamp, and how long that took.
func (s *Seen) hold(o Order, k *keeper, c clock.Clock) error {
	k.dir = o.Expect.Path
	lock, err := k.touch()
	s.Lock = lock
	if err != nil {
		return err
	}
	if s.Greatest > o.Epoch {
		return nil // somebody began after us: the stamp is no longer ours to write
	}
	k.beat++
	began := c.Now()
	if err := stamp(o.Expect.Path, Holder{Lease: o.Lease, Instance: o.Instance, Epoch: o.Epoch, Beat: k.beat, At: began.Wall.UTC().Truncate(time.Millisecond)}); err != nil {
		return err
	}
	s.FsyncSeconds = (c.Now().Boot - began.Boot).Seconds()
	return nil
}

// mountsAt reads what is mounted. Where the drive is mounted by the first who looks, it
// looks first.
func mountsAt(path string) ([]Mount, error) {
	mounts, err := ReadMounts()
	if m, ok := Serving(mounts, path); err == nil && ok && m.Kind() == Automount {
		_, _ = os.Stat(path + "/.") // if it cannot be had, the mounts say so
		return ReadMounts()
	}
	return mounts, err
}

// forgotten finds a drive that fstab knows and that is not mounted.
func forgotten(fstab, path string, serving Mount) (Finding, bool) {
	if fstab == "" {
		return Finding{}, false
	}
	text, err := os.ReadFile(fstab)
	if err != nil {
		return Finding{}, false // a container has none
	}
	e, ok := ParseFstab(string(text)).Serving(path)
	if !ok || !e.mount().Kind().Shared() || serving.Point == filepath.Clean(e.Point) || Within(serving.Point, filepath.Clean(e.Point)) {
		return Finding{}, false
	}
	return finding(Fault, "mount", CodeNotMounted, "mount "+e.Point, "%s is not mounted: %s would serve it (%s), and %s on %s does", path, e.Source, fstab, serving.Type, serving.Point), true
}
