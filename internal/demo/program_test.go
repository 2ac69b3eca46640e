package demo

import (
	"bufio"
	"bytes"
	"encoding/json"

	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
)

// demoCommand is `hotcold demo` with a temporary folder of its own.
func demoCommand(t *testing.T, args ...string) (cmd *exec.Cmd, temp string) {
	t.Helper()
	temp = t.TempDir()
	args = append([]string{"demo", "--wait", calmWait.String()}, args...)
	cmd = exec.CommandContext(bounded(t), program(t), args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "TERM=xterm", "NO_COLOR=")
	return cmd, temp
}

// The acceptance test: the real program keeps all of its promises.
func TestOnceHoldsAndLeavesNothingBehind(t *testing.T) {
	cmd, temp := demoCommand(t, "--once", "--json")
	var data, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &data, &talk
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &talk)
	}
	var r Report
	if err := json.Unmarshal(data.Bytes(), &r); err != nil {
		t.Fatalf("the report: %v\n%s", err, &data)
	}
	if !r.Held || len(r.Faults) > 0 || r.Writes.Lost+r.Writes.Twice+r.TwoAlive > 0 || r.Writes.Acknowledged == 0 {
		t.Errorf("report: %+v", r)
	}
	takeovers := 0
	for _, turn := range r.Turns {
		if turn.Takeover && turn.After != unasked {
			takeovers++
		}
		t.Logf("%+v", turn)
	}
	if takeovers < 5 { // a node, two agents, a switchover and a machine
		t.Errorf("%d takeovers, want 5 at the least:\n%s", takeovers, &talk)
	}
	if strings.ContainsAny(talk.String(), "\x1b\r") {
		t.Errorf("the talk has escapes, and nobody reads it on a terminal:\n%q", talk.String())
	}
	nothingLeft(t, temp)
}

// until reads lines until one holds text, and returns it.
func until(t *testing.T, lines *bufio.Scanner, text string) string {
	t.Helper()
	for lines.Scan() {
		t.Log(lines.Text())
		if strings.Contains(lines.Text(), text) {
			return lines.Text()
		}
	}
	t.Fatalf("%q was not said: %v", text, lines.Err())
	return ""
}

func TestCtrlCInMidFlowLeavesNothingBehind(t *testing.T) {
	for _, c := range []struct {
		name, after string
		signals     int
	}{
		{"at the start", "machine-a: its agent is started", 1},
		{"while a node is down", "is killed (SIGKILL)", 1},
		{"while an agent is frozen", "is frozen", 1},
		{"twice", "is hot under epoch 1", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd, temp := demoCommand(t, "--once")
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			until(t, lines, c.after)
			for range c.signals {
				if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
					t.Fatal(err)
				}
			}
			until(t, lines, "nothing of it runs any more")
			_, _ = io.Copy(io.Discard, out) // the end of the program is what counts
			if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 130 {
				t.Errorf("ended with %v, want exit code 130", err)
			}
			nothingLeft(t, temp)
		})
	}
}

func TestAKilledDemoTakesAgentsAndNodesAlong(t *testing.T) {
	cmd, temp := demoCommand(t, "--once")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	until(t, bufio.NewScanner(out), "machine-b is cold and could take over")
	if left := traces(t, temp); len(left) != 5 { // the balancer, two agents, a guard, a node
		t.Errorf("want five processes, found:\n%s", strings.Join(left, "\n"))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	ctx := bounded(t)
	for len(traces(t, temp)) > 0 {
		if err := clock.Wait(ctx, clock.System(), 20*time.Millisecond); err != nil {
			t.Fatalf("still there:\n%s", strings.Join(traces(t, temp), "\n"))
		}
	}
}

func TestADemoThatNobodyListensToEnds(t *testing.T) {
	cmd, temp := demoCommand(t, "--once")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	until(t, bufio.NewScanner(out), "is hot under epoch 1")
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() == 0 {
		t.Errorf("ended with %v", err)
	}
	nothingLeft(t, temp)
}

// terminal is a pseudo terminal: what a person has in hand, and what the
// program sees.
func terminal(t *testing.T) (hand, seen *os.File) {
	t.Helper()
	hand, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { hand.Close() })
	if err := unix.IoctlSetPointerInt(int(hand.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(hand.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if seen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { seen.Close() })
	if err := unix.IoctlSetWinsize(int(seen.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100}); err != nil {
		t.Fatal(err)
	}
	return hand, seen
}

// live is the line that changes in place.
var live = regexp.MustCompile(`\x1b\[7m[^\x1b]*\x1b\[0m`)

// onTerminal runs the demo on a terminal and returns what it says, chunk by
// chunk, and how it ended.
func onTerminal(t *testing.T, do func(hand io.Writer, shows func(text string))) (exit int, temp string) {
	t.Helper()
	hand, seen := terminal(t)
	before, err := unix.IoctlGetTermios(int(seen.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	cmd, temp := demoCommand(t)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = seen, seen, seen
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string)
	go func() {
		defer close(said)
		buf := make([]byte, 4096)
		for {
			n, err := hand.Read(buf)
			if err != nil {
				return
			}
			said <- string(buf[:n])
		}
	}()
	ctx := bounded(t)
	text := ""
	do(hand, func(want string) {
		t.Helper()
		for !strings.Contains(text, want) {
			select {
			case chunk := <-said:
				text += chunk
			case <-ctx.Done():
				t.Fatalf("%q was not shown:\n%s", want, live.ReplaceAllString(text, ""))
			}
		}
		_, text, _ = strings.Cut(text, want)
	})
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for running := true; running; {
		select {
		case <-said:
		case <-ended:
			running = false
		}
	}
	after, err := unix.IoctlGetTermios(int(seen.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if *after != *before {
		t.Errorf("the terminal is not as it was: %+v, was %+v", after, before)
	}
	seen.Close()
	hand.Close()
	for range said {
	}
	return cmd.ProcessState.ExitCode(), temp
}

func TestKeysDoHarmAndTheTerminalIsAsBefore(t *testing.T) {
	exit, temp := onTerminal(t, func(hand io.Writer, shows func(string)) {
		press := func(keys string) {
			if _, err := io.WriteString(hand, keys); err != nil {
				t.Fatal(err)
			}
		}
		shows("Now it is yours:")
		shows("machine-a is hot, epoch 1, trust")
		press("t")
		shows("not done: no agent is frozen")
		press("\x1b[Dk") // a cursor key is no letter
		shows("machine-a's node is killed (SIGKILL)")
		shows("up again in place")
		press("s")
		shows("$ hotcold switchover")
		shows("machine-b is hot under epoch 2")
		press("q")
		shows("All of it held.")
	})
	if exit != 0 {
		t.Errorf("ended with %d", exit)
	}
	nothingLeft(t, temp)
}

func TestCtrlCOnATerminalLeavesNothingBehind(t *testing.T) {
	exit, temp := onTerminal(t, func(hand io.Writer, shows func(string)) {
		shows("Now it is yours:")
		shows("machine-a is hot, epoch 1, trust")
		if _, err := hand.Write([]byte{3}); err != nil {
			t.Fatal(err)
		}
		shows("nothing of it runs any more")
	})
	if exit != 130 {
		t.Errorf("ended with %d, want 130", exit)
	}
	nothingLeft(t, temp)
}
