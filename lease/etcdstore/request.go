package etcdstore

import (
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

// wish is a request as it stands in its key. Its number is the revision that
// made the key.
type wish struct {
	Lease, Kind, Target, By, Document string
	State, AcceptedBy, Answer         string
	AskedAtMicros, EndedAtMicros      int64
}

func (d *DB) request(w wish, kv *mvccpb.KeyValue) notice.Request {
	r := notice.Request{ID: kv.CreateRevision, Lease: w.Lease, Kind: w.Kind, Target: w.Target, By: w.By, Document: []byte(w.Document),
		State: w.State, AcceptedBy: w.AcceptedBy, Answer: w.Answer}
	r.AskedAt, r.Age = d.since(w.AskedAtMicros)
	if w.EndedAtMicros != 0 {
		r.EndedAt = time.UnixMicro(w.EndedAtMicros)
	}
	return r
}

// Ask puts a request up and wakes the agents of its lease. Only Lease, Kind,
// Target, By and Document are taken from r.
func (d *DB) Ask(ctx context.Context, r notice.Request) (int64, error) {
	if err := fits(r.Document); err != nil {
		return 0, fmt.Errorf("ask for %q: %w", r.Kind, err)
	}
	w := wish{Lease: r.Lease, Kind: r.Kind, Target: r.Target, By: r.By, Document: string(r.Document), State: notice.StateOpen, AskedAtMicros: d.now()}
	var id int64
	err := d.run(ctx, d.board, fmt.Sprintf("ask for %q", r.Kind), func(ctx context.Context, m *member) error {
		resp, err := m.client.Txn(ctx).Then(clientv3.OpPut(d.key("request", r.Lease, rand.Text()), text(w)), d.signal(r.Lease)).Commit()
		if err == nil {
			id = resp.Header.Revision
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	d.prune(ctx, "requests", d.under("request", r.Lease), func(all []*mvccpb.KeyValue) []*mvccpb.KeyValue {
		return slices.DeleteFunc(all, func(kv *mvccpb.KeyValue) bool {
			var w wish
			return json.Unmarshal(kv.Value, &w) == nil && (w.EndedAtMicros == 0 || !d.older(w.EndedAtMicros, requestAge))
		})
	})
	return id, nil
}

// Requests returns the open and accepted requests of a lease, oldest first.
func (d *DB) Requests(ctx context.Context, lease string) ([]notice.Request, error) {
	all, err := list(ctx, d, fmt.Sprintf("list the requests for lease %q", lease), d.under("request", lease), d.request)
	return slices.DeleteFunc(all, notice.Request.Ended), err
}

// Request returns one request in whatever state, or [notice.ErrNoRequest].
func (d *DB) Request(ctx context.Context, id int64) (notice.Request, error) {
	var r notice.Request
	err := d.run(ctx, d.board, fmt.Sprintf("read request %d", id), func(ctx context.Context, m *member) error {
		w, kv, err := d.wish(ctx, m, id)
		if err == nil {
			r = d.request(w, kv)
		}
		return err
	})
	return r, err
}

// wish finds a request by its number.
func (d *DB) wish(ctx context.Context, m *member, id int64) (wish, *mvccpb.KeyValue, error) {
	var w wish
	if id < 1 {
		return w, nil, notice.ErrNoRequest
	}
	resp, err := m.client.Get(ctx, d.prefix+"request/", clientv3.WithPrefix(), clientv3.WithMinCreateRev(id), clientv3.WithMaxCreateRev(id))
	if err != nil {
		return w, nil, err
	}
	if len(resp.Kvs) == 0 {
		return w, nil, notice.ErrNoRequest
	}
	if err := json.Unmarshal(resp.Kvs[0].Value, &w); err != nil {
		return w, nil, of(ErrDamaged, err)
	}
	return w, resp.Kvs[0], nil
}

// Accept takes a request on, in the name of by. It returns false where another
// did or where it has ended; asking twice for the same by is no harm.
func (d *DB) Accept(ctx context.Context, id int64, by string) (bool, error) {
	return d.move(ctx, "accept", id, func(w *wish) (bool, error) {
		if w.State != notice.StateOpen && (w.State != notice.StateAccepted || w.AcceptedBy != by) {
			return false, nil
		}
		w.State, w.AcceptedBy = notice.StateAccepted, by
		return true, nil
	})
}

// Answer ends an open or accepted request as [notice.StateDone] or
// [notice.StateRefused]. It returns false where the request has that very answer
// already; a request that ended otherwise is [notice.ErrEnded].
func (d *DB) Answer(ctx context.Context, id int64, state, text string) (bool, error) {
	if state != notice.StateDone && state != notice.StateRefused {
		return false, fmt.Errorf("answer request %d: %q is no answer, want %q or %q", id, state, notice.StateDone, notice.StateRefused)
	}
	return d.move(ctx, "answer", id, func(w *wish) (bool, error) {
		switch {
		case w.State == state && w.Answer == text:
			return false, nil
		case w.State != notice.StateOpen && w.State != notice.StateAccepted:
			return false, fmt.Errorf("%w: it was %s", notice.ErrEnded, w.State)
		}
		w.State, w.Answer, w.EndedAtMicros = state, text, d.now()
		return true, nil
	})
}

// Withdraw takes back a request that nobody accepted yet. It returns false where
// somebody did; doing it twice is no harm.
func (d *DB) Withdraw(ctx context.Context, id int64) (bool, error) {
	return d.move(ctx, "withdraw", id, func(w *wish) (bool, error) {
		if w.State != notice.StateOpen {
			return w.State == notice.StateWithdrawn, nil
		}
		w.State, w.EndedAtMicros = notice.StateWithdrawn, d.now()
		return true, nil
	})
}

// moveRounds is how often a change is tried against others who change the same
// request. It has a handful of states, each entered once.
const moveRounds = 8

// move changes a request and wakes those who watch its lease.
func (d *DB) move(ctx context.Context, verb string, id int64, change func(*wish) (bool, error)) (bool, error) {
	var moved bool
	err := d.run(ctx, d.board, fmt.Sprintf("%s request %d", verb, id), func(ctx context.Context, m *member) error {
		for range moveRounds {
			w, kv, err := d.wish(ctx, m, id)
			if err != nil {
				return err
			}
			was := w
			if moved, err = change(&w); err != nil || w == was {
				return err
			}
			resp, err := m.client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(string(kv.Key)), "=", kv.ModRevision)).
				Then(clientv3.OpPut(string(kv.Key), text(w)), d.signal(w.Lease)).Commit()
			if err != nil || resp.Succeeded {
				return err
			}
		}
		return errors.New("others change it again and again")
	})
	return moved && err == nil, err
}
