package hocon

import "strings"

// RenderOptions say how a tree is written. The zero value is canonical HOCON,
// secrets as ***.
type RenderOptions struct {
	JSON     bool // write JSON instead
	Comments bool // before each value write where it came from; not in JSON
	Reveal   bool // write secrets in the clear
}

// Render writes the tree over several lines, keys in their order.
func (c *Config) Render(o RenderOptions) string {
	r := &renderer{options: o}
	root := c.Root()
	if o.JSON {
		r.value(root, "")
		r.b.WriteByte('\n')
	} else {
		r.fields(root, "")
	}
	return r.b.String()
}

type renderer struct {
	options RenderOptions
	b       strings.Builder
}

const indentStep = "  "

// fields writes the fields of an object, one on a line.
func (r *renderer) fields(v Value, indent string) {
	fields := v.at().node.obj.fields
	for i := range fields {
		child := v.child(&fields[i])
		r.comment(child, indent)
		r.b.WriteString(indent)
		switch {
		case r.options.JSON:
			r.b.Write(append(appendJSONString(nil, fields[i].key), ": "...))
		case child.Kind() == Object:
			r.b.WriteString(quoteKey(fields[i].key) + " ")
		default:
			r.b.WriteString(quoteKey(fields[i].key) + " = ")
		}
		r.value(child, indent)
		r.end(i, len(fields))
	}
}

// end ends the i-th line of n.
func (r *renderer) end(i, n int) {
	if r.options.JSON && i+1 < n {
		r.b.WriteByte(',')
	}
	r.b.WriteByte('\n')
}

func (r *renderer) comment(v Value, indent string) {
	if !r.options.Comments || r.options.JSON || v.Kind() == Object {
		return
	}
	// A file's name may hold anything, and a new line would end the comment.
	text := strings.Map(func(c rune) rune {
		if c < ' ' {
			return ' '
		}
		return c
	}, v.Origin().String())
	r.b.WriteString(indent + "# " + text + "\n")
}

func (r *renderer) value(v Value, indent string) {
	n := v.at().node
	switch {
	case n.kind == nodeObject && len(n.obj.fields) > 0:
		r.b.WriteString("{\n")
		r.fields(v, indent+indentStep)
		r.b.WriteString(indent + "}")
	case n.kind == nodeList && len(n.list) > 0:
		r.b.WriteString("[\n")
		for i := range n.list {
			element := v.element(i)
			r.comment(element, indent+indentStep)
			r.b.WriteString(indent + indentStep)
			r.value(element, indent+indentStep)
			r.end(i, len(n.list))
		}
		r.b.WriteString(indent + "]")
	default:
		r.b.Write(appendJSON(nil, v, r.options.Reveal))
	}
}
