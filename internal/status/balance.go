package status

import (
	"cmp"
	"slices"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/config"
)

// BalanceFacts are what a balancer's snapshot does not know of the process that runs it.
type BalanceFacts struct {
	Version string
	PID     int
	// Path is the data path in use, and PathWhy why it is that one.
	Path, PathWhy string
	// File is the configuration that is in force, and Loaded when it was read.
	File   string
	Loaded time.Time
	// Refused is a configuration that was refused since; nil where there is none.
	Refused *RefusedConfig
	// Leaving: another process has taken over the listeners, and this one only ends its connections.
	Leaving bool
	// Rates are by rule; see [Rates].
	Rates map[string]RuleRates
	// Now is the time of day.
	Now time.Time
}

// RefusedConfig is a configuration that could not be used, so that the one before it is in force.
type RefusedConfig struct {
	At time.Time `json:"at"`
	// Faults each have file, line and column.
	Faults []string `json:"faults"`
}

// RuleRates are what a rule carries in a second, now.
type RuleRates struct {
	Connections float64 `json:"connections"`
	BytesIn     float64 `json:"bytesIn"`
	BytesOut    float64 `json:"bytesOut"`
}

// BalanceView is all that a balancer tells. Page, JSON, metrics and table are made from it and from nothing else.
type BalanceView struct {
	Version string         `json:"version"`
	PID     int            `json:"pid"`
	Lease   string         `json:"lease"`
	Profile config.Profile `json:"profile"`
	Path    string         `json:"path"`
	PathWhy string         `json:"pathWhy,omitempty"`
	Started time.Time      `json:"started"`
	File    string         `json:"file"`
	Loaded  time.Time      `json:"loaded"`
	Refused *RefusedConfig `json:"refused,omitempty"`
	Leaving bool           `json:"leaving,omitempty"`
	// Agents: the word of an agent elects.
	Agents   bool                    `json:"agents"`
	Epoch    uint64                  `json:"epoch"`
	Groups   []balancer.GroupState   `json:"groups"`
	Machines []balancer.MachineState `json:"machines"`
	Alarms   []balancer.Alarm        `json:"alarms"`
	Rules    []BalanceRule           `json:"rules"`
	Probes   []BalanceProbe          `json:"probes"`
	// Parked clients wait for a machine now, of ParkLimit.
	Parked    int               `json:"parked"`
	ParkLimit int               `json:"parkLimit"`
	Counters  balancer.Counters `json:"counters"`
	// Connections are some of those that there are; nil where they were not asked for.
	Connections *BalanceConnections `json:"connections,omitempty"`
	// Now is when the balancer said all this.
	Now time.Time `json:"now"`
}

// BalanceRule is one rule with what it carries.
type BalanceRule struct {
	Name        string         `json:"name"`
	Traffic     config.Traffic `json:"traffic,omitempty"`
	Frontend    string         `json:"frontend"`
	Port        int            `json:"port"`
	BackendPort int            `json:"backendPort"`
	Pool        string         `json:"pool"`
	Probe       string         `json:"probe"`
	// Machine gets its traffic; empty: nobody.
	Machine string `json:"machine"`
	Open    int    `json:"open"`
	Old     int    `json:"old"`

	Accepted uint64 `json:"accepted"`
	Ended    uint64 `json:"ended"`
	Cut      uint64 `json:"cut"`
	Idle     uint64 `json:"idle"`
	Failed   uint64 `json:"failed"`

	Denied     uint64 `json:"denied"`
	Limited    uint64 `json:"limited"`
	Overflowed uint64 `json:"overflowed"`
	Expired    uint64 `json:"expired"`
	Malformed  uint64 `json:"malformed"`
	Exhausted  uint64 `json:"exhausted"`

	BytesIn  uint64    `json:"bytesIn"`
	BytesOut uint64    `json:"bytesOut"`
	Rates    RuleRates `json:"rates"`
}

// BalanceProbe is one probe, as it is in force.
type BalanceProbe struct {
	Name            string               `json:"name"`
	Protocol        config.ProbeProtocol `json:"protocol"`
	Port            int                  `json:"port,omitempty"`
	Path            string               `json:"path,omitempty"`
	IntervalSeconds float64              `json:"intervalSeconds"`
	TimeoutSeconds  float64              `json:"timeoutSeconds"`
	Unhealthy       int                  `json:"unhealthy"`
	Healthy         int                  `json:"healthy"`
	// WorstSeconds is how long a machine that has died may go on to look well.
	WorstSeconds float64 `json:"worstSeconds"`
}

