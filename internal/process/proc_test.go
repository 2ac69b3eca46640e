package process

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestStatIsReadWhateverTheNameHolds(t *testing.T) {
	const rest = "S 12 34 56 0 -1 4194564 1 2 3 4 5 6 7 8 20 0 9 0 4711 1000"
	for _, name := range []string{"java", "a) R 1 (b", "new\nline", "", ")"} {
		p, err := parseStat([]byte("99 (" + name + ") " + rest + "\n"))
		want := procStat{pid: 99, ppid: 12, pgrp: 34, session: 56, state: 'S', flags: 4194564, threads: 9, start: 4711, name: name}
		if err != nil || p != want {
			t.Errorf("%q: got %+v, %v", name, p, err)
		}
	}
	for _, bad := range []string{"", "99 java S", "99 (java) S 1 2", "x (java) " + rest, "99 (java) S x" + rest[4:]} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestZombieWithThreadsIsNotDead(t *testing.T) {
	for _, c := range []struct {
		p    procStat
		dead bool
	}{
		{procStat{state: 'Z', threads: 1}, true},
		{procStat{state: 'Z', threads: 2}, false}, // its main thread ended, another goes on
		{procStat{state: 'X', threads: 0}, true},
		{procStat{state: 'D', threads: 1}, false},
		{procStat{state: 'T', threads: 1}, false},
	} {
		if c.p.dead() != c.dead {
			t.Errorf("%c with %d threads: dead %v", c.p.state, c.p.threads, !c.dead)
		}
	}
}

func TestReusedPidIsNeverKilled(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := readStat(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	other := ident{PID: p.pid, Start: p.start - 1}
	if err := other.kill(); err != nil || other.alive() {
		t.Errorf("kill of one that is gone: %v, alive %v", err, other.alive())
	}
	if !p.ident().alive() {
		t.Error("an innocent process was killed")
	}
	if err := p.ident().kill(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it was not killed")
	}
	if err := p.ident().kill(); err != nil {
		t.Errorf("kill of one that is gone: %v", err)
	}
	for _, pid := range []int{0, 1, -1} {
		if err := (ident{PID: pid}).kill(); err == nil {
			t.Errorf("kill of %d was not refused", pid)
		}
	}
}

func TestRecordOfAnotherProcessKillsNobody(t *testing.T) {
	r := newRig(t, CgroupOff, "")
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	p, err := readStat(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	machine, err := BootID()
	if err != nil {
		t.Fatal(err)
	}
	if err := makeRuntimeDir(r.o.RuntimeDir); err != nil {
		t.Fatal(err)
	}
	old := ident{PID: p.pid, Start: p.start - 100}
	rec := record{Version: recordVersion, Machine: machine, Instance: r.o.Instance, Epoch: 3, Guard: old, Node: old}
	if err := rec.write(recordPath(r.o.RuntimeDir)); err != nil {
		t.Fatal(err)
	}
	if proof := r.wantProof(false); proof.Epoch != 3 || proof.Killed != 0 {
		t.Errorf("proof %+v", proof)
	}
	if !p.ident().alive() {
		t.Error("an innocent process was killed")
	}
}

func TestDescentIsFollowedAndRingsEnd(t *testing.T) {
	tab := table{
		1: {pid: 1}, 10: {pid: 10, ppid: 1}, 11: {pid: 11, ppid: 10}, 12: {pid: 12, ppid: 11},
		20: {pid: 20, ppid: 21}, 21: {pid: 21, ppid: 20}, 30: {pid: 30, ppid: 99},
	}
	for pid, want := range map[int]int{10: 0, 11: 11, 12: 11, 1: 0, 20: 0, 30: 0, 77: 0} {
		if got := tab.childOf(10, pid); got != want {
			t.Errorf("childOf(10, %d) = %d, want %d", pid, got, want)
		}
	}
	got := tab.oldestFirst()
	if !slices.IsSortedFunc(got, func(a, b procStat) int { return a.pid - b.pid }) {
		t.Errorf("order %v", got)
	}
}

func TestOwnCgroupIsFoundInEveryLayout(t *testing.T) {
	for name, c := range map[string]struct{ mounts, own, want string }{
		"unified":          {"30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/system.slice/hotcold.service\n", "/sys/fs/cgroup/system.slice/hotcold.service"},
		"hybrid":           {"30 1 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n31 1 0:27 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw\n", "4:memory:/x\n0::/\n", "/sys/fs/cgroup/unified"},
		"container":        {"30 1 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/docker/abc\n", "/sys/fs/cgroup"},
		"below":            {"30 1 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/docker/abc/x\n", "/sys/fs/cgroup/x"},
		"spaces":           {`30 1 0:26 / /mnt/a\040b rw - cgroup2 cgroup rw` + "\n", "0::/x\n", "/mnt/a b/x"},
		"another's mount":  {"30 1 0:26 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/docker/abc\n", ""},
		"outside":          {"30 1 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/../other\n", ""},
		"version 1 only":   {"30 1 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", "4:cpu:/x\n", ""},
		"no mount to see":  {"", "0::/x\n", ""},
		"first one counts": {"30 1 0:26 /a /one rw - cgroup2 c rw\n31 1 0:26 / /two rw - cgroup2 c rw\n", "0::/b\n", "/two/b"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ownCgroup(c.mounts, c.own)
			if got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestCgroupWithoutKillFileIsKilledOneByOne(t *testing.T) {
	needCgroup(t)
	r := newRig(t, CgroupAuto, `sleep 1000 & sleep 1000 & echo ready; wait`)
	n := r.startReady(r.far())
	for {
		ids, err := n.cg.processes()
		if err != nil {
			t.Fatal(err)
		}
		if len(ids) == 0 {
			break
		}
		if err := n.cg.killEach(); err != nil {
			t.Fatal(err)
		}
	}
	r.within(n.Done(), "the node to be seen dead")
}

func TestCgroupsThatTheNodeMadeAreRemoved(t *testing.T) {
	needCgroup(t)
	r := newRig(t, CgroupAuto, `echo ready; exec sleep 1000`)
	n := r.startReady(r.far())
	if err := os.MkdirAll(filepath.Join(string(n.cg), "a/b"), 0o755); err != nil {
		t.Fatal(err)
	}
	n.Kill()
	n.Wait() // the rig looks for cgroups left
}

func TestNamedCgroupIsUsed(t *testing.T) {
	parent := needCgroup(t)
	dir, err := os.MkdirTemp(parent, "hotcold-test-")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, dir, "echo ready; exec sleep 1000")
	n := r.startReady(r.far())
	if !strings.HasPrefix(string(n.cg), dir+"/") {
		t.Errorf("cgroup %s", n.cg)
	}
	n.Kill()
	n.Wait()
	if err := os.Remove(dir); err != nil {
		t.Error(err)
	}
}

// A cgroup that can be made but not entered: one whose parent hands out
// controllers it may not have together with threads.
func TestNodeStartsWithoutItsCgroupWhereItMayNotEnterIt(t *testing.T) {
	parent := needCgroup(t)
	dir, err := os.MkdirTemp(parent, "hotcold-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	r := newRig(t, CgroupAuto, "echo ready; exec sleep 1000")
	s, err := newSpec(mustDefaults(t, r.o), r.far())
	if err != nil {
		t.Fatal(err)
	}
	if err := makeRuntimeDir(r.o.RuntimeDir); err != nil {
		t.Fatal(err)
	}
	s.Cgroup, s.Record.Cgroup = filepath.Join(dir, "gone"), filepath.Join(dir, "gone")
	lock, err := flock(guardLockPath(r.o.RuntimeDir))
	if err != nil {
		t.Fatal(err)
	}
	n, err := launch(mustDefaults(t, r.o), s, lock)
	if err != nil {
		t.Fatal(err)
	}
	lock.Close()
	if n, err = n.await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n.cg != "" || !strings.Contains(r.log.String(), "outside of a cgroup") {
		t.Errorf("cgroup %q", n.cg)
	}
	rec, err := readRecord(recordPath(r.o.RuntimeDir))
	if err != nil || rec.Cgroup != "" {
		t.Errorf("record %+v, %v", rec, err)
	}
	n.Kill()
	n.Wait()
}

func mustDefaults(t *testing.T, o Options) Options {
	t.Helper()
	o, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// A program that another goroutine starts has copies of all open files between
// its fork and its exec, which can take long on a loaded machine.
func TestALockIsFreeOnceItIsGivenBackEvenIfACopyOfItsFileIsOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	l, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := &cleaner{o: CleanOptions{RuntimeDir: dir}}
	if !c.lockGuard() {
		t.Fatal("the guard's lock is not free")
	}
	for _, f := range []*os.File{l.f, c.guard} {
		fd, err := unix.Dup(int(f.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
	}
	c.close()
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	for _, path := range []string{guardLockPath(dir), l.f.Name()} {
		f, err := flock(path)
		if err != nil {
			t.Error(err)
			continue
		}
		f.Close()
	}
}

func TestOneAgentHoldsTheLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	l, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	var locked *LockedError
	if _, err := Acquire(dir); !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("second agent: %v", err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if l, err = Acquire(dir); err != nil {
		t.Errorf("after the release: %v", err)
	} else {
		l.Release()
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("runtime directory: %v, %v", fi.Mode(), err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(dir); err == nil {
		t.Error("a runtime directory that anybody may write was taken")
	}
}

func TestWhatIsRecordedDecidesWhatIsProven(t *testing.T) {
	machine, err := BootID()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text   string
		proven bool
		says   string
	}{
		"nothing":          {"", false, "no start is recorded"},
		"torn":             {`{"version":1,"mach`, false, "cannot be read"},
		"a newer program":  {`{"version":9}`, false, "version 9"},
		"tombstone":        {`{"version":1,"machine":"` + machine + `","instance":"INST","epoch":5,"dead":true}`, true, "seen dead"},
		"another boot":     {`{"version":1,"machine":"x/1","instance":"INST","dead":true}`, false, "before this boot"},
		"another instance": {`{"version":1,"machine":"` + machine + `","instance":"y","dead":true}`, false, "another instance"},
		"cgroup gone":      {`{"version":1,"machine":"` + machine + `","instance":"INST","cgroup":"/sys/fs/cgroup/hotcold-none"}`, true, "empty"},
		"no cgroup":        {`{"version":1,"machine":"` + machine + `","instance":"INST"}`, false, "none of its processes"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, CgroupAuto, "")
			if err := makeRuntimeDir(r.o.RuntimeDir); err != nil {
				t.Fatal(err)
			}
			if c.text != "" {
				text := strings.ReplaceAll(c.text, "INST", r.o.Instance)
				if err := os.WriteFile(recordPath(r.o.RuntimeDir), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if p := r.wantProof(c.proven); !strings.Contains(p.How, c.says) || p.Machine != machine {
				t.Errorf("proof %+v, want it to say %q", p, c.says)
			}
		})
	}
}
