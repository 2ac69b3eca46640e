package e2e

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/internal/testserver/voice"
)

// Goal: what an agent says that missed its fencing is not obeyed by a new process either, which never heard of the
// greater epoch itself.
//
// Method: the agent with the greater epoch falls silent before the upgrade; the other one goes on to say that it is hot.
func TestAnUpgradedBalancerObeysNoEpochThatTheFormerOneLeftBehind(t *testing.T) {
	a, b := voice.Speak(t, "epochs", "machine-a", nil), voice.Speak(t, "epochs", "machine-b", nil)
	port := testserver.FreePort(t)
	f := runBalancer(t, filepath.Join(testserver.Dir(t), "balancer"), port, fmt.Sprintf(`
  name = epochs
  machines { machine-a { address = %s, agent = %q }, machine-b { address = %s, agent = %q } }
  balancer { rules.echo { frontend = 127.0.0.1, port = %d }, dataPath = splice, listen.address = off }
`, machineAddress(0), a.Address, machineAddress(1), b.Address, port))
	goes := func(machine string) {
		t.Helper()
		f.await(t, machine+" to get the traffic", func(s frontState) bool { return len(s.Rules) > 0 && s.Rules[0].Machine == machine })
	}
	a.Hot(7, time.Hour)
	goes("machine-a")
	b.Hot(8, time.Hour)
	goes("machine-b")
	b.End()
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
