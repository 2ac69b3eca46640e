package agent

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/clone"
	"github.com/hotcold/hotcold/internal/config"
)

// TwinOptions are what this machine and the others must have alike.
type TwinOptions struct {
	// Selection is what is compared; the zero Selection: nothing.
	Selection clone.Selection
	// Passwords are tried on key stores.
	Passwords []config.Secret
	// Signed are files that are told with their content: the network signs them,
	// and all of it knows them.
	Signed []string
	// Sync is what becomes of those that are new on the hot machine.
	Sync config.Sync
	// AllowOther: a person vouches for a machine with another identity.
	AllowOther bool
	// DevMode: the node makes itself a new identity where a key store is missing.
	DevMode bool
}

const (
	// twinPause is between two looks at the files, and at what the others told.
	twinPause = 10 * time.Second
	// twinLimit bounds one look at the key stores, or at the whole: what has not
	// answered by then is a drive that hangs, and is said to be.
	twinLimit = 10 * time.Minute
	// firstTwinLimit is how long a claim waits for the first comparison of the key
	// stores. After that nothing is known, which is not that they differ.
	firstTwinLimit = 15 * time.Second
	// firstTwinPause is between two tries of that.
	firstTwinPause = 500 * time.Millisecond
	// tellAgain is how often a manifest is told although nothing changed, so that
	// a busy history does not forget it.
	tellAgain = 24 * time.Hour
	// paceBytes is how much is read in a second: a tenth of what a slow disk gives,
	// so that the node keeps its own.
	paceBytes = 16 << 20
)

// twins watches whether this machine is still a twin of the others. It has a
// goroutine of its own, and nothing on the way of a deadline waits for it.
type twins struct {
	a *Agent
	// All below is of that goroutine alone.
	here     clone.Manifest
	stamps   map[string]stamp
	told     string        // digest of what was told last, but for what the node itself writes
	toldAt   time.Duration // boot clock
	others   map[string]otherWord
	complain string // what was logged last
	pending  chan listing
}

// stamp is by what a file is known to be as it was, without reading it.
type stamp struct {
	size            int64
	modified        time.Time
	inode           uint64
	changed, device int64
}

func stampOf(info fs.FileInfo) (stamp, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return stamp{}, false
	}
	return stamp{info.Size(), info.ModTime(), st.Ino, st.Ctim.Nano(), int64(st.Dev)}, true
}

func newTwins(a *Agent) *twins {
	return &twins{a: a, stamps: map[string]stamp{}, others: map[string]otherWord{}}
}

// on tells whether there is anything to compare.
func (t *twins) on() bool { return len(t.a.o.Twins.Selection.Wanted) > 0 && t.a.o.Database != nil }

// run looks again and again, until ctx ends.
func (t *twins) run(ctx context.Context) {
	if !t.on() {
		return
	}
	t.first(ctx)
	for ctx.Err() == nil {
		_ = t.look(ctx, t.a.o.Twins.Selection, paceBytes, twinLimit) // the snapshot says why
		_ = clock.Wait(ctx, t.a.o.Clock, twinPause)
	}
}

// first compares the key stores alone, so that a machine that was just switched on
// does not claim before it knows who it is. Where that cannot be found out although the
// database answers, it is not known, which is not that they differ.
func (t *twins) first(ctx context.Context) {
	sel := t.a.o.Twins.Selection
	if len(sel.Identity) == 0 {
		return
	}
	sel.Wanted = nil
	for _, name := range sel.Identity {
		sel.Wanted = append(sel.Wanted, clone.Wanted{Path: name})
	}
	answered := time.Duration(-1) // since when the database answers
	for ctx.Err() == nil {
		err := t.look(ctx, sel, 0, firstTwinLimit)
		now := t.a.o.Clock.Now().Boot
		if answered < 0 && t.a.Snapshot().Database.Reachable {
			answered = now
		}
		if err == nil || answered >= 0 && now >= answered+firstTwinLimit {
			t.a.sure(err)
			return
		}
		_ = clock.Wait(ctx, t.a.o.Clock, firstTwinPause)
	}
}

