package machine

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	// UnitName is that of packaging/hotcold.service.
	UnitName = "hotcold.service"
	// unitLimit bounds a question to systemd.
	unitLimit = 5 * time.Second
)

// unitProperties are those that matter for the order of an ending.
func unitProperties() []string {
	return []string{"LoadState", "UnitFileState", "Type", "Delegate", "KillMode", "Restart", "TimeoutStopUSec"}
}

// lookUnit asks systemd about the unit that starts the agent.
func lookUnit(ctx context.Context, stop time.Duration) []Finding {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return []Finding{finding(Note, "unit", "", "systemd does not run here: whatever starts the agent has to start it again when it ends")}
	}
	ctx, cancel := context.WithTimeout(ctx, unitLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "systemctl", "show", UnitName, "--property="+strings.Join(unitProperties(), ","))
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return []Finding{finding(Note, "unit", "", "systemd does not say what it knows of %s: %v", UnitName, err)}
	}
	return JudgeUnit(ParseUnit(string(out)), stop)
}

// ParseUnit reads what systemctl show prints.
func ParseUnit(text string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			all[name] = value
		}
	}
	return all
}

// JudgeUnit judges a unit; stop is how long the agent may take to end in order.
func JudgeUnit(u map[string]string, stop time.Duration) []Finding {
	if u["LoadState"] != "loaded" {
		return []Finding{finding(Note, "unit", "install packaging/hotcold.service, or be sure that another unit does it",
			"there is no unit %s: who starts the agent when the machine starts?", UnitName)}
	}
	var all []Finding
	wrong := func(name, next, format string, args ...any) {
		f := finding(Warning, "unit", next, format, args...)
		f.Text = UnitName + " has " + name + "=" + u[name] + ": " + f.Text
		all = append(all, f)
	}
	if s := u["UnitFileState"]; !strings.HasPrefix(s, "enabled") && s != "static" && s != "generated" {
		wrong("UnitFileState", "systemctl enable "+UnitName, "it does not start with the machine")
	}
	if u["Delegate"] != "yes" {
		wrong("Delegate", "Delegate=yes", "the node has no cgroup of its own, and is followed process by process")
	}
	if u["KillMode"] != "mixed" {
		wrong("KillMode", "KillMode=mixed", "systemd would signal the node itself, and the order of an ending is lost")
	}
	if u["Restart"] != "always" {
		wrong("Restart", "Restart=always", "an agent that ended is not started again")
	}
	if u["Type"] != "notify" {
		wrong("Type", "Type=notify", "systemd does not know when the agent is ready, and does not watch it")
	}
	if d, ok := unitSpan(u["TimeoutStopUSec"]); ok && d < stop {
		wrong("TimeoutStopUSec", "TimeoutStopSec="+stop.String(), "an orderly end may take %v, and would be cut short", stop)
	}
	if len(all) == 0 {
		all = append(all, finding(OK, "unit", "", "%s starts with the machine and leaves the agent the order of an ending", UnitName))
	}
	return all
}

// unitSpan reads a span as systemd prints it: "2min", "1min 30s", "infinity".
func unitSpan(text string) (time.Duration, bool) {
	if text == "infinity" {
		return 1<<63 - 1, true
	}
	d, err := time.ParseDuration(strings.NewReplacer(" ", "", "min", "m").Replace(text))
	return d, err == nil && text != ""
}
