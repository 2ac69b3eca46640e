package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hotcold/hotcold/internal/witness"
)

// Report is what the demo measured and the audit found.
type Report struct {
	// Held: all that was promised held. Faults say what did not.
	Held   bool     `json:"held"`
	Faults []string `json:"faults"`
	// Turns are the steps from each run of the node to the next.
	Turns []Turn `json:"turns"`
	// Writes are the clients'.
	Writes Writes `json:"writes"`
	// SilentSeconds is how long the client at the balancer's address was without
	// an answer in all turns together, LongestSilentSeconds in the longest.
	SilentSeconds        float64 `json:"silentSeconds"`
	LongestSilentSeconds float64 `json:"longestSilentSeconds"`
	// Runs is how many times the node ran; TwoAlive how many pairs of runs
	// were alive at one instant, and TwoAliveSeconds for how long.
	Runs            int     `json:"runs"`
	TwoAlive        int     `json:"twoAlive"`
	TwoAliveSeconds float64 `json:"twoAliveSeconds"`
	// Epochs are those under which the node ran, in their order.
	Epochs []int64 `json:"epochs"`
	// TakeoverSeconds is the bound of a takeover without the node's own start.
	TakeoverSeconds float64 `json:"takeoverSeconds"`
	// Seconds is how long the demo took.
	Seconds float64 `json:"seconds"`
	// Folder is where all of it lies, if it was kept.
	Folder string `json:"folder,omitempty"`
}

// Writes counts the client's writes.
type Writes struct {
	Acknowledged int `json:"acknowledged"`
	// Lost were acknowledged and are not there.
	Lost int `json:"lost"`
	// Twice are in the journal more than once.
	Twice int `json:"twice"`
}

// Turn is one step from a run of the node to the next.
type Turn struct {
	// AtSeconds counts from the start of the demo.
	AtSeconds float64 `json:"atSeconds"`
	After     string  `json:"after"`
	From      string  `json:"from"`
	To        string  `json:"to"`
	Epoch     int64   `json:"epoch"`
	Takeover  bool    `json:"takeover"`
	// SilentSeconds is from the last acknowledged write to the next, 0 if
	// there was none; DarkSeconds from the node's end to the next one's start.
	SilentSeconds float64 `json:"silentSeconds"`
	DarkSeconds   float64 `json:"darkSeconds"`
	// BoundSeconds is the worst case of a takeover, the node's own start of
	// StartSeconds included; 0 where none was promised. NoBound says why.
	BoundSeconds float64 `json:"boundSeconds"`
	StartSeconds float64 `json:"startSeconds"`
	NoBound      string  `json:"noBound,omitempty"`
	Held         bool    `json:"held"`
}

