package status

import (
	"log"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clone"
	"github.com/hotcold/hotcold/internal/drive"
	"github.com/hotcold/hotcold/internal/machine"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// maxScrapes is how many scrapes may run at once: a pair of Prometheus servers and one person.
const maxScrapes = 4

// metrics serves a registry of its own: what a library registers by itself is no part of our state.
func (s *Server) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		&collector{server: s},
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(collectors.WithGoCollectorMemStatsMetricsDisabled()),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes,
		DisableCompression:  true, // some kilobytes, and seldom
		ErrorLog:            log.New(s.lines, "", 0),
	})
}

// collector renders one View at each scrape; it keeps nothing.
type collector struct {
	server *Server
}

// Describe says nothing, which makes the collector an unchecked one: its list of metrics stands once, in Collect.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect renders the state of this instant.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	s := c.server
	e := emitter{to}
	e.view(s.view())
	e.gauge("hotcold_loop_age_seconds", "Time since the agent's loop turned.", s.o.Live.Age().Seconds())
	e.counter("hotcold_http_refused_connections_total", "Connections to this listener that were closed because there were too many.", s.refused.Load())
}

// emitter turns numbers into metrics.
type emitter struct {
	to chan<- prometheus.Metric
}

func (e emitter) view(v View) {
	e.labelled("hotcold_build_info", "What runs here; always 1.", 1, "version", v.Version, "goversion", runtime.Version())
	e.labelled("hotcold_agent_info", "Who this agent is; always 1.", 1,
		"lease", v.Lease, "agent", v.Instance, "machine", v.Machine, "preset", v.Node.Preset, "database", v.Database.Kind)

	e.gauge("hotcold_hot", "1 while traffic may be sent here, as /hot says.", truth(v.Hot))
	e.gauge("hotcold_ready", "1 while hot and ready, or cold and able to take over, as /ready says.", truth(v.Usable()))
	e.gauge("hotcold_epoch", "Fencing token of our own term, or the last one seen.", float64(v.Epoch))
	e.gauge("hotcold_trust_seconds", "How long the node may still be alive without another renewal; 0 where the lease is not ours.", v.TrustLeftSeconds)
	for _, state := range states() {
		e.labelled("hotcold_state", "1 for the state that the agent is in.", truth(v.State == state), "state", string(state))
	}
	e.gauge("hotcold_paused", "1 while a person asked for hands off.", truth(v.Paused))
	e.gauge("hotcold_doubt", "1 while the clock has jumped and the database has not confirmed the lease since.", truth(v.Doubt))
	e.gauge("hotcold_leaseless", "1 where mutual exclusion is off.", truth(v.Leaseless))
	e.node(v.Node)
	e.database(v.Database)
	e.guarantee(v.Snapshot)
	e.checks(v.Checks)
	e.drive(v.Drive)
	e.twins(v.Twins)
	e.timing(v.Timing)
	e.counters(v.Counters)
}

func (e emitter) node(n agent.Node) {
	e.gauge("hotcold_node_up", "1 while the node has a process.", truth(n.PID != 0))
	e.gauge("hotcold_node_healthy", "1 while the node passes its health checks.", truth(n.Healthy))
	e.gauge("hotcold_node_restarts", "Restarts in place since this term began.", float64(n.Restarts))
	e.gauge("hotcold_node_start_seconds", "How long the last start took from process to ready.", n.StartSeconds)
	e.gauge("hotcold_node_kill_seconds", "Longest time that a kill took until the node was seen dead.", n.KillSeconds)
}

func (e emitter) database(d agent.Database) {
	e.gauge("hotcold_database_up", "1 while the database that keeps the lease answers.", truth(d.Reachable))
	e.gauge("hotcold_database_round_trip_seconds", "How long the last answered statement took.", d.RoundTripSeconds)
	e.gauge("hotcold_database_last_answer_timestamp_seconds", "When the database last answered; 0 for never.", unix(d.LastAnswer))
}

func (e emitter) guarantee(s agent.Snapshot) {
	for _, level := range []sqlstore.Level{sqlstore.LevelA, sqlstore.LevelB, sqlstore.LevelC} {
		e.labelled("hotcold_guarantee", "1 for the level that the promise has now; none before the database has been looked at.",
			truth(s.Guarantee.Level == level), "level", string(level))
	}
	e.gauge("hotcold_fencing_on", "1 where the other machines' nodes are locked out of the database before ours starts.", truth(s.Fencing.On))
	e.gauge("hotcold_fencing_epoch", "Epoch of the last time that they were locked out by this agent; 0 for never.", float64(s.Fencing.Epoch))
	e.gauge("hotcold_fencing_seconds", "How long that took.", s.Fencing.Seconds)
}

