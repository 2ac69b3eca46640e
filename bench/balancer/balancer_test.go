package balancer_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/testserver/yard"
)

// row is one thing that is measured.
type row struct {
	name  string
	order order
	// asNobody has the balancer run as that user, with idle connections beside.
	asNobody bool
	// metrics say what a report is worth.
	metrics []metric
}

// metric is one number of a row.
type metric struct {
	name string
	// less tells that less is better.
	less  bool
	value func(sample) float64
}

// sample is one measurement of one contender.
type sample struct {
	report
	cpu, machine time.Duration
	// bytes, files and slab are what grew with the idle connections.
	bytes, files, slab float64
}

const (
	idleBeside = 200
	idleMost   = 9500
	// spareFiles are descriptors that are for other things.
	spareFiles = 800
)

func rows() []row {
	bulk := []metric{
		{"Gbit/s", false, func(s sample) float64 { return float64(s.Count) * 8 / s.Took.Seconds() / 1e9 }},
		{"CPU s/GB", true, func(s sample) float64 { return s.cpu.Seconds() / (float64(s.Count) / 1e9) }},
		{"machine s/GB", true, func(s sample) float64 { return s.machine.Seconds() / (float64(s.Count) / 1e9) }},
	}
	rate := metric{"/s", false, func(s sample) float64 { return float64(s.Count) / s.Took.Seconds() }}
	each := metric{"CPU us", true, func(s sample) float64 { return s.cpu.Seconds() * 1e6 / float64(s.Count) }}
	whole := metric{"machine us", true, func(s sample) float64 { return s.machine.Seconds() * 1e6 / float64(s.Count) }}
	p50 := metric{"p50 us", true, func(s sample) float64 { return s.P50.Seconds() * 1e6 }}
	p99 := metric{"p99 us", true, func(s sample) float64 { return s.P99.Seconds() * 1e6 }}
	crowd := idleCrowd()
	return []row{
		{"bulk 1", order{Kind: "bulk", Conns: 1}, false, bulk},
		{"bulk 32", order{Kind: "bulk", Conns: 32}, false, bulk},
		{"bulk 1, nobody, 200 idle", order{Kind: "bulk", Conns: 1}, true, bulk},
		{"bulk 32, nobody, 200 idle", order{Kind: "bulk", Conns: 32}, true, bulk},
		{"connects", order{Kind: "connects", Conns: 32}, false, []metric{rate, each, whole}},
		{"paced 4,000/s on 64", order{Kind: "paced", Conns: 64, Rate: 4000}, false, []metric{p50, p99, each, whole}},
		{"flat out on 64", order{Kind: "flat", Conns: 64}, false, []metric{rate, p99, each, whole}},
		{"ping-pong on 1", order{Kind: "flat", Conns: 1}, false, []metric{p50, p99, each, whole}},
		{"idle " + strconv.Itoa(crowd), order{Kind: "idle", Conns: crowd}, false, []metric{
			{"PSS KB", true, func(s sample) float64 { return s.bytes / float64(crowd) / 1024 }},
			{"files", true, func(s sample) float64 { return s.files / float64(crowd) }},
			{"slab KB", true, func(s sample) float64 { return s.slab / float64(crowd) / 1024 }},
		}},
	}
}

// idleCrowd is how many idle connections a process may hold both ends of.
func idleCrowd() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return idleBeside
	}
	return max(min(idleMost, (int(limit.Cur)-spareFiles)/2), idleBeside)
}

// BenchmarkBalancers measures all contenders side by side and prints medians and ratios. See the package's words for
// its settings.
func BenchmarkBalancers(b *testing.B) {
	yard.WithinBenchmark(b, func(b *testing.B) {
		s := newStage(b)
		all := results{}
		rounds := setting(b, "ROUNDS", "5", strconv.Atoi)
		measure := setting(b, "MEASURE", "800ms", time.ParseDuration)
		onlyRows := setting(b, "ROWS", "", regexp.Compile)
		onlyContenders := setting(b, "CONTENDERS", "", regexp.Compile)
		for round := range rounds {
			for _, r := range rows() {
				if !onlyRows.MatchString(r.name) {
					continue
				}
				who := contenders()
				rand.Shuffle(len(who), func(i, j int) { who[i], who[j] = who[j], who[i] })
				for _, c := range who {
					if onlyContenders.MatchString(c.name) && (c.userSpace || !r.asNobody) {
						r.order.Measure = measure
						all.add(r, c.name, s.measure(b, c, r))
					}
				}
			}
			fmt.Fprintf(os.Stderr, "round %d of %d is over\n", round+1, rounds)
		}
		all.print(os.Stdout)
		if file := os.Getenv("BENCH_JSON"); file != "" {
			text, err := json.MarshalIndent(all, "", "  ")
			must(b, err)
			must(b, os.WriteFile(file, append(text, '\n'), 0o644))
		}
	})
}

func setting[T any](b *testing.B, name, standard string, parse func(string) (T, error)) T {
	b.Helper()
	text, ok := os.LookupEnv(name)
	if !ok || text == "" {
		text = standard
	}
	value, err := parse(text)
	if err != nil {
		b.Fatalf("%s=%s: %v", name, text, err)
	}
	return value
}

