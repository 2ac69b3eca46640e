package pathtest

import (
	"errors"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
)

// endsWithin demands that each connection is over within the limit after an instant.
func (s *stage) endsWithin(since, limit time.Duration, conns ...*client) {
	s.Helper()
	for i, c := range conns {
		err := c.finish(s.fix.patience())
		took := elapsed() - since
		switch {
		case errors.Is(err, errAlive):
			s.Errorf("connection %d to %s is alive %v after the steer", i, c.greeting, took)
		case took > limit:
			s.Errorf("connection %d to %s was cut after %v, want %v", i, c.greeting, took, limit)
		}
	}
}

// talk sends without end, as a client does whose connection is in use.
func (s *stage) talk(c *client) {
	stop := make(chan struct{})
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := c.Write([]byte("so on and so on\n")); err != nil {
				return
			}
			pause(20 * time.Millisecond)
		}
	}()
	s.Cleanup(func() { close(stop); _ = c.Close(); <-over })
}

func cutTalking(s *stage) {
	s.steer(1)
	var conns []*client
	for _, r := range s.setup().Rules {
		c := s.visit(r, 1)
		s.talk(c)
		conns = append(conns, c)
	}
	began := elapsed()
	s.steer(2)
	s.endsWithin(began, cutLimit, conns...)
	s.visit(s.rule(0), 2)
}

func cutSilent(s *stage) {
	s.steer(1)
	var conns []*client
	for i := range 30 {
		conns = append(conns, s.visit(s.rule(uint16(i%3)), 1))
	}
	began := elapsed()
	s.steer(2)
	s.endsWithin(began, cutLimit, conns...)
	s.eventually("the old machine's ends are over too", s.a.nobodyThere)
}

func staying(s *stage) {
	s.steer(1)
	c := s.visit(s.rule(0), 1)
	s.nobody()
	pause(moment)
	s.mustAsk(c, "though nobody is hot")
	s.steer(1)
	s.mustAsk(c, "and A is again")
}

func cutAfterNobody(s *stage) {
	s.steer(1)
	c := s.visit(s.rule(0), 1)
	s.nobody()
	s.mustAsk(c, "though nobody is hot")
	began := elapsed()
	s.steer(2)
	s.endsWithin(began, cutLimit, c)
}

func drains(s *stage) {
	const drain = time.Second
	s.steer(1)
	c, brief := s.visit(s.rule(0), 1), s.visit(s.rule(1), 1)
	began := elapsed()
	s.steerTo(s.target(2), balancer.Old{Drain: drain})
	s.visit(s.rule(0), 2)
	s.mustAsk(brief, "a last word")
	_ = brief.Close()
	for elapsed()-began < drain/2 {
		s.mustAsk(c, "while it drains")
		pause(10 * time.Millisecond)
	}
	s.talk(c)
	s.endsWithin(began, drain+cutLimit, c)
	if took := elapsed() - began; took < drain-50*time.Millisecond {
		s.Errorf("cut after %v, want a drain of %v first", took, drain)
	}
}

func keeps(s *stage) {
	s.steer(1)
	c := s.visit(s.rule(0), 1)
	s.steerTo(s.target(2), balancer.Old{Keep: true})
	s.visit(s.rule(0), 2)
	pause(cutLimit + moment)
	s.mustAsk(c, "long after")
	s.steerTo(s.target(3), balancer.Old{Keep: true})
	s.mustAsk(c, "and longer")
	s.visit(s.rule(0), 3)
}

// cutFromMute has the old machine stop as a whole: nothing that is sent to it is ever acknowledged.
func cutFromMute(s *stage) {
	s.steer(1)
	c := s.visit(s.rule(0), 1)
	s.yard.Mute(s, s.yard.A)
	s.talk(c)
	pause(moment)
	began := elapsed()
	s.steer(2)
	s.endsWithin(began, cutLimit, c)
	s.visit(s.rule(0), 2)
	s.yard.Unmute(s, s.yard.A)
}
