package process

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestNodeRunsWithItsEnvironmentAndNothingElse(t *testing.T) {
	t.Parallel()
	r := newRig(t, CgroupAuto, "")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r.o.Argv, r.o.Env = []string{self}, []string{nodeVar + "=environ", EpochVar + "=1", "PASSWORD=x", GuardMark + "=y"}
	n := r.start(r.far())
	n.Result()
	n.Wait()
	got := strings.Fields(r.text())
	want := []string{nodeVar + "=environ", "PASSWORD=x", EpochVar + "=7", InstanceVar + "=" + r.o.Instance, NodeMark + "=" + n.id}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Fatalf("environment %q, want %q", got, want)
	}
}

func TestGuardShowsNoSecretOfTheNode(t *testing.T) {
	t.Parallel()
	r := newRig(t, CgroupAuto, "echo ready; exec sleep 1000")
	r.o.Env = append(r.o.Env, "PASSWORD=hunter2")
	n := r.startReady(r.far())
	for _, name := range []string{"environ", "cmdline"} {
		b, err := os.ReadFile(procPath(n.guardPID(), name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "hunter2") || strings.Contains(string(b), "PATH=") {
			t.Errorf("guard's %s: %q", name, b)
		}
	}
}

func TestNodeInheritsNoFileButItsStreams(t *testing.T) {
	t.Parallel()
	r := newRig(t, CgroupAuto, "ls -l /proc/self/fd; exec sleep 1000 2>&1")
	n := r.start(r.far())
	r.eventually("the node's files to be its three streams", func() bool {
		fds, err := filepath.Glob(procPath(n.PID(), "fd/*"))
		p, statErr := readStat(n.PID())
		return err == nil && statErr == nil && p.name == "sleep" && len(fds) == 3
	})
}

func TestExitIsToldAsItWas(t *testing.T) {
	for script, want := range map[string]string{
		"exit 0":                     "exit code 0",
		"exit 143":                   "exit code 143",
		"kill -ABRT $$":              "signal SIGABRT",
		"echo a; echo b >&2; exit 3": "exit code 3",
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, CgroupAuto, script)
			n := r.start(r.far())
			r.within(n.Done(), "the node to end")
			res := n.Result()
			if res.Status() != want || res.Cause != ByItself || res.PID != n.PID() {
				t.Errorf("got %s by %s, want %s by itself", res.Status(), res.Cause, want)
			}
			if strings.HasPrefix(script, "echo") && len(res.Tail) != 2 {
				t.Errorf("tail: %v", res.Tail)
			}
		})
	}
}

func TestNothingIsStartedThatCannotBe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := write("plain", "#!/bin/sh\n", 0o644)
	garbage := write("garbage", "no program", 0o755)
	orphan := write("orphan", "#!/no/such/interpreter\n", 0o755)
	for name, c := range map[string]struct {
		change func(*Options)
		is     error
		says   string
	}{
		"no such command in PATH": {func(o *Options) { o.Argv = []string{"no-such-cmd"}; o.Env = []string{"PATH=/bin:/opt/x"} }, exec.ErrNotFound, "/bin:/opt/x"},
		"no such file":            {func(o *Options) { o.Argv = []string{"/no/such/cmd"} }, exec.ErrNotFound, "/no/such/cmd"},
		"not executable":          {func(o *Options) { o.Argv = []string{plain} }, fs.ErrPermission, "0644"},
		"a directory":             {func(o *Options) { o.Argv = []string{dir} }, fs.ErrPermission, "directory"},
		"not a program":           {func(o *Options) { o.Argv = []string{garbage} }, syscall.ENOEXEC, ""},
		"interpreter missing":     {func(o *Options) { o.Argv = []string{orphan} }, exec.ErrNotFound, "interpreter"},
		"working directory":       {func(o *Options) { o.Dir = "/no/such/dir" }, fs.ErrNotExist, "/no/such/dir"},
		"no command":              {func(o *Options) { o.Argv = nil }, nil, "no command"},
		"cgroup named":            {func(o *Options) { o.Cgroup = dir }, nil, "cgroup"},
		"guard missing":           {func(o *Options) { o.Guard = []string{"/no/such/guard"} }, exec.ErrNotFound, "guard"},
		"guard that ends at once": {func(o *Options) { o.Guard = []string{"true"} }, nil, "guard ended"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, CgroupAuto, "exit 0")
			c.change(&r.o)
			n, err := Start(t.Context(), r.o, r.far())
			if n != nil || err == nil || (c.is != nil && !errors.Is(err, c.is)) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, %v; want %v saying %q", n, err, c.is, c.says)
			}
			// A failed start leaves the way free.
			if _, err := Start(t.Context(), r.o, r.far()); errors.Is(err, ErrGuardLives) {
				t.Fatal(err)
			}
		})
	}
}

