package doctest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/config"
)

const unit = "packaging/hotcold.service"

func TestSystemdUnderstandsTheUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not on this machine")
	}
	// The program need not be installed here.
	text := strings.ReplaceAll(readFile(t, unit), "/usr/local/bin/hotcold", binary)
	file := filepath.Join(t.TempDir(), "hotcold.service")
	write(t, file, text, 0o600)
	c := exec.Command(analyze, "verify", "--man=no", file)
	c.Env = append(os.Environ(), "LC_ALL=C")
	out, err := c.CombinedOutput()
	if err != nil || strings.Contains(string(out), file) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// What the agent does at its end needs the time, and has to be alone in doing it.
func TestTheUnitLeavesTheAgentTheOrderOfAnEnding(t *testing.T) {
	settings := unitSettings(t)
	for key, want := range map[string]string{"Type": "notify", "KillMode": "mixed", "Delegate": "yes", "Restart": "always",
		"NotifyAccess": "main", "OOMPolicy": "continue", "RuntimeDirectoryPreserve": "yes", "StartLimitIntervalSec": "0"} {
		if settings[key] != want {
			t.Errorf("%s is %q, want %q", key, settings[key], want)
		}
	}
	const slack = 15 * time.Second
	longest := longestStop(t)
	if stop := seconds(t, settings["TimeoutStopSec"]); stop < longest+slack {
		t.Errorf("TimeoutStopSec is %v: a node may take %v to stop by default", stop, longest)
	}
	if seconds(t, settings["WatchdogSec"]) <= 0 {
		t.Error("there is no watchdog")
	}
	for _, code := range []string{"2", "3", "5"} {
		if !strings.Contains(" "+settings["RestartPreventExitStatus"]+" ", " "+code+" ") {
			t.Errorf("exit code %s is restarted, which mends nothing", code)
		}
	}
}

// longestStop is the longest time that a preset gives a node to stop in.
func longestStop(t *testing.T) (longest time.Duration) {
	t.Helper()
	for _, s := range config.Settings() {
		if s.Path != "hotcold.node.stop.timeout" {
			continue
		}
		for _, text := range append([]string{s.Default}, presets(s)...) {
			number, _, _ := strings.Cut(text, " ")
			longest = max(longest, seconds(t, number))
		}
	}
	return longest
}

func presets(s config.Setting) (all []string) {
	for _, text := range s.Presets {
		all = append(all, text)
	}
	return all
}

func seconds(t *testing.T, text string) time.Duration {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("want a number of seconds: %v", err)
	}
	return time.Duration(n) * time.Second
}

func unitSettings(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(readFile(t, unit)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			all[key] = value
		}
	}
	return all
}