// sure lets this machine claim: it is known who it is, or cannot be found out.
func (a *Agent) sure(err error) {
	if err != nil {
		a.o.Log.Warn("the key stores could not be compared with the other machine's: going on without", "machine", a.o.Machine, "err", err)
	}
	a.mu.Lock()
	a.standing.unsure = false
	a.mu.Unlock()
	a.coldReasons()
}

// look lists this machine's files, tells them if they changed, and compares them
// with the other machine's.
func (t *twins) look(parent context.Context, sel clone.Selection, pace int64, within time.Duration) error {
	whole := len(sel.Wanted) == len(t.a.o.Twins.Selection.Wanted)
	ctx, cancel := context.WithTimeoutCause(parent, within, fmt.Errorf("the files of the base directory could not be read within %v", within))
	defer cancel()
	here, err := t.list(ctx, sel, pace)
	if err == nil && whole {
		t.here = here
		t.tell(here)
	}
	var view Twins
	if err == nil {
		view, err = t.compare(ctx, here, sel)
	}
	switch {
	case parent.Err() != nil:
		return err // the agent ends
	case err != nil:
		view = t.a.Snapshot().Twins
		view.Error = err.Error()
		t.a.change(func(s *Snapshot) { s.Twins = view })
		return err
	case whole:
		view.Advice = t.advice(here, view)
		view.Files, view.Digest = len(here.Entries), t.told
	}
	t.a.compared(view, t.faults(here, view))
	if whole {
		t.log(view)
		t.sync(ctx, here, view)
	}
	return nil
}

// listing is one look at the files.
type listing struct {
	m      clone.Manifest
	stamps map[string]stamp
	err    error
}

// list lists the files. At most one look is left behind on a drive that hangs: the
// next one waits for it.
func (t *twins) list(ctx context.Context, sel clone.Selection, pace int64) (clone.Manifest, error) {
	for {
		mine := t.pending == nil
		if mine {
			t.pending = make(chan listing, 1)
			former, known, out := t.here, t.stamps, t.pending
			go func() { out <- t.read(ctx, sel, pace, former, known) }()
		}
		select {
		case l := <-t.pending:
			t.pending = nil
			if !mine {
				continue // it may have been another selection
			}
			if l.err == nil {
				t.stamps = l.stamps
			}
			return l.m, l.err
		case <-ctx.Done():
			return clone.Manifest{}, context.Cause(ctx)
		}
	}
}

// read lists the files, and reads those that are not as they were.
func (t *twins) read(ctx context.Context, sel clone.Selection, pace int64, former clone.Manifest, known map[string]stamp) listing {
	l := listing{stamps: map[string]stamp{}}
	d, err := clone.OpenDirectory(t.a.o.BaseDir)
	if err != nil {
		return listing{err: err}
	}
	defer d.Close()
	l.m, l.err = clone.Build(ctx, d, sel, clone.BuildOptions{
		Passwords: t.a.o.Twins.Passwords, Former: former, PaceBytes: pace, Clock: t.a.o.Clock,
		Same: func(name string, info fs.FileInfo) bool {
			now, ok := stampOf(info)
			was, seen := known[name]
			return ok && seen && was == now
		},
		Seen: func(name string, info fs.FileInfo) {
			if s, ok := stampOf(info); ok {
				l.stamps[name] = s
			}
		},
	})
	return l
}

// tell writes the manifest into the history, where it is new or was told long ago.
func (t *twins) tell(m clone.Manifest) {
	now, digest := t.a.o.Clock.Now().Boot, m.Firm(t.a.o.Twins.Selection).Digest()
	if digest == t.told && now < t.toldAt+tellAgain {
		return
	}
	text := "told which files it has"
	if t.told != "" && t.told != digest {
		text = "its files have changed"
	}
	t.told, t.toldAt = digest, now
	t.a.note(EventFiles, t.a.Snapshot().Epoch, Document{Text: text, Files: reportFiles(digest, m, t.signed(m))})
}

// signed reads the content of what is told with its content.
func (t *twins) signed(m clone.Manifest) map[string][]byte {
	d, err := clone.OpenDirectory(t.a.o.BaseDir)
	if err != nil {
		return nil
	}
	defer d.Close()
	all := map[string][]byte{}
	for _, name := range t.a.o.Twins.Signed {
		e, ok := m.At(name)
		if !ok || e.Link != "" || e.Size > maxSignedBytes {
			continue
		}
		if text, err := clone.Content(d, e); err == nil { // else it changed, and is told the next time
			all[name] = text
		}
	}
	return all
}

