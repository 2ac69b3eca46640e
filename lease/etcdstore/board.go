package etcdstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/hotcold/hotcold/lease/notice"
)

const (
	// instanceAge is how long the word of a former start of an agent is kept.
	instanceAge = 24 * time.Hour
	// keptEvents is how many events of each lease are kept, the newest; some
	// more may be there until the next look (see pruneEvery).
	keptEvents = 10_000
	// requestAge is how long a request is kept after its end.
	requestAge = 30 * 24 * time.Hour
	// pruneEvery is how many announcements or events pass between two looks
	// for what is too old; the first of each process looks too.
	pruneEvery = 64
	// pruneBatch is how many keys one transaction removes; etcd takes 128.
	pruneBatch = 100
	// maxDocumentBytes bounds what is kept of anybody's words; etcd takes
	// requests of 1.5 MB.
	maxDocumentBytes = 256 << 10
)

// word is an instance as it stands in its key.
type word struct {
	Lease, ID, Nonce, Machine, Boot, State, Document string
	WrittenAtMicros                                  int64
}

// Announce writes the word of one start of an agent, or writes it anew. Words of
// earlier starts of the same agent are removed once they are a day old.
func (d *DB) Announce(ctx context.Context, i notice.Instance) error {
	if err := fits(i.Document); err != nil {
		return fmt.Errorf("announce instance %q: %w", i.ID, err)
	}
	w := word{i.Lease, i.ID, i.Nonce, i.Machine, i.Boot, i.State, string(i.Document), d.now()}
	err := d.put(ctx, fmt.Sprintf("announce instance %q", i.ID), d.key("instance", i.Lease, i.ID, i.Nonce), text(w))
	if err == nil && d.pruneIsDue() {
		d.prune(ctx, "instances", d.under("instance", i.Lease, i.ID), func(all []*mvccpb.KeyValue) []*mvccpb.KeyValue {
			return slices.DeleteFunc(all, func(kv *mvccpb.KeyValue) bool {
				var w word
				return json.Unmarshal(kv.Value, &w) == nil && (w.Nonce == i.Nonce || !d.older(w.WrittenAtMicros, instanceAge))
			})
		})
	}
	return err
}

// Instances returns every word of a lease, by ID and newest first.
func (d *DB) Instances(ctx context.Context, lease string) ([]notice.Instance, error) {
	all, err := list(ctx, d, fmt.Sprintf("list the instances of lease %q", lease), d.under("instance", lease), func(w word, _ *mvccpb.KeyValue) notice.Instance {
		i := notice.Instance{Lease: w.Lease, ID: w.ID, Nonce: w.Nonce, Machine: w.Machine, Boot: w.Boot, State: w.State, Document: []byte(w.Document)}
		i.WrittenAt, i.Age = d.since(w.WrittenAtMicros)
		return i
	})
	slices.SortFunc(all, func(a, b notice.Instance) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), b.WrittenAt.Compare(a.WrittenAt), cmp.Compare(a.Nonce, b.Nonce))
	})
	return all, err
}

// line is an event as it stands in its key.
type line struct {
	Lease, Instance, Kind, Document string
	Epoch                           uint64
	AtMicros                        int64
}

// Append adds an event to the history. Its ID is the revision that made it.
func (d *DB) Append(ctx context.Context, e notice.Event) error {
	if err := fits(e.Document); err != nil {
		return fmt.Errorf("record event %q: %w", e.Kind, err)
	}
	err := d.put(ctx, fmt.Sprintf("record event %q", e.Kind), d.key("event", e.Lease, rand.Text()),
		text(line{e.Lease, e.Instance, e.Kind, string(e.Document), e.Epoch, d.now()}))
	if err == nil && d.pruneIsDue() {
		d.prune(ctx, "events", d.under("event", e.Lease), func(all []*mvccpb.KeyValue) []*mvccpb.KeyValue {
			return all[:max(0, len(all)-keptEvents)] // oldest first
		}, clientv3.WithKeysOnly())
	}
	return err
}

// Events returns the newest events of a lease, newest first, at most limit.
func (d *DB) Events(ctx context.Context, lease string, limit int) ([]notice.Event, error) {
	return list(ctx, d, fmt.Sprintf("list the events of lease %q", lease), d.under("event", lease), func(l line, kv *mvccpb.KeyValue) notice.Event {
		return notice.Event{ID: kv.CreateRevision, Lease: l.Lease, Instance: l.Instance, Kind: l.Kind, Epoch: l.Epoch,
			Document: []byte(l.Document), At: time.UnixMicro(l.AtMicros)}
	}, clientv3.WithSort(clientv3.SortByCreateRevision, clientv3.SortDescend), clientv3.WithLimit(int64(limit)))
}

// list decodes every key below a prefix, oldest first unless told otherwise.
func list[S, T any](ctx context.Context, d *DB, what, under string, convert func(S, *mvccpb.KeyValue) T, opts ...clientv3.OpOption) ([]T, error) {
	var all []T
	err := d.run(ctx, d.board, what, func(ctx context.Context, m *member) error {
		resp, err := m.client.Get(ctx, under, append(oldestFirst(), opts...)...)
		if err != nil {
			return err
		}
		for _, kv := range resp.Kvs {
			var s S
			if err := json.Unmarshal(kv.Value, &s); err != nil {
				return of(ErrDamaged, err)
			}
			all = append(all, convert(s, kv))
		}
		return nil
	})
	return all, err
}

func oldestFirst() []clientv3.OpOption {
	return []clientv3.OpOption{clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByCreateRevision, clientv3.SortAscend)}
}

func (d *DB) put(ctx context.Context, what, key, value string) error {
	return d.run(ctx, d.board, what, func(ctx context.Context, m *member) error {
		_, err := m.client.Put(ctx, key, value)
		return err
	})
}

// now is an instant for people, by this machine's clock.
func (d *DB) now() int64 { return d.clock.Now().Wall.UnixMicro() }

func (d *DB) older(written int64, than time.Duration) bool {
	_, age := d.since(written)
	return age > than
}

func fits(document []byte) error {
	if len(document) > maxDocumentBytes {
		return fmt.Errorf("the document has %d bytes, want at most %d", len(document), maxDocumentBytes)
	}
	return nil
}

func (d *DB) pruneIsDue() bool { return d.written.Add(1)%pruneEvery == 1 }

// prune removes what old chooses among the keys below a prefix, as far as one
// transaction goes. What could not be removed now is removed the next time, so
// an error is worth a warning and no more.
func (d *DB) prune(ctx context.Context, what, under string, old func([]*mvccpb.KeyValue) []*mvccpb.KeyValue, opts ...clientv3.OpOption) {
	err := d.run(ctx, d.board, "remove old "+what, func(ctx context.Context, m *member) error {
		resp, err := m.client.Get(ctx, under, append(oldestFirst(), opts...)...)
		if err != nil {
			return err
		}
		var same []clientv3.Cmp
		var removals []clientv3.Op
		for _, kv := range old(resp.Kvs) {
			if len(removals) == pruneBatch {
				break
			}
			same = append(same, clientv3.Compare(clientv3.ModRevision(string(kv.Key)), "=", kv.ModRevision))
			removals = append(removals, clientv3.OpDelete(string(kv.Key)))
		}
		if len(removals) == 0 {
			return nil
		}
		_, err = m.client.Txn(ctx).If(same...).Then(removals...).Commit()
		return err
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		d.log.Warn("old keys could not be removed", "err", err)
	}
}
