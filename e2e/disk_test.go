package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mounted makes the agent of m run behind mounts of its own, which end with it:
// script is run by a shell that may mount, with dir as $1.
func (m *machine) mounted(script, dir string) {
	m.t.Helper()
	unshare := []string{"unshare", "--mount"}
	if os.Geteuid() != 0 {
		unshare = append(unshare, "--map-root-user")
	}
	if out, err := exec.Command(unshare[0], append(unshare[1:], "mount", "-t", "tmpfs", "none", "/mnt")...).CombinedOutput(); err != nil {
		m.t.Skipf("this user may not mount, not even in a namespace: %v %s", err, out)
	}
	m.wrap = slices.Concat(unshare, []string{"/bin/sh", "-ec", script + "\nshift\nexec \"$@\"", "sh", dir})
}

// What is put over a directory.
const (
	readOnly = `mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"`
	full     = `mount -t tmpfs -o size=64k none "$1"; head -c 1M /dev/zero >"$1/fill" 2>/dev/null || true`
)

func TestAReadOnlyBaseDirectoryIsNotTakenOverTo(t *testing.T) {
	dsn := database(t)
	p := sleeperPair(t, dsn)
	p.b.configure(sleeperConfig(p.b, dsn) + fmt.Sprintf("  runtimeDir = %q\n", filepath.Join(p.root, "run-b")))
	p.b.mounted(readOnly, p.b.dir)
	p.a.start()
	p.a.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	p.b.start()
	want := fmt.Sprintf("the base directory %s cannot be written: read-only file system", p.b.dir)
	p.b.awaitState(settleLimit, "to say why not", func(s state) bool {
		return s.State == "cold" && !s.Ready && slices.Contains(s.Reasons, want)
	})
	if got := p.b.run("check"); got.code != 8 || !strings.Contains(got.stdout, want) {
		t.Errorf("check ends with %d and says:\n%s", got.code, got.stdout)
	}
	p.stays(p.a)
}

// The runtime directory is in the base directory, and cannot be made.
func TestAReadOnlyRuntimeDirectoryIsRefused(t *testing.T) {
	p := sleeperPair(t, database(t))
	p.b.mounted(readOnly, p.b.dir)
	p.b.refuses(codeFailed, `.*runtime directory.*read-only file system`)
	p.b.said(`(?m)^hotcold: hint: .*hotcold\.runtimeDir`)
}

// The agent writes down each start of a node, so that the next agent finds it.
func TestAFullRuntimeDirectoryIsNotTakenOverTo(t *testing.T) {
	p := sleeperPair(t, database(t))
	run := filepath.Join(p.b.dir, "run")
	if err := os.Mkdir(run, 0o700); err != nil {
		t.Fatal(err)
	}
	p.b.mounted(`mount -t tmpfs -o size=64k,mode=700 none "$1"; : >"$1/agent.lock"; head -c 1M /dev/zero >"$1/fill" 2>/dev/null || true`, run)
	p.a.start()
	p.a.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	p.b.start()
	want := fmt.Sprintf("the runtime directory %s has no space left on its disk: make room", run)
	p.b.awaitState(settleLimit, "to say why not", func(s state) bool {
		return s.State == "cold" && !s.Ready && slices.Contains(s.Reasons, want)
	})
	p.stays(p.a)
}

// A machine that cannot write the epoch to the drive starts no node.
func TestAFullDriveLeavesTheNodeToTheOther(t *testing.T) {
	dsn := database(t)
	p := sleeperPair(t, dsn)
	drive := filepath.Join(p.root, "drive")
	if err := os.Mkdir(drive, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, m := range p.machines() {
		m.configure(sleeperConfig(m, dsn) + fmt.Sprintf("  drive.path = %q\n", drive))
	}
	p.a.mounted(full, drive)
	p.a.start()
	p.b.start()
	p.b.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	p.stays(p.b)
}

// The copy of the node's output is worth less than the node.
func TestAFullDiskUnderTheOutputFileDoesNotStopTheNode(t *testing.T) {
	dsn := database(t)
	p := sleeperPair(t, dsn)
	logs := filepath.Join(p.a.dir, "logs")
	if err := os.Mkdir(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("i=0; while [ $i -lt 3000 ]; do echo a line that fills the disk; i=$((i+1)); done; exec %s 100000", p.a.program())
	p.a.configure(sleeperConfig(p.a, dsn) + fmt.Sprintf("  node { command = %q, output.file = %q, output.passThrough = false }\n", script, filepath.Join(logs, "node.log")))
	p.a.mounted(full, logs)
	p.a.start()
	p.o.awaitStart(t, p.a.name, 0, settleLimit)
	p.a.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	p.a.said(`level=WARN .*no space left`)
	p.stays(p.a)
}
