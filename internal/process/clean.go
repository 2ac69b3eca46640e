package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
)

// CleanOptions say what to clean up after.
type CleanOptions struct {
	// RuntimeDir, Instance and Cgroup as in Options.
	RuntimeDir string
	Instance   string
	Cgroup     string
	// Grace is how long a guard that is still at work may go on, stopping its
	// node politely, before it is killed with its node. Default 250 ms: enough
	// to write down what it knows where the node is gone already.
	Grace time.Duration
	// Clock defaults to clock.System; nil Log is silent.
	Clock clock.Clock
	Log   *slog.Logger
}

// Proof is what Clean knows when it returns without an error.
type Proof struct {
	// Proven tells that the tree of the last start recorded on this machine
	// is gone beyond doubt: it was seen dead by its guard or its agent, or
	// its cgroup is empty. Otherwise nothing was found, which proves little:
	// for example after the runtime directory was lost.
	Proven bool
	// How says in words why Proven is what it is.
	How string
	// Epoch is that of the last start recorded; 0 if there is no record.
	// Proven speaks of this epoch and the earlier ones of this machine.
	Epoch uint64
	// Machine is BootID now.
	Machine string
	// Killed counts the processes that were still there.
	Killed int
}

// Clean kills whatever an earlier agent of this instance left on this machine
// and returns once nothing of it is found any more. The caller holds the Lock,
// so no other agent of the instance runs. An error means that something may
// live; ctx bounds the wait.
func Clean(ctx context.Context, o CleanOptions) (Proof, error) {
	p, err := clean(ctx, o)
	if err != nil {
		return p, fmt.Errorf("clean up after an earlier agent: %w", err)
	}
	return p, nil
}

type cleaner struct {
	o       CleanOptions
	machine string
	guard   *os.File // the guard's lock, once we have it
	last    survey   // the last pass that came to an end
	killed  map[ident]bool
}

// survey is what one pass has seen.
type survey struct {
	rec    *record // of this boot of this machine, nil if there is none
	other  *record // of another boot or pid namespace
	recErr error
	found  []procStat // alive, and killed by this pass
	// populated tells that a cgroup still holds something, which need not be
	// a process that can be seen from this pid namespace.
	populated bool
}

