package testserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// etcdLimit bounds the wait for an etcd member, or for its end.
const etcdLimit = 60 * time.Second

// etcdReady is logged once a member serves clients, that is, once it has found a leader.
const etcdReady = "serving client traffic"

// EtcdCluster is an etcd of the test's own, of one member or more.
type EtcdCluster struct {
	dir      string
	keeper   *keeper
	restored int // how many snapshots were restored, for new directories
	Members  []*EtcdMember
}

// EtcdMember is one server of a cluster.
type EtcdMember struct {
	cluster    *EtcdCluster
	name, data string
	client     int // ports on 127.0.0.1
	peer       int
	log        *logTail
	cmd        *exec.Cmd // nil while the server is down
	exited     chan struct{}
}

// Etcd starts a cluster of that many members that ends with the test. It skips the
// test where etcd is not installed, and fails it in the build.
func Etcd(t testing.TB, members int) *EtcdCluster {
	t.Helper()
	for _, program := range []string{"etcd", "etcdctl"} {
		if _, err := exec.LookPath(program); err != nil || !supported {
			missing(t, fmt.Errorf("etcd is not installed: no %s in PATH", program))
		}
	}
	dir, err := os.MkdirTemp("", "hotcold-etcd-")
	if err != nil {
		t.Fatal(err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil { // the keeper compares with what /proc shows
		t.Fatal(err)
	}
	k, err := keep(dir)
	if err != nil {
		t.Fatal(errors.Join(err, os.RemoveAll(dir)))
	}
	c := &EtcdCluster{dir: dir, keeper: k}
	t.Cleanup(func() {
		for _, m := range c.Members {
			if t.Failed() {
				t.Logf("end of the log of etcd member %s:\n%s", m.name, m.log)
			}
		}
		if err := c.keeper.finish(); err != nil {
			t.Error(err)
		}
		for _, m := range c.Members {
			if m.cmd != nil {
				<-m.exited
			}
		}
	})
	for i := range members {
		name := fmt.Sprint("m", i+1)
		c.Members = append(c.Members, &EtcdMember{cluster: c, name: name, data: name, client: FreePort(t), peer: FreePort(t), log: &logTail{}})
	}
	c.Start(t)
	return c
}

// Addrs returns the host:port of every member.
func (c *EtcdCluster) Addrs() []string {
	var all []string
	for _, m := range c.Members {
		all = append(all, m.Addr())
	}
	return all
}

// Start starts every member that is down and returns when all serve.
func (c *EtcdCluster) Start(t testing.TB) {
	t.Helper()
	var waits []func() error
	for _, m := range c.Members {
		if m.cmd == nil {
			waits = append(waits, m.start(t))
		}
	}
	for _, wait := range waits {
		if err := wait(); err != nil {
			t.Fatal(err)
		}
	}
}

// initial is how the members find each other at the first start.
func (c *EtcdCluster) initial() string {
	var all []string
	for _, m := range c.Members {
		all = append(all, m.name+"="+m.peerURL())
	}
	return strings.Join(all, ",")
}

// Ctl runs etcdctl against all members and returns what it printed.
func (c *EtcdCluster) Ctl(t testing.TB, args ...string) string {
	t.Helper()
	cmd := c.command("etcdctl", append([]string{"--endpoints", strings.Join(c.Addrs(), ",")}, args...)...)
	cmd.Env = append(cmd.Env, "ETCDCTL_API=3")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("etcdctl %v: %v: %s", args, err, trimmed(out))
	}
	return trimmed(out)
}

// Leader returns the member that leads, by what it says itself.
func (c *EtcdCluster) Leader(t testing.TB) *EtcdMember {
	t.Helper()
	for line := range strings.Lines(c.Ctl(t, "endpoint", "status")) {
		fields := strings.Split(line, ", ") // endpoint, id, version, size, is leader, ...
		for _, m := range c.Members {
			if len(fields) > 4 && fields[0] == m.Addr() && fields[4] == "true" {
				return m
			}
		}
	}
	t.Fatal("no member of etcd leads")
	return nil
}

// Snapshot keeps the present state of a cluster of one member in a file.
func (c *EtcdCluster) Snapshot(t testing.TB) string {
	t.Helper()
	c.restored++
	file := filepath.Join(c.dir, fmt.Sprint("snapshot-", c.restored))
	c.Ctl(t, "snapshot", "save", file)
	return file
}

// Restore stops the only member and brings it back on the same port with what
// stands in a snapshot. Under another token it becomes another cluster; under the
// same one it keeps its id.
func (c *EtcdCluster) Restore(t testing.TB, snapshot, token string) {
	t.Helper()
	m := c.Members[0]
	m.Stop(t)
	c.restored++
	m.data = fmt.Sprint(m.name, "-", c.restored)
	c.Ctl(t, "snapshot", "restore", snapshot, "--name", m.name, "--initial-cluster", c.initial(), "--initial-cluster-token", token,
		"--initial-advertise-peer-urls", m.peerURL(), "--data-dir", filepath.Join(c.dir, m.data))
	c.Start(t)
}

func (c *EtcdCluster) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = c.dir
	// No ETCD_* variables of the machine.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// Addr returns the member's host:port for clients.
func (m *EtcdMember) Addr() string { return loopback(m.client) }

// PID returns the member's process.
func (m *EtcdMember) PID() int { return m.cmd.Process.Pid }

func (m *EtcdMember) peerURL() string { return "http://" + loopback(m.peer) }

// start runs the server and returns a function that waits until it serves.
func (m *EtcdMember) start(t testing.TB) func() error {
	t.Helper()
	cmd := m.cluster.command("etcd", "--name", m.name, "--data-dir", filepath.Join(m.cluster.dir, m.data),
		"--listen-client-urls", "http://"+m.Addr(), "--advertise-client-urls", "http://"+m.Addr(),
		"--listen-peer-urls", m.peerURL(), "--initial-advertise-peer-urls", m.peerURL(),
		"--initial-cluster", m.cluster.initial(), "--initial-cluster-token", EtcdToken, "--logger", "zap")
	ready := m.log.expect(etcdReady)
	cmd.Stdout, cmd.Stderr = m.log, m.log
	if err := cmd.Start(); err != nil {
		t.Fatalf("start etcd: %v", err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended stands in its log
	}()
	m.cmd, m.exited = cmd, exited
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), etcdLimit)
		defer cancel()
		select {
		case <-ready:
			return nil
		case <-exited:
			m.cmd = nil
			return fmt.Errorf("etcd ended while starting; end of its log:\n%s", m.log)
		case <-ctx.Done():
			return fmt.Errorf("etcd is not ready after %v; end of its log:\n%s", etcdLimit, m.log)
		}
	}
}

// EtcdToken is the token under which every cluster is made.
const EtcdToken = "hotcold-test"

// Stop ends the member in good order.
func (m *EtcdMember) Stop(t testing.TB) { t.Helper(); m.end(t, syscall.SIGTERM) }

// Kill ends the member as a crash does.
func (m *EtcdMember) Kill(t testing.TB) { t.Helper(); m.end(t, syscall.SIGKILL) }

// Pause freezes the member: connections stay open, and nothing answers.
func (m *EtcdMember) Pause(t testing.TB) { t.Helper(); m.signal(t, syscall.SIGSTOP) }

// Resume lets a paused member go on.
func (m *EtcdMember) Resume(t testing.TB) { t.Helper(); m.signal(t, syscall.SIGCONT) }

func (m *EtcdMember) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if m.cmd == nil {
		t.Fatal("etcd is not running")
	}
	if err := m.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signal etcd: %v", err)
	}
}

func (m *EtcdMember) end(t testing.TB, s syscall.Signal) {
	t.Helper()
	m.signal(t, s)
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	select {
	case <-m.exited:
		m.cmd = nil
	case <-ctx.Done():
		t.Fatalf("etcd runs %v after %v; end of its log:\n%s", stopLimit, s, m.log)
	}
}
