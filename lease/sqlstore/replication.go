package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Copies says how far a database keeps what it has acknowledged when it loses a
// server.
type Copies string

// How a database can be replicated.
const (
	// CopiesSynchronous: an acknowledged write stands on another server too.
	CopiesSynchronous Copies = "synchronous"
	// CopiesDegraded: it is meant to be synchronous and is not at this moment.
	CopiesDegraded Copies = "degraded"
	// CopiesAsynchronous: another server may be promoted without the last writes.
	CopiesAsynchronous Copies = "asynchronous"
	// CopiesNone: there is one server, and nobody else to be promoted.
	CopiesNone Copies = "none"
	// CopiesUnknown: it cannot be seen, and no is not assumed to be yes.
	CopiesUnknown Copies = "unknown"
)

// Replication is how a database is replicated, and how that is known.
type Replication struct {
	Copies Copies `json:"copies"`
	// Asserted: a person has said so. A managed service that replicates below
	// SQL shows nothing of it.
	Asserted bool `json:"asserted,omitempty"`
	// Text is what was found, in words.
	Text string `json:"text"`
	// Raise is what would make it better; empty where nothing would.
	Raise string `json:"raise,omitempty"`
	// NoRoles: nobody can be locked out of the database.
	NoRoles bool `json:"-"`
	// WeakFencing is why locking out does not make level A; empty where it does.
	WeakFencing string `json:"-"`
}

// lossless tells whether no failover of the database loses an acknowledged write.
func (r Replication) lossless() bool { return r.Copies == CopiesSynchronous || r.Copies == CopiesNone }

// assertions are what [Config.Replication] takes, beside nothing.
func assertions() []Copies { return []Copies{CopiesSynchronous, CopiesAsynchronous, CopiesNone} }

// asserted is the replication that a person vouches for.
func asserted(c Copies) Replication {
	r := Replication{Copies: c, Asserted: true}
	switch c {
	case CopiesSynchronous:
		r.Text = "replication is asserted to be synchronous by the configuration; nobody has looked"
	case CopiesAsynchronous:
		r.Text = "replication is asserted to be asynchronous by the configuration"
		r.Raise = "replicate synchronously, and say so in hotcold.database.replication"
	case CopiesNone:
		r.Text = "it is asserted by the configuration that there is one server without a replica; nobody has looked"
	}
	return r
}

// Replication finds out how the database is replicated, with a few statements, or
// none where the configuration asserts it. It says nothing of the next moment.
func (d *DB) Replication(ctx context.Context) (Replication, error) {
	l := d.dialect.locks()
	noRoles, weakness := l == nil, ""
	if w, ok := l.(weak); ok {
		weakness = w.weakness()
	}
	if d.asserted != "" {
		r := asserted(d.asserted)
		r.NoRoles, r.WeakFencing = noRoles, weakness
		return r, nil
	}
	var r Replication
	err := d.run(ctx, boardLane, "look at the replication of the database", func(s session) error {
		var err error
		r, err = d.dialect.replication(ctx, s)
		return err
	})
	r.NoRoles, r.WeakFencing = noRoles, weakness
	return r, err
}

// Level is how far the promise goes that two nodes are never alive at once.
type Level string

// The levels, the best first.
const (
	// LevelA: a node that is not meant to live any more cannot write to the
	// database, whatever its machine does.
	LevelA Level = "A"
	// LevelB: a failover of the database loses nothing that was acknowledged.
	LevelB Level = "B"
	// LevelC: a database that splits, or loses its last writes, can make two.
	LevelC Level = "C"
)

// Fencing is how far the roles of the other machines are locked out.
type Fencing int

// The states of fencing in the database.
const (
	// FencingOff: it is not asked for.
	FencingOff Fencing = iota
	// FencingDue: it is asked for and has not succeeded in this term.
	FencingDue
	// FencingDone: it succeeded in this term.
	FencingDone
)

// Guarantee is what a set-up can promise, and why.
type Guarantee struct {
	Level Level `json:"level"`
	// Text is what the level rests on, in words.
	Text string `json:"text"`
	// Raise is what would raise the level; empty where nothing would.
	Raise       string      `json:"raise,omitempty"`
	Replication Replication `json:"replication"`
}

// GuaranteeOf names the level of a set-up. Fencing alone does not make level A: in
// a database that was split, the old node is locked out on one side and
// writes on the other.
func GuaranteeOf(r Replication, f Fencing) Guarantee {
	g := Guarantee{Level: LevelC, Text: r.Text, Raise: r.Raise, Replication: r}
	switch {
	case r.lossless() && r.WeakFencing != "":
		if g.Level = LevelB; f == FencingDone {
			g.Text = "the other machines' nodes are locked out of the database as well as that can be done: " + r.WeakFencing + "; " + r.Text
		}
	case r.lossless() && f == FencingDone:
		g.Level, g.Raise = LevelA, ""
		g.Text = "the other machines' nodes are locked out of the database; " + r.Text
	case r.lossless() && f == FencingDue:
		g.Level, g.Raise = LevelB, "it becomes A once the holder has locked the other machines' nodes out of the database"
	case r.lossless() && r.NoRoles:
		g.Level = LevelB
	case r.lossless():
		g.Level, g.Raise = LevelB, "hotcold.database.fencing makes it A"
	case f == FencingDone:
		g.Text = "the other machines' nodes are locked out of this server, and a server that was split off from it does not know; " + r.Text
	}
	return g
}

// String is the guarantee in one line.
func (g Guarantee) String() string {
	text := fmt.Sprintf("level %s: %s", g.Level, g.Text)
	if g.Raise != "" {
		text += "; " + g.Raise
	}
	return text
}

func validAssertion(c Copies) error {
	if c == "" || slices.Contains(assertions(), c) {
		return nil
	}
	var names []string
	for _, a := range assertions() {
		names = append(names, string(a))
	}
	return fmt.Errorf("replication %q cannot be asserted, want one of %s", c, strings.Join(names, ", "))
}
