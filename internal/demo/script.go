package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// calm is how long nothing happens between two deeds, so that a person can
// follow and a fault has the time to show.
const calm = 1200 * time.Millisecond

// step is one deed of the script.
type step struct {
	title string
	do    func(ctx context.Context, s *show) error
	// after is done once the node is up again.
	after func(ctx context.Context, s *show) error
	// stays: the node may come back on the same machine.
	stays bool
}

func steps() []step {
	plainly := func(f func(*show) error) func(context.Context, *show) error {
		return func(_ context.Context, s *show) error { return f(s) }
	}
	return []step{
		{title: "The node crashes. Its agent starts it again in place (restart.attempts = 1).", do: plainly((*show).killNode), stays: true},
		{title: "It crashes again. Now the other machine gets its chance.", do: plainly((*show).killNode)},
		{title: "The hot agent hangs. Its guard, a process of its own, has to end the node in time.", do: func(ctx context.Context, s *show) error { return s.freeze(ctx) }, after: thawed},
		{title: "The hot agent crashes. Again its guard ends the node, at once this time.", do: plainly((*show).killAgent)},
		{title: "Nobody can reach the database. A holder that cannot renew gives up its node before anybody else may start one.", do: func(ctx context.Context, s *show) error { return s.lockDatabase(ctx) }, stays: true},
		{title: "A planned switchover.", do: func(ctx context.Context, s *show) error { return s.command(ctx, "switchover") }},
		{title: "The whole machine dies.", do: plainly((*show).killMachine)},
	}
}

// script leads through the demo by itself.
func script(ctx context.Context, s *show) error {
	for _, st := range steps() {
		err := s.perform(ctx, st)
		var vain *vainError
		if errors.As(err, &vain) {
			s.failed = append(s.failed, vain.Error())
			s.tell.say(bad, "%v", vain)
			return nil // the report says the rest
		}
		if err != nil {
			return err
		}
	}
	return s.settle(ctx)
}

// performTries is how often a deed is tried: on a busy machine a node may be
// down just when it is to be harmed, or come back where it was.
const performTries = 4

// perform does one deed and waits until the node is up again.
func (s *show) perform(ctx context.Context, st step) error {
	s.tell.print(plain, "")
	s.tell.print(bold, st.title)
	for range performTries {
		if err := s.settle(ctx); err != nil {
			return err
		}
		before := len(s.turnsTold())
		var no *refusal
		if err := st.do(ctx, s); errors.As(err, &no) {
			s.refuse(err)
			continue
		} else if err != nil {
			return err
		}
		err := s.await(ctx, "a node to answer again", func(scene) bool { return len(s.turnsTold()) > before })
		if err != nil {
			return err
		}
		if st.after != nil {
			if err := st.after(ctx, s); err != nil {
				return err
			}
		}
		if st.stays || slices.ContainsFunc(s.turnsTold()[before:], turn.takeover) {
			return nil
		}
		s.tell.say(plain, "it came back where it was: once more")
	}
	return &vainError{fmt.Sprintf("tried %d times, and the other machine did not take over: %s", performTries, st.title)}
}

// settle waits for a while, and then until one machine is hot and the other one
// could take over.
func (s *show) settle(ctx context.Context) error {
	if err := clock.Wait(ctx, s.o.Clock, calm); err != nil {
		return err
	}
	return s.await(ctx, "one machine to be hot and the other one to be able to take over", func(n scene) bool {
		hot := n.hot()
		return hot >= 0 && n.views[1-hot].able()
	})
}

// thawed lets the frozen agent go on, which must do no harm.
func thawed(ctx context.Context, s *show) error {
	if err := clock.Wait(ctx, s.o.Clock, calm); err != nil {
		return err
	}
	return s.thaw()
}
