package doctest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the module's root, seen from this package, where go test runs us.
const root = "../.."

// manual are the pages whose every block is of a tested kind: all but the notes of changes.
func manual(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(markdown(t), func(name string) bool { return strings.HasPrefix(name, "changes/") || name == "CHANGELOG.md" })
}

// page is one page of the manual.
type page struct {
	name   string
	blocks []block
	// prose is the page without its blocks; lines keep their numbers.
	prose []string
}

// block is one fenced block.
type block struct {
	info string // its info string: what is done with it
	line int    // of its first line
	text string
}

// is tells whether the block's info string begins with the words of kind.
func (b block) is(kind string) bool { return b.info == kind || strings.HasPrefix(b.info, kind+" ") }

func readPage(t *testing.T, name string) page {
	t.Helper()
	text := readFile(t, name)
	p := page{name: name}
	var open *block
	var fence string
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		marks := trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, "`"))]
		switch {
		case open == nil && len(marks) >= 3:
			open, fence = &block{info: strings.TrimSpace(trimmed[len(marks):]), line: i + 2}, marks
		case open != nil && strings.TrimSpace(line) == fence:
			p.blocks, open = append(p.blocks, *open), nil
		case open != nil:
			open.text += line + "\n"
		default:
			p.prose = append(p.prose, line)
			continue
		}
		p.prose = append(p.prose, "")
	}
	if open != nil {
		t.Errorf("%s:%d: the block has no end", name, open.line)
	}
	return p
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// word is a text in backticks, and where it stands.
type word struct {
	text string
	line int
}

// words are the texts in backticks outside of blocks.
func (p page) words() []word {
	code := regexp.MustCompile("`([^`]+)`")
	var all []word
	for i, line := range p.prose {
		for _, found := range code.FindAllStringSubmatch(line, -1) {
			all = append(all, word{found[1], i + 1})
		}
	}
	return all
}

// table returns the cells of the first table whose head begins with the named column.
func (p page) table(t *testing.T, column string) [][]string {
	t.Helper()
	var rows [][]string
	in := false
	for _, line := range p.prose {
		cells := cellsOf(line)
		switch {
		case len(cells) > 0 && cells[0] == column:
			in = true
		case in && len(cells) == 0:
			return rows
		case in && !strings.HasPrefix(cells[len(cells)-1], "---"):
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no table that begins with the column %q", p.name, column)
	}
	return rows
}

func cellsOf(line string) []string {
	inner, ok := strings.CutPrefix(strings.TrimSpace(line), "|")
	if !ok {
		return nil
	}
	cells := strings.Split(strings.TrimSuffix(inner, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

func TestEveryBlockIsOfAKindThatIsTested(t *testing.T) {
	kinds := []string{"text", "sh", "xml", "hocon node", "hocon conf", "hocon conf pair", "hocon warned", "hocon file", "console pair", "console files"}
	for _, name := range manual(t) {
		for _, b := range readPage(t, name).blocks {
			if !slices.Contains(kinds, b.info) && !b.is("hocon file") {
				t.Errorf("%s:%d: a block of the kind %q, want one of %q", name, b.line, b.info, kinds)
			}
		}
	}
}

// markdown lists every page of the repository.
func markdown(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/design/*.md", "changes/*.md", "packaging/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			name, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, name)
		}
	}
	return all
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, name := range markdown(t) {
		p := readPage(t, name)
		for i, line := range p.prose {
			for _, found := range link.FindAllStringSubmatch(line, -1) {
				target := found[1]
				if strings.Contains(target, "://") {
					continue // other people's pages are not asked by a test
				}
				file, anchor, _ := strings.Cut(target, "#")
				at := name
				if file != "" {
					at = filepath.Join(filepath.Dir(name), file)
				}
				if _, err := os.Stat(filepath.Join(root, at)); err != nil {
					t.Errorf("%s:%d: the link %s leads nowhere: %v", name, i+1, target, err)
				} else if anchor != "" && !slices.Contains(anchors(readPage(t, at)), anchor) {
					t.Errorf("%s:%d: %s has no heading #%s", name, i+1, at, anchor)
				}
			}
		}
	}
}

// anchors are the names under which the headings of a page are linked to.
func anchors(p page) []string {
	strange := regexp.MustCompile(`[^\p{L}\p{N}\- _]`)
	var all []string
	for _, line := range p.prose {
		title := strings.TrimLeft(line, "#")
		if title == line || !strings.HasPrefix(title, " ") {
			continue
		}
		plain := strange.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
		all = append(all, strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}
