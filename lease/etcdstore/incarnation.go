package etcdstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// past is what this process knows of an incarnation: etcd's revision only grows
// as long as it lives.
type past struct {
	incarnation string
	revision    int64
}

// nameRounds is how often a name is looked for: once, after having given it, and
// after somebody else gave another meanwhile.
const nameRounds = 4

// newName names an incarnation that is first seen in cluster id.
func newName(id uint64) string { return clusterMark(id) + rand.Text() }

func clusterMark(id uint64) string { return fmt.Sprintf("%016x-", id) }

// nameKey holds the name of the incarnation.
func (d *DB) nameKey() string { return d.key("incarnation") }

// rename gives the cluster a new name, if nobody else did since it was seen.
func (d *DB) rename(ctx context.Context, m *member, id uint64, seen *pb.RangeResponse) error {
	revision := int64(0)
	if len(seen.Kvs) > 0 {
		revision = seen.Kvs[0].ModRevision
	}
	_, err := m.client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(d.nameKey()), "=", revision)).
		Then(clientv3.OpPut(d.nameKey(), newName(id))).Commit()
	return err
}

// errRewound means that etcd answers with an earlier revision than it once had.
var errRewound = errors.New("etcd has gone back to an earlier state: a snapshot was restored")

// errElsewhere means that another cluster answered than the one that was meant.
var errElsewhere = errors.New("another cluster answered")

// named reads with ops, and the name of the incarnation with them, all as of one
// instant. A cluster without a name gets one; one that has the name of another
// cluster (a restored snapshot), or that went back, gets a new one.
func (d *DB) named(ctx context.Context, m *member, ops ...clientv3.Op) (string, []*pb.RangeResponse, error) {
	for range nameRounds {
		before := d.seen()
		dials := m.dials.Load()
		resp, err := m.client.Txn(ctx).Then(append([]clientv3.Op{clientv3.OpGet(d.nameKey())}, ops...)...).Commit()
		if err != nil {
			return "", nil, err
		}
		ranges := make([]*pb.RangeResponse, len(resp.Responses))
		for i, r := range resp.Responses {
			ranges[i] = r.GetResponseRange()
		}
		id, name := resp.Header.ClusterId, ""
		if len(ranges[0].Kvs) > 0 {
			name = string(ranges[0].Kvs[0].Value)
		}
		rewound := name == before.incarnation && resp.Header.Revision < before.revision
		if rewound {
			d.log.Warn("etcd has gone back to an earlier state: it counts as another one from now on", "revision", resp.Header.Revision, "was", before.revision)
		}
		if rewound || !strings.HasPrefix(name, clusterMark(id)) {
			if err := d.rename(ctx, m, id, ranges[0]); err != nil {
				return "", nil, err
			}
			continue
		}
		d.remember(name, resp.Header.Revision)
		m.known.Store(dials)
		return name, ranges[1:], nil
	}
	return "", nil, of(ErrDoubt, errors.New("its name changed again and again"))
}

// meets makes sure, where the connection is new, that the cluster behind it is
// the one which the name was given to, before anything is written there.
func (d *DB) meets(ctx context.Context, m *member) error {
	if m.known.Load() == m.dials.Load() {
		return nil
	}
	_, _, err := d.named(ctx, m)
	return err
}

// written judges the answer to a write under the name of an incarnation.
func (d *DB) wrote(name string, before past, h *pb.ResponseHeader) error {
	switch {
	case !strings.HasPrefix(name, clusterMark(h.ClusterId)):
		return of(ErrDoubt, errElsewhere)
	case name == before.incarnation && h.Revision < before.revision:
		return of(ErrDoubt, errRewound)
	}
	d.remember(name, h.Revision)
	return nil
}

func (d *DB) seen() past {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.past
}

func (d *DB) remember(name string, revision int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.past.incarnation != name {
		d.past = past{incarnation: name}
	}
	d.past.revision = max(d.past.revision, revision)
}
