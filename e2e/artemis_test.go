package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/testserver"
)

// readyLimit is how long a broker may take from its start until the agent calls
// it hot.
const readyLimit = 90 * time.Second

// artemisPair is a pair whose node is the real broker: two instances with one
// journal, and a lease in a PostgreSQL of the pair's own.
type artemisPair struct {
	*pair
	db      *testserver.PostgresServer
	brokers map[*machine]*testserver.ArtemisInstance
	// front is the pair's one address, through which all mail is sent.
	front *front
	mail  *mail
}

// brokerOwner knows a broker by the instance in its command line.
func brokerOwner(root string, argv []string) string {
	for _, arg := range argv {
		if name, ok := strings.CutPrefix(arg, "-Dartemis.instance="+root+"/"); ok {
			return name
		}
	}
	return ""
}

// newArtemisPair makes the machines, a balancer before them, and a client that
// sends to its address all the time. It starts no agent.
func newArtemisPair(t *testing.T, more string) *artemisPair {
	t.Helper()
	home := testserver.Artemis(t)
	p := &artemisPair{db: testserver.Postgres(t), pair: newPair(t, brokerOwner), brokers: map[*machine]*testserver.ArtemisInstance{}}
	share := filepath.Join(p.root, "share")
	port := testserver.FreePort(t)
	for i, m := range p.machines() {
		broker := home.CreateInstance(t, m.dir, testserver.InstanceOptions{Host: machineAddress(i), AMQPPort: port, Data: filepath.Join(share, "data")})
		p.brokers[m] = broker
		m.configure(artemisConfig(broker, p.db.DSN(), share) + more)
	}
	p.front = startBalancer(t, p.pair, "orders broker", port)
	p.mail = startMail(t, p.front.addr)
	return p
}

// artemisConfig is as an operator would write it, but for the command: a test's
// broker has no bin/artemis.
func artemisConfig(broker *testserver.ArtemisInstance, dsn, share string) string {
	argv, _, env := broker.Command()
	var text strings.Builder
	fmt.Fprintf(&text, "  name = \"orders broker\"\n  preset = artemis\n  database.url = %q\n  drive.path = %q\n", dsn, share)
	text.WriteString("  mutualExclusion { updateInterval = 400, waitInterval = 2000 }\n  node.env {\n")
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		fmt.Fprintf(&text, "    %s = %q\n", name, value)
	}
	text.WriteString("  }\n  node.command = [\n")
	for _, arg := range argv {
		fmt.Fprintf(&text, "    %q\n", arg)
	}
	text.WriteString("  ]\n")
	return text.String()
}

// rounds is how often each harm is done.
func rounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("HOTCOLD_E2E_ROUNDS")
	if text == "" {
		return 2
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("HOTCOLD_E2E_ROUNDS is %q, want a number of at least 1", text)
	}
	return n
}

// Goal: whatever is done to the hot machine, the other one has its broker running
// within the bound that status printed, no message that was acknowledged is lost,
// and no two brokers are alive at one instant (the pair's observer sees to that).
//
// Method: one pair over a real broker, a real journal and a real database, a
// client that sends all the time, and harm after harm, each to the machine that
// is hot at that moment.
func TestArtemisLosesNothingAndNeverRunsTwice(t *testing.T) {
	// Every crash of the broker is to be a takeover, and never one too many.
	p := newArtemisPair(t, "  node { restart.attempts = 0, failover.budget = 1000 }\n")
	p.a.start()
	p.b.start()
	for _, harm := range []struct {
		name string
		do   func(p *artemisPair, hot *machine, said overview)
	}{
		{"broker killed", (*artemisPair).brokerKilled},
		{"agent killed", (*artemisPair).agentKilled},
		{"machine dead", (*artemisPair).machineDead},
		{"agent stopped", (*artemisPair).agentStopped},
		{"database stopped", (*artemisPair).databaseStopped},
		{"switchover", (*artemisPair).switchover},
	} {
		for round := range rounds(t) {
			ok := t.Run(fmt.Sprintf("%s/%d", harm.name, round+1), func(t *testing.T) {
				p.in(t, func(p *artemisPair) {
					hot, said := p.settle()
					p.mail.awaitMore(t, 20)
					harm.do(p, hot, said)
				})
			})
			if !ok {
				t.FailNow() // the pair is not what the next round expects
			}
		}
	}
}

