package cloud

import (
	"strings"
)

const (
	// maxCompared is how many lines a file may have whose lines are compared one by one. What is rendered has hundreds.
	maxCompared = 2000
	// maxShown is how many lines of a file are told; a person who needs more compares the files.
	maxShown = 12
)

// lines tells which lines differ between the file that lies there and what would be written now. Each is told with what
// it stands in: the block of HCL, the key of YAML, the section of a unit.
func lines(file, there, now string) []Drift {
	was, is := strings.Split(there, "\n"), strings.Split(now, "\n")
	if len(was) > maxCompared || len(is) > maxCompared {
		return nil
	}
	var all []Drift
	for _, h := range hunks(was, is) {
		for i := range max(h.was.len(), h.is.len()) {
			d := Drift{File: file}
			if i < h.was.len() {
				d.Was, d.Line, d.Value = strings.TrimSpace(was[h.was.from+i]), h.was.from+i+1, around(was, h.was.from+i)
			}
			if i < h.is.len() {
				d.Now = strings.TrimSpace(is[h.is.from+i])
				if d.Line == 0 {
					d.Line, d.Value = h.is.from+i+1, around(is, h.is.from+i)
				}
			}
			if d.Was != d.Now { // more than blanks
				all = append(all, d)
			}
		}
	}
	if len(all) > maxShown {
		all = append(all[:maxShown], Drift{File: file, What: "and more lines"})
	}
	return all
}

// around is the nearest line above that a line belongs to: one that is indented less, or the heading of a section.
func around(text []string, at int) string {
	depth := indent(text[at])
	for i := at - 1; i >= 0; i-- {
		line := strings.TrimSpace(text[i])
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case indent(text[i]) < depth || strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			return strings.TrimRight(line, " {:[")
		}
	}
	return ""
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

// span are lines from one to before another.
type span struct{ from, to int }

func (s span) len() int { return s.to - s.from }

// hunk is a stretch that differs.
type hunk struct{ was, is span }

// hunks finds what differs, by the longest common subsequence of lines.
func hunks(was, is []string) []hunk {
	// common[i][j] is how many lines was[i:] and is[j:] have in common.
	common := make([][]int, len(was)+1)
	for i := range common {
		common[i] = make([]int, len(is)+1)
	}
	for i := len(was) - 1; i >= 0; i-- {
		for j := len(is) - 1; j >= 0; j-- {
			if was[i] == is[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var all []hunk
	for i, j := 0, 0; i < len(was) || j < len(is); {
		if i < len(was) && j < len(is) && was[i] == is[j] {
			i, j = i+1, j+1
			continue
		}
		h := hunk{span{i, i}, span{j, j}}
		for (i < len(was) || j < len(is)) && (i == len(was) || j == len(is) || was[i] != is[j]) {
			if j == len(is) || i < len(was) && common[i+1][j] >= common[i][j+1] {
				i++
			} else {
				j++
			}
		}
		h.was.to, h.is.to = i, j
		all = append(all, h)
	}
	return all
}
