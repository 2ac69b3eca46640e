package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/hocon"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/status"
)

// reload takes over the configuration as it is now, or keeps the one in force and says why.
func (r *balancing) reload(ctx context.Context, why string, watch *fileWatch) {
	if r.leaving.Load() {
		return // who has the listeners reads it
	}
	now := r.Clock.Now()
	// systemd wants the instant, to tell this reload from an earlier one.
	r.notify(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, monotonicMicros()))
	defer r.notify(daemon.SdNotifyReady)
	ctx, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	c, err := r.loadBalancer(ctx)
	if err == nil {
		err = r.takeOver(ctx, c)
	}
	if err != nil {
		faults := faultLines(err)
		r.refused.Store(&status.RefusedConfig{At: now.Wall, Faults: faults})
		watch.also(err)
		for _, fault := range faults {
			r.log.Error("configuration refused, the former one stays", "because", why, "err", fault)
		}
		return
	}
	r.conf.Store(&inForce{c, now.Wall})
	r.refused.Store(nil)
	watch.follow(c)
	r.log.Info("configuration read", "because", why, "path", c.File)
}

// takeOver puts another configuration in force: all of it, but for what only a start can change.
func (r *balancing) takeOver(ctx context.Context, c *config.Config) error {
	was := r.conf.Load().Balancer
	for _, w := range c.Warnings {
		r.log.Warn(w.Text, "path", w.Path, "at", w.Pos.String())
	}
	if err := r.path.supports(c); err != nil {
		return err
	}
	if err := r.b.Reload(ctx, r.options(c)); err != nil {
		return err
	}
	if was.AccessLog != c.Balancer.AccessLog {
		r.access.rename(c.Balancer.AccessLog)
	}
	for _, s := range []struct {
		path    string
		changed bool
	}{
		{"hotcold.balancer.listen", was.Listen.Address != c.Balancer.Listen.Address || was.Listen.TLS != c.Balancer.Listen.TLS || was.Listen.Key.Reveal() != c.Balancer.Listen.Key.Reveal()},
		{"hotcold.balancer.dataPath", was.DataPath != c.Balancer.DataPath},
		{"hotcold.balancer.masquerade", was.Masquerade != c.Balancer.Masquerade},
		{"hotcold.balancer.user", was.User != c.Balancer.User},
	} {
		if s.changed {
			r.log.Warn("a changed setting holds from the next start on", "path", s.path)
		}
	}
	return nil
}

// faultLines are the faults of an error, each in a line of its own.
func faultLines(err error) []string {
	var faults hocon.Errors
	if !errors.As(err, &faults) {
		return strings.Split(err.Error(), "\n")
	}
	var lines []string
	for _, f := range faults[:min(len(faults), maxFaults)] {
		lines = append(lines, f.Error())
	}
	return lines
}

// oneStatusLine is what systemd takes as a status.
func oneStatusLine(text string) string { return strings.ReplaceAll(text, "\n", " ") }

// monotonicMicros is what systemd compares a reload with.
func monotonicMicros() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0 // it never fails on Linux
	}
	return ts.Nano() / 1000
}

// fileWatch looks whether the configuration's files have changed. It looks at their marks, not for events: a file that
// is replaced by rename, on whatever file system, is seen too, and a look costs microseconds.
type fileWatch struct {
	files []string
	was   []fileMark
	// fresh are marks that were new at the last look: a file is read once it has not changed for one look, so that
	// nobody reads it half written.
	fresh []fileMark
}

// fileMark changes when a file does.
type fileMark struct {
	inode, size, modified, changed int64
}

func newFileWatch(c *config.Config) *fileWatch {
	w := &fileWatch{}
	w.follow(c)
	return w
}

// follow looks at the files of another configuration from now on: those that it includes too, and those that it would
// include if they were there.
func (w *fileWatch) follow(c *config.Config) {
	w.files = slices.Clone(c.Files)
	w.was, w.fresh = w.look(), nil
}

// also looks at the files in which the faults of a refused configuration are: whoever mends them there is heard, though
// the configuration in force has nothing of such a file.
func (w *fileWatch) also(err error) {
	var faults hocon.Errors
	if !errors.As(err, &faults) {
		return
	}
	known := len(w.files)
	for _, f := range faults {
		if name, err := filepath.Abs(f.Pos.File); err == nil && f.Pos.File != "" && !slices.Contains(w.files, name) {
			w.files = append(w.files, name)
		}
	}
	w.was, w.fresh = append(w.was, w.look()[known:]...), nil
}

func (w *fileWatch) look() (marks []fileMark) {
	for _, name := range w.files {
		var m fileMark
		if info, err := os.Stat(name); err == nil {
			m.size, m.modified = info.Size(), info.ModTime().UnixNano()
			if s, ok := info.Sys().(*syscall.Stat_t); ok {
				m.inode, m.changed = int64(s.Ino), s.Ctim.Nano()
			}
		}
		marks = append(marks, m)
	}
	return marks
}

// changed tells once of each change, when it has settled. A file that is gone is no change: it comes back.
func (w *fileWatch) changed() bool {
	now := w.look()
	for i, m := range now {
		if m == (fileMark{}) && w.was[i] != m {
			return false
		}
	}
	switch {
	case slices.Equal(now, w.was):
		w.fresh = nil
		return false
	case !slices.Equal(now, w.fresh):
		w.fresh = now
		return false
	}
	w.was, w.fresh = now, nil
	return true
}
