package witness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	recordSizeBytes = 4096 // one page of memory on all machines we know
	recordMagic     = "hcwitn01"
	recordSuffix    = ".run"
	// metLimit is how many others alive a run can note. One is one too many.
	metLimit = 16
)

// page is the record as it lies in the file. Times are nanoseconds on
// CLOCK_BOOTTIME, 0 where something did not happen. Numbers have the byte order
// of the machine: a record is never read on another one.
type page struct {
	magic    [8]byte
	start    int64 // before anything was touched
	last     int64 // the last beat
	ready    int64 // all ports open
	ended    int64 // ended by itself
	widest   int64 // the longest time between two beats
	pid      int64
	epoch    int64
	family   int64 // start of the run that this one descends from, or its own
	writes   int64 // acknowledged
	metCount int64
	met      [metLimit][2]int64 // pid and start of runs alive at our start
	instance [128]byte
	boot     [64]byte // boot id of the machine
}

// Life is one run of a witness, from start to end, as its record tells it.
type Life struct {
	Instance string
	Epoch    int64
	PID      int
	// Boot names the boot of the machine: times of two boots do not compare.
	Boot string
	// Start and Last bound the time in which it was surely alive, on
	// CLOCK_BOOTTIME. Ready is 0 if it never was.
	Start, Ready, Last time.Duration
	// Family is the start of the run that began this one's family: its own,
	// but for a child that outlives its parent.
	Family time.Duration
	// Ended says that it ended by itself and in order.
	Ended bool
	// Alive says that its process existed when the record was read.
	Alive bool
	// Widest is the longest time between two beats: by so much may Last err.
	Widest time.Duration
	// Writes is how many it acknowledged.
	Writes int64
	// Met are the runs that were alive when this one started.
	Met []LifeID
}

// LifeID tells the runs of one boot apart.
type LifeID struct {
	PID   int
	Start time.Duration
}

// ID returns what tells this run from the others.
func (r Life) ID() LifeID { return LifeID{r.PID, r.Start} }

// String names the run for a report.
func (r Life) String() string {
	return fmt.Sprintf("%s (epoch %d, pid %d)", r.Instance, r.Epoch, r.PID)
}

// record is the page of a run that goes on. The file stays locked until the
// process is dead or the record is closed.
type record struct {
	path string
	file *os.File
	mem  []byte

	mu sync.Mutex // guards the order of the page's changes
	p  *page
}

// newRecord writes the record under its name, complete and locked, and only
// then looks for others: of two that start together, at least one sees the other.
func newRecord(dir string, first page) (*record, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of records: %w", err)
	}
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return nil, fmt.Errorf("create a record: %w", err)
	}
	r := &record{file: f}
	if err := r.publish(dir, first); err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, fmt.Errorf("create a record: %w", err)
	}
	others, err := ReadLives(dir)
	if err != nil {
		r.close(0)
		return nil, err
	}
	r.meet(others)
	return r, nil
}

func (r *record) publish(dir string, first page) error {
	fd := int(r.file.Fd())
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("lock it: %w", err)
	}
	if err := r.file.Truncate(recordSizeBytes); err != nil {
		return err
	}
	mem, err := unix.Mmap(fd, 0, recordSizeBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map it: %w", err)
	}
	r.mem, r.p = mem, (*page)(unsafe.Pointer(&mem[0]))
	*r.p = first
	copy(r.p.magic[:], recordMagic)
	name := fmt.Sprintf("%020d-%d-%s%s", first.start, first.pid, text(first.instance[:]), recordSuffix)
	r.path = filepath.Join(dir, name)
	if err := os.Rename(r.file.Name(), r.path); err != nil {
		return errors.Join(err, unix.Munmap(mem))
	}
	return nil
}

func (r *record) meet(others []Life) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range others {
		self := o.PID == int(r.p.pid) && o.Start == time.Duration(r.p.start)
		if !o.Alive || self || r.p.metCount == metLimit {
			continue
		}
		r.p.met[r.p.metCount] = [2]int64{int64(o.PID), int64(o.Start)}
		r.p.metCount++
	}
}

// beat says that the process was alive at now.
func (r *record) beat(now time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	distance := int64(now) - r.p.last
	if r.mem == nil || distance <= 0 {
		return
	}
	r.p.widest = max(r.p.widest, distance)
	// One store that is whole or not there, wherever SIGKILL strikes.
	atomic.StoreInt64(&r.p.last, int64(now))
}

func (r *record) setReady(now time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.p.ready = int64(now)
}

func (r *record) countWrites(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.p.writes += int64(n)
}

func (r *record) family() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Duration(r.p.family)
}

func (r *record) written() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.p.writes
}

// close ends the record: in order if ended is the time of the end, or without
// a word if it is 0.
func (r *record) close(ended time.Duration) error {
	r.beat(ended)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.p.ended = int64(ended)
	err := unix.Munmap(r.mem)
	r.mem, r.p = nil, &page{last: int64(ended)}
	return errors.Join(err, r.file.Close())
}

func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}
