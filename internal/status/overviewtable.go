package status

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// WriteTable writes the overview for a person.
func WriteTable(w io.Writer, o Overview, s Style) error {
	return rendered(w, func(b *bufio.Writer) {
		o.writeHead(b, s)
		if len(o.Instances) > 0 {
			b.WriteByte('\n')
			o.members(s).write(b, s)
		}
		if len(o.Requests)+len(o.Warnings) > 0 || o.Hint != "" {
			b.WriteByte('\n')
		}
		for _, r := range o.Requests {
			labelled(b, s, "request", cell{r.line(), busy})
		}
		for _, text := range o.Warnings {
			labelled(b, s, "warning", cell{oneLine(text), bad})
		}
		if o.Hint != "" {
			labelled(b, s, "hint", cell{oneLine(o.Hint), plain})
		}
	})
}

func (o Overview) writeHead(b *bufio.Writer, s Style) {
	labelled(b, s, "lease", cell{oneLine(o.Lease + " in " + o.Database), plain})
	labelled(b, s, "state", cell{oneLine(o.Summary), o.Condition.tone()})
	if h := o.Holder; h != nil {
		if !h.Since.IsZero() && !h.Released {
			labelled(b, s, "since", cell{s.Clock(h.Since) + o.sinceAgo(), plain})
		}
		label := "renewed"
		if h.Released {
			label = "released"
		}
		labelled(b, s, label, cell{s.Clock(h.RenewedAt) + " (" + Ago(fromSeconds(h.AgeSeconds)) + ", by " + o.clock() + " clock)", plain})
	}
	if len(o.Standby) > 0 {
		labelled(b, s, "stand-by", cell{oneLine(list(o.Standby)) + " could take over", good})
	} else {
		labelled(b, s, "stand-by", cell{"nobody could take over", bad})
	}
	if t := o.Timing; t != nil {
		labelled(b, s, "takeover", cell{fmt.Sprintf("at most %s after the holder's machine dies, plus the node's own start (renewed every %s, wait %s)",
			spanAbove(fromSeconds(t.TakeoverSeconds)), Span(fromSeconds(t.UpdateSeconds)), Span(fromSeconds(t.WaitSeconds))), plain})
	}
	o.writeGuarantee(b, s)
}

// writeGuarantee tells how far the promise goes, and who is locked out of the database.
func (o Overview) writeGuarantee(b *bufio.Writer, s Style) {
	if g := o.Guarantee; g != nil {
		tone := plain
		if g.Level == sqlstore.LevelC {
			tone = bad
		}
		labelled(b, s, "guarantee", cell{oneLine(g.String()), tone})
	}
	switch f := o.Fencing; {
	case f == nil:
	case f.Error != "":
		labelled(b, s, "fencing", cell{oneLine("the others could not be locked out of the database: " + f.Error), bad})
	case f.Epoch != 0:
		text := fmt.Sprintf("%s locked out of the database at epoch %d, %s let in", list(f.LockedOut), f.Epoch, f.Role)
		labelled(b, s, "fencing", cell{oneLine(text), plain})
	}
}

// sinceAgo compares the holder's clock with the database's, so it is left out where it would be nonsense.
func (o Overview) sinceAgo() string {
	for _, m := range o.Instances {
		if !m.Holder || m.WrittenAt.IsZero() {
			continue
		}
		now := m.WrittenAt.Add(fromSeconds(m.AgeSeconds))
		if ago := now.Sub(m.Since); ago > 0 {
			return " (" + Ago(ago) + ")"
		}
	}
	return ""
}

func (o Overview) members(s Style) table {
	t := table{head: []string{"INSTANCE", "STATE", "READY", "EPOCH", "LAST WORD", "NOTE"}}
	for _, m := range o.Instances {
		word := cell{Ago(fromSeconds(m.AgeSeconds)), plain}
		if m.Stale {
			word = cell{word.text + " STALE", bad}
		}
		ready := cell{"no", plain}
		if m.Ready {
			ready.text = "yes"
		}
		t.rows = append(t.rows, []cell{{oneLine(m.ID), plain}, {oneLine(string(m.State)), m.tone()}, ready,
			{fmt.Sprint(m.Epoch), plain}, word, {m.note(), plain}})
	}
	return t
}

// note is what does not fit a column.
func (m Member) note() string {
	var parts []string
	if m.Holder {
		parts = append(parts, "holds the lease")
	}
	if m.NodePID != 0 {
		parts = append(parts, fmt.Sprintf("node process %d", m.NodePID))
	}
	parts = append(parts, m.Reasons...)
	if m.Paused && !strings.Contains(strings.Join(parts, " "), "paused") {
		parts = append(parts, "paused")
	}
	if m.Problem != "" {
		parts = append(parts, m.Problem)
	}
	if m.LastExit != "" && m.NodePID == 0 {
		text := "the node ended last with " + m.LastExit
		if m.LastLine != "" {
			text += " (" + m.LastLine + ")"
		}
		parts = append(parts, text)
	}
	return oneLine(strings.Join(parts, "; "))
}

func (m Member) tone() tone {
	switch {
	case m.Stale:
		return plain
	case m.State == agent.Failed || m.State == agent.Fencing:
		return bad
	case m.State == agent.Hot && m.Ready:
		return good
	case m.State == agent.Cold || m.State == agent.Ended:
		return plain
	}
	return busy
}

func (c Condition) tone() tone {
	switch c {
	case Serving:
		return good
	case Changing, Late:
		return busy
	}
	return bad
}

func (r Request) line() string {
	text := r.Kind
	if r.To != "" {
		text += " to " + r.To
	}
	if r.State != "" {
		text += " (" + r.State + ")"
	}
	if r.By != "" {
		text += ", asked by " + r.By
	}
	return oneLine(text + ", " + Ago(fromSeconds(r.AgeSeconds)))
}

// clock says whose clock the times are by.
func (o Overview) clock() string {
	if o.WritersClock {
		return "the writer's"
	}
	return "the database's"
}
