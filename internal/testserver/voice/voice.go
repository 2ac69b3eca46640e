package voice

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/status"
	"github.com/hotcold/hotcold/lease"
)

// Voice is one agent's listener. Its methods may be called from any goroutine.
type Voice struct {
	// Name is its machine's.
	Name string
	// Address is where it listens, as host:port.
	Address string
	// End has it fall silent. The end of the test does so too.
	End func()

	lease    string
	snapshot atomic.Pointer[agent.Snapshot]
	bell     *status.Bell
}

// Speak starts the listener of an agent on loopback. It says that its machine is cold. Change may be nil.
func Speak(t testing.TB, lease, name string, change func(*status.Options)) *Voice {
	t.Helper()
	v := &Voice{lease: lease, Name: name, bell: status.NewBell()}
	v.Cold(0)
	o := status.Options{
		Address: "127.0.0.1:0", Clock: clock.System(), Live: status.NewLiveCheck(clock.System(), time.Hour), Log: slog.New(slog.DiscardHandler),
		Bell: v.bell, Snapshot: func() agent.Snapshot { return *v.snapshot.Load() },
	}
	if change != nil {
		change(&o)
	}
	s, err := status.New(o)
	if err == nil {
		err = s.Listen()
	}
	if err != nil {
		t.Fatal(err)
	}
	v.Address = s.Addr().String()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	v.End = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the agent's listener: %v", err)
		}
	})
	t.Cleanup(v.End)
	return v
}

// Say says a state of the agent, with its own lease and name.
func (v *Voice) Say(s agent.Snapshot) {
	s.Lease, s.Machine = v.lease, v.Name
	v.snapshot.Store(&s)
	v.bell.Ring()
}

// Hot says hot, for as long as trust lasts.
func (v *Voice) Hot(epoch uint64, trust time.Duration) {
	now := clock.System().Now().Boot
	v.Say(agent.Snapshot{State: agent.Hot, Ready: true, Epoch: epoch,
		Trust: lease.Trust{Epoch: epoch, Anchor: now, StopAt: now + trust, DeadBy: now + trust + time.Second}})
}

// Cold says cold, and able to take over.
func (v *Voice) Cold(epoch uint64) { v.Is(agent.Cold, epoch) }

// Is says a state other than hot.
func (v *Voice) Is(state agent.State, epoch uint64) {
	v.Say(agent.Snapshot{State: state, Ready: state == agent.Cold, Epoch: epoch})
}
