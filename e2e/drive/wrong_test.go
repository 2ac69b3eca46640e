package drive

import (
	"fmt"
	"testing"
)

// wrong is a way to mount the drive that works, until a takeover needs it.
type wrong struct {
	name, mount string            // the command, but for the directory
	want        map[string]string // what a check finds: code to level
	never       []string          // what it does not find
}

// wrongOverNFS is mounted from the very server that the right line mounts.
func wrongOverNFS() []wrong {
	// Without its helper: that wants a daemon for locks which go nowhere in any case.
	three := fmt.Sprintf("mount -i -t nfs %s:/ -o vers=3,addr=%s,proto=tcp,port=2049,mountaddr=%[2]s,mountport=%d,mountproto=tcp,", efsHost, filesIP, mountPort)
	four := "mount -t nfs4 -o nosharecache,nfsvers=4.1,"
	return []wrong{
		{"NFS 3 without locks", three + "nolock", map[string]string{"nfs3": "fault", "nolock": "fault"}, nil},
		{"NFS 3 with locks of this machine alone", three + "local_lock=all", map[string]string{"nfs3": "fault", "localLock": "fault"}, []string{"nolock"}},
		{"soft", four + "noresvport,soft " + efsHost + ":/", map[string]string{"soft": "warning"}, []string{"noresvport"}},
		{"read-only", four + "noresvport,ro " + efsHost + ":/", map[string]string{"ro": "fault"}, nil},
		{"EFS without noresvport", four + "hard " + efsHost + ":/", map[string]string{"noresvport": "warning"}, nil},
		// NFS 4 has its locks within, and does not listen to these two.
		{"NFS 4.1 with nolock and local_lock", four + "noresvport,nolock,local_lock=all " + efsHost + ":/", nil, []string{"nolock", "localLock"}},
		{"another directory, without a marker", four + "noresvport,hard " + efsHost + ":/other", map[string]string{"noMarker": "fault", "notLinked": "fault"}, nil},
	}
}

// wrongOverSMB is mounted from the server that the right line mounts, or from a share
// that does not ask for encryption: an account without secure transfer.
func wrongOverSMB() []wrong {
	from := func(share, options string) string {
		return "mount -t cifs //" + azureHost + "/" + share + " -o credentials=/etc/smbcredentials/" + account + ".cred,nosharesock," + options
	}
	return []wrong{
		{"Azure's own line", from(share, "vers=3.0,serverino,actimeo=30"), map[string]string{"nolease": "warning", "actimeo": "warning"}, []string{"nobrl", "smb2"}},
		{"SMB 2.1, which does not encrypt", from(openShare, "vers=2.1,nolease,actimeo=1"), map[string]string{"smb2": "fault"}, []string{"nolease"}},
		{"fsync that returns too early", from(share, "vers=3.0,nolease,nostrictsync,cache=loose"), map[string]string{"nostrictsync": "fault", "cacheLoose": "fault"}, nil},
		{"numbers of files made up", from(share, "vers=3.0,nolease,noserverino"), map[string]string{"noserverino": "warning"}, nil},
	}
}

// wantWrongFound mounts the drive in each wrong way beside the right one, and has it
// checked.
func (g *guest) wantWrongFound(all []wrong) {
	t := g.l.t
	t.Helper()
	const at = "/mnt/wrong"
	for _, w := range all {
		if out, code := g.end(g.begin("mkdir -p "+at+" && "+w.mount+" "+at), commandLimit); code != 0 {
			t.Errorf("%s: the mount ended with %d: %s", w.name, code, out)
			continue
		}
		r := g.check("--path " + at)
		for code, level := range w.want {
			if !r.has(level, code) {
				t.Errorf("%s: no %s %s:%s", w.name, level, code, r)
			}
		}
		for _, code := range w.never {
			if r.has("fault", code) || r.has("warning", code) {
				t.Errorf("%s: %s is said to be there, and is not:%s", w.name, code, r)
			}
		}
		g.sh("umount " + at)
	}
}

// wantForgottenLockNoticed restarts the file server without what it knew of its
// clients: all locks are gone. The hot machine hears of it when it next uses its lock,
// says so, takes it anew, and stays hot: a lock is evidence, and no more.
func (l *lab) wantForgottenLockNoticed(t *testing.T, hot, other *guest) {
	t.Helper()
	epoch := l.status().Holder.Epoch
	if err := l.server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	l.untilClosed(2049)
	l.ganesha("4", "")
	took := l.until(hot.name+" to miss its lock", takeoverLimit, func() bool { return hot.said("the drive has given up our lock: it is taken anew") })
	t.Logf("the server had forgotten the lock: noticed %v after its start", took)
	l.until("the lock to be seen again", takeoverLimit, func() bool { return other.check("").has("ok", "seen") })
	if s := l.status(); !s.hot(hot) || s.Holder.Epoch != epoch {
		t.Errorf("%s was hot at epoch %d, and now: %+v", hot.name, epoch, s.Holder)
	}
	if hot.said("the shared drive is lost") {
		t.Errorf("a lock that was lost ended the node of %s", hot.name)
	}
}