func TestNoStartWithoutTime(t *testing.T) {
	t.Parallel()
	r := newRig(t, CgroupAuto, "exit 0")
	if _, err := Start(t.Context(), r.o, r.in(-time.Millisecond, time.Second, time.Second)); !errors.Is(err, ErrNoTime) {
		t.Fatalf("got %v", err)
	}
	if _, err := Start(t.Context(), r.o, r.in(3*time.Second, 2*time.Second, time.Second)); err == nil {
		t.Fatal("a deadline out of order was taken")
	}
}

func TestStartThatIsCancelledLeavesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, CgroupAuto, "exec sleep 1000")
	r.o.Guard = []string{"/bin/sleep", "1000"} // a guard that never answers
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if n, err := Start(ctx, r.o, r.in(time.Second, 2*time.Second, 3*time.Second)); n != nil || !errors.Is(err, cause) {
		t.Fatalf("got %v, %v", n, err)
	}
}

func TestOneGuardAtATime(t *testing.T) {
	t.Parallel()
	r := newRig(t, CgroupAuto, "exec sleep 1000")
	n := r.start(r.far())
	if _, err := Start(t.Context(), r.o, r.far()); !errors.Is(err, ErrGuardLives) {
		t.Fatalf("a second start: %v", err)
	}
	n.Kill()
	n.Wait()
	r.start(r.far())
}

// stubborn is a tree with all that makes a tree hard to kill: a child that
// ignores SIGTERM, a daemon two forks away in a session of its own without our
// mark in its environment, and a parent that ignores SIGTERM too.
const stubborn = `trap '' TERM
(trap '' TERM; while :; do sleep 1000; done) &
(setsid env -i /bin/sh -c 'trap "" TERM; echo $$ > daemon; while :; do sleep 1000; done' &)
while ! test -s daemon; do :; done
echo ready
while :; do sleep 1000; done`

func TestKillMeansTheWholeTree(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, stubborn)
		n := r.startReady(r.far())
		n.Kill()
		r.within(n.Done(), "the tree to be seen dead")
		r.wantDaemonDead()
		if res := n.Result(); res.Cause != Asked || !res.Forced || res.Signal != syscall.SIGKILL || res.Cgroup != (cg == CgroupAuto) {
			t.Errorf("result %+v", res)
		}
	})
}

// wantDaemonDead fails if the daemon of stubborn is alive at this instant.
func (r *rig) wantDaemonDead() {
	r.t.Helper()
	if p, ok := r.daemon(); ok {
		r.t.Errorf("the daemon is alive: %+v", p)
	}
	if left := r.alive(); len(left) > 0 {
		r.t.Errorf("alive: %v", left)
	}
}

func (r *rig) daemon() (procStat, bool) {
	var pid int
	for _, c := range r.awaitFile("daemon") {
		pid = 10*pid + int(c-'0')
	}
	p, err := readStat(pid)
	return p, err == nil && !p.dead()
}

