package drive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

const (
	bootLimit    = 60 * time.Second
	commandLimit = 60 * time.Second
)

// guest is a machine: a kernel of its own, with the files of this one read-only under it.
type guest struct {
	l    *lab
	n    int
	name string
	ctl  string // a directory that both sides see
	boot int    // which boot this is
	asks int
}

// guestInit is the guest's first process: it makes the places in which a machine
// writes, gives the guest its network, and runs what is left in ctl.
const guestInit = `#!/bin/bash
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
echo %[6]s > /proc/sys/kernel/hostname # two machines of one name are one client to an NFS server
mount -t tmpfs run /run
mkdir /run/etc /run/ctl
cp -a /etc/. /run/etc/
mount --bind /run/etc /etc
mount -t hostfs none /run/ctl -o %[1]s
for d in /mnt /opt /var/lib/nfs /dev/shm; do mount -t tmpfs tmp $d; done
mount --bind /usr/lib/uml/modules /lib/modules
echo '# this machine has no disk of its own' > /etc/fstab
echo '127.0.0.1 localhost' > /etc/hosts
echo '%[2]s %[3]s %[4]s' >> /etc/hosts
ip link set lo up
ip addr add 10.77.0.1%[5]d/24 dev vec0
ip link set vec0 up
modprobe nfsv4
modprobe nfsv3
modprobe cifs
`

// answerAsks runs each script that is asked for, beside those that still run. To wait for
// a pipe that says nothing costs no process, as sleep does: in a guest these are dear.
const answerAsks = `cd /run/ctl
mkfifo /run/silence
exec 9<>/run/silence
touch up
n=1
while :; do
	if [ -e ask.$n ]; then
		( sh ./ask.$n > out.$n 2>&1 < /dev/null; echo $? > rc.$n.part; mv rc.$n.part rc.$n ) &
		n=$((n + 1))
	else
		read -rt 0.05 -u 9
	fi
done
`

func (l *lab) guest(n int) *guest {
	l.t.Helper()
	g := &guest{l: l, n: n, name: fmt.Sprintf("machine-%c", 'a'+n-1)}
	l.t.Cleanup(func() {
		g.kill()
		if l.t.Failed() {
			l.t.Logf("the agent of %s: %s", g.name, g.log())
		}
	})
	return g
}

// untilUp waits until it does what it is asked.
func (g *guest) untilUp() {
	g.l.t.Helper()
	g.l.until(g.name, bootLimit, func() bool { return g.there("up") })
}

// powerOn boots the guest, or boots it anew.
func (g *guest) powerOn() {
	g.l.t.Helper()
	g.powerOnWith(answerAsks)
}

// powerOnWith has the first process go on with a script of its own.
func (g *guest) powerOnWith(then string) {
	l := g.l
	l.t.Helper()
	g.boot++
	g.asks = 0
	g.ctl = l.mkdir(fmt.Sprintf("ctl-%d-%d", g.n, g.boot))
	init := filepath.Join(l.dir, fmt.Sprintf("init-%d-%d", g.n, g.boot))
	l.write(init, fmt.Sprintf(guestInit, g.ctl, filesIP, azureHost, efsHost, g.n, g.name)+then)
	l.write(filepath.Join(g.ctl, "answer"), answerAsks)
	if err := os.MkdirAll("/lib/modules", 0o755); err != nil { // where the guest mounts its own
		l.t.Fatal(err)
	}
	l.runEnv([]string{"TMPDIR=/dev/shm"}, "nsenter", "--net", "--target", fmt.Sprint(l.anchor),
		"linux.uml", "mem=512M", "rootfstype=hostfs", "rootflags=/", "ro", "quiet", "init="+init,
		fmt.Sprintf("vec0:transport=tap,ifname=tap%d,depth=64", g.n), "con=null", "con0=null,fd:1", "ssl=null", "umid="+g.umid(), "uml_dir="+l.dir+"/")
}

