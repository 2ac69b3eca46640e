package status

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/config"
)

// trimmed writes a number with so many digits behind the point.
func trimmed(n float64, digits int) string { return strconv.FormatFloat(n, 'f', digits, 64) }

// WriteBalance writes a balancer's state for a person.
func WriteBalance(w io.Writer, v BalanceView, s Style) error {
	return rendered(w, func(b *bufio.Writer) {
		v.writeHead(b, s)
		b.WriteString("\n")
		v.ruleTable().write(b, s)
		b.WriteString("\n")
		v.machineTable(s).write(b, s)
		v.writeConnections(b, s)
	})
}

func (v BalanceView) writeHead(b *bufio.Writer, s Style) {
	headline := cell{oneLine(v.Headline()), good}
	if !v.Serving() || v.Leaving {
		headline.tone = bad
	}
	labelled(b, s, "traffic", headline)
	for _, g := range v.Groups {
		name := "since"
		if len(v.Groups) > 1 {
			name = g.Group
		}
		labelled(b, s, oneLine(name), cell{fmt.Sprintf("%s, %s, epoch %d", s.Clock(g.Since), machineOrNobody(g.Target), v.Epoch), plain})
	}
	for _, a := range v.Alarms {
		labelled(b, s, "alarm", cell{oneLine(string(a.Kind) + ": " + a.Text), bad})
	}
	if v.Refused != nil {
		labelled(b, s, "refused", cell{"a changed configuration at " + s.Clock(v.Refused.At) + ", and the former one is in force:", bad})
		for _, fault := range v.Refused.Faults {
			labelled(b, s, "", cell{oneLine(fault), bad})
		}
	}
	how := fmt.Sprintf("%s, profile %s, pid %d, since %s", v.Path, v.Profile, v.PID, s.Clock(v.Started))
	if v.PathWhy != "" {
		how += " (" + v.PathWhy + ")"
	}
	labelled(b, s, "balancer", cell{oneLine(how), plain})
	if v.Parked > 0 {
		labelled(b, s, "waiting", cell{fmt.Sprintf("%d clients wait for a machine, of %d that may", v.Parked, v.ParkLimit), busy})
	}
}

func machineOrNobody(t balancer.Target) string {
	if t.Nobody() {
		return "nobody"
	}
	return oneLine(t.Machine)
}

func (v BalanceView) ruleTable() table {
	t := table{head: []string{"RULE", "FRONTEND", "POOL", "PROBE", "TO", "OPEN", "IN", "OUT", "ENDED OTHERWISE"}}
	for _, r := range v.Rules {
		to, tone := "nobody", bad
		if r.Machine != "" {
			to, tone = oneLine(net.JoinHostPort(r.Machine, strconv.Itoa(r.BackendPort))), good
		}
		open := strconv.Itoa(r.Open)
		if r.Old > 0 {
			open += fmt.Sprintf(" (%d old)", r.Old)
		}
		t.rows = append(t.rows, []cell{
			{oneLine(r.Name), strong}, {net.JoinHostPort(r.Frontend, strconv.Itoa(r.Port)), plain}, {oneLine(r.Pool), plain}, {oneLine(r.Probe), plain}, {to, tone},
			{open, plain}, {Bytes(r.Rates.BytesIn) + "/s", plain}, {Bytes(r.Rates.BytesOut) + "/s", plain}, {r.Otherwise(), plain},
		})
	}
	return t
}

// Otherwise lists the ends that were not in order, where there are any.
func (r BalanceRule) Otherwise() string {
	text := ""
	for _, n := range []struct {
		n    uint64
		what string
	}{
		{r.Cut, "cut"}, {r.Idle, "idle"}, {r.Failed, "not connected"}, {r.Denied, "denied"}, {r.Limited, "over a limit"},
		{r.Overflowed, "over the park's limit"}, {r.Expired, "parked too long"}, {r.Malformed, "bad PROXY header"}, {r.Exhausted, "no descriptor left"},
	} {
		if n.n > 0 {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%d %s", n.n, n.what)
		}
	}
	if text == "" {
		return "none"
	}
	return text
}

func (v BalanceView) machineTable(s Style) table {
	t := table{head: []string{"MACHINE", "ADDRESS", "SEEN BY", "BELIEF", "WHY"}}
	for _, m := range v.Machines {
		if m.Word != nil {
			belief, tone := wordInWords(*m.Word)
			t.rows = append(t.rows, []cell{{oneLine(m.Name), strong}, {m.Address, plain}, {"agent", plain}, {belief, tone}, {oneLine(v.why(m)), plain}})
		}
		for i, p := range m.Probes {
			why := p.Reason
			if m.Word == nil && i == 0 {
				why = v.why(m)
			}
			belief, tone := beliefInWords(p)
			t.rows = append(t.rows, []cell{{oneLine(m.Name), strong}, {m.Address, plain}, {"probe " + oneLine(p.Name), plain}, {belief, tone}, {oneLine(why), plain}})
		}
	}
	return t
}

