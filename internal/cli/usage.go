package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// nearLetters is how many letters of a word may be wrong so that we still guess
// what was meant.
const nearLetters = 2

// flagFault says in our words what is wrong with a flag.
func flagFault(c *cobra.Command, err error) error {
	hint := fmt.Sprintf("`%s --help` shows what there is", c.CommandPath())
	var unknown *pflag.NotExistError
	var value *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			name = "-" + name
		} else {
			hint = nearFlag(c, name, hint)
			name = "--" + name
		}
		err = fmt.Errorf("%s has no flag %s", c.CommandPath(), name)
	case errors.As(err, &value):
		err = fmt.Errorf("--%s is %q, want %s", value.GetFlag().Name, value.GetValue(), wanted(value.GetFlag()))
	case errors.As(err, &missing):
		err = fmt.Errorf("--%s needs %s behind it", missing.GetFlag().Name, wanted(missing.GetFlag()))
	}
	return &failure{code: exitUsage, err: err, hint: hint}
}

// wanted says what a flag takes.
func wanted(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "duration":
		return "a number with its unit, such as 90s or 5m"
	case "int":
		return "a whole number"
	case "bool":
		return "nothing, true or false"
	}
	name, _ := pflag.UnquoteUsage(f)
	return "a " + name
}

// nearFlag guesses which flag was meant.
func nearFlag(c *cobra.Command, name, otherwise string) string {
	best, distance := "", nearLetters+1
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if d := edits(name, f.Name); d < distance && !f.Hidden {
			best, distance = f.Name, d
		}
	})
	if best == "" {
		return otherwise
	}
	return fmt.Sprintf("did you mean --%s?", best)
}

// edits is how many letters have to be put in, taken out or changed to make b of a.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// noArgs is for commands that take flags only. cobra's own NoArgs gives an error
// that nothing tells from others.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !c.HasParent() {
		return noCommand(c, args[0])
	}
	return &failure{code: exitUsage, err: fmt.Errorf("%s takes no argument %q", c.CommandPath(), args[0]),
		hint: fmt.Sprintf("`%s --help` shows what there is", c.CommandPath())}
}

// noCommand says that the program has no such command, and which was meant.
func noCommand(root *cobra.Command, name string) error {
	hint := fmt.Sprintf("`%s --help` shows what there is", root.CommandPath())
	root.SuggestionsMinimumDistance = nearLetters
	if near := root.SuggestionsFor(name); len(near) > 0 {
		hint = fmt.Sprintf("did you mean `%s %s`?", root.CommandPath(), near[0])
	}
	return &failure{code: exitUsage, err: fmt.Errorf("there is no command %q", name), hint: hint}
}

// helpCommand is cobra's, which prints the help of the program and ends with 0
// for a command that there is not.
func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [command]", Short: "tell more of a command", GroupID: "see",
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, other := range c.Root().Commands() {
				if len(args) == 0 && other.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(other.Name(), other.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			found, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return noCommand(c.Root(), strings.Join(args, " "))
			}
			found.InitDefaultHelpFlag() // it is made when a command runs, and this one does not
			return found.Help()
		},
	}
}
