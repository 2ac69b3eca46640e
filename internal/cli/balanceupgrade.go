package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
)

// handOverLimit is how long a new process may take until it serves.
const handOverLimit = 15 * time.Second

// handOver starts this program anew with the listeners, and goes on with the connections only. They keep being watched:
// when the epoch moves, they are cut here as they would have been before.
func (r *balancing) handOver(ctx context.Context) {
	switch {
	case r.leaving.Load():
		return
	case r.path.files == nil:
		r.log.Error("nothing was handed over: the kernel path has no listeners, and its rules end with this process; restart the balancer at a quiet time")
		return
	}
	pid, err := r.succeed(ctx)
	if err != nil {
		r.log.Error("nothing was handed over, and this process goes on", "err", err)
		return
	}
	r.notify("MAINPID=" + strconv.Itoa(pid)) // the last word to systemd that is ours to say
	r.leaving.Store(true)
	r.endPage()
	r.starve()
	// Without a rule the path listens nowhere; what it has goes on, and still follows the epoch.
	limited, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	if err := r.path.Apply(limited, balancer.Setup{Old: balancer.Old{Keep: true}}); err != nil {
		r.log.Error("two processes listen: end this one when its connections may end", "err", err)
	}
	r.log.Info("listeners handed over; this process ends with its last connection", "pid", pid)
}

// succeed starts the new process and waits until it serves.
func (r *balancing) succeed(ctx context.Context) (pid int, err error) {
	ctx, cancel := context.WithTimeout(ctx, handOverLimit)
	defer cancel()
	files, err := r.path.files(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { closeAll(files) }()
	if r.server != nil {
		page, err := r.server.Listener().(interface{ File() (*os.File, error) }).File()
		if err != nil {
			return 0, fmt.Errorf("hand over the page's listener: %w", err)
		}
		files = append(files, os.NewFile(page.Fd(), pageSocket))
		defer page.Close()
	}
	read, write, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer read.Close()
	names := make([]string, 0, len(files)+1)
	for _, f := range files {
		names = append(names, f.Name())
	}
	cmd, err := r.successor(append(slices.Clone(files), write), append(names, readySocket))
	if err == nil {
		err = cmd.Start()
	}
	if err := errors.Join(err, write.Close()); err != nil {
		return 0, fmt.Errorf("start the new process: %w", err)
	}
	if err := served(ctx, read); err != nil {
		return 0, errors.Join(err, cmd.Process.Kill(), ended(cmd))
	}
	pid = cmd.Process.Pid
	return pid, cmd.Process.Release() // it outlives us
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // copies
	}
}

// ended waits for a process that was killed.
func ended(cmd *exec.Cmd) error {
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		return err
	}
	return nil
}

// served waits until the new process says that it serves. One that ends says nothing.
func served(ctx context.Context, read *os.File) error {
	said := make(chan error, 1)
	go func() {
		b := make([]byte, len("ready"))
		_, err := read.Read(b)
		said <- err
	}()
	select {
	case err := <-said:
		if err != nil {
			return errors.New("the new process ended before it served; its own lines say why")
		}
		return nil
	case <-ctx.Done():
		_ = read.Close() // ends the goroutine
		<-said
		return fmt.Errorf("the new process did not serve: %w", context.Cause(ctx))
	}
}

// successor is this program, started as this process was.
func (r *balancing) successor(files []*os.File, names []string) (*exec.Cmd, error) {
	program, err := r.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	past, err := json.Marshal(r.b.Past())
	if err != nil {
		return nil, fmt.Errorf("write down the epochs: %w", err)
	}
	cmd := exec.Command(strings.TrimSuffix(program, " (deleted)"), os.Args[1:]...) // the file that is there now is the new one
	cmd.Env = append(withoutOwn(r.Environ()), inheritVar+"="+strings.Join(names, ":"), pastVar+"="+string(past))
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = r.Stdout, r.Stderr, files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C at our terminal is for us
	return cmd, nil
}

// withoutOwn is an environment without what is this process's own: its sockets, what came with them, and that systemd's
// watchdog waits for this very process. The watchdog waits for the new one once that is the main process.
func withoutOwn(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains([]string{inheritVar, pastVar, "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID"}, name)
	})
}
