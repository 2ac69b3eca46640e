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
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/cloud/systemd"
	"github.com/hotcold/hotcold/internal/testserver"
)

const (
	// systemdProgram is where systemd is, for all of its versions.
	systemdProgram = "/lib/systemd/systemd"
	// labPath is where the test's folder stands in the world of that systemd: services see no /tmp but their own.
	labPath = "/run/lab"
	// labScript is the first process of that world. It has the kernel's cgroups for itself, from its own on.
	labScript = `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir /run/lab && mount --bind "$LAB" /run/lab
touch /run/lab/hotcold && mount --bind "$HOTCOLD" /run/lab/hotcold
cp /etc/group /run/group && echo hotcold:x:64990: >>/run/group && mount --bind /run/group /etc/group
umount -l /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
ip address add 192.0.2.1/32 dev lo
echo 1 >/proc/sys/net/ipv4/ip_forward
exec env -i container=e2e PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH=/run/lab/units ` + systemdProgram + ` --system --unit=lab.target --show-status=no
`
)

// manager is a systemd that is the first process of a world of its own: processes, mounts, network and cgroups.
type manager struct {
	t   testing.TB
	dir string // what it sees at labPath
	pid int
}

// startManager starts a systemd with some units, and ends it with all that it has started.
func startManager(t *testing.T, units map[string]string) *manager {
	t.Helper()
	for _, program := range []string{systemdProgram, "systemctl", "unshare", "nsenter", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			testserver.Missing(t, fmt.Errorf("no systemd can be had: %w", err))
		}
	}
	root, err := cgroupRoot()
	if err == nil && os.Geteuid() != 0 {
		err = errors.New("it takes root")
	}
	if err != nil {
		testserver.Missing(t, fmt.Errorf("no systemd can be had: %w", err))
	}
	m := &manager{t: t, dir: testserver.Dir(t)}
	letOthersIn(t, filepath.Join(m.dir, "units"))
	letOthersIn(t, hotcold(t))
	m.write("units/lab.target", "[Unit]\nRequires=basic.target\nAfter=basic.target\n")
	for _, name := range []string{"basic", "sysinit", "sockets", "network-online", "shutdown", "multi-user"} {
		m.write("units/"+name+".target", "[Unit]\nDescription="+name+"\n")
	}
	for name, text := range units {
		m.write("units/"+name, text)
	}
	group := filepath.Join(root, fmt.Sprintf("hotcold-e2e-%d-systemd", os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		testserver.Missing(t, fmt.Errorf("no systemd can be had: %w", err))
	}
	t.Cleanup(func() { removeGroups(t, group) })
	cmd := exec.Command("/bin/sh", "-c", `echo $$ >"$1"; exec unshare --fork --pid --mount --uts --ipc --cgroup --net --mount-proc --kill-child /bin/sh -c "$2"`,
		"lab", filepath.Join(group, "cgroup.procs"), labScript)
	log := &strings.Builder{}
	cmd.Dir, cmd.Stdout, cmd.Stderr = m.dir, log, log
	cmd.Env = append(os.Environ(), "LAB="+m.dir, "HOTCOLD="+hotcold(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, over := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(over)
		// The parent-death signal comes when the thread ends that started the child, and some threads here do end.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is killed
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-over
		if t.Failed() {
			t.Logf("systemd said:\n%s", log)
		}
	})
	until(t, settleLimit, "systemd", func() (bool, string) {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
		if err != nil {
			return false, err.Error()
		}
		if m.pid, err = strconv.Atoi(strings.TrimSpace(string(children))); err != nil {
			return false, "it has not been started yet"
		}
		out, err := m.run("systemctl", "is-active", "lab.target")
		return err == nil, out
	})
	return m
}

// removeGroups removes a cgroup with those that systemd has made in it, once they are empty.
func removeGroups(t testing.TB, group string) {
	t.Helper()
	for end := now() + deathLimit; ; {
		var dirs []string
		_ = filepath.WalkDir(group, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil // what is gone is gone
		})
		var err error
		for i := len(dirs) - 1; i >= 0; i-- {
			err = errors.Join(err, os.Remove(dirs[i]))
		}
		if err == nil {
			return
		}
		if now() > end {
			t.Errorf("the cgroups are not empty: %v", err)
			return
		}
		_ = clock.Wait(context.WithoutCancel(t.Context()), clock.System(), lookPause) // the loop has its own limit
	}
}

func (m *manager) write(name, text string) {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		m.t.Fatal(err)
	}
}

