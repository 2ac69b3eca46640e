package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/witness"
)

// show is one run of the demo.
type show struct {
	o       Options
	stage   *stage
	nursery *nursery
	tell    *teller
	watch   *watcher
	// client writes through the balancer, as clients do. stray writes straight
	// to the nodes, which nobody should: one that should not be there must get
	// its chance to do damage.
	client, stray *witness.Client
	keepers       [2]*keeper
	// fail ends the show with an error.
	fail context.CancelCauseFunc

	errands sync.WaitGroup // commands and outages under way

	mu     sync.Mutex // guards all below
	deeds  []deed
	victim map[witness.LifeID]bool // nodes that the demo itself killed
	done   []turn                  // turns that were told
	busy   bool                    // a command runs
	locked bool                    // the database of the lease is locked
	failed []string                // what the script waited for in vain
}

// director leads through the show, by a script or by keys.
type director func(ctx context.Context, s *show) error

// Run shows the demo and returns what the audit found. It ends early when ctx
// does, with its cause and without a report.
func Run(ctx context.Context, o Options) (Report, error) {
	direct := script
	if o.Keys != nil {
		direct = byKeys
	}
	return run(ctx, o, direct)
}

func run(ctx context.Context, o Options, direct director) (r Report, err error) {
	if err := o.complete(); err != nil {
		return Report{}, err
	}
	st, err := build(ctx, o)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, st.remove()) }()
	n, err := newNursery()
	if err != nil {
		return Report{}, err
	}
	defer n.close()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	s := &show{o: o, stage: st, nursery: n, fail: fail, watch: newWatcher(o.Clock), victim: map[witness.LifeID]bool{}}
	s.tell = newTeller(o, fail)
	if err := s.newClients(); err != nil {
		return Report{}, err
	}
	for i, m := range st.machines {
		s.keepers[i] = &keeper{m: m, o: &s.o, nursery: n, tell: s.tell, broken: fail}
	}
	s.greet()
	if err := s.play(ctx, direct); err != nil {
		s.tell.say(plain, "ended: nothing of it runs any more%s", s.folderWords())
		return Report{}, err
	}
	return s.report(context.WithoutCancel(ctx))
}

// newClients makes the two that write.
func (s *show) newClients() (err error) {
	through := []string{s.stage.front.P2P}
	s.client, err = witness.NewClient(witness.ClientOptions{
		Name: "demo", Clock: s.o.Clock, Pace: pace, Candidates: func(context.Context) []string { return through },
	})
	if err != nil {
		return err
	}
	s.stray, err = witness.NewClient(witness.ClientOptions{
		Name: "stray", Clock: s.o.Clock, Pace: strayPace, Retry: strayPace,
		Candidates: func(context.Context) []string {
			a, b := s.stage.machines[0].P2P, s.stage.machines[1].P2P
			if s.watch.scene().hot() == 0 {
				return []string{b, a} // the cold one first
			}
			return []string{a, b}
		},
	})
	return err
}

// pace is the least time between two writes: fifty a second show every gap that
// a person could notice, and leave the disk to the lease. strayPace is that of
// the client that nobody should have.
const (
	pace      = 20 * time.Millisecond
	strayPace = 100 * time.Millisecond
)

func (s *show) greet() {
	t := s.tell
	t.print(bold, "hotcold demo: one node, two machines; always one, never two")
	t.print(plain, "Each machine is an agent of its own (hotcold run). They share a lease in a database (SQLite)")
	t.print(plain, "and a drive (a folder). A balancer (hotcold balance) gives them one address, and a client writes")
	t.print(plain, "to that address, all the time. Another one tries both nodes directly, to find one that should be dead.")
	t.print(plain, "To look for yourself, in another terminal:")
	t.print(dim, fmt.Sprintf("  %s status -c %s", shellWord(s.o.Executable), shellWord(s.stage.machines[0].Conf)))
	t.print(dim, fmt.Sprintf("  %s balance status -c %s", shellWord(s.o.Executable), shellWord(s.stage.front.Conf)))
	t.print(dim, fmt.Sprintf("  tail -f %s", shellWord(s.stage.machines[0].Log)))
	t.print(plain, "")
}

