package drive

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// cellInit is the first process of a cell: it makes the places in which a machine
// writes, and runs what is left in ctl.
const cellInit = `#!/bin/bash -e
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
hostname %[2]s
mount -t tmpfs run /run
mkdir -p /run/etc /run/ctl /run/gluster
cp -a /etc/. /run/etc/
mount --bind /run/etc /etc
mount --bind %[1]s /run/ctl
for d in /mnt /opt /var/lib/glusterd /var/log/glusterfs; do mount -t tmpfs tmp $d; done
echo '# this machine has no disk of its own' > /etc/fstab
set +e
` + answerAsks

// cell makes a machine of namespaces: mounts, processes and a name of its own in the
// lab's network, and this machine's kernel. That will do where the file system is a
// program, as with FUSE. All that runs in it ends with it, wherever it works.
func (l *lab) cell(n int) *guest {
	l.t.Helper()
	g := l.guest(n)
	g.ctl = l.mkdir(fmt.Sprintf("ctl-%d", n))
	init := filepath.Join(l.dir, fmt.Sprintf("init-%d", n))
	l.write(init, fmt.Sprintf(cellInit, g.ctl, g.name))
	var space string
	l.t.Cleanup(func() { l.untilEmpty(g.name, space) })
	outer := l.inside("unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc", "/bin/bash", init)
	g.untilUp()
	children := fmt.Sprintf("/proc/%d/task/%[1]d/children", outer.Process.Pid)
	inner, err := os.ReadFile(children)
	if err != nil {
		l.t.Fatal(err)
	}
	if space, err = os.Readlink("/proc/" + strings.TrimSpace(string(inner)) + "/ns/pid"); err != nil {
		l.t.Fatal(err)
	}
	return g
}

// untilEmpty waits until no process is left in a namespace.
func (l *lab) untilEmpty(what, space string) {
	if space == "" {
		return // it was not up
	}
	for range 100 {
		if len(inSpace(space)) == 0 {
			return
		}
		l.pause()
	}
	l.t.Errorf("%s has left processes behind: %v", what, inSpace(space))
}

// inSpace are the processes of a namespace, as this machine numbers them.
func inSpace(space string) (pids []string) {
	all, _ := filepath.Glob("/proc/[0-9]*/ns/pid")
	for _, path := range all {
		if ns, err := os.Readlink(path); err == nil && ns == space {
			pids = append(pids, strings.Split(path, "/")[2])
		}
	}
	return pids
}
