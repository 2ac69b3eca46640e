package process

import (
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// watchdog is a device that resets the machine unless it is fed: the last rung,
// below which there is no software (the kernel's watchdog API). It is fed only
// while it would bite by the deadline at the latest. So a machine whose guard,
// scheduler or kernel has hung is down by the instant at which the node has to be
// dead, and a guard that works has until then to see the node dead and to put the
// watchdog to sleep.
//
// What stands between a look at the clock and the meal is not counted; the
// lease's timing has its slack for that.
//
// The zero value, and nil, is no watchdog.
type watchdog struct {
	fd      int           // -1: put to sleep
	timeout time.Duration // from a meal to the bite
	fed     time.Duration // boot-clock reading before the last meal
}

// MinWatchdog is the least time to fence (Deadline.DeadBy less StopAt) with which
// a watchdog can be used. The devices count in seconds, and one that bites within
// one second would not outlive a busy moment.
const MinWatchdog = 2 * time.Second

// mealsPerTimeout: a meal that comes late, or is lost, is not yet a bite.
const mealsPerTimeout = 4

// openWatchdog arms the device so that it bites limit after a meal at the latest.
// Opening it is a meal.
func openWatchdog(path string, limit, now time.Duration) (*watchdog, error) {
	if limit < MinWatchdog {
		return nil, fmt.Errorf("watchdog %s: the time to fence is %v, want %v or more: devices count in seconds", path, limit, MinWatchdog)
	}
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open watchdog %s: %w", path, err)
	}
	w := &watchdog{fd: fd, fed: now}
	if err := w.set(limit); err != nil {
		_ = w.sleep() // what is wrong with it is said
		return nil, fmt.Errorf("watchdog %s: %w", path, err)
	}
	return w, nil
}

// set makes the device bite limit after a meal, in whole seconds rounded down.
func (w *watchdog) set(limit time.Duration) error {
	info, err := unix.IoctlGetWatchdogInfo(w.fd)
	if err != nil {
		return fmt.Errorf("it is no watchdog: %w", err)
	}
	if info.Options&unix.WDIOF_MAGICCLOSE == 0 {
		return fmt.Errorf("%s cannot be put to sleep again (no magic close): each end of the node would reset the machine", w.name(info))
	}
	seconds := int(limit / time.Second)
	if err := unix.IoctlSetPointerInt(w.fd, unix.WDIOC_SETTIMEOUT, seconds); err != nil {
		return fmt.Errorf("set %s to %d s: %w", w.name(info), seconds, err)
	}
	got, err := unix.IoctlGetInt(w.fd, unix.WDIOC_GETTIMEOUT)
	if err != nil {
		return fmt.Errorf("read the timeout of %s: %w", w.name(info), err)
	}
	w.timeout = time.Duration(got) * time.Second
	if w.timeout > limit || w.timeout < MinWatchdog {
		return fmt.Errorf("%s bites after %v, want %v to %v (fenceTimeout)", w.name(info), w.timeout, MinWatchdog, limit)
	}
	return nil
}

func (w *watchdog) name(info *unix.WatchdogInfo) string {
	return unix.ByteSliceToString(info.Identity[:])
}

// due returns when the next meal is due, for a node that has to be dead by then;
// never, if the watchdog has to be left to bite.
func (w *watchdog) due(deadBy time.Duration) time.Duration {
	if w == nil || w.fd < 0 {
		return math.MaxInt64
	}
	next := w.fed + w.timeout/mealsPerTimeout
	if next+w.timeout > deadBy {
		return math.MaxInt64
	}
	return next
}

// feed gives it a meal if one is due and it would still bite in time. It neither
// waits nor allocates.
func (w *watchdog) feed(now, deadBy time.Duration) {
	if now < w.due(deadBy) || now+w.timeout > deadBy {
		return
	}
	var meal [1]byte // any byte but V is one
	// An error is a meal that was not taken: then it bites, which is safe.
	if _, err := unix.Write(w.fd, meal[:]); err == nil {
		w.fed = now
	}
}

// sleep disarms the device: the node was seen dead.
func (w *watchdog) sleep() error {
	if w == nil || w.fd < 0 {
		return nil
	}
	_, err := unix.Write(w.fd, []byte("V"))
	if closed := unix.Close(w.fd); err == nil {
		err = closed
	}
	w.fd = -1
	if err != nil {
		return fmt.Errorf("put the watchdog to sleep, the machine may be reset within %v: %w", w.timeout, err)
	}
	return nil
}
