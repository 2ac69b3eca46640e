package agent

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/machine"
)

const (
	// checksPause is between two looks at the machine: each starts a program or two.
	checksPause = 10 * time.Minute
	// maxChecksTold bounds what the agent's row holds.
	maxChecksTold = 20
)

// Checks is what was found about a machine.
type Checks struct {
	// At is when it was looked at.
	At time.Time `json:"at,omitzero"`
	// Findings are those that are not as they should be, the worst first.
	Findings []machine.Finding `json:"findings,omitempty"`
}

// runChecks looks at the machine again and again. What it finds is for a person to
// mend and keeps nobody from taking over: a machine that has a fault may still be
// the only one there is.
func (a *Agent) runChecks(ctx context.Context) {
	if a.o.Checks == nil {
		return
	}
	complained := ""
	for ctx.Err() == nil {
		found := slices.DeleteFunc(a.o.Checks(ctx), func(f machine.Finding) bool { return f.Level == machine.OK || f.Level == machine.Note })
		if ctx.Err() != nil {
			return // what was cut short says nothing
		}
		slices.SortStableFunc(found, func(x, y machine.Finding) int { return rank(x.Level) - rank(y.Level) })
		a.change(func(s *Snapshot) {
			s.Checks = Checks{At: a.o.Clock.Now().Wall, Findings: found[:min(len(found), maxChecksTold)]}
		})
		complained = a.complain(found, complained)
		_ = clock.Wait(ctx, a.o.Clock, checksPause)
	}
}

// complain logs faults when they are new, and returns what was said.
func (a *Agent) complain(found []machine.Finding, said string) string {
	var faults []string
	for _, f := range found {
		if f.Level == machine.Fault {
			faults = append(faults, f.String())
		}
	}
	now := strings.Join(faults, "; ")
	if now != said && now != "" {
		a.o.Log.Warn("this machine is not as the node needs it", "machine", a.o.Machine, "found", faults)
	}
	return now
}

func rank(l machine.Level) int {
	if l == machine.Fault {
		return 0
	}
	return 1
}
