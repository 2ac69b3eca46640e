// Terraform-stub stands in for the providers aws and azurerm where a configuration is validated and nothing is made. It
// knows resources, arguments and their types from the packages @cdktf/provider-aws and @cdktf/provider-azurerm, which are
// made of the providers' own schemas, and it takes every value of the right type. Which provider it is, the name says by
// which it was started: terraform-provider-aws.
//
// It is a module of its own, so that hotcold does not depend on what speaks Terraform's protocol.
// scripts/tofu-validate.sh builds and uses it.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// The environment: the folder with the unpacked packages, and the file with the names of the resources that are wanted.
const (
	packagesVariable = "HOTCOLD_TERRAFORM_PACKAGES"
	kindsVariable    = "HOTCOLD_TERRAFORM_KINDS"
)

func main() {
	name := strings.TrimPrefix(filepath.Base(os.Args[0]), "terraform-provider-")
	p, err := load(name, os.Getenv(packagesVariable), os.Getenv(kindsVariable))
	if err == nil {
		err = tf5server.Serve("registry.opentofu.org/hashicorp/"+name, func() tfprotov5.ProviderServer { return p })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "terraform-stub:", err)
		os.Exit(1)
	}
}

// provider answers what a validation asks; all else is left to the nil inside, and would end it.
type provider struct {
	tfprotov5.ProviderServer
	config          *tfprotov5.Schema
	resources, data map[string]*tfprotov5.Schema
}

func (p *provider) GetMetadata(context.Context, *tfprotov5.GetMetadataRequest) (*tfprotov5.GetMetadataResponse, error) {
	r := &tfprotov5.GetMetadataResponse{ServerCapabilities: &tfprotov5.ServerCapabilities{}}
	for name := range p.resources {
		r.Resources = append(r.Resources, tfprotov5.ResourceMetadata{TypeName: name})
	}
	for name := range p.data {
		r.DataSources = append(r.DataSources, tfprotov5.DataSourceMetadata{TypeName: name})
	}
	return r, nil
}

func (p *provider) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	return &tfprotov5.GetProviderSchemaResponse{Provider: p.config, ResourceSchemas: p.resources, DataSourceSchemas: p.data}, nil
}

func (p *provider) GetResourceIdentitySchemas(context.Context, *tfprotov5.GetResourceIdentitySchemasRequest) (*tfprotov5.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov5.GetResourceIdentitySchemasResponse{}, nil
}

func (p *provider) PrepareProviderConfig(_ context.Context, r *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (p *provider) ValidateResourceTypeConfig(context.Context, *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	return &tfprotov5.ValidateResourceTypeConfigResponse{}, nil
}

func (p *provider) ValidateDataSourceConfig(context.Context, *tfprotov5.ValidateDataSourceConfigRequest) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	return &tfprotov5.ValidateDataSourceConfigResponse{}, nil
}

func (p *provider) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}

// load reads the schemas of the provider itself and of what the file names: "resource.aws_elb", "data.azurerm_subnet".
func load(name, packages, kinds string) (*provider, error) {
	folder := filepath.Join(packages, "provider-"+name, "package", "lib")
	p := &provider{resources: map[string]*tfprotov5.Schema{}, data: map[string]*tfprotov5.Schema{}}
	var err error
	if p.config, err = schema(filepath.Join(folder, "provider")); err != nil {
		return nil, err
	}
	f, err := os.Open(kinds)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		kind, full, _ := strings.Cut(lines.Text(), ".")
		short, ours := strings.CutPrefix(full, name+"_")
		if !ours || strings.ContainsAny(full, ". ") {
			continue // another provider's, or an argument
		}
		from, into := strings.ReplaceAll(short, "_", "-"), p.resources
		if kind == "data" {
			from, into = "data-"+name+"-"+from, p.data
		}
		if into[full], err = schema(filepath.Join(folder, from)); err != nil {
			return nil, err
		}
	}
	return p, lines.Err()
}

