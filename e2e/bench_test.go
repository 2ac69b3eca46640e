package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hotcold/hotcold/internal/testserver"
)

// The benchmarks measure the whole system: agents, guards, PostgreSQL, signals.
// One operation is a fixed number of samples, because each takes seconds. The
// node is sleep, which starts and stops in a millisecond; the start of its
// process is seen by the observer, 2 ms too late at the worst.

// fast is the tightest timing that a loaded machine has to bear.
const fast = "  mutualExclusion { updateInterval = 300, waitInterval = 1000 }\n"

const fastWait = time.Second

// fastPair starts a pair with fast timing.
func fastPair(b *testing.B) *pair {
	b.Helper()
	dsn := database(b)
	p := sleeperPair(b, dsn)
	for _, m := range p.machines() {
		m.configure(sleeperConfig(m, dsn) + fast)
	}
	p.startBoth()
	return p
}

// reportSpans reports the median and the tail of a measured span.
func reportSpans(b *testing.B, what string, spans []time.Duration) {
	b.Helper()
	slices.Sort(spans)
	at := func(share float64) float64 {
		return float64(spans[min(len(spans)-1, int(share*float64(len(spans))))]) / float64(time.Millisecond)
	}
	b.ReportMetric(at(0.50), what+"-p50-ms")
	b.ReportMetric(at(0.99), what+"-p99-ms")
	b.ReportMetric(0, "ns/op") // says nothing here
}

// From the crash of the node to the start of the other machine's, with no restart
// in place. Aim: 100 ms, and 250 ms for the 99th of a hundred.
func BenchmarkNodeCrash(b *testing.B) {
	const samples = 30
	p := fastPair(b)
	var spans []time.Duration
	for b.Loop() {
		for range samples {
			// A machine where the node has failed holds back for two waits.
			pause(b, 2*fastWait+100*time.Millisecond)
			hot, _ := p.settle()
			node := p.o.living()[0]
			at := now()
			signal(b, node.pid, syscall.SIGKILL)
			spans = append(spans, p.o.awaitStart(b, p.other(hot).name, at, settleLimit).from-at)
		}
	}
	reportSpans(b, "start", spans)
}

// A planned switchover: from the command's start to the next node's, and of that
// the time in which no node ran. Aim: 100 ms.
func BenchmarkSwitchover(b *testing.B) {
	const samples = 20
	p := fastPair(b)
	var whole, gap []time.Duration
	for b.Loop() {
		for range samples {
			hot, _ := p.settle()
			node := p.o.living()[0]
			at := now()
			if got := p.a.run("switchover"); got.code != 0 {
				b.Fatalf("switchover ended with %d: %s", got.code, got.stderr)
			}
			next := p.o.awaitStart(b, p.other(hot).name, at, settleLimit)
			whole = append(whole, next.from-at)
			gap = append(gap, next.from-p.o.awaitDeath(b, node.pid, deathLimit).alive)
		}
	}
	reportSpans(b, "command-to-start", whole)
	reportSpans(b, "no-node", gap)
}

// From the death of all processes of a machine to the start of the other's node.
// Aim: waitInterval (1 s) and one look (250 ms).
func BenchmarkMachineDeath(b *testing.B) {
	const samples = 15
	p := fastPair(b)
	var spans []time.Duration
	for b.Loop() {
		for range samples {
			hot, _ := p.settle()
			at := hot.crash()
			spans = append(spans, p.o.awaitStart(b, p.other(hot).name, at, settleLimit).from-at)
			hot.start()
		}
	}
	reportSpans(b, "start", spans)
}