func (e emitter) checks(c agent.Checks) {
	count := map[machine.Level]int{}
	for _, f := range c.Findings {
		count[f.Level]++
	}
	for _, level := range []machine.Level{machine.Fault, machine.Warning} {
		e.labelled("hotcold_check_findings", "What the last look at this machine found, as hotcold check does.", float64(count[level]), "level", string(level))
	}
	e.gauge("hotcold_check_timestamp_seconds", "When this machine was last looked at; 0 for never.", unix(c.At))
}

// drive says nothing where none is watched: a drive that is down is something else.
func (e emitter) drive(d drive.State) {
	if d.Path == "" {
		return
	}
	e.gauge("hotcold_drive_up", "1 while the shared drive answers and is what it should be.", truth(d.Well))
	e.gauge("hotcold_drive_lock", "1 while this agent has the lock on the shared drive.", truth(d.Lock == drive.LockHeld))
	e.gauge("hotcold_drive_fsync_seconds", "How long the last write to the shared drive took until it was durable; 0 while cold.", d.FsyncSeconds)
	e.gauge("hotcold_drive_free_bytes", "Room on the shared drive; 0 where it does not say.", float64(d.FreeBytes))
	e.gauge("hotcold_drive_stuck_looks", "Looks at the shared drive that hang in the kernel and were left behind.", float64(d.Abandoned))
}

func (e emitter) twins(t agent.Twins) {
	for _, state := range []agent.TwinsState{agent.TwinsAlike, agent.TwinsDiffer, agent.TwinsUnknown} {
		e.labelled("hotcold_twins", "1 for how this machine's files compare with the other's; none where they are not compared.",
			truth(t.State == state), "state", string(state))
	}
	const help = "Files in which this machine and the other differ: fault keeps it from taking over, warning wants a person, note does not matter."
	e.labelled("hotcold_twins_differences", help, float64(t.Faults), "weight", string(clone.Fault))
	e.labelled("hotcold_twins_differences", help, float64(t.Warnings), "weight", string(clone.Warning))
	e.labelled("hotcold_twins_differences", help, float64(t.Notes), "weight", string(clone.Note))
}

func (e emitter) timing(t agent.Timing) {
	const help = "Numbers of the lease: update, wait, trust, fence, attempt, and the worst takeover without the node's own start."
	for _, n := range []struct {
		name    string
		seconds float64
	}{
		{"update", t.UpdateSeconds},
		{"wait", t.WaitSeconds},
		{"trust", t.TrustSeconds},
		{"fence", t.FenceSeconds},
		{"attempt", t.AttemptSeconds},
		{"takeover", t.TakeoverSeconds},
	} {
		e.labelled("hotcold_timing_seconds", help, n.seconds, "name", n.name)
	}
}

func (e emitter) counters(c agent.Counters) {
	e.counter("hotcold_lease_renewals_total", "Renewals of the lease that the database confirmed.", c.Renewals)
	e.counter("hotcold_lease_renewal_failures_total", "Attempts to renew that were not confirmed.", c.RenewalFailures)
	e.counter("hotcold_lease_looks_total", "Looks at the lease while cold.", c.Looks)
	e.counter("hotcold_lease_claims_total", "Claims of the lease that the database confirmed.", c.Claims)
	e.counter("hotcold_fences_total", "Times the node was killed because trust ran out or the lease was lost.", c.Fences)
	e.counter("hotcold_node_starts_total", "Starts of the node.", c.NodeStarts)
	e.counter("hotcold_node_exits_total", "Ends of the node, planned ones included.", c.NodeExits)
	e.counter("hotcold_fencings_total", "Times the other machines' nodes were locked out of the database.", c.LockOuts)
	e.counter("hotcold_fencing_failures_total", "Times that failed; no node is started after it.", c.LockOutFailures)
	e.counter("hotcold_clock_jumps_total", "Jumps of this machine's time of day.", c.ClockJumps)
}

func (e emitter) gauge(name, help string, value float64) { e.labelled(name, help, value) }

func (e emitter) counter(name, help string, value uint64) {
	e.metric(prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue, float64(value))
}

// labelled sends a gauge; pairs are names and values of labels in turn.
func (e emitter) labelled(name, help string, value float64, pairs ...string) {
	var names, values []string
	for i := 0; i < len(pairs); i += 2 {
		names = append(names, pairs[i])
		values = append(values, strings.ToValidUTF8(pairs[i+1], "?"))
	}
	e.metric(prometheus.NewDesc(name, help, names, nil), prometheus.GaugeValue, value, values...)
}

// metric never panics: a metric that cannot be written fails the scrape, not the agent that keeps a node alive.
func (e emitter) metric(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
	m, err := prometheus.NewConstMetric(d, kind, value, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	e.to <- m
}

// states are all states, so that a query for one that is not taken finds 0 and not nothing.
func states() []agent.State {
	return []agent.State{agent.Cold, agent.Claiming, agent.Starting, agent.Hot, agent.Stopping,
		agent.Fencing, agent.Paused, agent.Failed, agent.Ended}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
