package machine_test

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/machine"
)

func TestTheVersionOfJavaIsRead(t *testing.T) {
	for output, want := range map[string]int{
		"openjdk version \"17.0.9\" 2023-10-17\nOpenJDK Runtime Environment":    17,
		"java version \"1.8.0_392\"\n":                                          8,
		"openjdk version \"22-ea\" 2024-03-19":                                  22,
		"Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version \"11.0.21\" 2023": 11,
	} {
		if got, ok := machine.ParseJava(output); !ok || got != want {
			t.Errorf("%q is read as %d, %v", output, got, ok)
		}
	}
	if got, ok := machine.ParseJava("a shell script"); ok {
		t.Errorf("read as %d", got)
	}
}

func TestWhichJavaACordaNodeNeeds(t *testing.T) {
	for _, c := range []struct {
		have  int
		corda string
		level machine.Level
	}{
		{17, "4.12", machine.OK}, {17, "4.12.6", machine.OK}, {21, "4.12", machine.Fault}, {11, "4.12", machine.Fault},
		{11, "4.11", machine.OK}, {8, "4.11.2", machine.OK}, {17, "4.11", machine.Fault},
		{8, "4.8", machine.OK}, {11, "4.8", machine.Warning}, {8, "3.2", machine.OK}, {17, "3.2", machine.Warning},
		{17, "", machine.OK}, {17, "next", machine.Note},
	} {
		if f := machine.JudgeJava(c.have, c.corda); f.Level != c.level || (f.Level == machine.Fault && f.Next == "") {
			t.Errorf("Java %d under Corda %s: %+v, want %s", c.have, c.corda, f, c.level)
		}
	}
}

func TestTheVersionOfACordaJarIsFound(t *testing.T) {
	dir := t.TempDir()
	jar := func(name, manifest string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z := zip.NewWriter(f)
		w, err := z.Create("META-INF/MANIFEST.MF")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(manifest)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := filepath.Join(dir, "corda.jar")
	if err := os.Symlink("corda-enterprise-4.11.1.jar", link); err != nil {
		t.Fatal(err)
	}
	jar("corda-enterprise-4.11.1.jar", "Manifest-Version: 1.0\r\n")
	for path, want := range map[string]string{
		jar("a.jar", "Manifest-Version: 1.0\r\nCorda-Release-Version: 4.12\r\n"): "4.12",
		jar("corda-4.9.jar", "nothing"):                                          "4.9",
		link:                                                                     "4.11.1",
		jar("b.jar", "Manifest-Version: 1.0\r\n"):                                "",
	} {
		got, err := machine.CordaVersion(path)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s is %q, %v; want %q", path, got, err, want)
		}
	}
}

func TestWhatAUnitShouldHave(t *testing.T) {
	good := "LoadState=loaded\nUnitFileState=enabled\nType=notify\nDelegate=yes\nKillMode=mixed\nRestart=always\nTimeoutStopUSec=2min\n"
	judge := func(text string) []machine.Finding { return machine.JudgeUnit(machine.ParseUnit(text), 90*time.Second) }
	if f := judge(good); len(f) != 1 || f[0].Level != machine.OK {
		t.Errorf("%+v", f)
	}
	for was, is := range map[string]string{
		"UnitFileState=enabled": "UnitFileState=disabled", "Type=notify": "Type=simple", "Delegate=yes": "Delegate=no",
		"KillMode=mixed": "KillMode=control-group", "Restart=always": "Restart=no", "TimeoutStopUSec=2min": "TimeoutStopUSec=1min 20s",
	} {
		f := judge(strings.Replace(good, was, is, 1))
		if len(f) != 1 || f[0].Level != machine.Warning || f[0].Next == "" || !strings.Contains(f[0].Text, is) {
			t.Errorf("%s: %+v", is, f)
		}
	}
	if f := judge("LoadState=not-found\n"); len(f) != 1 || f[0].Level != machine.Note {
		t.Errorf("%+v", f)
	}
	if f := judge(strings.Replace(good, "2min", "infinity", 1)); f[0].Level != machine.OK {
		t.Errorf("%+v", f)
	}
}