// BalanceOf puts a snapshot and the facts of its process together.
func BalanceOf(s balancer.Snapshot, f BalanceFacts) BalanceView {
	v := BalanceView{
		Version: f.Version, PID: f.PID, Lease: s.Lease, Profile: s.Profile, Path: f.Path, PathWhy: f.PathWhy, Started: s.Started,
		File: f.File, Loaded: f.Loaded, Refused: f.Refused, Leaving: f.Leaving, Agents: s.Agents, Epoch: s.Epoch, Groups: s.Groups,
		Machines: s.Machines, Alarms: slices.Clone(s.Alarms), Parked: s.Flows.Parked, ParkLimit: s.Config.ParkLimit, Counters: s.Counters, Now: f.Now,
	}
	if v.Alarms == nil {
		v.Alarms = []balancer.Alarm{} // a list without entries is [] for machines, not null
	}
	for _, r := range s.Config.Rules {
		v.Rules = append(v.Rules, ruleOf(s, r, f.Rates[r.Name]))
	}
	for _, p := range s.Config.Probes {
		v.Probes = append(v.Probes, BalanceProbe{
			Name: p.Name, Protocol: p.Protocol, Port: p.Port, Path: p.Path, IntervalSeconds: p.Interval.Seconds(), TimeoutSeconds: p.Timeout.Seconds(),
			Unhealthy: p.Unhealthy, Healthy: p.Healthy, WorstSeconds: balancer.WorstDetection(s.Profile, p).Seconds(),
		})
	}
	return v
}

func ruleOf(s balancer.Snapshot, r config.BalancerRule, rates RuleRates) BalanceRule {
	v := BalanceRule{
		Name: r.Name, Traffic: r.Traffic, Frontend: r.Frontend.String(), Port: r.Port, BackendPort: r.BackendPort, Pool: r.Pool, Probe: r.Probe, Rates: rates,
	}
	for _, g := range s.Groups {
		if slices.Contains(g.Rules, r.Name) && !g.Target.Nobody() {
			v.Machine = g.Target.Machine
		}
	}
	for _, f := range s.Flows.Rules {
		if f.Rule != r.Name {
			continue
		}
		v.Open, v.Old = f.Open, f.Old
		v.Accepted, v.Ended, v.Cut, v.Idle, v.Failed = f.Accepted, f.Ended, f.Cut, f.Idle, f.Failed
		v.Denied, v.Limited, v.Overflowed, v.Expired, v.Malformed, v.Exhausted = f.Denied, f.Limited, f.Overflowed, f.Expired, f.Malformed, f.Exhausted
		v.BytesIn, v.BytesOut = f.BytesIn, f.BytesOut
	}
	return v
}

// Serving tells whether every rule has a machine.
func (v BalanceView) Serving() bool {
	return len(v.Groups) > 0 && !slices.ContainsFunc(v.Groups, func(g balancer.GroupState) bool { return g.Target.Nobody() || g.Unsteered != "" })
}

// Well tells whether nothing is there for a person to look at.
func (v BalanceView) Well() bool {
	return v.Serving() && len(v.Alarms) == 0 && v.Refused == nil
}

// Headline says in a sentence where the traffic goes.
func (v BalanceView) Headline() string {
	switch {
	case v.Leaving:
		return "another process has taken over; this one ends its connections"
	case len(v.Groups) == 0:
		return "there are no rules"
	}
	for _, g := range v.Groups { // trouble first
		if g.Unsteered != "" {
			return "the data path does not follow: " + g.Unsteered
		}
		if g.Target.Nobody() {
			return g.Why
		}
	}
	return v.Groups[0].Why
}

// rateWindow is how far back the rates look.
const rateWindow = 10 * time.Second

// Rates makes rates of counters. One goroutine owns it.
type Rates struct {
	samples []rateSample
}

type rateSample struct {
	at    time.Duration
	rules []balancer.RuleFlows
}

// Observe takes what was counted up to an instant of this machine's boot-time clock, and gives the rates by rule.
func (r *Rates) Observe(at time.Duration, f balancer.Flows) map[string]RuleRates {
	r.samples = append(r.samples, rateSample{at, f.Rules})
	// The newest sample that is older than the window stays, so that there always is one to compare with.
	for len(r.samples) > 2 && at-r.samples[1].at >= rateWindow {
		r.samples = r.samples[1:]
	}
	first := r.samples[0]
	passed := (at - first.at).Seconds()
	rates := map[string]RuleRates{}
	for _, now := range f.Rules {
		i := slices.IndexFunc(first.rules, func(was balancer.RuleFlows) bool { return was.Rule == now.Rule })
		if i < 0 || passed <= 0 {
			continue
		}
		was := first.rules[i]
		per := func(a, b uint64) float64 { return float64(b-min(a, b)) / passed }
		rates[now.Rule] = RuleRates{per(was.Accepted, now.Accepted), per(was.BytesIn, now.BytesIn), per(was.BytesOut, now.BytesOut)}
	}
	return rates
}

// Bytes writes a number of bytes for people.
func Bytes(n float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	i := 0
	for ; n >= 1000 && i < len(units)-1; i++ {
		n /= 1024
	}
	digits := 0
	if i > 0 && n < 100 {
		digits = 1
	}
	return cmp.Or(trimmed(n, digits), "0") + " " + units[i]
}
