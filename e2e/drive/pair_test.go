package drive

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// protocol is one way in which the drive is shared.
type protocol struct {
	name  string
	kind  string // hotcold.drive.type
	serve func(*lab)
	fstab string // arguments of `drive fstab`
	wrong []wrong
}

func overNFS() protocol {
	return protocol{"NFS 4.1", "nfs", (*lab).nfs, "efs --fs-id " + fileSystem + " --region " + region, wrongOverNFS()}
}

func overSMB() protocol {
	return protocol{"SMB 3", "smb", (*lab).smb, "azure --account " + account + " --share " + share + " --vers 3.0 --key-file /run/key", wrongOverSMB()}
}

// The node of these tests: it is a Corda node as far as hotcold can see, and keeps a
// journal on the drive in which each line has its epoch.
const nodeScript = `#!/bin/bash
mkfifo /run/silence.$$
exec 9<>/run/silence.$$
mkdir -p artemis/journal
echo 'Node for "ledger" started up and registered in 0.1 sec'
n=0
while :; do
	n=$((n + 1))
	echo "$HOTCOLD_EPOCH $n" >> artemis/journal/log || exit 1
	read -rt 0.1 -u 9
done
`

// conf is the configuration of a machine.
func conf(dsn, base, name, kind string) string {
	return fmt.Sprintf(`hotcold {
  name = ledger
  preset = corda
  baseDirectory = %q
  runtimeDir = /run/hotcold
  database.url = %q
  mutualExclusion { machineName = %s, updateInterval = 1 s, waitInterval = 12 s }
  node { command = [/bin/bash, node.sh], cgroup = off }
  drive { path = /mnt/ledger, type = %s, hangLimit = 10 s }
  listen.address = off
}
`, base, dsn, name, kind)
}

// prepare makes a guest into a machine with a node and its configuration, and the drive
// not yet mounted.
func (g *guest) prepare(p protocol) {
	g.l.t.Helper()
	conf := conf(g.l.guestDSN(), "/opt/ledger", g.name, p.kind)
	g.sh(fmt.Sprintf("mkdir -p /opt/ledger /etc/hotcold && cat > /etc/hotcold/hotcold.conf <<'END'\n%sEND\ncat > /opt/ledger/node.sh <<'END'\n%sEND\necho '%s' > /run/key\ncp %s /run/hotcold.bin",
		conf, nodeScript, accountKey, hotcold(g.l.t)))
}

// hc runs the program in the guest.
func (g *guest) hc(args string) (string, int) {
	g.l.t.Helper()
	return g.end(g.begin("cd /opt/ledger; /run/hotcold.bin "+args), commandLimit)
}

// mount does what the manual says: one command.
func (g *guest) mount(p protocol) string {
	g.l.t.Helper()
	out, code := g.hc("drive fstab " + p.fstab + " --apply")
	if code != 0 {
		g.l.t.Fatalf("%s: drive fstab %s --apply ended with %d: %s\n%s", g.name, p.fstab, code, out, g.sh("dmesg | tail -20"))
	}
	return out
}

// agent starts the agent in the guest. Nobody waits for its end.
func (g *guest) agent() {
	g.l.t.Helper()
	g.begin("cd /opt/ledger; exec /run/hotcold.bin run > /run/ctl/agent.log 2>&1")
}

// said tells whether the agent has logged a message, with all of these words in its line.
func (g *guest) said(words ...string) bool {
	text, err := os.ReadFile(filepath.Join(g.ctl, "agent.log"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			return true
		}
	}
	return false
}

// state is what `hotcold status` says of the pair.
type state struct {
	Holder *struct {
		Instance string `json:"instance"`
		Epoch    uint64 `json:"epoch"`
		State    string `json:"state"`
		Ready    bool   `json:"ready"`
		Released bool   `json:"released"`
	} `json:"holder"`
	Standby   []string `json:"standby"`
	Instances []struct {
		ID      string   `json:"id"`
		State   string   `json:"state"`
		Reasons []string `json:"reasons"`
	} `json:"instances"`
}

// status asks from this machine, which reaches the database by another way.
func (l *lab) status() state {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), startLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, hotcold(l.t), "status", "--json", "--config", filepath.Join(l.dir, "status.conf"))
	out, err := cmd.Output()
	var s state
	if bad := json.Unmarshal(out, &s); bad != nil {
		l.t.Fatalf("status: %v: %v: %s", err, bad, out)
	}
	return s
}

// hot tells whether a machine is hot, its node ready.
func (s state) hot(g *guest) bool {
	h := s.Holder
	return h != nil && !h.Released && strings.HasPrefix(h.Instance, g.name+":") && h.State == "hot" && h.Ready
}

func (s state) standsBy(g *guest) bool {
	return len(s.Standby) == 1 && strings.HasPrefix(s.Standby[0], g.name+":")
}

// reasons are what a machine last said of itself.
func (s state) reasons(g *guest) string {
	for _, i := range s.Instances {
		if strings.HasPrefix(i.ID, g.name+":") {
			return i.State + ": " + strings.Join(i.Reasons, "; ")
		}
	}
	return ""
}

// untilHot waits for a takeover and says how long it took.
func (l *lab) untilHot(g *guest) time.Duration {
	l.t.Helper()
	took := l.untilStatus(g.name+" to be hot", func(s state) bool { return s.hot(g) })
	if took > slowTakeover {
		l.t.Logf("%s was slow, its agent says: %s", g.name, g.log())
	}
	return took
}

// slowTakeover is far above what a takeover takes on a machine that is not busy.
const slowTakeover = 30 * time.Second

// log is the last of what a guest's agent wrote.
func (g *guest) log() string {
	text, err := os.ReadFile(filepath.Join(g.ctl, "agent.log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-logTail):])
}

// logTail is how many bytes of a log are printed.
const logTail = 6 << 10

func (l *lab) untilStandby(g *guest) {
	l.t.Helper()
	l.untilStatus(g.name+" to stand by", func(s state) bool { return s.standsBy(g) })
}

// untilStatus waits until the pair is in a state. To ask for it costs a process, on
// processors that the guests share.
func (l *lab) untilStatus(what string, is func(state) bool) time.Duration {
	l.t.Helper()
	return l.untilEach(statusPause, what, takeoverLimit, func() bool { return is(l.status()) })
}

const (
	takeoverLimit = 180 * time.Second
	statusPause   = 250 * time.Millisecond
)

// checkReport is what `drive check --json` says.
type checkReport struct {
	Findings []struct {
		Level, About, Code, Text, Next string
	}
	Faults, Warnings int
}

func (g *guest) check(args string) checkReport {
	g.l.t.Helper()
	out, code := g.hc("drive check --json " + args + " 2>/dev/null")
	var r checkReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		g.l.t.Fatalf("drive check ended with %d: %v: %s", code, err, out)
	}
	if (code == 8) != (r.Faults > 0) {
		g.l.t.Errorf("drive check ended with %d and %d faults", code, r.Faults)
	}
	return r
}

func (r checkReport) has(level, code string) bool {
	for _, f := range r.Findings {
		if f.Level == level && f.Code == code {
			return true
		}
	}
	return false
}

func (r checkReport) String() string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n%-8s %-12s %s (%s)", f.Level, f.About, f.Text, f.Code)
	}
	return b.String()
}
