package process

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// The test binary plays all three parts: the guard (as the product does), an
// agent that can be killed or stopped, and a node where a shell is not enough.
const (
	agentVar = "HOTCOLD_TEST_AGENT"
	nodeVar  = "HOTCOLD_TEST_NODE"
)

func TestMain(m *testing.M) {
	switch {
	case IsGuard(os.Args):
		os.Exit(GuardMain(os.Args[2:]))
	case os.Getenv(agentVar) != "":
		os.Exit(agentMain(os.Getenv(agentVar)))
	case os.Getenv(nodeVar) != "":
		os.Exit(nodeMain(os.Getenv(nodeVar)))
	}
	os.Exit(m.Run())
}

// limit is how long a test waits for what should be there at once. It is wide,
// because the race detector and a loaded machine are slow; a test that waits
// for it in vain fails.
const limit = time.Minute

// rig is one instance on this machine with a log to look into.
type rig struct {
	t     *testing.T
	o     Options
	clock clock.Clock
	log   *lockedBuffer

	mu    sync.Mutex
	lines []Line
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newRig prepares a node that runs script in a shell.
func newRig(t *testing.T, cgroup, script string) *rig {
	t.Helper()
	r := &rig{t: t, clock: clock.System(), log: &lockedBuffer{}}
	dir := t.TempDir()
	r.o = Options{
		Argv: []string{"/bin/sh", "-c", script}, Dir: dir,
		Env: []string{"PATH=" + os.Getenv("PATH")}, Epoch: 7,
		Instance: t.Name() + dir, RuntimeDir: filepath.Join(dir, "run"), Cgroup: cgroup,
		Output: SinkFunc(r.take), Clock: r.clock,
		Log: slog.New(slog.NewTextHandler(r.log, nil)),
	}
	t.Cleanup(func() {
		r.wantNothingLeft()
		if t.Failed() {
			t.Logf("log:\n%s", r.log)
		}
	})
	return r
}

func (r *rig) take(lines []Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, lines...)
}

func (r *rig) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, l := range r.lines {
		b.WriteString(l.Text + "\n")
	}
	return b.String()
}

// in returns a deadline that lies that far ahead.
func (r *rig) in(stopAt, killAt, deadBy time.Duration) Deadline {
	now := r.clock.Now().Boot
	return Deadline{now + stopAt, now + killAt, now + deadBy}
}

// far is a deadline that plays no part in a test.
func (r *rig) far() Deadline { return r.in(time.Hour, 2*time.Hour, 3*time.Hour) }

func (r *rig) start(d Deadline) *Node {
	r.t.Helper()
	n, err := Start(r.t.Context(), r.o, d)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		n.Kill()
		r.within(n.Done(), "the node to be seen dead")
		n.Wait()
	})
	return n
}

// startReady starts a node whose script says "ready".
func (r *rig) startReady(d Deadline) *Node {
	r.t.Helper()
	n := r.start(d)
	r.awaitText("ready")
	return n
}

func (r *rig) awaitText(want string) {
	r.t.Helper()
	r.eventually("the node to say "+want, func() bool { return strings.Contains(r.text(), want) })
}

func (r *rig) within(c <-chan struct{}, what string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	select {
	case <-c:
	case <-ctx.Done():
		r.t.Fatalf("waited for %s in vain; alive: %v\n%s", what, r.alive(), r.log)
	}
}

func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for !ok() {
		if err := clock.Wait(ctx, r.clock, 2*time.Millisecond); err != nil {
			r.t.Fatalf("waited for %s in vain; alive: %v\n%s", what, r.alive(), r.log)
		}
	}
}

// alive finds what lives of this instance, independently of the code under
// test: by the mark in the environment.
func (r *rig) alive() []string {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	var found []string
	for _, d := range dirs {
		env, _ := os.ReadFile(d + "/environ")
		stat, err := os.ReadFile(d + "/stat")
		if err != nil || !strings.Contains("\x00"+string(env), "\x00"+InstanceVar+"="+r.o.Instance+"\x00") ||
			!strings.Contains("\x00"+string(env), "\x00"+NodeMark+"=") {
			continue
		}
		if p, err := parseStat(stat); err == nil && !p.dead() {
			found = append(found, fmt.Sprintf("%s[%d]%c", p.name, p.pid, p.state))
		}
	}
	return found
}

func (r *rig) wantNothingLeft() {
	r.t.Helper()
	if left := r.alive(); len(left) > 0 {
		r.t.Errorf("still alive: %v", left)
	}
	parent, err := cgroupParent(CgroupAuto)
	if err != nil {
		return
	}
	if left, _ := filepath.Glob(filepath.Join(parent, instancePrefix(r.o.Instance)+"*")); len(left) > 0 {
		r.t.Errorf("cgroups left: %v", left)
	}
}

func closeFile(f *os.File) {
	if f != nil {
		f.Close()
	}
}

// guardPID returns the guard of a node.
func (n *Node) guardPID() int { return n.guard.pid }

