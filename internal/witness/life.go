package witness

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ReadLives reads all records of a directory, ordered by boot and start. A
// directory that does not exist holds none.
func ReadLives(dir string) ([]Life, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the records: %w", err)
	}
	var runs []Life
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), recordSuffix) {
			continue // one that is being made is called .new-*
		}
		run, err := readLife(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the record %s: %w", e.Name(), err)
		}
		runs = append(runs, run)
	}
	slices.SortFunc(runs, func(a, b Life) int {
		return cmp.Or(cmp.Compare(a.Boot, b.Boot), cmp.Compare(a.Start, b.Start), cmp.Compare(a.PID, b.PID))
	})
	return runs, nil
}

func readLife(path string) (Life, error) {
	f, err := os.Open(path)
	if err != nil {
		return Life{}, err
	}
	defer f.Close()
	// Asked before the page is read: a run that dies in between is told as
	// alive, which is the stricter answer. Those who look share their lock.
	alive := false
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		alive = true
	case err != nil:
		return Life{}, fmt.Errorf("look at its lock: %w", err)
	}
	buf := make([]byte, recordSizeBytes)
	if n, err := f.ReadAt(buf, 0); err != nil {
		return Life{}, fmt.Errorf("%d of %d bytes: %w", n, recordSizeBytes, err)
	}
	p := (*page)(unsafe.Pointer(&buf[0]))
	if !bytes.Equal(p.magic[:], []byte(recordMagic)) || p.metCount < 0 || p.metCount > metLimit {
		return Life{}, errors.New("this is not the record of a witness")
	}
	return p.life(alive), nil
}

func (p *page) life(alive bool) Life {
	r := Life{
		Instance: text(p.instance[:]), Epoch: p.epoch, PID: int(p.pid), Boot: text(p.boot[:]),
		Start: time.Duration(p.start), Ready: time.Duration(p.ready), Last: time.Duration(p.last),
		Family: time.Duration(p.family), Ended: p.ended != 0, Alive: alive,
		Widest: time.Duration(p.widest), Writes: p.writes,
	}
	for _, m := range p.met[:p.metCount] {
		r.Met = append(r.Met, LifeID{int(m[0]), time.Duration(m[1])})
	}
	return r
}

// bootID names the present boot of this machine.
func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot id: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}
