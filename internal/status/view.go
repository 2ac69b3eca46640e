package status

import (
	"fmt"
	"strings"
	"time"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clock"
)

// View is a snapshot together with what only the clock can tell of it. The page, the JSON and the metrics are made
// from a View and from nothing else.
type View struct {
	agent.Snapshot
	// Hot: traffic may be sent here.
	Hot bool `json:"hot"`
	// WhyNotHot says in words why not; empty where Hot.
	WhyNotHot string `json:"whyNotHot,omitempty"`
	// TrustLeftSeconds is how long the node may still be alive without another renewal; zero where the lease is
	// not this agent's.
	TrustLeftSeconds float64 `json:"trustLeftSeconds"`
}

// ViewAt looks at a snapshot at one reading of the clock. The reading has to be taken after the snapshot, so that
// what lies between the two makes a machine hot for a shorter time and never for a longer one.
func ViewAt(s agent.Snapshot, now clock.Reading) View {
	return View{
		Snapshot:         s,
		Hot:              s.HotAt(now),
		WhyNotHot:        whyNotHot(s, now),
		TrustLeftSeconds: s.TrustLeft(now).Round(time.Millisecond).Seconds(),
	}
}

// CanTakeOver tells whether this machine would claim the lease if it became free.
func (v View) CanTakeOver() bool { return v.State == agent.Cold && v.Ready && !v.Paused }

// Usable tells whether the machine is of use to the pair: hot and serving, or cold and able to take over.
func (v View) Usable() bool { return v.Hot || v.CanTakeOver() }

// Headline is the state in one short line.
func (v View) Headline() string {
	switch {
	case v.Hot:
		return fmt.Sprintf("hot epoch %d", v.Epoch)
	case v.CanTakeOver():
		return "cold, able to take over"
	}
	return v.WhyNotHot
}

func whyNotHot(s agent.Snapshot, now clock.Reading) string {
	switch {
	case s.HotAt(now):
		return ""
	case s.State == "":
		return "the agent has not said anything yet"
	case s.State != agent.Hot:
		return withReasons(string(s.State), s.Reasons)
	case !s.Ready:
		return withReasons("the node is not ready", s.Reasons)
	case !s.Doubt && now.Boot >= s.Trust.StopAt:
		return "trust has run out: no renewal of the lease was confirmed in time"
	}
	return "the clock of this machine jumped and the database has not said yet whether the lease is still ours"
}

// withReasons puts the reasons behind a state, on one line.
func withReasons(state string, reasons []string) string {
	if len(reasons) == 0 {
		return state
	}
	return oneLine(state + ": " + strings.Join(reasons, "; "))
}
