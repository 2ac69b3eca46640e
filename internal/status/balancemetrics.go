package status

import (
	"log"
	"net/http"
	"runtime"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hotcold/hotcold/internal/balancer"
)

// metrics serves a registry of its own, as an agent's server does.
func (b *balancePages) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		b,
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(collectors.WithGoCollectorMemStatsMetricsDisabled()),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes,
		DisableCompression:  true,
		ErrorLog:            log.New(b.server.lines, "", 0),
	})
}

// Describe says nothing, which makes the collector an unchecked one.
func (b *balancePages) Describe(chan<- *prometheus.Desc) {}

// Collect renders the state of this instant.
func (b *balancePages) Collect(to chan<- prometheus.Metric) {
	v, e := b.view(), emitter{to}
	e.balance(v)
	for _, r := range v.Rules {
		e.rule(r)
	}
	for _, m := range v.Machines {
		e.machine(m)
	}
	e.counter("hotcold_balancer_http_refused_connections_total", "Connections to this listener that were closed because there were too many.", b.server.refused.Load())
}

func (e emitter) balance(v BalanceView) {
	e.labelled("hotcold_build_info", "What runs here; always 1.", 1, "version", v.Version, "goversion", runtime.Version())
	e.labelled("hotcold_balancer_info", "Which balancer this is; always 1.", 1, "lease", v.Lease, "profile", string(v.Profile), "path", v.Path)
	e.gauge("hotcold_balancer_ready", "1 while all rules have a machine, as /ready says.", truth(v.Serving() && !v.Leaving))
	e.gauge("hotcold_balancer_epoch", "Greatest epoch that was ever heard of.", float64(v.Epoch))
	e.gauge("hotcold_balancer_leaving", "1 where another process has taken over the listeners.", truth(v.Leaving))
	e.gauge("hotcold_balancer_config_refused", "1 while a changed configuration is refused and the one before is in force.", truth(v.Refused != nil))
	e.gauge("hotcold_balancer_config_loaded_timestamp_seconds", "When the configuration in force was read.", unix(v.Loaded))
	e.gauge("hotcold_balancer_parked", "Clients that wait for a machine.", float64(v.Parked))
	e.gauge("hotcold_balancer_park_limit", "How many may wait.", float64(v.ParkLimit))
	for _, g := range v.Groups {
		for _, m := range v.Machines {
			e.labelled("hotcold_balancer_target", "1 for the machine that gets the traffic of a group of rules; a pair has one group, without a name.",
				truth(!g.Target.Nobody() && g.Target.Machine == m.Name), "group", g.Group, "machine", m.Name)
		}
		e.labelled("hotcold_balancer_steered_timestamp_seconds", "When the traffic of a group last changed its machine.", unix(g.Since), "group", g.Group)
	}
	for _, kind := range alarmKinds() {
		n := 0
		for _, a := range v.Alarms {
			if a.Kind == kind {
				n++
			}
		}
		e.labelled("hotcold_balancer_alarms", "Alarms that are on, by kind.", float64(n), "kind", string(kind))
	}
	c := v.Counters
	e.counter("hotcold_balancer_steers_total", "Changes of machine that the data path took.", c.Steers)
	e.counter("hotcold_balancer_steer_failures_total", "Changes of machine that the data path did not take.", c.SteerFailures)
	e.counter("hotcold_balancer_reloads_total", "Configurations that were taken over.", c.Reloads)
	e.counter("hotcold_balancer_reloads_refused_total", "Configurations that were refused.", c.ReloadsRefused)
	e.counter("hotcold_balancer_agent_words_total", "Words heard from agents.", c.Words)
	e.counter("hotcold_balancer_agent_words_refused_total", "Words that were not of this pair, or could not be read.", c.WordsRefused)
	e.counter("hotcold_balancer_agent_streams_total", "Streams to agents that were opened.", c.Streams)
}

func (e emitter) rule(r BalanceRule) {
	e.labelled("hotcold_balancer_connections", "Open connections of a rule.", float64(r.Open), "rule", r.Name)
	e.labelled("hotcold_balancer_old_connections", "Those of an earlier epoch among them.", float64(r.Old), "rule", r.Name)
	e.counted("hotcold_balancer_accepted_connections_total", "Clients that were let in.", r.Accepted, "rule", r.Name)
	const ended = "Connections that are over: in order, cut because of the epoch, silent for too long, or failed because the machine could not be reached."
	for how, n := range map[string]uint64{"order": r.Ended, "cut": r.Cut, "idle": r.Idle, "failed": r.Failed} {
		e.counted("hotcold_balancer_ended_connections_total", ended, n, "rule", r.Name, "how", how)
	}
	const away = "Clients that were turned away: denied by the lists, over a limit, no place to wait, waited too long, a bad PROXY header, no descriptor left."
	for why, n := range map[string]uint64{
		"denied": r.Denied, "limited": r.Limited, "overflowed": r.Overflowed, "expired": r.Expired, "malformed": r.Malformed, "exhausted": r.Exhausted,
	} {
		e.counted("hotcold_balancer_turned_away_connections_total", away, n, "rule", r.Name, "why", why)
	}
	e.counted("hotcold_balancer_received_bytes_total", "Bytes from clients.", r.BytesIn, "rule", r.Name)
	e.counted("hotcold_balancer_sent_bytes_total", "Bytes to clients.", r.BytesOut, "rule", r.Name)
}

func (e emitter) machine(m balancer.MachineState) {
	if w := m.Word; w != nil {
		e.labelled("hotcold_balancer_agent_connected", "1 while there is a stream to a machine's agent.", truth(w.Connected), "machine", m.Name)
		e.labelled("hotcold_balancer_agent_hot", "1 while a machine's agent says hot, and that is to be believed.", truth(w.Hot && w.TrustLeftSeconds > 0), "machine", m.Name)
		e.labelled("hotcold_balancer_agent_epoch", "Epoch that a machine's agent said last.", float64(w.Epoch), "machine", m.Name)
	}
	for _, p := range m.Probes {
		for _, belief := range []balancer.Belief{balancer.Unknown, balancer.Well, balancer.Ill} {
			e.labelled("hotcold_balancer_probe_belief", "1 for what a probe believes of a machine.", truth(p.Belief == belief), "probe", p.Name, "machine", m.Name, "belief", string(belief))
		}
		e.labelled("hotcold_balancer_probe_last_seconds", "How long the last look took.", p.LastSeconds, "probe", p.Name, "machine", m.Name)
		e.counted("hotcold_balancer_probe_looks_total", "Looks of a probe at a machine.", p.Looks, "probe", p.Name, "machine", m.Name)
		e.counted("hotcold_balancer_probe_failures_total", "Those that failed.", p.Failures, "probe", p.Name, "machine", m.Name)
	}
}

// alarmKinds are all kinds, so that a query for one that is silent finds 0 and not nothing.
func alarmKinds() []balancer.AlarmKind {
	return []balancer.AlarmKind{balancer.AlarmTwoHot, balancer.AlarmTwoHealthy, balancer.AlarmOldEpoch, balancer.AlarmLeaseless,
		balancer.AlarmVeto, balancer.AlarmUnsteered, balancer.AlarmSilent}
}

// counted sends a counter with labels; pairs are names and values in turn.
func (e emitter) counted(name, help string, value uint64, pairs ...string) {
	var names, values []string
	for i := 0; i < len(pairs); i += 2 {
		names = append(names, pairs[i])
		values = append(values, strings.ToValidUTF8(pairs[i+1], "?"))
	}
	e.metric(prometheus.NewDesc(name, help, names, nil), prometheus.CounterValue, float64(value), values...)
}