// A broker that crashes is started again where it was, under the same epoch, as
// long as the setting allows; then the other machine gets its chance.
func TestArtemisIsRestartedInPlaceAndThenHandedOver(t *testing.T) {
	p := newArtemisPair(t, "  node.restart { attempts = 1, backoff = 100 }\n")
	p.a.start()
	p.serves(p.a)
	p.b.start()
	p.settle()
	p.mail.awaitMore(t, 20)
	before, err := p.a.state()
	if err != nil {
		t.Fatal(err)
	}
	at := now()
	signal(t, p.broker(p.a).pid, syscall.SIGKILL)
	p.o.awaitStart(t, p.a.name, at, settleLimit)
	after := p.a.awaitState(readyLimit, "to be hot again", func(s state) bool { return s.Hot && s.Node.Restarts == 1 })
	if after.Epoch != before.Epoch {
		t.Errorf("the epoch went from %d to %d", before.Epoch, after.Epoch)
	}
	p.mail.drain(t, p.brokers[p.a].Addr())

	_, said := p.settle()
	at = now()
	signal(t, p.broker(p.a).pid, syscall.SIGKILL)
	p.tookOver(p.b, at, said.bound())
}

// The observer is worth something only if it sees two brokers that do run at once.
func TestObserverSeesTwoBrokersAtOnce(t *testing.T) {
	home, root := testserver.Artemis(t), testserver.Dir(t)
	o := watchNodes(t, func(argv []string) string { return brokerOwner(root, argv) })
	for _, name := range []string{"machine-a", "machine-b"} {
		broker := home.CreateInstance(t, filepath.Join(root, name), testserver.InstanceOptions{AMQPPort: testserver.FreePort(t)})
		argv, dir, env := broker.Command()
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir, cmd.Env = dir, env
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			signal(t, cmd.Process.Pid, syscall.SIGKILL)
			_ = cmd.Wait() // killed
		}()
		o.awaitStart(t, name, 0, settleLimit)
	}
	until(t, settleLimit, "an overlap", func() (bool, string) { return len(o.overlaps()) == 1, "none" })
}

// in lets f use the pair in a subtest.
func (p *artemisPair) in(t *testing.T, f func(p *artemisPair)) {
	outer := p.t
	set := func(t testing.TB) {
		p.t, p.a.t, p.b.t = t, t, t
	}
	set(t)
	defer set(outer)
	f(p)
	if overlaps := p.o.overlaps(); len(overlaps) > 0 {
		t.Errorf("two brokers at once:\n%s", strings.Join(overlaps, "\n"))
	}
}

// broker returns the broker that runs on a machine.
func (p *artemisPair) broker(m *machine) life {
	p.t.Helper()
	living := p.o.living()
	i := slices.IndexFunc(living, func(l life) bool { return l.owner == m.name })
	if i < 0 {
		p.t.Fatalf("no broker runs on %s: %v", m.name, living)
	}
	return living[i]
}

// tookOver checks a takeover: the broker of m was started within bound after the
// harm, serves, and gives out all that was acknowledged.
func (p *artemisPair) tookOver(m *machine, harmed, bound time.Duration) {
	p.t.Helper()
	l := p.o.awaitStart(p.t, m.name, harmed, bound+settleLimit)
	started := l.from - harmed
	if started > bound {
		p.t.Errorf("the broker of %s was started %v after the harm; status said %v at the worst", m.name, started, bound)
	}
	p.serves(m)
	p.mail.awaitMore(p.t, 1)
	p.t.Logf("started after %v of at most %v, hot after %v, mail is sent again", started.Round(time.Millisecond), bound.Round(time.Millisecond), (now() - harmed).Round(time.Millisecond))
	p.mail.drain(p.t, p.brokers[m].Addr())
}

