package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A program on a drive that hangs keeps whoever starts it waiting until its exec
// is over, and in Go it stops the whole process that waits. So neither guard nor
// agent starts a foreign program itself: it starts a launcher, which is this
// program once more and was loaded long ago, and the launcher becomes the foreign
// program. If that hangs, the launcher hangs, and can be killed like a node.

// launchWord follows the guard's own arguments in those of a launcher.
const launchWord = "exec"

// fdVerdict is where a launcher says why it could not become the program. It is
// closed without a word when it could.
const fdVerdict = 3

// program is what a launcher is to become.
type program struct {
	self  []string // arguments of the guard, which are those of the launcher too
	path  string
	argv  []string
	dir   string
	env   []string
	out   [2]uintptr // standard output and error
	cg    cgroup
	dying bool // dies with the thread that started it
	near  bool // stays in the session of who started it
}

// verdict is how a launch ended. The zero value is a success.
type verdict struct {
	Errno syscall.Errno `json:"errno"`
	Text  string        `json:"text"`
}

// start starts the launcher. The verdict is delivered on the channel, once.
func (p program) start() (int, <-chan verdict, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, nil, err
	}
	defer null.Close()
	out := p.out
	if out == [2]uintptr{} {
		out = [2]uintptr{null.Fd(), 2}
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, nil, fmt.Errorf("open pipe: %w", err)
	}
	defer w.Close()
	sys := &syscall.SysProcAttr{Setsid: !p.near}
	if p.dying {
		sys.Pdeathsig = unix.SIGKILL
	}
	if p.cg != "" {
		fd, err := unix.Open(string(p.cg), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			r.Close()
			return 0, nil, fmt.Errorf("open cgroup %s: %w", p.cg, err)
		}
		defer unix.Close(fd)
		sys.UseCgroupFD, sys.CgroupFD = true, fd
	}
	argv := append(p.self[:len(p.self):len(p.self)], launchWord, p.dir, p.path)
	pid, err := syscall.ForkExec(selfExe, append(argv, p.argv...), &syscall.ProcAttr{
		Dir: "/", Env: p.env, Sys: sys, Files: []uintptr{null.Fd(), out[0], out[1], fdVerdict: w.Fd()},
	})
	if err != nil {
		r.Close()
		return 0, nil, fmt.Errorf("start launcher: %w", err)
	}
	return pid, readVerdict(r), nil
}

// readVerdict waits for the launcher's word or its silence.
func readVerdict(r *os.File) <-chan verdict {
	c := make(chan verdict, 1)
	go func() {
		defer r.Close()
		var v verdict
		// The end of the file is a success, or a launcher that was killed:
		// its parent learns of that by itself.
		_ = json.NewDecoder(r).Decode(&v)
		c <- v
	}()
	return c
}

// launchMain is the launcher: args are the directory, the path and the argv of
// what it becomes. The environment is its own.
func launchMain(args []string) int {
	if len(args) < 3 {
		return 2
	}
	unix.CloseOnExec(fdVerdict)
	err := os.Chdir(args[0])
	if err == nil {
		err = syscall.Exec(args[1], args[2:], os.Environ())
	}
	v := verdict{Text: err.Error()}
	errors.As(err, &v.Errno)
	_ = json.NewEncoder(os.NewFile(fdVerdict, "verdict")).Encode(v)
	return 127 // as a shell says it
}
