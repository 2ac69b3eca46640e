package pathtest

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
)

// awaitParked waits until the path says that so many clients wait.
func (s *stage) awaitParked(n int) {
	s.Helper()
	s.eventually("clients wait", func() error {
		if got := s.path.Flows().Parked; got != n {
			return fmt.Errorf("%d are parked, want %d", got, n)
		}
		return nil
	})
}

// pending is a client that waits. Where the kernel parks, it does not know yet that anybody heard it.
type pending struct {
	s    *stage
	done chan struct{}
	c    *client
	err  error
}

// wait starts one client of a rule.
func (s *stage) wait(r balancer.Rule) *pending {
	p := &pending{s: s, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.c, p.err = s.connect(r, 0, s.fix.patience())
	}()
	s.Cleanup(func() { <-p.done })
	return p
}

// greet waits until the client is served.
func (p *pending) greet() error {
	if <-p.done; p.err != nil {
		return p.err
	}
	return p.c.greet(p.s.fix.patience())
}

// turnedAway waits until the client is shown out.
func (p *pending) turnedAway() error {
	if <-p.done; p.err != nil {
		return nil
	}
	if err := p.c.finish(p.s.fix.patience()); errors.Is(err, errAlive) {
		return err
	}
	return nil
}

// waiting starts n clients one after the other, each of which is seen to wait before the next comes.
func (s *stage) waiting(r balancer.Rule, n int) []*pending {
	s.Helper()
	already := s.path.Flows().Parked
	var all []*pending
	for i := range n {
		all = append(all, s.wait(r))
		s.awaitParked(already + i + 1)
	}
	return all
}

// parked does not look at who waits: where the kernel parks, the client does not even know that it was heard.
func parked(s *stage) {
	const n = 6
	results := make(chan error, n)
	var clients sync.WaitGroup
	for i := range n {
		clients.Go(func() {
			r := s.rule(uint16(i % 3))
			c, err := s.hail(r, 0, s.fix.patience())
			if err == nil && c.greeting != s.target(1).Address.String() {
				err = fmt.Errorf("reached %s", c.greeting)
			}
			if err == nil {
				err = c.ask(s.fix.patience(), "at last")
			}
			results <- err
		})
	}
	pause(moment)
	if len(results) > 0 {
		s.Errorf("a client did not wait: %v", <-results)
	}
	s.steer(1)
	clients.Wait()
	for range n {
		if err := <-results; err != nil {
			s.Error(err)
		}
	}
}

func parkedInOrder(s *stage) {
	const n = 20
	var mu sync.Mutex
	order := map[int64]string{} // who was the how-manieth to reach the machine
	s.serve(s.a, backPort, func(c *net.TCPConn) {
		buffer := make([]byte, 2)
		if _, err := c.Read(buffer); err == nil {
			mu.Lock()
			defer mu.Unlock()
			order[s.a.number(c)] = string(buffer)
		}
	})
	for i, p := range s.waiting(s.rule(0), n) {
		if <-p.done; p.err != nil {
			s.Fatal(p.err)
		}
		if _, err := fmt.Fprintf(p.c, "%02d", i+1); err != nil {
			s.Fatal(err)
		}
	}
	s.steer(1)
	s.eventually("all are served", func() error {
		mu.Lock()
		defer mu.Unlock()
		if len(order) < n {
			return fmt.Errorf("%d of %d", len(order), n)
		}
		return nil
	})
	for number, who := range order {
		if who != fmt.Sprintf("%02d", number) {
			s.Fatalf("client %s came %d, among %v", who, number, order)
		}
	}
}

func parkedTalkers(s *stage) {
	done := make(chan error, 1)
	r := s.rule(0)
	go func() {
		c, err := s.connect(r, 0, s.fix.patience())
		if err == nil {
			_, err = c.Write([]byte("said while nobody was hot\n"))
		}
		if err == nil {
			err = c.greet(s.fix.patience())
		}
		if err == nil {
			var line string
			if err = c.SetReadDeadline(deadline(s.fix.patience())); err == nil {
				line, err = c.in.ReadString('\n')
			}
			if err == nil && line != "said while nobody was hot\n" {
				err = fmt.Errorf("got %q back", line)
			}
		}
		done <- err
	}()
	pause(moment)
	s.steer(1)
	if err := <-done; err != nil {
		s.Error(err)
	}
}

func parkFull(s *stage) {
	const limit = 3
	s.apply(s.setup(func(setup *balancer.Setup) { setup.ParkLimit = limit }))
	all := s.waiting(s.rule(0), limit)
	for i := range 5 {
		if err := s.unservedNow(s.rule(uint16(i%3)), 0, s.fix.patience()); err != nil {
			s.Errorf("one more than the park holds: %v", err)
		}
	}
	s.eventually("it is counted", func() error {
		var over uint64
		for _, r := range s.path.Flows().Rules {
			over += r.Overflowed
		}
		if over != 5 {
			return fmt.Errorf("%d overflowed, want 5", over)
		}
		return nil
	})
	s.steer(1)
	for i, p := range all {
		if err := p.greet(); err != nil {
			s.Errorf("client %d, which waited: %v", i, err)
		}
	}
}

// unservedNow is unserved for a client that is turned away, and does not merely wait.
func (s *stage) unservedNow(r balancer.Rule, i int, limit time.Duration) error {
	c, err := s.connect(r, i, limit)
	if err != nil {
		return nil
	}
	defer func() { _ = c.Close() }()
	if err := c.finish(limit); errors.Is(err, errAlive) {
		return fmt.Errorf("rule %s: after %v the client is neither served nor turned away", r.Name, limit)
	}
	return nil
}

func parkExpires(s *stage) {
	const limit = 700 * time.Millisecond
	s.apply(s.setup(func(setup *balancer.Setup) { setup.ParkTime = limit }))
	began := elapsed()
	if err := s.wait(s.rule(0)).turnedAway(); err != nil {
		s.Fatalf("parked for %v, and after %v: %v", limit, elapsed()-began, err)
	}
	if took := elapsed() - began; took < limit-50*time.Millisecond {
		s.Errorf("turned away after %v, want %v", took, limit)
	}
	s.awaitParked(0)
	s.awaitFlows("p2p", "it is counted as expired", func(f balancer.RuleFlows) bool { return f.Expired == 1 })
}

func parkLeft(s *stage) {
	const limit = 2
	s.apply(s.setup(func(setup *balancer.Setup) { setup.ParkLimit = limit }))
	first := s.waiting(s.rule(0), limit)[0]
	if <-first.done; first.err != nil {
		s.Fatal(first.err)
	}
	_ = first.c.SetLinger(0)
	_ = first.c.Close()
	s.awaitParked(limit - 1)
	s.waiting(s.rule(1), 1)
}

func refused(s *stage) {
	s.apply(s.setup(func(setup *balancer.Setup) { setup.Park = false }))
	for _, r := range s.setup().Rules {
		if err := s.unservedNow(r, 0, s.fix.patience()); err != nil {
			s.Error(err)
		}
	}
	s.steer(1)
	s.visit(s.rule(0), 1)
	s.nobody()
	for _, r := range s.setup().Rules {
		if err := s.unservedNow(r, 0, s.fix.patience()); err != nil {
			s.Error(err)
		}
	}
	if n := s.b.came.Load(); n != 0 {
		s.Errorf("machine B was reached %d times", n)
	}
}
