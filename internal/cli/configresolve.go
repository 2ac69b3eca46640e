package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/hocon"
)

func (a *app) configResolveCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "resolve FILE", Short: "any HOCON file as JSON", Args: files(1, 1, "one file, or - for standard input"),
		Long: `resolve reads a file of HOCON (JSON and .properties too), with what it includes,
resolves its substitutions from the file and the environment, and prints it as
JSON. It knows nothing of hotcold or Corda and hides NOTHING: secrets are printed
as they stand in the file. It ends with 0, or with 3 where the file cannot be
read or resolved; then standard output stays empty.`,
		Example: `  hotcold config resolve node.conf | jq .rpcSettings
  hotcold config resolve - < application.conf`,
		ValidArgsFunction: completeFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			doc, err := a.parse(args[0])
			if err != nil {
				return err
			}
			cfg, err := hocon.Resolve(hocon.Layers{doc}, hocon.Env(a.Lookup))
			if err != nil {
				return err
			}
			_, err = io.WriteString(a.Stdout, cfg.Render(hocon.RenderOptions{JSON: true, Reveal: true}))
			return err
		},
	}
	c.Flags().BoolVar(&a.json, "json", true, "print JSON; there is nothing else")
	return c
}

// parse parses a file, or standard input.
func (a *app) parse(file string) (*hocon.Document, error) {
	dir, err := a.WorkDir()
	if err != nil {
		return nil, err
	}
	if file != "-" {
		return hocon.ParseFile(file, hocon.WithDir(dir))
	}
	text, err := io.ReadAll(a.Stdin)
	if err != nil {
		return nil, fmt.Errorf("read standard input: %w", err)
	}
	return hocon.Parse("standard input", text, hocon.WithDir(dir))
}
