package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/internal/corda"
)

func (a *app) configRenderCommand() *cobra.Command {
	var set []string
	var output string
	var reveal bool
	c := &cobra.Command{
		Use: "render FILE", Short: "node.conf of one machine out of a shared one", Args: files(1, 1, "the shared file"),
		Long: `render writes the node.conf of one machine, out of a file that both share and the
values that this machine has: its environment, and what --set says. A name with
a point in it, or that of a field, sets the field; any other is a variable. Give
secrets in the environment: other users can see arguments.

A substitution becomes its value where there is one. It stays a substitution where
nobody gives a value, and where it is a secret: the node takes those from its own
environment when it starts. With --reveal secrets are written in. An optional one
(${?NAME}) without a value is left out, as the node would. Includes become part of
the file; comments are lost.

On a terminal, secrets that stand in the shared file are shown as ***. Into a pipe
or a file (--output, mode 0600, put in place in one step) they are written.`,
		Example: `  hotcold config render shared.conf
  hotcold config render shared.conf --set NODE_MACHINE_ADDRESS=10.0.0.4 --output node.conf
  hotcold config render shared.conf --set messagingServerAddress=10.0.0.4:10005`,
		ValidArgsFunction: completeFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			if a.json && output != "" {
				return usage("--json goes to standard output, and --output writes node.conf: use one of them")
			}
			dir, err := a.WorkDir()
			if err != nil {
				return err
			}
			m, err := a.machine(set)
			if err != nil {
				return err
			}
			m.WorkDir, m.Reveal, m.Mask = dir, reveal, !reveal && output == "" && terminal(a.Stdout)
			r, err := corda.Render(args[0], m)
			if err != nil {
				return err
			}
			return a.rendered(r, output)
		},
	}
	a.jsonFlag(c)
	c.Flags().StringArrayVar(&set, "set", nil, "a `NAME=value` of this machine (several times)")
	c.Flags().StringVarP(&output, "output", "o", "", "write this `file` instead of standard output")
	c.Flags().BoolVar(&reveal, "reveal", false, "write secrets in, on a terminal too")
	return c
}

// machine is what this machine has of its own.
func (a *app) machine(set []string) (corda.Machine, error) {
	m := corda.Machine{Variables: map[string]string{}}
	environ, err := a.variables(nil)
	if err != nil {
		return m, err
	}
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		m.Variables[name] = value
	}
	for _, line := range set {
		name, value, ok := strings.Cut(line, "=")
		_, field := corda.FieldAt(name)
		switch {
		case !ok || name == "":
			return m, usage("--set %q sets nothing, want NAME=value", name)
		case field:
			m.Fields = append(m.Fields, corda.Override{Name: name, Value: value})
		case strings.Contains(name, "."):
			hint := "a variable has no point in its name"
			if near, ok := corda.Nearest(name); ok {
				hint = "did you mean " + near + "?"
			}
			return m, &failure{code: exitUsage, err: fmt.Errorf("--set %s: there is no such field", name), hint: hint}
		default:
			m.Variables[name] = value
		}
	}
	return m, nil
}

// rendered puts what was rendered where it belongs, and tells what stayed open.
func (a *app) rendered(r corda.Rendered, output string) error {
	switch {
	case a.json:
		kept := append([]string{}, r.Kept...)
		if err := a.printJSON(map[string]any{"conf": r.Text, "kept": kept, "masked": r.Masked}); err != nil {
			return err
		}
	case output == "":
		if _, err := io.WriteString(a.Stdout, r.Text); err != nil {
			return err
		}
	default:
		if err := replace(output, r.Text); err != nil {
			return err
		}
	}
	if len(r.Kept) > 0 {
		report(a.Stderr, "note", "taken from the node's environment when it starts: "+strings.Join(r.Kept, ", "))
	}
	if r.Masked {
		report(a.Stderr, "note", "secrets are shown as ***, so this is to be looked at; --output or a pipe writes them")
	}
	return nil
}

// replace writes a file that only its owner may read, and puts it in the place of what was there in one step: a node
// that starts meanwhile reads the one or the other, and never half of one.
func replace(path, text string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(f.Name())))
		}
	}()
	if _, err = f.WriteString(text); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
