package demo

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/witness"
)

// view is what an agent says of itself at /state, as far as it is shown here.
type view struct {
	State    string   `json:"state"`
	Ready    bool     `json:"ready"`
	Reasons  []string `json:"reasons"`
	Epoch    int64    `json:"epoch"`
	Paused   bool     `json:"paused"`
	Hot      bool     `json:"hot"`
	WhyNot   string   `json:"whyNotHot"`
	TrustSec float64  `json:"trustLeftSeconds"`
	Timing   struct {
		TakeoverSec float64 `json:"takeoverSeconds"`
	} `json:"timing"`
	Database struct {
		Reachable bool `json:"reachable"`
	} `json:"database"`
	Counters struct {
		RenewalFailures int `json:"renewalFailures"`
	} `json:"counters"`
	Node struct {
		PID      int     `json:"pid"`
		StartSec float64 `json:"startSeconds"`
	} `json:"node"`

	// answered: the agent said so at the last look, and not at one before.
	answered bool
}

func (v view) reason() string {
	if len(v.Reasons) == 0 {
		return ""
	}
	return v.Reasons[0]
}

// slow tells whether the database left the agent without an answer since it was
// last looked at.
func (v view) slow(before view) bool {
	claimed := strings.Contains(v.reason(), "no answer within")
	failed := before.answered && v.Counters.RenewalFailures > before.Counters.RenewalFailures
	return claimed || failed || before.Database.Reachable && !v.Database.Reachable
}

// able: it is cold and would take over.
func (v view) able() bool { return v.answered && v.State == "cold" && v.Ready && !v.Paused }

// scene is all that is known at one moment.
type scene struct {
	views [2]view
	// progress is what the client has done.
	progress witness.Progress
	// lives are the runs of the node so far, ordered by start.
	lives []witness.Life
	// starts are how long nodes took from their start until they were ready,
	// as their agents measured it, by process.
	starts map[int]time.Duration
	bound  time.Duration // of a takeover, the node's own start left out
	// slow are the moments at which the database was found not to answer in
	// time, on CLOCK_BOOTTIME, in their order.
	slow []time.Duration
}

// hot is the index of the machine that may get traffic, or -1.
func (s scene) hot() int {
	for i, v := range s.views {
		if v.answered && v.Hot {
			return i
		}
	}
	return -1
}

// alive is the node that lives, if one does.
func (s scene) alive() (witness.Life, bool) {
	for _, l := range s.lives {
		if l.Alive {
			return l, true
		}
	}
	return witness.Life{}, false
}

const (
	// lookPause is between two looks at an agent: short against a takeover,
	// long against what a look costs.
	lookPause = 50 * time.Millisecond
	// lookLimit is when an agent that does not answer counts as frozen.
	lookLimit = 400 * time.Millisecond
)

// watcher looks at the agents again and again.
type watcher struct {
	clock clock.Clock
	http  *http.Client

	mu     sync.Mutex // guards all below
	views  [2]view
	starts map[int]time.Duration
	bound  time.Duration
	slow   []time.Duration // the latest slowLimit
}

// slowLimit bounds the moments that are kept: only those since the last change
// matter.
const slowLimit = 1000

func newWatcher(c clock.Clock) *watcher {
	// Its own transport, so that the end of the demo can close what it left open.
	return &watcher{clock: c, http: &http.Client{Timeout: lookLimit, Transport: &http.Transport{}}, starts: map[int]time.Duration{}}
}

// run looks at one agent until ctx ends.
func (w *watcher) run(ctx context.Context, i int, m *machine) {
	for ctx.Err() == nil {
		v, err := w.look(ctx, m)
		w.mu.Lock()
		if err != nil {
			w.views[i].answered = false // the rest is what it said last
		} else {
			if v.slow(w.views[i]) {
				w.slow = append(w.slow[max(0, len(w.slow)-slowLimit+1):], w.clock.Now().Boot)
			}
			w.views[i] = v
			w.bound = max(w.bound, time.Duration(v.Timing.TakeoverSec*float64(time.Second)))
			if v.Node.PID != 0 && v.Hot {
				w.starts[v.Node.PID] = time.Duration(v.Node.StartSec * float64(time.Second))
			}
		}
		w.mu.Unlock()
		_ = clock.Wait(ctx, w.clock, lookPause) // the loop looks at ctx itself
	}
	w.http.CloseIdleConnections()
}

func (w *watcher) look(ctx context.Context, m *machine) (view, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.Listen+"/state", nil)
	if err != nil {
		return view{}, err
	}
	answer, err := w.http.Do(r)
	if err != nil {
		return view{}, err
	}
	defer answer.Body.Close()
	v := view{answered: true}
	return v, json.NewDecoder(answer.Body).Decode(&v)
}

// scene adds the agents' part.
func (w *watcher) scene() scene {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := scene{views: w.views, bound: w.bound, starts: make(map[int]time.Duration, len(w.starts)), slow: slices.Clone(w.slow)}
	for pid, d := range w.starts {
		s.starts[pid] = d
	}
	return s
}