// The unit that is shipped is judged well.
func TestTheShippedUnitHasWhatAUnitShouldHave(t *testing.T) {
	text, err := os.ReadFile("../../packaging/hotcold.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := machine.ParseUnit(string(text))
	unit["LoadState"], unit["UnitFileState"], unit["TimeoutStopUSec"] = "loaded", "enabled", unit["TimeoutStopSec"]+"s"
	for _, f := range machine.JudgeUnit(unit, 90*time.Second) {
		if f.Level != machine.OK {
			t.Errorf("%+v", f)
		}
	}
}

func TestClockRoomLimitsAndUser(t *testing.T) {
	const unlimited = 1<<64 - 1
	for name, c := range map[string]struct {
		found []machine.Finding
		want  machine.Level
	}{
		"a clock that is kept right":       {[]machine.Finding{machine.JudgeClock(0, 0x2001, 20*time.Millisecond)}, machine.OK},
		"a clock that nobody keeps":        {[]machine.Finding{machine.JudgeClock(5, 0x40, time.Second)}, machine.Warning},
		"a clock that may be far off":      {[]machine.Finding{machine.JudgeClock(0, 0x2001, 16*time.Second)}, machine.Warning},
		"a disk with room":                 {[]machine.Finding{machine.JudgeRoom("base directory", "/x", machine.Room{Bytes: 40e9, AllBytes: 100e9, Files: 50, AllFiles: 100})}, machine.OK},
		"a disk with little room":          {[]machine.Finding{machine.JudgeRoom("base directory", "/x", machine.Room{Bytes: 5e8, AllBytes: 1e9})}, machine.Warning},
		"a disk that is nearly full":       {[]machine.Finding{machine.JudgeRoom("base directory", "/x", machine.Room{Bytes: 4e9, AllBytes: 100e9})}, machine.Warning},
		"a disk without inodes":            {[]machine.Finding{machine.JudgeRoom("base directory", "/x", machine.Room{Bytes: 40e9, AllBytes: 100e9, Files: 1, AllFiles: 100})}, machine.Warning},
		"a disk that does not say":         {[]machine.Finding{machine.JudgeRoom("base directory", "/x", machine.Room{})}, machine.Note},
		"limits of a service":              {machine.JudgeLimits(machine.Limits{Files: 65536, Locked: unlimited}), machine.OK},
		"limits of a shell":                {machine.JudgeLimits(machine.Limits{Files: 1024, Locked: 65536}), machine.Warning},
		"a guard that may be paged out":    {machine.JudgeLimits(machine.Limits{Files: 65536, Locked: 65536}), machine.Note},
		"the superuser locks what it will": {machine.JudgeLimits(machine.Limits{Files: 65536, Locked: 65536, Root: true}), machine.OK},
		"the node's user":                  {[]machine.Finding{machine.JudgeUser(1000, 1000, "/x")}, machine.OK},
		"root for another":                 {[]machine.Finding{machine.JudgeUser(0, 1000, "/x")}, machine.Note},
		"somebody else":                    {[]machine.Finding{machine.JudgeUser(1001, 1000, "/x")}, machine.Warning},
	} {
		if len(c.found) == 0 || c.found[0].Level != c.want {
			t.Errorf("%s: %+v, want %s", name, c.found, c.want)
		}
		for _, f := range c.found {
			if f.Level == machine.Warning && f.Next == "" {
				t.Errorf("%s: no next step: %+v", name, f)
			}
		}
	}
}

// This machine, whatever it is like: every look says something, and none hangs.
func TestThisMachineIsLookedAt(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "java")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho 'openjdk version \"17.0.1\"' >&2\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	found := machine.Look(t.Context(), machine.Options{BaseDir: dir, Rooms: []machine.Directory{{What: "base directory", Path: dir}, {What: "runtime directory", Path: dir}},
		Java: machine.Java{Program: program}, StopTime: time.Minute})
	about := map[string]int{}
	for _, f := range found {
		about[f.About]++
	}
	for _, a := range []string{"java", "user", "limits", "unit", "clock", "room"} {
		if about[a] == 0 {
			t.Errorf("nothing is said about %s: %+v", a, found)
		}
	}
	if found[0].Text != "Java 17" || about["room"] != 1 {
		t.Errorf("%+v", found)
	}
	missing := machine.Look(t.Context(), machine.Options{BaseDir: dir, Java: machine.Java{Program: filepath.Join(dir, "no-java")}})
	if missing[0].Level != machine.Fault {
		t.Errorf("%+v", missing[0])
	}
}