func TestRestOfTheTreeDiesWithTheMainProcess(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, strings.Replace(stubborn, "echo ready\nwhile :; do sleep 1000; done", "exit 5", 1))
		n := r.start(r.far())
		r.within(n.Exited(), "the main process to exit")
		r.within(n.Done(), "the tree to be seen dead")
		r.wantDaemonDead()
		if res := n.Result(); res.Code != 5 || res.Cause != ByItself {
			t.Errorf("result %+v", res)
		}
	})
}

func TestTreeThatForksWhileItIsKilledIsSeenDead(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, `echo ready; while :; do (sleep 0.05; (setsid sleep 1000 &) ) & sleep 0.002; done`)
		n := r.startReady(r.far())
		r.eventually("some children", func() bool { return len(r.alive()) > 20 })
		n.Kill()
		r.within(n.Done(), "the tree to be seen dead")
		if left := r.alive(); len(left) > 0 {
			t.Errorf("alive: %v", left)
		}
	})
}

func TestPlannedStopIsPolite(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, `trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done`)
		n := r.startReady(r.far())
		n.Stop(time.Hour)
		r.within(n.Done(), "the node to end")
		res := n.Result()
		if res.Code != 0 || res.Cause != Planned || res.Forced || res.Kill != 0 {
			t.Errorf("result %+v", res)
		}
		n.Wait() // until then lines are on their way to the sink
		if !strings.Contains(r.text(), "bye") {
			t.Errorf("tail %v", res.Tail)
		}
	})
}

func TestChildrenHaveTheRestOfTheGraceWhenTheirParentEndsFirst(t *testing.T) {
	t.Parallel()
	// The shell dies of the signal at once, as a start script does; the
	// service below it needs a moment.
	r := newRig(t, CgroupAuto, `(trap 'sleep 0.3; echo flushed > flushed; exit 0' TERM; echo ready; while :; do sleep 0.01; done) & wait`)
	n := r.startReady(r.far())
	n.Stop(time.Hour)
	r.within(n.Done(), "the node to end")
	if _, err := os.Stat(filepath.Join(r.o.Dir, "flushed")); err != nil {
		t.Error("the child was killed before it had flushed")
	}
}

func TestStopEndsInAKillAfterItsGrace(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, stubborn)
		n := r.startReady(r.far())
		before := r.clock.Now().Boot
		n.Stop(200 * time.Millisecond)
		r.within(n.Done(), "the tree to be seen dead")
		r.wantDaemonDead()
		res := n.Result()
		if took := res.GoneAt - before; took < 200*time.Millisecond || !res.Forced || res.Cause != Planned {
			t.Errorf("took %v, result %+v", took, res)
		}
	})
}

func TestStopCommandStopsTheNode(t *testing.T) {
	t.Parallel()
	r := newRig(t, CgroupAuto, `trap '' TERM; trap 'echo by command; exit 0' USR1; echo ready; while :; do sleep 0.01; done`)
	r.o.StopCommand = []string{"sh", "-c", "kill -USR1 $HOTCOLD_NODE_PID"}
	n := r.startReady(r.far())
	n.Stop(time.Hour)
	r.within(n.Done(), "the node to end")
	if res := n.Result(); res.Code != 0 || res.Tail[len(res.Tail)-1].Text != "by command" {
		t.Errorf("result %+v", res)
	}
}

func TestStopSignalIsSentWhereTheStopCommandFails(t *testing.T) {
	for name, command := range map[string][]string{
		"fails":   {"sh", "-c", "exit 1"},
		"missing": {"no-such-command"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, CgroupAuto, `trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done`)
			r.o.StopCommand = command
			n := r.startReady(r.far())
			n.Stop(time.Hour)
			r.within(n.Done(), "the node to end")
			if res := n.Result(); res.Code != 9 {
				t.Errorf("result %+v", res)
			}
		})
	}
}

func TestStopCommandThatHangsDiesWithTheTree(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, `echo ready; while :; do sleep 1000; done`)
		r.o.StopCommand = []string{"sleep", "1000"}
		n := r.startReady(r.far())
		n.Stop(100 * time.Millisecond)
		r.within(n.Done(), "the tree to be seen dead")
	})
}