// measure starts a contender, measures one row and ends it.
func (s *stage) measure(b *testing.B, c contender, r row) sample {
	b.Helper()
	var cmd *exec.Cmd
	to := s.yard.Balancer.Address(0)
	if c.start != nil {
		cmd = c.start(b, s, r.asNobody)
		defer end(b, cmd)
	} else {
		to = s.yard.A.Address(0)
	}
	r.order.To = to.String()
	s.now = r.name + " of " + c.name
	if r.order.Kind == "idle" {
		return s.idle(b, r.order, cmd)
	}
	if r.asNobody {
		s.do(b, order{Kind: "idle", To: r.order.To, Conns: idleBeside}, func() {})
		defer s.do(b, order{Kind: "leave"}, func() {})
	}
	var before sample
	var pids []int // known for certain only when it works
	got := s.do(b, r.order, func() { pids = family(cmd); before.cpu, before.machine = cpu(pids), busy() })
	return sample{report: got, cpu: cpu(pids) - before.cpu, machine: busy() - before.machine}
}

// idle measures what connections cost that do nothing.
func (s *stage) idle(b *testing.B, o order, cmd *exec.Cmd) sample {
	b.Helper()
	var before, after sample
	// A first few have grown whatever grows once.
	s.do(b, order{Kind: "idle", To: o.To, Conns: idleBeside}, func() {})
	pids := family(cmd)
	before.bytes, before.files = settled(b, pids)
	before.slab = slab(b)
	s.do(b, o, func() {})
	after.bytes, after.files = settled(b, pids)
	after.slab = slab(b)
	s.do(b, order{Kind: "leave"}, func() {})
	return sample{bytes: after.bytes - before.bytes, files: after.files - before.files, slab: after.slab - before.slab}
}

// do gives the client an order, calls begun when it is measured from then on, and returns what came of it.
func (s *stage) do(b *testing.B, o order, begun func()) report {
	b.Helper()
	must(b, json.NewEncoder(s.orders).Encode(o))
	for s.reports.Scan() {
		var r report
		must(b, json.Unmarshal(s.reports.Bytes(), &r))
		switch {
		case r.Error != "":
			b.Fatalf("%s: %s: %s", s.now, o.Kind, r.Error)
		case r.Begun:
			begun()
		default:
			return r
		}
	}
	b.Fatalf("%s: the client is gone", o.Kind)
	return report{}
}

// results are all numbers: by row, metric and contender, one for each round.
type results struct {
	Rows []*resultRow
}

type resultRow struct {
	Row, Metric string
	Less        bool
	Values      map[string][]float64
}

func (all *results) add(r row, contender string, s sample) {
	for _, m := range r.metrics {
		i := slices.IndexFunc(all.Rows, func(rr *resultRow) bool { return rr.Row == r.name && rr.Metric == m.name })
		if i < 0 {
			i = len(all.Rows)
			all.Rows = append(all.Rows, &resultRow{Row: r.name, Metric: m.name, Less: m.less, Values: map[string][]float64{}})
		}
		all.Rows[i].Values[contender] = append(all.Rows[i].Values[contender], m.value(s))
	}
}

// print writes a table of medians, and one of ratios.
func (all *results) print(w io.Writer) {
	var names []string
	for _, c := range contenders() {
		for _, r := range all.Rows {
			if len(r.Values[c.name]) > 0 {
				names = append(names, c.name)
				break
			}
		}
	}
	_, _ = fmt.Fprintf(w, "\n%-26s %-13s", "medians", "")
	for _, n := range names {
		_, _ = fmt.Fprintf(w, " %14s", n)
	}
	for _, r := range all.Rows {
		_, _ = fmt.Fprintf(w, "\n%-26s %-13s", r.Row, r.Metric)
		for _, n := range names {
			_, _ = fmt.Fprintf(w, " %14s", number(median(r.Values[n])))
		}
	}
	pairs := [][2]string{{"splice", "haproxy"}, {"splice", "haproxy-splice"}, {"splice", "nginx"}, {"splice", "direct"},
		{"kernel", "direct"}, {"kernel", "haproxy"}, {"haproxy-splice", "haproxy"}, {"nginx", "haproxy"}}
	_, _ = fmt.Fprintf(w, "\n\nratios within a round: median [least..greatest]; < marks where less is better\n%-26s %-13s", "", "")
	for _, p := range pairs {
		_, _ = fmt.Fprintf(w, " %22s", p[0]+"/"+p[1])
	}
	for _, r := range all.Rows {
		mark := ""
		if r.Less {
			mark = " <"
		}
		_, _ = fmt.Fprintf(w, "\n%-26s %-13s", r.Row, r.Metric+mark)
		for _, p := range pairs {
			_, _ = fmt.Fprintf(w, " %22s", ratios(r.Values[p[0]], r.Values[p[1]]))
		}
	}
	_, _ = fmt.Fprintln(w)
}

func ratios(a, b []float64) string {
	var all []float64
	for i := range min(len(a), len(b)) {
		if b[i] > 0 && a[i] > 0 {
			all = append(all, a[i]/b[i])
		}
	}
	if len(all) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f [%.2f..%.2f]", median(all), slices.Min(all), slices.Max(all))
}

func median(all []float64) float64 {
	if len(all) == 0 {
		return -1
	}
	sorted := slices.Sorted(slices.Values(all))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

func number(v float64) string {
	switch {
	case v < 0:
		return "-"
	case v >= 1000:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3f", v)
}
