package bench_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/etcdstore"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

const (
	// stores is how many stores, each with connections of its own, renew at once;
	// more leases share them, so that the server is measured and not its
	// connections.
	stores = 32
	// interval is the default of updateInterval.
	interval = 2 * time.Second
)

// way is one way to renew lease number i once.
type way struct {
	name  string
	pid   func() []int // the server's processes
	renew func(ctx context.Context, worker int) error
}

// BenchmarkRenewals says how many renewals a second one server bears, and how much
// of one processor 1,000 leases cost it that are renewed every 2 s. client-go is
// modelled in its favour: what its LeaderElector sends (get the Lease object, update
// it by resourceVersion) goes straight to etcd, without the API server between.
func BenchmarkRenewals(b *testing.B) {
	etcd := testserver.Etcd(b, 1)
	etcdPID := func() []int { return []int{etcd.Members[0].PID()} }
	postgres := testserver.Postgres(b)
	cost := map[string]float64{}
	for _, w := range []way{
		{"client-go", etcdPID, leaderElector(b, etcd)},
		{"PostgreSQL", func() []int { return family(b, postgres) }, renewals(b, func(int) lease.Store {
			db, err := sqlstore.Open(b.Context(), sqlstore.Config{Dialect: sqlstore.Postgres, DSN: postgres.DSN()})
			must(b, err)
			b.Cleanup(func() { must(b, db.Close()) })
			return db
		})},
		{"etcdstore", etcdPID, renewals(b, func(int) lease.Store {
			db, err := etcdstore.Open(b.Context(), etcdstore.Config{Endpoints: etcd.Addrs(), Prefix: "bench"})
			must(b, err)
			b.Cleanup(func() { must(b, db.Close()) })
			return db
		})},
	} {
		b.Run(w.name, func(b *testing.B) {
			cost[w.name] = measure(b, w)
			b.ReportMetric(cost[w.name]/cost["client-go"], "CPU/client-go's")
		})
	}
}

// measure renews with all workers and returns the server's time per renewal.
func measure(b *testing.B, w way) float64 {
	var left atomic.Int64
	left.Store(int64(b.N))
	pids := w.pid()
	before, began := spent(b, pids), clock.System().Now().Boot
	var workers sync.WaitGroup
	for i := range stores {
		workers.Go(func() {
			for left.Add(-1) >= 0 {
				if err := w.renew(b.Context(), i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	took, used := clock.System().Now().Boot-began, spent(b, pids)-before
	each := used.Seconds() / float64(b.N)
	b.ReportMetric(float64(b.N)/took.Seconds(), "renewals/s")
	b.ReportMetric(each*1000/interval.Seconds()*100, "%CPU/1000leases")
	return each
}

// renewals opens the stores and claims a lease through each.
func renewals(b *testing.B, open func(int) lease.Store) func(context.Context, int) error {
	type held struct {
		store lease.Store
		seen  lease.Observation
	}
	all := make([]held, stores)
	for i := range all {
		s := open(i)
		seen, err := s.Read(b.Context(), fmt.Sprint("node-", i))
		must(b, err)
		next := lease.Record{Name: fmt.Sprint("node-", i), Holder: "machine-a:/opt/node", Nonce: "0123456789abcdef", Boot: "0123456789abcdef",
			Epoch: 1, Version: 1, Incarnation: seen.Incarnation, Update: interval, Wait: 10 * time.Second, Trust: 9 * time.Second, Fence: 3 * time.Second}
		must(b, s.Swap(b.Context(), seen, next))
		seen.Exists, seen.Record = true, next
		all[i] = held{s, seen}
	}
	return func(ctx context.Context, worker int) error {
		h := &all[worker]
		next := h.seen.Record
		next.Version++
		err := h.store.Swap(ctx, h.seen, next)
		h.seen.Record = next
		return err
	}
}

// object is about what a Lease object of Kubernetes weighs in etcd.
func object(n int64) string {
	return fmt.Sprintf("%0400d", n)
}

// leaderElector renews as client-go's LeaderElector does: a read, then a write on
// the condition of the revision that was read.
func leaderElector(b *testing.B, etcd *testserver.EtcdCluster) func(context.Context, int) error {
	clients := make([]*clientv3.Client, stores)
	for i := range clients {
		c, err := clientv3.New(clientv3.Config{Endpoints: etcd.Addrs(), Logger: zap.NewNop()})
		must(b, err)
		b.Cleanup(func() { must(b, c.Close()) })
		clients[i] = c
	}
	var n atomic.Int64
	return func(ctx context.Context, worker int) error {
		key := fmt.Sprint("/registry/leases/default/node-", worker)
		got, err := clients[worker].Get(ctx, key)
		if err != nil {
			return err
		}
		revision := int64(0)
		if len(got.Kvs) > 0 {
			revision = got.Kvs[0].ModRevision
		}
		resp, err := clients[worker].Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", revision)).
			Then(clientv3.OpPut(key, object(n.Add(1)))).Else(clientv3.OpGet(key)).Commit()
		if err == nil && !resp.Succeeded {
			err = errors.New("somebody else wrote")
		}
		return err
	}
}

// family are PostgreSQL's processes: its main one and all whose parent that is.
func family(b *testing.B, s *testserver.PostgresServer) []int {
	entries, err := os.ReadDir("/proc")
	must(b, err)
	main := s.PID()
	all := []int{main}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if fields := stat(pid); len(fields) > 1 && fields[1] == strconv.Itoa(main) {
			all = append(all, pid)
		}
	}
	return all
}

// ticks are how Linux counts processor time for programs, 100 a second everywhere.
const ticks = 100

// spent is the processor time that processes have used.
func spent(b *testing.B, pids []int) time.Duration {
	if runtime.GOOS != "linux" {
		b.Skip("the time of another process is read from /proc")
	}
	var sum int
	for _, pid := range pids {
		fields := stat(pid)
		if len(fields) < 13 {
			continue // it has ended
		}
		for _, f := range fields[11:13] { // utime and stime
			n, err := strconv.Atoi(f)
			must(b, err)
			sum += n
		}
	}
	return time.Duration(sum) * time.Second / ticks
}

// stat are the fields of /proc/PID/stat behind the name: state, parent and so on.
func stat(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text)[strings.LastIndex(string(text), ")")+1:])
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
