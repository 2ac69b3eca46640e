package pathtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver/yard"
)

const (
	// cutLimit is the promise: how soon an old connection is cut.
	cutLimit = time.Second
	// moment is how long something is watched that must not happen.
	moment = 300 * time.Millisecond
	// frontPort and backPort are the first of the rules' ports; the next rule has the next.
	frontPort, backPort = 6002, 7002
	// parkLimit and parkTime are far above what a check needs that is not about them.
	parkLimit, parkTime = 1024, 45 * time.Second
)

// stage is one check's yard, with a path that runs and machines that greet and echo.
type stage struct {
	*testing.T
	yard *yard.Yard
	fix  Fixture
	path balancer.Path
	a, b *machine

	over   chan error // the end of Run
	cancel context.CancelFunc

	mu    sync.Mutex
	conns []net.Conn // the clients', closed at the end
}

// tally is what the process has.
type tally struct{ goroutines, files int }

func count(t testing.TB) tally {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return tally{runtime.NumGoroutine(), len(files)}
}

// begin runs the path with the three rules of a service, and greeters behind each.
func begin(t *testing.T, y *yard.Yard, f Fixture) *stage {
	t.Helper()
	s := &stage{T: t, yard: y, fix: f, path: f.Path, over: make(chan error, 1)}
	before := count(t)
	s.a, s.b = &machine{name: "a", place: y.A}, &machine{name: "b", place: y.B}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() { s.over <- s.path.Run(ctx) }()
	t.Cleanup(func() {
		s.mu.Lock()
		conns := s.conns
		s.mu.Unlock()
		for _, c := range conns {
			_ = c.Close()
		}
		s.end()
		s.a.close()
		s.b.close()
		s.nothingLeft(before)
	})
	for _, m := range []*machine{s.a, s.b} {
		for i := range uint16(3) {
			s.serve(m, backPort+i, echo)
		}
	}
	s.apply(s.setup())
	return s
}

// end ends Run and waits for it; it may be called twice.
func (s *stage) end() {
	s.Helper()
	s.cancel()
	select {
	case err := <-s.over:
		if err != nil && !errors.Is(err, context.Canceled) {
			s.Errorf("Run ended with: %v", err)
		}
		s.over <- nil // for whoever asks next
	case <-s.limit().Done():
		s.Fatalf("Run is not over %v after its context was\n%s", s.fix.patience(), stacks())
	}
}

// nothingLeft waits until the process has what it had before.
func (s *stage) nothingLeft(before tally) {
	s.Helper()
	if s.fix.Left != nil {
		s.eventually("what the path made is gone", func() error {
			left, err := s.fix.Left()
			if err == nil && len(left) > 0 {
				err = fmt.Errorf("left: %s", strings.Join(left, "; "))
			}
			return err
		})
	}
	s.eventually("goroutines and descriptors are as before", func() error {
		now := count(s)
		if now.goroutines > before.goroutines || now.files > before.files {
			return fmt.Errorf("%d goroutines and %d descriptors, before %d and %d\n%s",
				now.goroutines, now.files, before.goroutines, before.files, stacks())
		}
		return nil
	})
}

func stacks() string {
	text := make([]byte, 1<<16)
	return string(text[:runtime.Stack(text, true)])
}

// limit is a context for one wait.
func (s *stage) limit() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), s.fix.patience())
	s.Cleanup(cancel)
	return ctx
}

// eventually looks again and again until f has nothing to say.
func (s *stage) eventually(what string, f func() error) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), s.fix.patience())
	defer cancel()
	for {
		err := f()
		if err == nil {
			return
		}
		if clock.Wait(ctx, clock.System(), 2*time.Millisecond) != nil {
			s.Fatalf("%s: not after %v: %v", what, s.fix.patience(), err)
		}
	}
}

// pause lets d pass, for what must not happen meanwhile.
func pause(d time.Duration) { _ = clock.Wait(context.Background(), clock.System(), d) }

func elapsed() time.Duration { return clock.System().Now().Boot }

// rule is the rule number i of the service: 0 is p2p, 1 rpc, 2 web.
func (s *stage) rule(i uint16) balancer.Rule {
	return balancer.Rule{
		Name:        []string{"p2p", "rpc", "web", "more", "other"}[i],
		Frontend:    netip.AddrPortFrom(s.yard.Balancer.Address(0), frontPort+i),
		BackendPort: backPort + i,
	}
}

func (s *stage) setup(change ...func(*balancer.Setup)) balancer.Setup {
	setup := balancer.Setup{
		Rules: []balancer.Rule{s.rule(0), s.rule(1), s.rule(2)},
		Park:  s.fix.Lacks[Parking] == "", ParkLimit: parkLimit, ParkTime: parkTime,
	}
	for _, f := range change {
		f(&setup)
	}
	return setup
}

func (s *stage) apply(setup balancer.Setup) {
	s.Helper()
	if err := s.path.Apply(s.limit(), setup); err != nil {
		s.Fatalf("apply %d rules: %v", len(setup.Rules), err)
	}
}

// only applies the first rule alone, changed.
func (s *stage) only(change func(*balancer.Rule)) balancer.Rule {
	s.Helper()
	r := s.rule(0)
	change(&r)
	s.apply(s.setup(func(setup *balancer.Setup) { setup.Rules = []balancer.Rule{r} }))
	return r
}

