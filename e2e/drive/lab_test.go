package drive

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
)

const (
	// serverIP is where the relay to the database is, seen from a guest, filesIP where the file servers are: a guest may
	// lose the one and keep the other.
	serverIP = "10.77.0.1"
	filesIP  = "10.77.0.2"
	// leaseSeconds is how long NFS waits for a client that is silent: the least that its server takes.
	leaseSeconds = 10
	// startLimit bounds the start of a server.
	startLimit = 30 * time.Second
	pollPause  = 50 * time.Millisecond
)

// The names that the lines of `drive fstab` mount, and that the guests' hosts file
// leads to the lab's servers.
const (
	account    = "cordastore"
	share      = "corda"
	openShare  = "open"
	accountKey = "c2VjcmV0+/=" // looks like one of Azure's
	azureHost  = account + ".file.core.windows.net"
	fileSystem = "fs-0123456789abcdef0"
	region     = "eu-west-1"
	efsHost    = fileSystem + ".efs." + region + ".amazonaws.com"
)

// lab is a network of its own, with file servers in it.
type lab struct {
	t      *testing.T
	dir    string
	anchor int // a process that keeps the network namespace, 0: this machine's own; it and all others end with dir
	dsn    string
	server *exec.Cmd // the file server
	export string    // what NFS serves
	clock  clock.Clock
}

// need skips, or fails in the build, where something is missing.
func need(t *testing.T, programs ...string) {
	t.Helper()
	if os.Getenv("HOTCOLD_DRIVES") == "off" {
		t.Skip("HOTCOLD_DRIVES is off: no network drives are mounted")
	}
	lacks := func(format string, args ...any) {
		t.Helper()
		const hint = " (scripts/test-deps.sh brings what the tests need)"
		if os.Getenv("HOTCOLD_CI") != "" || os.Getenv("CI") != "" {
			t.Fatalf(format+hint, args...)
		}
		t.Skipf(format+hint, args...)
	}
	if os.Geteuid() != 0 {
		lacks("only root may mount")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			lacks("%v", err)
		}
	}
}

// newLab makes the network, with so many places for guests in it.
func newLab(t *testing.T, guests int) *lab {
	t.Helper()
	need(t, "ip", "nsenter", "unshare")
	if guests > 0 {
		need(t, "linux.uml")
	}
	l := &lab{t: t, dir: testserver.Dir(t), clock: clock.System()}
	anchor := l.run("unshare", "--net", "sleep", "1000000")
	l.anchor = anchor.Process.Pid
	// Of this thread: the process's first one may have ended in the network of another lab.
	self, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	l.until("a network of its own", startLimit, func() bool {
		ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", l.anchor))
		return err == nil && ns != self
	})
	l.sh("ip link set lo up && ip link add br0 type bridge && ip addr add " + serverIP + "/24 dev br0 && ip addr add " + filesIP + "/24 dev br0 && ip link set br0 up")
	for n := 1; n <= guests; n++ {
		l.sh(fmt.Sprintf("ip tuntap add dev tap%d mode tap && ip link set tap%d master br0 && ip link set tap%d up", n, n, n))
	}
	return l
}

// run starts a program that ends with the lab.
func (l *lab) run(args ...string) *exec.Cmd {
	l.t.Helper()
	return l.runEnv(nil, args...)
}

func (l *lab) runEnv(env []string, args ...string) *exec.Cmd {
	l.t.Helper()
	log, err := os.OpenFile(filepath.Join(l.dir, filepath.Base(args[0])+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		l.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = l.dir, log, log
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // smbd kills its whole group when it ends
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = cmd.Wait() // it is killed
	}()
	l.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-over
	})
	return cmd
}

// inside runs a program in the lab's network.
func (l *lab) inside(args ...string) *exec.Cmd {
	l.t.Helper()
	return l.run(append([]string{"nsenter", "--net", "--target", fmt.Sprint(l.anchor)}, args...)...)
}

// sh runs a line in the lab's network and waits for it.
func (l *lab) sh(line string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), startLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nsenter", "--net", "--target", fmt.Sprint(l.anchor), "/bin/sh", "-c", line).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s: %v: %s", line, err, out)
	}
}

