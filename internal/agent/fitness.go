package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
)

// fitness finds out whether this machine could run the node, while it does not.
type fitness struct{ o *Options }

const (
	// fitnessPause is between two looks at this machine: what is looked at
	// changes by the hand of a person.
	fitnessPause = 5 * time.Second
	// fitnessLimit bounds one look; a drive that hangs is a fault of its own.
	fitnessLimit = 3 * time.Second
	// portLimit is how long somebody may take to accept on a port of this machine.
	portLimit = 200 * time.Millisecond
)

// run looks again and again and tells what it found. At most one look is left
// behind on a drive that hangs: the next one waits for it. down tells whether
// the node is meant to be down.
func (f *fitness) run(ctx context.Context, down func() bool, told func([]string)) {
	var pending chan []string
	for ctx.Err() == nil {
		if pending == nil {
			pending = make(chan []string, 1)
			go func(out chan<- []string) { out <- f.look(ctx, down) }(pending)
		}
		timer := f.o.Clock.Timer(f.o.Clock.Now().Boot + fitnessLimit)
		select {
		case faults := <-pending:
			pending = nil
			told(faults)
			_ = clock.Wait(ctx, f.o.Clock, fitnessPause)
		case <-timer.C():
			told(f.hung())
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

func (f *fitness) hung() []string {
	return []string{fmt.Sprintf("the base directory %s or the shared drive has not answered for %v: is the network drive alive?", f.o.BaseDir, fitnessLimit)}
}

func (f *fitness) look(ctx context.Context, down func() bool) []string {
	faults := f.faults()
	if !down() {
		return faults
	}
	if taken := f.portsTaken(ctx); down() { // else it may have been our own node
		faults = append(faults, taken...)
	}
	return faults
}

// faults says in words all that would keep a node from running here.
func (f *fitness) faults() []string {
	var faults []string
	note := func(err error) {
		if err != nil {
			faults = append(faults, err.Error())
		}
	}
	note(f.command())
	note(writable("base directory", f.o.BaseDir))
	if dir := f.o.Process.RuntimeDir; dir != "" {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) { // the agent makes it when it starts
			note(writable("runtime directory", dir))
		}
	}
	if f.o.EpochFile != "" && f.o.Drive.Expect.Path == "" { // else the watch of the drive looks, in a process of its own
		note(writable("shared drive", filepath.Dir(f.o.EpochFile)))
		_, err := epochFile(f.o.EpochFile).read()
		note(err)
	}
	if f.o.Process.Dir != "" && f.o.Process.Dir != f.o.BaseDir {
		_, err := os.Stat(f.o.Process.Dir)
		note(err)
	}
	return faults
}

// command finds out whether the node's program is there and may be run.
func (f *fitness) command() error {
	name := f.o.Process.Argv[0]
	if !strings.Contains(name, "/") {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("the node's command %q is not in the PATH", name)
		}
		return nil
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(f.o.Process.Dir, name)
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("the node's command %s does not exist", name)
	case err != nil:
		return fmt.Errorf("the node's command: %w", err)
	case info.IsDir():
		return fmt.Errorf("the node's command %s is a directory", name)
	case unix.Access(name, unix.X_OK) != nil:
		return fmt.Errorf("the node's command %s may not be executed: chmod +x it", name)
	}
	return nil
}

func writable(what, dir string) error {
	if dir == "" {
		return nil
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("the %s %s cannot be written: %w", what, dir, err)
	}
	if full(dir) {
		return fmt.Errorf("the %s %s has no space left on its disk: make room", what, dir)
	}
	return nil
}

// full tells whether nothing can be written below dir for want of space. A file
// system that does not say how large it is counts as one with space.
func full(dir string) bool {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil || s.Blocks == 0 {
		return false
	}
	if os.Geteuid() == 0 {
		return s.Bfree == 0 // the superuser may use what is kept in reserve
	}
	return s.Bavail == 0
}

// portsTaken says which of the node's ports somebody else listens on. It is
// asked only while the node is down: then each answer is a stranger.
func (f *fitness) portsTaken(ctx context.Context) []string {
	var taken []string
	for _, address := range f.o.Ports {
		dialer := net.Dialer{Timeout: portLimit}
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			continue // nobody listens, which is as it should be
		}
		conn.Close()
		taken = append(taken, fmt.Sprintf("port %s, which the node needs, is already taken by another program", address))
	}
	return taken
}

// Faults says in words all that would keep a node from running on this machine
// now. It looks at files and may hang on a dead drive. It does not look at
// ports: the node may be up.
func Faults(o Options) []string {
	f := fitness{o: &o}
	return f.faults()
}

// PortsTaken says which of the node's ports somebody listens on now. While the node is
// down that is a stranger.
func PortsTaken(ctx context.Context, o Options) []string {
	f := fitness{o: &o}
	return f.portsTaken(ctx)
}
