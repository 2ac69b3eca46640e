package demo

import (
	"context"
	"sync"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// pair are the two keepers at work.
type pair struct {
	keepers [2]*keeper
	stops   [2]context.CancelFunc
	running [2]sync.WaitGroup
	ctx     [2]context.Context
}

// newPair keeps the agents running for as long as ctx at the most. It has to
// outlive the show: agents are stopped one after the other.
func newPair(ctx context.Context, k [2]*keeper) *pair {
	p := &pair{keepers: k}
	for i := range k {
		p.ctx[i], p.stops[i] = context.WithCancel(ctx)
	}
	return p
}

func (p *pair) start(i int) { p.running[i].Go(func() { p.keepers[i].run(p.ctx[i]) }) }

func (p *pair) end(order []int) {
	for _, i := range order {
		p.stops[i]()
		p.running[i].Wait()
	}
}

func (s *show) coldFirst() []int {
	if s.scene().hot() == 0 {
		return []int{1, 0}
	}
	return []int{0, 1}
}

// sweepLimit is how long guards and nodes whose agents are gone may take.
const sweepLimit = 10 * time.Second

// sweep waits until nothing of the demo lives, and kills what will not go.
func (s *show) sweep(ctx context.Context) {
	by := s.o.Clock.Now().Boot + sweepLimit
	for pids := s.nursery.left(); len(pids) > 0; pids = s.nursery.left() {
		if s.hurried() || s.o.Clock.Now().Boot >= by {
			kill(pids...)
		}
		_ = clock.Wait(ctx, s.o.Clock, lookPause/5) // ctx does not end before
	}
}

func (s *show) hurried() bool {
	select {
	case <-s.o.Hurry:
		return true
	default:
		return false
	}
}
