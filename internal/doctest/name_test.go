package doctest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/config"
)

func TestExitCodesOfTheManualAreThoseOfTheProgram(t *testing.T) {
	want := map[string]string{}
	line := regexp.MustCompile(`(?m)^\texit\w+\s+= (\d+)\s+// (.+)$`)
	for _, found := range line.FindAllStringSubmatch(readFile(t, "internal/cli/exit.go"), -1) {
		want[found[1]] = found[2]
	}
	got := map[string]string{}
	for _, cells := range readPage(t, "docs/operations.md").table(t, "code") {
		got[cells[0]] = cells[1]
	}
	if len(want) == 0 || !maps.Equal(got, want) {
		t.Errorf("the exit codes are\n%v\nand docs/operations.md says\n%v", want, got)
	}
}

func TestStatesOfTheManualAreThoseOfTheAgent(t *testing.T) {
	line := regexp.MustCompile(`(?m)^\t\w+ State = "(\w+)"$`)
	var want []string
	for _, found := range line.FindAllStringSubmatch(readFile(t, "internal/agent/snapshot.go"), -1) {
		want = append(want, found[1])
	}
	var got []string
	for _, cells := range readPage(t, "docs/operations.md").table(t, "state") {
		got = append(got, strings.Trim(cells[0], "`"))
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("the states are %q, and docs/operations.md says %q", want, got)
	}
}

func TestEveryWarningAndErrorIsInTheManual(t *testing.T) {
	said := messages(t)
	listed := map[string]bool{}
	p := readPage(t, "docs/operations.md")
	in := false
	for _, line := range p.Prose {
		if strings.HasPrefix(line, "## ") {
			in = line == "## Log messages"
		}
		if cells := cellsOf(line); in && len(cells) == 2 && strings.HasPrefix(cells[0], "`") {
			listed[strings.Trim(cells[0], "`")] = true
		}
	}
	for text, at := range said {
		if !listed[text] {
			t.Errorf("%s: the message %q is not in docs/operations.md", at, text)
		}
	}
	for text := range listed {
		if said[text] == "" {
			t.Errorf("docs/operations.md: nothing says %q", text)
		}
	}
}

// messages are the constant texts that the program logs at Warn and Error, and where.
func messages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for name, f := range goFiles(t, false) {
		if strings.HasPrefix(name, "internal/testserver/") || strings.HasPrefix(name, "internal/balancer/pathtest/") || strings.HasPrefix(name, "internal/demo/") {
			continue
		}
		constants := constantsOf(f)
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || method.Sel.Name != "Warn" && method.Sel.Name != "Error" {
				return true
			}
			switch arg := call.Args[0].(type) {
			case *ast.BasicLit:
				if text, err := strconv.Unquote(arg.Value); err == nil {
					all[text] = name
				}
			case *ast.Ident:
				if text, ok := constants[arg.Name]; ok {
					all[text] = name
				}
			}
			return true
		})
	}
	return all
}

func constantsOf(f *ast.File) map[string]string {
	all := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				all[spec.Names[0].Name] = text
			}
		}
		return true
	})
	return all
}

