package drive

import (
	"strings"
	"testing"
	"time"
)

func overGluster() protocol {
	return protocol{name: "GlusterFS", kind: "glusterfs"}
}

// glusterFstab is the line by which a machine of this test mounts the drive.
const glusterFstab = serverIP + ":/ledger /mnt/ledger glusterfs _netdev,nofail 0 0"

// pingSeconds is after how long a client gives up a brick that does not answer: at the
// latest after twice that. Meanwhile nothing can kill a process that waits for the client.
// It is longer than the drive may hang, and well longer than a check waits (15 s), which
// begins a little later.
const pingSeconds = "24"

// gluster starts GlusterFS with a volume of one brick, on a machine of its own.
func (l *lab) gluster() *guest {
	l.t.Helper()
	need(l.t, "glusterd", "glusterfsd", "glusterfs", "gluster", "mount.glusterfs")
	s := l.cell(3)
	s.begin("exec glusterd --no-daemon")
	l.untilOpen(24007)
	s.sh("mkdir /opt/brick && gluster --mode=script volume create ledger " + serverIP + ":/opt/brick force && gluster --mode=script volume set ledger network.ping-timeout " + pingSeconds + " && gluster --mode=script volume start ledger")
	return s
}

// mountGluster mounts the drive on a machine by its fstab, and links the node to it.
func (g *guest) mountGluster() string {
	g.l.t.Helper()
	g.sh("mkdir -m 0 /mnt/ledger && echo '" + glusterFstab + "' > /etc/fstab && mount /mnt/ledger")
	out, code := g.hc("drive link")
	if code != 0 {
		g.l.t.Fatalf("%s: drive link ended with %d: %s", g.name, code, out)
	}
	return out
}

// Two machines mount a volume of GlusterFS, with its own servers and clients. One is
// hot; its lock is seen by the other. The process that serves the files, the brick, is
// killed, after which each look at the drive fails, and later it stands still, so that each
// look hangs: either way the node ends, the lease is free, no machine counts as fit, and a
// node runs again when the brick does.
func TestAPairOnGlusterFSOutlivesItsBrick(t *testing.T) {
	t.Parallel()
	l := newLab(t, 0)
	server := l.gluster()
	l.database()
	a, b := l.cell(1), l.cell(2)
	for _, g := range []*guest{a, b} {
		g.prepare(overGluster())
	}
	if r := b.check(""); !r.has("fault", "notMounted") {
		t.Errorf("a drive that nobody mounted:%s", r)
	}
	if out := a.mountGluster(); !strings.Contains(out, "the other machine has to see the same") {
		t.Errorf("no marker was made: %s", out)
	}
	if out := b.mountGluster(); strings.Contains(out, "the other machine has to see the same") {
		t.Errorf("another drive: %s", out)
	}
	wantAll := func(g *guest, codes ...string) {
		t.Helper()
		r := g.check("")
		for _, code := range codes {
			if !r.has("ok", code) {
				t.Errorf("%s does not say that %q is well:%s", g.name, code, r)
			}
		}
		if r.Faults+r.Warnings > 0 {
			t.Errorf("%s is not pleased:%s", g.name, r)
		}
	}
	wantAll(b, "mounted", "fstab", "protected", "marker", "linked", "rights", "fsync")

	given := l.drill(a, b)
	a.sh("pkill -9 -x glusterfs") // the client: to the server, this machine is dead
	t.Logf("the client killed: %s", given())
	a.sh("umount -l /mnt/ledger && mount /mnt/ledger")

	a.agent()
	l.untilHot(a)
	b.agent()
	l.untilStandby(b)
	wantAll(b, "seen", "marker", "fsync")

	server.sh("pkill -9 -x glusterfsd")
	for _, g := range []*guest{b, a} { // the node ends by itself, at its next write, or is killed
		l.untilStatus(g.name+" to say what its drive does", func(s state) bool {
			return strings.Contains(s.reasons(g), "cold: ") && strings.Contains(s.reasons(g), "transport endpoint is not connected")
		})
	}
	if h := l.status().Holder; h == nil || !h.Released {
		t.Errorf("without a drive the lease is held: %+v", h)
	}
	if r := b.check(""); !r.has("fault", "marker") || !r.has("fault", "rights") || !r.has("fault", "locks") {
		t.Errorf("a drive without its brick:%s", r)
	}
	server.sh("gluster --mode=script volume start ledger force")
	hot, cold := l.untilOneIsHot(a, b)
	l.untilStandby(cold)

	server.sh("pkill -STOP -x glusterfsd")
	hangs := cold.begin("cd /opt/ledger; /run/hotcold.bin drive check --json 2>/dev/null")
	l.untilFenced(hot, "the brick stood still")
	if out, code := cold.end(hangs, commandLimit); code != 8 || !strings.Contains(out, `"hangs"`) {
		t.Errorf("a drive that hangs: the check ended with %d: %s", code, out)
	}
	server.sh("pkill -CONT -x glusterfsd")
	l.untilOneIsHot(a, b)
}

// untilFenced waits until a machine has killed its node for the drive's sake and
// released the lease.
func (l *lab) untilFenced(g *guest, why string) {
	l.t.Helper()
	took := l.untilStatus("the end of the node of "+g.name, func(s state) bool { return s.Holder != nil && s.Holder.Released })
	l.t.Logf("the node was dead and the lease free %v after %s", took.Round(100*time.Millisecond), why)
	if !g.said("the shared drive is lost: fencing the node") {
		l.t.Errorf("the agent of %s did not say why", g.name)
	}
}

// untilOneIsHot waits until either machine runs the node.
func (l *lab) untilOneIsHot(a, b *guest) (hot, cold *guest) {
	l.t.Helper()
	l.untilStatus("a node again", func(s state) bool {
		switch {
		case s.hot(a):
			hot, cold = a, b
		case s.hot(b):
			hot, cold = b, a
		}
		return hot != nil
	})
	return hot, cold
}
