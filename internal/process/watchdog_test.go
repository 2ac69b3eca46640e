package process

import (
	"context"
	"encoding/binary"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
)

// device stands in for a watchdog device, which no test may let bite: a file in a
// FUSE file system that answers the kernel's watchdog calls as its documentation
// has them. Guard and kernel are the real ones.
type device struct {
	fs.Inode
	options uint32
	least   int // seconds; a shorter timeout becomes this one

	clock clock.Clock
	mu    sync.Mutex
	state watched
}

// watched is what a device has seen.
type watched struct {
	opened, asleep, dropped bool
	timeout                 time.Duration
	meals                   []time.Duration // boot-clock readings
}

func (d *device) seen() watched {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.state
	s.meals = append([]time.Duration(nil), s.meals...)
	return s
}

func (d *device) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode = 0o600
	return 0
}

// opened is the device's one open file; it knows nothing.
type opened struct{}

func (d *device) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.opened, d.state.meals = true, []time.Duration{d.clock.Now().Boot}
	return opened{}, fuse.FOPEN_DIRECT_IO, 0
}

func (d *device) Write(_ context.Context, _ fs.FileHandle, data []byte, _ int64) (uint32, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.asleep = strings.Contains(string(data), "V")
	d.state.meals = append(d.state.meals, d.clock.Now().Boot)
	return uint32(len(data)), 0
}

func (d *device) Flush(context.Context, fs.FileHandle) syscall.Errno { return 0 }

func (d *device) Release(context.Context, fs.FileHandle) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.dropped = true
	return 0
}

func (d *device) Ioctl(_ context.Context, _ fs.FileHandle, cmd uint32, _ uint64, in, out []byte) (int32, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch cmd {
	case unix.WDIOC_GETSUPPORT:
		binary.NativeEndian.PutUint32(out, d.options)
		copy(out[8:], "Watchdog of a test")
	case unix.WDIOC_SETTIMEOUT:
		seconds := max(d.least, int(binary.NativeEndian.Uint32(in)))
		d.state.timeout = time.Duration(seconds) * time.Second
	case unix.WDIOC_GETTIMEOUT:
		binary.NativeEndian.PutUint32(out, uint32(d.state.timeout/time.Second))
	default:
		return 0, syscall.ENOTTY
	}
	return 0, 0
}

// newDevice mounts a device and returns its path.
func newDevice(t *testing.T, change func(*device)) (*device, string) {
	t.Helper()
	d := &device{clock: clock.System(), options: unix.WDIOF_SETTIMEOUT | unix.WDIOF_MAGICCLOSE | unix.WDIOF_KEEPALIVEPING}
	if change != nil {
		change(d)
	}
	dir := t.TempDir()
	root := &fs.Inode{}
	server, err := fs.Mount(dir, root, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "watchdog"},
		OnAdd: func(ctx context.Context) {
			root.AddChild("watchdog", root.NewPersistentInode(ctx, d, fs.StableAttr{Mode: syscall.S_IFREG}), true)
		},
	})
	if err != nil {
		lacking(t, "no FUSE may be mounted here (root, /dev/fuse)", err)
	}
	t.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return d, filepath.Join(dir, "watchdog")
}

// lastMeal is when the device would bite, counted from the last meal.
func (w watched) bitesAt() time.Duration { return w.meals[len(w.meals)-1] + w.timeout }

func TestWatchdogIsFedWhileTheNodeLivesAndSleepsWhenItIsSeenDead(t *testing.T) {
	t.Parallel()
	d, path := newDevice(t, nil)
	r := newRig(t, CgroupAuto, stubborn)
	r.o.Watchdog = path
	n := r.startReady(r.in(time.Hour, time.Hour+time.Second, time.Hour+2900*time.Millisecond))
	r.eventually("a few meals", func() bool { return len(d.seen().meals) > 4 })
	s := d.seen()
	if s.timeout != 2*time.Second {
		t.Errorf("it bites after %v, want the time to fence in whole seconds, rounded down: 2s", s.timeout)
	}
	for i := 1; i < len(s.meals); i++ {
		if gap := s.meals[i] - s.meals[i-1]; gap < s.timeout/mealsPerTimeout-100*time.Millisecond {
			t.Errorf("meal %d came %v after the one before: a guard at rest is to rest", i, gap)
		}
	}
	n.Kill()
	r.within(n.Done(), "the tree to be seen dead")
	n.Wait()
	r.eventually("the device to be closed", func() bool { return d.seen().dropped })
	if !d.seen().asleep {
		t.Error("the watchdog was not put to sleep: the machine would be reset")
	}
}

