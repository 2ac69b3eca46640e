package probe

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hotcold/hotcold/internal/clock"
	"golang.org/x/sys/unix"
)

func command(t *testing.T, argv ...string) *Command {
	t.Helper()
	c, err := NewCommand(CommandOptions{Argv: argv, Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCommandIsWellWhenItExitsWithZero(t *testing.T) {
	want(t, command(t, "true").Look(within(t, patience)), Well, "")
}

func TestCommandTellsHowItEndedAndItsLastWords(t *testing.T) {
	cases := []struct {
		script string
		text   string
	}{
		{"exit 3", "exited with 3"},
		{"echo first; echo; echo '  no  route to\tpeer' >&2; echo; exit 1", "exited with 1: no route to peer"},
		{"kill -SEGV $$", "was ended by SIGSEGV"},
		{`printf 'a\033[31mb\000c\n'; exit 1`, "exited with 1: a [31mb c"},
		{"yes x | head -c 100000 | tr -d '\\n'; exit 1", "exited with 1: " + strings.Repeat("x", reasonLimitBytes) + "..."},
	}
	for _, c := range cases {
		want(t, command(t, "sh", "-c", c.script).Look(within(t, patience)), Wrong, "command sh: "+c.text)
	}
}

func TestCommandThatDoesNotExistIsUnreachable(t *testing.T) {
	want(t, command(t, "/no/such/program").Look(within(t, patience)), Unreachable,
		"command /no/such/program: does not start: no such file or directory")
}

func TestCommandKeepsItsArgumentsToItself(t *testing.T) {
	err := command(t, "sh", "-c", "exit 1", "pa55word").Look(within(t, patience))
	if err == nil || strings.Contains(err.Error(), "pa55word") {
		t.Fatal(err)
	}
}

// leaving runs a command that leaves a process behind, which writes its number
// into a file, and answers the number once the look is over. With late, the
// time of the look is up as soon as the number is there.
func leaving(t *testing.T, script string, late bool) (int, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancelCause(within(t, patience))
	defer cancel(nil)
	done := make(chan error, 1)
	c := command(t, "sh", "-c", script, "sh", file)
	go func() { done <- c.Look(ctx) }()
	pid := number(ctx, file)
	if late {
		cancel(context.DeadlineExceeded)
	}
	return pid, receive(t, done)
}

// number reads a file once it holds a whole line, or answers 0 when ctx ends.
func number(ctx context.Context, file string) int {
	for ctx.Err() == nil {
		text, _ := os.ReadFile(file)
		if line, whole := strings.CutSuffix(string(text), "\n"); whole {
			pid, _ := strconv.Atoi(line)
			return pid
		}
	}
	return 0
}

// dead waits until no process of this number runs any more. A zombie is dead:
// who reaps it is the business of init.
func dead(t *testing.T, pid int) {
	t.Helper()
	if pid <= 0 {
		t.Fatal("it never told its number")
	}
	ctx := within(t, patience)
	for {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		state := string(stat[strings.LastIndexByte(string(stat), ')')+2])
		if state == "Z" || state == "X" {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("process %d is still there, in state %s", pid, state)
		}
	}
}

func TestCommandAndItsChildrenDieAtTheDeadline(t *testing.T) {
	pid, err := leaving(t, `sleep 1000 & echo asking; echo $! > "$1"; wait`, true)
	want(t, err, TimedOut, "command sh: timed out while running: asking")
	dead(t, pid)
}

func TestCommandThatIgnoresTermDiesAtTheDeadline(t *testing.T) {
	pid, err := leaving(t, `trap '' TERM; echo $$ > "$1"; while :; do sleep 1000; done`, true)
	want(t, err, TimedOut, "command sh: timed out while running")
	dead(t, pid)
}

func TestCommandLeavesNothingBehindWhenItEndsByItself(t *testing.T) {
	pid, err := leaving(t, `sleep 1000 & echo $! > "$1"`, false)
	want(t, err, Well, "")
	dead(t, pid)
}

func TestAProcessThatLeftTheGroupDoesNotHoldUpTheLook(t *testing.T) {
	pid, err := leaving(t, `setsid sh -c 'echo $$ > "$1"; sleep 1000' sh "$1" & while ! test -s "$1"; do :; done`, false)
	t.Cleanup(func() { unix.Kill(-pid, unix.SIGKILL) }) // it made a group of its own
	want(t, err, Well, "")
}

// TestMain lets the test binary be an agent that looks and is killed meanwhile.
func TestMain(m *testing.M) {
	if len(os.Args) != 3 || os.Args[1] != "look" {
		os.Exit(m.Run())
	}
	c, err := NewCommand(CommandOptions{Argv: []string{"sh", "-c", `echo $$ > "$1"; exec sleep 1000`, "sh", os.Args[2]}, Clock: clock.System()})
	if err == nil {
		err = c.Look(context.Background())
	}
	panic(err)
}

func TestCommandDiesWithTheAgent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	agent := exec.Command(os.Args[0], "look", file)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	pid := number(within(t, patience), file)
	agent.Process.Kill()
	agent.Wait()
	dead(t, pid)
}

func TestCommandThatCannotBeKilledIsNotStartedAgain(t *testing.T) {
	c := command(t, "true")
	steps := clock.NewStepped()
	c.o.Clock = steps
	stuck := &run{out: &tail{}, ended: make(chan struct{})}
	gone := make(chan bool, 1)
	go func() { gone <- c.gone(stuck) }()
	stepTo(t, steps, steps.Now().Boot+killGrace)
	if receive(t, gone) {
		t.Fatal("counted as gone")
	}
	want(t, c.Look(within(t, patience)), TimedOut, "command true: the run before does not die of SIGKILL; no other one is started")
	close(stuck.ended)
	want(t, c.Look(within(t, patience)), Well, "")
}

func TestTailKeepsTheEnd(t *testing.T) {
	var out tail
	for range 3 {
		n, err := out.Write([]byte(strings.Repeat("a", outputLimitBytes)))
		if n != outputLimitBytes || err != nil {
			t.Fatal(n, err)
		}
	}
	out.Write([]byte("\nlast"))
	if len(out.kept) != outputLimitBytes || out.last() != "last" {
		t.Fatalf("%d bytes kept, last %q", len(out.kept), out.last())
	}
}

// An agent is a subreaper: what a command leaves behind becomes its child.
func TestCommandLeavesNoZombieToASubreaper(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Skip(err)
	}
	c, err := NewCommand(CommandOptions{Argv: []string{"/bin/sh", "-c", "sleep 1000 & echo $!; exit 3"}, Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Look(t.Context())
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("got %v", err)
	}
	_, pid, _ := strings.Cut(f.Reason, ": ")
	if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil {
		t.Errorf("still there: %s", stat)
	}
}
