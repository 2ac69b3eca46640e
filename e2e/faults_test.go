package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/testserver"
)

// The documented exit codes of `hotcold run` that these tests meet.
const (
	codeFailed   = 1
	codeConfig   = 3
	codeDatabase = 4
	codeHeld     = 5
	codeTwin     = 7
)

// refuses starts an agent that has to end by itself with code, and to say in one
// sentence why.
func (m *machine) refuses(code int, sentence string) {
	m.t.Helper()
	m.start()
	if got := m.wait(endLimit); got != code {
		m.t.Errorf("exit code %d, want %d", got, code)
	}
	m.said(`(?m)^hotcold: error: ` + sentence)
}

// said wants a line in the agent's log.
func (m *machine) said(pattern string) {
	m.t.Helper()
	if !regexp.MustCompile(pattern).MatchString(m.log()) {
		m.t.Errorf("the log of %s has no line %s:\n%s", m.name, pattern, m.log())
	}
}

// stays wants the node that runs to be the only one there ever was, and to serve.
func (p *pair) stays(hot *machine) {
	p.t.Helper()
	p.o.awaitStart(p.t, hot.name, 0, settleLimit) // hot is a matter of the agent: its node may not have come to the observer yet
	lives := p.o.seen()
	if len(lives) != 1 || lives[0].owner != hot.name || lives[0].dead != 0 {
		p.t.Errorf("nodes: %v; want the first one of %s alone", lives, hot.name)
	}
	if !hot.hot() {
		p.t.Errorf("%s is not hot any more", hot.name)
	}
}

func TestAnAgentWithOtherTimingsIsRefusedAndTheNodeGoesOn(t *testing.T) {
	p := sleeperPair(t, database(t))
	p.a.start()
	p.a.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	p.b.configure(sleeperConfig(p.b, p.dsn(p.a)) + "  mutualExclusion.waitInterval = 3500\n")
	p.b.refuses(codeConfig, `.*waitInterval is 3\.5s here and 2\.5s there`)
	p.b.said(`(?m)^hotcold: hint: write the same mutualExclusion block`)
	p.stays(p.a)
}

func TestASecondAgentOnTheSameMachineIsRefused(t *testing.T) {
	p := sleeperPair(t, database(t))
	p.a.start()
	p.a.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	again := *p.a // the same files
	again.cmd, again.logPath = nil, filepath.Join(p.root, "again.log")
	again.refuses(codeTwin, `.*locked by another agent, process \d+`)
	p.stays(p.a)
}

func TestStandbyExitLeavesWhenTheOtherHoldsTheLease(t *testing.T) {
	p := sleeperPair(t, database(t))
	p.a.start()
	p.a.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	p.b.configure(sleeperConfig(p.b, p.dsn(p.a)) + "  mutualExclusion.standby = exit\n")
	p.b.refuses(codeHeld, `.*machine-a:.* holds the lease at epoch 1`)
	p.stays(p.a)
}

// dsn reads the database out of a machine's configuration.
func (p *pair) dsn(m *machine) string {
	p.t.Helper()
	conf, err := os.ReadFile(m.conf)
	if err != nil {
		p.t.Fatal(err)
	}
	found := regexp.MustCompile(`database\.url = "([^"]+)"`).FindSubmatch(conf)
	if found == nil {
		p.t.Fatalf("no database in %s", m.conf)
	}
	return string(found[1])
}

// One configuration, two agents with a runtime directory each, as when root starts
// by hand what a service runs as another user.
func TestATwinWithARuntimeDirectoryOfItsOwnIsRefused(t *testing.T) {
	p := sleeperPair(t, database(t))
	p.a.start()
	p.a.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	twin := p.twin()
	twin.refuses(codeTwin, `another agent of machine-a:.* is running on this machine`)
	p.stays(p.a)
}

// twin is machine-b made into the double of machine-a: same name, same base
// directory, another directory of its own for all else, as for another user.
func (p *pair) twin() *machine {
	p.t.Helper()
	p.b.configure(fmt.Sprintf("  baseDirectory = %q\n", p.a.dir) + sleeperConfig(p.b, p.dsn(p.a)) +
		"  mutualExclusion.machineName = machine-a\n")
	return p.b
}

// The twin has run before, alone, so that its own records say that its last node
// was seen dead. That proves nothing about the node of the other.
func TestATwinWithAProofOfItsOwnIsRefused(t *testing.T) {
	p := sleeperPair(t, database(t))
	twin := p.twin()
	twin.start()
	twin.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	twin.stop()
	before, began := len(p.o.seen()), now()
	p.a.start()
	p.o.awaitStart(t, p.a.name, began, settleLimit)
	p.a.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	twin.refuses(codeTwin, `another agent of `)
	if lives := p.o.seen(); len(lives) != before+1 {
		t.Errorf("nodes were started anew: %v", lives)
	}
	if !p.a.hot() {
		t.Error("machine-a is not hot any more")
	}
}