func TestWatchdogBitesByTheDeadlineWhenTheGuardHangs(t *testing.T) {
	t.Parallel()
	d, path := newDevice(t, nil)
	r := newRig(t, CgroupAuto, stubborn)
	r.o.Watchdog = path
	deadline := r.in(3*time.Second, 4*time.Second, 5*time.Second)
	n := r.startReady(deadline)
	r.eventually("a meal", func() bool { return len(d.seen().meals) > 1 })
	send(t, n.guardPID(), syscall.SIGSTOP)
	r.within(n.Done(), "the agent to kill the guard and the tree")
	n.Wait()
	r.eventually("the device to be closed", func() bool { return d.seen().dropped })
	if s := d.seen(); s.asleep || s.bitesAt() > deadline.DeadBy {
		t.Errorf("asleep %v, bites at %v, and the node has to be dead by %v", s.asleep, s.bitesAt(), deadline.DeadBy)
	}
}

func TestWatchdogBitesByTheDeadlineWhenTheNodeCannotBeKilled(t *testing.T) {
	t.Parallel()
	d, path := newDevice(t, nil)
	r := newRig(t, CgroupAuto, "echo ready; exec sleep 1000")
	r.o.Watchdog = path
	deadline := r.in(2*time.Second, 3*time.Second, 4*time.Second)
	n := r.startReady(deadline)
	thaw := freeze(t, n.PID())
	r.eventually("the error", func() bool { return strings.Contains(r.log.String(), "level=ERROR") })
	if s := d.seen(); s.asleep || s.dropped || s.bitesAt() > deadline.DeadBy {
		t.Errorf("asleep %v, closed %v, bites at %v, and the node has to be dead by %v", s.asleep, s.dropped, s.bitesAt(), deadline.DeadBy)
	}
	thaw()
	r.within(n.Done(), "the node to be seen dead")
}

func TestNodeIsNotStartedWithoutTheWatchdogThatWasAskedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*device)
		path   string
		dead   time.Duration // after StopAt
		want   string
	}{
		"no device":             {path: "/nonexistent/watchdog", dead: 3 * time.Second, want: "open watchdog /nonexistent/watchdog: no such file"},
		"not a watchdog":        {path: "/dev/null", dead: 3 * time.Second, want: "watchdog /dev/null: it is no watchdog"},
		"too little time":       {dead: 1900 * time.Millisecond, want: "the time to fence is 1.9s, want 2s or more"},
		"it cannot sleep again": {change: func(d *device) { d.options = unix.WDIOF_SETTIMEOUT }, dead: 3 * time.Second, want: "Watchdog of a test cannot be put to sleep again"},
		"it bites too late":     {change: func(d *device) { d.least = 10 }, dead: 3 * time.Second, want: "bites after 10s, want 2s to 3s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, CgroupOff, "touch started; exec sleep 1000")
			if r.o.Watchdog = c.path; c.path == "" {
				_, r.o.Watchdog = newDevice(t, c.change)
			}
			n, err := Start(t.Context(), r.o, r.in(time.Hour, time.Hour, time.Hour+c.dead))
			if err == nil {
				n.Kill()
				n.Wait()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestWhenAWatchdogIsFed(t *testing.T) {
	const s = time.Second
	w := &watchdog{fd: 1, timeout: 4 * s, fed: 10 * s}
	asleep := &watchdog{fd: -1, timeout: 4 * s, fed: 10 * s}
	for name, c := range map[string]struct {
		w      *watchdog
		deadBy time.Duration
		want   time.Duration
	}{
		"a quarter of its time after the last meal": {w, 100 * s, 11 * s},
		"while it would bite by the deadline":       {w, 15 * s, 11 * s},
		"and not one instant longer":                {w, 15*s - 1, math.MaxInt64},
		"never when it sleeps":                      {asleep, 100 * s, math.MaxInt64},
		"never when there is none":                  {nil, 100 * s, math.MaxInt64},
	} {
		if got := c.w.due(c.deadBy); got != c.want {
			t.Errorf("%s: at %v, want %v", name, got, c.want)
		}
	}
}

// Nothing between the deadline and the first SIGKILL may need memory that the
// machine does not have.
func TestNothingIsAllocatedBetweenTheDeadlineAndTheFirstKill(t *testing.T) {
	f := fate{deadline: Deadline{100, 200, 300}}
	var w *watchdog
	for name, step := range map[string]func(){
		"the decision": func() { _, _ = f.next(250, event{kind: tick}) },
		"the watchdog": func() { w.feed(250, 300); _ = w.due(300) },
		"the signal":   func() { _ = unix.Kill(-1<<22, 0) },
	} {
		if n := testing.AllocsPerRun(100, step); n > 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
