package status

import (
	"bufio"
	"io"
	"strings"
)

// cell is one field of a table.
type cell struct {
	text string
	tone tone
}

// table is a grid whose last column holds running text.
type table struct {
	head []string
	rows [][]cell
}

// gap is the space between two columns.
const gap = 2

func (t table) write(w *bufio.Writer, s Style) {
	widths := make([]int, len(t.head))
	for i, h := range t.head {
		widths[i] = columns(h)
		for _, row := range t.rows {
			widths[i] = max(widths[i], columns(row[i].text))
		}
	}
	indent := 0
	for _, width := range widths[:len(widths)-1] {
		indent += width + gap
	}
	head := make([]cell, len(t.head))
	for i, h := range t.head {
		head[i] = cell{h, strong}
	}
	for _, row := range append([][]cell{head}, t.rows...) {
		writeRow(w, s, row, widths, indent)
	}
}

func writeRow(w *bufio.Writer, s Style, row []cell, widths []int, indent int) {
	var line strings.Builder
	last := len(row) - 1
	for i, c := range row[:last] {
		line.WriteString(s.paint(c.tone, c.text))
		line.WriteString(strings.Repeat(" ", widths[i]-columns(c.text)+gap))
	}
	for i, part := range s.wrap(row[last].text, indent) {
		if i > 0 {
			line.WriteString(strings.Repeat(" ", indent))
		}
		line.WriteString(s.paint(row[last].tone, part))
		// No blanks at a line's end: they make pasted text and diffs dirty.
		w.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		line.Reset()
	}
}

// labelWidth is the column in which the text of a labelled line begins.
const labelWidth = 11

func labelled(w *bufio.Writer, s Style, label string, c cell) {
	for i, part := range s.wrap(c.text, labelWidth) {
		if i > 0 {
			label = ""
		}
		w.WriteString(s.paint(strong, label) + strings.Repeat(" ", labelWidth-columns(label)) + s.paint(c.tone, part) + "\n")
	}
}

// rendered runs a writer of lines and gives back the first error that w returned.
func rendered(w io.Writer, write func(*bufio.Writer)) error {
	b := bufio.NewWriter(w)
	write(b) // a bufio.Writer keeps its first error for Flush
	return b.Flush()
}
