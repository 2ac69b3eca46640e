package status

import (
	"context"
	"net/http"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/clock"
)

const (
	// streamLook is how often a stream looks at the agent though nobody rang: a term of the lease knows of its end a
	// moment before the agent does.
	streamLook = 100 * time.Millisecond
	// leaselessTrust is how long a word may be believed of an agent that needs no lease: as long as its heartbeats
	// come, and a few may be lost.
	leaselessTrust = 10 * time.Second
)

// stream answers GET /hot?watch: a word now, one for every change, and one for every heartbeat. It is what a balancer
// listens to, and like /hot it never waits for the agent: "not hot" is said at Trust.StopAt, whatever hangs.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	received := s.o.Clock.Now()
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := http.NewResponseController(w)
	if err := out.SetReadDeadline(time.Time{}); err != nil {
		return // the client has gone: that deadline was for his request, which is here
	}
	life := received.Boot + balancer.WordStreamLife
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		life = received.Boot // no place is left: one word, and he may ask again
	}
	_ = s.talk(r.Context(), w, out, received, life) // an error here is the client's, who has gone or does not read
}

// talk says words until life is over or ctx ends.
func (s *Server) talk(ctx context.Context, w http.ResponseWriter, out *http.ResponseController, received clock.Reading, life time.Duration) error {
	timer := s.o.Clock.Timer(received.Boot)
	defer timer.Stop()
	var last said
	for {
		rung := s.o.Bell.next() // before the look, so that no change falls between
		v, now := s.look()
		if word := wordOf(v, now, received); last.due(word, v.Trust.StopAt, now) {
			last = said{word: word, at: now.Boot, stopAt: v.Trust.StopAt, any: true}
			if err := out.SetWriteDeadline(clock.System().Now().Wall.Add(s.limits.line)); err != nil { // sockets know the system's clock only
				return err
			}
			if _, err := w.Write(word.Line()); err != nil {
				return err
			}
			if err := out.Flush(); err != nil {
				return err
			}
		}
		if now.Boot >= life {
			return nil
		}
		timer.Reset(last.next(v, now))
		select {
		case <-rung:
		case <-timer.C():
		case <-ctx.Done():
			return nil
		}
	}
}

// said is what a stream said last.
type said struct {
	any    bool
	word   balancer.Word
	at     time.Duration
	stopAt time.Duration
}

// due tells whether a word has to be said: it is new, it lasts longer than the last one, or a heartbeat is due.
func (l said) due(w balancer.Word, stopAt time.Duration, now clock.Reading) bool {
	was := l.word
	was.Trust, was.Held, w.Trust, w.Held = 0, 0, 0, 0
	return !l.any || w != was || stopAt > l.stopAt || now.Boot >= l.at+balancer.WordHeartbeat
}

// next is when the agent is looked at again though nobody rang.
func (l said) next(v View, now clock.Reading) time.Duration {
	at := min(now.Boot+streamLook, l.at+balancer.WordHeartbeat)
	if v.Hot && !v.Leaseless {
		at = min(at, v.Trust.StopAt)
	}
	return at
}

// wordOf is the view as a balancer hears it. Now is the reading that the view was made with, received the one that was
// taken when the request was here.
func wordOf(v View, now, received clock.Reading) balancer.Word {
	return balancer.Word{
		Lease: v.Lease, Machine: v.Machine, State: string(v.State), Ready: v.Ready, Hot: v.Hot, Epoch: v.Epoch,
		Trust: serves(v, now), Held: now.Boot - received.Boot, Why: v.WhyNotHot,
	}
}

// serves is for how long the machine stays hot without another renewal.
func serves(v View, now clock.Reading) time.Duration {
	switch {
	case !v.Hot:
		return 0
	case v.Leaseless:
		return leaselessTrust
	}
	return max(0, v.Trust.StopAt-now.Boot)
}
