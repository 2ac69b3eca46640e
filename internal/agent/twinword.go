package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hotcold/hotcold/internal/clone"
	"github.com/hotcold/hotcold/lease/notice"
)

const (
	// maxSignedBytes is far above the parameters of a network, which have some kB.
	maxSignedBytes = 64 << 10
	// maxToldBytes bounds what one event holds: etcd takes 256 kB.
	maxToldBytes = 160 << 10
	// maxDifferencesTold bounds what the agent's row and its log hold; `hotcold diff` shows all.
	maxDifferencesTold = 10
	// newestEvents and allEvents are how many lines of the history are looked
	// through for what another agent told: first the newest, then all there are.
	newestEvents, allEvents = 100, 10_000
	// askAgain is how long it is believed that another agent has told nothing.
	askAgain = 10 * time.Minute
)

// Files are what an agent tells of its machine.
type Files struct {
	// Digest stands for the manifest, but for the files in which the node itself writes.
	Digest   string         `json:"digest"`
	Manifest clone.Manifest `json:"manifest"`
	// Cut: there are more files than can be told, and none of them is; the digest
	// still says whether two machines are alike.
	Cut bool `json:"cut,omitempty"`
	// Signed is the content of what the network signed.
	Signed map[string][]byte `json:"signed,omitempty"`
}

// reportFiles makes what is told of a manifest.
func reportFiles(digest string, m clone.Manifest, signed map[string][]byte) *Files {
	f := &Files{Digest: digest, Manifest: m, Signed: signed}
	if text, err := json.Marshal(f); err != nil || len(text) > maxToldBytes {
		f.Manifest, f.Cut = clone.Manifest{}, true
	}
	return f
}

// newer finds a file of the network that another machine has and this one has not,
// whole and as its digest says.
func (f *Files) newer(here clone.Manifest, name string) (clone.Entry, []byte, bool) {
	e, ok := f.Manifest.At(name)
	content, told := f.Signed[name]
	mine, have := here.At(name)
	if !ok || !told || e.Link != "" || have && (mine.Link != "" || mine.SHA256 == e.SHA256) {
		return e, nil, false
	}
	return e, content, clone.Is(e, content)
}

// Newer is newer for a person's command.
func (f *Files) Newer(here clone.Manifest, name string) (clone.Entry, []byte, bool) {
	return f.newer(here, name)
}

// FilesIn reads what an event tells of files; nil where it tells nothing of them.
func FilesIn(e notice.Event) *Files {
	var d Document
	if e.Kind != EventFiles || json.Unmarshal(e.Document, &d) != nil {
		return nil
	}
	return d.Files
}

// otherWord is what is known of another machine's files.
type otherWord struct {
	report *Files // nil: it has told nothing
	at     time.Time
	hot    bool // by its row
	asked  time.Duration
}

// compare compares with the machine that had the lease last, or with the one that
// said something last where that was this one.
func (t *twins) compare(ctx context.Context, here clone.Manifest, sel clone.Selection) (Twins, error) {
	ctx, cancel := context.WithTimeout(ctx, boardLimit)
	defer cancel()
	rows, err := t.a.o.Database.Instances(ctx, t.a.o.Lease)
	if err != nil {
		return Twins{}, fmt.Errorf("ask what the other machine has: %w", err)
	}
	last := t.a.heldLast()
	if last == "" { // this agent has just started, or nobody has ever held it
		o, err := t.a.o.Database.Read(ctx, t.a.o.Lease)
		if err != nil {
			return Twins{}, fmt.Errorf("ask who held the lease last: %w", err)
		}
		t.a.mu.Lock()
		if t.a.lastHolder == "" {
			t.a.lastHolder = o.Record.Holder
		}
		last = t.a.lastHolder
		t.a.mu.Unlock()
	}
	with := twinOf(t.a.o.Self.Instance, last, rows)
	if with == "" {
		return Twins{}, nil // this machine is the only one
	}
	v := Twins{With: with, State: TwinsUnknown}
	word, err := t.word(ctx, with, rows)
	switch {
	case err != nil:
		return v, fmt.Errorf("ask what %s has: %w", with, err)
	case word.report == nil:
		return v, nil
	}
	v.ToldAt = word.at
	if word.report.Cut {
		return v.cut(here, sel, t.a.o.Twins.Selection, word.report), nil
	}
	return v.of(clone.Compare(here, word.report.Manifest.Only(sel), sel, with)), nil
}

// word is what another machine told last. It is asked for only when its row says
// that it is another than is known.
func (t *twins) word(ctx context.Context, with string, rows []notice.Instance) (otherWord, error) {
	known, seen := t.others[with]
	digest, hot := "", false
	for _, r := range rows { // the newest word of each comes first
		var s Snapshot
		if r.ID == with && json.Unmarshal(r.Document, &s) == nil {
			digest, hot = s.Twins.Digest, s.State == Hot && s.Ready && r.Age <= staleAfter
			break
		}
	}
	now := t.a.o.Clock.Now().Boot
	fresh := known.report != nil && (digest == "" || known.report.Digest == digest) || known.report == nil && seen && digest == "" && now < known.asked+askAgain
	if !fresh {
		known = otherWord{asked: now}
		for _, limit := range []int{newestEvents, allEvents} {
			events, err := t.a.o.Database.Events(ctx, t.a.o.Lease, limit)
			if err != nil {
				return known, err
			}
			if known.report, known.at = lastFiles(events, with); known.report != nil || len(events) < limit {
				break
			}
		}
	}
	known.hot = hot
	t.others[with] = known
	return known, nil
}

// lastFiles finds what an agent told last, among events of which the newest comes first.
func lastFiles(events []notice.Event, instance string) (*Files, time.Time) {
	for _, e := range events {
		if e.Instance != instance {
			continue
		}
		if f := FilesIn(e); f != nil {
			return f, e.At
		}
	}
	return nil, time.Time{}
}
