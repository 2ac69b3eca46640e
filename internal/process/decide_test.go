package process

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// at is a fact that becomes known at a boot-clock reading.
type at struct {
	now time.Duration
	event
}

func TestWhatEndsANode(t *testing.T) {
	d := Deadline{StopAt: 100, KillAt: 200, DeadBy: 300}
	for name, c := range map[string]struct {
		lossGrace time.Duration
		facts     []at
		phase     phase
		cause     Cause
		acts      []actions
	}{
		"nothing happens before the deadline": {facts: []at{{now: 99}}, phase: running},
		"the deadline stops":                  {facts: []at{{now: 100}}, phase: stopping, cause: Fenced, acts: []actions{askFenced}},
		"then kills":                          {facts: []at{{now: 100}, {now: 199}, {now: 200}}, phase: killing, cause: Fenced, acts: []actions{askFenced, killPass}},
		"one that comes late does both":       {facts: []at{{now: 250}}, phase: killing, cause: Fenced, acts: []actions{askFenced, killPass}},
		"one that comes very late does all":   {facts: []at{{now: 300}}, phase: killing, cause: Fenced, acts: []actions{askFenced, killPass, tellOverdue}},
		"an extension moves it":               {facts: []at{{99, event{kind: extend, deadline: Deadline{150, 250, 350}}}, {now: 149}}, phase: running},
		"one instant too late does not":       {facts: []at{{100, event{kind: extend, deadline: Deadline{150, 250, 350}}}}, phase: stopping, cause: Fenced, acts: []actions{askFenced}},
		"an earlier deadline is not taken":    {facts: []at{{10, event{kind: extend, deadline: Deadline{20, 30, 40}}}, {now: 99}}, phase: running},
		"a deadline out of order neither":     {facts: []at{{10, event{kind: extend, deadline: Deadline{500, 400, 300}}}, {now: 100}}, phase: stopping, cause: Fenced, acts: []actions{askFenced}},
		"a planned stop asks":                 {facts: []at{{10, event{kind: stop, killAt: 50}}, {now: 49}}, phase: stopping, cause: Planned, acts: []actions{askPlanned}},
		"and kills after its grace":           {facts: []at{{10, event{kind: stop, killAt: 50}}, {now: 50}}, phase: killing, cause: Planned, acts: []actions{askPlanned, killPass}},
		"but never after the deadline":        {facts: []at{{10, event{kind: stop, killAt: 500}}, {now: 200}}, phase: killing, cause: Planned, acts: []actions{askPlanned, killPass}},
		"which goes on to move":               {facts: []at{{10, event{kind: stop, killAt: 500}}, {50, event{kind: extend, deadline: Deadline{400, 500, 600}}}, {now: 399}}, phase: stopping, cause: Planned, acts: []actions{askPlanned}},
		"a shorter grace counts":              {facts: []at{{10, event{kind: stop, killAt: 90}}, {20, event{kind: stop, killAt: 30}}, {now: 30}}, phase: killing, cause: Planned, acts: []actions{askPlanned, killPass}},
		"a longer one does not":               {facts: []at{{10, event{kind: stop, killAt: 30}}, {20, event{kind: stop, killAt: 90}}, {now: 30}}, phase: killing, cause: Planned, acts: []actions{askPlanned, killPass}},
		"kill kills":                          {facts: []at{{10, event{kind: kill}}}, phase: killing, cause: Asked, acts: []actions{killPass}},
		"kill during a stop keeps the cause":  {facts: []at{{10, event{kind: stop, killAt: 90}}, {11, event{kind: kill}}}, phase: killing, cause: Planned, acts: []actions{askPlanned, killPass}},
		"exit kills the rest":                 {facts: []at{{10, event{kind: mainExit}}}, phase: killing, cause: ByItself, acts: []actions{killPass}},
		"exit in a stop leaves it its grace":  {facts: []at{{10, event{kind: stop, killAt: 90}}, {11, event{kind: mainExit}}, {now: 89}}, phase: stopping, cause: Planned, acts: []actions{askPlanned}},
		"a lost guard kills":                  {facts: []at{{10, event{kind: lost}}}, phase: killing, cause: GuardLost, acts: []actions{killPass}},
		"a lost agent stops":                  {lossGrace: 20, facts: []at{{10, event{kind: lost}}, {now: 29}}, phase: stopping, cause: GuardLost, acts: []actions{askFenced}},
		"and then kills":                      {lossGrace: 20, facts: []at{{10, event{kind: lost}}, {now: 30}}, phase: killing, cause: GuardLost, acts: []actions{askFenced, killPass}},
		"not after the deadline":              {lossGrace: 500, facts: []at{{10, event{kind: lost}}, {now: 200}}, phase: killing, cause: GuardLost, acts: []actions{askFenced, killPass}},
		"killing goes on":                     {facts: []at{{10, event{kind: kill}}, {now: 10 + firstPassWait}}, phase: killing, cause: Asked, acts: []actions{killPass, killPass, tellOverdue}},
		"overdue is told once":                {facts: []at{{now: 299}, {now: 300}, {now: 301}}, phase: killing, cause: Fenced, acts: []actions{askFenced, killPass, tellOverdue}},
		"gone ends it all":                    {facts: []at{{10, event{kind: kill}}, {11, event{kind: treeGone}}, {now: time.Hour}}, phase: gone, cause: Asked, acts: []actions{killPass}},
	} {
		t.Run(name, func(t *testing.T) {
			f := fate{deadline: d, lossGrace: c.lossGrace, lossCause: GuardLost}
			var acts []actions
			for _, e := range c.facts {
				var more actions
				f, more = f.next(e.now, e.event)
				for _, one := range []actions{askPlanned, askFenced, killPass, tellOverdue} {
					if more.has(one) {
						acts = append(acts, one)
					}
				}
			}
			if f.phase != c.phase || f.cause != c.cause || !slices.Equal(acts, c.acts) {
				t.Errorf("phase %d by %q with %v, want %d by %q with %v", f.phase, f.cause, acts, c.phase, c.cause, c.acts)
			}
		})
	}
}

