package witness

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Overlap is two runs that were alive at the same time and are not parent and
// child.
type Overlap struct {
	Earlier, Later Life
	// Shared is the time that their intervals have in common.
	Shared time.Duration
	// Met says that the later one found the earlier one alive at its start.
	// With nothing shared, the earlier one was frozen or between two beats.
	Met bool
}

// Change is the step from one run to the next on the same boot.
type Change struct {
	From, To Life
	// Dark is how long nobody was alive.
	Dark time.Duration
	// Unserved is how long nobody was both alive and ready: until the next
	// run was. It is 0 if that one never was.
	Unserved time.Duration
}

// Moved tells a takeover from a restart in place.
func (c Change) Moved() bool { return c.From.Instance != c.To.Instance }

// Loss is an acknowledged write that is not everywhere it has to be.
type Loss struct {
	ID               ID
	Journaled, Table bool // where it is
}

// Report is what an audit found.
type Report struct {
	// Lives are all runs, ordered by start. Changes are the steps between
	// them, children counted with their parents.
	Lives   []Life
	Changes []Change

	// Overlaps are the pairs that lived at once. TwoAlive is the time in
	// which more than one family lived, each instant counted once.
	Overlaps []Overlap
	TwoAlive time.Duration

	// Acked is how many writes were acknowledged, Journaled and Table how
	// many different ones are there.
	Acked, Journaled, Table int
	Lost                    []Loss
	// Duplicates stand in the journal more than once: somebody wrote who had
	// not read what the other wrote.
	Duplicates []ID
	// Disorder says where epochs went backwards or two instances shared one.
	Disorder []string
	// Torn lines were cut short by a crash. Nobody was told that they are
	// there, so they are no fault.
	Torn int
	// Widest is the longest time between two beats of one run: how exactly
	// the records tell the end of a run that was killed.
	Widest time.Duration
}

// Faults tells in one line each what must not have happened. None means that
// everything held.
func (r Report) Faults() []string {
	var faults []string
	for _, o := range r.Overlaps {
		how := fmt.Sprintf("for %v", o.Shared)
		if o.Shared == 0 {
			how = "when the later one started"
		}
		faults = append(faults, fmt.Sprintf("%v and %v were alive at once %s", o.Earlier, o.Later, how))
	}
	if n := len(r.Lost); n > 0 {
		faults = append(faults, fmt.Sprintf("%d acknowledged writes are lost, the first of them %s", n, r.Lost[0].ID))
	}
	if n := len(r.Duplicates); n > 0 {
		faults = append(faults, fmt.Sprintf("%d writes are in the journal twice, the first of them %s", n, r.Duplicates[0]))
	}
	return append(faults, r.Disorder...)
}

// ledger collects what the journal tells, line by line.
type ledger struct {
	seen      map[ID]int
	last      entry
	owner     map[int64]string // who wrote first under each epoch
	shared    map[int64]string // who else did
	backward  int              // how often an epoch follows a greater one
	backwards string           // the first time
}

func newLedger() *ledger {
	return &ledger{seen: map[ID]int{}, owner: map[int64]string{}, shared: map[int64]string{}}
}

func (l *ledger) add(e entry) {
	l.seen[e.id]++
	if e.epoch < l.last.epoch {
		if l.backward++; l.backward == 1 {
			l.backwards = fmt.Sprintf("%s of epoch %d after %s of epoch %d", e.id, e.epoch, l.last.id, l.last.epoch)
		}
	}
	switch owner, ok := l.owner[e.epoch]; {
	case !ok:
		l.owner[e.epoch] = e.instance
	case owner != e.instance && e.epoch > 0: // 0 is what one without a lease has
		l.shared[e.epoch] = e.instance
	}
	l.last = e
}

// disorder tells what is wrong with the epochs in the journal.
func (l *ledger) disorder() []string {
	var found []string
	if l.backward > 0 {
		found = append(found, fmt.Sprintf("epochs go backwards in the journal, %d times, first with %s", l.backward, l.backwards))
	}
	for _, epoch := range slices.Sorted(maps.Keys(l.shared)) {
		found = append(found, fmt.Sprintf("%s and %s both wrote under epoch %d", l.owner[epoch], l.shared[epoch], epoch))
	}
	return found
}