// What a pair costs that has nothing to do, with the default timing. Aims: 25 MB,
// 0.1 % of a core.
func BenchmarkIdle(b *testing.B) {
	const span = 30 * time.Second
	db := testserver.Postgres(b, testserver.Setting("shared_preload_libraries", "pg_stat_statements"))
	db.Exec(b, "CREATE EXTENSION pg_stat_statements")
	p := sleeperPair(b, db.DSN())
	for _, m := range p.machines() {
		m.configure(sleeperConfig(m, db.DSN()) + "  mutualExclusion { updateInterval = 2000, waitInterval = 10000 }\n")
	}
	p.startBoth()
	guard := p.a.guard()
	pause(b, 5*time.Second) // the start is over
	for b.Loop() {
		cpuHot, cpuCold, cpuGuard, calls := cpuOf(b, p.a.pid()), cpuOf(b, p.b.pid()), cpuOf(b, guard), statements(b, db)
		pause(b, span)
		share := func(was time.Duration, pid int) float64 { return 100 * float64(cpuOf(b, pid)-was) / float64(span) }
		b.ReportMetric(share(cpuHot, p.a.pid()), "hot-cpu-%")
		b.ReportMetric(share(cpuCold, p.b.pid()), "cold-cpu-%")
		b.ReportMetric(share(cpuGuard, guard), "guard-cpu-%")
		b.ReportMetric(float64(statements(b, db)-calls)*float64(24*time.Hour/span), "pair-statements/day")
	}
	b.ReportMetric(residentMB(b, p.a.pid()), "hot-MB")
	b.ReportMetric(residentMB(b, p.b.pid()), "cold-MB")
	b.ReportMetric(residentMB(b, guard), "guard-MB")
	b.ReportMetric(memoryMB(b, guard, "RssAnon:"), "guard-own-MB")
	b.ReportMetric(0, "ns/op")
}

// A pair with fast timing while every core has more to do than it can. Aim: no
// term is lost.
func BenchmarkLoadedMachine(b *testing.B) {
	const span = 60 * time.Second
	p := fastPair(b)
	p.o.calm.Store(true) // it takes a seventh of a core otherwise, in the kernel's locks for processes
	before, err := p.a.state()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		for range 2 * runtime.NumCPU() {
			busy := exec.CommandContext(ctx, "/bin/sh", "-c", "while :; do :; done")
			busy.Dir = p.root
			if err := busy.Start(); err != nil {
				b.Fatal(err)
			}
			defer func() { _ = busy.Wait() }() // killed by cancel
		}
		pause(b, span)
		cancel()
	}
	lost, failures := 0.0, 0.0
	for _, m := range p.machines() {
		s := m.awaitState(settleLimit, "to answer", func(state) bool { return true })
		lost += float64(s.Counters.Fences)
		failures += float64(s.Counters.RenewalFailures)
		if m == p.a && s.Epoch == before.Epoch {
			b.Logf("%d renewals under load", s.Counters.Renewals-before.Counters.Renewals)
		}
	}
	b.ReportMetric(lost, "lost-terms")
	b.ReportMetric(failures, "failed-renewals")
	b.ReportMetric(0, "ns/op")
}

// cpuOf returns the time that a process has had on a core.
func cpuOf(t testing.TB, pid int) time.Duration {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		t.Fatalf("no threads of process %d: %v", pid, err)
	}
	var sum time.Duration
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has just ended
		}
		ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += time.Duration(ns)
	}
	return sum
}

// residentMB returns the memory that a process has in use, pages of the program
// that it shares with others included.
func residentMB(t testing.TB, pid int) float64 {
	t.Helper()
	return memoryMB(t, pid, "VmRSS:")
}

// memoryMB returns one line of /proc/PID/status.
func memoryMB(t testing.TB, pid int, name string) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return float64(kib) / 1024
		}
	}
	t.Fatalf("process %d says nothing of its memory", pid)
	return 0
}

// statements returns how many statements the server has run, but for this one.
func statements(t testing.TB, db *testserver.PostgresServer) (calls int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, db.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, "SELECT COALESCE(sum(calls), 0)::bigint FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'").Scan(&calls)
	if err != nil {
		t.Fatal(err)
	}
	return calls
}
