package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Limits of waiting, wide enough for two busy cores.
const (
	endLimit     = 60 * time.Second // of an agent that was told to end: it stops its node first
	commandLimit = 30 * time.Second
	askLimit     = 2 * time.Second // of one question to an agent's listener
	logTail      = 6 << 10         // bytes of a log that a failed test prints
)

// machine is what stands for one of the two machines: a directory, a name and an
// agent, which comes and goes.
type machine struct {
	t       testing.TB
	name    string
	dir     string // the node's base directory
	conf    string // path of hotcold.conf
	listen  string // host:port of the agent's listener
	logPath string
	wrap    []string // a program and arguments that run the program, if any

	cmd    *exec.Cmd     // nil while no agent runs
	exited chan struct{} // closed when cmd has been waited for
}

// newMachine makes the directories of a machine below root.
func newMachine(t testing.TB, root, name string, listenPort int) *machine {
	t.Helper()
	m := &machine{t: t, name: name, dir: filepath.Join(root, name), listen: loopback(listenPort),
		logPath: filepath.Join(root, name+".log")}
	m.conf = filepath.Join(m.dir, "hotcold.conf")
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.finish)
	return m
}

// configure writes hotcold.conf; what every machine needs is added to body.
func (m *machine) configure(body string) {
	m.t.Helper()
	text := fmt.Sprintf("hotcold {\n  mutualExclusion.machineName = %q\n  runtimeDir = %q\n  listen.address = %q\n%s\n}\n",
		m.name, filepath.Join(m.dir, "run"), m.listen, body)
	if err := os.WriteFile(m.conf, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// command prepares the program with a small environment of its own.
func (m *machine) command(ctx context.Context, args ...string) *exec.Cmd {
	line := slices.Concat(m.wrap, []string{hotcold(m.t)}, args, []string{"--config", m.conf})
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Dir = m.dir
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "HOME=" + m.dir, "GORACE=halt_on_error=1 exitcode=66 atexit_sleep_ms=20"}
	return cmd
}

// start starts the agent in a session of its own.
func (m *machine) start() {
	m.t.Helper()
	if m.cmd != nil {
		m.t.Fatalf("start the agent of %s: it runs", m.name)
	}
	log, err := os.OpenFile(m.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		m.t.Fatal(err)
	}
	defer log.Close() // the agent has its own copy
	cmd := m.command(context.WithoutCancel(m.t.Context()), "run")
	// A file and no pipe: the test need not read for the agent to go on, and what
	// outlives the agent holds nothing of the test's.
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended stands in cmd
	}()
	m.cmd, m.exited = cmd, exited
}

// pid returns the agent's process.
func (m *machine) pid() int {
	m.t.Helper()
	if m.cmd == nil {
		m.t.Fatalf("no agent runs on %s", m.name)
	}
	return m.cmd.Process.Pid
}

// send sends a signal to the agent alone, and returns the instant before.
func (m *machine) send(sig syscall.Signal) time.Duration {
	m.t.Helper()
	at := now()
	signal(m.t, m.pid(), sig)
	return at
}

// wait waits until the agent has ended, and returns its exit code, -1 for a signal.
func (m *machine) wait(limit time.Duration) int {
	m.t.Helper()
	m.pid()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	select {
	case <-m.exited:
	case <-ctx.Done():
		m.t.Fatalf("the agent of %s runs after %v", m.name, limit)
	}
	code := m.cmd.ProcessState.ExitCode()
	m.cmd = nil
	return code
}

// stop ends the agent in order.
func (m *machine) stop() {
	m.t.Helper()
	m.send(syscall.SIGTERM)
	const killed = -1 // it had only just been started
	if code := m.wait(endLimit); code != 0 && code != killed {
		m.t.Errorf("the agent of %s ended with code %d after SIGTERM, want 0", m.name, code)
	}
}

// crash kills all processes of the machine at once, and returns the instant.
func (m *machine) crash() time.Duration {
	m.t.Helper()
	at := m.killAll()
	m.wait(deathLimit)
	return at
}

// finish ends the agent with the test. What an agent leaves behind is a fault.
func (m *machine) finish() {
	if m.cmd != nil {
		signal(m.t, m.pid(), syscall.SIGCONT) // a failed test may have left it stopped
		m.stop()
	}
	if left := m.processes(); len(left) > 0 {
		m.t.Errorf("processes are left on %s: %v", m.name, left)
	}
	log, err := os.ReadFile(m.logPath)
	if err != nil {
		return // no agent was ever started
	}
	if crash := stackTrace.Find(log); crash != nil {
		m.t.Errorf("the log of %s shows a crash: %s", m.name, crash)
	}
	if m.t.Failed() {
		m.t.Logf("end of the log of %s:\n%s", m.name, log[max(0, len(log)-logTail):])
	}
}

// stackTrace is what no person may ever see.
var stackTrace = regexp.MustCompile(`(?m)^(panic:|fatal error:|goroutine \d+ \[|WARNING: DATA RACE).*$`)

// log returns all that the agents of this machine have written.
func (m *machine) log() string {
	m.t.Helper()
	log, err := os.ReadFile(m.logPath)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(log)
}

// outcome is how a command ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// run runs one command to its end.
func (m *machine) run(args ...string) outcome {
	m.t.Helper()
	return m.runFor(commandLimit, args...)
}

// runFor runs one command that may take a while.
func (m *machine) runFor(limit time.Duration, args ...string) outcome {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.t.Context()), limit)
	defer cancel()
	cmd := m.command(ctx, args...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatalf("hotcold %s: %v", strings.Join(args, " "), err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// state is the part of /state that the tests look at.
type state struct {
	State   string   `json:"state"`
	Ready   bool     `json:"ready"`
	Hot     bool     `json:"hot"`
	Reasons []string `json:"reasons"`
	Epoch   uint64   `json:"epoch"`
	Node    struct {
		PID          int     `json:"pid"`
		Restarts     int     `json:"restarts"`
		LastExit     string  `json:"lastExit"`
		StartSeconds float64 `json:"startSeconds"`
	} `json:"node"`
	Database struct {
		Reachable bool `json:"reachable"`
	} `json:"database"`
	Counters struct {
		Renewals, RenewalFailures, Looks, Claims, Fences, ClockJumps uint64
	} `json:"counters"`
}

// state asks the agent's listener.
func (m *machine) state() (state, error) {
	var s state
	body, err := m.get("/state")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(body, &s)
}

// hot asks as a balancer does.
func (m *machine) hot() bool {
	_, err := m.get("/hot")
	return err == nil
}

func (m *machine) get(path string) ([]byte, error) {
	client := http.Client{Timeout: askLimit}
	response, err := client.Get("http://" + m.listen + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	return body, nil
}

// awaitState waits until the agent says what want wants to hear.
func (m *machine) awaitState(limit time.Duration, what string, want func(state) bool) state {
	m.t.Helper()
	var s state
	until(m.t, limit, m.name+" "+what, func() (bool, string) {
		var err error
		if s, err = m.state(); err != nil {
			return false, err.Error()
		}
		return want(s), fmt.Sprintf("%+v", s)
	})
	return s
}
