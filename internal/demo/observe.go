package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/witness"
)

// observer tells what changes on the scene. One goroutine owns it.
type observer struct {
	s    *show
	seen scene
	told int // turns that were told
	gone [2]bool
	// dead are the runs whose end was told.
	dead map[witness.LifeID]bool
	two  bool // that two nodes live was told
}

// lateAnswer is how long a turn is held back until the agent calls itself hot.
const lateAnswer = 2 * time.Second

// run looks and tells until ctx ends.
func (o *observer) run(ctx context.Context) {
	o.dead = map[witness.LifeID]bool{}
	for {
		now := o.s.scene()
		o.agents(now)
		o.nodes(now)
		o.turns(now)
		o.s.tell.show(bottom(o.s, now))
		o.seen = now
		if clock.Wait(ctx, o.s.o.Clock, lookPause) != nil {
			return
		}
	}
}

// agents tells how the states of the two changed.
func (o *observer) agents(now scene) {
	for i, v := range now.views {
		was, name := o.seen.views[i], o.s.stage.machines[i].Name
		if !v.answered {
			o.gone[i] = o.gone[i] || was.answered
			continue
		}
		back := o.gone[i]
		o.gone[i] = false
		if v.State == was.State && v.able() == was.able() && !back {
			continue
		}
		if n, text := change(v, v.State != was.State, back); text != "" {
			o.s.tell.say(n, "%s %s", name, o.s.brief(text))
		}
	}
}

// brief leaves out what everybody here knows: the folders in the names of the
// instances, and the last words of a node that was killed.
func (s *show) brief(text string) string {
	for _, m := range s.stage.machines {
		text = strings.ReplaceAll(text, m.Name+":"+m.Dir, m.Name)
	}
	text, _, _ = strings.Cut(text, "; its last line: ")
	return text
}

// change says in words what became of an agent that is in another state, or
// came back, or became able to take over. What the client tells better is left
// to it, and so is what lasts but a moment.
func change(v view, moved, back bool) (tone, string) {
	why := v.reason()
	switch {
	case v.able():
		return plain, "is cold and could take over"
	case back && v.State == "hot" && !v.Hot:
		return plain, "answers again, and is no longer hot: " + v.WhyNot
	case back && v.State == "hot":
		return plain, "answers again, and is hot"
	case !moved && !back:
		return plain, ""
	}
	switch v.State {
	case "starting":
		if why == "the lease is ours" || strings.HasPrefix(why, "not ready yet") {
			return plain, fmt.Sprintf("has the lease, epoch %d, and starts its node", v.Epoch)
		}
		return plain, "starts its node again: " + why
	case "stopping":
		return plain, "stops its node: " + why
	case "fencing":
		return harm, "fences its node: " + why
	case "failed":
		return bad, "gave up: " + why
	case "paused":
		return harm, "does nothing: " + why
	case "cold":
		if why == "" || why == "just started" || why == "the node was stopped here" {
			return plain, ""
		}
		return plain, "is cold: " + why
	}
	return plain, ""
}

// nodes tells of nodes that ended while nobody but their guard looked after
// them, and of what must never be.
func (o *observer) nodes(now scene) {
	living := 0
	for _, l := range now.lives {
		if l.Alive {
			living++
			continue
		}
		if o.dead[l.ID()] {
			continue
		}
		o.dead[l.ID()] = true
		if k := o.s.keeperOf(l.Instance); k != nil && !k.able() && !o.s.killed(l) {
			o.s.tell.say(plain, "%s's node is dead: its guard ended it", l.Instance)
		}
	}
	if living > 1 && !o.two {
		o.s.tell.say(bad, "TWO NODES ARE ALIVE AT ONCE")
	}
	o.two = living > 1
}

// turns tells each step to another run once the client had an answer from it
// and its agent calls it hot.
func (o *observer) turns(now scene) {
	all := turns(changes(now.lives), now.progress.Stalls, o.s.deedsSoFar(), now)
	for _, t := range all[min(o.told, len(all)):] {
		_, measured := now.starts[t.to.PID]
		late := o.s.o.Clock.Now().Boot-t.at > lateAnswer
		if overtaken := t.to.ID() != now.lives[len(now.lives)-1].ID(); !overtaken && (t.silent == 0 || (!measured && !late)) {
			return
		}
		o.told++
		if t.silent == 0 {
			continue // it ended before it answered
		}
		n := good
		if !t.held() {
			n = bad
		}
		o.s.tell.say(n, "%v", t)
		o.s.turned(t)
	}
}

// bottom is the line that changes in place.
func bottom(s *show, now scene) string {
	hot := "nobody is hot"
	if l, ok := now.alive(); ok {
		hot += ", " + l.Instance + "'s node still lives"
	}
	if i := now.hot(); i >= 0 {
		v := now.views[i]
		hot = fmt.Sprintf("%s is hot, epoch %d, trust %.1f s", s.stage.machines[i].Name, v.Epoch, v.TrustSec)
	}
	var rest []string
	for i, v := range now.views {
		name := s.stage.machines[i].Name
		switch k := s.keepers[i]; {
		case i == now.hot():
		case k.isFrozen():
			rest = append(rest, name+" is frozen")
		case !v.answered:
			rest = append(rest, name+" is down")
		case v.able():
			rest = append(rest, name+" could take over")
		default:
			rest = append(rest, name+" is "+v.State)
		}
	}
	text := fmt.Sprintf(" %s | %s | %d writes", hot, strings.Join(rest, ", "), now.progress.Acked)
	if s.o.Keys != nil {
		text += " | ? help, q report"
	}
	return text
}