// until waits for an event that nothing tells of by itself.
func (l *lab) until(what string, limit time.Duration, is func() bool) time.Duration {
	l.t.Helper()
	return l.untilEach(pollPause, what, limit, is)
}

func (l *lab) untilEach(pause time.Duration, what string, limit time.Duration, is func() bool) time.Duration {
	l.t.Helper()
	began := l.clock.Now().Boot
	for !is() {
		if l.clock.Now().Boot-began > limit {
			l.t.Fatalf("%s did not come within %v", what, limit)
		}
		if err := clock.Wait(l.t.Context(), l.clock, pause); err != nil {
			l.t.Fatal(err)
		}
	}
	return l.clock.Now().Boot - began
}

// listen opens a port in the lab's network from out here: a socket belongs to the
// network in which it was made.
func (l *lab) listen(address string) net.Listener {
	l.t.Helper()
	type made struct {
		l   net.Listener
		err error
	}
	done := make(chan made, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends in that network
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", l.anchor))
		if err == nil {
			defer ns.Close()
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			done <- made{nil, err}
			return
		}
		listener, err := net.Listen("tcp", address)
		done <- made{listener, err}
	}()
	m := <-done
	if m.err != nil {
		l.t.Fatal(m.err)
	}
	return m.l
}

// database starts a PostgreSQL, and a relay to it in the lab's network.
func (l *lab) database() {
	l.t.Helper()
	pg := testserver.SharedPostgres(l.t)
	l.dsn = pg.CreateDatabase(l.t, "drive_"+strings.ToLower(strings.NewReplacer("/", "_", "-", "_").Replace(l.t.Name())))
	listener := l.listen(serverIP + ":5432")
	var relays sync.WaitGroup
	relays.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			relays.Go(func() { relay(c, fmt.Sprintf("127.0.0.1:%d", pg.Port())) })
		}
	})
	ctx := l.t.Context()
	l.write(filepath.Join(l.dir, "status.conf"), conf(l.dsn, l.dir, "outside", "any"))
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	l.t.Cleanup(func() {
		stop()
		listener.Close()
	})
}

// relay passes bytes until either side ends.
func relay(from net.Conn, address string) {
	defer from.Close()
	to, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer to.Close()
	go func() {
		defer to.Close()
		_, _ = io.Copy(to, from)
	}()
	_, _ = io.Copy(from, to)
}

// guestDSN is the database as a guest reaches it.
func (l *lab) guestDSN() string {
	head, rest, _ := strings.Cut(l.dsn, "127.0.0.1:")
	_, tail, _ := strings.Cut(rest, "/")
	return head + serverIP + ":5432/" + tail
}

// nfs starts NFS-Ganesha with one export, which is EFS to the guests. It speaks NFS 3
// too, as a server of one's own may, for those who mount it wrongly.
func (l *lab) nfs() {
	l.t.Helper()
	need(l.t, "ganesha.nfsd", "mount.nfs4", "rpcbind")
	l.export = l.memory("export")
	if err := os.Mkdir(filepath.Join(l.export, "other"), 0o755); err != nil {
		l.t.Fatal(err)
	}
	l.ganesha("3, 4", "rpcbind -f & ")
}

// ganesha starts the server with what it knows of its clients in a memory of its own:
// a second one has heard of nobody.
func (l *lab) ganesha(protocols, before string) {
	l.t.Helper()
	conf := filepath.Join(l.dir, "ganesha.conf")
	l.write(conf, fmt.Sprintf(`NFS_CORE_PARAM { Protocols = %[5]s; Bind_addr = %[1]s; MNT_Port = %[4]d; Enable_NLM = false; Enable_RQUOTA = false; mount_path_pseudo = true; }
NFSV4 { Grace_Period = %[2]d; Lease_Lifetime = %[2]d; minor_versions = 1,2; RecoveryBackend = fs; }
EXPORT { Export_Id = 1; Path = %[3]s; Pseudo = /; Protocols = %[5]s; Access_Type = RW; Squash = No_Root_Squash; SecType = sys; PrivilegedPort = false; FSAL { Name = VFS; } }
`, filesIP, leaseSeconds, l.export, mountPort, protocols))
	l.server = l.inside("unshare", "--mount", "/bin/sh", "-ec", "mount -t tmpfs tmp /run; mount -t tmpfs tmp /var/lib/nfs; mkdir /var/lib/nfs/ganesha; "+before+
		"exec ganesha.nfsd -F -L "+filepath.Join(l.dir, "ganesha.log")+" -f "+conf+" -p "+filepath.Join(l.dir, "ganesha.pid"))
	l.untilOpen(2049)
}