// report audits what is left when all has ended, and tells it.
func (s *show) report(ctx context.Context) (Report, error) {
	db, err := s.o.Open(sqliteDSN(s.stage.nodeDB))
	if err != nil {
		return Report{}, fmt.Errorf("open the node's database: %w", err)
	}
	found, err := s.o.audit(ctx, witness.Evidence{
		Records: s.stage.records, Journal: s.stage.journal, DB: db, Acked: append(s.client.Acked(), s.stray.Acked()...), Clock: s.o.Clock,
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return Report{}, err
	}
	n := s.scene()
	r := conclude(found, turns(found.Changes, n.progress.Stalls, s.deedsSoFar(), n), s.failed, s.tell.began)
	r.TakeoverSeconds = rounded(n.bound)
	r.Seconds = rounded(s.o.Clock.Now().Boot - s.tell.began)
	if s.stage.keep {
		r.Folder = s.stage.dir
	}
	s.tell.print(plain, "\n"+strings.TrimRight(r.table(), "\n"))
	for _, f := range r.Faults {
		s.tell.print(bad, "DID NOT HOLD: "+f)
	}
	if r.Held {
		s.tell.print(good, "All of it held.")
	}
	if r.Folder != "" {
		s.tell.print(plain, fmt.Sprintf("Its folder stays: %s\nWhat the agents say of it: %s history -c %s",
			shellWord(r.Folder), shellWord(s.o.Executable), shellWord(s.stage.machines[0].Conf)))
	}
	return r, nil
}

// conclude is the judgement, and pure. Times count from began.
func conclude(found witness.Report, all []turn, failed []string, began time.Duration) Report {
	r := Report{
		Faults: append(append([]string{}, found.Faults()...), failed...), Turns: []Turn{}, Runs: len(found.Lives),
		Writes:   Writes{Acknowledged: found.Acked, Lost: len(found.Lost), Twice: len(found.Duplicates)},
		TwoAlive: len(found.Overlaps), TwoAliveSeconds: found.TwoAlive.Seconds(),
	}
	for _, l := range found.Lives {
		if !slices.Contains(r.Epochs, l.Epoch) {
			r.Epochs = append(r.Epochs, l.Epoch)
		}
	}
	for _, t := range all {
		line := Turn{
			AtSeconds: rounded(t.at - began), After: t.what, From: t.from.Instance, To: t.to.Instance, Epoch: t.to.Epoch, Takeover: t.takeover(),
			SilentSeconds: rounded(t.silent), DarkSeconds: rounded(t.dark), StartSeconds: rounded(t.start), Held: t.held(),
		}
		switch {
		case !t.takeover() && t.from.Epoch == t.to.Epoch:
			line.NoBound = "in place"
		case !t.takeover() && t.unbound == "":
			line.NoBound = "nobody took over"
		case t.unbound != "":
			line.NoBound = t.unbound
		default:
			line.BoundSeconds = rounded(t.bound)
		}
		if !t.held() {
			r.Faults = append(r.Faults, fmt.Sprintf("the takeover by %s (epoch %d, %s) took %s, more than the bound of %s",
				t.to.Instance, t.to.Epoch, t.what, seconds(max(t.silent, t.dark)), seconds(t.bound)))
		}
		r.Turns = append(r.Turns, line)
		r.SilentSeconds = rounded(span(r.SilentSeconds + line.SilentSeconds))
		r.LongestSilentSeconds = max(r.LongestSilentSeconds, line.SilentSeconds)
	}
	if found.Acked == 0 {
		r.Faults = append(r.Faults, "not one write was acknowledged")
	}
	r.Held = len(r.Faults) == 0
	return r
}

// table is the report for people.
func (r Report) table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT WAS DONE\tTHE NODE WENT\tEPOCH\tNO ANSWER\tNO NODE\tBOUND")
	for _, t := range r.Turns {
		way, bound := t.From+" -> "+t.To, "none: "+t.NoBound
		if !t.Takeover {
			way = "stayed on " + t.To
		}
		if t.BoundSeconds > 0 {
			bound = atMost(span(t.BoundSeconds)) + ", held"
			if !t.Held {
				bound = atMost(span(t.BoundSeconds)) + ", NOT HELD"
			}
		}
		silent := "-"
		if t.SilentSeconds > 0 {
			silent = seconds(span(t.SilentSeconds))
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", t.After, way, t.Epoch, silent, seconds(span(t.DarkSeconds)), bound)
	}
	w.Flush() // into memory: it cannot fail
	fmt.Fprintf(&b, "\nNO ANSWER: from the last acknowledged write to the next, as the client at the\nbalancer's address saw it: %s in all.\n"+
		"NO NODE: from the end of one node to the start of the next. BOUND: %s for the\ntakeover itself, and the node's own start.\n", seconds(span(r.SilentSeconds)), atMost(span(r.TakeoverSeconds)))
	if slices.ContainsFunc(r.Turns, func(t Turn) bool { return t.After == unasked || t.NoBound == tooSlow }) {
		fmt.Fprint(&b, "The disk of this machine was too busy to answer in time, which is what a bound counts\non and a renewal needs: --wait 3s is calmer.\n")
	}
	b.WriteString("\n")
	fmt.Fprintf(&b, "%8d  writes acknowledged\n%8d  of them lost\n%8d  written twice\n", r.Writes.Acknowledged, r.Writes.Lost, r.Writes.Twice)
	fmt.Fprintf(&b, "%8d  instants at which two nodes lived, in %d runs of the node\n", r.TwoAlive, r.Runs)
	fmt.Fprintf(&b, "%8d  terms, under the epochs %s\n", len(r.Epochs), strings.Trim(fmt.Sprint(r.Epochs), "[]"))
	return b.String()
}

// rounded is for people who read JSON.
func rounded(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

func span(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
