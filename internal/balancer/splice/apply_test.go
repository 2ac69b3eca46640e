package splice_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/balancer/splice"
)

func TestARuleThatStaysKeepsItsConnectionsAndCounters(t *testing.T) {
	r, nodes := hot(t)
	client, node := r.join(nodes)
	r.apply(func(s *balancer.Setup) { s.Rules[0].MaxConnections = 2 })
	say(t, client, node, "as before")
	r.join(nodes)
	wantEnd(t, r.dial(), "FIN") // the new bound holds
	if f := r.flows(); f.Accepted != 2 || f.Limited != 1 {
		t.Errorf("%+v", f)
	}
}

func TestARuleMayMoveToAnotherFrontend(t *testing.T) {
	r, nodes := hot(t)
	client, node := r.join(nodes)
	was := r.port
	r.port = int(r.second().Frontend.Port())
	r.apply()
	say(t, client, node, "as before")
	r.join(nodes)
	if c, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", was)); err == nil {
		_ = c.Close()
		t.Error("the former frontend is still open")
	}
}

func TestConnectionsOfARuleThatIsGoneEndAsTheSetupSays(t *testing.T) {
	for _, test := range []struct {
		name string
		old  balancer.Old
	}{
		{"cut", balancer.Old{}},
		{"drain", balancer.Old{Drain: time.Minute}},
		{"keep", balancer.Old{Keep: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, nodes := hot(t)
			client, node := r.join(nodes)
			r.apply(func(s *balancer.Setup) { s.Rules, s.Old = nil, test.old })
			if c, err := net.Dial("tcp", r.frontend()); err == nil {
				_ = c.Close()
				t.Error("the frontend is still open")
			}
			if test.name == "cut" {
				wantEnd(t, client, "RST")
				return
			}
			say(t, client, node, "a while longer")
			r.clock.Advance(time.Minute)
			if test.name == "drain" {
				wantEnd(t, client, "RST")
				return
			}
			say(t, client, node, "and longer")
			// What is kept of a rule that is gone is still watched.
			r.steer(machineB(2), balancer.Old{})
			wantEnd(t, client, "RST")
			if n := len(r.told()); n != 1 {
				t.Errorf("%d cuts were told of", n)
			}
		})
	}
}

func TestClientsThatWaitForARuleThatIsGoneAreTurnedAway(t *testing.T) {
	r := start(t, splice.Options{})
	r.apply()
	client := r.dial()
	r.until("it is parked", func() bool { return r.path.Flows().Parked == 1 })
	r.apply(func(s *balancer.Setup) { s.Rules = nil })
	wantEnd(t, client, "FIN")
}

func TestARuleThatChangesItsGroupIsAnotherRule(t *testing.T) {
	r, nodes := hot(t)
	client, _ := r.join(nodes)
	r.apply(func(s *balancer.Setup) { s.Rules[0].Group = "web" })
	wantEnd(t, client, "RST")
	parked := r.dial()
	r.until("nobody is hot in that group", func() bool { return r.path.Flows().Parked == 1 })
	r.steer(balancer.Target{Group: "web", Machine: "a", Address: addressA, Epoch: 1}, balancer.Old{})
	say(t, parked, r.take(nodes), "now")
}

func TestAllRulesAreAppliedOrNone(t *testing.T) {
	r, nodes := hot(t)
	client, node := r.join(nodes)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	good, bad := r.second(), r.second()
	bad.Name, bad.Frontend = "bad", taken.Addr().(*net.TCPAddr).AddrPort()
	files := openFiles(t)
	setup := r.setup(func(s *balancer.Setup) { s.Rules = []balancer.Rule{good, bad} })
	err = r.path.Apply(t.Context(), setup)
	if err == nil || !strings.Contains(err.Error(), `apply the rules: rule "bad": listen at`) {
		t.Fatalf("got %v", err)
	}
	if n := openFiles(t); n != files {
		t.Errorf("%d files are open, %d were", n, files)
	}
	say(t, client, node, "as before")
	r.join(nodes)
	if f := r.path.Flows().Rules; len(f) != 1 {
		t.Errorf("%+v", f)
	}
}