// target is who is hot in an epoch: A in the odd ones and B in the even ones, with an address for each of eight.
func (s *stage) target(epoch uint64) balancer.Target {
	m := s.holder(epoch)
	return balancer.Target{Machine: m.name, Address: m.place.Address(int(epoch / 2 % yard.Addresses)), Epoch: epoch}
}

func (s *stage) holder(epoch uint64) *machine {
	if epoch%2 == 1 {
		return s.a
	}
	return s.b
}

func (s *stage) steer(epoch uint64) { s.Helper(); s.steerTo(s.target(epoch), balancer.Old{}) }

func (s *stage) steerTo(t balancer.Target, old balancer.Old) {
	s.Helper()
	if err := s.path.Steer(s.limit(), t, old); err != nil {
		s.Fatalf("steer to %q, epoch %d: %v", t.Machine, t.Epoch, err)
	}
}

func (s *stage) nobody() { s.Helper(); s.steerTo(balancer.Target{}, balancer.Old{}) }

// awaitFlows waits until what is counted for a rule is as it has to be.
func (s *stage) awaitFlows(rule, what string, holds func(balancer.RuleFlows) bool) {
	s.Helper()
	s.eventually(what, func() error {
		all := s.path.Flows().Rules
		for _, f := range all {
			if f.Rule == rule && holds(f) {
				return nil
			}
		}
		return fmt.Errorf("%+v", all)
	})
}

// client is one connection through the path.
type client struct {
	*net.TCPConn
	in *bufio.Reader
	// greeting is the address of the machine that was reached.
	greeting string
}

func newClient(c *net.TCPConn) *client { return &client{TCPConn: c, in: bufio.NewReader(c)} }

// connect dials a rule from the client's address number i.
func (s *stage) connect(r balancer.Rule, i int, limit time.Duration) (*client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c, err := s.yard.Client.Dial(ctx, i, r.Frontend)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	return newClient(c), nil
}

// hail connects and reads the greeting.
func (s *stage) hail(r balancer.Rule, i int, limit time.Duration) (*client, error) {
	c, err := s.connect(r, i, limit)
	if err != nil {
		return nil, err
	}
	return c, c.greet(limit)
}

// greet reads the greeting, which nobody but a machine sends.
func (c *client) greet(limit time.Duration) error {
	if err := c.SetReadDeadline(deadline(limit)); err != nil {
		return err
	}
	line, err := c.in.ReadString('\n')
	c.greeting = strings.TrimSuffix(line, "\n")
	if err != nil {
		return fmt.Errorf("read a greeting, got %q: %w", line, err)
	}
	return c.SetReadDeadline(time.Time{})
}

// visit is hail that has to be answered in an epoch.
func (s *stage) visit(r balancer.Rule, epoch uint64) *client {
	s.Helper()
	c, err := s.hail(r, 0, s.fix.patience())
	if err != nil {
		s.Fatalf("rule %s in epoch %d: %v", r.Name, epoch, err)
	}
	if want := s.target(epoch).Address.String(); c.greeting != want {
		s.Fatalf("rule %s in epoch %d: reached %s, want %s", r.Name, epoch, c.greeting, want)
	}
	return c
}

// deadline is a time for connections' deadlines.
func deadline(limit time.Duration) time.Time { return clock.System().Now().Wall.Add(limit) }

// ask sends a line and expects it back.
func (c *client) ask(limit time.Duration, text string) error {
	if err := c.SetDeadline(deadline(limit)); err != nil {
		return err
	}
	if _, err := c.Write([]byte(text + "\n")); err != nil {
		return fmt.Errorf("send %q: %w", text, err)
	}
	line, err := c.in.ReadString('\n')
	if err != nil || line != text+"\n" {
		return fmt.Errorf("sent %q, got %q back: %w", text, line, err)
	}
	return c.SetDeadline(time.Time{})
}

func (s *stage) mustAsk(c *client, text string) {
	s.Helper()
	if err := c.ask(s.fix.patience(), text); err != nil {
		s.Fatalf("connection to %s: %v", c.greeting, err)
	}
}

// errAlive says that a connection was still there.
var errAlive = errors.New("the connection is alive")

// finish reads until the connection ends and returns how it did: nil for an orderly end.
func (c *client) finish(limit time.Duration) error {
	if err := c.SetReadDeadline(deadline(limit)); err != nil {
		return err
	}
	for {
		_, err := c.in.ReadByte()
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			return errAlive
		case err.Error() == "EOF":
			return nil
		default:
			return err
		}
	}
}

// unserved tells that a client got no service: it could not connect, or was shown out without one byte.
func (s *stage) unserved(r balancer.Rule, i int, limit time.Duration) error {
	c, err := s.hail(r, i, limit)
	if c != nil {
		defer func() { _ = c.Close() }()
	}
	switch {
	case err == nil:
		return fmt.Errorf("rule %s: reached %s", r.Name, c.greeting)
	case c != nil && c.greeting != "":
		return fmt.Errorf("rule %s: was sent %q", r.Name, c.greeting)
	}
	return nil
}