// As above, and the node that was killed would be started again in place.
func TestATwinNeverMakesTwoNodes(t *testing.T) {
	p := sleeperPair(t, database(t))
	twin := p.twin()
	twin.start()
	twin.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	twin.stop()
	p.a.configure(sleeperConfig(p.a, p.dsn(p.a)) + "  node.restart { attempts = 5, backoff = 20 }\n")
	began := now()
	p.a.start()
	p.o.awaitStart(t, p.a.name, began, settleLimit)
	p.a.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	before := len(p.o.seen())
	twin.refuses(codeTwin, `another agent of `)
	if lives := p.o.seen(); len(lives) != before {
		t.Errorf("nodes were started anew: %v", lives)
	}
}

func TestAMachineWithoutTheNodesCommandDoesNotTakeOver(t *testing.T) {
	p := sleeperPair(t, database(t))
	p.b.configure(strings.ReplaceAll(sleeperConfig(p.b, p.dsn(p.a)), p.b.program(), "/nosuch/program"))
	p.a.start()
	p.a.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	p.b.start()
	p.b.awaitState(settleLimit, "to say why not", func(s state) bool {
		return s.State == "cold" && !s.Ready && slices.Contains(s.Reasons, "the node's command /nosuch/program does not exist")
	})
	got := p.a.run("switchover", "--wait", "10s")
	if got.code != 6 || !strings.Contains(got.stderr, "hotcold: error: switchover was refused") {
		t.Errorf("switchover to a machine that cannot: code %d, %s", got.code, got.stderr)
	}
	p.stays(p.a)
	p.a.stop()
	pause(t, 4*time.Second) // waitInterval is 2.5 s
	if s, err := p.b.state(); err != nil || s.State != "cold" {
		t.Errorf("machine-b: %+v %v", s, err)
	}
}

// A stranger on a port that the node needs is found before it is too late.
func TestAMachineWithATakenPortDoesNotTakeOver(t *testing.T) {
	p := sleeperPair(t, database(t))
	stranger, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	broker := fmt.Sprintf("<configuration><core><acceptors><acceptor name=\"amqp\">tcp://%s</acceptor></acceptors></core></configuration>", stranger.Addr())
	if err := os.MkdirAll(filepath.Join(p.a.dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.a.dir, "etc", "broker.xml"), []byte(broker), 0o644); err != nil {
		t.Fatal(err)
	}
	p.a.configure("  preset = artemis\n" + sleeperConfig(p.a, p.dsn(p.b)))
	p.a.start()
	taken := fmt.Sprintf("port %s, which the node needs, is already taken by another program", stranger.Addr())
	p.a.awaitState(settleLimit, "to say why not", func(s state) bool {
		return s.State == "cold" && !s.Ready && slices.Contains(s.Reasons, taken)
	})
	pause(t, 4*time.Second) // waitInterval is 2.5 s
	if lives := p.o.seen(); len(lives) > 0 {
		t.Errorf("a node was started: %v", lives)
	}
}

// An agent that is started while the database is down waits for it.
func TestAnAgentWaitsForADatabaseThatIsDown(t *testing.T) {
	dsn := database(t)
	proxy := testserver.Proxy(t, testserver.Addr(t, dsn))
	p := sleeperPair(t, testserver.Via(t, dsn, proxy.Addr()))
	proxy.Cut()
	p.a.start()
	p.a.awaitState(settleLimit, "to say why it is not ready", func(s state) bool {
		return s.State == "cold" && !s.Ready && len(s.Reasons) > 0 && strings.HasPrefix(s.Reasons[0], "the database does not answer")
	})
	proxy.Restore(t)
	p.a.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	p.a.said(`the database does not answer yet: waiting for it`)
}

// A database that swallows everything is as good as gone, and worse to notice.
func TestADatabaseThatHangsStopsTheNodeInTime(t *testing.T) {
	dsn := database(t)
	proxy := testserver.Proxy(t, testserver.Addr(t, dsn))
	p := sleeperPair(t, testserver.Via(t, dsn, proxy.Addr()))
	p.startBoth()
	hot, said := p.settle()
	node := p.o.living()[0]
	at := now()
	proxy.Hang()
	trust := time.Duration(said.Timing.TrustSeconds * float64(time.Second))
	l := p.o.awaitDeath(t, node.pid, trust+deathLimit)
	if l.alive > at+trust {
		t.Errorf("the node lived %v after the database began to hang, and its trust is %v", l.alive-at, trust)
	}
	if hot.hot() {
		t.Error("/hot says yes without a node")
	}
	proxy.Restore(t)
	p.settle()
}

