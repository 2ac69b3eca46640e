package process

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hangExec makes every exec of path hang, as it does on a dead network drive,
// until the test is over.
func hangExec(t *testing.T, path string) {
	t.Helper()
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK, unix.O_RDONLY)
	if err != nil {
		t.Skipf("no fanotify to make an exec hang with: %v", err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	err = unix.FanotifyMark(fd, unix.FAN_MARK_ADD, unix.FAN_OPEN_EXEC_PERM, unix.AT_FDCWD, path)
	if err != nil {
		t.Skipf("no fanotify to make an exec hang with: %v", err)
	}
}

func hangingProgram(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "hangs")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	hangExec(t, path)
	return path
}

func TestNodeThatHangsInItsExecIsGoneByTheDeadline(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, "")
		r.o.Argv = []string{hangingProgram(t, r.o.Dir)}
		d := r.in(time.Second, 1200*time.Millisecond, limit)
		n, err := Start(t.Context(), r.o, d)
		if n != nil || !errors.Is(err, ErrNoTime) {
			t.Fatalf("got a node: %v, error %v", n != nil, err)
		}
		if now := r.clock.Now().Boot; now > d.DeadBy {
			t.Errorf("%v too late", now-d.DeadBy)
		}
		r.wantProof(true)
	})
}

func TestGuardEndsANodeThatHangsInItsExecWhenTheAgentIsKilled(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, "")
		path := hangingProgram(t, r.o.Dir)
		a := r.silentAgent(agentOrder{Argv: []string{path}, StopIn: time.Hour, KillIn: time.Hour, DeadIn: time.Hour, LossGrace: 100 * time.Millisecond})
		r.eventually("the guard to make the node", func() bool {
			rec, err := readRecord(recordPath(r.o.RuntimeDir))
			return err == nil && rec != nil && len(r.alive()) == 1
		})
		a.signal(t, unix.SIGKILL)
		r.eventually("the guard to end", func() bool { f, err := flock(guardLockPath(r.o.RuntimeDir)); closeFile(f); return err == nil })
		if left := r.alive(); len(left) > 0 {
			t.Errorf("alive: %v", left)
		}
	})
}

func TestDeadlineIsKeptWhileTheStopCommandHangsInItsExec(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, "echo ready; exec sleep 1000")
		r.o.StopCommand = []string{hangingProgram(t, r.o.Dir)}
		n := r.startReady(r.far())
		n.Stop(200 * time.Millisecond)
		r.within(n.Done(), "the node to be seen dead")
		if res := n.Result(); res.GoneAt-res.Kill < n.StartedAt()+200*time.Millisecond || res.Cause != Planned {
			t.Errorf("result %+v", res)
		}
	})
}
