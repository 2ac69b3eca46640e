package prometheus_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/cloud/prometheus"
	"github.com/hotcold/hotcold/internal/testserver"
)

func rules(t *testing.T) string {
	t.Helper()
	f, err := prometheus.Pair{Job: "ledger", Wait: 10 * time.Second}.Rules()
	if err != nil {
		t.Fatal(err)
	}
	return f.Text
}

// A rule that asks for a metric that is not there is silent for ever.
func TestEveryMetricOfTheRulesIsOneOfTheAgents(t *testing.T) {
	page, err := os.ReadFile("../../status/testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	asked := regexp.MustCompile(`\bhotcold_[a-z_]+`).FindAllString(rules(t), -1)
	slices.Sort(asked)
	asked = slices.Compact(asked)
	if len(asked) < 10 {
		t.Errorf("the rules ask for %v only", asked)
	}
	for _, name := range asked {
		if !strings.Contains(string(page), "\n"+name) {
			t.Errorf("%s is no metric of the agent", name)
		}
	}
	if strings.Contains(rules(t), "{}") || strings.Contains(rules(t), "{,") {
		t.Error("an expression asks without the job")
	}
}

func TestAJobIsAPlainWord(t *testing.T) {
	for job, good := range map[string]bool{"hotcold": true, "team/pair-1": true, "": false, `a"b`: false, "a b": false} {
		if _, err := (prometheus.Pair{Job: job, Wait: time.Second}).Rules(); (err == nil) != good {
			t.Errorf("%q: %v", job, err)
		}
	}
}

// promtool reads the rules, and runs them over what two agents would say in each situation.
func TestAlertsFireWhenTheyShouldAndNotBefore(t *testing.T) {
	program := testserver.Program(t, "promtool")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hotcold-rules.yaml"), []byte(rules(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	well := `    input_series:
      - { series: 'up{job="ledger", instance="a"}', values: '1x60' }
      - { series: 'up{job="ledger", instance="b"}', values: '%s' }
      - { series: 'hotcold_hot{job="ledger", instance="a"}', values: '%s' }
      - { series: 'hotcold_hot{job="ledger", instance="b"}', values: '%s' }
      - { series: 'hotcold_ready{job="ledger", instance="a"}', values: '1x60' }
      - { series: 'hotcold_ready{job="ledger", instance="b"}', values: '%s' }
      - { series: 'hotcold_fences_total{job="ledger", instance="a"}', values: '%s' }
      - { series: 'hotcold_hot{job="other", instance="c"}', values: '1x60' }
`
	var tests strings.Builder
	tests.WriteString("rule_files: [hotcold-rules.yaml]\nevaluation_interval: 10s\ntests:\n")
	for _, c := range []struct {
		upB, hotA, hotB, readyB, fences string
		alert                           string
		at                              string
		labels                          string // of the alert that fires; empty where none does
	}{
		{"1x60", "1x60", "0x60", "1x60", "0x60", "HotcoldTwoHot", "5m", ""},
		{"1x60", "1x60", "0x60", "1x60", "0x60", "HotcoldNobodyHot", "5m", ""},
		{"1x60", "1x60", "0x60", "1x60", "0x60", "HotcoldNoStandby", "9m", ""},
		{"1x60", "1x60", "0x60", "1x60", "0x60", "HotcoldFenced", "9m", ""},
		{"1x60", "1x60", "1x60", "1x60", "0x60", "HotcoldTwoHot", "10s", "job: ledger"},
		{"1x60", "0x60", "0x60", "1x60", "0x60", "HotcoldNobodyHot", "1m", ""},
		{"1x60", "0x60", "0x60", "1x60", "0x60", "HotcoldNobodyHot", "3m", "job: ledger"},
		{"1x60", "1x60", "0x60", "0x60", "0x60", "HotcoldNoStandby", "6m", "job: ledger"},
		{"0x60", "1x60", "0x60", "0x60", "0x60", "HotcoldAgentGone", "3m", "job: ledger, instance: b"},
		{"1x60", "1x60", "0x60", "1x60", "0x6 1x50", "HotcoldFenced", "2m", "job: ledger, instance: a"},
	} {
		fmt.Fprintf(&tests, "  - interval: 10s\n"+well+"    alert_rule_test:\n      - eval_time: %s\n        alertname: %s\n        exp_alerts: [%s]\n",
			c.upB, c.hotA, c.hotB, c.readyB, c.fences, c.at, c.alert, expected(t, c.alert, c.labels))
	}
	name := filepath.Join(dir, "tests.yaml")
	if err := os.WriteFile(name, []byte(tests.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{{"check", "rules", filepath.Join(dir, "hotcold-rules.yaml")}, {"test", "rules", name}} {
		if out, err := exec.CommandContext(t.Context(), program, words...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v:\n%s", words[:2], err, out)
		}
	}
}

// expected is the alert as promtool wants it, with the texts of its rule.
func expected(t *testing.T, alert, labels string) string {
	t.Helper()
	if labels == "" {
		return ""
	}
	severity := "critical"
	if slices.Contains([]string{"HotcoldNoStandby", "HotcoldAgentGone", "HotcoldFenced"}, alert) {
		severity = "warning"
	}
	_, rest, ok := strings.Cut(rules(t), "- alert: "+alert+"\n")
	if !ok {
		t.Fatalf("there is no alert %s", alert)
	}
	text := func(key string) string {
		_, value, _ := strings.Cut(rest, key+": ")
		value, _, _ = strings.Cut(value, "\n")
		value = strings.ReplaceAll(strings.Trim(value, "'"), "''", "'") // as YAML quotes
		for _, instance := range []string{"a", "b"} {
			if strings.Contains(labels, "instance: "+instance) {
				value = strings.ReplaceAll(value, "{{ $labels.instance }}", instance)
			}
		}
		return value
	}
	return fmt.Sprintf("{exp_labels: {severity: %s, %s}, exp_annotations: {summary: %q, description: %q}}", severity, labels, text("summary"), text("description"))
}
