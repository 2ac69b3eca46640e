package process

import (
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// benchNode starts a node without the noise of a rig.
func benchNode(b *testing.B, cgroup, script string) *Node {
	b.Helper()
	dir := b.TempDir()
	ready := make(chan struct{}, 1)
	n, err := Start(b.Context(), Options{
		Argv: []string{"/bin/sh", "-c", script}, Dir: dir, Instance: dir, RuntimeDir: dir + "/run", Cgroup: cgroup,
		Env: []string{"PATH=" + os.Getenv("PATH")}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Output: SinkFunc(func([]Line) { nudge(ready) }),
	}, Deadline{1 << 60, 1 << 60, 1 << 60})
	if err != nil {
		b.Fatal(err)
	}
	select {
	case <-ready:
	case <-b.Context().Done():
	}
	return n
}

func eachWayBench(b *testing.B, f func(b *testing.B, cgroup string)) {
	b.Run("cgroup", func(b *testing.B) { needCgroup(b); f(b, CgroupAuto) })
	b.Run("without", func(b *testing.B) { f(b, CgroupOff) })
}

const benchTree = `for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo ready; wait`

// BenchmarkKillToSeenDead is the time from Kill until a tree of nine processes
// was seen dead, the guard at work.
func BenchmarkKillToSeenDead(b *testing.B) {
	eachWayBench(b, func(b *testing.B, cg string) { measure(b, cg, func(n *Node) { n.Kill() }) })
}

// BenchmarkCrashToDone is the time from the death of the main process until its
// children were seen dead too.
func BenchmarkCrashToDone(b *testing.B) {
	eachWayBench(b, func(b *testing.B, cg string) {
		measure(b, cg, func(n *Node) { _ = syscall.Kill(n.PID(), syscall.SIGKILL) })
	})
}

// BenchmarkGuardDeathToDone is the same when the agent has to do the work.
func BenchmarkGuardDeathToDone(b *testing.B) {
	eachWayBench(b, func(b *testing.B, cg string) {
		measure(b, cg, func(n *Node) { _ = syscall.Kill(n.guardPID(), syscall.SIGKILL) })
	})
}

func measure(b *testing.B, cg string, harm func(*Node)) {
	c := clock.System()
	var took []time.Duration
	for b.Loop() {
		b.StopTimer()
		n := benchNode(b, cg, benchTree)
		b.StartTimer()
		from := c.Now().Boot
		harm(n)
		<-n.Done()
		took = append(took, c.Now().Boot-from)
		b.StopTimer()
		n.Wait()
		b.StartTimer()
	}
	slices.Sort(took)
	for name, i := range map[string]int{"ms-min": 0, "ms-p50": len(took) / 2, "ms-p99": len(took) * 99 / 100} {
		b.ReportMetric(float64(took[i].Microseconds())/1000, name)
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkStart is the time of Start: guard, record and node.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		n := benchNode(b, CgroupAuto, "echo ready; exec sleep 1000")
		b.StopTimer()
		n.Kill()
		n.Wait()
		b.StartTimer()
	}
}

// BenchmarkGuardMemory reports what a guard holds in memory that is its own. The
// file-backed rest is the program, which the agent shares.
func BenchmarkGuardMemory(b *testing.B) {
	n := benchNode(b, CgroupAuto, "echo ready; exec sleep 1000")
	defer func() { n.Kill(); n.Wait() }()
	for b.Loop() {
		for _, name := range []string{"VmRSS", "RssAnon"} {
			b.ReportMetric(statusKiB(b, n.guardPID(), name)/1024, "MiB-"+name)
		}
	}
	b.ReportMetric(0, "ns/op")
}

func statusKiB(b *testing.B, pid int, name string) float64 {
	text, err := os.ReadFile(procPath(pid, "status"))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(v)[0], 64)
			return kib
		}
	}
	b.Fatalf("no %s", name)
	return 0
}
