package doctest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/internal/testserver/markdown"
)

// binary is the program, built once for all tests.
var binary string

// nodeVar makes this test binary the node of a pair: it listens there.
const nodeVar = "HOTCOLD_DOCTEST_NODE"

func TestMain(m *testing.M) {
	if address := os.Getenv(nodeVar); address != "" {
		os.Exit(node(address))
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hotcold-doctest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "hotcold")
	build := exec.Command("go", "build", "-o", binary, "./cmd/hotcold")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return testserver.Main(m)
}

// node is a program that is ready when its port is open.
func node(address string) int {
	l, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer l.Close()
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	<-ended.Done()
	return 0
}

// What the manual shows of a pair is what a pair prints: two agents with the README's own configuration, but for the
// addresses and folders of this machine.
func TestThePairOfTheManualPrintsWhatItSays(t *testing.T) {
	for _, name := range []string{"README.md", "docs/operations.md"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			var p *pair
			for _, b := range readPage(t, name).Blocks {
				if !b.Is("console pair") {
					continue
				}
				if p == nil {
					p = startPair(t)
				}
				p.play(name, b)
			}
		})
	}
}

// pair is two agents on this machine.
type pair struct {
	t      *testing.T
	names  *strings.Replacer // from what stands here to what the manual says
	agents map[string]*exec.Cmd
	confs  map[string]string
	ended  map[string]chan struct{}
}

const (
	pairPrimary, pairBackUp = "primary", "back-up"
	// pairLimit is how long a takeover with the default timing may take on a loaded machine.
	pairLimit = 90 * time.Second
	pairLook  = 200 * time.Millisecond
)

func startPair(t *testing.T) *pair {
	t.Helper()
	server := testserver.SharedPostgres(t)
	name := "ledger_" + strings.ToLower(regexp.MustCompile(`\W`).ReplaceAllString(filepath.Base(t.Name()), "_"))
	dsn := server.CreateDatabase(t, name)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	base, program := filepath.Join(dir, "ledger"), filepath.Join(dir, "program")
	address := fmt.Sprintf("127.0.0.1:%d", testserver.FreePort(t))
	if err := os.Mkdir(base, 0o700); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	write(t, program, fmt.Sprintf("#!/bin/sh\n%s=%s exec '%s'\n", nodeVar, address, self), 0o700)
	password, _ := u.User.Password()
	here := strings.NewReplacer(
		"postgres://hotcold@db.example.com/ledger", strings.Replace(dsn, ":"+password+"@", "@", 1), "${HOTCOLD_DB_PASSWORD}", `"`+password+`"`,
		"/usr/local/bin/ledger", program, "/srv/ledger", base, "127.0.0.1:8080", address)
	p := &pair{t: t, agents: map[string]*exec.Cmd{}, confs: map[string]string{}, ended: map[string]chan struct{}{}}
	names := []string{u.Host + "/" + name, "db.example.com:5432/ledger", program, "/usr/local/bin/ledger", base, "/srv/ledger"}
	for _, machine := range []string{pairPrimary, pairBackUp} {
		p.confs[machine] = filepath.Join(dir, machine+".conf")
		write(t, p.confs[machine], here.Replace(configurationOfThePair(t))+fmt.Sprintf(
			"hotcold { mutualExclusion.machineName = %q, runtimeDir = %q, listen.address = off }\n", machine, filepath.Join(dir, machine)), 0o600)
		names = append(names, p.confs[machine], "/etc/hotcold/hotcold.conf")
	}
	p.names = strings.NewReplacer(names...)
	p.start(pairPrimary)
	p.until("primary is hot", "status", func(out string) bool { return strings.Contains(out, "is hot at epoch 1") })
	p.start(pairBackUp)
	return p
}

// configurationOfThePair is the one that the README leads through.
func configurationOfThePair(t *testing.T) string {
	t.Helper()
	for _, b := range readPage(t, "README.md").Blocks {
		if b.Is("hocon conf pair") {
			return b.Text
		}
	}
	t.Fatal("README.md has no configuration of a pair")
	return ""
}

