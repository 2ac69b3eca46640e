package etcdstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/etcdstore"
)

// pair counts who is alive, and remembers whether two ever were.
type pair struct {
	mu      sync.Mutex // guards all below
	alive   int
	overlap bool
}

func (p *pair) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alive += n
	p.overlap = p.overlap || p.alive > 1
}

// run holds the lease term after term until the test ends, and tells of each start.
func (p *pair) run(t *testing.T, name string, timing lease.Timing, db *etcdstore.DB) (hot chan struct{}) {
	hot = make(chan struct{}, 16)
	h, err := lease.New(lease.Options{Name: "node", Self: lease.Identity{Instance: name, Nonce: "nonce of " + name, Boot: name}, Timing: timing, Store: db})
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		for ctx.Err() == nil {
			if _, err := h.Run(ctx, func(ctx context.Context, _ *lease.Term) lease.Ending {
				p.add(1)
				defer p.add(-1)
				hot <- struct{}{}
				<-ctx.Done()
				return lease.Ending{}
			}); err != nil && ctx.Err() == nil {
				t.Errorf("%s: %v", name, err)
				return
			}
		}
	})
	t.Cleanup(func() { stop(); ended.Wait() })
	return hot
}

func happens(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-timeout(t, 2*patience):
		t.Fatalf("%s: not within %v", what, 2*patience)
	}
}

// The goal: no two holders, whatever happens to the cluster, and the lease is kept
// over the loss of a leader and taken over after the loss of a machine. The method:
// three members, one holder through relays and one beside them; the leader is
// killed, then the first holder is cut off.
func TestALostLeaderMakesNoSecondHolderAndTakeoverWorks(t *testing.T) {
	server := testserver.Etcd(t, 3)
	timing, err := lease.Settings{Update: 500 * time.Millisecond, Wait: 8 * time.Second, Fence: 500 * time.Millisecond}.Timing()
	must(t, err)
	var relays []*testserver.TCPProxy
	c := etcdstore.Config{Prefix: prefix()}
	for _, addr := range server.Addrs() {
		relays = append(relays, testserver.Proxy(t, addr))
		c.Endpoints = append(c.Endpoints, relays[len(relays)-1].Addr())
	}
	direct := etcdstore.Config{Endpoints: server.Addrs(), Prefix: c.Prefix}
	look := open(t, direct)
	var p pair
	happens(t, "the first claim", p.run(t, "a", timing, open(t, c)))
	taken := p.run(t, "b", timing, open(t, direct))

	before := observed(t, look, "node")
	server.Leader(t).Kill(t)
	ctx, cancel := contextOf(t, patience)
	defer cancel()
	for now := before; now.Record.Version < before.Record.Version+5; {
		attempt, end := context.WithTimeout(ctx, time.Second)
		o, err := look.Read(attempt, "node")
		end()
		if err == nil {
			now = o
		}
		if err := clock.Wait(ctx, clock.System(), 20*time.Millisecond); err != nil {
			t.Fatalf("the lease was not renewed after the loss of the leader: %v", err)
		}
	}
	if now := observed(t, look, "node"); now.Record.Holder != "a" || now.Record.Epoch != before.Record.Epoch || now.Incarnation != before.Incarnation {
		t.Errorf("the loss of a leader cost the term: %v", now)
	}
	for _, r := range relays {
		r.Hang()
	}
	happens(t, "the takeover", taken)
	if now := observed(t, look, "node"); now.Record.Holder != "b" || now.Record.Epoch != before.Record.Epoch+1 {
		t.Errorf("after the takeover: %v", now)
	}
	for _, r := range relays {
		r.Restore(t)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.overlap {
		t.Error("two were alive at once")
	}
}

// A cluster without a majority gives no answer that counts.
func TestAMinorityAnswersNobody(t *testing.T) {
	server := testserver.Etcd(t, 3)
	db := open(t, etcdstore.Config{Endpoints: server.Addrs(), Prefix: prefix()})
	held := claimed(t, db, "node")
	server.Members[1].Kill(t)
	server.Members[2].Kill(t)
	for range 3 {
		ctx, cancel := contextOf(t, 500*time.Millisecond)
		_, errRead := db.Read(ctx, "node")
		errSwap := db.Swap(ctx, held, renewal(held))
		cancel()
		if errRead == nil || errSwap == nil || errors.Is(errSwap, lease.ErrChanged) {
			t.Fatalf("without a majority: read %v, swap %v; want unknown outcomes", errRead, errSwap)
		}
	}
}
