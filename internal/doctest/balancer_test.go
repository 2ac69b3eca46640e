package doctest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/config"
)

// balancersOf are the balancers of a page's configurations, by profile.
func balancersOf(t *testing.T, p page) map[config.Profile]config.Balancer {
	t.Helper()
	all := map[config.Profile]config.Balancer{}
	for _, b := range p.Blocks {
		if b.Is("hocon conf") {
			c, err := load(t, p, b)
			if err != nil {
				t.Fatalf("%s:%d: %v", p.name, b.Line, err)
			}
			all[c.Balancer.Profile] = c.Balancer
		}
	}
	return all
}

// The configurations of the page are the tables of the guide, row by row.
func TestConfigurationsOfTheBalancerGiveTheGuidesTables(t *testing.T) {
	p := readPage(t, "docs/balancer.md")
	all := balancersOf(t, p)
	azure, aws, pair := all[config.ProfileAzure], all[config.ProfileAWSClassic], all[config.ProfilePair]
	var probes, rules, balancers, made [][]string
	for _, probe := range azure.Probes {
		for _, r := range azure.Rules {
			if r.Probe == probe.Name {
				probes = append(probes, []string{probe.Name, string(probe.Protocol), fmt.Sprint(probe.Port), probe.Path, r.Name})
			}
		}
	}
	row := func(r config.BalancerRule) []string {
		return []string{r.Name, fmt.Sprintf("TCP/%d", r.Port), r.Pool, r.Probe}
	}
	for _, r := range azure.Rules {
		rules = append(rules, row(r))
	}
	for _, r := range pair.Rules {
		made = append(made, row(r))
	}
	for _, r := range aws.Rules {
		for _, probe := range aws.Probes {
			if r.Probe == probe.Name {
				balancers = append(balancers, []string{r.Name, fmt.Sprintf("%d (%s) forwarding to %d (%s)", r.Port, r.Protocol, r.BackendPort, r.Protocol),
					fmt.Sprintf("%s:%d", probe.Protocol, probe.Port)})
			}
		}
	}
	same(t, "probes of Azure", probes, p.table(t, "Probe"))
	same(t, "rules of Azure", rules, p.table(t, "Rule"))
	same(t, "balancers of AWS", balancers, p.table(t, "Balancer"))
	same(t, "rules that are made of node.conf", made, p.table(t, "Rule"))
}

func same(t *testing.T, what string, got, want [][]string) {
	t.Helper()
	if len(want) != 3 || !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("the %s are\n%v\nand the page says\n%v", what, got, want)
	}
}

func TestDetectionTimesOfTheBalancerAreRight(t *testing.T) {
	p := readPage(t, "docs/balancer.md")
	worst := func(profile config.Profile) string {
		b := balancersOf(t, p)[profile]
		probe := b.Probes[len(b.Probes)-1]
		if profile == config.ProfilePair {
			probe.Protocol = config.ProbeHTTP
		}
		return fmt.Sprintf("%d s", balancer.WorstDetection(profile, probe)/time.Second)
	}
	for _, cells := range p.table(t, "setting") {
		if !strings.HasPrefix(cells[0], "a dead machine") {
			continue
		}
		for i, profile := range []config.Profile{config.ProfilePair, config.ProfileAzure, config.ProfileAWSClassic} {
			if got, _, _ := strings.Cut(cells[i+1], " by"); got != worst(profile) {
				t.Errorf("%s: the page says %s, it is %s", profile, cells[i+1], worst(profile))
			}
		}
		return
	}
	t.Error("the page does not say how soon a dead machine is noticed")
}

func TestMetricsPathsAndAlarmsOfTheBalancerAreInTheManual(t *testing.T) {
	p := readPage(t, "docs/balancer.md")
	for _, what := range []struct{ name, file, pattern, column string }{
		{"metrics", "internal/status/balancemetrics.go", `"(hotcold_[a-z_]+)"`, "metric"},
		{"paths", "internal/status/balanceserver.go", `mux\.Handle(?:Func)?\("(/[^"{]*)`, "path"},
		{"alarms", "internal/balancer/snapshot.go", `AlarmKind = "([a-z-]+)"`, "alarm"},
	} {
		var want, got []string
		for _, found := range regexp.MustCompile(what.pattern).FindAllStringSubmatch(readFile(t, what.file), -1) {
			want = append(want, found[1])
		}
		for _, cells := range p.table(t, what.column) {
			for text := range strings.SplitSeq(cells[0], ",") {
				got = append(got, strings.Trim(text, "` "))
			}
		}
		compareSets(t, what.name, want, got)
	}
}