func TestASetupIsRefusedWithAllItsFaults(t *testing.T) {
	r := start(t, splice.Options{})
	good := r.setup().Rules[0]
	err := r.path.Apply(t.Context(), balancer.Setup{Rules: []balancer.Rule{good, good, {Name: "x", ProxyOut: 3}}, Park: true})
	for _, want := range []string{
		`rule "p2p": there are two of that name`, `rule "p2p": another rule has the frontend`,
		`rule "x": frontend invalid AddrPort and back-end port 0`, "no PROXY protocol of version 3", "park at most 0 clients for 0s",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

func TestParkingMayBeTurnedOff(t *testing.T) {
	r := start(t, splice.Options{})
	r.apply()
	client := r.dial()
	r.until("it is parked", func() bool { return r.path.Flows().Parked == 1 })
	r.apply(func(s *balancer.Setup) { s.Park = false })
	wantEnd(t, client, "FIN")
}

// The goal: an upgrade loses nobody. The method: clients come all the time while one path hands its listeners to the next
// and retires; each gets a machine, and those of the first keep theirs.
func TestListenersAreHandedOverWithoutLosingAnybody(t *testing.T) {
	first, nodes := hot(t)
	client, node := first.join(nodes)
	files, err := first.path.Files(t.Context())
	if err != nil || len(files) != 1 || files[0].Name() != "p2p" {
		t.Fatalf("%v, %v", files, err)
	}
	// What another process would do with them.
	fd := int(files[0].Fd())
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
	if errno != 0 || flags&syscall.O_NONBLOCK == 0 {
		t.Fatal("handing a listener over made it block, for us too")
	}
	next := start(t, splice.Options{Listeners: files})
	next.port, next.back = first.port, first.back
	next.apply()
	next.steer(machineA(1), balancer.Old{})
	for range 50 {
		first.join(nodes) // by whichever of the two is faster
	}
	if err := first.path.Retire(t.Context()); err != nil {
		t.Fatal(err)
	}
	served := first.flows().Accepted
	for range 50 {
		next.join(nodes)
	}
	if first.flows().Accepted != served {
		t.Error("the first let somebody in after it retired")
	}
	say(t, client, node, "as before")
	first.steer(machineB(2), balancer.Old{})
	wantEnd(t, client, "RST")
}

func TestInheritedListenersServeTheRuleOfTheirNameOrAddress(t *testing.T) {
	for _, name := range []string{"p2p", "whatever"} {
		t.Run(name, func(t *testing.T) {
			l, port := handedOver(t, name)
			unwanted, elsewhere := handedOver(t, "unwanted")
			r := start(t, splice.Options{Listeners: []*os.File{l, unwanted}})
			r.port = port
			nodes := r.listen(addressA)
			early := r.dial() // before anything was applied: it waits in the kernel's queue
			r.apply()
			r.steer(machineA(1), balancer.Old{})
			say(t, early, r.take(nodes), "inherited")
			if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", elsewhere)); err == nil {
				_ = c.Close()
				t.Error("a listener that no rule wants is still open")
			}
		})
	}
}

func TestWhatIsNoListenerIsNotInherited(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := start(t, splice.Options{})
	_, err = splice.New(splice.Options{Clock: r.clock, Log: quiet(), Listeners: []*os.File{f}})
	if err == nil || !strings.Contains(err.Error(), `inherit listener "/dev/null"`) {
		t.Errorf("got %v", err)
	}
}

func TestAPathThatHasEndedSaysSo(t *testing.T) {
	r, nodes := hot(t)
	client, node := r.join(nodes)
	r.stop()
	wantEnd(t, client, "FIN")
	wantEnd(t, node, "FIN")
	for what, err := range map[string]error{
		"apply": r.path.Apply(t.Context(), r.setup()),
		"steer": r.path.Steer(t.Context(), machineA(3), balancer.Old{}),
		"run":   r.path.Run(t.Context()),
	} {
		if err == nil {
			t.Errorf("%s after the end is no error", what)
		}
	}
	if c, err := net.Dial("tcp", r.frontend()); err == nil {
		_ = c.Close()
		t.Error("the frontend is still open")
	}
}

func TestAPathMayBeSetUpBeforeItRuns(t *testing.T) {
	r := &rig{t: t}
	r.port, r.back = int(r.second().Frontend.Port()), int(r.second().Frontend.Port())
	nodes := r.listen(addressA)
	p, err := splice.New(splice.Options{Clock: systemClock(), Log: quiet(), Limits: splice.Limits{Loops: 2}})
	if err != nil {
		t.Fatal(err)
	}
	r.path = p
	r.apply()
	r.steer(machineA(1), balancer.Old{})
	client := r.dial()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	say(t, client, r.take(nodes), "served")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
