package drive

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/hotcold/hotcold/internal/clock"
)

func TestWhenADriveCountsAsLost(t *testing.T) {
	good := Seen{N: 1, ID: "aa", Greatest: 7}
	change := func(f func(*view)) view {
		v := view{expect: Expect{Path: "/mnt"}, seen: good, id: "aa", epoch: 7, hang: 30 * time.Second}
		f(&v)
		return v
	}
	for _, c := range []struct {
		name string
		v    view
		want string // part of why; empty: not lost
		gone bool
	}{
		{"all is well", change(func(*view) {}), "", false},
		{"it has hung for less than it may", change(func(v *view) { v.silent, v.waiting = 29*time.Second, 29*time.Second }), "", false},
		{"it has hung for as long as it may", change(func(v *view) { v.silent, v.waiting = 30*time.Second, 30*time.Second }), "has taken no write for 30s", false},
		{"it has failed for as long as it may", change(func(v *view) { v.silent, v.seen.Fault = 31*time.Second, "input/output error" }), "input/output error", false},
		{"another agent has begun", change(func(v *view) { v.seen.Greatest, v.seen.Holder = 8, Holder{Instance: "b:/x", Epoch: 8} }), "epoch 8 stands on the shared drive (b:/x), ours is 7", true},
		{"it is not mounted any more", change(func(v *view) { v.seen.Findings = []Finding{{Level: Fault, Code: CodeNotMounted, Text: "not mounted"}} }), "not mounted", true},
		{"it is read-only now", change(func(v *view) { v.seen.Findings = []Finding{{Level: Fault, Code: CodeReadOnly, Text: "read-only"}} }), "read-only", true},
		{"an option is wrong", change(func(v *view) { v.seen.Findings = []Finding{{Level: Fault, Code: "nobrl", Text: "nobrl"}} }), "", false},
		{"it was exchanged", change(func(v *view) { v.seen.ID = "bb" }), "exchanged", true},
		{"its marker was removed a moment ago", change(func(v *view) { v.seen.ID = "" }), "", false},
		{"its lock is held elsewhere", change(func(v *view) { v.seen.Lock = lockElse }), "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			why, gone := c.v.lost()
			if (why == "") != (c.want == "") || !strings.Contains(why, c.want) || gone != c.gone {
				t.Errorf("got %q, %v", why, gone)
			}
		})
	}
}

// Another machine would find no more room on it.
func TestAFullDriveIsAFaultAndNoLoss(t *testing.T) {
	v := view{hang: time.Minute, seen: Seen{N: 1, Fault: "no space left on device", Full: true}}
	if v.fault() == "" || !v.well() {
		t.Errorf("fault %q, well %v", v.fault(), v.well())
	}
}

// rig is a watch under way.
type rig struct {
	t *testing.T
	w *Watch

	mu      sync.Mutex // guards what follows
	changed chan struct{}
}

func startWatch(t *testing.T, dir string, change func(*WatchOptions)) *rig {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, changed: make(chan struct{})}
	o := WatchOptions{
		Expect: Expect{Path: dir, Kind: Any}, EpochFile: filepath.Join(dir, "hotcold.epoch"), Instance: "a:/x", HangLimit: 4 * time.Second,
		Program: ProbeArgs(self), Clock: clock.System(), Log: slog.New(slog.DiscardHandler),
		Told: func(State) {
			r.mu.Lock()
			defer r.mu.Unlock()
			close(r.changed)
			r.changed = make(chan struct{})
		},
	}
	if change != nil {
		change(&o)
	}
	r.w = NewWatch(o)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.w.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return r
}

// until waits for a state.
func (r *rig) until(what string, is func(State) bool) State {
	r.t.Helper()
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		if s := r.w.State(); is(s) {
			return s
		}
		select {
		case <-changed:
		case <-timeout.C:
			r.t.Fatalf("waited for %s, last %+v", what, r.w.State())
		}
	}
}

