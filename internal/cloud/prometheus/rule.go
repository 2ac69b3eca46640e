package prometheus

import (
	"bytes"
	"fmt"
	"regexp"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/hotcold/hotcold/internal/cloud"
)

// Pair is what the rules have to know of a pair.
type Pair struct {
	// Job is the label under which Prometheus asks both agents of the pair, and nobody else.
	Job string
	// Wait is the waitInterval.
	Wait time.Duration
}

type groups struct {
	Groups []group `yaml:"groups"`
}

type group struct {
	Name  string `yaml:"name"`
	Rules []rule `yaml:"rules"`
}

type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

var jobName = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,100}$`)

// Rules writes the alert rules.
func (p Pair) Rules() (cloud.File, error) {
	if !jobName.MatchString(p.Job) {
		return cloud.File{}, fmt.Errorf("write the alert rules: the job is %q, want letters, digits, hyphens, dots and slashes", p.Job)
	}
	var text bytes.Buffer
	text.WriteString("# Alerts of the pair, written by `hotcold render prometheus`. Prometheus has to ask both agents under one job, " + p.Job + ".\n")
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	all := groups{[]group{{Name: "hotcold-" + p.Job, Rules: append(p.critical(), p.warnings()...)}}}
	if err := encoder.Encode(all); err != nil {
		return cloud.File{}, fmt.Errorf("write the alert rules as YAML: %w", err)
	}
	return cloud.File{Name: "hotcold-rules.yaml", Mode: 0o644, Text: text.String()}, nil
}

// alert makes a rule. In the expression, METRIC{} and METRIC{label="x"} get the pair's job.
func (p Pair) alert(severity, name, expr string, lasting time.Duration, summary, do string) rule {
	r := rule{
		Alert: name, Expr: inJob.ReplaceAllString(expr, fmt.Sprintf("{job=%q$1", p.Job)),
		Labels: map[string]string{"severity": severity}, Annotations: map[string]string{"summary": summary, "description": do},
	}
	if lasting > 0 {
		r.For = fmt.Sprintf("%ds", int(lasting.Seconds()))
	}
	return r
}

// inJob finds where a metric's labels begin; another label follows behind a comma.
var inJob = regexp.MustCompile(`\{(,|\})`)

func (p Pair) critical() []rule {
	page := func(name, expr string, lasting time.Duration, summary, do string) rule {
		return p.alert("critical", name, expr, lasting, summary, do)
	}
	return []rule{
		page("HotcoldTwoHot", `sum by (job) (hotcold_hot{}) > 1`, 0,
			"Two machines say that they are hot.", "Stop one of them now: systemctl stop hotcold. Then find out why the lease did not keep them apart; `hotcold history` shows both terms."),
		page("HotcoldNobodyHot", `sum by (job) (hotcold_hot{}) < 1 or absent(hotcold_hot{})`, max(2*time.Minute, 4*p.Wait),
			"Nobody is hot: the service is down.", "`hotcold status` says what each machine waits for."),
		page("HotcoldFailed", `max by (job) (hotcold_state{,state="failed"}) == 1`, 0,
			"The pair has given up after too many failed starts.", "Mend the node, then `hotcold resume`; `hotcold history` shows how the starts ended."),
		page("HotcoldDatabaseDown", `max by (job) (hotcold_database_up{}) == 0`, p.Wait,
			"No agent reaches the database of the lease.", "The hot node is stopped when its trust ends, and starts again when the database answers."),
		page("HotcoldFencingFails", `increase(hotcold_fencing_failures_total{}[15m]) > 0`, 0,
			"{{ $labels.instance }} could not lock the other machine out of the database, and starts no node.", "`hotcold check` on that machine says which right is missing."),
		page("HotcoldWithoutLease", `hotcold_leaseless{} == 1`, 0,
			"{{ $labels.instance }} runs its node without a lease.", "Nothing keeps a second node from running. Set hotcold.mutualExclusion.on = true and start the agent again."),
	}
}

func (p Pair) warnings() []rule {
	warn := func(name, expr string, lasting time.Duration, summary, do string) rule {
		return p.alert("warning", name, expr, lasting, summary, do)
	}
	return []rule{
		warn("HotcoldAgentGone", `up{} == 0`, max(time.Minute, 2*p.Wait),
			"The agent on {{ $labels.instance }} does not answer.", "Without it there is nobody to take over. systemctl status hotcold, on that machine."),
		warn("HotcoldNoStandby", `sum by (job) (hotcold_ready{}) < 2`, 5*time.Minute,
			"Only one machine could run the node.", "`hotcold status` says why the other one could not take over."),
		warn("HotcoldFenced", `increase(hotcold_fences_total{}[15m]) > 0`, 0,
			"The node on {{ $labels.instance }} was killed because its trust ran out.", "`hotcold history` says what ended it: the database, the network, or the machine's own clock."),
		warn("HotcoldRenewalsFail", `increase(hotcold_lease_renewal_failures_total{}[10m]) > 3`, 0,
			"Renewals of the lease fail on {{ $labels.instance }}.", "The database is slow or away now and then; one more failure in a row may cost a takeover."),
		warn("HotcoldMayLoseWrites", `hotcold_guarantee{,level="C"} == 1`, 15*time.Minute,
			"The database of the lease may lose its last writes when it fails over.", "Make its replication synchronous; `hotcold status` shows what it says of itself."),
		warn("HotcoldPaused", `max by (job) (hotcold_paused{}) == 1`, time.Hour,
			"Somebody has paused the pair, and it takes over nothing.", "`hotcold resume`, once the work is done."),
		warn("HotcoldNodeUnwell", `hotcold_hot{} == 1 and hotcold_node_healthy{} == 0`, time.Minute,
			"The hot node on {{ $labels.instance }} fails its health checks.", "It is started again soon; its own log says more."),
		warn("HotcoldClockJumps", `increase(hotcold_clock_jumps_total{}[1h]) > 0`, 0,
			"The clock of {{ $labels.instance }} jumped.", "Let chrony or ntpd slew it. Each jump costs traffic until the database has confirmed the lease."),
		warn("HotcoldAgentHangs", fmt.Sprintf(`hotcold_loop_age_seconds{} > %g`, (p.Wait/2).Seconds()), 0,
			"The agent's loop on {{ $labels.instance }} does not turn.", "The guard ends the node in time. Look for a machine that swaps or a disk that hangs."),
	}
}