// judge makes the report of all that was read. It is pure.
func judge(lives []Life, l *ledger, table map[ID]struct{}, acked []ID) Report {
	lives = asMet(lives)
	r := Report{Lives: lives, Journaled: len(l.seen), Table: len(table), Disorder: l.disorder()}
	r.Overlaps = overlaps(lives)
	families := gather(lives)
	r.TwoAlive = twoAlive(families)
	r.Changes = changes(families)
	for i, life := range lives {
		r.Widest = max(r.Widest, life.Widest)
		if i > 0 && lives[i-1].Boot == life.Boot && life.Epoch < lives[i-1].Epoch {
			r.Disorder = append(r.Disorder, fmt.Sprintf("%v started after %v", life, lives[i-1]))
		}
	}
	judgeWrites(&r, l, table, acked)
	return r
}

// asMet lets every run live at least until the last time that another one met
// it: one that is frozen or between two beats does not say so itself.
func asMet(lives []Life) []Life {
	lives = slices.Clone(lives)
	for _, b := range lives {
		for i, a := range lives {
			if a.Boot == b.Boot && slices.Contains(b.Met, a.ID()) {
				lives[i].Last = max(a.Last, b.Start)
			}
		}
	}
	return lives
}

func judgeWrites(r *Report, l *ledger, table map[ID]struct{}, acked []ID) {
	told := make(map[ID]struct{}, len(acked))
	for _, id := range acked {
		if _, again := told[id]; again {
			continue // a client may hear of a write twice
		}
		told[id] = struct{}{}
		_, inTable := table[id]
		if inJournal := l.seen[id] > 0; !inTable || !inJournal {
			r.Lost = append(r.Lost, Loss{id, inJournal, inTable})
		}
	}
	r.Acked = len(told)
	for id, n := range l.seen {
		if n > 1 {
			r.Duplicates = append(r.Duplicates, id)
		}
	}
	slices.Sort(r.Duplicates)
}

// overlaps looks at every pair. Lives are ordered by boot and start.
func overlaps(lives []Life) []Overlap {
	var found []Overlap
	for i, a := range lives {
		for _, b := range lives[i+1:] {
			if a.Boot != b.Boot || a.Family == b.Family {
				continue
			}
			o := Overlap{Earlier: a, Later: b, Met: slices.Contains(b.Met, a.ID()) || slices.Contains(a.Met, b.ID())}
			o.Shared = max(0, min(a.Last, b.Last)-max(a.Start, b.Start))
			if o.Shared > 0 || o.Met {
				found = append(found, o)
			}
		}
	}
	return found
}

// family is a run with all children that outlived it.
type family struct {
	root Life
	last time.Duration // the end of the last one
	// lives are the intervals, which need not touch.
	lives []Life
}

func gather(lives []Life) []family {
	var families []family
	for _, life := range lives {
		i := slices.IndexFunc(families, func(f family) bool { return f.root.Boot == life.Boot && f.root.Family == life.Family })
		if i < 0 {
			families = append(families, family{root: life})
			i = len(families) - 1
		}
		f := &families[i]
		f.last = max(f.last, life.Last)
		f.lives = append(f.lives, life)
	}
	return families
}

// twoAlive is the time in which more than one family was alive. It sweeps over
// starts and ends; of two at the same instant the end comes first.
func twoAlive(families []family) time.Duration {
	type edge struct {
		boot   string
		at     time.Duration
		family int
		step   int
	}
	var edges []edge
	for i, f := range families {
		for _, l := range f.lives {
			edges = append(edges, edge{l.Boot, l.Start, i, +1}, edge{l.Boot, l.Last, i, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.boot, b.boot), cmp.Compare(a.at, b.at), cmp.Compare(a.step, b.step))
	})
	total, alive := time.Duration(0), map[int]int{}
	for i, e := range edges {
		if len(alive) > 1 {
			total += e.at - edges[i-1].at
		}
		if alive[e.family] += e.step; alive[e.family] == 0 {
			delete(alive, e.family)
		}
	}
	return total
}

// changes are the steps from each family to the next of the same boot.
func changes(families []family) []Change {
	var found []Change
	end := time.Duration(0) // the end of whoever lived longest so far
	for i, f := range families {
		if i == 0 || families[i-1].root.Boot != f.root.Boot {
			end = f.last
			continue
		}
		c := Change{From: families[i-1].root, To: f.root, Dark: max(0, f.root.Start-end)}
		if f.root.Ready > 0 {
			c.Unserved = max(0, f.root.Ready-end)
		}
		found = append(found, c)
		end = max(end, f.last)
	}
	return found
}
