package agent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/drive"
)

// onDrive has an agent watch a drive by this very program.
func onDrive(t *testing.T, dir string, hang time.Duration) func(*agent.Options) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return func(o *agent.Options) {
		o.EpochFile = filepath.Join(dir, "hotcold.epoch")
		o.Drive = agent.Drive{Expect: drive.Expect{Path: dir, Kind: drive.Any}, HangLimit: hang, Program: drive.ProbeArgs(self)}
	}
}

func TestAHotAgentHasTheDriveLockedUntilItsNodeIsDead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newPair(t)
	a := p.start("a", serves, onDrive(t, dir, time.Minute))
	a.until("the lock", func(s agent.Snapshot) bool {
		return s.State == agent.Hot && s.Drive.Lock == drive.LockHeld && s.Drive.FsyncSeconds > 0
	})
	b := p.start("b", serves, onDrive(t, dir, time.Minute))
	s := b.until("the other's lock", func(s agent.Snapshot) bool { return s.Ready && s.Drive.Lock != "" })
	if s.Drive.Lock == drive.LockHeld || !strings.HasPrefix(s.Drive.Holder, "a:") || s.State != agent.Cold {
		t.Errorf("cold: %+v", s.Drive)
	}
	if err := a.quit(); err != nil {
		t.Fatal(err)
	}
	b.until("the lock", func(s agent.Snapshot) bool { return s.State == agent.Hot && s.Drive.Lock == drive.LockHeld })
}

// The node is dead before the lease is anybody else's, as with any other ending.
func TestANodeWhoseDriveHangsIsKilledAndHandedOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newPair(t)
	a := p.start("a", serves, onDrive(t, dir, 2*time.Second))
	a.until("the lock", func(s agent.Snapshot) bool { return s.State == agent.Hot && s.Drive.Lock == drive.LockHeld })
	holder := filepath.Join(dir, drive.HolderFile)
	pipe := holder + ".pipe"
	if err := unix.Mkfifo(pipe, 0o600); err != nil { // nobody reads or writes: to open it hangs
		t.Fatal(err)
	}
	if err := os.Rename(pipe, holder); err != nil {
		t.Fatal(err)
	}
	a.until("the end of the node", func(s agent.Snapshot) bool { return s.Counters.NodeExits == 1 && s.State == agent.Cold })
	o := a.row()
	if !o.Record.Released || !strings.Contains(o.Record.Memo, "has taken no write for") {
		t.Errorf("row %v, memo %s", o, o.Record.Memo)
	}
	s := a.until("the reason", func(s agent.Snapshot) bool {
		return !s.Ready && strings.Contains(strings.Join(s.Reasons, " "), "shared drive")
	})
	if s.Counters.Fences != 1 || s.Counters.NodeStarts != 1 {
		t.Errorf("%+v", s.Counters)
	}
	if err := os.Remove(holder); err != nil {
		t.Fatal(err)
	}
	p.start("b", serves, onDrive(t, dir, 2*time.Second)).untilState(agent.Hot)
}

func TestANodeIsKilledWhenAnotherAgentHasBegunOnTheDrive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := newPair(t).start("a", serves, onDrive(t, dir, time.Minute))
	a.until("the lock", func(s agent.Snapshot) bool { return s.State == agent.Hot && s.Drive.Lock == drive.LockHeld })
	if err := os.WriteFile(filepath.Join(dir, "hotcold.epoch"), []byte("77\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := a.until("the end of the node", func(s agent.Snapshot) bool { return s.Counters.NodeExits == 1 })
	if s.Counters.Fences != 1 {
		t.Errorf("%+v", s)
	}
	if s := a.until("a term above it", func(s agent.Snapshot) bool { return s.State == agent.Hot && s.Epoch > 77 }); s.Drive.Lock == "lost" {
		t.Errorf("%+v", s.Drive)
	}
}

func TestAMachineWithoutItsDriveIsNotReady(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := newPair(t).start("a", serves, onDrive(t, dir, time.Minute), func(o *agent.Options) { o.Drive.Expect.Kind = drive.NFS })
	s := m.until("the reason", func(s agent.Snapshot) bool { return strings.Contains(strings.Join(s.Reasons, " "), "is not mounted") })
	if s.Ready || s.Counters.Claims != 0 || s.Drive.Well {
		t.Errorf("%+v", s)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("something was written to an empty mount point: %v, %v", left, err)
	}
}
