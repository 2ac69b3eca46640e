package pathtest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/hotcold/hotcold/internal/balancer"
)

func applyLive(s *stage) {
	s.steer(1)
	p2p, rpc, web := s.rule(0), s.rule(1), s.rule(2)
	stays := s.visit(p2p, 1)
	for round := range 5 {
		s.apply(s.setup(func(setup *balancer.Setup) { setup.Rules = []balancer.Rule{p2p} }))
		s.mustAsk(stays, fmt.Sprintf("alone in round %d", round))
		s.visit(p2p, 1)
		if err := s.unserved(rpc, 0, moment); err != nil {
			s.Errorf("round %d: a rule that is gone: %v", round, err)
		}
		s.apply(s.setup(func(setup *balancer.Setup) { setup.Rules = []balancer.Rule{web, p2p, rpc} }))
		s.mustAsk(stays, fmt.Sprintf("with others in round %d", round))
		for _, r := range []balancer.Rule{p2p, rpc, web} {
			// A rule that comes is steered already: nobody has to be told again who is hot.
			_ = s.visit(r, 1).Close()
		}
	}
}

func applyEnds(s *stage) {
	s.steer(1)
	gone, stays := s.visit(s.rule(1), 1), s.visit(s.rule(0), 1)
	began := elapsed()
	s.apply(s.setup(func(setup *balancer.Setup) { setup.Rules = []balancer.Rule{s.rule(0)} }))
	s.endsWithin(began, cutLimit, gone)
	s.mustAsk(stays, "of a rule that stays")
	if s.fix.Lacks[Keep] != "" {
		return
	}
	kept := s.visit(s.rule(0), 1)
	s.apply(s.setup(func(setup *balancer.Setup) {
		setup.Rules, setup.Old = []balancer.Rule{s.rule(1)}, balancer.Old{Keep: true}
	}))
	pause(moment)
	s.mustAsk(kept, "of a rule that is gone, kept")
}

func applyFails(s *stage) {
	s.steer(1)
	c := s.visit(s.rule(0), 1)
	s.serve(s.a, s.rule(3).BackendPort, echo) // so that the rule would be seen if it were there
	for name, change := range map[string]func(*balancer.Setup){
		"two rules of one name": func(setup *balancer.Setup) { setup.Rules[2].Name = setup.Rules[1].Name },
		"two rules of one port": func(setup *balancer.Setup) { setup.Rules[2].Frontend = setup.Rules[1].Frontend },
		"a rule without a port": func(setup *balancer.Setup) { setup.Rules[2].Frontend = netip.AddrPort{} },
	} {
		// The first of the changed rules could be made, and must not be.
		setup := s.setup(func(setup *balancer.Setup) {
			setup.Rules = append([]balancer.Rule{s.rule(3)}, setup.Rules[1:]...)
			change(setup)
		})
		if err := s.path.Apply(s.limit(), setup); err == nil {
			s.Fatalf("%s: applied without an error", name)
		}
		s.mustAsk(c, "after "+name)
		for _, r := range s.setup().Rules {
			_ = s.visit(r, 1).Close()
		}
		if err := s.unserved(s.rule(3), 0, moment); err != nil {
			s.Errorf("%s: a rule of the setup that failed is there: %v", name, err)
		}
	}
}

func applyTaken(s *stage) {
	s.steer(1)
	c := s.visit(s.rule(0), 1)
	s.serve(s.a, s.rule(3).BackendPort, echo)
	more, taken := s.rule(3), s.rule(4)
	l, err := s.yard.Balancer.Listen(context.Background(), taken.Frontend.Addr(), taken.Frontend.Port())
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	setup := s.setup(func(setup *balancer.Setup) { setup.Rules = []balancer.Rule{more, taken} })
	if err := s.path.Apply(s.limit(), setup); err == nil {
		s.Fatal("a port that somebody has was given out again")
	}
	s.mustAsk(c, "after the failure")
	for _, r := range s.setup().Rules {
		_ = s.visit(r, 1).Close()
	}
	if err := s.unserved(more, 0, moment); err != nil {
		s.Errorf("a rule of the setup that failed is there: %v", err)
	}
	if err := l.Close(); err != nil {
		s.Fatal(err)
	}
	s.serve(s.a, taken.BackendPort, echo)
	s.apply(setup)
	s.visit(taken, 1)
	s.visit(more, 1)
}

func applyBackend(s *stage) {
	s.steer(1)
	c := s.visit(s.rule(0), 1)
	s.serve(s.a, backPort+7, hold)
	changed := s.rule(0)
	changed.BackendPort = backPort + 7
	s.apply(s.setup(func(setup *balancer.Setup) { setup.Rules = []balancer.Rule{changed, s.rule(1)} }))
	s.mustAsk(s.visit(s.rule(1), 1), "of the rule that did not change")
	if err := s.visit(changed, 1).ask(moment, "to one who does not answer"); err == nil {
		s.Error("a new connection goes to the former port")
	}
	if err := c.ask(s.fix.patience(), "to the former port"); errors.Is(err, errAlive) {
		s.Error(err)
	}
}