// start runs an agent that dies with this process.
func (p *pair) start(machine string) {
	p.t.Helper()
	c := exec.Command(binary, "run", "--config", p.confs[machine])
	var log strings.Builder
	c.Stdout, c.Stderr = &log, &log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // a parent-death signal comes with the end of the thread that started the child
		defer runtime.UnlockOSThread()
		err := c.Start()
		started <- err
		if err == nil {
			_ = c.Wait() // how it ended is seen by what the pair prints
		}
	}()
	if err := <-started; err != nil {
		p.t.Fatal(err)
	}
	p.agents[machine], p.ended[machine] = c, ended
	p.t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM) // it may have ended
		limit, cancel := context.WithTimeout(context.Background(), pairLimit)
		defer cancel()
		select {
		case <-ended:
		case <-limit.Done():
			_ = c.Process.Kill()
			<-ended
		}
		if p.t.Failed() {
			p.t.Logf("%s said:\n%s", machine, log.String())
		}
	})
}

// play runs the commands of a block and compares what they print.
func (p *pair) play(page string, b markdown.Block) {
	p.t.Helper()
	for part := range strings.SplitSeq("\n"+b.Text, "\n$ ") {
		command, want, _ := strings.Cut(part, "\n")
		command = strings.TrimSpace(command)
		switch {
		case command == "":
		case strings.HasPrefix(command, "# pull the plug of "):
			p.pull(strings.TrimPrefix(command, "# pull the plug of "))
		case strings.HasPrefix(command, "hotcold "):
			p.until("the pair is well", "status", func(string) bool { return p.well() })
			p.until("all are ready in the history", "history", allReady)
			got, err := p.run(strings.Fields(command)[1:]...)
			if err != nil {
				p.t.Errorf("%s:%d: %s: %v", page, b.Line, command, err)
			}
			if got, want := masked(p.names.Replace(got)), masked(want); got != want {
				p.t.Errorf("%s:%d: %s prints\n%s\nand the page says\n%s", page, b.Line, command, got, want)
			}
		default:
			p.t.Errorf("%s:%d: %q is not a command that this test can run", page, b.Line, command)
		}
	}
}

// well tells whether the pair has come to rest. After one of the two is gone nobody could take over, so there is
// nothing more to wait for.
func (p *pair) well() bool {
	if len(p.agents) < 2 {
		return true
	}
	_, err := p.run("status")
	return err == nil
}

// pull kills an agent without a word, and waits for the other one to be hot.
func (p *pair) pull(machine string) {
	p.t.Helper()
	c := p.agents[machine]
	if c == nil {
		p.t.Fatalf("there is no machine %q", machine)
	}
	// The history is written a moment after the fact, and what a machine has not written it takes with it.
	p.until("all are ready in the history", "history", allReady)
	if err := c.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	<-p.ended[machine]
	delete(p.agents, machine)
	for other := range p.agents {
		p.until(other+" has taken over", "status", func(out string) bool {
			return strings.Contains(out, "state      "+other+":") && strings.Contains(out, "is hot at epoch")
		})
		p.until("all are ready in the history", "history", allReady)
	}
}

func allReady(history string) bool { return !strings.Contains(history, "ready yet") }

// until looks at what a command prints again and again.
func (p *pair) until(what, command string, holds func(string) bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), pairLimit)
	defer cancel()
	for {
		out, err := p.run(command)
		if holds(out) {
			return
		}
		if clock.Wait(ctx, clock.System(), pairLook) != nil {
			p.t.Fatalf("not within %v: %s; %s says (%v)\n%s", pairLimit, what, command, err, out)
		}
	}
}

// run runs the program as a person on the primary would.
func (p *pair) run(args ...string) (string, error) {
	c := exec.Command(binary, args...)
	c.Env = append(os.Environ(), "HOTCOLD_CONFIG="+p.confs[pairPrimary], "TZ=UTC")
	out, err := c.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return string(out), err
}

// masked puts placeholders in place of what is measured or drawn by lot.
func masked(text string) string {
	const span = `\d+(\.\d+)? (ms|s|min|h|d)( \d+ (s|min|h))?`
	for _, m := range []struct{ pattern, placeholder string }{
		{`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? \w+`, "TIME"},
		{`(` + span + ` ago|\bnow\b)`, "AGO"},
		{`was ready ` + span, "was ready SPAN"},
		{`(  \d+  +)(at most |at least )?` + span + `  `, "${1}SPAN  "}, // of a takeover, behind its epoch
		{`node process \d+`, "node process N"},
		{`incarnation \S+`, "incarnation X"},
		{`asked for by \S+`, "asked for by WHO"},
		{`AGO +`, "AGO "},
		{` +\n`, "\n"},
		{`  +`, "  "},
	} {
		text = regexp.MustCompile(m.pattern).ReplaceAllString(text, m.placeholder)
	}
	return strings.TrimSpace(text)
}
