package process

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// A process that ends has no environment for a moment before it is dead. An
// agent that sweeps after one node must not take the end of another node, or of
// any child of its own, for an orphan of that tree.
func TestEndOfAnotherChildIsNotTakenForAnOrphan(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Env = []string{}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	o := newOrphans("of another node", 0)
	look := func() (procStat, table) {
		t.Helper()
		p, err := readStat(cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		self, err := readStat(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		return p, table{p.pid: p, self.pid: self}
	}

	p, tab := look()
	p.flags |= pfExiting
	tab[p.pid] = p
	r := sweepResult{calm: true}
	o.sweepTable(tab, 0, &r)
	if r.calm || len(r.left) != 1 || r.status != nil {
		t.Errorf("one that ends was not waited for: %+v", r)
	}
	if !p.ident().alive() {
		t.Error("one that may be another node's was killed")
	}

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	newRig(t, CgroupOff, "").eventually("it to be dead", func() bool { p, _ := look(); return p.dead() })
	for range 2 {
		_, tab = look()
		r = sweepResult{calm: true}
		o.sweepTable(tab, 0, &r)
	}
	if !r.calm || len(r.left) > 0 {
		t.Errorf("what is dead was waited for: %+v", r)
	}
	if err := cmd.Wait(); cmd.ProcessState == nil {
		t.Errorf("its end was taken: %v", err)
	}
}

// A node whose main thread has ended while others go on lives, and its mark is found.
func TestMarkIsFoundThoughTheMainThreadHasEnded(t *testing.T) {
	cmd := exec.Command(selfExe)
	cmd.Env = []string{nodeVar + "=headless", NodeMark + "=4711"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	newRig(t, CgroupOff, "").eventually("its main thread to end", func() bool {
		p, err := readStat(cmd.Process.Pid)
		return err == nil && p.state == 'Z'
	})
	p, err := readStat(cmd.Process.Pid)
	if err != nil || p.dead() || !p.exiting() {
		t.Errorf("%+v, %v", p, err)
	}
	vars, err := environ(cmd.Process.Pid, NodeMark)
	if err != nil || vars[NodeMark] != "4711" {
		t.Errorf("mark %v, %v", vars, err)
	}
}
