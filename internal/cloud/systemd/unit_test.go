package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/cloud"
	"github.com/hotcold/hotcold/internal/cloud/systemd"
	"github.com/hotcold/hotcold/internal/testserver"
)

func agent() systemd.Agent {
	return systemd.Agent{Config: "/etc/hotcold/hotcold.conf", Mount: "/mnt/ledger", Stop: time.Minute, Fence: 12 * time.Second}
}

func unit(t *testing.T, f cloud.File, err error) cloud.File {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// directives are the lines of a unit that say something, in order; one that is commented out with "#Name=" counts too
// where all is set.
func directives(text string, all bool) []string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if all {
			if rest, ok := strings.CutPrefix(line, "#"); ok && strings.HasPrefix(rest, "RequiresMountsFor=") {
				line = rest
			}
		}
		if line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// There is one unit of the agent: the packaged one, with the paths and times of a configuration.
func TestTheAgentsUnitIsThePackagedOne(t *testing.T) {
	packaged, err := os.ReadFile("../../../packaging/hotcold.service")
	if err != nil {
		t.Fatal(err)
	}
	f, err := agent().Unit()
	got, want := directives(unit(t, f, err).Text, false), directives(string(packaged), true)
	i := slices.Index(want, "TimeoutStopSec=120")
	if i < 0 {
		t.Fatal("the packaged unit has no TimeoutStopSec=120")
	}
	want[i] = "TimeoutStopSec=87"
	if !slices.Equal(got, want) {
		t.Errorf("the rendered unit says\n%s\nand the packaged one\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAnAgentWithoutADriveWaitsForNoMount(t *testing.T) {
	a := agent()
	a.Mount = ""
	f, err := a.Unit()
	if strings.Contains(unit(t, f, err).Text, "RequiresMountsFor") {
		t.Errorf("the unit is\n%s", f.Text)
	}
}

func TestTheTimeToStopIsRoundedUp(t *testing.T) {
	if got := (systemd.Agent{Stop: 1500 * time.Millisecond, Fence: 10 * time.Millisecond}).StopSeconds(); got != 17 {
		t.Errorf("1.5 s, 10 ms and 15 s are %d s, want 17", got)
	}
}

func TestABalancerKeepsOnlyTheRightsThatItNeeds(t *testing.T) {
	for want, b := range map[string]systemd.Balancer{
		"":                                   {},
		"CAP_NET_BIND_SERVICE":               {LowPort: true},
		"CAP_NET_ADMIN":                      {Kernel: true},
		"CAP_NET_BIND_SERVICE CAP_NET_ADMIN": {LowPort: true, Kernel: true},
	} {
		f, err := b.Unit()
		lines := directives(unit(t, f, err).Text, false)
		if !slices.Contains(lines, "CapabilityBoundingSet="+want) || slices.Contains(lines, "AmbientCapabilities="+want) != (want != "") {
			t.Errorf("%+v: want the rights %q, got\n%s", b, want, f.Text)
		}
	}
}

// systemd itself knows every directive and every value.
func TestSystemdVerifiesTheUnits(t *testing.T) {
	program := testserver.Program(t, "systemd-analyze")
	dir := t.TempDir()
	for _, make := range []func() (cloud.File, error){
		agent().Unit, systemd.Balancer{Config: "/etc/hotcold/hotcold.conf"}.Unit,
		systemd.Balancer{Config: "/etc/hotcold/hotcold.conf", LowPort: true, Kernel: true}.Unit,
	} {
		f, err := make()
		// A program and a user that every machine has: systemd looks for both.
		text := strings.NewReplacer("/usr/local/bin/hotcold", "/bin/true", "User=hotcold", "User=root", "Group=hotcold", "Group=root",
			"SupplementaryGroups=hotcold", "SupplementaryGroups=root").Replace(unit(t, f, err).Text)
		name := filepath.Join(dir, f.Name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := exec.CommandContext(t.Context(), program, "verify", "--man=no", "--recursive-errors=no", name)
		if out, err := c.CombinedOutput(); err != nil || strings.Contains(string(out), f.Name) {
			t.Errorf("systemd-analyze verify: %v:\n%s", err, out)
		}
	}
}
