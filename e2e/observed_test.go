package e2e

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/testserver"
)

// deathLimit is how long a killed process of a test may take to be seen dead.
const deathLimit = 30 * time.Second

// sleeperOwner knows the processes of startSleeper by their last argument.
func sleeperOwner(argv []string) string {
	if len(argv) == 4 && argv[0] == "sleeper" {
		return argv[3]
	}
	return ""
}

// startSleeper starts a process that the observer takes for a node of owner.
func startSleeper(t *testing.T, dir, owner string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh")
	cmd.Args = []string{"sleeper", "-c", "read -r line", owner}
	cmd.Dir = dir
	// Reads from a pipe that nobody writes to.
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func TestObserverSeesTwoProcessesAtOnce(t *testing.T) {
	dir := testserver.Dir(t)
	o := watchNodes(t, sleeperOwner)
	one := startSleeper(t, dir, "one")
	o.awaitStart(t, "one", 0, deathLimit)
	two := startSleeper(t, dir, "two")
	o.awaitStart(t, "two", 0, deathLimit)
	for _, cmd := range []*exec.Cmd{one, two} {
		signal(t, cmd.Process.Pid, syscall.SIGKILL)
		o.awaitDeath(t, cmd.Process.Pid, deathLimit)
		_ = cmd.Wait() // killed
	}
	if n := len(o.overlaps()); n != 1 {
		t.Errorf("%d overlaps, want 1", n)
	}
}

func TestObserverSeesOneProcessAfterAnotherAsApart(t *testing.T) {
	dir := testserver.Dir(t)
	o := watchNodes(t, sleeperOwner)
	for range 20 {
		for _, owner := range []string{"one", "two"} {
			at := now()
			cmd := startSleeper(t, dir, owner)
			l := o.awaitStart(t, owner, at, deathLimit)
			if l.earliest > l.from || l.from > now() || l.pid != cmd.Process.Pid {
				t.Fatalf("%v, earliest %v, is not what was started at %v as process %d", l, l.earliest, at, cmd.Process.Pid)
			}
			signal(t, cmd.Process.Pid, syscall.SIGKILL)
			_ = cmd.Wait() // killed; the next one starts at once
		}
	}
	if overlaps := o.overlaps(); len(overlaps) > 0 {
		t.Errorf("overlaps: %v", overlaps)
	}
}

// A process that is stopped lives: it may go on at any time.
func TestObserverTakesAStoppedProcessForAlive(t *testing.T) {
	dir := testserver.Dir(t)
	o := watchNodes(t, sleeperOwner)
	one := startSleeper(t, dir, "one")
	o.awaitStart(t, "one", 0, deathLimit)
	signal(t, one.Process.Pid, syscall.SIGSTOP)
	two := startSleeper(t, dir, "two")
	o.awaitStart(t, "two", 0, deathLimit)
	for _, cmd := range []*exec.Cmd{one, two} {
		signal(t, cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait() // killed
	}
	if n := len(o.overlaps()); n != 1 {
		t.Errorf("%d overlaps, want 1", n)
	}
}
