package pathtest

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/testserver/yard"
)

func nobodyYet(s *stage) {
	for _, r := range s.setup().Rules {
		if err := s.unserved(r, 0, moment); err != nil {
			s.Error(err)
		}
	}
	if a, b := s.a.came.Load(), s.b.came.Load(); a+b != 0 {
		s.Errorf("nobody is hot, but A was reached %d times and B %d times", a, b)
	}
}

func reachHot(s *stage) {
	s.steer(1)
	for _, r := range s.setup().Rules {
		s.mustAsk(s.visit(r, 1), "to "+r.Name)
	}
	if n := s.b.came.Load(); n != 0 {
		s.Errorf("A is hot, but B was reached %d times", n)
	}
}

func movesOver(s *stage) {
	for epoch := uint64(1); epoch <= 6; epoch++ {
		s.steer(epoch)
		for _, r := range s.setup().Rules {
			s.mustAsk(s.visit(r, epoch), fmt.Sprintf("%s in epoch %d", r.Name, epoch))
		}
	}
}

func lowerRefused(s *stage) {
	s.steer(6)
	c := s.visit(s.rule(0), 6)
	for _, lower := range []uint64{5, 4, 1} {
		if err := s.path.Steer(s.limit(), s.target(lower), balancer.Old{}); !errors.Is(err, balancer.ErrOldEpoch) {
			s.Errorf("steer to epoch %d after 6: %v, want %v", lower, err, balancer.ErrOldEpoch)
		}
	}
	s.mustAsk(c, "still there")
	s.visit(s.rule(1), 6)
	if n := s.a.came.Load(); n != 0 {
		s.Errorf("machine A of a lower epoch was reached %d times", n)
	}
}

func sameAgain(s *stage) {
	s.steer(3)
	s.nobody()
	if err := s.unserved(s.rule(0), 0, moment); err != nil {
		s.Error(err)
	}
	s.steer(3)
	s.visit(s.rule(0), 3)
}

func rememberedOverNobody(s *stage) {
	s.steer(4)
	s.nobody()
	if err := s.path.Steer(s.limit(), s.target(3), balancer.Old{}); !errors.Is(err, balancer.ErrOldEpoch) {
		s.Errorf("steer to epoch 3 after 4 and nobody: %v, want %v", err, balancer.ErrOldEpoch)
	}
	if err := s.unserved(s.rule(0), 0, moment); err != nil {
		s.Error(err)
	}
	if n := s.a.came.Load(); n != 0 {
		s.Errorf("machine A of a lower epoch was reached %d times", n)
	}
}

// hammering is what the hammer is made of: enough that connections are under way at every steer.
const (
	hammerClients = 6
	hammerSteers  = 60
	hammerPause   = 20 * time.Millisecond
)

// hammer connects without end by all rules while the target moves from machine to machine. A client must never reach
// an epoch below the one in force when it began, nor one below any that another client has been seen to reach by
// whatever rule: then two rules would have moved one after the other.
func hammer(s *stage) {
	var steering, inForce, reached atomic.Uint64
	steering.Store(1)
	s.steer(1)
	inForce.Store(1)
	var stop atomic.Bool
	var hits atomic.Int64
	var clients sync.WaitGroup
	for i := range hammerClients {
		clients.Go(func() {
			r := s.rule(uint16(i % 3))
			for !stop.Load() {
				least := max(inForce.Load(), reached.Load())
				epoch, err := s.reachedEpoch(r, &steering)
				switch {
				case err != nil:
					s.Errorf("rule %s, not before epoch %d: %v", r.Name, least, err)
					return
				case epoch == 0: // cut while it was being greeted
					continue
				case epoch < least:
					s.Errorf("rule %s reached epoch %d when %d was in force or had been seen", r.Name, epoch, least)
					return
				}
				hits.Add(1)
				for old := reached.Load(); old < epoch && !reached.CompareAndSwap(old, epoch); old = reached.Load() {
				}
			}
		})
	}
	for epoch := uint64(2); epoch <= hammerSteers && !s.Failed(); epoch++ {
		steering.Store(epoch)
		s.steer(epoch)
		inForce.Store(epoch)
		pause(hammerPause)
	}
	stop.Store(true)
	clients.Wait()
	s.Logf("%d connections over %d steers", hits.Load(), hammerSteers)
	if hits.Load() < hammerSteers {
		s.Errorf("only %d connections: that tells nothing", hits.Load())
	}
}

// reachedEpoch connects once and says in whose term it was greeted, 0 where it was cut before it knew.
func (s *stage) reachedEpoch(r balancer.Rule, steering *atomic.Uint64) (uint64, error) {
	began := elapsed()
	c, err := s.hail(r, 0, s.fix.patience())
	if c != nil {
		defer func() { _ = c.SetLinger(0); _ = c.Close() }() // a reset leaves no port behind in TIME-WAIT
	}
	now := steering.Load()
	if err != nil {
		if elapsed()-began > s.fix.patience()/2 {
			return 0, err
		}
		return 0, nil
	}
	at, err := netip.ParseAddr(c.greeting)
	if err != nil {
		return 0, err
	}
	// Of the eight last epochs one had this address.
	for epoch := now; epoch > 0 && now-epoch < 2*yard.Addresses; epoch-- {
		if s.target(epoch).Address == at {
			return epoch, nil
		}
	}
	return 0, fmt.Errorf("reached %v, which no epoch had", at)
}

func groupsApart(s *stage) {
	one, two := s.rule(0), s.rule(1)
	one.Group, two.Group = "one", "two"
	s.apply(s.setup(func(setup *balancer.Setup) { setup.Rules = []balancer.Rule{one, two} }))
	steer := func(group string, epoch uint64) error {
		t := s.target(epoch)
		t.Group = group
		return s.path.Steer(s.limit(), t, balancer.Old{})
	}
	if err := errors.Join(steer("one", 5), steer("two", 2)); err != nil {
		s.Fatal(err)
	}
	first, second := s.visit(one, 5), s.visit(two, 2)
	if err := steer("two", 4); err != nil {
		s.Fatalf("an epoch of one group says nothing of another's, but: %v", err)
	}
	s.visit(two, 4)
	s.visit(one, 5)
	s.mustAsk(first, "of the group that stayed")
	if err := second.finish(s.fix.patience()); errors.Is(err, errAlive) {
		s.Error("the connection of the group that moved is alive")
	}
	if err := steer("two", 3); !errors.Is(err, balancer.ErrOldEpoch) {
		s.Errorf("steer group two to 3 after 4: %v, want %v", err, balancer.ErrOldEpoch)
	}
}