// eachWay runs a test with and without a cgroup.
func eachWay(t *testing.T, f func(t *testing.T, cgroup string)) {
	t.Run("cgroup", func(t *testing.T) {
		needCgroup(t)
		t.Parallel()
		f(t, CgroupAuto)
	})
	t.Run("without", func(t *testing.T) {
		t.Parallel()
		f(t, CgroupOff)
	})
}

// lacking ends a test because the machine has not what it needs: as a skip on a
// laptop, as a failure in the build, which runs as root.
func lacking(t testing.TB, what string, err error) {
	t.Helper()
	if os.Getenv("HOTCOLD_CI") != "" || os.Getenv("CI") != "" {
		t.Fatalf("%s: %v", what, err)
	}
	t.Skipf("%s: %v", what, err)
}

func needCgroup(t testing.TB) string {
	t.Helper()
	parent, err := cgroupParent(CgroupAuto)
	if err == nil {
		var dir string
		if dir, err = os.MkdirTemp(parent, "hotcold-test-"); err == nil {
			os.Remove(dir)
			return parent
		}
	}
	t.Skipf("no cgroup v2 may be written here: %v", err)
	return ""
}

// agentOrder is what a test tells an agent process of its own.
type agentOrder struct {
	Argv                                      []string
	Script, Dir, RuntimeDir, Instance, Cgroup string
	StopIn, KillIn, DeadIn, LossGrace         time.Duration
	Extend                                    bool // keep the deadline ahead
}

type agentWord struct {
	PID, Guard int
	Err        string
}

// agentMain is an agent: it starts a node, says so, and lives until it is gone.
func agentMain(text string) int {
	var a agentOrder
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return 3
	}
	c := clock.System()
	ahead := func() Deadline {
		now := c.Now().Boot
		return Deadline{now + a.StopIn, now + a.KillIn, now + a.DeadIn}
	}
	if len(a.Argv) == 0 {
		a.Argv = []string{"/bin/sh", "-c", a.Script}
	}
	n, err := Start(context.Background(), Options{
		Argv: a.Argv, Dir: a.Dir, Env: []string{"PATH=" + os.Getenv("PATH")},
		Instance: a.Instance, RuntimeDir: a.RuntimeDir, Cgroup: a.Cgroup, LossGrace: a.LossGrace,
		Output: Console{W: os.Stderr},
	}, ahead())
	w := agentWord{}
	if err != nil {
		w.Err = err.Error()
	} else {
		w.PID, w.Guard = n.PID(), n.guardPID()
	}
	_ = json.NewEncoder(os.Stdout).Encode(w)
	if err != nil {
		return 1
	}
	for {
		t := c.Timer(c.Now().Boot + 20*time.Millisecond)
		select {
		case <-n.Done():
			n.Wait()
			return 0
		case <-t.C():
			if a.Extend {
				n.Extend(ahead())
			}
		}
		t.Stop()
	}
}

// agentProcess is an agent in a process of its own.
type agentProcess struct {
	agentWord
	cmd *exec.Cmd
	out *bufio.Reader
}

// agent starts an agent process with a node that runs r's script.
func (r *rig) agent(a agentOrder) *agentProcess {
	r.t.Helper()
	p := r.silentAgent(a)
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		b, _ := os.ReadFile(filepath.Join(r.o.Dir, "agent.err"))
		r.t.Fatalf("agent said nothing: %v\n%s", err, b)
	}
	if err := json.Unmarshal(line, &p.agentWord); err != nil || p.Err != "" {
		r.t.Fatalf("agent: %v %s", err, p.Err)
	}
	return p
}

// silentAgent starts an agent process and does not wait for its node.
func (r *rig) silentAgent(a agentOrder) *agentProcess {
	r.t.Helper()
	a.Script, a.Dir, a.RuntimeDir, a.Instance = r.o.Argv[len(r.o.Argv)-1], r.o.Dir, r.o.RuntimeDir, r.o.Instance
	if a.Cgroup == "" {
		a.Cgroup = r.o.Cgroup
	}
	text, err := json.Marshal(a)
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(selfExe)
	cmd.Env = append(os.Environ(), agentVar+"="+string(text))
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	errFile, err := os.Create(filepath.Join(r.o.Dir, "agent.err"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer errFile.Close()
	cmd.Stderr = errFile
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	p := &agentProcess{cmd: cmd, out: bufio.NewReader(out)}
	r.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		r.eventually("the agent's node to be dead", func() bool { return len(r.alive()) == 0 })
		if _, err := Clean(context.Background(), CleanOptions{RuntimeDir: r.o.RuntimeDir, Instance: r.o.Instance, Cgroup: r.o.Cgroup}); err != nil {
			r.t.Errorf("clean up: %v", err)
		}
	})
	return p
}

func (p *agentProcess) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	send(t, p.cmd.Process.Pid, s)
}

func send(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatalf("send %v to %d: %v", s, pid, err)
	}
}

// awaitFile waits until a script has made a file in the working directory.
func (r *rig) awaitFile(name string) string {
	r.t.Helper()
	path := filepath.Join(r.o.Dir, name)
	r.eventually("file "+name, func() bool {
		fi, err := os.Stat(path)
		return err == nil && fi.Size() > 0
	})
	b, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}
