package status_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/hotcold/hotcold/internal/agent"
)

func TestMetricsRenderTheSnapshot(t *testing.T) {
	b := serve(t, nil, nil)
	_, body := b.get(t, "/metrics")
	golden(t, "metrics.txt", ours(body))
	s := coldSnapshot()
	s.State = agent.Failed
	b.set(s)
	_, body = b.get(t, "/metrics")
	for _, want := range []string{`hotcold_state{state="failed"} 1`, `hotcold_state{state="hot"} 0`, "hotcold_hot 0", "hotcold_trust_seconds 0", "hotcold_node_up 0"} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("no line %q in\n%s", want, ours(body))
		}
	}
}

// ours leaves out what the process and the runtime say of themselves.
func ours(body string) string {
	var b strings.Builder
	for line := range strings.Lines(body) {
		if strings.Contains(line, "hotcold_") {
			b.WriteString(line)
		}
	}
	return regexp.MustCompile(`goversion="[^"]*"`).ReplaceAllString(b.String(), `goversion="GO"`)
}

func TestMetricsPassThePrometheusLinter(t *testing.T) {
	b := serve(t, nil, nil)
	_, body := b.get(t, "/metrics")
	problems, err := promlint.New(strings.NewReader(ours(body))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetricsSurviveATextThatIsNoUTF8(t *testing.T) {
	b := serve(t, nil, nil)
	s := hotSnapshot(b.clock.Now())
	s.Machine = "\xff"
	b.set(s)
	if code, body := b.get(t, "/metrics"); code != 200 || !strings.Contains(body, `machine="?"`) {
		t.Errorf("%d %s", code, ours(body))
	}
}

func TestMetricsStaySmall(t *testing.T) {
	b := serve(t, nil, nil)
	_, body := b.get(t, "/metrics")
	if n := strings.Count(body, "\n"); n > 220 {
		t.Errorf("%d lines for one scrape", n)
	}
}
