package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
)

// service is a node that says its own address to each line.
type service struct {
	address string
	l       net.Listener
	running sync.WaitGroup
	mu      sync.Mutex // guards conns
	conns   []net.Conn
}

func startService(t testing.TB, address string) *service {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{address: address, l: l}
	s.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // it was closed
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			s.running.Go(func() { s.answer(c) })
		}
	})
	t.Cleanup(s.end)
	return s
}

func (s *service) answer(c net.Conn) {
	defer c.Close()
	for lines := bufio.NewScanner(c); lines.Scan(); {
		if _, err := fmt.Fprintln(c, s.address); err != nil {
			return
		}
	}
}

// deaf closes the port and leaves the connections, as a node does that hangs.
func (s *service) deaf() { _ = s.l.Close() }

func (s *service) end() {
	s.deaf()
	s.mu.Lock()
	for _, c := range s.conns {
		_ = c.Close() // it may be over
	}
	s.mu.Unlock()
	s.running.Wait()
}

// talk is one connection through the balancer.
type talk struct {
	net.Conn
	lines *bufio.Reader
}

func (f *front) dial(t testing.TB) talk {
	t.Helper()
	c, err := net.DialTimeout("tcp", f.addr, askLimit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return talk{c, bufio.NewReader(c)}
}

// ask sends a line and returns who answered.
func (k talk) ask() (string, error) {
	if err := k.SetDeadline(clock.System().Now().Wall.Add(settleLimit)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(k, "who"); err != nil {
		return "", err
	}
	line, err := k.lines.ReadString('\n')
	return strings.TrimSpace(line), err
}

// frontState is the part of `hotcold balance status --json` that the tests look at.
type frontState struct {
	PID    int    `json:"pid"`
	Epoch  uint64 `json:"epoch"`
	Alarms []struct {
		Kind string `json:"kind"`
	} `json:"alarms"`
	Refused *struct {
		Faults []string `json:"faults"`
	} `json:"refused"`
	Rules []struct {
		Name    string `json:"name"`
		Machine string `json:"machine"`
	} `json:"rules"`
}

func (f *front) state(t testing.TB) (s frontState) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, hotcold(t), "balance", "status", "--json", "--config", f.conf)
	out, _ := cmd.Output() // its code says whether all is well
	_ = json.Unmarshal(out, &s)
	return s
}

func (f *front) await(t testing.TB, what string, done func(frontState) bool) {
	t.Helper()
	until(t, settleLimit, what, func() (bool, string) {
		s := f.state(t)
		return done(s), fmt.Sprintf("%+v", s)
	})
}

// twoServices is a balancer before two machines of which one answers. It knows them
// by their ports.
func twoServices(t testing.TB, more string) (f *front, hot *service, coldAddress, body string) {
	t.Helper()
	dir, port := testserver.Dir(t), testserver.FreePort(t)
	hot = startService(t, fmt.Sprintf("%s:%d", machineAddress(0), port))
	body = fmt.Sprintf(`
  machines { machine-a.address = %s, machine-b.address = %s }
  balancer { rules.echo { frontend = 127.0.0.1, port = %d }, probes.echo { protocol = TCP, port = %d, interval = 200 ms }, dataPath = splice, listen.address = off }
%s
`, machineAddress(0), machineAddress(1), port, port, more)
	if os.Geteuid() == 0 {
		letOthersIn(t, filepath.Join(dir, "balancer"))
	}
	f = runBalancer(t, filepath.Join(dir, "balancer"), port, body)
	f.await(t, "machine-a to get the traffic", func(s frontState) bool { return len(s.Rules) > 0 && s.Rules[0].Machine == "machine-a" })
	return f, hot, fmt.Sprintf("%s:%d", machineAddress(1), port), body
}