// Whatever happens in whatever order: a fate that is woken when it asks for it
// stops by StopAt, kills by KillAt, and never comes back.
func TestNoOrderOfEventsOutlivesTheDeadline(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := fate{deadline: Deadline{100, 200, 300}, lossGrace: time.Duration(rapid.IntRange(0, 300).Draw(rt, "lossGrace"))}
		now := time.Duration(0)
		kinds := []eventKind{tick, extend, stop, kill, lost, mainExit}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			before := f
			now += time.Duration(rapid.IntRange(0, 60).Draw(rt, "pause"))
			e := event{kind: rapid.SampledFrom(kinds).Draw(rt, "kind"), killAt: now + time.Duration(rapid.IntRange(0, 400).Draw(rt, "grace"))}
			s := now + time.Duration(rapid.IntRange(-100, 200).Draw(rt, "ahead"))
			e.deadline = Deadline{s, s + 100, s + 200}
			f, _ = f.next(now, e)
			switch {
			case f.phase < before.phase:
				rt.Fatalf("went back from phase %d to %d", before.phase, f.phase)
			case now >= before.deadline.StopAt && f.phase == running:
				rt.Fatalf("runs at %d, had to stop at %d", now, before.deadline.StopAt)
			case now >= before.deadline.StopAt && f.deadline != before.deadline:
				rt.Fatalf("moved the deadline at %d, had to stop at %d", now, before.deadline.StopAt)
			case now >= f.deadline.KillAt && f.phase < killing:
				rt.Fatalf("not killed at %d, deadline %+v", now, f.deadline)
			case f.deadline.StopAt < before.deadline.StopAt || f.deadline.KillAt < before.deadline.KillAt:
				rt.Fatalf("deadline moved back from %+v to %+v", before.deadline, f.deadline)
			case f.phase < gone && f.phase != killing && f.wake() > f.deadline.KillAt:
				rt.Fatalf("sleeps until %d past %d", f.wake(), f.deadline.KillAt)
			}
		}
	})
}
