package markdown

import (
	"fmt"
	"strings"
)

// Page is one page. Its lines keep their numbers.
type Page struct {
	Blocks []Block
	// Prose is the page without its blocks, line by line; a line of a block is empty here.
	Prose []string
}

// Block is one fenced block.
type Block struct {
	// Info is its info string: what is done with it.
	Info string
	// Line is the number of its first line, from 1.
	Line int
	Text string
}

// Is tells whether the block's info string begins with the words of kind.
func (b Block) Is(kind string) bool { return b.Info == kind || strings.HasPrefix(b.Info, kind+" ") }

// Parse reads a page. The error names the line of a block that has no end.
func Parse(text string) (Page, error) {
	var p Page
	var open *Block
	var fence string
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		marks := trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, "`"))]
		switch {
		case open == nil && len(marks) >= 3:
			open, fence = &Block{Info: strings.TrimSpace(trimmed[len(marks):]), Line: i + 2}, marks
		case open != nil && strings.TrimSpace(line) == fence:
			p.Blocks, open = append(p.Blocks, *open), nil
		case open != nil:
			open.Text += line + "\n"
		default:
			p.Prose = append(p.Prose, line)
			continue
		}
		p.Prose = append(p.Prose, "")
	}
	if open != nil {
		return p, fmt.Errorf("line %d: the block has no end", open.Line)
	}
	return p, nil
}
