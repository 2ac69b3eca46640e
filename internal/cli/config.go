package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hotcold/hotcold/hocon"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/corda"
)

func (a *app) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "what is in force, where it came from, and what is wrong with it", GroupID: "set",
		Long: `config looks at hotcold.conf and at the node's own node.conf. It opens no
connection and starts nothing.

  hotcold config show             what is in force, and where each value came from
  hotcold config explain PATH     one setting or field: value, meaning, default, range
  hotcold config lint [FILE]      what is wrong, each with file, line and column
  hotcold config diff [A B]       two machines' files: equal but for what may differ
  hotcold config render FILE      node.conf of one machine out of a shared one
  hotcold config resolve FILE     any HOCON file as JSON
  hotcold config schema           JSON Schema of hotcold.conf, for editors
  hotcold config man              the manual page hotcold.conf(5)

Secrets are shown as *** by all but resolve and render, which say so.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return noSubcommand(c, args[0])
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.configShowCommand(), a.configExplainCommand(), a.configLintCommand(), a.configDiffCommand(),
		a.configRenderCommand(), a.configResolveCommand(), a.configSchemaCommand(), a.configManCommand())
	for _, sub := range c.Commands() {
		if sub.ValidArgsFunction == nil {
			sub.ValidArgsFunction = cobra.NoFileCompletions
		}
	}
	return c
}

// noSubcommand says that a group has no such command, and which was meant.
func noSubcommand(c *cobra.Command, name string) error {
	hint := fmt.Sprintf("`%s --help` shows what there is", c.CommandPath())
	c.SuggestionsMinimumDistance = nearLetters
	if near := c.SuggestionsFor(name); len(near) > 0 {
		hint = fmt.Sprintf("did you mean `%s %s`?", c.CommandPath(), near[0])
	}
	return &failure{code: exitUsage, err: fmt.Errorf("there is no command %q", c.CommandPath()[len("hotcold "):]+" "+name), hint: hint}
}

// files is for commands that take a number of files.
func files(from, to int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) >= from && len(args) <= to && !slices.Contains(args, "") {
			return nil
		}
		return &failure{code: exitUsage, err: fmt.Errorf("%s wants %s", c.CommandPath(), what),
			hint: fmt.Sprintf("`%s --help` shows what there is", c.CommandPath())}
	}
}

// completeFiles lets the shell complete names of files.
func completeFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// nodeOf reads the node.conf of a configuration as its node would; nil where the node is none of Corda's.
func (a *app) nodeOf(ctx context.Context, c *config.Config, lenient bool) (*corda.Node, error) {
	if c.Preset.Name != config.PresetCorda || c.NodeConf == "" {
		return nil, nil
	}
	s := corda.Sources{BaseDir: c.BaseDir, WorkDir: c.Node.Dir, Environ: a.Environ(), Lenient: lenient}
	for _, name := range slices.Sorted(maps.Keys(c.Node.Env)) {
		s.Environ = append(s.Environ, name+"="+c.Node.Env[name].Reveal())
	}
	s.Arguments, s.Properties = commandLine(c.Node.Command)
	return a.loadNode(ctx, a.short(c.NodeConf), s)
}

// loadNode reads a node.conf, or gives up with ctx: see read.
func (a *app) loadNode(ctx context.Context, file string, s corda.Sources) (*corda.Node, error) {
	dir, err := a.WorkDir()
	if err != nil {
		return nil, err
	}
	if s.WorkDir == "" {
		s.WorkDir = dir
	}
	if s.BaseDir == "" && !s.Bare { // where a file lies on this machine says nothing of its own
		s.BaseDir = corda.BaseDir(file, dir)
	}
	type loaded struct {
		n   *corda.Node
		err error
	}
	done := make(chan loaded, 1)
	go func() {
		n, err := corda.Load(file, s)
		done <- loaded{n, err}
	}()
	select {
	case l := <-done:
		return l.n, l.err
	case <-ctx.Done():
		return nil, fmt.Errorf("read %s: %w", file, context.Cause(ctx))
	}
}

// short is a path as a person in this directory would write it.
func (a *app) short(path string) string {
	dir, err := a.WorkDir()
	if err != nil {
		return path
	}
	return strings.TrimPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// commandLine finds what the node's command says over node.conf: the JVM's system properties and the node's flags.
func commandLine(command []string) (arguments, properties []corda.Override) {
	for i, word := range command {
		switch name, value, _ := strings.Cut(word, "="); {
		case strings.HasPrefix(name, "-D"):
			properties = append(properties, corda.Override{Name: strings.TrimPrefix(name, "-D"), Value: value})
		case word == "-n", word == "--no-local-shell":
			arguments = append(arguments, corda.Override{Name: "noLocalShell", Value: "true"})
		case word == "-d", word == "--dev-mode":
			arguments = append(arguments, corda.Override{Name: "devMode", Value: "true"})
		case name == "--sshd-port" && value != "":
			arguments = append(arguments, corda.Override{Name: "sshd.port", Value: value})
		case word == "--sshd-port" && i+1 < len(command):
			arguments = append(arguments, corda.Override{Name: "sshd.port", Value: command[i+1]})
		}
	}
	return arguments, properties
}

// origin is where a value came from, for machines.
type origin struct {
	Kind     string   `json:"kind"` // "file", "environment", "layer", "default"
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line,omitempty"`
	Column   int      `json:"column,omitempty"`
	Variable string   `json:"variable,omitempty"`
	Via      []string `json:"via,omitempty"`
	Shadows  []string `json:"shadows,omitempty"`
	Parts    []origin `json:"parts,omitempty"`
}

func originOf(o hocon.Origin, known bool) origin {
	if !known || o.Kind == hocon.FromDefault {
		return origin{Kind: hocon.FromDefault.String()}
	}
	out := origin{Kind: o.Kind.String(), File: o.Pos.File, Line: o.Pos.Line, Column: o.Pos.Col, Variable: o.EnvName}
	for _, p := range o.Via {
		out.Via = append(out.Via, p.String())
	}
	for _, p := range o.Shadows {
		if p.Line > 0 || p.File != hocon.FromDefault.String() {
			out.Shadows = append(out.Shadows, p.String())
		}
	}
	for _, p := range o.Parts {
		out.Parts = append(out.Parts, originOf(p, true))
	}
	return out
}

// place says in a few words where a value came from.
func (o origin) place() string {
	text := hocon.Pos{File: o.File, Line: o.Line, Col: o.Column}.String()
	switch o.Kind {
	case hocon.FromDefault.String():
		return "default"
	case hocon.FromEnv.String():
		text = "$" + o.Variable
		if len(o.Via) > 0 {
			text += " through " + o.Via[len(o.Via)-1]
		}
	}
	return text
}

// terminal says whether a file is one that a person sits at.
func terminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