func (r *rig) lost(t *Tenure) error {
	r.t.Helper()
	select {
	case err := <-t.Lost():
		return err
	case <-time.After(limit):
		r.t.Fatalf("not lost, last %+v", r.w.State())
		return nil
	}
}

func TestAColdLookWritesNothing(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := MakeMarker(dir, "a", time.Now()); err != nil {
		t.Fatal(err)
	}
	r := startWatch(t, dir, nil)
	r.until("a first look", func(s State) bool { return s.Well && len(s.ID) == 32 })
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestAHotAgentLocksAndStampsAndLetsGo(t *testing.T) {
	dir := t.TempDir()
	r := startWatch(t, dir, nil)
	tenure := r.w.Hold(7)
	s := r.until("the lock", func(s State) bool { return s.Lock == LockHeld && s.FsyncSeconds > 0 })
	if !s.Well {
		t.Errorf("%+v", s)
	}
	if h, err := readHolder(dir); err != nil || h.Instance != "a:/x" || h.Epoch != 7 {
		t.Errorf("holder %+v, %v", h, err)
	}
	if held, err := heldElsewhere(filepath.Join(dir, LockFile)); err != nil || !held {
		t.Errorf("held %v, %v", held, err)
	}
	r.w.Release(tenure)
	r.until("the lock to go", func(s State) bool { return s.Lock == "" })
	if held, err := heldElsewhere(filepath.Join(dir, LockFile)); err != nil || held {
		t.Errorf("held %v, %v", held, err)
	}
}

// The lease has decided: a lock that a dead machine left behind is told, and no more.
func TestALockThatIsHeldElsewhereIsNoVeto(t *testing.T) {
	dir := t.TempDir()
	other := &keeper{dir: dir}
	if _, err := other.touch(); err != nil {
		t.Fatal(err)
	}
	if err := stamp(dir, Holder{Instance: "b:/x", Epoch: 6, Beat: 3}); err != nil {
		t.Fatal(err)
	}
	r := startWatch(t, dir, nil)
	s := r.until("the other's lock while cold", func(s State) bool { return s.Lock == string(lockElse) })
	if !s.Well || s.Holder != "b:/x" {
		t.Errorf("cold: %+v", s)
	}
	tenure := r.w.Hold(7)
	r.until("beats under another's lock", func(s State) bool { return s.FsyncSeconds > 0 && s.Well && s.Lock == string(lockElse) })
	other.close()
	r.until("the lock", func(s State) bool { return s.Lock == LockHeld })
	select {
	case err := <-tenure.Lost():
		t.Error(err)
	default:
	}
}

func TestAnotherAgentThatBeginsEndsTheTenure(t *testing.T) {
	dir := t.TempDir()
	r := startWatch(t, dir, nil)
	tenure := r.w.Hold(7)
	r.until("the lock", func(s State) bool { return s.Lock == LockHeld })
	if err := os.WriteFile(filepath.Join(dir, "hotcold.epoch"), []byte("8\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.lost(tenure); !errors.Is(err, ErrLost) || !Gone(err) || !strings.Contains(err.Error(), "epoch 8") {
		t.Errorf("got %v", err)
	}
}

// Two pairs in one directory are a mistake, and no reason to kill anybody's node.
func TestAnotherPairInTheDirectoryIsToldAndLeftAlone(t *testing.T) {
	dir := t.TempDir()
	theirs := Holder{Lease: "other", Instance: "x:/y", Epoch: 99, Beat: 5}
	if err := stamp(dir, theirs); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "hotcold.epoch"), "99\n")
	r := startWatch(t, dir, func(o *WatchOptions) { o.Lease = "ours" })
	tenure := r.w.Hold(7)
	s := r.until("a warning", func(s State) bool { return len(s.Warnings) > 0 })
	if !s.Well || !strings.Contains(s.Warnings[0], `the pair "other"`) {
		t.Errorf("%+v", s)
	}
	select {
	case err := <-tenure.Lost():
		t.Error(err)
	default:
	}
	if h, err := readHolder(dir); err != nil || h != theirs {
		t.Errorf("holder %+v, %v", h, err)
	}
}

