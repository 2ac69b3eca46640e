package terraform

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// File is one file in the making.
type File struct {
	Body
	file *hclwrite.File
}

// Ref is an expression that refers to something: "azurerm_lb.this.id".
type Ref string

// Body is the inside of a file or of a block.
type Body struct {
	body  *hclwrite.Body
	first *bool // whether nothing stands in the body yet
}

// New begins a file with a comment.
func New(comment string) *File {
	f := hclwrite.NewEmptyFile()
	first := true
	file := &File{Body: Body{body: f.Body(), first: &first}, file: f}
	file.Comment(comment)
	return file
}

// String is the file, formatted as `terraform fmt` would.
func (f *File) String() string { return string(hclwrite.Format(f.file.Bytes())) }

// Comment writes lines of comment in front of what comes next.
func (b Body) Comment(text string) {
	b.part()
	for line := range strings.Lines(text) {
		b.body.AppendUnstructuredTokens(hclwrite.Tokens{{
			Type: hclsyntax.TokenComment, Bytes: []byte(strings.TrimRight("# "+strings.TrimSuffix(line, "\n"), " ") + "\n"),
		}})
	}
	*b.first = true
}

// part puts an empty line between two blocks, and none behind a comment or at the beginning.
func (b Body) part() {
	if !*b.first {
		b.body.AppendNewline()
	}
	*b.first = false
}

// Block begins a block and returns its inside.
func (b Body) Block(kind string, labels ...string) Body {
	b.part()
	first := true
	return Body{body: b.body.AppendNewBlock(kind, labels).Body(), first: &first}
}

// Set writes an argument: a string, an int, a bool, a Ref, a list of strings or Refs, or a map of strings.
func (b Body) Set(name string, value any) Body {
	*b.first = false
	b.body.SetAttributeRaw(name, tokens(value))
	return b
}

// tokens write a value down. A string with a ${ is escaped: what is said is not what Terraform would make of it.
func tokens(value any) hclwrite.Tokens {
	switch v := value.(type) {
	case string:
		return hclwrite.TokensForValue(cty.StringVal(v))
	case int:
		return hclwrite.TokensForValue(cty.NumberIntVal(int64(v)))
	case bool:
		return hclwrite.TokensForValue(cty.BoolVal(v))
	case Ref:
		return reference(v)
	case []string:
		var list []hclwrite.Tokens
		for _, s := range v {
			list = append(list, tokens(s))
		}
		return hclwrite.TokensForTuple(list)
	case []Ref:
		var list []hclwrite.Tokens
		for _, r := range v {
			list = append(list, tokens(r))
		}
		return hclwrite.TokensForTuple(list)
	case [][2]string:
		var object []hclwrite.ObjectAttrTokens
		for _, pair := range v {
			object = append(object, hclwrite.ObjectAttrTokens{Name: hclwrite.TokensForIdentifier(pair[0]), Value: tokens(pair[1])})
		}
		return hclwrite.TokensForObject(object)
	}
	panic(fmt.Sprintf("terraform: a value of the type %T", value))
}

// reference writes an expression as it stands. It is ours, and a test parses every file that comes out.
func reference(r Ref) hclwrite.Tokens {
	parsed, diags := hclsyntax.LexExpression([]byte(r), "reference", hcl.InitialPos)
	if diags.HasErrors() {
		panic("terraform: " + diags.Error())
	}
	var all hclwrite.Tokens
	for _, t := range parsed {
		if t.Type != hclsyntax.TokenEOF {
			all = append(all, &hclwrite.Token{Type: t.Type, Bytes: t.Bytes})
		}
	}
	return all
}
