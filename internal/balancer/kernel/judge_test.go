package kernel

import (
	"net/netip"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
)

// A client that resets its connection leaves the same behind, in the kernel's table of whole seconds, as a cut that was
// answered.
func TestAConnectionThatWasSeenToBeOverIsNotCut(t *testing.T) {
	m := newMarks("hotcold-orders")
	s := &sweeper{p: &Path{marks: m}, ending: map[key]*ending{}, seen: map[key]sighting{},
		cut: map[uint8]uint64{}, idle: map[uint8]uint64{}, ended: map[uint8]uint64{}}
	front, mark := netip.MustParseAddrPort("192.0.2.1:10002"), m.of(0, 1)
	r := newRule(balancer.Rule{Name: "p2p", Frontend: front}, 0)
	r.enter(mark, balancer.Target{Machine: "a", Epoch: 1})
	r.live[mark] = 0
	v := &view{rules: map[uint8]*rule{0: r}, now: map[string]balancer.Target{}}
	reset := flow{id: 1, front: front, mark: mark, state: stateClose, left: closeTimeout}
	open := flow{id: 2, front: front, mark: mark, state: stateEstablished, left: time.Hour}
	if d := s.judge(v, v, []flow{reset, open}, 10*time.Second); d.open[0] != 1 || len(d.cut)+len(d.forget) != 0 {
		t.Errorf("before the cut: %+v", d)
	}
	delete(r.live, mark)
	r.end(mark, 11*time.Second, false)
	reset.left -= time.Second
	answered := flow{id: 3, front: front, mark: mark, state: stateClose, left: closeTimeout} // unseen until now
	d := s.judge(v, v, []flow{reset, open, answered}, 11*time.Second)
	if len(d.cut) != 2 || d.cut[0].id != 2 || d.cut[1].id != 3 || s.cut[0] != 2 {
		t.Errorf("cut %+v", d.cut)
	}
	if len(d.forget) != 0 {
		t.Errorf("forgotten %+v, which the kernel does by itself, or for a younger connection", d.forget)
	}
	r.gone = true
	if d := s.judge(v, v, []flow{reset}, 12*time.Second); len(d.forget) != 1 {
		t.Errorf("%+v: a rule that is gone waits for one that is over", d)
	}
}

// Its answer may have passed between the reading and the cut: then the client takes itself for connected, and without
// its entry nobody would ever tell it otherwise.
func TestAConnectionThatWasOpeningBeforeTheCutIsLookedAtOnceMore(t *testing.T) {
	m := newMarks("hotcold-orders")
	s := &sweeper{p: &Path{marks: m}, ending: map[key]*ending{}, seen: map[key]sighting{}, cut: map[uint8]uint64{}}
	front, mark := netip.MustParseAddrPort("192.0.2.1:10002"), m.of(0, 1)
	r := newRule(balancer.Rule{Name: "p2p", Frontend: front}, 0)
	r.enter(mark, balancer.Target{Machine: "a", Epoch: 1})
	r.live[mark] = 0
	before := &view{rules: map[uint8]*rule{0: r}}
	r = r.clone()
	delete(r.live, mark)
	r.end(mark, 10*time.Second, false)
	after := &view{rules: map[uint8]*rule{0: r}}
	opening := flow{id: 1, front: front, mark: mark, state: stateSYNReceived, left: time.Minute}
	if d := s.judge(before, after, []flow{opening}, 10*time.Second); len(d.forget)+len(d.cut) != 0 || d.next > repeat {
		t.Errorf("read before the cut: %+v", d)
	}
	if d := s.judge(after, after, []flow{opening}, 10*time.Second); len(d.forget) != 1 || d.next > repeat {
		t.Errorf("read after the cut: %+v", d)
	}
	if d := s.judge(after, after, nil, 20*time.Second); d.next != never {
		t.Errorf("long after the cut: %+v", d)
	}
}

// Every change of the target is a look, and so is everybody who asks for numbers.
func TestEndsAreProvokedOnceMoreHoweverOftenSomebodyLooks(t *testing.T) {
	m := newMarks("hotcold-orders")
	s := &sweeper{p: &Path{marks: m}, ending: map[key]*ending{}, seen: map[key]sighting{}, cut: map[uint8]uint64{}}
	front, mark := netip.MustParseAddrPort("192.0.2.1:10002"), m.of(0, 1)
	r := newRule(balancer.Rule{Name: "p2p", Frontend: front}, 0)
	r.enter(mark, balancer.Target{Machine: "a", Epoch: 1})
	const began = 10 * time.Second
	r.end(mark, began, false)
	v := &view{rules: map[uint8]*rule{0: r}}
	open := flow{id: 1, front: front, mark: mark, state: stateEstablished, left: time.Hour}
	var again, forgotten time.Duration
	for at := began; forgotten == 0 && at < began+time.Minute; at += 20 * time.Millisecond {
		d := s.judge(v, v, []flow{open}, at)
		if len(d.cut)+len(d.again) > 0 {
			s.ending[open.key()].end = at + linger // as provoke does
		}
		if len(d.again) > 0 {
			again = at
		}
		if len(d.forget) > 0 {
			forgotten = at
		}
		if d.next <= 0 {
			t.Fatalf("after %v it wants to look again at once", at-began)
		}
	}
	if again != began+repeat || forgotten != again+linger {
		t.Errorf("provoked again after %v and forgotten after %v, want %v and %v", again-began, forgotten-began, repeat, repeat+linger)
	}
}

// A SYN that is sent again takes the place of the connection that was cut, and is given its place in memory.
func TestAYoungerConnectionIsToldThoughItHasTheIdOfOneThatWas(t *testing.T) {
	m := newMarks("hotcold-orders")
	s := &sweeper{p: &Path{marks: m}, ending: map[key]*ending{}, seen: map[key]sighting{}, cut: map[uint8]uint64{}}
	front := netip.MustParseAddrPort("192.0.2.1:10002")
	r := newRule(balancer.Rule{Name: "p2p", Frontend: front}, 0)
	v := &view{rules: map[uint8]*rule{0: r}}
	for epoch := uint64(1); epoch < 3; epoch++ {
		at := time.Duration(epoch) * 10 * time.Second
		r.enter(m.of(0, epoch), balancer.Target{Machine: "a", Epoch: epoch})
		r.end(m.of(0, epoch), at, false)
		f := flow{id: 1, front: front, mark: m.of(0, epoch), state: stateClose, left: closeTimeout}
		if d := s.judge(v, v, []flow{f}, at); len(d.cut) != 1 {
			t.Errorf("epoch %d: %+v, want it cut", epoch, d)
		}
	}
}
