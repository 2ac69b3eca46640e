package process

import (
	"os"
	"strings"
	"testing"
)

func TestGuardKeepsItsProgramInMemory(t *testing.T) {
	r := newRig(t, CgroupOff, "echo ready; exec sleep 1000")
	n := r.startReady(r.far())
	if strings.Contains(r.log.String(), "memory is not locked") {
		needMemoryLock(t, r.log.String())
	}
	b, err := os.ReadFile(procPath(n.guardPID(), "smaps"))
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	code := false
	for line := range strings.Lines(string(b)) {
		if m, ok := parseMapping(strings.TrimSpace(line)); ok {
			code = m.path == self && strings.Contains(line, " r-xp ")
		}
		if flags, found := strings.CutPrefix(line, "VmFlags:"); found && code {
			if !strings.Contains(flags, " lo ") {
				t.Errorf("the program's code is not locked: %s", flags)
			}
			return
		}
	}
	t.Error("the guard's code was not found in its own map")
}

// needMemoryLock skips where this user may not lock memory. Root may.
func needMemoryLock(t *testing.T, why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("this user may not lock memory: %s", why)
	}
	t.Errorf("root may lock memory: %s", why)
}

func TestMappingsAreRead(t *testing.T) {
	for line, want := range map[string]mapping{
		"00400000-00f00000 r-xp 00000000 fe:00 1234                       /opt/a program": {0x400000, 0xf00000, false, "/opt/a program"},
		"00f00000-00f10000 rw-p 00b00000 fe:00 1234                       /opt/program":   {0xf00000, 0xf10000, true, "/opt/program"},
	} {
		if got, ok := parseMapping(line); !ok || got != want {
			t.Errorf("%q: %+v %v", line, got, ok)
		}
	}
	for _, line := range []string{
		"", "Size:  4 kB", "00f00000-00f10000 rw-p 00000000 00:00 0", "00f10000-00f00000 r-xp 0 fe:00 1 /opt/program",
		"x-y r-xp 0 fe:00 1 /opt/program", "00400000-00f00000 ---p 0 fe:00 1 /opt/program",
	} {
		if got, ok := parseMapping(line); ok {
			t.Errorf("%q was read: %+v", line, got)
		}
	}
}
