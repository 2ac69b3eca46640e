package doctest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/testserver/markdown"
)

// root is the module's root, seen from this package, where go test runs us.
const root = "../.."

// manual are the pages whose every block is of a tested kind: all but the notes of changes.
func manual(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(pages(t), func(name string) bool { return strings.HasPrefix(name, "changes/") || name == "CHANGELOG.md" })
}

// page is one page of the manual.
type page struct {
	name string
	markdown.Page
}

func readPage(t *testing.T, name string) page {
	t.Helper()
	p, err := markdown.Parse(readFile(t, name))
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return page{name, p}
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
	for i, line := range p.Prose {
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
	for _, line := range p.Prose {
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
	// Those that e2e/drive runs on two machines.
	run := regexp.MustCompile(`^(sh (machine-a|machine-b|both) (root|hotcold|shell)|text environment)$`)
	for _, name := range manual(t) {
		for _, b := range readPage(t, name).Blocks {
			if !slices.Contains(kinds, b.Info) && !b.Is("hocon file") && !run.MatchString(b.Info) {
				t.Errorf("%s:%d: a block of the kind %q, want one of %q", name, b.Line, b.Info, kinds)
			}
		}
	}
}

// pages lists every page of the repository.
func pages(t *testing.T) []string {
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
	for _, name := range pages(t) {
		p := readPage(t, name)
		for i, line := range p.Prose {
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
	for _, line := range p.Prose {
		title := strings.TrimLeft(line, "#")
		if title == line || !strings.HasPrefix(title, " ") {
			continue
		}
		plain := strange.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
		all = append(all, strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}
