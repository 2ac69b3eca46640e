package kernel

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/clock"
)

// roleVictim is a balancer that runs in a process of its own, so that it can be killed or have fewer rights.
const roleVictim = "victim"

// victim sends rule4 to the first machine in epoch 1, says "ready" and goes on until its input ends.
func victim() int {
	err := func() error {
		if err := Available(); err != nil {
			return err
		}
		p, err := New(Options{Service: "test", Masquerade: true, Clock: clock.System(), Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		if err := errors.Join(p.Apply(ctx, setup(rule4())), p.Steer(ctx, to4(0, 1), balancer.Old{})); err != nil {
			return err
		}
		commands := bufio.NewScanner(os.Stdin)
		fmt.Println("ready")
		for commands.Scan() {
			if err := p.Steer(ctx, to4(1, 2), balancer.Old{}); err != nil {
				return err
			}
			fmt.Println("steered")
		}
		cancel()
		return <-ended
	}()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// process is a victim that runs.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Reader
}

// startVictim runs one; with keep it has no other right than that one.
func startVictim(t testing.TB, keep ...int) *process {
	t.Helper()
	v := &process{t: t, cmd: exec.Command("/proc/self/exe")}
	v.cmd.Env = append(os.Environ(), roleVariable+"="+roleVictim)
	v.cmd.Stderr = t.Output()
	var out io.Reader
	var err error
	if v.in, err = v.cmd.StdinPipe(); err == nil {
		out, err = v.cmd.StdoutPipe()
	}
	if err != nil {
		t.Fatal(err)
	}
	v.lines = bufio.NewReader(out)
	if len(keep) == 0 {
		err = v.cmd.Start()
	} else {
		err = startWith(v.cmd, keep[0])
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.kill)
	if got := v.line(); got != "ready" {
		t.Fatalf("the balancer in a process of its own said %q", got)
	}
	return v
}

// startWith starts a command that can have one right only: the bounding set of the thread that starts it has no other.
func startWith(cmd *exec.Cmd, right int) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread is of no more use
		for r := 0; r <= unix.CAP_LAST_CAP; r++ {
			if r == right {
				continue
			}
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(r), 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
				started <- err
				return
			}
		}
		started <- cmd.Start()
	}()
	return <-started
}

func (v *process) line() string {
	line, _ := v.lines.ReadString('\n')
	return strings.TrimSpace(line)
}

func (v *process) kill() {
	_ = v.cmd.Process.Kill()
	_ = v.cmd.Wait()
}

// tables are the names of all tables, in all families.
func tables(t testing.TB) string {
	t.Helper()
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.ListTables()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, table := range all {
		names = append(names, table.Name)
	}
	return strings.Join(names, " ")
}

// foreign makes a table of somebody else's, with address translation in it so that the kernel goes on translating for
// connections that are there, whoever made them.
func foreign(t testing.TB) {
	t.Helper()
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	table := c.AddTable(&nftables.Table{Name: "foreign", Family: nftables.TableFamilyIPv4})
	chain := c.AddChain(&nftables.Chain{Name: "nat", Table: table, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource})
	c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: join(network(16, 4, reg0), equal(reg0, []byte{192, 0, 2, 1}), &expr.Masq{})})
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.DelTable(table)
		_ = c.Flush()
	})
}

func TestAKilledBalancerLeavesNothingInTheKernel(t *testing.T) {
	y := newYard(t)
	y.pair()
	foreign(t)
	v := startVictim(t)
	y.client.reach(front4)
	if got := tables(t); got != "foreign hotcold-test" {
		t.Fatalf("tables %q while the balancer runs", got)
	}
	v.kill()
	if got := tables(t); got != "foreign" {
		t.Errorf("tables %q after SIGKILL, want the foreign one alone", got)
	}
}