func clean(ctx context.Context, o CleanOptions) (Proof, error) {
	if o.Clock == nil {
		o.Clock = clock.System()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Grace == 0 {
		o.Grace = defaultCleanGrace
	}
	if o.Instance == "" {
		return Proof{}, errors.New("no instance name")
	}
	if err := makeRuntimeDir(o.RuntimeDir); err != nil {
		return Proof{}, err
	}
	machine, err := BootID()
	if err != nil {
		return Proof{}, err
	}
	c := &cleaner{o: o, machine: machine, killed: map[ident]bool{}}
	defer c.close()
	if err := c.awaitGuard(ctx); err != nil {
		return Proof{Machine: machine}, err
	}
	if err := c.purge(ctx); err != nil {
		return Proof{Machine: machine, Killed: len(c.killed)}, err
	}
	return c.conclude()
}

func (c *cleaner) close() {
	if c.guard != nil {
		_ = unlock(c.guard) // what could not be unlocked is closed, and the kernel unlocks it
	}
}

// awaitGuard gives a guard that is at work its grace.
func (c *cleaner) awaitGuard(ctx context.Context) error {
	until := c.o.Clock.Now().Boot + c.o.Grace
	for !c.lockGuard() && c.o.Clock.Now().Boot < until {
		if err := clock.Wait(ctx, c.o.Clock, cleanPeriod); err != nil {
			return fmt.Errorf("%w: %w", ErrAlive, err)
		}
	}
	return nil
}

// lockGuard takes the lock that a guard holds for as long as it lives. Having
// it proves that no guard is left that could still start a node.
func (c *cleaner) lockGuard() bool {
	if c.guard != nil {
		return true
	}
	f, err := flock(guardLockPath(c.o.RuntimeDir))
	if err == nil {
		c.guard = f
	}
	return err == nil
}

const defaultCleanGrace = 250 * time.Millisecond

// cleanPeriod is the pause between two passes.
const cleanPeriod = 5 * time.Millisecond

// purge kills until two passes in a row have found nothing and no guard lives.
func (c *cleaner) purge(ctx context.Context) error {
	for calm := 0; calm < 2; {
		if err := c.pass(ctx); err != nil {
			return fmt.Errorf("%w: %s%w", ErrAlive, c.last.describe(), err)
		}
		if len(c.last.found) == 0 && !c.last.populated && c.lockGuard() {
			calm++
			continue
		}
		calm = 0
		if err := clock.Wait(ctx, c.o.Clock, cleanPeriod); err != nil {
			return fmt.Errorf("%w: %s%w", ErrAlive, c.last.describe(), err)
		}
	}
	return nil
}

// describe names what was found, ready to be put before an error.
func (s survey) describe() string {
	words := []string{}
	for _, p := range s.found {
		words = append(words, leftover(p).String())
	}
	if s.populated {
		words = append(words, "a cgroup that is not empty")
	}
	if len(words) == 0 {
		return ""
	}
	return strings.Join(words, ", ") + ": "
}

// pass kills what is there. It does its work in a goroutine that shares nothing
// with us: a process that is stuck in the kernel can hold up who looks at it for ever.
func (c *cleaner) pass(ctx context.Context) error {
	type result struct {
		survey
		err error
	}
	done := make(chan result, 1)
	o, machine := c.o, c.machine
	go func() {
		s := survey{}
		err := s.look(o, machine)
		done <- result{s, err}
	}()
	select {
	case r := <-done:
		for _, p := range r.found {
			c.killed[p.ident()] = true
		}
		c.last = r.survey
		return r.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *survey) look(o CleanOptions, machine string) error {
	s.load(o, machine)
	cgroups := s.cgroups(o)
	inside, err := membersOf(cgroups)
	if err != nil {
		return err
	}
	t, err := readTable()
	if err != nil {
		return err
	}
	for _, cg := range cgroups {
		if err := cg.kill(); err != nil {
			return err
		}
	}
	roots := s.roots(t, inside, o.Instance)
	for _, p := range t.oldestFirst() {
		if p.dead() || !below(t, p.pid, roots) {
			continue
		}
		s.found = append(s.found, p)
		if err := p.ident().kill(); err != nil {
			return err
		}
	}
	return s.removeEmpty(cgroups)
}

// load reads the record anew: a guard that was still alive may have changed it.
func (s *survey) load(o CleanOptions, machine string) {
	var r *record
	r, s.recErr = readRecord(recordPath(o.RuntimeDir))
	if r != nil && r.Machine == machine {
		s.rec = r
	} else {
		s.other = r
	}
}

// cgroups returns those that the record or their name gives to this instance.
func (s *survey) cgroups(o CleanOptions) []cgroup {
	var all []cgroup
	if s.rec != nil && s.rec.Cgroup != "" {
		all = append(all, cgroup(s.rec.Cgroup))
	}
	setting := o.Cgroup
	if setting == CgroupOff {
		setting = CgroupAuto
	}
	parent, err := cgroupParent(setting)
	if err != nil {
		return all // no cgroups on this machine
	}
	named, _ := filepath.Glob(filepath.Join(parent, instancePrefix(o.Instance)+"*"))
	for _, n := range named {
		all = append(all, cgroup(n))
	}
	return all
}

func membersOf(cgroups []cgroup) (map[ident]bool, error) {
	inside := map[ident]bool{}
	for _, cg := range cgroups {
		ids, err := cg.processes()
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			inside[id] = true
		}
	}
	return inside, nil
}

// removeEmpty removes the cgroups that have become empty and notes whether one has not.
func (s *survey) removeEmpty(cgroups []cgroup) error {
	for _, cg := range cgroups {
		alive, err := cg.populated()
		if err != nil {
			return err
		}
		if alive {
			s.populated = true
			continue
		}
		if err := cg.remove(); err != nil && !errors.Is(err, unix.EBUSY) {
			return err
		}
	}
	return nil
}

// roots are the processes that are known to be of an old tree or its guard.
func (s *survey) roots(t table, inside map[ident]bool, instance string) map[int]bool {
	roots, self := map[int]bool{}, os.Getpid()
	for pid, p := range t {
		if pid == self || p.dead() {
			continue
		}
		if inside[p.ident()] || s.recorded(t, p) || marked(pid, instance) {
			roots[pid] = true
		}
	}
	return roots
}

// recorded tells whether the record names the process or its session.
func (s *survey) recorded(t table, p procStat) bool {
	if s.rec == nil || s.rec.Dead || p.pid <= 1 {
		return false
	}
	if p.ident() == s.rec.Guard || p.ident() == s.rec.Node {
		return true
	}
	// A session keeps its number from being given away while it has members;
	// if a younger process leads it, it is another session.
	leader, led := t[s.rec.Node.PID]
	return s.rec.Node.PID > 1 && p.session == s.rec.Node.PID && p.start >= s.rec.Node.Start &&
		(!led || leader.start == s.rec.Node.Start)
}

// marked tells whether a process carries the instance's mark in its environment.
func marked(pid int, instance string) bool {
	vars, err := environ(pid, InstanceVar, NodeMark, GuardMark)
	if err != nil || vars[InstanceVar] != instance {
		return false // one that may not be read is another user's
	}
	return vars[NodeMark] != "" || vars[GuardMark] != ""
}

// below tells whether pid is one of the roots or descends from one.
func below(t table, pid int, roots map[int]bool) bool {
	self := os.Getpid()
	for range len(t) {
		if pid == self || pid <= 1 {
			return false
		}
		if roots[pid] {
			return true
		}
		p, ok := t[pid]
		if !ok {
			return false
		}
		pid = p.ppid
	}
	return false
}

// conclude says what it is worth that nothing was found.
func (c *cleaner) conclude() (Proof, error) {
	s, p := c.last, Proof{Machine: c.machine, Killed: len(c.killed)}
	switch {
	case s.recErr != nil:
		p.How = "the state file cannot be read: " + s.recErr.Error()
	case s.other != nil:
		p.Epoch = s.other.Epoch
		p.How = "the last start was before this boot of the machine, or in another container"
	case s.rec == nil:
		p.How = "no start is recorded in " + c.o.RuntimeDir
	case s.rec.Instance != c.o.Instance:
		p.How = fmt.Sprintf("the last start recorded is of another instance, %q", s.rec.Instance)
	case s.rec.Dead:
		p.Proven, p.Epoch, p.How = true, s.rec.Epoch, "the last node was seen dead, as recorded"
	case s.rec.Cgroup != "":
		p.Proven, p.Epoch, p.How = true, s.rec.Epoch, "the cgroup of the last node is empty"
	default:
		p.Epoch = s.rec.Epoch
		p.How = "the last node was not seen dead and had no cgroup; none of its processes was found"
	}
	if len(c.killed) > 0 {
		c.o.Log.Warn("processes of an earlier agent were killed", "count", len(c.killed), "proven", p.Proven)
	}
	return p, c.bury(p)
}

// bury records a proof that was found here, so that it outlives this agent.
func (c *cleaner) bury(p Proof) error {
	r := c.last.rec
	if !p.Proven || r.Dead {
		return nil
	}
	r.Dead = true
	return r.write(recordPath(c.o.RuntimeDir))
}
