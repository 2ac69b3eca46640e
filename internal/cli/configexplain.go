package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/hocon"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/corda"
)

// explanation is all that is known of one setting or field.
type explanation struct {
	Path       string   `json:"path"`
	Set        bool     `json:"set"` // it has a value, be it a default
	Value      string   `json:"value,omitempty"`
	Origin     *origin  `json:"origin,omitempty"`
	Meaning    string   `json:"meaning"`
	Type       string   `json:"type"`
	Choices    []string `json:"choices,omitempty"`
	Unit       string   `json:"unit,omitempty"`
	Default    string   `json:"default"`
	Min        string   `json:"min,omitempty"`
	Max        string   `json:"max,omitempty"`
	Why        string   `json:"why,omitempty"`
	Pair       string   `json:"pair,omitempty"`
	PerMachine bool     `json:"perMachine,omitempty"`
	Editions   string   `json:"editions,omitempty"`
	Deprecated string   `json:"deprecated,omitempty"`
	ReadBy     string   `json:"readBy"`
}

func (a *app) configExplainCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "explain PATH", Short: "one setting or field: value, meaning, default, range", Args: files(1, 1, "one path, as in p2pAddress or hotcold.mutualExclusion.waitInterval"),
		Long: `explain says of one of hotcold's settings, or of one field of a Corda node's
node.conf, what it does, what it may be, who reads it, what is in force and where
that came from: the place, the substitutions it came through, and the values that
it beat. It works without a configuration too, and then tells what it knows.`,
		Example: `  hotcold config explain hotcold.mutualExclusion.waitInterval
  hotcold config explain p2pAddress --json`,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return knownPaths(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := explained(args[0])
			if err != nil {
				return err
			}
			if err := a.inForce(cmd.Context(), &e); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(e)
			}
			_, err = fmt.Fprint(a.Stdout, e.text())
			return err
		},
	}
	a.jsonFlag(c)
	return c
}

// knownPaths are all settings and fields.
func knownPaths() []string {
	var paths []string
	for _, s := range config.Settings() {
		paths = append(paths, s.Path)
	}
	for _, f := range corda.Fields() {
		paths = append(paths, f.Path)
	}
	return paths
}

// explained finds a path in the tables.
func explained(path string) (explanation, error) {
	if s, ok := config.SettingAt(path); ok {
		return ofSetting(s), nil
	}
	if f, ok := corda.FieldAt(path); ok {
		return ofField(path, f), nil
	}
	hint := "`hotcold config show --all` lists what there is"
	below := slices.DeleteFunc(knownPaths(), func(p string) bool { return !strings.HasPrefix(p, path+".") })
	if near, ok := hocon.Nearest(path, knownPaths()); len(below) > 0 {
		hint = "below it are " + strings.Join(below, ", ")
	} else if ok {
		hint = "did you mean " + near + "?"
	} else if same := slices.DeleteFunc(knownPaths(), func(p string) bool { return !strings.HasSuffix(strings.ToLower(p), "."+strings.ToLower(path)) }); len(same) > 0 {
		hint = "did you mean " + strings.Join(same, " or ") + "?"
	}
	return explanation{}, &failure{code: exitUsage, err: fmt.Errorf("there is no setting and no field %q", path), hint: hint}
}

func ofSetting(s config.Setting) explanation {
	e := explanation{Path: s.Path, Meaning: s.Meaning, Type: string(s.Type), Choices: s.Choices, Default: s.DefaultInWords(),
		Min: s.Min, Max: s.Max, Why: s.Why, ReadBy: "hotcold"}
	if s.Type == config.TypeDuration {
		e.Unit = "milliseconds, for a number without a unit"
	}
	if s.Type == config.TypeSize {
		e.Unit = "bytes, for a number without a unit"
	}
	return e
}

func ofField(path string, f corda.Field) explanation {
	e := explanation{Path: path, Meaning: f.Meaning, Type: string(f.Kind), Choices: f.Choices, Unit: f.Unit, Default: "none", Pair: f.Pair,
		PerMachine: f.PerMachine, Editions: f.Knows.String(), Deprecated: f.Deprecated, ReadBy: "the node"}
	switch {
	case f.Secret && f.Default != "":
		e.Default = "the development password"
	case f.Default != "" && f.Computed != "":
		e.Default = "`" + f.Default + "`; " + f.Computed
	case f.Default != "":
		e.Default = "`" + f.Default + "`"
	case f.Computed != "":
		e.Default = f.Computed
	}
	if config.ReadsOfNode(f.Path) {
		e.ReadBy += ", and hotcold"
	}
	if f.Kind == corda.Port {
		e.Min, e.Max = "0", "65535"
	}
	return e
}

// inForce fills in what is in force. A configuration that is not there, or cannot be used, keeps nobody from asking
// what a setting means.
func (a *app) inForce(ctx context.Context, e *explanation) error {
	if _, err := a.find(); err != nil && a.config == "" {
		return nil
	}
	conf, err := a.load(ctx)
	if ctx.Err() != nil {
		return err
	}
	var node *corda.Node
	if err == nil {
		node, err = a.nodeOf(ctx, conf, false)
	}
	if err != nil {
		report(a.Stderr, "warning", "what is in force is not known: "+faultsShown(err))
		return nil
	}
	for _, s := range conf.Settings {
		if s.Path == e.Path {
			o, written := conf.Origin(s.Path)
			at := originOf(o, written)
			e.Set, e.Value, e.Origin = s.Value != "", s.Value, &at
			return nil
		}
	}
	if node == nil {
		return nil
	}
	if v := corda.At(node.Config, e.Path); v.Exists() {
		at := originOf(v.Origin(), true)
		e.Set, e.Value, e.Origin = true, v.String(), &at
	}
	return nil
}

// text is the explanation for people.
func (e explanation) text() string {
	var b strings.Builder
	b.WriteString(e.Path)
	if e.Set {
		b.WriteString(" = " + e.Value)
	}
	b.WriteString("\n")
	line := func(name, text string) {
		if text != "" {
			b.WriteString(wrapped(fmt.Sprintf("  %-12s", name), text))
		}
	}
	if e.Origin != nil {
		line("from", e.Origin.place())
		line("through", strings.Join(e.Origin.Via, ", "))
		line("beats", strings.Join(e.Origin.Shadows, ", "))
		for _, part := range e.Origin.Parts {
			line("part from", part.place())
		}
	}
	line("meaning", e.Meaning)
	line("in a pair", e.Pair)
	if e.PerMachine {
		line("machines", "may differ between the two machines")
	}
	line("type", e.Type)
	line("one of", strings.Join(e.Choices, ", "))
	line("unit", e.Unit)
	if e.Min != "" || e.Max != "" {
		line("range", e.Min+" to "+e.Max)
	}
	line("default", e.Default)
	line("change it if", e.Why)
	line("deprecated", e.Deprecated)
	line("known to", e.Editions)
	line("read by", e.ReadBy)
	return b.String()
}

// textWidth is how many characters a line of talk has at most.
const textWidth = 80

// wrapped writes a text behind a heading, its further lines under the first.
func wrapped(heading, text string) string {
	var b strings.Builder
	at := len(heading)
	b.WriteString(heading)
	for _, word := range strings.Fields(text) {
		if at+1+len(word) > textWidth && at > len(heading) {
			b.WriteString("\n" + strings.Repeat(" ", len(heading)))
			at = len(heading)
		}
		b.WriteString(" " + word)
		at += 1 + len(word)
	}
	return b.String() + "\n"
}