// run runs a command in the world of the manager.
func (m *manager) run(argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(m.t.Context(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"-t", strconv.Itoa(m.pid), "-m", "-u", "-i", "-n", "-p", "-C"}, argv...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (m *manager) systemctl(args ...string) {
	m.t.Helper()
	if out, err := m.run(append([]string{"systemctl"}, args...)...); err != nil {
		m.t.Fatalf("systemctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// show reads properties of a unit.
func (m *manager) show(unit string, properties ...string) map[string]string {
	m.t.Helper()
	out, err := m.run("systemctl", "show", unit, "-p", strings.Join(properties, ","))
	if err != nil {
		m.t.Fatalf("%v\n%s", err, out)
	}
	shown := map[string]string{}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		shown[name] = value
	}
	return shown
}

// inNetwork runs f with the network of the manager's world. The thread is given up with the goroutine.
func (m *manager) inNetwork(f func() error) {
	m.t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", m.pid))
		if err == nil {
			defer ns.Close()
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		m.t.Fatal(err)
	}
}

// greeted connects, and waits for the word of the node.
func (m *manager) greeted(addr string) (c net.Conn) {
	m.t.Helper()
	m.inNetwork(func() (err error) {
		if c, err = net.DialTimeout("tcp", addr, settleLimit); err != nil {
			return err
		}
		return c.SetReadDeadline(time.Now().Add(settleLimit))
	})
	m.t.Cleanup(func() { _ = c.Close() })
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		m.t.Fatalf("greeted with %q: %v", line, err)
	}
	return c
}

// tables are the names of the tables of nftables.
func (m *manager) tables() (names []string) {
	m.t.Helper()
	m.inNetwork(func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		tables, err := c.ListTables()
		for _, t := range tables {
			names = append(names, t.Name)
		}
		return err
	})
	return names
}

// balancer is what `hotcold balance status` says there.
func (m *manager) balancer() (s frontState) {
	out, _ := m.run(labPath+"/hotcold", "balance", "status", "--json", "--config", labPath+"/hotcold.conf") // its code says whether all is well
	_ = json.Unmarshal([]byte(out), &s)
	return s
}

// Goal: what the rendered unit promises, systemd keeps: the first client starts the balancer, a reload and an upgrade go
// on with their clients, the watchdog is fed, and the end leaves nothing in the kernel.
//
// Method: a systemd in namespaces of its own, with the unit as it is rendered but for its paths and a short watchdog.
func TestTheRenderedUnitRunsUnderSystemd(t *testing.T) {
	const watchdog = 3 * time.Second // a busy machine starts a process within that
	f, err := systemd.Balancer{Config: labPath + "/hotcold.conf", Kernel: true}.Unit()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	m := startManager(t, map[string]string{
		systemd.BalancerUnit: strings.ReplaceAll(f.Text, "/usr/local/bin/hotcold ", labPath+"/hotcold "),
		systemd.BalancerUnit + ".d/short.conf": fmt.Sprintf("[Service]\nWatchdogSec=%v\nStandardError=append:%s/balancer.log\nEnvironment=GORACE=halt_on_error=1\n",
			watchdog, labPath),
		"hotcold-balance.socket": "[Socket]\nListenStream=127.0.0.1:4000\nFileDescriptorName=greet\n",
		"node.service":           "[Service]\nEnvironment=" + greeterVar + "=127.0.0.2:4000\nExecStart=" + labPath + "/node\n",
	})
	if err := os.WriteFile(filepath.Join(m.dir, "node"), self, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if text, err := os.ReadFile(filepath.Join(m.dir, "balancer.log")); err == nil && t.Failed() {
			t.Logf("the balancer said:\n%s", text[max(0, len(text)-logTail):])
		}
	})
	const body = `hotcold {
  name = lab, machines { machine-a.address = 127.0.0.2, machine-b.address = 127.0.0.3 }
  balancer { rules.greet { frontend = %s, port = 4000 }, probes.greet { protocol = TCP, port = 4000, interval = 200 ms }, dataPath = %s, listen.address = off }
%s}
`
	m.write("hotcold.conf", fmt.Sprintf(body, "127.0.0.1", "splice", ""))
	unit := systemd.BalancerUnit
	m.systemctl("start", "node.service", "hotcold-balance.socket")
	if got := m.show(unit, "ActiveState"); got["ActiveState"] != "inactive" {
		t.Errorf("before the first client: %v", got)
	}
	_ = m.greeted("127.0.0.1:4000").Close()
	if got := m.show(unit, "ActiveState", "SubState"); got["ActiveState"] != "active" || got["SubState"] != "running" {
		t.Errorf("after the first client: %v", got)
	}

	m.write("hotcold.conf", fmt.Sprintf(body, "127.0.0.1", "splice", "  balancer.rules.more { frontend = 127.0.0.1, port = 4001 }\n"))
	m.systemctl("reload", unit)
	until(t, settleLimit, "another rule", func() (bool, string) {
		s := m.balancer()
		return len(s.Rules) == 2, fmt.Sprintf("%+v", s)
	})

	before := m.show(unit, "MainPID")["MainPID"]
	pause(t, watchdog+watchdog/2)
	if got := m.show(unit, "MainPID", "SubState"); got["MainPID"] != before || got["SubState"] != "running" {
		t.Errorf("a watchdog of %v has ended process %s, which runs: %v", watchdog, before, got)
	}
	client := m.greeted("127.0.0.1:4000")
	m.systemctl("kill", "--kill-who=main", "-s", "USR2", unit)
	until(t, settleLimit, "another main process", func() (bool, string) {
		now := m.show(unit, "MainPID")["MainPID"]
		return now != before && now != "0", now
	})
	if err := client.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the upgrade a connection says %v", err)
	}
	_ = client.Close() // the former process ends with it
	until(t, settleLimit, "the former process to end", func() (bool, string) {
		out, err := m.run("test", "-d", "/proc/"+before)
		return err != nil, out
	})
	pause(t, 2*watchdog)
	if got := m.show(unit, "ActiveState", "SubState", "NRestarts"); got["ActiveState"] != "active" || got["SubState"] != "running" || got["NRestarts"] != "0" {
		t.Errorf("after the upgrade: %v", got)
	}
	m.greeted("127.0.0.1:4000")

	m.systemctl("stop", "hotcold-balance.socket", unit)
	m.write("hotcold.conf", fmt.Sprintf(body, "192.0.2.1", "kernel", ""))
	m.systemctl("start", unit)
	if got := m.tables(); len(got) != 1 || got[0] != "hotcold-lab" {
		t.Errorf("the kernel has the tables %q", got)
	}
	m.systemctl("stop", unit)
	if got := m.show(unit, "ActiveState", "Result"); got["ActiveState"] != "inactive" || got["Result"] != "success" || len(m.tables()) != 0 {
		t.Errorf("after the end: %v, tables %q", got, m.tables())
	}
}