func (g *guest) umid() string { return fmt.Sprintf("node%d-%d", g.n, g.boot) }

func (g *guest) there(name string) bool {
	_, err := os.Stat(filepath.Join(g.ctl, name))
	return err == nil
}

// begin runs a script in the guest and returns its number.
func (g *guest) begin(script string) int {
	g.l.t.Helper()
	g.asks++
	part := filepath.Join(g.ctl, "part")
	g.l.write(part, script+"\n")
	if err := os.Rename(part, filepath.Join(g.ctl, fmt.Sprintf("ask.%d", g.asks))); err != nil {
		g.l.t.Fatal(err)
	}
	return g.asks
}

// end waits for a script, and returns what it printed and its exit code.
func (g *guest) end(n int, limit time.Duration) (string, int) {
	g.l.t.Helper()
	g.l.until(fmt.Sprintf("the end of script %d in %s", n, g.name), limit, func() bool { return g.there(fmt.Sprintf("rc.%d", n)) })
	rc, err := os.ReadFile(filepath.Join(g.ctl, fmt.Sprintf("rc.%d", n)))
	if err != nil {
		g.l.t.Fatal(err)
	}
	code, err := strconv.Atoi(strings.TrimSpace(string(rc)))
	if err != nil {
		g.l.t.Fatal(err)
	}
	return g.output(n), code
}

func (g *guest) output(n int) string {
	text, err := os.ReadFile(filepath.Join(g.ctl, fmt.Sprintf("out.%d", n)))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		g.l.t.Fatal(err)
	}
	return string(text)
}

// sh runs a script in the guest, which has to end with 0.
func (g *guest) sh(script string) string {
	g.l.t.Helper()
	out, code := g.end(g.begin(script), commandLimit)
	if code != 0 {
		g.l.t.Fatalf("%s: %s\nended with %d: %s", g.name, script, code, out)
	}
	return out
}

// processes are the guest's, as this machine sees them.
func (g *guest) processes() (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range all {
		line, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(line, []byte("umid="+g.umid()+"\x00")) || !bytes.Contains(line, []byte("uml_dir="+g.l.dir+"/")) {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(path, "/")[2]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// kill takes the guest's power away.
func (g *guest) kill() {
	for range 100 {
		left := g.processes()
		if len(left) == 0 {
			return
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL) // an error means that it is dead
		}
		g.l.pause()
	}
}

// pause lets a moment pass, in a clean-up too.
func (l *lab) pause() { _ = clock.Wait(context.WithoutCancel(l.t.Context()), l.clock, pollPause) }

// freeze stops the guest's kernel and with it all that it runs; thaw lets it go on.
func (g *guest) freeze() { g.signal(syscall.SIGSTOP) }
func (g *guest) thaw()   { g.signal(syscall.SIGCONT) }

func (g *guest) signal(s syscall.Signal) {
	g.l.t.Helper()
	text, err := os.ReadFile(filepath.Join(g.l.dir, g.umid(), "pid"))
	if err != nil {
		g.l.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil {
		err = syscall.Kill(pid, s)
	}
	if err != nil {
		g.l.t.Fatal(err)
	}
}

// loseFiles has all that the guest sends to the file servers go nowhere; findFiles ends that. It reaches the rest.
func (g *guest) loseFiles() {
	g.l.t.Helper()
	g.sh("ip neigh replace " + filesIP + " lladdr 02:00:00:00:00:02 dev vec0 nud permanent")
}

func (g *guest) findFiles() {
	g.l.t.Helper()
	g.sh("ip neigh del " + filesIP + " dev vec0")
}

// cut takes the guest off the network; join puts it back.
func (g *guest) cut()  { g.l.sh(fmt.Sprintf("ip link set tap%d nomaster", g.n)) }
func (g *guest) join() { g.l.sh(fmt.Sprintf("ip link set tap%d master br0", g.n)) }
