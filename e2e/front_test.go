package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// machineAddress is the address of a machine of a pair: as in the guide, both and
// the balancer have the same ports, each at an address of its own.
func machineAddress(i int) string { return fmt.Sprintf("127.0.0.%d", i+2) }

// front is a balancer in a process of its own.
type front struct {
	addr          string // the pair's one address
	conf, logPath string
	cmd           *exec.Cmd
	exited        chan struct{}
}

// startBalancer runs `hotcold balance` before a pair until the test ends. It
// elects by what the agents say.
func startBalancer(t testing.TB, p *pair, lease string, port int) *front {
	t.Helper()
	return runBalancer(t, filepath.Join(p.root, "balancer"), port, fmt.Sprintf(`
  name = %q
  machines {
    machine-a { address = %s, agent = %q }
    machine-b { address = %s, agent = %q }
  }
  balancer { rules.amqp { frontend = 127.0.0.1, port = %d }, dataPath = splice, listen.address = off }
`, lease, machineAddress(0), p.a.listen, machineAddress(1), p.b.listen, port))
}

// runBalancer runs `hotcold balance` in a new folder until the test ends.
func runBalancer(t testing.TB, dir string, port int, body string, env ...string) *front {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f := &front{
		addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), conf: filepath.Join(dir, "hotcold.conf"), logPath: filepath.Join(dir, "balancer.log"),
		exited: make(chan struct{}),
	}
	f.configure(t, body)
	log, err := os.Create(f.logPath)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the balancer has its own copy
	f.cmd = exec.Command(hotcold(t), "balance", "--config", f.conf)
	if len(env) > 0 { // as systemd does it: the process is told that the watchdog waits for it
		f.cmd = exec.Command("/bin/sh", "-c", `export WATCHDOG_PID=$$; exec "$@"`, "sh", hotcold(t), "balance", "--config", f.conf)
	}
	f.cmd.Dir, f.cmd.Env = dir, append([]string{"LC_ALL=C", "GORACE=halt_on_error=1 exitcode=66 atexit_sleep_ms=20"}, env...)
	f.cmd.Stdout, f.cmd.Stderr = log, log
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(f.exited)
		_ = f.cmd.Wait() // how it ended stands in cmd
	}()
	t.Cleanup(func() { f.end(t) })
	return f
}

// configure writes the balancer's settings.
func (f *front) configure(t testing.TB, body string) {
	t.Helper()
	if err := os.WriteFile(f.conf, []byte("hotcold {\n  runtimeDir = run\n"+body+"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// end ends the balancer in order, and tells what it said if the test failed.
func (f *front) end(t testing.TB) {
	_ = f.cmd.Process.Signal(syscall.SIGTERM) // one that has ended by itself is told below
	limit := clock.System().Timer(clock.System().Now().Boot + 10*time.Second)
	defer limit.Stop()
	select {
	case <-f.exited:
	case <-limit.C():
		t.Errorf("the balancer did not end within 10 s")
		_ = f.cmd.Process.Kill()
		<-f.exited
	}
	if code := f.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the balancer ended with %d", code)
	}
	if text, err := os.ReadFile(f.logPath); err == nil && t.Failed() {
		t.Logf("the balancer said:\n%s", text[max(0, len(text)-logTail):])
	}
}
