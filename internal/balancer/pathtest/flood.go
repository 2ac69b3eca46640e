package pathtest

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/testserver/yard"
)

// retried has the hot machine refuse while its service starts. The other machine listens, and is not to be asked.
func retried(s *stage) {
	s.a.unserve(backPort)
	s.steer(1)
	c, err := s.connect(s.rule(0), 0, s.fix.patience())
	if err != nil {
		s.Fatal(err)
	}
	pause(moment)
	s.serve(s.a, backPort, echo)
	if err := c.greet(s.fix.patience()); err != nil {
		s.Fatalf("a client who came before the service did: %v", err)
	}
	s.mustAsk(c, "at last")
	if n := s.b.came.Load(); n != 0 {
		s.Errorf("machine B, which is not hot, was reached %d times", n)
	}
}

func notReplaced(s *stage) {
	s.a.unserve(backPort)
	s.steer(1)
	for range 5 {
		if err := s.unserved(s.rule(0), 0, moment); err != nil {
			s.Error(err)
		}
	}
	if n := s.b.came.Load(); n != 0 {
		s.Errorf("machine B, which is not hot, was reached %d times", n)
	}
	s.serve(s.a, backPort, echo)
	s.visit(s.rule(0), 1)
}

// silentMachine accepts by rule p2p and says nothing, with a crowd of clients there, some of whom leave.
func silentMachine(s *stage) {
	s.serve(s.a, backPort, func(c *net.TCPConn) { _, _ = c.Read(make([]byte, 1<<20)) })
	s.steer(1)
	var silent []*client
	for range 100 {
		c, err := s.connect(s.rule(0), 0, s.fix.patience())
		if err != nil {
			s.Fatal(err)
		}
		silent = append(silent, c)
	}
	for range 20 {
		c := s.visit(s.rule(1), 1)
		s.mustAsk(c, "not held up")
		_ = c.Close()
	}
	for _, c := range silent[:50] {
		_ = c.Close()
	}
	s.eventually("those who left are gone at the machine too", func() error {
		if n := s.a.open(); n > 50 {
			return fmt.Errorf("%d connections", n)
		}
		return nil
	})
	for _, c := range silent[50:] {
		if err := c.finish(1); !errors.Is(err, errAlive) {
			s.Fatalf("a client who waits for an answer: %v", err)
		}
	}
}

// flood connects thousands of times as fast as it can.
func flood(s *stage) {
	const each, crowd = 250, 16
	s.steer(1)
	var served atomic.Int64
	var clients sync.WaitGroup
	for i := range crowd {
		clients.Go(func() {
			r := s.rule(uint16(i % 3))
			err := s.yard.Client.Do(func() error { return s.come(r, i%yard.Addresses, each, &served) })
			if err != nil {
				s.Errorf("client %d: %v", i, err)
			}
		})
	}
	clients.Wait()
	if n := served.Load(); n != each*crowd {
		s.Errorf("%d of %d were served", n, each*crowd)
	}
	s.eventually("no connection is left", s.a.nobodyThere)
	s.mustAsk(s.visit(s.rule(0), 1), "after the flood")
}

// come connects, is greeted, asks and leaves so many times. It has to run in the client's place.
func (s *stage) come(r balancer.Rule, from, times int, served *atomic.Int64) error {
	for range times {
		tcp, err := s.yard.Client.DialHere(s.Context(), from, r.Frontend)
		if err != nil {
			return err
		}
		c := newClient(tcp)
		err = c.greet(s.fix.patience())
		if err == nil {
			err = c.ask(s.fix.patience(), "in passing")
		}
		if err = errors.Join(err, c.SetLinger(0), c.Close()); err != nil {
			return err
		}
		served.Add(1)
	}
	return nil
}

// idleDescriptors is what one idle connection may cost: a socket to each end.
const idleDescriptors = 2

func idleCrowd(s *stage) {
	const crowd = 1500
	s.steer(1)
	s.mustAsk(s.visit(s.rule(0), 1), "the first is not counted")
	before := count(s)
	var conns []*client
	for i := range crowd {
		c, err := s.hail(s.rule(uint16(i%3)), i%yard.Addresses, s.fix.patience())
		if err != nil {
			s.Fatalf("connection %d: %v", i, err)
		}
		conns = append(conns, c)
	}
	for _, c := range conns {
		s.mustAsk(c, "one byte each way and more")
	}
	// A client has one descriptor and a machine another; both are in this process.
	if n := count(s).files - before.files; n > crowd*(2+idleDescriptors) {
		s.Errorf("%d idle connections have %d descriptors, want at most %d", crowd, n-2*crowd, crowd*idleDescriptors)
	}
	for _, c := range conns {
		_ = c.Close()
	}
	s.eventually("no connection is left", func() error {
		if n := s.a.open(); n > 1 {
			return fmt.Errorf("%d connections", n)
		}
		return nil
	})
}

// counters makes one of each thing that is counted.
func counters(s *stage) {
	s.steer(1)
	over, cut := s.visit(s.rule(0), 1), s.visit(s.rule(0), 1)
	const text = "0123456789"
	s.mustAsk(over, text)
	greeted := uint64(len(over.greeting) + 1)
	_ = over.Close()
	s.awaitFlows("p2p", "two were accepted and one has ended, with all their bytes", func(f balancer.RuleFlows) bool {
		in, out := uint64(len(text)+1), 2*greeted+uint64(len(text)+1)
		exact := f.BytesIn == in && f.BytesOut == out
		if s.fix.Lacks[CountsPayload] != "" {
			exact = f.BytesIn >= in && f.BytesOut >= out
		}
		return exact && f.Accepted == 2 && f.Ended == 1 && f.Open == 1 && f.Old == 0
	})
	if s.fix.Lacks[Drain] == "" {
		s.steerTo(s.target(2), balancer.Old{Drain: parkTime})
		s.awaitFlows("p2p", "one is old", func(f balancer.RuleFlows) bool { return f.Open == 1 && f.Old == 1 })
	}
	s.steer(3)
	_ = cut.finish(s.fix.patience())
	s.awaitFlows("p2p", "one was cut", func(f balancer.RuleFlows) bool { return f.Cut == 1 && f.Open == 0 && f.Old == 0 && f.Ended == 1 })
	s.awaitFlows("rpc", "the other rule has counted nothing", func(f balancer.RuleFlows) bool { return f == balancer.RuleFlows{Rule: "rpc"} })
}

// runEnds ends Run with connections of all kinds there.
func runEnds(s *stage) {
	s.steer(1)
	for _, r := range s.setup().Rules {
		s.talk(s.visit(r, 1))
		s.visit(r, 1)
	}
	s.end()
	for _, r := range s.setup().Rules {
		if err := s.unserved(r, 0, moment); err != nil {
			s.Errorf("after Run: %v", err)
		}
	}
}