// faults are why this machine must not take over.
func (t *twins) faults(here clone.Manifest, view Twins) []string {
	o, last := t.a.o.Twins, t.a.heldLast()
	var missing []string
	for _, name := range o.Selection.Identity {
		if _, ok := here.At(name); !ok {
			missing = append(missing, name)
		}
	}
	return twinFaults(twinSight{self: t.a.o.Self.Instance, lastHolder: last, with: view.With, differences: view.all,
		missing: missing, devMode: o.DevMode, allow: o.AllowOther})
}

// log says it once when the twins begin to differ, and when they are alike again.
func (t *twins) log(v Twins) {
	var heavy []string
	for _, d := range v.all {
		if d.Weight != clone.Note {
			heavy = append(heavy, d.Path+" "+d.Text)
		}
	}
	now := strings.Join(heavy, "; ")
	switch {
	case now == t.complain:
	case now != "":
		t.a.o.Log.Warn("this machine and the other are no twins", "machine", t.a.o.Machine, "with", v.With, "differences", heavy[:min(len(heavy), maxDifferencesTold)])
	default:
		t.a.o.Log.Info("this machine and the other are twins again", "machine", t.a.o.Machine, "with", v.With)
	}
	t.complain = now
}

// advice says which command brings what the network signed.
func (t *twins) advice(here clone.Manifest, view Twins) string {
	word := t.others[view.With]
	if t.a.o.Twins.Sync != config.SyncAsk || word.report == nil || t.a.heldLast() != view.With {
		return ""
	}
	for _, name := range t.a.o.Twins.Signed {
		if _, _, ok := word.report.newer(here, name); ok {
			return "`hotcold clone --parameters` there brings " + name
		}
	}
	return ""
}

// sync brings what the network signed from the hot machine, where that is wanted
// and the node is down here.
func (t *twins) sync(ctx context.Context, here clone.Manifest, view Twins) {
	word, ok := t.others[view.With]
	if t.a.o.Twins.Sync != config.SyncAuto || !ok || word.report == nil || !word.hot || !t.a.down() || t.a.Snapshot().Holder != view.With {
		return
	}
	for _, name := range slices.Sorted(slices.Values(t.a.o.Twins.Signed)) {
		e, content, ok := word.report.newer(here, name)
		if !ok {
			continue
		}
		_, err := aside(ctx, func() (struct{}, error) { return struct{}{}, Bring(ctx, t.a.o.BaseDir, e, content) })
		if err != nil {
			t.a.o.Log.Warn("a file of the network could not be brought from the hot machine", "machine", t.a.o.Machine, "path", name, "err", err)
			continue
		}
		t.a.o.Log.Info("brought a file of the network from the hot machine", "machine", t.a.o.Machine, "path", name, "from", view.With)
		t.a.note(EventSynced, t.a.Snapshot().Epoch, Document{Text: "brought " + name + " from " + view.With})
	}
}

// Bring puts a file that another agent told in its place in a base directory.
func Bring(ctx context.Context, baseDir string, e clone.Entry, content []byte) error {
	d, err := clone.OpenDirectory(baseDir)
	if err != nil {
		return err
	}
	defer d.Close()
	steps := []clone.Step{{Kind: clone.Replace, Entry: e}}
	return clone.Copy(ctx, d, d, steps, clone.CopyOptions{Given: map[string][]byte{e.Path: content}})
}

// heldLast is who held the lease last, as far as it was seen.
func (a *Agent) heldLast() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lastHolder
}

// compared takes in how this machine compares.
func (a *Agent) compared(v Twins, faults []string) {
	a.mu.Lock()
	a.standing.twins = faults
	if was := a.snap.Twins; v.State == TwinsDiffer && was.State == TwinsDiffer && was.With == v.With {
		v.Since = was.Since
	} else if v.State == TwinsDiffer {
		v.Since = a.o.Clock.Now().Wall
	}
	a.mu.Unlock()
	a.change(func(s *Snapshot) { s.Twins = v })
	a.coldReasons()
}
