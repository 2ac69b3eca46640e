package status

import (
	"bufio"
	"fmt"
	"strconv"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
)

const (
	// MaxConnections is how many connections may be asked for: a few megabytes of JSON.
	MaxConnections = 10_000
	// stateConnections and pageConnections are how many are told to who asks for no number.
	stateConnections = 100
	pageConnections  = 50
	// listLimit is how long the data path may take to list them.
	listLimit = 2 * time.Second
)

// BalanceConnections are some of a balancer's connections: at first those of an earlier epoch, then those that wait, then
// those that carried most, and of these the oldest.
type BalanceConnections struct {
	// Total is how many there are, those included that are not shown.
	Total int                 `json:"total"`
	Shown []BalanceConnection `json:"shown"`
	// Unknown is why they are not known; empty: they are.
	Unknown string `json:"unknown,omitempty"`
}

// BalanceConnection is one client.
type BalanceConnection struct {
	Rule   string `json:"rule"`
	Client string `json:"client"`
	// Machine is where it goes, by its name or else its address; empty: it waits for one.
	Machine string `json:"machine,omitempty"`
	Epoch   uint64 `json:"epoch"`
	// State is a word of the data path: open, or how far it has come.
	State string `json:"state"`
	// Old: its epoch is over.
	Old        bool    `json:"old,omitempty"`
	AgeSeconds float64 `json:"ageSeconds"`
	// IdleSeconds is for how long it has carried nothing, where that is known.
	IdleSeconds float64 `json:"idleSeconds,omitempty"`
	// BytesIn came from the client, BytesOut went to it. Uncounted: the kernel does not count them.
	BytesIn   uint64 `json:"bytesIn"`
	BytesOut  uint64 `json:"bytesOut"`
	Uncounted bool   `json:"uncounted,omitempty"`
}

// With is the view with connections, or with why they are not known.
func (v BalanceView) With(c *balancer.Connections, err error) BalanceView {
	v.Connections = &BalanceConnections{Shown: []BalanceConnection{}}
	if err != nil {
		v.Connections.Unknown = err.Error()
		return v
	}
	v.Connections.Total = c.Total()
	for _, n := range c.First() {
		v.Connections.Shown = append(v.Connections.Shown, BalanceConnection{
			Rule: n.Rule, Client: n.Client.String(), Machine: v.machineOf(n.Target), Epoch: n.Target.Epoch, State: n.State, Old: n.Old,
			AgeSeconds: n.Age.Round(time.Millisecond).Seconds(), IdleSeconds: n.Idle.Round(time.Millisecond).Seconds(),
			BytesIn: n.In, BytesOut: n.Out, Uncounted: n.Uncounted,
		})
	}
	return v
}

// machineOf names a target, of which a path may know the address only.
func (v BalanceView) machineOf(t balancer.Target) string {
	if t.Nobody() || t.Machine != "" {
		return t.Machine
	}
	for _, m := range v.Machines {
		if m.Address == t.Address.String() {
			return m.Name
		}
	}
	return t.Address.String()
}

// Hidden is how many connections are not shown.
func (c BalanceConnections) Hidden() int { return max(0, c.Total-len(c.Shown)) }

// Whereabouts says how far a connection has come, and whether its epoch is over.
func (c BalanceConnection) Whereabouts() string {
	if c.Old {
		return c.State + ", old"
	}
	return c.State
}

// In and Out write the bytes for people.
func (c BalanceConnection) In() string { return c.bytes(c.BytesIn) }

// Out is like In, for the other way.
func (c BalanceConnection) Out() string { return c.bytes(c.BytesOut) }

func (c BalanceConnection) bytes(n uint64) string {
	if c.Uncounted {
		return "-"
	}
	return Bytes(float64(n))
}

// To is where a connection goes, for people.
func (c BalanceConnection) To() string {
	if c.Machine == "" {
		return "-"
	}
	return c.Machine
}

// writeConnections is the last part of the table.
func (v BalanceView) writeConnections(b *bufio.Writer, s Style) {
	c := v.Connections
	switch {
	case c == nil:
		return
	case c.Unknown != "":
		b.WriteString("\n")
		labelled(b, s, "connections", cell{"not known: " + oneLine(c.Unknown), bad})
		return
	case len(c.Shown) == 0:
		return
	}
	t := table{head: []string{"RULE", "CLIENT", "TO", "EPOCH", "AGE", "IN", "OUT", "STATE"}}
	for _, n := range c.Shown {
		tone := good
		if n.Old || n.State != balancer.ConnectionOpen {
			tone = busy
		}
		t.rows = append(t.rows, []cell{{oneLine(n.Rule), strong}, {n.Client, plain}, {oneLine(n.To()), plain}, {strconv.FormatUint(n.Epoch, 10), plain},
			{Span(fromSeconds(n.AgeSeconds)), plain}, {n.In(), plain}, {n.Out(), plain}, {n.Whereabouts(), tone}})
	}
	b.WriteString("\n")
	t.write(b, s)
	if hidden := c.Hidden(); hidden > 0 {
		fmt.Fprintf(b, "and %d more of %d; --connections N shows N of them\n", hidden, c.Total)
	}
}