// why explains a machine in one line.
func (v BalanceView) why(m balancer.MachineState) string {
	if len(m.Explain) == 0 {
		return ""
	}
	return m.Explain[0].Why
}

func wordInWords(w balancer.WordState) (string, tone) {
	switch {
	case !w.Heard:
		return "not heard", bad
	case w.Hot && w.TrustLeftSeconds > 0 && w.Connected:
		return fmt.Sprintf("hot, epoch %d", w.Epoch), good
	case w.Hot && w.TrustLeftSeconds > 0:
		return fmt.Sprintf("hot, epoch %d, for %s", w.Epoch, Span(fromSeconds(w.TrustLeftSeconds))), busy
	case !w.Connected:
		return "not heard", bad
	}
	return oneLine(w.State), plain
}

func beliefInWords(p balancer.ProbeState) (string, tone) {
	text, tone := string(p.Belief), plain
	switch p.Belief {
	case balancer.Well:
		tone = good
	case balancer.Ill:
		tone = bad
	}
	if p.Against > 0 {
		text += fmt.Sprintf(", %d of %d against", p.Against, p.Limit)
	}
	return text, tone
}

// WriteExplain says for each group of rules why each machine is, or is not, the one that gets the traffic.
func WriteExplain(w io.Writer, v BalanceView, s Style) error {
	return rendered(w, func(b *bufio.Writer) {
		for i, g := range v.Groups {
			if i > 0 {
				b.WriteString("\n")
			}
			v.writeGroup(b, s, g)
		}
	})
}

func (v BalanceView) writeGroup(b *bufio.Writer, s Style, g balancer.GroupState) {
	rules := ""
	for i, r := range g.Rules {
		if i > 0 {
			rules += ", "
		}
		rules += oneLine(r)
	}
	labelled(b, s, "rules", cell{rules, plain})
	tone := good
	if g.Target.Nobody() {
		tone = bad
	}
	labelled(b, s, "traffic", cell{machineOrNobody(g.Target) + " since " + s.Clock(g.Since), tone})
	labelled(b, s, "because", cell{oneLine(g.Why), plain})
	if g.Unsteered != "" {
		labelled(b, s, "but", cell{"the data path does not follow: " + oneLine(g.Unsteered), bad})
	}
	for _, m := range v.Machines {
		b.WriteString("\n")
		v.writeMachine(b, s, g, m)
	}
}

// historyShown is how many changes of a machine are printed.
const historyShown = 10

func (v BalanceView) writeMachine(b *bufio.Writer, s Style, g balancer.GroupState, m balancer.MachineState) {
	for _, e := range m.Explain {
		if e.Group != g.Group {
			continue
		}
		verdict, tone := "is not the target: ", busy
		if e.Target {
			verdict, tone = "is the target: ", good
		}
		labelled(b, s, oneLine(m.Name), cell{verdict + oneLine(e.Why), tone})
	}
	if w := m.Word; w != nil {
		text, tone := wordInWords(*w)
		if w.Why != "" {
			text += ": " + oneLine(w.Why)
		}
		if w.Error != "" {
			text += " (" + oneLine(w.Error) + ")"
		}
		labelled(b, s, "  agent", cell{text, tone})
	}
	for _, p := range m.Probes {
		text, tone := beliefInWords(p)
		if p.Reason != "" {
			text += ": " + oneLine(p.Reason)
		}
		labelled(b, s, "  probe", cell{oneLine(p.Name) + " (" + string(p.Protocol) + ") " + text, tone})
	}
	for _, c := range m.History[max(0, len(m.History)-historyShown):] {
		text := s.fine(c.At) + " " + oneLine(c.What) + ": " + oneLine(c.Now)
		if c.Why != "" {
			text += ": " + oneLine(c.Why)
		}
		labelled(b, s, "  was", cell{text, plain})
	}
}

// WriteDetection says how long each probe needs at worst, beside the lease's own bound.
func WriteDetection(w io.Writer, b config.Balancer, takeover time.Duration, s Style) error {
	return rendered(w, func(out *bufio.Writer) {
		t := table{head: []string{"PROBE", "PROTOCOL", "LOOKS AT", "INTERVAL", "TIMEOUT", "UNHEALTHY", "HEALTHY", "A DEAD MACHINE IS NOTICED WITHIN"}}
		for _, p := range b.Probes {
			at := strconv.Itoa(p.Port) + p.Path
			if p.Protocol == config.ProbeAgent {
				at = "its agent"
			}
			t.rows = append(t.rows, []cell{{p.Name, strong}, {string(p.Protocol), plain}, {at, plain}, {Span(p.Interval), plain}, {Span(p.Timeout), plain},
				{strconv.Itoa(p.Unhealthy), plain}, {strconv.Itoa(p.Healthy), plain}, {spanAbove(balancer.WorstDetection(b.Profile, p)), plain}})
		}
		t.write(out, s)
		if takeover > 0 {
			out.WriteString("\n")
			labelled(out, s, "the lease", cell{"moves within " + spanAbove(takeover) + " at worst, without the node's own start", plain})
		}
	})
}