// serves waits until m is hot.
func (p *artemisPair) serves(m *machine) {
	p.t.Helper()
	until(p.t, readyLimit, m.name+" to be hot", func() (bool, string) {
		s, err := m.state()
		return s.Hot, fmt.Sprintf("%+v %v", s, err)
	})
}

func (p *artemisPair) brokerKilled(hot *machine, said overview) {
	at := now()
	signal(p.t, p.broker(hot).pid, syscall.SIGKILL)
	p.tookOver(p.other(hot), at, said.bound())
}

// The guard ends the broker of a killed agent.
func (p *artemisPair) agentKilled(hot *machine, said overview) {
	old := p.broker(hot)
	at := hot.send(syscall.SIGKILL)
	hot.wait(deathLimit)
	p.tookOver(p.other(hot), at, said.bound())
	p.o.awaitDeath(p.t, old.pid, deathLimit)
	hot.start()
}

func (p *artemisPair) machineDead(hot *machine, said overview) {
	at := hot.crash()
	p.tookOver(p.other(hot), at, said.bound())
	hot.start()
}

// The guard ends the broker of an agent that hangs. When the agent goes on it
// finds that it has lost the lease, and stands by.
func (p *artemisPair) agentStopped(hot *machine, said overview) {
	old := p.broker(hot)
	at := hot.send(syscall.SIGSTOP)
	p.tookOver(p.other(hot), at, said.bound())
	p.o.awaitDeath(p.t, old.pid, deathLimit)
	hot.send(syscall.SIGCONT)
	hot.awaitState(settleLimit, "to stand by", func(s state) bool { return s.State == "cold" && s.Ready })
}

// Without the database no broker may run beyond the trust that is left; with it
// again, one does.
func (p *artemisPair) databaseStopped(hot *machine, said overview) {
	old := p.broker(hot)
	at := now()
	p.db.Stop(p.t)
	// From the last renewal that was answered, which was before the end of Stop.
	down := now()
	trust := time.Duration(said.Timing.TrustSeconds * float64(time.Second))
	l := p.o.awaitDeath(p.t, old.pid, trust+deathLimit)
	if l.alive > down+trust {
		p.t.Errorf("the broker lived %v after the database was gone, and its trust is %v", l.alive-down, trust)
	}
	p.t.Logf("the broker was dead %v after the stop began", (l.dead - at).Round(time.Millisecond))
	p.db.Start(p.t)
	back := now()
	next, err := p.o.await(p.t.Context(), said.bound()+settleLimit, func(l life) bool { return l.from > at && l.pid != old.pid })
	if err != nil {
		p.t.Fatal("no broker was started after the database came back")
	}
	p.t.Logf("the next broker was started %v after the database was back, on %s", (next.from - back).Round(time.Millisecond), next.owner)
	if next.from > back+said.bound() {
		p.t.Errorf("the next broker was started %v after the database was back; status said %v at the worst", next.from-back, said.bound())
	}
	now, _ := p.settle()
	p.mail.drain(p.t, p.brokers[now].Addr())
}

func (p *artemisPair) switchover(hot *machine, said overview) {
	old := p.broker(hot)
	at := now()
	// The command waits for the next broker, which starts as slowly as the machine is busy.
	got := p.a.runFor(readyLimit+commandLimit, "switchover", "--wait", readyLimit.String())
	if got.code != 0 {
		p.t.Fatalf("hotcold switchover ended with %d: %s%s", got.code, got.stdout, got.stderr)
	}
	p.t.Logf("hotcold switchover: %s", strings.TrimSpace(got.stdout))
	stopped := p.o.awaitDeath(p.t, old.pid, deathLimit)
	next := p.o.awaitStart(p.t, p.other(hot).name, at, deathLimit)
	p.t.Logf("from the old broker's end to the start of the next: %v", (next.from - stopped.alive).Round(time.Millisecond))
	if between := next.from - stopped.alive; between > said.bound() {
		p.t.Errorf("the next broker was started %v after the old one had ended; status said %v at the worst", between, said.bound())
	}
	p.serves(p.other(hot))
	p.mail.drain(p.t, p.brokers[p.other(hot)].Addr())
}
