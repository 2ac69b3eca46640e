package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// endLimit is how long an agent may take to end in order: its node's stop
// timeout, and the release of the lease.
const endLimit = 8 * time.Second

// restartAfter is when a dead agent is started again: systemd would do so after
// RestartSec. It is longer than the wait of the lease, so that the other
// machine has taken over by then; else the node would come back where it was.
func (k *keeper) restartAfter() time.Duration { return 2*k.o.Wait + time.Second }

// keeper keeps the agent of one machine running, as systemd would.
type keeper struct {
	m       *machine
	o       *Options
	nursery *nursery
	tell    *teller
	broken  func(error) // told when an agent ends that nobody harmed

	mu     sync.Mutex // guards all below
	pid    int        // 0: it does not run
	frozen bool
	harmed bool // its end is no surprise
}

// run starts the agent and starts it again until ctx ends; then it stops it in
// order and returns when it is gone.
func (k *keeper) run(ctx context.Context) {
	for ctx.Err() == nil {
		cmd, err := k.start()
		if err != nil {
			k.broken(err)
			return
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = k.nursery.wait(cmd) // how it ended stands in ProcessState
		}()
		select {
		case <-ended:
		case <-ctx.Done():
			k.end(ended)
		}
		if ctx.Err() == nil && !k.again(ctx, cmd.ProcessState) {
			return
		}
	}
}

func (k *keeper) start() (*exec.Cmd, error) {
	log, err := os.OpenFile(k.m.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the agent has its own copy
	cmd := exec.Command(k.o.Executable, "run", "--config", k.m.Conf)
	cmd.Dir, cmd.Env = k.m.Dir, k.o.Environ
	cmd.Stdout, cmd.Stderr = log, log
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.nursery.start(cmd); err != nil {
		return nil, fmt.Errorf("start the agent of %s: %w", k.m.Name, err)
	}
	k.pid, k.frozen, k.harmed = cmd.Process.Pid, false, false
	return cmd, nil
}

// again waits until a dead agent may be started again. False means that there
// is no sense in that.
func (k *keeper) again(ctx context.Context, how *os.ProcessState) bool {
	k.mu.Lock()
	harmed := k.harmed
	k.pid, k.frozen = 0, false
	k.mu.Unlock()
	status, _ := how.Sys().(syscall.WaitStatus)
	if !harmed && !status.Signaled() {
		k.broken(fmt.Errorf("the agent of %s ended by itself (%v), its last words: %s", k.m.Name, how, k.m.lastWords()))
		return false
	}
	if !harmed {
		k.tell.say(harm, "%s's agent died (%v)", k.m.Name, how)
	}
	if clock.Wait(ctx, k.o.Clock, k.restartAfter()) != nil {
		return true
	}
	k.tell.say(plain, "%s's agent is started again, as systemd would do it", k.m.Name)
	return true
}

// end stops the agent, in order if it can.
func (k *keeper) end(ended <-chan struct{}) {
	k.signal(syscall.SIGTERM)
	k.signal(syscall.SIGCONT) // a frozen one sees the other signal only then
	limit := k.o.Clock.Timer(k.o.Clock.Now().Boot + endLimit)
	defer limit.Stop()
	select {
	case <-ended:
	case <-limit.C():
	case <-k.o.Hurry:
	}
	k.signal(syscall.SIGKILL)
	<-ended
	k.mu.Lock()
	k.pid = 0
	k.mu.Unlock()
}

// signal sends a signal to the agent, if there is one.
func (k *keeper) signal(s syscall.Signal) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pid != 0 {
		_ = syscall.Kill(k.pid, s) // it may have ended just now
	}
}

var errNoAgent = errors.New("its agent does not run just now")

// kill kills the agent, and on demand all that descends from it.
func (k *keeper) kill(all bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pid == 0 {
		return errNoAgent
	}
	pids := []int{k.pid}
	if all {
		pids = append(pids, descendants(processes(), k.pid)...)
	}
	k.harmed = true
	kill(pids...)
	return nil
}

// thaw lets a frozen agent go on.
func (k *keeper) thaw() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pid == 0 {
		return errNoAgent
	}
	k.frozen = false
	return syscall.Kill(k.pid, syscall.SIGCONT)
}

// freeze stops the agent's process where it stands, but not while it has the
// database locked. A database server goes on when a client of it hangs, and
// ends its transaction; an SQLite file stays locked for as long as the client
// is stopped, and that would be the hang of two machines.
func (k *keeper) freeze(ctx context.Context, database string) error {
	k.mu.Lock()
	pid := k.pid
	k.mu.Unlock()
	if pid == 0 {
		return errNoAgent
	}
	for range freezeTries {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			return err
		}
		for !stopped(pid) {
			if err := clock.Wait(ctx, k.o.Clock, freezePause); err != nil {
				return err
			}
		}
		if !locks(pid, database) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.frozen = k.pid == pid
			return nil
		}
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			return err
		}
		if err := clock.Wait(ctx, k.o.Clock, freezePause); err != nil {
			return err
		}
	}
	return fmt.Errorf("it had the database locked at each of %d moments", freezeTries)
}

const (
	// freezePause is about as long as one statement takes.
	freezePause = 2 * time.Millisecond
	// freezeTries is some hundred times what is needed: an agent has the
	// database locked for a hundredth of the time.
	freezeTries = 200
)

// able tells whether the agent runs and could do something.
func (k *keeper) able() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.pid != 0 && !k.frozen
}

func (k *keeper) isFrozen() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.frozen
}
