package drive

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// ErrHeld says that another open file, here or on another machine, has the lock.
var ErrHeld = errors.New("the lock is held elsewhere")

// whole is a lock on all of a file, also on what is not there yet.
func whole() *unix.Flock_t { return &unix.Flock_t{Type: unix.F_WRLCK} }

// tryLock takes an OFD lock. Such a lock belongs to the open file and not to the
// process: it does not go when the same file is closed elsewhere in the process.
func tryLock(f *os.File) error {
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, whole())
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EAGAIN) {
		return ErrHeld // SMB has the first, NFS and local disks the second
	}
	return err
}

// heldElsewhere asks whether a lock could not be had, without taking it.
func heldElsewhere(path string) (bool, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	l := whole()
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, l); err != nil {
		if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EAGAIN) {
			return true, nil
		}
		return false, err
	}
	return l.Type != unix.F_UNLCK, nil
}

// Holder is what a hot agent says of itself on the drive, again and again.
type Holder struct {
	// Lease is the name of the pair.
	Lease    string `json:"lease,omitempty"`
	Instance string `json:"instance"`
	Epoch    uint64 `json:"epoch"`
	// Beat grows with each stamp: who watches it tells by its own clock whether the
	// holder lives.
	Beat uint64    `json:"beat"`
	At   time.Time `json:"at"` // by the holder's clock, for people
}

// readHolder returns who stamped the drive last; zero where nobody did.
func readHolder(dir string) (Holder, error) {
	var h Holder
	text, err := readSmall(filepath.Join(dir, HolderFile))
	if errors.Is(err, os.ErrNotExist) || err == nil && len(text) == 0 {
		return h, nil
	}
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return Holder{}, nil // caught in the middle of a write; the next look sees it whole
	}
	return h, nil
}

// stampBytes is the length of every stamp, padded with blanks, so that a shorter one
// leaves nothing of a longer one behind.
const stampBytes = 2048

// stamp writes who holds the drive, makes it durable, and reads it back through
// another open file: what only our own memory has heard of does not count.
func stamp(dir string, h Holder) error {
	text, err := json.Marshal(h)
	if err != nil {
		panic("encode a holder: " + err.Error()) // plain values cannot fail
	}
	if len(text) >= stampBytes {
		return fmt.Errorf("the names of the lease and the instance are too long for a stamp of %d bytes", stampBytes)
	}
	for len(text) < stampBytes-1 {
		text = append(text, ' ')
	}
	f, err := os.OpenFile(filepath.Join(dir, HolderFile), os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(append(text, '\n'), 0)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("stamp the drive: %w", err)
	}
	switch seen, err := readHolder(dir); {
	case err != nil:
		return fmt.Errorf("read the stamp back: %w", err)
	case seen.Epoch <= h.Epoch && (seen.Instance != h.Instance || seen.Beat != h.Beat || seen.Epoch != h.Epoch):
		return fmt.Errorf("the stamp that was written is not there: %s at epoch %d stands in its place", seen.Instance, seen.Epoch)
	}
	return nil
}

// keeper is the lock of a hot agent, kept open for as long as it is hot.
type keeper struct {
	dir  string
	file *os.File // nil: not had
	beat uint64
}

// lockState is how it stands with the lock.
type lockState string

const (
	lockNone lockState = ""     // not asked for
	lockMine lockState = "held" // ours
	lockLost lockState = "lost" // it was ours, and the drive has given it up
	lockElse lockState = "held elsewhere"
)

// touch takes the lock, or makes certain that it is still had: a client whose lock
// the server gave up hears of it only when it uses the locked file.
func (k *keeper) touch() (lockState, error) {
	if k.file != nil {
		if err := k.use(); err != nil {
			k.close()
			return lockLost, nil
		}
		return lockMine, nil
	}
	f, err := os.OpenFile(filepath.Join(k.dir, LockFile), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return lockNone, err
	}
	switch err := tryLock(f); {
	case errors.Is(err, ErrHeld):
		f.Close()
		return lockElse, nil
	case err != nil:
		f.Close()
		return lockNone, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	k.file = f
	return lockMine, nil
}

func (k *keeper) use() error {
	if _, err := k.file.WriteAt([]byte{'\n'}, 0); err != nil {
		return err
	}
	return k.file.Sync()
}

func (k *keeper) close() {
	if k.file != nil {
		k.file.Close() // the lock goes with it, and there is nothing to be lost
		k.file = nil
	}
}
