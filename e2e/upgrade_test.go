package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/status"
	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease"
)

// voice is the real listener of an agent that says what a test wants.
type voice struct {
	name, address string
	snapshot      atomic.Pointer[agent.Snapshot]
	bell          *status.Bell
	end           func() // it falls silent
}

func speak(t *testing.T, name string) *voice {
	t.Helper()
	v := &voice{name: name, bell: status.NewBell()}
	v.hot(0, agent.Cold)
	s, err := status.New(status.Options{
		Address: "127.0.0.1:0", Clock: clock.System(), Live: status.NewLiveCheck(clock.System(), time.Hour), Log: slog.New(slog.DiscardHandler),
		Bell: v.bell, Snapshot: func() agent.Snapshot { return *v.snapshot.Load() },
	})
	if err == nil {
		err = s.Listen()
	}
	if err != nil {
		t.Fatal(err)
	}
	v.address = s.Addr().String()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	v.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the agent's listener: %v", err)
		}
	})
	t.Cleanup(v.end)
	return v
}

// hot says a state with an epoch; what is hot is to be believed for an hour.
func (v *voice) hot(epoch uint64, state agent.State) {
	now := clock.System().Now().Boot
	v.snapshot.Store(&agent.Snapshot{Lease: "epochs", Machine: v.name, State: state, Ready: true, Epoch: epoch,
		Trust: lease.Trust{Epoch: epoch, Anchor: now, StopAt: now + time.Hour, DeadBy: now + 2*time.Hour}})
	v.bell.Ring()
}

// Goal: what an agent says that missed its fencing is not obeyed by a new process either, which never heard of the
// greater epoch itself.
//
// Method: the agent with the greater epoch falls silent before the upgrade; the other one goes on to say that it is hot.
func TestAnUpgradedBalancerObeysNoEpochThatTheFormerOneLeftBehind(t *testing.T) {
	a, b := speak(t, "machine-a"), speak(t, "machine-b")
	port := testserver.FreePort(t)
	f := runBalancer(t, filepath.Join(testserver.Dir(t), "balancer"), port, fmt.Sprintf(`
  name = epochs
  machines { machine-a { address = %s, agent = %q }, machine-b { address = %s, agent = %q } }
  balancer { rules.echo { frontend = 127.0.0.1, port = %d }, dataPath = splice, listen.address = off }
`, machineAddress(0), a.address, machineAddress(1), b.address, port))
	goes := func(machine string) {
		t.Helper()
		f.await(t, machine+" to get the traffic", func(s frontState) bool { return len(s.Rules) > 0 && s.Rules[0].Machine == machine })
	}
	a.hot(7, agent.Hot)
	goes("machine-a")
	b.hot(8, agent.Hot)
	goes("machine-b")
	b.end()
	first := f.cmd.Process.Pid
	signal(t, first, syscall.SIGUSR2)
	f.await(t, "another process that hears the old epoch", func(s frontState) bool {
		return s.PID != 0 && s.PID != first && len(s.Alarms) > 0 && s.Alarms[0].Kind == "old-epoch"
	})
	s := f.state(t)
	endLater(t, s.PID)
	if s.Epoch != 8 || s.Rules[0].Machine != "" {
		t.Errorf("the new process says %+v", s)
	}
}
