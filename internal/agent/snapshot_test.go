package agent

import (
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/lease"
)

func TestTrafficIsAllowedOnlyWhileHotReadyTrustedAndSure(t *testing.T) {
	c := clock.NewStepped()
	now := c.Now()
	hot := Snapshot{State: Hot, Ready: true, Confirmed: now, Slack: time.Second, Trust: lease.Trust{StopAt: now.Boot + 5*time.Second}}
	with := func(f func(*Snapshot)) Snapshot {
		s := hot
		f(&s)
		return s
	}
	for _, x := range []struct {
		name string
		s    Snapshot
		want bool
	}{
		{"hot", hot, true},
		{"cold", with(func(s *Snapshot) { s.State = Cold }), false},
		{"starting", with(func(s *Snapshot) { s.State = Starting }), false},
		{"stopping", with(func(s *Snapshot) { s.State = Stopping }), false},
		{"not ready", with(func(s *Snapshot) { s.Ready = false }), false},
		{"in doubt", with(func(s *Snapshot) { s.Doubt = true }), false},
		{"without a lease by a person's wish", with(func(s *Snapshot) { s.Leaseless, s.Trust = true, lease.Trust{} }), true},
	} {
		if got := x.s.HotAt(now); got != x.want {
			t.Errorf("%s: %v", x.name, got)
		}
	}
	c.Advance(5*time.Second - 1)
	if !hot.HotAt(c.Now()) {
		t.Error("ended too soon")
	}
	c.Advance(1)
	if hot.HotAt(c.Now()) {
		t.Error("traffic at the instant at which stopping begins")
	}
}

func TestTrafficEndsAtOnceWhenTheClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{-time.Minute, time.Minute} {
		c := clock.NewStepped()
		s := Snapshot{State: Hot, Ready: true, Confirmed: c.Now(), Slack: time.Second, Trust: lease.Trust{StopAt: c.Now().Boot + time.Hour}}
		c.SetWall(jump)
		if s.HotAt(c.Now()) {
			t.Errorf("traffic after a jump of %v", jump)
		}
	}
}
