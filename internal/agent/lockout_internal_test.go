package agent

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

func TestNothingButAFenceThatSucceededStartsANode(t *testing.T) {
	p := Restart{Attempts: 2, Backoff: time.Second, MaxBackoff: time.Minute, ResetAfter: time.Hour}
	wrapped := func(err error) error { return fmt.Errorf("lock node_b out of the database: %w", err) }
	for name, c := range map[string]struct {
		failures int
		err      error
		want     afterLockOut
	}{
		"it succeeded":              {0, nil, afterLockOut{start: true}},
		"it succeeded at last":      {2, nil, afterLockOut{start: true, next: next{streak: streak{failures: 2}}}},
		"the lease is another's":    {0, lease.ErrChanged, afterLockOut{lost: true}},
		"the lease is another's, w": {1, wrapped(lease.ErrChanged), afterLockOut{lost: true, next: next{streak: streak{failures: 1}}}},
		"no answer":                 {0, wrapped(sqlstore.ErrUnreachable), afterLockOut{next: next{after: time.Second, streak: streak{failures: 1}}}},
		"no answer again":           {1, wrapped(sqlstore.ErrUnreachable), afterLockOut{next: next{after: 2 * time.Second, streak: streak{failures: 2}}}},
		"no answer too often":       {2, wrapped(sqlstore.ErrUnreachable), afterLockOut{next: next{handOver: true, streak: streak{failures: 3}}}},
		"sessions that do not end":  {0, wrapped(sqlstore.ErrSessionsLeft), afterLockOut{next: next{after: time.Second, streak: streak{failures: 1}}}},
		"unknown":                   {0, wrapped(sqlstore.ErrDoubt), afterLockOut{next: next{after: time.Second, streak: streak{failures: 1}}}},
		"a right is missing":        {0, wrapped(sqlstore.ErrRights), afterLockOut{next: next{handOver: true, streak: streak{failures: 1}}}},
		"nobody can be locked out":  {0, sqlstore.ErrNoRoles, afterLockOut{next: next{handOver: true, streak: streak{failures: 1}}}},
		"anything else":             {0, errors.New("no such role"), afterLockOut{next: next{after: time.Second, streak: streak{failures: 1}}}},
	} {
		if got := afterFencing(p, streak{failures: c.failures}, c.err); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestAFenceCountsInTheTermInWhichItWasMadeAndInNoOther(t *testing.T) {
	held := lease.Trust{Epoch: 7, Anchor: 1, StopAt: 2, DeadBy: 3}
	synchronous := sqlstore.Replication{Copies: sqlstore.CopiesSynchronous, Text: "replication is synchronous"}
	for name, c := range map[string]struct {
		fencing FencingState
		trust   lease.Trust
		r       sqlstore.Replication
		want    sqlstore.Level
	}{
		"fenced in this term":            {FencingState{On: true, Epoch: 7}, held, synchronous, sqlstore.LevelA},
		"fenced in the term before":      {FencingState{On: true, Epoch: 6}, held, synchronous, sqlstore.LevelB},
		"not fenced yet":                 {FencingState{On: true}, held, synchronous, sqlstore.LevelB},
		"the lease is another's":         {FencingState{On: true, Epoch: 7}, lease.Trust{}, synchronous, sqlstore.LevelB},
		"nobody asked for it":            {FencingState{Epoch: 7}, held, synchronous, sqlstore.LevelB},
		"the database can lose it":       {FencingState{On: true, Epoch: 7}, held, sqlstore.Replication{Copies: sqlstore.CopiesAsynchronous}, sqlstore.LevelC},
		"the database was not asked yet": {FencingState{On: true, Epoch: 7}, held, sqlstore.Replication{}, ""},
	} {
		s := Snapshot{Fencing: c.fencing, Trust: c.trust, Database: Database{Replication: c.r}}
		if got := s.promise().guarantee().Level; got != c.want {
			t.Errorf("%s: level %q, want %q", name, got, c.want)
		}
	}
}
