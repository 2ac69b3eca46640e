package yard

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
)

// insideVariable tells a child of Within that it is one.
const insideVariable = "HOTCOLD_TESTSERVER_YARD"

// farewell is how much sooner than its parent a child runs out of time, so that it is the child which says where it hangs.
const farewell = 5 * time.Second

// Within runs f in a process of its own that lives in a new network namespace. The process is this test binary, which
// comes to the same call by itself; everything that t was asked for on the command line, a name of a subtest too, is
// passed on (but for a choice of patterns with |, which asks for the whole of the test). What it prints is shown where it
// fails or where tests are verbose.
func Within(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	if Inside() {
		f(t)
		return
	}
	var said bytes.Buffer
	out := io.Writer(&said)
	if testing.Verbose() {
		out = os.Stdout
	}
	if err := child(t.Context(), t, childArguments(t), out); err != nil {
		t.Errorf("in its own network: %v\n%s", err, said.String())
	}
}

// Main is Within for all tests of a binary at once, for a package in which most need a network: TestMain exits with what it
// returns. Where no network can be had, the tests run here, and those that call New say that it is missing.
func Main(m *testing.M) int {
	if Inside() {
		return m.Run()
	}
	runtime.LockOSThread() // as in child
	defer runtime.UnlockOSThread()
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	cmd.SysProcAttr = ownNetwork()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return m.Run()
}

// WithinBenchmark is Within for a benchmark, whose output is always shown. The benchmark is run once, with b.N = 1.
func WithinBenchmark(b *testing.B, f func(b *testing.B)) {
	b.Helper()
	if Inside() {
		f(b)
		return
	}
	args := []string{"-test.run=^$", "-test.bench=^" + regexp.QuoteMeta(b.Name()) + "$", "-test.benchtime=1x", "-test.timeout=0"}
	if err := child(b.Context(), b, args, os.Stdout); err != nil {
		b.Errorf("in its own network: %v", err)
	}
}

// child runs this binary in a new network namespace.
func child(ctx context.Context, t testing.TB, args []string, out io.Writer) error {
	t.Helper()
	if strings.Contains(t.Name(), "/") {
		t.Fatal("a network of its own is for a test, not for a part of one")
	}
	needsIP(t)
	// The parent-death signal comes when the thread ends that started the child, so it is kept.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	cmd.SysProcAttr = ownNetwork()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		testserver.Missing(t, fmt.Errorf("make a network namespace: %w", err))
	}
	return cmd.Wait()
}

func needsIP(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		testserver.Missing(t, fmt.Errorf("no command ip (package iproute2): %w", err))
	}
}

// Inside tells whether this process is one that Within or Main started.
func Inside() bool { return os.Getenv(insideVariable) != "" }

// ownNetwork are a child's attributes. A user who is not root becomes root of a user namespace first, which gives no
// rights outside it.
func ownNetwork() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return a
}

// childArguments name this test alone, with the same part of it and the same manners as here.
func childArguments(t *testing.T) []string {
	pattern := "^" + regexp.QuoteMeta(t.Name()) + "$"
	if asked := flag.Lookup("test.run"); asked != nil && !strings.Contains(asked.Value.String(), "|") {
		if _, part, ok := strings.Cut(asked.Value.String(), "/"); ok {
			pattern += "/" + part
		}
	}
	args := []string{"-test.run=" + pattern, "-test.count=1"}
	flag.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "test.v", "test.short", "test.failfast", "test.parallel", "test.skip", "test.cpu":
			args = append(args, "-"+f.Name+"="+f.Value.String())
		}
	})
	if at, ok := t.Deadline(); ok {
		left := at.Sub(clock.System().Now().Wall) - farewell
		if left <= 0 {
			t.Fatal(errors.New("no time is left to start"))
		}
		args = append(args, "-test.timeout="+left.String())
	}
	return args
}
