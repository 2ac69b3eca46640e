package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/lease/sqlstore"
)

// completeLimit is how long a person who pressed Tab waits for the database.
const completeLimit = 2 * time.Second

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use: "completion bash|zsh|fish", Short: "print what makes a shell complete our commands", GroupID: "set",
		Long: `completion prints a script for a shell. With it, Tab completes commands, flags,
and behind switchover --to the machines of the pair.`,
		Example: `  source <(hotcold completion bash)     # wants the package bash-completion
  hotcold completion bash > /etc/bash_completion.d/hotcold
  hotcold completion zsh > "${fpath[1]}/_hotcold"
  hotcold completion fish > ~/.config/fish/completions/hotcold.fish`,
		ValidArgs: shells,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 && slices.Contains(shells, args[0]) {
				return nil
			}
			return &failure{code: exitUsage, err: fmt.Errorf("hotcold completion wants one of bash, zsh, fish"), hint: "`hotcold completion --help` shows where the script goes"}
		},
		RunE: func(c *cobra.Command, args []string) error {
			switch root := c.Root(); args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.Stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.Stdout)
			default:
				return root.GenFishCompletion(a.Stdout, true)
			}
		},
	}
}

// completeMachines offers the machines that could become hot. Where the
// configuration or the database cannot be read it offers nothing and is silent:
// a person is in the middle of a line.
func (a *app) completeMachines(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(c.Context(), completeLimit)
	defer cancel()
	conf, db, err := a.opened(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer db.Close()
	o, err := overview(ctx, conf, db)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, m := range o.Instances {
		name := cobra.CompletionWithDesc(m.Machine, string(m.State))
		if !m.Holder && !m.Stale && m.Machine != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func completeDialects(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return sqlstore.Dialects(), cobra.ShellCompDirectiveNoFileComp
}
