package kernel

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
)

func TestAMarkSaysServiceRuleAndEpoch(t *testing.T) {
	m := newMarks("hotcold-orders")
	seen := map[uint32]bool{}
	for _, rule := range []uint8{0, 1, MaxRules - 1} {
		for _, epoch := range []uint64{0, 1, 42, deadEpoch - 1} {
			mark := m.of(rule, epoch)
			if !m.mine(mark) || ruleOf(mark) != rule || epochOf(mark) != epoch || mark>>31 == 0 {
				t.Errorf("the mark of rule %d and epoch %d is %#x", rule, epoch, mark)
			}
			seen[mark] = true
		}
		for _, epoch := range []uint64{deadEpoch, 1<<40 + 3} {
			if mark := m.of(rule, epoch); mark == m.dead(rule) || ruleOf(mark) != rule {
				t.Errorf("the mark of rule %d and epoch %d is %#x", rule, epoch, mark)
			}
		}
	}
	if len(seen) != 12 {
		t.Errorf("%d different marks, want 12", len(seen))
	}
	if newMarks("hotcold-orders") == newMarks("hotcold-payments") {
		t.Error("two services have the same marks")
	}
}

func TestPrefixesBecomeIntervalsThatDoNotOverlap(t *testing.T) {
	for _, test := range []struct {
		prefixes string
		four     bool
		want     string
	}{
		{"10.0.0.0/8", true, "10.0.0.0-11.0.0.0"},
		{"10.1.2.3/8 10.1.0.0/16 10.0.0.0/8", true, "10.0.0.0-11.0.0.0"},
		{"10.0.0.1/32 ::1/128", true, "10.0.0.1-10.0.0.2"},
		{"10.0.0.1/32 ::1/128", false, "::1-::2"},
		{"255.255.255.0/24", true, "255.255.255.0-"},
		{"0.0.0.0/0", true, "0.0.0.0-"},
		{"::ffff:10.0.0.0/104", true, "10.0.0.0-11.0.0.0"},
		{"", true, ""},
	} {
		var got []string
		for _, e := range intervals(prefixes(strings.Fields(test.prefixes)...), test.four) {
			a, _ := netip.AddrFromSlice(e.Key)
			if e.IntervalEnd {
				got[len(got)-1] += a.String()
			} else {
				got = append(got, a.String()+"-")
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s become %q, want %q", test.prefixes, got, test.want)
		}
	}
}

func TestRulesKeepTheirNumbersOverAReload(t *testing.T) {
	named := func(names ...string) []balancer.Rule {
		var rules []balancer.Rule
		for i, n := range names {
			rules = append(rules, balancer.Rule{Name: n, Frontend: netip.AddrPortFrom(frontend4, uint16(10000+i))})
		}
		return rules
	}
	show := func(rules []*rule) string {
		var s []string
		for _, r := range rules {
			s = append(s, fmt.Sprintf("%d=%s/%v", r.id, r.Name, r.gone))
		}
		return strings.Join(s, " ")
	}
	first, fresh, _ := assign(nil, named("a", "b", "c"))
	if show(first) != "0=a/false 1=b/false 2=c/false" || len(fresh) != 3 {
		t.Errorf("first: %s", show(first))
	}
	second := named("a", "b", "c")
	second = append(slices.Delete(second, 1, 2), balancer.Rule{Name: "d", Frontend: netip.AddrPortFrom(frontend4, 9)})
	second[0].BackendPort = 7
	next, fresh, changed := assign(first, second)
	if show(next) != "0=a/false 1=b/true 2=c/false 3=d/false" || len(fresh) != 1 || !fresh[3] || len(changed) != 1 || !changed[0] {
		t.Errorf("second: %s, fresh %v, changed %v", show(next), fresh, changed)
	}
	if first[1].gone || first[0].BackendPort != 0 {
		t.Error("what was in force was changed")
	}
	moved := named("a")
	moved[0].Frontend = netip.AddrPortFrom(frontend4, 11)
	if other, _, _ := assign(first[:1], moved); show(other) != "0=a/true 1=a/false" {
		t.Errorf("a rule with another frontend: %s", show(other))
	}
}

func TestWhatTheKernelCannotDoIsSaidOfEveryRule(t *testing.T) {
	r := rule4()
	r.ProxyIn, r.ProxyOut, r.IdleTimeout = true, 1, time.Second
	local := balancer.Rule{Name: "local", Frontend: netip.MustParseAddrPort("127.0.0.1:1")}
	err := Supports(setup(r, local, rule6()), machine4...)
	if err == nil {
		t.Fatal("all of it is supported")
	}
	for _, want := range []string{
		"rule p2p: the kernel cannot read a PROXY header", "rule p2p: the kernel cannot send a PROXY header",
		"rule p2p: the kernel counts silence", "rule local: the kernel does not send on what came to the loopback address 127.0.0.1",
		"rule p2p-6: the kernel does not translate between IPv4 and IPv6 (frontend fd77:0:0:1::1, machine 10.77.2.2)",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	if err := Supports(setup(rule4()), machine4...); err != nil {
		t.Errorf("a plain rule: %v", err)
	}
	many := make([]balancer.Rule, MaxRules+1)
	for i := range many {
		many[i] = rule4()
	}
	if err := Supports(setup(many...)); err == nil {
		t.Errorf("%d rules are supported", len(many))
	}
}

func TestRulesThatCannotBeToldApartAreRefused(t *testing.T) {
	at := func(name, front string) balancer.Rule {
		return balancer.Rule{Name: name, Frontend: netip.MustParseAddrPort(front)}
	}
	for _, test := range []struct {
		a, b balancer.Rule
		want string
	}{
		{at("a", "10.0.0.1:1"), at("a", "10.0.0.1:2"), "two of that name"},
		{at("a", "10.0.0.1:1"), at("b", "10.0.0.1:1"), "is taken by rule a"},
		{at("a", "10.0.0.1:1"), at("b", "0.0.0.0:1"), "is taken by rule a"},
		{at("a", "0.0.0.0:1"), at("b", "10.0.0.1:1"), "is taken by rule a"},
		{at("a", "0.0.0.0:1"), at("b", "[::]:1"), ""},
		{at("a", "10.0.0.1:1"), at("b", "10.0.0.2:1"), ""},
		{at("a", "10.0.0.1:1"), at("b", "0.0.0.0:2"), ""},
	} {
		err := clashes([]balancer.Rule{test.a, test.b})
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%v and %v: %v, want %q", test.a.Frontend, test.b.Frontend, err, test.want)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("no options at all were taken")
	}
	if got := tableName("orders / 1"); got != "hotcold-orders___1" {
		t.Errorf("the table is called %q", got)
	}
}

func TestATrialDisturbsNothingAndLeavesNothing(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	p.apply(setup(rule4()))
	p.steer(to4(0, 1), balancer.Old{})
	c, _ := y.client.reach(front4)
	if err := Available(); err != nil {
		t.Error(err)
	}
	c.echo(t)
	if got := tables(t); got != "hotcold-test" {
		t.Errorf("tables %q, want that of the balancer alone", got)
	}
}

func TestServicesWhoseMarksAreTheSameAreNotLetIn(t *testing.T) {
	newYard(t)
	one, err := openTable(tablePrefix+"0", false)
	if err != nil {
		t.Fatal(err)
	}
	defer one.close()
	for i := 1; ; i++ {
		name := tablePrefix + strconv.Itoa(i)
		if newMarks(name) != newMarks(tablePrefix+"0") {
			continue
		}
		if _, err := openTable(name, false); err == nil || !strings.Contains(err.Error(), "give the service another name") {
			t.Errorf("the table %s beside %s0: %v", name, tablePrefix, err)
		}
		return
	}
}
