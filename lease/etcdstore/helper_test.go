package etcdstore_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/etcdstore"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// patience limits every wait for something that has to happen.
const patience = 30 * time.Second

var prefixes atomic.Int64 // a prefix of its own keeps a test apart on a shared cluster

func prefix() string { return fmt.Sprint("test/", prefixes.Add(1)) }

func open(t testing.TB, c etcdstore.Config) *etcdstore.DB {
	t.Helper()
	db, err := etcdstore.Open(t.Context(), c)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return db
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func observed(t testing.TB, db *etcdstore.DB, name string) lease.Observation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o, err := db.Read(ctx, name)
	must(t, err)
	return o
}

func swapped(t testing.TB, db *etcdstore.DB, seen lease.Observation, next lease.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, db.Swap(ctx, seen, next))
}

// claimed writes the first row of a lease and returns what etcd holds then.
func claimed(t testing.TB, db *etcdstore.DB, name string) lease.Observation {
	t.Helper()
	seen := observed(t, db, name)
	swapped(t, db, seen, lease.Record{Name: name, Holder: "a", Nonce: "n", Boot: "b", Epoch: 1, Version: 1, Incarnation: seen.Incarnation,
		Update: 2 * time.Second, Wait: 10 * time.Second, Trust: 9 * time.Second, Fence: 3 * time.Second})
	return observed(t, db, name)
}

// renewal is the row that the holder of seen writes next.
func renewal(seen lease.Observation) lease.Record {
	r := seen.Record
	r.Version++
	return r
}

func contextOf(t testing.TB, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

func showsNot(t testing.TB, err error, secret string) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), secret) {
		t.Error("an error shows the password")
	}
}

// memberID is the id by which etcdctl knows a member.
func memberID(t testing.TB, c *testserver.EtcdCluster, m *testserver.EtcdMember) string {
	t.Helper()
	for line := range strings.Lines(c.Ctl(t, "endpoint", "status")) {
		if fields := strings.Split(line, ", "); len(fields) > 1 && fields[0] == m.Addr() {
			return fields[1]
		}
	}
	t.Fatal("etcdctl does not know the member")
	return ""
}
