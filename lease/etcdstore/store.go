package etcdstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/hotcold/hotcold/lease"
)

// row is a lease as it stands in its key. Spans are in microseconds, as the
// lease's own limits are.
type row struct {
	Name        string `json:"name"`
	Holder      string `json:"holder"`
	Nonce       string `json:"nonce"`
	Boot        string `json:"boot"`
	Epoch       uint64 `json:"epoch"`
	Version     uint64 `json:"version"`
	Released    bool   `json:"released"`
	Successor   string `json:"successor,omitempty"`
	Incarnation string `json:"incarnation"`
	Update      int64  `json:"updateMicros"`
	Wait        int64  `json:"waitMicros"`
	Trust       int64  `json:"trustMicros"`
	Fence       int64  `json:"fenceMicros"`
	Memo        string `json:"memo,omitempty"`
	WrittenAt   int64  `json:"writtenAtMicros"`
}

func encode(r lease.Record, at time.Time) string {
	return text(row{r.Name, r.Holder, r.Nonce, r.Boot, r.Epoch, r.Version, r.Released, r.Successor, r.Incarnation,
		r.Update.Microseconds(), r.Wait.Microseconds(), r.Trust.Microseconds(), r.Fence.Microseconds(), r.Memo, at.UnixMicro()})
}

func (r row) record() lease.Record {
	return lease.Record{Name: r.Name, Holder: r.Holder, Nonce: r.Nonce, Boot: r.Boot, Epoch: r.Epoch, Version: r.Version,
		Released: r.Released, Successor: r.Successor, Incarnation: r.Incarnation,
		Update: micros(r.Update), Wait: micros(r.Wait), Trust: micros(r.Trust), Fence: micros(r.Fence), Memo: r.Memo}
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// mark is what a compare-and-set compares, and nothing else: it stays the same
// text when the row gets a field more.
func mark(r lease.Record) string {
	return text([]any{r.Holder, r.Nonce, r.Epoch, r.Version, r.Released, r.Incarnation})
}

// text is JSON. Plain values cannot fail.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("encode a plain value: " + err.Error())
	}
	return string(b)
}

// Read implements [lease.Store] with one linearizable read: the row and the
// name of the incarnation are of one instant.
func (d *DB) Read(ctx context.Context, name string) (lease.Observation, error) {
	var o lease.Observation
	err := d.run(ctx, d.leases, fmt.Sprintf("read lease %q", name), func(ctx context.Context, m *member) error {
		incarnation, found, err := d.named(ctx, m, clientv3.OpGet(d.key("lease", name)), clientv3.OpGet(d.key("mark", name)))
		if err != nil {
			return err
		}
		o, err = d.observe(incarnation, found[0], found[1])
		return err
	})
	if err != nil {
		return lease.Observation{}, err
	}
	o.Record.Name = name
	return o, nil
}

// observe decodes a row and demands that its mark is the row's.
func (d *DB) observe(incarnation string, rows, marks *pb.RangeResponse) (lease.Observation, error) {
	o := lease.Observation{Incarnation: incarnation}
	if len(rows.Kvs) == 0 && len(marks.Kvs) == 0 {
		return o, nil
	}
	if len(rows.Kvs) == 0 || len(marks.Kvs) == 0 {
		return o, of(ErrDamaged, errors.New("the row or its mark is missing"))
	}
	var r row
	if err := json.Unmarshal(rows.Kvs[0].Value, &r); err != nil {
		return o, of(ErrDamaged, err)
	}
	o.Exists, o.Record = true, r.record()
	if mark(o.Record) != string(marks.Kvs[0].Value) {
		return o, of(ErrDamaged, errors.New("the row and its mark differ"))
	}
	o.WrittenAt, o.Age = d.since(r.WrittenAt)
	return o, nil
}

// since is an instant that a writer told, and how long ago it is by our own
// clock; both clocks are for people.
func (d *DB) since(written int64) (time.Time, time.Duration) {
	at := time.UnixMicro(written)
	return at, max(0, d.clock.Now().Wall.Sub(at))
}

// Swap implements [lease.Store] with one transaction. A change of holder, a
// release and a first claim wake those who watch; a renewal does not.
func (d *DB) Swap(ctx context.Context, seen lease.Observation, next lease.Record) error {
	if err := next.Keepable(seen.Record); err != nil {
		return fmt.Errorf("write lease %q: %w", next.Name, err)
	}
	rowKey, markKey := d.key("lease", next.Name), d.key("mark", next.Name)
	conditions := []clientv3.Cmp{clientv3.Compare(clientv3.Value(d.nameKey()), "=", seen.Incarnation)}
	if seen.Exists {
		conditions = append(conditions, clientv3.Compare(clientv3.Value(markKey), "=", mark(seen.Record)))
	} else {
		conditions = append(conditions, clientv3.Compare(clientv3.CreateRevision(markKey), "=", 0),
			clientv3.Compare(clientv3.CreateRevision(rowKey), "=", 0))
	}
	writes := []clientv3.Op{clientv3.OpPut(rowKey, encode(next, d.clock.Now().Wall)), clientv3.OpPut(markKey, mark(next))}
	if wakes(seen, next) {
		writes = append(writes, d.signal(next.Name))
	}
	return d.run(ctx, d.leases, fmt.Sprintf("write lease %q", next.Name), func(ctx context.Context, m *member) error {
		if err := d.meets(ctx, m); err != nil {
			return err
		}
		before := d.seen()
		resp, err := m.client.Txn(ctx).If(conditions...).Then(writes...).Commit()
		if err != nil {
			return err
		}
		if !resp.Succeeded {
			return lease.ErrChanged
		}
		return d.wrote(seen.Incarnation, before, resp.Header)
	})
}

// wakes tells whether a write is more than a renewal.
func wakes(seen lease.Observation, next lease.Record) bool {
	r := seen.Record
	return !seen.Exists || r.Released != next.Released || r.Epoch != next.Epoch || r.Holder != next.Holder || r.Nonce != next.Nonce
}

// signal is written with everything that those who watch a lease should look at.
func (d *DB) signal(name string) clientv3.Op { return clientv3.OpPut(d.key("signal", name), "") }

// Watch implements [lease.Store]. It wakes on new requests and their answers
// too, and once when it has begun to hear.
func (d *DB) Watch(ctx context.Context, name string, changed func()) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop() // the client's watch lives as long as its context
	err := d.watch(watching, name, changed)
	if ended := context.Cause(ctx); ended != nil {
		return ended
	}
	if stale(err) {
		d.forgetToken()
	}
	return fmt.Errorf("watch lease %q: %w", name, judge(ctx, err))
}

func (d *DB) watch(ctx context.Context, name string, changed func()) error {
	ctx, err := d.withToken(ctx, d.watches)
	if err != nil {
		return err
	}
	// A member that has lost its leader hears nothing: it shall end the watch.
	for answer := range d.watches.Watch(clientv3.WithRequireLeader(ctx), d.key("signal", name), clientv3.WithCreatedNotify()) {
		if err := answer.Err(); err != nil {
			return err
		}
		changed()
	}
	return errors.New("the watch has ended")
}
