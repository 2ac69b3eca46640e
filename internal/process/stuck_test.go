package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// freeze puts a process where SIGKILL does not reach it: a frozen cgroup v1.
// For everybody else that looks like a process that hangs on a dead drive.
func freeze(t *testing.T, pid int) (thaw func()) {
	t.Helper()
	dir, err := os.MkdirTemp("/sys/fs/cgroup/freezer", "hotcold-test-")
	if err != nil {
		t.Skipf("no cgroup v1 freezer to make a process unkillable with: %v", err)
	}
	write := func(name, value string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0); err != nil {
			t.Errorf("freezer: %v", err)
		}
	}
	thaw = func() { write("freezer.state", "THAWED") }
	t.Cleanup(func() {
		thaw()
		os.Remove(dir)
	})
	write("cgroup.procs", strconv.Itoa(pid))
	write("freezer.state", "FROZEN")
	return thaw
}

func TestWhatCannotBeKilledIsNeverCalledDead(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		for name, harm := range map[string]func(*rig, *Node){
			"guard at work": func(*rig, *Node) {},
			"guard killed":  func(r *rig, n *Node) { send(r.t, n.guardPID(), syscall.SIGKILL) },
			"guard stopped": func(r *rig, n *Node) { send(r.t, n.guardPID(), syscall.SIGSTOP) },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, cg, "echo ready; exec sleep 1000")
				r.o.LastResort = []string{"sh", "-c", "echo $HOTCOLD_INSTANCE >> " + filepath.Join(r.o.Dir, "resort")}
				d := r.in(2*time.Second, 2500*time.Millisecond, 4*time.Second)
				n := r.startReady(d)
				thaw := freeze(t, n.PID())
				harm(r, n)
				if got := r.awaitFile("resort"); got != r.o.Instance {
					t.Errorf("last resort for %q", got)
				}
				if now := r.clock.Now().Boot; now < d.DeadBy {
					t.Errorf("last resort %v early", d.DeadBy-now)
				}
				r.eventually("the error", func() bool { return strings.Contains(r.log.String(), "level=ERROR") })
				select {
				case <-n.Done():
					t.Error("called dead while it was there")
				default:
				}
				if !strings.Contains(r.log.String(), "sleep["+strconv.Itoa(n.PID())+"]") {
					t.Error("the log does not name what is left")
				}
				thaw()
				r.within(n.Done(), "the node to be seen dead")
				n.Wait()
				if c := strings.Count(r.log.String(), "level=ERROR"); c != 1 {
					t.Errorf("%d errors logged", c)
				}
				// A guard that was too slow to say that it ran it is one that does not work.
				slow := strings.Contains(r.log.String(), "guard does not obey")
				if got := r.awaitFile("resort"); got != r.o.Instance && !slow {
					t.Errorf("last resort ran again: %q", got)
				}
			})
		}
	})
}

// The last resort is a child of the guard like the processes of the node, and
// passes of killing go on while it is started.
func TestPassOfKillingSparesTheLastResort(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spared func(pid int) int
		lives  bool
	}{
		"its number is not known yet": {func(int) int { return launching }, true},
		"its number is known":         {func(pid int) int { return pid }, true},
		"there is none":               {func(int) int { return nobody }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A tree below a process of its own: a pass kills all descendants.
			root := exec.Command("sh", "-c", "sleep 1000 & echo $!; wait")
			root.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			out, err := root.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := root.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = syscall.Kill(-root.Process.Pid, syscall.SIGKILL)
				_ = root.Wait()
			}()
			var pid int
			if _, err := fmt.Fscan(out, &pid); err != nil {
				t.Fatal(err)
			}
			child, err := readStat(pid)
			if err != nil {
				t.Fatal(err)
			}
			s := newSweeper("")
			s.spare(c.spared(pid))
			s.killDescendants(root.Process.Pid)
			if !c.lives {
				newRig(t, CgroupOff, "").eventually("it to be killed", func() bool { return !child.ident().alive() })
			} else if !child.ident().alive() {
				t.Error("it was killed")
			}
		})
	}
}

func TestCleanDoesNotCallDeadWhatItCannotKill(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		r := newRig(t, cg, "echo ready > ready; exec sleep 1000")
		a := r.agent(agentOrder{StopIn: time.Hour, KillIn: time.Hour, DeadIn: time.Hour})
		r.awaitFile("ready")
		thaw := freeze(t, a.PID)
		a.signal(t, syscall.SIGKILL)
		send(t, a.Guard, syscall.SIGKILL)
		r.wantCleanFails(a.PID)
		thaw()
		r.wantProof(cg == CgroupAuto)
	})
}

// A process that is replaced by a child of its own, in a new session, over and
// over, is never where a look through /proc has just seen it.
func TestProcessThatKeepsMovingIsSeenDead(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, cg string) {
		for name, harm := range map[string]func(*rig, *Node){
			"guard at work": func(_ *rig, n *Node) { n.Kill() },
			"guard killed":  func(r *rig, n *Node) { send(r.t, n.guardPID(), syscall.SIGKILL) },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, cg, "")
				self, err := os.Executable()
				if err != nil {
					t.Fatal(err)
				}
				r.o.Argv[2] = self + " & echo ready; exec sleep 1000"
				r.o.Env = append(r.o.Env, nodeVar+"=chain")
				n := r.startReady(r.far())
				harm(r, n)
				r.within(n.Done(), "the tree to be seen dead")
				if left := r.alive(); len(left) > 0 {
					t.Errorf("alive: %v", left)
				}
			})
		}
	})
}