// goFiles are the Go files of the module, tests or the others, by their path in it.
func goFiles(t *testing.T, tests bool) map[string]*ast.File {
	t.Helper()
	all := map[string]*ast.File{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || len(d.Name()) > 2 && d.Name()[0] == '.'):
			return filepath.SkipDir
		case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") != tests:
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		all[filepath.ToSlash(name)] = f
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestMetricsOfTheManualAreThoseOfTheListener(t *testing.T) {
	name := regexp.MustCompile(`"(hotcold_[a-z_]+)"`)
	var want, got []string
	for _, found := range name.FindAllStringSubmatch(readFile(t, "internal/status/metrics.go"), -1) {
		want = append(want, found[1])
	}
	for _, cells := range readPage(t, "docs/operations.md").table(t, "metric") {
		for text := range strings.SplitSeq(cells[0], ",") {
			got = append(got, strings.Trim(text, "` "))
		}
	}
	compareSets(t, "metrics", want, got)
}

func TestPathsOfTheManualAreThoseOfTheListener(t *testing.T) {
	pattern := regexp.MustCompile(`mux\.Handle(?:Func)?\("(/[^"{]*)`)
	var want, got []string
	for _, found := range pattern.FindAllStringSubmatch(readFile(t, "internal/status/handler.go"), -1) {
		want = append(want, found[1])
	}
	p := readPage(t, "docs/operations.md")
	for _, cells := range p.table(t, "path") {
		path, _, _ := strings.Cut(strings.Trim(cells[0], "`"), "?") // with a query it is the same path
		got = append(got, path)
	}
	compareSets(t, "paths", want, got)
}

func compareSets(t *testing.T, what string, want, got []string) {
	t.Helper()
	slices.Sort(want)
	slices.Sort(got)
	want, got = slices.Compact(want), slices.Compact(got)
	if len(want) == 0 || !slices.Equal(want, got) {
		t.Errorf("the %s are\n%q\nand docs/operations.md says\n%q", what, want, got)
	}
}

// filesOfHotcold look like settings.
func filesOfHotcold() []string {
	return []string{"hotcold.conf", "hotcold.service", "hotcold.epoch", "hotcold.holder", "hotcold.lock"}
}

func TestSettingsInTheManualExist(t *testing.T) {
	setting := regexp.MustCompile(`^hotcold(\.[A-Za-z]+)+$`)
	var known []string
	for _, s := range config.Settings() {
		known = append(known, s.Path)
	}
	for _, name := range manual(t) {
		for _, w := range readPage(t, name).words() {
			if !setting.MatchString(w.text) || slices.Contains(filesOfHotcold(), w.text) {
				continue
			}
			if _, ok := config.SettingAt(w.text); !ok && !slices.ContainsFunc(known, func(k string) bool { return k == w.text || strings.HasPrefix(k, w.text+".") }) {
				t.Errorf("%s:%d: there is no setting %s", name, w.line, w.text)
			}
		}
	}
}

func TestFilesAndTestsNamedInTheManualExist(t *testing.T) {
	tests := map[string]bool{}
	for _, f := range goFiles(t, true) {
		for _, d := range f.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				tests[f.Name.Name] = true
			}
		}
	}
	file := regexp.MustCompile(`^(cmd|internal|lease|hocon|packaging|examples|docs|scripts)/[\w./-]*$`)
	testName := regexp.MustCompile(`^Test[A-Z]\w+$`)
	for _, name := range manual(t) {
		for _, w := range readPage(t, name).words() {
			if testName.MatchString(w.text) && !tests[w.text] {
				t.Errorf("%s:%d: there is no test %s", name, w.line, w.text)
			}
			if file.MatchString(w.text) {
				if _, err := os.Stat(filepath.Join(root, w.text)); err != nil {
					t.Errorf("%s:%d: %v", name, w.line, err)
				}
			}
		}
	}
}

// The table of rules names functions behind their file.
func TestTheRulesAreKeptWhereTheTableSays(t *testing.T) {
	rows := readPage(t, "ARCHITECTURE.md").table(t, "rule")
	if len(rows) != 15 {
		t.Errorf("the table has %d rules, want 15", len(rows))
	}
	place := regexp.MustCompile("`([\\w/]+\\.go)` ([A-Z][\\w.]+|[a-z]+)")
	for _, cells := range rows {
		for _, found := range place.FindAllStringSubmatch(cells[1], -1) {
			function := found[2][strings.LastIndex(found[2], ".")+1:]
			if !regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + function + `\(`).MatchString(readFile(t, found[1])) {
				t.Errorf("rule %q: %s has no function %s", cells[0], found[1], found[2])
			}
		}
	}
}

func TestTheArchitectureNamesEveryPackage(t *testing.T) {
	text := readFile(t, "ARCHITECTURE.md")
	named := map[string]bool{}
	for name := range goFiles(t, false) {
		dir := filepath.ToSlash(filepath.Dir(name))
		if !named[dir] && !regexp.MustCompile("(?m)(^  |`)"+regexp.QuoteMeta(dir)+"(`| )").MatchString(text) {
			t.Errorf("ARCHITECTURE.md does not say what %s is for", dir)
		}
		named[dir] = true
	}
}