func TestADriveThatHangsEndsTheTenureWhenItMay(t *testing.T) {
	f, dir, _ := newFaulty(t)
	r := startWatch(t, dir, nil)
	tenure := r.w.Hold(7)
	r.until("the lock", func(s State) bool { return s.Lock == LockHeld })
	f.set(true, fuse.OK)
	r.until("a drive that hangs", func(s State) bool { return strings.Contains(s.Fault, "has not answered within") })
	began := time.Now()
	if err := r.lost(tenure); !errors.Is(err, ErrLost) || Gone(err) || !strings.Contains(err.Error(), "has taken no write for") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v more", took)
	}
	f.set(false, fuse.OK)
	r.until("the drive again", func(s State) bool { return s.Well })
}

func TestAShortHangIsNoLossAndKeepsTheLock(t *testing.T) {
	f, dir, behind := newFaulty(t)
	r := startWatch(t, dir, func(o *WatchOptions) { o.HangLimit = limit })
	tenure := r.w.Hold(7)
	r.until("the lock", func(s State) bool { return s.Lock == LockHeld })
	before, err := readHolder(behind)
	if err != nil {
		t.Fatal(err)
	}
	f.set(true, fuse.OK)
	r.until("a drive that hangs", func(s State) bool { return strings.Contains(s.Fault, "has not answered within") })
	f.set(false, fuse.OK)
	r.until("the drive again", func(s State) bool { return s.Well && s.Lock == LockHeld })
	if after, err := readHolder(behind); err != nil || after.Beat < before.Beat {
		t.Errorf("beats %d, then %d (%v): another process looks now", before.Beat, after.Beat, err)
	}
	select {
	case err := <-tenure.Lost():
		t.Error(err)
	default:
	}
}

func TestADriveThatFailsEveryWriteEndsTheTenure(t *testing.T) {
	f, dir, _ := newFaulty(t)
	r := startWatch(t, dir, func(o *WatchOptions) { o.HangLimit = 2 * time.Second })
	tenure := r.w.Hold(7)
	r.until("the lock", func(s State) bool { return s.Lock == LockHeld })
	f.set(false, fuse.EIO)
	if err := r.lost(tenure); Gone(err) || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("got %v", err)
	}
}

// A look that is killed and does not die costs a process for ever.
func TestOnlySoManyLooksAreLeftBehind(t *testing.T) {
	r := startWatch(t, t.TempDir(), func(o *WatchOptions) {
		o.HangLimit = 2 * time.Second
		o.Program = []string{"/bin/sh", "-c", "exec sleep 1000"} // answers never
	})
	for range MaxAbandoned + 1 {
		r.until("a fault", func(s State) bool { return !s.Well && s.Fault != "" })
	}
	if s := r.w.State(); s.Abandoned > MaxAbandoned {
		t.Errorf("%d were left behind", s.Abandoned)
	}
}

func TestADriveThatIsUnmountedUnderAHotAgentIsGone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may mount")
	}
	dir, behind := t.TempDir(), t.TempDir()
	if err := syscall.Mount("srv:/x", dir, "tmpfs", 0, ""); err != nil {
		t.Skipf("nothing may be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	fstab := filepath.Join(behind, "fstab")
	write(t, fstab, "srv:/x "+dir+" nfs4 _netdev 0 0\n")
	r := startWatch(t, dir, func(o *WatchOptions) { o.Fstab = fstab })
	tenure := r.w.Hold(7)
	r.until("the lock", func(s State) bool { return s.Lock == LockHeld })
	if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	if err := r.lost(tenure); !Gone(err) || !strings.Contains(err.Error(), "not mounted") {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("something was written under the mount: %v, %v", left, err)
	}
}
