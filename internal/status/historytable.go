package status

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteTakeovers writes the takeovers of a history for a person, the newest last.
func WriteTakeovers(w io.Writer, h History, s Style) error {
	return rendered(w, func(b *bufio.Writer) {
		if len(h.Takeovers) == 0 {
			b.WriteString("no takeover of lease " + oneLine(h.Lease) + " is on record\n")
			return
		}
		t := table{head: []string{"WHEN", "FROM", "TO", "EPOCH", "NOBODY READY", "CAUSE"}}
		for _, k := range h.Takeovers {
			t.rows = append(t.rows, k.row(s))
		}
		t.write(b, s)
	})
}

func (k Takeover) row(s Style) []cell {
	from, to := k.From, k.To
	if from == "" {
		from = "-"
	}
	if k.Restart {
		to = "(restarted in place)"
	}
	why := string(k.Cause)
	if k.Detail != "" {
		why += ": " + k.Detail
	}
	return []cell{{s.Clock(k.At), plain}, {oneLine(from), plain}, {oneLine(to), plain}, {fmt.Sprint(k.Epoch), plain}, k.down(), {oneLine(why), plain}}
}

func (k Takeover) down() cell {
	switch {
	case !k.Ready && k.Ended:
		return cell{"never ready", bad}
	case !k.Ready:
		return cell{"not ready yet", busy}
	case k.DownSeconds == nil:
		return cell{"-", plain}
	}
	text := Span(fromSeconds(*k.DownSeconds))
	switch k.Bound {
	case AtMost:
		text = "at most " + spanAbove(fromSeconds(*k.DownSeconds))
	case AtLeast:
		text = "at least " + text
	}
	return cell{text, plain}
}

// WriteEvents writes events for a person, the newest last. Kinds that this release does not know are shown as they are.
func WriteEvents(w io.Writer, events []Entry, s Style) error {
	return rendered(w, func(b *bufio.Writer) {
		if len(events) == 0 {
			b.WriteString("no events are on record\n")
			return
		}
		t := table{head: []string{"WHEN", "INSTANCE", "EPOCH", "KIND", "WHAT"}}
		for _, e := range events {
			t.rows = append(t.rows, []cell{{s.fine(e.At), plain}, {oneLine(e.Instance), plain}, {fmt.Sprint(e.Epoch), plain}, {oneLine(e.Kind), plain}, {oneLine(e.Text), plain}})
		}
		t.write(b, s)
	})
}

// Line is an event on one line, for what is printed as it happens.
func (e Entry) Line(s Style) string {
	return strings.Join([]string{s.fine(e.At), oneLine(e.Instance), fmt.Sprintf("epoch %d", e.Epoch), oneLine(e.Kind), oneLine(e.Text)}, "  ")
}
