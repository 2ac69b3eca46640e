package lease_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/lease"
)

// An agent claims the lease, runs its node for as long as it may, and gives the
// lease back once the node has been seen dead.
func ExampleHolder_Run() {
	timing, err := lease.Default().Timing()
	if err != nil {
		fmt.Println(err)
		return
	}
	database := newMemory() // a sqlstore.DB in earnest
	database.put(lease.Record{Name: "node", Holder: "back-up:/opt/corda", Epoch: 41, Version: 7, Released: true, Incarnation: "1"})

	holder, err := lease.New(lease.Options{
		Name:   "node",
		Self:   lease.Identity{Instance: "primary:/opt/corda", Nonce: "c0ffee", Boot: "b007"},
		Timing: timing,
		Store:  database.store(clock.System()),
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx, stop := context.WithCancelCause(context.Background())
	end, err := holder.Run(ctx, func(ctx context.Context, term *lease.Term) lease.Ending {
		fmt.Println("start the node with epoch", term.Trust().Epoch)
		stop(errors.New("the machine is to be patched"))
		<-ctx.Done()
		fmt.Println("stop the node:", context.Cause(ctx))
		// Here the node is stopped; when term.Trusted() ends meanwhile it is
		// killed by term.Trust().DeadBy. Work returns when it is seen dead.
		return lease.Ending{Successor: "back-up:/opt/corda"}
	})
	fmt.Println("released:", end.Released, err)
	// Output:
	// start the node with epoch 42
	// stop the node: the machine is to be patched
	// released: true <nil>
}

// A wait just above the update is refused, with a wait that would do.
func ExampleSettings_Timing() {
	if _, err := (lease.Settings{Update: 20 * time.Second, Wait: 21 * time.Second}).Timing(); errors.Is(err, lease.ErrUnsafe) {
		fmt.Println("refused")
	}
	timing, _ := lease.Settings{Update: 20 * time.Second, Wait: 40 * time.Second}.Timing()
	for _, line := range timing.Explain() {
		fmt.Println(line)
	}
	// Output:
	// refused
	// a challenger waits W = 40s; needed: (1+rho)/(1-rho)*L + (1+rho)*delta = 39.999679s with rho = 0.002, L = 38.842s, delta = 1s
	// a holder trusts L = 38.842s; needed: max(U,T) + (m+1)*T + K = 38.84s with U = 20s, m = 2, T = 2.28s, K = 12s
	// without an answer stopping begins 26.842s after the last renewal was sent, and the node is dead by 38.842s
	// 2 failed attempts in a row are survived; a machine that dies is replaced after at most 59.2s, plus the node's own start
}
