package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/status"
)

const (
	// inheritVar names the sockets that a process of ours has handed to this one, from descriptor 3 on: names of rules,
	// pageSocket, and readySocket, separated by colons.
	inheritVar = "HOTCOLD_INHERIT"
	// pastVar is what the process before knew of epochs: a balancer.Past as JSON. It counts beside inheritVar only.
	pastVar = "HOTCOLD_BALANCED"
	// rootVar is set where root has started the balancer, which then became another user.
	rootVar = "HOTCOLD_STARTED_BY_ROOT"
	// pageSocket is the name of the page's listener among them, in systemd too (FileDescriptorName=page).
	pageSocket = "page"
	// readySocket is the pipe on which the process before waits until this one serves.
	readySocket = "ready."
	// firstInherited is the first descriptor that is handed over; those below are stdin, stdout and stderr.
	firstInherited = 3
	// maxInherited bounds what a wrong variable may ask for.
	maxInherited = 1024
)

// inherited are the sockets that this process was given.
type inherited struct {
	rules []*os.File
	all   []*os.File     // in the order of their descriptors
	page  *os.File       // nil where it is to be opened
	pipe  *os.File       // nil where nobody waits
	from  string         // "systemd", "another process", or empty
	past  *balancer.Past // nil where there was no process before
}

// inherit takes over the sockets of an earlier process, or of systemd.
func (a *app) inherit() (inherited, error) {
	var in inherited
	names, ours := a.Lookup(inheritVar)
	var files []*os.File
	if ours {
		in.from = "another process"
		all := strings.Split(names, ":")
		if len(all) > maxInherited {
			return in, fmt.Errorf("%s names %d sockets", inheritVar, len(all))
		}
		for i, name := range all {
			fd := uintptr(firstInherited + i)
			unix.CloseOnExec(int(fd))
			files = append(files, os.NewFile(fd, name))
		}
		if text, ok := a.Lookup(pastVar); ok {
			in.past = &balancer.Past{}
			if err := json.Unmarshal([]byte(text), in.past); err != nil {
				return in, fmt.Errorf("read %s, which the process before has left: %w", pastVar, err)
			}
		}
	} else if files = activation.Files(true); len(files) > 0 {
		in.from = "systemd"
	}
	in.all = files
	for _, f := range files {
		switch f.Name() {
		case pageSocket:
			in.page = f
		case readySocket:
			in.pipe = f
		default:
			in.rules = append(in.rules, f)
		}
	}
	return in, nil
}

// names are those of all sockets.
func (in inherited) names() (names []string) {
	for _, f := range in.all {
		names = append(names, f.Name())
	}
	return names
}

// ready tells the process before that this one serves.
func (in inherited) ready() {
	if in.pipe != nil {
		_, _ = in.pipe.Write([]byte("ready")) // who is not there any more needs no word
		_ = in.pipe.Close()
	}
}

// close closes what is left. Listeners of rules belong to the data path once it is made.
func (in inherited) close() {
	for _, f := range []*os.File{in.page, in.pipe} {
		if f != nil {
			_ = f.Close() // a copy of a descriptor that others have, or a pipe that was used
		}
	}
}

// control is the socket of `hotcold balance status`.
type control struct {
	path     string
	listener net.Listener
	inode    uint64
}

// socketPathBytes is how long the path of a socket may be (unix(7)).
const socketPathBytes = 107

// reachable gives a path of a socket that is short enough, and what to do when it has been used. A long one is reached
// through a descriptor of its directory.
func reachable(socket string) (path string, done func(), err error) {
	if len(socket) <= socketPathBytes {
		return socket, func() {}, nil
	}
	dir, err := unix.Open(filepath.Dir(socket), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, &os.PathError{Op: "open", Path: filepath.Dir(socket), Err: err}
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir, filepath.Base(socket)), func() { _ = unix.Close(dir) }, nil
}

// listenControl opens the socket, and refuses where another balancer of this configuration has it.
func (r *balancing) listenControl(ctx context.Context, c *config.Config, in inherited) (*control, error) {
	path := r.controlPath(c)
	// Under a name of its own, and then renamed over the former: at any time there is one that answers.
	own := path + "." + strconv.Itoa(os.Getpid())
	if in.from != "another process" {
		if v, _, err := askBalancer(ctx, path, 0); err == nil {
			return nil, &failure{code: exitTwin, err: fmt.Errorf("another balancer of this configuration runs here, process %d", v.PID),
				hint: "`hotcold balance status` shows it; SIGUSR2 replaces it without an interruption"}
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the runtime directory: %w", err)
	}
	_ = os.Remove(own) // of a process with our number, long ago
	short, done, err := reachable(own)
	if err != nil {
		return nil, fmt.Errorf("open the balancer's socket: %w", err)
	}
	defer done()
	l, err := net.Listen("unix", short)
	if err != nil {
		return nil, fmt.Errorf("open the balancer's socket: %w", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // its name changes, and may be another's by then
	k := &control{path: path, listener: l}
	var stat unix.Stat_t
	if err = errors.Join(os.Chmod(own, 0o600), unix.Stat(own, &stat)); err == nil {
		k.inode = stat.Ino
		err = os.Rename(own, path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the balancer's socket: %w", err), l.Close())
	}
	return k, nil
}

// serve makes the server of the socket.
func (k *control) serve(r *balancing) *status.Server {
	return status.NewBalanceOn(k.listener, status.BalanceOptions{View: r.view, Connections: r.path.connections, Live: r.live, Clock: r.Clock, Log: r.log})
}

// close takes the socket away, unless it is another process's by now.
func (k *control) close() {
	if k == nil {
		return
	}
	_ = k.listener.Close() // its server has closed it, if there was one
	var stat unix.Stat_t
	if unix.Stat(k.path, &stat) == nil && stat.Ino == k.inode {
		_ = os.Remove(k.path) // what stays refuses who asks, which says the same
	}
}
