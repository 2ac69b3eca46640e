package etcdstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/etcdstore"
	"github.com/hotcold/hotcold/lease/leasetest"
)

func TestEtcdKeepsThePromisesOfALease(t *testing.T) {
	server := testserver.Etcd(t, 1)
	relayed := testserver.Proxy(t, server.Members[0].Addr())
	restored := 0
	leasetest.Run(t, func(t *testing.T) leasetest.Fixture {
		c := etcdstore.Config{Endpoints: []string{relayed.Addr()}, Prefix: prefix()}
		return leasetest.Fixture{
			A: open(t, c), B: open(t, c),
			Hang: relayed.Hang, Restore: func() { relayed.Restore(t) },
			ChangeIncarnation: func() {
				restored++
				server.Restore(t, server.Snapshot(t), fmt.Sprint("token-", restored))
			},
			WatchWithin: 2 * time.Second,
		}
	})
}

// The goal: a snapshot that is restored with the flags of old keeps the id of the
// cluster, and is told all the same by whoever knew a later state. The method: one
// store lives through it; another is opened afterwards and believes the first.
func TestAStateThatWentBackIsAnotherIncarnation(t *testing.T) {
	server := testserver.Etcd(t, 1)
	c := etcdstore.Config{Endpoints: server.Addrs(), Prefix: prefix()}
	db := open(t, c)
	held := claimed(t, db, "node")
	snapshot := server.Snapshot(t)
	swapped(t, db, held, renewal(held))
	later := observed(t, db, "node")
	server.Restore(t, snapshot, testserver.EtcdToken)

	if err := db.Swap(t.Context(), held, renewal(held)); !errors.Is(err, lease.ErrChanged) {
		t.Fatalf("swap with the key of the restored row: %v, want ErrChanged", err)
	}
	now := observed(t, open(t, c), "node")
	if now.Incarnation == held.Incarnation || now.Record != held.Record || now.Record == later.Record {
		t.Fatalf("after the restore: %+v, want the row of before under another incarnation than %q", now, held.Incarnation)
	}
	if cluster := len("0123456789abcdef"); now.Incarnation[:cluster] != held.Incarnation[:cluster] {
		t.Fatalf("the id of the cluster changed from %q to %q: the test shows nothing", held.Incarnation, now.Incarnation)
	}
}

func TestARestartIsTheSameIncarnationAndTheNextRenewalSucceeds(t *testing.T) {
	server := testserver.Etcd(t, 1)
	db := open(t, etcdstore.Config{Endpoints: server.Addrs(), Prefix: prefix()})
	held := claimed(t, db, "node")
	for _, end := range []func(testing.TB){server.Members[0].Stop, server.Members[0].Kill} {
		end(t)
		server.Start(t)
		swapped(t, db, held, renewal(held))
		now := observed(t, db, "node")
		if now.Incarnation != held.Incarnation || now.Record.Version != held.Record.Version+1 {
			t.Fatalf("after a restart: %+v, want one version after %+v", now, held)
		}
		held = now
	}
}

func TestAStoreOpensWhileEtcdIsDown(t *testing.T) {
	server := testserver.Etcd(t, 1)
	server.Members[0].Stop(t)
	db := open(t, etcdstore.Config{Endpoints: server.Addrs(), Prefix: prefix()})
	ctx, cancel := contextOf(t, 500*time.Millisecond)
	defer cancel()
	if _, err := db.Read(ctx, "node"); !errors.Is(err, etcdstore.ErrUnreachable) {
		t.Fatalf("read: %v, want ErrUnreachable", err)
	}
	server.Start(t)
	claimed(t, db, "node")
}

// A member that hangs costs one attempt: the next one asks another.
func TestAMemberThatHangsCostsOneAttempt(t *testing.T) {
	server := testserver.Etcd(t, 3)
	db := open(t, etcdstore.Config{Endpoints: server.Addrs(), Prefix: prefix()})
	held := claimed(t, db, "node")
	hung := server.Members[0]
	if hung == server.Leader(t) { // a leader that hangs costs an election too, which is another test
		server.Ctl(t, "move-leader", memberID(t, server, server.Members[1]))
	}
	hung.Pause(t)
	defer hung.Resume(t)
	ctx, cancel := contextOf(t, 500*time.Millisecond)
	err := db.Swap(ctx, held, renewal(held))
	cancel()
	if err != nil && (errors.Is(err, lease.ErrChanged) || !errors.Is(err, etcdstore.ErrUnreachable)) {
		t.Fatalf("renewal at a hung member: %v, want ErrUnreachable", err)
	}
	for range 5 {
		now := observed(t, db, "node")
		swapped(t, db, now, renewal(now))
	}
}

func TestALoginThatIsRefusedSaysSoAndShowsNoSecret(t *testing.T) {
	server := testserver.Etcd(t, 1)
	const password = "s3cret-of-the-test"
	for _, args := range [][]string{
		{"user", "add", "root:root"}, {"user", "grant-role", "root", "root"},
		{"role", "add", "agent"}, {"role", "grant-permission", "agent", "--prefix=true", "readwrite", "allowed/"},
		{"user", "add", "agent:" + password}, {"user", "grant-role", "agent", "agent"}, {"auth", "enable"},
	} {
		server.Ctl(t, args...)
	}
	for _, c := range []struct {
		name, user, password, prefix string
		want                         error
	}{
		{"a right one", "agent", password, "allowed", nil},
		{"a wrong password", "agent", password + "x", "allowed", etcdstore.ErrLogin},
		{"no user", "", "", "allowed", etcdstore.ErrLogin},
		{"keys of others", "agent", password, "forbidden", etcdstore.ErrRights},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := open(t, etcdstore.Config{Endpoints: server.Addrs(), Prefix: c.prefix, User: c.user, Password: c.password})
			ctx, cancel := contextOf(t, patience)
			defer cancel()
			_, err := db.Read(ctx, "node")
			if !errors.Is(err, c.want) {
				t.Fatalf("read: %v, want %v", err, c.want)
			}
			showsNot(t, err, password)
			if c.want != nil {
				return
			}
			held := claimed(t, db, "node")
			server.Members[0].Stop(t) // which makes it forget the tokens
			server.Start(t)
			swapped(t, db, held, renewal(held))
		})
	}
}
