package testserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// supported says whether processes can be found and watched here.
const supported = true

// deathLimit bounds the wait for a killed process. A process in an fsync on a slow
// disk dies only when that returns.
const deathLimit = 30 * time.Second

// processesIn returns the processes whose working directory is dir or below it.
// PostgreSQL's backends are found this way although they left the process group.
func processesIn(dir string) ([]int, error) {
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, link := range links {
		cwd, err := os.Readlink(link)
		if err != nil {
			continue // gone meanwhile, or another user's
		}
		if cwd != dir && !strings.HasPrefix(cwd, dir+"/") {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// freeze stops every process in dir. It looks until a round finds nobody new,
// because a process may fork while the others are being stopped.
func freeze(dir string) ([]int, error) {
	stopped := map[int]bool{}
	for {
		pids, err := processesIn(dir)
		if err != nil {
			return nil, err
		}
		fresh := false
		for _, pid := range pids {
			if stopped[pid] {
				continue
			}
			fresh, stopped[pid] = true, true
			if err := signal(pid, syscall.SIGSTOP); err != nil {
				return nil, err
			}
		}
		if !fresh {
			return pids, nil
		}
	}
}

// thaw lets every process in dir go on.
func thaw(dir string) error {
	pids, err := processesIn(dir)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := signal(pid, syscall.SIGCONT); err != nil {
			return err
		}
	}
	return nil
}

// killAll kills every process in dir at once and returns when all are seen dead.
func killAll(dir string) error {
	pids, err := freeze(dir)
	if err != nil {
		return err
	}
	handles := map[int]int{}
	defer func() {
		for _, fd := range handles {
			_ = unix.Close(fd)
		}
	}()
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return fmt.Errorf("watch process %d: %w", pid, err)
		}
		handles[pid] = fd
	}
	for _, pid := range pids {
		if err := signal(pid, syscall.SIGKILL); err != nil {
			return err
		}
	}
	for pid, fd := range handles {
		if err := waitDead(pid, fd); err != nil {
			return err
		}
	}
	return nil
}

func waitDead(pid, fd int) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(deathLimit.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
			continue // the limit starts anew: signals are rare enough
		case err != nil:
			return fmt.Errorf("wait for the death of process %d: %w", pid, err)
		case n == 0:
			return fmt.Errorf("process %d is alive %v after SIGKILL", pid, deathLimit)
		}
		return nil
	}
}

// signal sends sig and takes a process that is already gone for a success.
func signal(pid int, sig syscall.Signal) error {
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %v to process %d: %w", sig, pid, err)
	}
	return nil
}