func TestOnDatabaseLossExitStopsTheNodeAndLeaves(t *testing.T) {
	dsn := database(t)
	proxy := testserver.Proxy(t, testserver.Addr(t, dsn))
	p := sleeperPair(t, dsn)
	p.a.configure(sleeperConfig(p.a, testserver.Via(t, dsn, proxy.Addr())) + "  mutualExclusion.onDatabaseLoss = exit\n")
	p.a.start()
	p.a.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	proxy.Cut()
	if code := p.a.wait(endLimit); code != codeDatabase {
		t.Errorf("exit code %d, want %d", code, codeDatabase)
	}
	p.a.said(`(?m)^hotcold: error: the database was lost, the node has been stopped: `)
	p.a.said(`(?m)^hotcold: hint: the node is down`)
}

// A node that fails on both machines is not handed to and fro for ever. A person
// who has mended it lets it be tried again.
func TestANodeThatFailsEverywhereIsLeftToAPerson(t *testing.T) {
	dsn := database(t)
	p := sleeperPair(t, dsn)
	flag := filepath.Join(p.root, "mended")
	for _, m := range p.machines() {
		script := fmt.Sprintf("[ -e %s ] || { echo no licence; exit 9; }; exec %s 100000", flag, m.program())
		m.configure(sleeperConfig(m, dsn) + fmt.Sprintf("  node { command = %q, restart { attempts = 1, backoff = 10 }, failover.budget = 2 }\n", script))
		m.start()
	}
	for _, m := range p.machines() {
		m.awaitState(settleLimit, "to give up", func(s state) bool {
			return s.State == "failed" && len(s.Reasons) == 1 && strings.Contains(s.Reasons[0], "no licence") && strings.Contains(s.Reasons[0], "hotcold resume")
		})
	}
	if got := p.a.run("status"); got.code != 8 || !strings.Contains(got.stdout, "no licence") {
		t.Errorf("status ends with %d and says:\n%s", got.code, got.stdout)
	}
	if err := os.WriteFile(flag, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := p.b.run("resume"); got.code != 0 {
		t.Errorf("resume ends with %d: %s", got.code, got.stderr)
	}
	p.settle()
}

// Hands off means: the node goes on, and if it ends, nobody starts one.
func TestAPausedPairIsLeftAlone(t *testing.T) {
	p := sleeperPair(t, database(t))
	p.startBoth()
	if got := p.b.run("pause"); got.code != 0 || !strings.Contains(got.stdout, "hotcold resume") {
		t.Fatalf("pause ends with %d and says %s%s", got.code, got.stdout, got.stderr)
	}
	p.stays(p.a)
	signal(t, p.o.living()[0].pid, syscall.SIGKILL)
	p.a.awaitState(settleLimit, "to say that it is paused", func(s state) bool {
		return s.State == "paused" && len(s.Reasons) > 0 && strings.Contains(s.Reasons[0], "the node ended meanwhile")
	})
	pause(t, 6*time.Second) // waitInterval is 2.5 s
	if lives := p.o.seen(); len(lives) != 1 {
		t.Errorf("a node was started in a pause: %v", lives)
	}
	if got := p.b.run("resume"); got.code != 0 {
		t.Fatalf("resume ends with %d: %s", got.code, got.stderr)
	}
	p.settle()
}

// SIGTERM may come at any moment of an agent's start. It is what was asked for,
// and no failure.
func TestAnAgentThatIsToldToEndWhileItStartsEndsWell(t *testing.T) {
	p := sleeperPair(t, database(t))
	const killed = -1 // so early that the program has not asked for signals yet
	for wait := time.Duration(0); wait < 100*time.Millisecond; wait += 10 * time.Millisecond {
		p.a.start()
		pause(t, wait)
		p.a.send(syscall.SIGTERM)
		if code := p.a.wait(endLimit); code != 0 && code != killed {
			t.Errorf("exit code %d, %v after the start", code, wait)
		}
	}
}

func TestSecondSignalKillsTheNode(t *testing.T) {
	p := sleeperPair(t, database(t))
	// A node that does not end when it is told to.
	stubborn := strings.ReplaceAll(sleeperConfig(p.a, p.dsn(p.a)), fmt.Sprintf("[%q, \"100000\"]", p.a.program()),
		fmt.Sprintf("[\"/bin/sh\", \"-c\", \"trap '' TERM; exec %s 100000\"]", p.a.program()))
	p.a.configure(stubborn)
	p.a.start()
	p.a.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	p.a.send(syscall.SIGTERM)
	p.a.awaitState(settleLimit, "to stop its node", func(s state) bool { return s.State == "stopping" })
	p.a.send(syscall.SIGTERM)
	at := now()
	if code := p.a.wait(endLimit); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if took := now() - at; took > 20*time.Second {
		t.Errorf("it took %v, as if the node had been waited for", took)
	}
}