// mountPort is where the server of NFS 3 gives its exports out.
const mountPort = 2050

// smb starts Samba with a share that is Azure Files to the guests: it encrypts, or lets
// nobody in. A second one is what that is with secure transfer switched off.
func (l *lab) smb() {
	l.t.Helper()
	need(l.t, "smbd", "smbpasswd", "mount.cifs")
	data, state := l.memory("share"), l.mkdir("samba")
	conf := filepath.Join(l.dir, "smb.conf")
	open := l.memory("open")
	// The account is a user of Samba's that stands for the machine's root.
	users := filepath.Join(l.dir, "users.map")
	l.write(users, "root = "+account+"\n")
	l.write(conf, fmt.Sprintf(`[global]
  interfaces = %[1]s
  bind interfaces only = yes
  smb ports = 445
  disable netbios = yes
  server min protocol = SMB2_10
  unix extensions = no
  kernel oplocks = no
  load printers = no
  username map = %[4]s
  private dir = %[2]s
  lock directory = %[2]s
  state directory = %[2]s
  cache directory = %[2]s
  pid directory = %[2]s
  ncalrpc dir = %[2]s/ncalrpc
  log file = %[2]s/log.%%m
  socket options = TCP_NODELAY SO_KEEPALIVE TCP_KEEPIDLE=5 TCP_KEEPINTVL=2 TCP_KEEPCNT=3 TCP_USER_TIMEOUT=10000
[%[5]s]
  path = %[3]s
  read only = no
  force user = root
  smb encrypt = required
[%[6]s]
  path = %[7]s
  read only = no
  force user = root
`, filesIP, state, data, users, share, openShare, open))
	set := exec.Command("smbpasswd", "-c", conf, "-s", "-a", "root")
	set.Stdin = strings.NewReader(accountKey + "\n" + accountKey + "\n")
	if out, err := set.CombinedOutput(); err != nil {
		l.t.Fatalf("smbpasswd: %v: %s", err, out)
	}
	l.server = l.inside("smbd", "-F", "--no-process-group", "-s", conf)
	l.untilOpen(445)
}

// untilOpen waits until a server in the lab listens, untilClosed until it does not.
func (l *lab) untilOpen(port int) {
	l.t.Helper()
	l.until(fmt.Sprintf("a server on port %d", port), startLimit, func() bool { return l.listens(port) })
}

func (l *lab) untilClosed(port int) {
	l.t.Helper()
	l.until(fmt.Sprintf("the end of the server on port %d", port), startLimit, func() bool { return !l.listens(port) })
}

func (l *lab) listens(port int) bool {
	open, network := fmt.Sprintf(":%04X ", port), "/proc/thread-self/net/" // not the process's: that is its first thread's
	if l.anchor != 0 {
		network = fmt.Sprintf("/proc/%d/net/", l.anchor)
	}
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(network + table)
		if err == nil && strings.Contains(string(text), open+"00000000:0000 0A") || err == nil && strings.Contains(string(text), open+strings.Repeat("0", 32)+":0000 0A") {
			return true
		}
	}
	return false
}

// memory is a directory in memory: what is measured on it is the protocol and not the
// disk of this machine.
func (l *lab) memory(name string) string {
	l.t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "hotcold-"+name+"-")
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = os.RemoveAll(dir) }) // a server that is about to end may still write
	return dir
}

func (l *lab) mkdir(name string) string {
	l.t.Helper()
	dir := filepath.Join(l.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		l.t.Fatal(err)
	}
	return dir
}

func (l *lab) write(path, text string) {
	l.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		l.t.Fatal(err)
	}
}
