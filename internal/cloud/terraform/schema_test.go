package terraform_test

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// schemaFile has the names of the arguments of what is rendered, from the published schemas of the providers: one line
// for each, "resource.aws_elb.listener.lb_port required". `make terraform-schema` makes it anew.
const schemaFile = "testdata/schema.txt"

var distil = flag.String("distil", "", "folder with the unpacked packages provider-aws and provider-azurerm, from which the schema file is made anew")

// rendered are the files whose names are held against the schema.
func rendered(t *testing.T) map[string]*hclsyntax.Body {
	t.Helper()
	names, err := filepath.Glob("../*/testdata/*main.tf")
	if err != nil || len(names) < 3 {
		t.Fatalf("the rendered files are %v, %v", names, err)
	}
	files := map[string]*hclsyntax.Body{}
	parser := hclparse.NewParser()
	for _, name := range names {
		f, diags := parser.ParseHCLFile(name)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		files[name] = f.Body.(*hclsyntax.Body)
	}
	return files
}

// providerBlocks calls a function for each block of a provider: "resource.aws_elb".
func providerBlocks(body *hclsyntax.Body, each func(kind string, b *hclsyntax.Block)) {
	for _, b := range body.Blocks {
		switch b.Type {
		case "resource", "data":
			each(b.Type+"."+b.Labels[0], b)
		}
	}
}

// Every argument of every rendered file is one that the provider's published schema has, and none that it requires is
// missing.
func TestEveryArgumentIsInThePublishedSchema(t *testing.T) {
	if *distil != "" {
		makeSchema(t, *distil)
	}
	schema := readSchema(t)
	for name, body := range rendered(t) {
		providerBlocks(body, func(kind string, b *hclsyntax.Block) {
			if _, ok := schema[kind]; !ok {
				t.Errorf("%s: %s is not in %s; run: make terraform-schema", name, kind, schemaFile)
				return
			}
			for _, fault := range against(schema, kind, b.Body) {
				t.Errorf("%s: %s", name, fault)
			}
		})
	}
}

// lifecycle is Terraform's own block, in every resource.
const lifecycle = "lifecycle"

// against holds a block against the schema.
func against(schema map[string]bool, path string, body *hclsyntax.Body) []string {
	var faults []string
	there := map[string]bool{}
	for _, a := range body.Attributes {
		there[a.Name] = true
		if _, ok := schema[path+"."+a.Name]; !ok {
			faults = append(faults, fmt.Sprintf("%v: %s has no argument %s", a.SrcRange, path, a.Name))
		}
	}
	for _, b := range body.Blocks {
		there[b.Type] = true
		if b.Type == lifecycle {
			continue
		}
		if _, ok := schema[path+"."+b.Type]; !ok {
			faults = append(faults, fmt.Sprintf("%v: %s has no block %s", b.Range(), path, b.Type))
			continue
		}
		faults = append(faults, against(schema, path+"."+b.Type, b.Body)...)
	}
	for name, required := range schema {
		rest, ok := strings.CutPrefix(name, path+".")
		if ok && required && !strings.Contains(rest, ".") && !there[rest] {
			faults = append(faults, fmt.Sprintf("%v: %s wants %s", body.SrcRange, path, rest))
		}
	}
	return faults
}