func TestABalancerThatEndsResetsItsConnectionsAndLeavesNothing(t *testing.T) {
	y := newYard(t)
	alpha := y.pair()[0]
	foreign(t)
	p := y.path(false)
	p.apply(setup(rule4()))
	p.steer(to4(0, 1), balancer.Old{})
	c, _ := y.client.reach(front4)
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	c.wasReset(t)
	if err := alpha.wantEnd(t); err == nil {
		t.Error("the machine was told of an orderly end, want a reset")
	}
	if got := tables(t); got != "foreign" {
		t.Errorf("tables %q, want the foreign one alone", got)
	}
	if flows, err := dump(p.marks); err != nil || len(flows) > 0 {
		t.Errorf("connections %v (%v) were left", flows, err)
	}
	if err := p.Apply(context.Background(), setup(rule4())); !errors.Is(err, errEnded) {
		t.Errorf("apply after the end: %v", err)
	}
}

func TestASecondBalancerOfTheServiceIsRefused(t *testing.T) {
	y := newYard(t)
	y.pair()
	startVictim(t)
	p := y.path(false)
	if err := p.Apply(context.Background(), setup(rule4())); err == nil || !strings.Contains(err.Error(), "another balancer of this service") {
		t.Errorf("the second balancer: %v", err)
	}
	if _, who := y.client.reach(front4); who != "alpha" {
		t.Errorf("%q answered, want alpha: the first balancer was disturbed", who)
	}
}

func TestATableOfOurNameWithoutAnOwnerIsReplaced(t *testing.T) {
	y := newYard(t)
	y.pair()
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	c.AddTable(&nftables.Table{Name: "hotcold-test", Family: nftables.TableFamilyINet})
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	p := y.path(false)
	p.apply(setup(rule4()))
	p.steer(to4(0, 1), balancer.Old{})
	if _, who := y.client.reach(front4); who != "alpha" {
		t.Errorf("%q answered, want alpha", who)
	}
}

func TestConnectionsOfAKilledBalancerAreFoundByTheNext(t *testing.T) {
	y := newYard(t)
	y.pair()
	foreign(t)
	v := startVictim(t)
	c, _ := y.client.reach(front4)
	v.kill()
	c.echo(t) // the foreign table has the kernel go on
	p := y.path(true)
	p.apply(setup(rule4()))
	c.echo(t)
	p.steer(to4(0, 1), balancer.Old{})
	c.echo(t)
	p.steer(to4(1, 2), balancer.Old{})
	c.wasReset(t)
	if cut := p.wantCuts(1)[0]; cut.Was != to4(0, 1) {
		t.Errorf("reported %+v", cut)
	}
}

// The client's reset finds nobody who translates it, so that its machine does not hear of it.
func TestAClientThatLeftWhileNoBalancerRanIsOverForItsMachine(t *testing.T) {
	y := newYard(t)
	alpha := y.pair()[0]
	v := startVictim(t)
	left, _ := y.client.reach(front4)
	stays, _ := y.client.reach(front4)
	stays.quiet(t)
	v.kill()
	if err := left.Conn.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = left.Close()
	p := y.path(true)
	p.apply(setup(rule4()))
	p.steer(to4(0, 1), balancer.Old{})
	if err := alpha.wantEnd(t); err == nil {
		t.Error("the machine was told of an orderly end, want a reset")
	}
	stays.echo(t)
	p.until("one is open", func(f balancer.Flows) bool { return f.Rules[0].Open == 1 }) // what is listed may be of a moment ago
	all, err := p.Connections(t.Context(), 10)
	if err != nil || all.Total() != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	if c := all.First()[0]; c.Client != addrPort(stays.LocalAddr()) || c.State != "open" || c.Target != to4(0, 1) || c.Old {
		t.Errorf("listed %+v", c)
	}
}

func addrPort(a net.Addr) netip.AddrPort { return a.(*net.TCPAddr).AddrPort() }

func TestTheRightToAdministerTheNetworkIsEnough(t *testing.T) {
	y := newYard(t)
	y.pair()
	v := startVictim(t, unix.CAP_NET_ADMIN)
	c, who := y.client.reach(front4)
	if who != "alpha" {
		t.Fatalf("%q answered, want alpha", who)
	}
	if _, err := io.WriteString(v.in, "steer\n"); err != nil {
		t.Fatal(err)
	}
	if got := v.line(); got != "steered" {
		t.Fatalf("the balancer said %q", got)
	}
	c.quiet(t)
	c.wasReset(t)
	if _, who := y.client.reach(front4); who != "beta" {
		t.Fatalf("%q answered, want beta", who)
	}
}