func TestAChangedConfigurationDropsNoConnectionAndABadOneIsRefused(t *testing.T) {
	f, hot, _, body := twoServices(t, "")
	k := f.dial(t)
	said := func() {
		t.Helper()
		if who, err := k.ask(); who != hot.address || err != nil {
			t.Fatalf("the connection answers %q, %v", who, err)
		}
	}
	said()
	port := testserver.FreePort(t)
	f.configure(t, body+fmt.Sprintf("  balancer.rules.more { frontend = 127.0.0.1, port = %d }\n", port))
	f.await(t, "another rule", func(s frontState) bool { return len(s.Rules) == 2 })
	said()
	f.configure(t, body+"  balancer.rules.more { frontend = home, port = 1 }\n")
	signal(t, f.cmd.Process.Pid, syscall.SIGHUP)
	f.await(t, "the faults", func(s frontState) bool {
		return s.Refused != nil && strings.Contains(s.Refused.Faults[0], "hotcold.balancer.rules.more.frontend: want an IP address") && len(s.Rules) == 2
	})
	said()
	f.configure(t, body)
	f.await(t, "the first configuration", func(s frontState) bool { return s.Refused == nil && len(s.Rules) == 1 })
	said()
}

// Goal: at an upgrade no client is refused, and no connection outlives its epoch
// because the process that has it was replaced.
//
// Method: clients connect one after the other, all the time, while a second process
// takes over; then the machine dies to which an old connection leads.
func TestAnUpgradeRefusesNobodyAndStillCutsOldConnections(t *testing.T) {
	f, hot, cold, _ := twoServices(t, "")
	old := f.dial(t)
	if who, err := old.ask(); who != hot.address || err != nil {
		t.Fatalf("the connection answers %q, %v", who, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	served := 0
	var refused error
	clients.Go(func() {
		for ctx.Err() == nil && refused == nil {
			c, err := net.DialTimeout("tcp", f.addr, askLimit)
			if err == nil {
				_, err = talk{c, bufio.NewReader(c)}.ask()
				err = errors.Join(err, c.Close())
			}
			refused = err
			served++
		}
	})
	first := f.cmd.Process.Pid
	signal(t, first, syscall.SIGUSR2)
	f.await(t, "another process", func(s frontState) bool { return s.PID != 0 && s.PID != first })
	endLater(t, f.state(t).PID)
	f.await(t, "the second process to know the machine", func(s frontState) bool { return s.Rules[0].Machine == "machine-a" })
	cancel()
	clients.Wait()
	if refused != nil {
		t.Errorf("after %d clients one was not served: %v", served, refused)
	}
	if who, err := old.ask(); who != hot.address || err != nil {
		t.Fatalf("after the upgrade the old connection answers %q, %v", who, err)
	}
	startService(t, cold)
	hot.deaf()
	if err := old.SetDeadline(clock.System().Now().Wall.Add(settleLimit)); err != nil {
		t.Fatal(err)
	}
	if _, err := old.lines.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the old connection was not cut: %v", err)
	}
	limit := clock.System().Timer(now() + endLimit)
	defer limit.Stop()
	select {
	case <-f.exited:
	case <-limit.C():
		t.Error("the first process did not end with its last connection")
	}
	if who, err := f.dial(t).ask(); who != cold || err != nil {
		t.Errorf("a new connection answers %q, %v", who, err)
	}
}

// endLater ends a process that another one has started, when the test ends.
func endLater(t testing.TB, pid int) {
	t.Cleanup(func() {
		end := now() + endLimit
		for syscall.Kill(pid, syscall.SIGTERM) == nil {
			if now() > end {
				t.Error("the second process does not end")
				_ = syscall.Kill(pid, syscall.SIGKILL) // the last that can be done
				return
			}
			_ = clock.Wait(context.WithoutCancel(t.Context()), clock.System(), lookPause) // the loop has its own limit
		}
	})
}

// letOthersIn lets other users pass through the folders of a test to a file, as
// they may where programs are installed.
func letOthersIn(t testing.TB, file string) {
	t.Helper()
	for dir := filepath.Dir(file); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err == nil {
			err = os.Chmod(dir, info.Mode()|0o055)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestABalancerOfRootBecomesTheUserThatWasAskedFor(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	letOthersIn(t, hotcold(t))
	f, hot, _, _ := twoServices(t, "  balancer { user = nobody, rules.low { frontend = 127.0.0.9, port = 807, probe = echo } }")
	if who, err := f.dial(t).ask(); who != hot.address || err != nil {
		t.Errorf("the balancer answers %q, %v", who, err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.state(t).PID))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nUid:\t65534\t65534\t65534\t65534\n", "\nCapEff:\t0000000000000400\n", "\nCapPrm:\t0000000000000400\n", "\nNoNewPrivs:\t1\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("there is no line %q in\n%s", want, text)
		}
	}
}
