package agent_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// gate is a fencer whose answers a test gives; it remembers what it was asked.
type gate struct {
	answers chan error

	mu    sync.Mutex // guards asked
	asked []sqlstore.Fence
}

func newGate() *gate { return &gate{answers: make(chan error)} }

func (g *gate) Fence(ctx context.Context, f sqlstore.Fence) (sqlstore.Fenced, error) {
	g.mu.Lock()
	g.asked = append(g.asked, f)
	g.mu.Unlock()
	select {
	case err := <-g.answers:
		return sqlstore.Fenced{Ended: 1}, err
	case <-ctx.Done():
		return sqlstore.Fenced{}, context.Cause(ctx)
	}
}

func (g *gate) answer(t *testing.T, err error) {
	t.Helper()
	select {
	case g.answers <- err:
	case <-t.Context().Done():
	}
}

func (g *gate) fences() []sqlstore.Fence {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.asked)
}

func lockedBy(g *gate) func(*agent.Options) {
	return func(o *agent.Options) {
		o.LockOut = agent.LockOut{By: g, Mine: "node_a", Others: []string{"node_b"}}
	}
}

func TestTheNodeIsStartedOnlyOnceTheOthersAreLockedOut(t *testing.T) {
	t.Parallel()
	g := newGate()
	m := newPair(t).start("a", serves, lockedBy(g))
	s := m.until("asks to lock out", func(s agent.Snapshot) bool { return s.State == agent.Starting && len(g.fences()) == 1 })
	if s.Counters.NodeStarts != 0 || s.Guarantee.Level == sqlstore.LevelA {
		t.Errorf("before the others are locked out: %d starts, level %q", s.Counters.NodeStarts, s.Guarantee.Level)
	}
	g.answer(t, fmt.Errorf("lock node_b out: %w", sqlstore.ErrUnreachable))
	s = m.until("tries again", func(s agent.Snapshot) bool { return len(g.fences()) == 2 })
	if s.Counters.NodeStarts != 0 || s.Counters.LockOutFailures != 1 || s.Fencing.Error == "" {
		t.Errorf("after a failure: %d starts, fencing %+v", s.Counters.NodeStarts, s.Fencing)
	}
	g.answer(t, nil)
	s = m.until("hot at level A", func(s agent.Snapshot) bool { return s.State == agent.Hot && s.Guarantee.Level == sqlstore.LevelA })
	if s.Fencing.Epoch != s.Epoch || s.Counters.LockOuts != 1 || s.Fencing.Error != "" {
		t.Errorf("once hot: epoch %d, fencing %+v", s.Epoch, s.Fencing)
	}
	row := m.row().Record
	want := sqlstore.Fence{Lease: "test", Holder: row.Holder, Nonce: row.Nonce, Epoch: row.Epoch, Mine: "node_a", Others: []string{"node_b"}}
	if got := g.fences()[1]; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("asked for %+v, want %+v", got, want)
	}
}

func TestAMachineThatMayNotLockOutHandsOverAndSaysWhy(t *testing.T) {
	t.Parallel()
	p, g := newPair(t), newGate()
	a := p.start("a", serves, lockedBy(g))
	g.answer(t, &sqlstore.RightsError{Missing: []string{"ALTER ROLE node_b"}})
	s := a.until("hands over", func(s agent.Snapshot) bool { return s.State == agent.Cold && s.Epoch == 1 })
	if s.Counters.NodeStarts != 0 {
		t.Error("a node was started")
	}
	b := p.start("b", serves)
	if s := b.untilState(agent.Hot); s.Epoch < 2 {
		t.Errorf("b is hot at epoch %d", s.Epoch)
	}
	if r := b.row().Record; !strings.Contains(r.Memo, "ALTER ROLE node_b") {
		t.Errorf("the row says %q of why", r.Memo)
	}
}

func TestAHolderWhoseFenceIsRefusedStartsNoNode(t *testing.T) {
	t.Parallel()
	g := newGate()
	m := newPair(t).start("a", serves, lockedBy(g))
	g.answer(t, lease.ErrChanged)
	m.until("has heard it", func(s agent.Snapshot) bool { return s.Counters.LockOutFailures == 1 })
	m.until("renews on", func(s agent.Snapshot) bool { return s.Counters.Renewals > 3 })
	if s := m.agent.Snapshot(); s.Counters.NodeStarts != 0 || len(g.fences()) != 1 {
		t.Errorf("%d starts, %d fences", s.Counters.NodeStarts, len(g.fences()))
	}
}

func TestAnAgentWithoutFencingSaysLevelBOfADatabaseThatIsAlone(t *testing.T) {
	t.Parallel()
	m := newPair(t).start("a", serves)
	s := m.until("hot and looked", func(s agent.Snapshot) bool { return s.State == agent.Hot && s.Guarantee.Level != "" })
	if s.Guarantee.Level != sqlstore.LevelB || s.Fencing.On {
		t.Errorf("guarantee %v, fencing %+v", s.Guarantee, s.Fencing)
	}
}
