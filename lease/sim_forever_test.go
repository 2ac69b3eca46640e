package lease

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// simulateUntilStopped runs seed after seed on all processors, keeps one line of
// progress up to date, and says what it was when it is interrupted.
func simulateUntilStopped(t *testing.T) {
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(stopped)
	var over atomic.Bool
	go func() {
		<-stopped
		over.Store(true)
	}()
	begun := clock.System().Now().Boot
	from := uint64(time.Now().UnixNano()) >> 20 // others than last time
	p := &progress{begun: begun, terminal: isTerminal()}
	lanes := runtime.GOMAXPROCS(0)
	t.Run("lanes", func(t *testing.T) {
		for lane := range lanes {
			t.Run(fmt.Sprint(lane), func(t *testing.T) {
				t.Parallel()
				last := tally{}
				sweep(t, from+uint64(lane), uint64(lanes), usual(), func(s tally, _ *world) bool {
					p.add(s, last)
					last = s
					return !over.Load()
				})
				over.Store(true) // also when a sentence was broken
			})
		}
	})
	p.tell(t.Failed())
}

// progress is what all lanes have simulated.
type progress struct {
	mu       sync.Mutex // guards all below
	sum      tally
	begun    time.Duration
	told     time.Duration
	terminal bool
}

func (p *progress) add(s, last tally) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum.seeds += s.seeds - last.seeds
	p.sum.starts += s.starts - last.starts
	p.sum.takeovers += s.takeovers - last.takeovers
	p.sum.simulated += s.simulated - last.simulated
	if now := clock.System().Now().Boot; p.terminal && now-p.told > 200*ms {
		p.told = now
		fmt.Printf("\r\x1b[K%v; overlaps 0", p.sum)
	}
}

func (p *progress) tell(broken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	overlaps := "overlaps 0"
	if broken {
		overlaps = "A SENTENCE IS BROKEN, see above"
	}
	if p.terminal {
		fmt.Print("\r\x1b[K")
	}
	fmt.Printf("%v; %s; %s\n", p.sum, overlaps, p.sum.perMinute(clock.System().Now().Boot-p.begun))
}

func isTerminal() bool {
	info, err := os.Stdout.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
