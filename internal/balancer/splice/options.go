package splice

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"runtime"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/clock"
)

// Options are what a Path needs.
type Options struct {
	Clock clock.Clock
	Log   *slog.Logger
	// Cut, where it is set, is told of each connection that was ended because of its epoch. It must neither block nor call
	// the Path.
	Cut func(balancer.Cut)
	// Closed, where it is set, is told of each client that was let in, once it is gone: the access log. It must neither
	// block nor call the Path.
	Closed func(Closed)
	// Listeners are listening sockets that were inherited: of an earlier process, or of systemd. One whose name is that
	// of a rule serves the rule; otherwise the one that is bound to the rule's frontend does. The first Apply closes those
	// that no rule wants. They belong to the Path from New on.
	Listeners []*os.File
	Limits    Limits
}

// Limits bound what a Path takes. A zero is the default.
type Limits struct {
	// Loops is how many goroutines move bytes. Default: one for each processor that Go uses, at most 8.
	Loops int
	// Leaving is how many clients that were turned away may be waited for, so that they see a FIN. Default: 1,024.
	Leaving int
	// Pipes is how many pipes there may be at once. Default: 48, since Linux gives a user without privileges 64 pipes of
	// 1 MiB (pipe-user-pages-soft), and the node beside us may be the same user.
	Pipes int
	// Header is how long a client may take for its PROXY header. Default: 10 s.
	Header time.Duration
	// Connect is how long one connect may take. Default: 5 s, in which Linux sends its SYN three times.
	Connect time.Duration
	// Patience is how long a client may wait for a machine that is hot but does not accept, where nobody is parked; where
	// clients are parked it is their park time. Default: 10 s.
	Patience time.Duration
}

const (
	defaultLoops    = 8
	defaultLeaving  = 1024
	defaultPipes    = 48
	defaultHeader   = 10 * time.Second
	defaultConnect  = 5 * time.Second
	defaultPatience = 10 * time.Second
)

// filled puts the defaults where nothing was said.
func (l Limits) filled() Limits {
	or := func(n *int, d int) {
		if *n <= 0 {
			*n = d
		}
	}
	wait := func(t *time.Duration, d time.Duration) {
		if *t <= 0 {
			*t = d
		}
	}
	or(&l.Loops, min(runtime.GOMAXPROCS(0), defaultLoops))
	or(&l.Leaving, defaultLeaving)
	or(&l.Pipes, defaultPipes)
	wait(&l.Header, defaultHeader)
	wait(&l.Connect, defaultConnect)
	wait(&l.Patience, defaultPatience)
	return l
}

func (o Options) check() error {
	if o.Clock == nil || o.Log == nil {
		return errors.New("a clock and a log are both needed")
	}
	return nil
}

// End says how a client's connection came to its end.
type End string

// The ends of a connection.
const (
	// EndOrder: both sides had said all.
	EndOrder End = "ended"
	// EndReset: one side reset it, and the other was told so.
	EndReset End = "reset"
	// EndLeft: the client left before it had a machine.
	EndLeft End = "left"
	// EndCut: its epoch was over.
	EndCut End = "cut"
	// EndIdle: it carried nothing for too long.
	EndIdle End = "idle"
	// EndFailed: its machine could not be reached.
	EndFailed End = "failed"
	// EndRefused: nobody was hot, and clients are not parked.
	EndRefused End = "refused"
	// EndOverflowed: nobody was hot, and no more may wait.
	EndOverflowed End = "overflowed"
	// EndExpired: it waited as long as it may.
	EndExpired End = "expired"
	// EndShutdown: the balancer ended, or the rule is gone.
	EndShutdown End = "shutdown"
)

// Closed is one client that was let in and is gone, for the access log.
type Closed struct {
	Rule   string
	Client netip.AddrPort
	// Target is the machine it had; nobody if it never had one.
	Target balancer.Target
	// In are bytes from the client, Out those to it.
	In, Out uint64
	// Age counts from when it was accepted; Waited is how much of that passed before it had a machine.
	Age, Waited time.Duration
	End         End
}