// schema reads one declaration.
func schema(folder string) (*tfprotov5.Schema, error) {
	text, err := os.ReadFile(filepath.Join(folder, "index.d.ts"))
	if err != nil {
		return nil, err
	}
	d := read(string(text))
	if d.root == "" {
		return nil, fmt.Errorf("%s declares no resource", folder)
	}
	block := d.block(d.root)
	there := map[string]bool{}
	for _, a := range block.Attributes {
		there[a.Name] = true
	}
	for _, b := range block.BlockTypes {
		there[b.TypeName] = true
	}
	for name, kind := range d.computed {
		if !there[name] {
			block.Attributes = append(block.Attributes, &tfprotov5.SchemaAttribute{Name: name, Type: kind, Computed: true})
		}
	}
	return &tfprotov5.Schema{Block: block}, nil
}

// declared are the interfaces of one file, and what a resource has without being told.
type declared struct {
	root     string
	fields   map[string][]field
	computed map[string]tftypes.Type
}

type field struct {
	name, kind string
	required   bool
}

var (
	begins   = regexp.MustCompile(`^export (interface|declare class) (\w+)( extends cdktf\.(TerraformMetaArguments|TerraformResource|TerraformDataSource))? \{`)
	link     = regexp.MustCompile(`\{@link \S+ \w+#(\w+)\}`)
	readonly = regexp.MustCompile(`^    readonly (\w+)(\??): (.*)$`)
	getter   = regexp.MustCompile(`^    get (\w+)\(\): (string|number|cdktf\.IResolvable);`)
	camel    = regexp.MustCompile(`[A-Z]`)
)

func read(text string) declared {
	d := declared{fields: map[string][]field{}, computed: map[string]tftypes.Type{}}
	current, class, spelt := "", false, ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if m := begins.FindStringSubmatch(line); m != nil {
			current, class = m[2], m[1] != "interface" && m[3] != ""
			if m[4] == "TerraformMetaArguments" || strings.HasSuffix(m[2], "ProviderConfig") && d.root == "" {
				d.root = m[2]
			}
			continue
		}
		switch {
		case strings.HasPrefix(line, "}"):
			current, class = "", false
		case link.MatchString(line):
			spelt = link.FindStringSubmatch(line)[1]
		case class && getter.MatchString(line):
			m := getter.FindStringSubmatch(line)
			d.computed[snake(m[1])] = map[string]tftypes.Type{"string": tftypes.String, "number": tftypes.Number}[m[2]]
			if m[2] == "cdktf.IResolvable" {
				d.computed[snake(m[1])] = tftypes.Bool
			}
		case current != "" && readonly.MatchString(line):
			m := readonly.FindStringSubmatch(line)
			d.fields[current] = append(d.fields[current], field{name: spelt, required: m[2] == "", kind: strings.TrimSuffix(m[3], ";")})
		}
	}
	return d
}

func snake(name string) string {
	return camel.ReplaceAllStringFunc(name, func(s string) string { return "_" + strings.ToLower(s) })
}

// block makes a block of an interface.
func (d declared) block(name string) *tfprotov5.SchemaBlock {
	b := &tfprotov5.SchemaBlock{}
	for _, f := range d.fields[name] {
		kind, list := strings.CutSuffix(strings.TrimSuffix(f.kind, " | cdktf.IResolvable"), "[]")
		if _, inner := d.fields[kind]; inner {
			n := &tfprotov5.SchemaNestedBlock{TypeName: f.name, Block: d.block(kind), Nesting: tfprotov5.SchemaNestedBlockNestingModeList}
			if !list {
				n.MaxItems = 1
			}
			if f.required {
				n.MinItems = 1
			}
			b.BlockTypes = append(b.BlockTypes, n)
			continue
		}
		b.Attributes = append(b.Attributes, &tfprotov5.SchemaAttribute{
			Name: f.name, Type: typeOf(f.kind), Required: f.required, Optional: !f.required, Computed: !f.required,
		})
	}
	return b
}

// typeOf is Terraform's type of a field of TypeScript.
func typeOf(kind string) tftypes.Type {
	switch kind {
	case "string":
		return tftypes.String
	case "number":
		return tftypes.Number
	case "boolean | cdktf.IResolvable":
		return tftypes.Bool
	case "string[]":
		return tftypes.List{ElementType: tftypes.String}
	case "number[]":
		return tftypes.List{ElementType: tftypes.Number}
	case "{": // a map, whose elements stand in the next line
		return tftypes.Map{ElementType: tftypes.String}
	}
	return tftypes.DynamicPseudoType
}
