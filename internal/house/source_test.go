package house

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// root is the module's root, seen from this package, where go test runs us.
const root = "../.."

// mainLines is the most that cmd/hotcold/main.go may have: it wires, no more.
const mainLines = 40

// notOurs are folders without sources of ours.
var notOurs = []string{".git", ".cache", "bin", "dist", "node_modules"}

// clockReaders are the functions of package time that read a clock or wait for one.
var clockReaders = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}

// nameless are names that say nothing about what a package holds.
var nameless = []string{"util", "utils", "common", "helpers", "helper", "types", "base", "manager", "core", "misc", "shared"}

// A rule about time: a test can step only a clock that was handed in.
func TestOnlyPackageClockReadsAClock(t *testing.T) {
	for name, file := range goFiles(t) {
		if isTest(name) || path.Dir(name) == "internal/clock" {
			continue
		}
		timeName := importName(file.syntax, "time")
		ast.Inspect(file.syntax, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok || !slices.Contains(clockReaders, selector.Sel.Name) {
				return true
			}
			if x, ok := selector.X.(*ast.Ident); ok && timeName != "" && x.Name == timeName {
				t.Errorf("%s: time.%s: take a clock from internal/clock", file.at(selector), selector.Sel.Name)
			}
			return true
		})
	}
}

func TestNothingRunsBeforeMain(t *testing.T) {
	for _, file := range goFiles(t) {
		for _, decl := range file.syntax.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: func init: what a thing needs comes in through its constructor", file.at(f))
			}
		}
	}
}

func TestPackagesAreNamedForWhatTheyHold(t *testing.T) {
	for name, file := range goFiles(t) {
		for _, word := range []string{file.syntax.Name.Name, path.Base(path.Dir(name))} {
			if slices.Contains(nameless, strings.TrimSuffix(word, "_test")) {
				t.Errorf("%s: the name %q says nothing about the package", name, word)
			}
		}
	}
}

// A command may say it in main.go; every other package has a doc.go.
func TestEveryPackageSaysItsDuty(t *testing.T) {
	said := map[string]bool{}
	for name, file := range goFiles(t) {
		if isTest(name) {
			continue
		}
		place := path.Base(name)
		says := file.syntax.Doc != nil && (place == "doc.go" || place == "main.go" && file.syntax.Name.Name == "main")
		said[path.Dir(name)] = said[path.Dir(name)] || says
	}
	for dir, says := range said {
		if !says {
			t.Errorf("%s: no doc.go with a package comment", dir)
		}
	}
}

func TestMainIsShort(t *testing.T) {
	const name = "cmd/hotcold/main.go"
	file, ok := goFiles(t)[name]
	if !ok {
		t.Skip("there is no " + name)
	}
	if lines := bytes.Count(file.text, []byte("\n")); lines >= mainLines {
		t.Errorf("%s has %d lines, want fewer than %d: internal/cli is the place for the rest", name, lines, mainLines)
	}
}

// Home folders of the superuser and of build machines mean nothing elsewhere.
func TestNoFileNamesAPathOfOneMachine(t *testing.T) {
	machinePath := regexp.MustCompile(`(^|[\s"'` + "`" + `=(:,])/(work|farm|root)/`)
	for name, text := range allFiles(t) {
		if bytes.IndexByte(text, 0) >= 0 {
			continue // not a text
		}
		for i, line := range bytes.Split(text, []byte("\n")) {
			if found := machinePath.Find(line); found != nil {
				t.Errorf("%s:%d: a path of one machine: %s", name, i+1, bytes.TrimSpace(line))
			}
		}
	}
}

// sourceFile is a Go file of the module.
type sourceFile struct {
	text   []byte
	syntax *ast.File
	set    *token.FileSet
	name   string
}

func (f sourceFile) at(n ast.Node) string {
	return f.name + ":" + strconv.Itoa(f.set.Position(n.Pos()).Line)
}

// goFiles returns every Go file outside testdata by its path in the module.
func goFiles(t *testing.T) map[string]sourceFile {
	t.Helper()
	files := map[string]sourceFile{}
	for name, text := range allFiles(t) {
		if path.Ext(name) != ".go" || slices.Contains(strings.Split(name, "/"), "testdata") {
			continue
		}
		set := token.NewFileSet()
		syntax, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			continue
		}
		files[name] = sourceFile{text: text, syntax: syntax, set: set, name: name}
	}
	if len(files) == 0 {
		t.Fatal("no Go files found: the root is wrong")
	}
	return files
}

// allFiles returns every file of the repository by its path in the module.
func allFiles(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains(notOurs, entry.Name()) {
			return filepath.SkipDir
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		inModule, err := filepath.Rel(root, name)
		files[filepath.ToSlash(inModule)] = text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// importName returns the name by which a file knows a package, "" if it does not.
func importName(file *ast.File, importPath string) string {
	for _, spec := range file.Imports {
		if spec.Path.Value != strconv.Quote(importPath) {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(importPath)
	}
	return ""
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.go") }