func TestAMisspeltOrMissingArgumentIsFound(t *testing.T) {
	schema := readSchema(t)
	for text, want := range map[string]string{
		`resource "aws_elb" "x" { 
			listener { 
				lb_prt = 1 
			} 
		}`: "resource.aws_elb.listener has no argument lb_prt",
		"resource \"aws_elb\" \"x\" {\n}": "resource.aws_elb wants listener",
	} {
		f, diags := hclsyntax.ParseConfig([]byte(text), "x.tf", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		b := f.Body.(*hclsyntax.Body).Blocks[0]
		if faults := against(schema, "resource.aws_elb", b.Body); !strings.Contains(strings.Join(faults, "\n"), want) {
			t.Errorf("got %q, want %q", faults, want)
		}
	}
}

// What a rendered file refers to is there: no reference leads to a resource, data or argument that is not in the file.
func TestEveryReferenceLeadsSomewhere(t *testing.T) {
	for name, body := range rendered(t) {
		known := map[string]bool{}
		providerBlocks(body, func(kind string, b *hclsyntax.Block) {
			known[strings.TrimPrefix(kind, "resource.")+"."+b.Labels[1]] = true
		})
		for _, traversal := range references(body) {
			var parts []string
			for _, step := range traversal {
				switch s := step.(type) {
				case hcl.TraverseRoot:
					parts = append(parts, s.Name)
				case hcl.TraverseAttr:
					parts = append(parts, s.Name)
				}
			}
			if at := strings.Join(parts[:len(parts)-1], "."); !known[at] {
				t.Errorf("%s: %v: there is no %s", name, traversal.SourceRange(), at)
			}
		}
	}
}

func references(body *hclsyntax.Body) []hcl.Traversal {
	var all []hcl.Traversal
	for _, a := range body.Attributes {
		if _, object := a.Expr.(*hclsyntax.ObjectConsExpr); !object { // its keys look like references
			all = append(all, a.Expr.Variables()...)
		}
	}
	for _, b := range body.Blocks {
		all = append(all, references(b.Body)...)
	}
	return all
}

// readSchema returns for each name whether it is required.
func readSchema(t *testing.T) map[string]bool {
	t.Helper()
	f, err := os.Open(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	schema := map[string]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, required, _ := strings.Cut(lines.Text(), " ")
		if !strings.HasPrefix(name, "#") {
			schema[name] = required == "required"
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return schema
}

// makeSchema writes the schema file, of the resources that are rendered.
func makeSchema(t *testing.T, dir string) {
	t.Helper()
	kinds := map[string]bool{}
	for _, body := range rendered(t) {
		providerBlocks(body, func(kind string, _ *hclsyntax.Block) { kinds[kind] = true })
	}
	lines := []string{}
	for kind := range kinds {
		data, name, _ := strings.Cut(kind, ".")
		provider, short, _ := strings.Cut(name, "_")
		folder := strings.ReplaceAll(short, "_", "-")
		if data == "data" {
			folder = "data-" + provider + "-" + folder
		}
		text, err := os.ReadFile(filepath.Join(dir, "provider-"+provider, "package", "lib", folder, "index.d.ts"))
		if err != nil {
			t.Fatal(err)
		}
		found, err := interfaces(string(text))
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		lines = append(lines, kind)
		lines = append(lines, found.under(kind, found.root)...)
	}
	slices.Sort(lines)
	head := "# Names of arguments in the published schemas of the Terraform providers, for the resources that are rendered.\n# Made by: make terraform-schema\n"
	if err := os.WriteFile(schemaFile, []byte(head+strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// declared are the interfaces of one file, each with its fields.
type declared struct {
	root   string
	fields map[string][]field
}

type field struct {
	name     string
	required bool
	kind     string
}

// under lists the fields of an interface below a path, with those of its blocks.
func (d declared) under(path, name string) []string {
	var lines []string
	for _, f := range d.fields[name] {
		line := path + "." + f.name
		if f.required {
			line += " required"
		}
		lines = append(lines, line)
		if _, block := d.fields[f.kind]; block {
			lines = append(lines, d.under(path+"."+f.name, f.kind)...)
		}
	}
	return lines
}

// interfaces reads the declarations of a resource. The provider's own spelling of a name stands in the link above it.
func interfaces(text string) (declared, error) {
	d := declared{fields: map[string][]field{}}
	begins := regexp.MustCompile(`^export interface (\w+)( extends cdktf\.TerraformMetaArguments)? \{`)
	link := regexp.MustCompile(`\{@link \S+ \w+#(\w+)\}`)
	readonly := regexp.MustCompile(`^    readonly \w+(\??): (\w*)`)
	current, spelt := "", ""
	for line := range strings.Lines(text) {
		if m := begins.FindStringSubmatch(line); m != nil {
			current = m[1]
			d.fields[current] = nil
			if m[2] != "" {
				d.root = current
			}
		} else if strings.HasPrefix(line, "}") {
			current = ""
		} else if m := link.FindStringSubmatch(line); m != nil {
			spelt = m[1]
		} else if m := readonly.FindStringSubmatch(line); m != nil && current != "" {
			d.fields[current] = append(d.fields[current], field{spelt, m[1] == "", m[2]})
		}
	}
	if d.root == "" {
		return d, errors.New("there is no interface of a resource")
	}
	return d, nil
}