// play starts all, lets the director lead, and ends all. The order of the
// ending: the clients, then the agents with their nodes, the cold one first so
// that it does not take over, then the balancer; what watches them goes last.
func (s *show) play(ctx context.Context, direct director) error {
	watching, endWatch := context.WithCancel(context.WithoutCancel(ctx))
	var watchers sync.WaitGroup
	watchers.Go(func() { s.nursery.reap(watching) })
	for i, m := range s.stage.machines {
		watchers.Go(func() { s.watch.run(watching, i, m) })
	}
	writing, endWriting := context.WithCancel(watching)
	var writer sync.WaitGroup
	for _, c := range []*witness.Client{s.client, s.stray} {
		writer.Go(func() { _ = c.Run(writing) }) // it returns why it was ended
	}
	balancing, endBalance := context.WithCancel(watching)
	var balancer sync.WaitGroup
	balancer.Go(func() { s.balance(balancing) })

	pair := newPair(watching, s.keepers)
	err := s.raise(ctx, pair)
	if err == nil {
		err = s.observed(ctx, direct)
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	s.fail(errors.Join(errOver, err))
	s.errands.Wait()
	endWriting()
	writer.Wait()
	if err == nil {
		s.tell.say(plain, "the demo ends: both agents are told to stop")
	}
	pair.end(s.coldFirst())
	endBalance()
	balancer.Wait()
	s.sweep(watching)
	endWatch()
	watchers.Wait()
	return err
}

// observed lets the director lead while the observer tells what becomes of it.
func (s *show) observed(ctx context.Context, direct director) error {
	talking, endTalk := context.WithCancel(context.WithoutCancel(ctx))
	var talk sync.WaitGroup
	talk.Go(func() { (&observer{s: s, seen: s.scene()}).run(talking) })
	defer func() {
		endTalk()
		talk.Wait()
		s.tell.hide()
	}()
	return direct(ctx, s)
}

// errOver is why errands end when the show is over.
var errOver = errors.New("the demo is over")

// raise starts the two machines, one after the other, so that it is always the
// same one that begins hot.
func (s *show) raise(ctx context.Context, p *pair) error {
	a, b := s.stage.machines[0].Name, s.stage.machines[1].Name
	s.tell.say(plain, "the balancer is started: the pair's one address is %s", s.stage.front.P2P)
	s.tell.say(plain, "%s: its agent is started", a)
	p.start(0)
	if err := s.await(ctx, a+" to be hot", func(n scene) bool { return n.hot() == 0 && n.progress.Acked > 0 }); err != nil {
		return err
	}
	s.tell.say(good, "%s is hot under epoch %d, and the client writes through the balancer to its node", a, s.scene().views[0].Epoch)
	s.tell.say(plain, "%s: its agent is started", b)
	p.start(1)
	if err := s.await(ctx, b+" to be able to take over", func(n scene) bool { return n.views[1].able() }); err != nil {
		return err
	}
	s.tell.say(plain, "%s is cold and could take over", b)
	n := s.scene()
	s.tell.say(plain, "if a machine dies, the other takes over within %s and the node's own start (update %v, wait %v)",
		atMost(n.bound), s.o.Update, s.o.Wait)
	return nil
}

// scene gathers what is known now.
func (s *show) scene() scene {
	n := s.watch.scene()
	n.progress = s.client.Progress()
	n.lives, _ = witness.ReadLives(s.stage.records) // the audit tells what is wrong with them
	return n
}

// await looks until cond holds.
func (s *show) await(ctx context.Context, what string, cond func(scene) bool) error {
	by := s.o.Clock.Now().Boot + awaitLimit
	for !cond(s.scene()) {
		if s.o.Clock.Now().Boot >= by {
			return &vainError{fmt.Sprintf("waited %v for %s in vain", awaitLimit, what)}
		}
		if err := clock.Wait(ctx, s.o.Clock, lookPause/2); err != nil {
			return err
		}
	}
	return nil
}

// awaitLimit is far more than anything here may take on a busy machine.
const awaitLimit = 30 * time.Second

// vainError says what did not happen.
type vainError struct{ text string }

func (e *vainError) Error() string { return e.text }

// turned notes a turn that was told.
func (s *show) turned(t turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = append(s.done, t)
}

func (s *show) turnsTold() []turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.done)
}

func (s *show) deedsSoFar() []deed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deeds)
}

// note remembers a deed, at the moment before it is done.
func (s *show) note(what, excuse string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deeds = append(s.deeds, deed{at: s.o.Clock.Now().Boot, what: what, excuse: excuse})
}

func (s *show) killed(l witness.Life) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.victim[l.ID()]
}

// index finds a machine by its name.
func (s *show) index(name string) int {
	return slices.IndexFunc(s.stage.machines[:], func(m *machine) bool { return m.Name == name })
}

func (s *show) keeperOf(name string) *keeper {
	if i := s.index(name); i >= 0 {
		return s.keepers[i]
	}
	return nil
}

// folderWords say what became of the folder.
func (s *show) folderWords() string {
	if s.stage.keep {
		return "; its folder stays: " + s.stage.dir
	}
	return ", its folder is removed"
}

// shellWord writes a path so that a shell takes it as one word.
func shellWord(path string) string {
	if !strings.ContainsFunc(path, func(r rune) bool {
		return r <= ' ' || strings.ContainsRune("'\"\\$&|;<>()*?[]#~`!{}", r)
	}) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
