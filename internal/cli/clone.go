package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/internal/clone"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/lease"
)

// cloneFlags are what a person may say to a clone.
type cloneFlags struct {
	from, directory     string
	keys, knownHosts    []string
	set                 []string
	dryRun, delete      bool
	identity            bool
	conf, noConf        bool
	offline, parameters bool
}

func (a *app) cloneCommand() *cobra.Command {
	var f cloneFlags
	c := &cobra.Command{
		Use: "clone [MACHINE]", Short: "make the other machine a twin of this one: keys, parameters, code", GroupID: "set",
		Long: `clone copies what the other machine needs to run the node from the base directory
of this one: for a Corda node certificates/, network-parameters, cordapps/,
drivers/ and the rest that the preset knows, and what hotcold.clone.files names.
What belongs to one machine or to the shared drive is never copied.

MACHINE is a name of hotcold.machines, [user@]host[:port] for SSH, or a directory
(with a slash in it). Without one it is the other machine of hotcold.machines.
SSH logs in with the keys of an ssh-agent or of files, and the host's key has to
be known. Log in as the user of the node: the files become that user's.

Each file is written beside its place, made durable, read back, and put in place
in one step. A clone that was interrupted is run again: it goes on where it was.
node.conf is written where there is none, with the other machine's own values in
it; where it takes those from the environment it is copied as it is.

It refuses to write over the files of the machine that is hot, and over another
identity. With --from it fetches from the other machine instead. A cold agent
sees the new files by itself: nothing has to be restarted.`,
		Example: `  hotcold clone --dry-run
  hotcold clone machine-b
  hotcold clone corda@10.0.0.5 --set rpcSettings.address=10.0.0.5:10003 \
      --set rpcSettings.adminAddress=10.0.0.5:10004
  hotcold clone /mnt/usb/twin --no-conf
  hotcold clone --from machine-a
  hotcold clone --parameters`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && (args[0] == "" || f.from != "" || f.parameters) {
				return &failure{code: exitUsage, err: fmt.Errorf("%s wants one machine: an argument, or --from", c.CommandPath()),
					hint: fmt.Sprintf("`%s --help` shows what there is", c.CommandPath())}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.conf && f.noConf {
				return usage("--replace-conf and --no-conf: want one of them")
			}
			conf, err := a.load(cmd.Context())
			if err != nil {
				return err
			}
			if f.parameters {
				return a.fetchParameters(cmd.Context(), conf, f.dryRun)
			}
			return a.clone(cmd.Context(), conf, append(args, "")[0], f)
		},
	}
	a.jsonFlag(c)
	flags := c.Flags()
	flags.StringVar(&f.from, "from", "", "fetch from this `machine` instead")
	flags.BoolVarP(&f.dryRun, "dry-run", "n", false, "say what would be done, and do nothing")
	flags.BoolVar(&f.delete, "delete", false, "remove what is listed there and not here; key stores never")
	flags.BoolVar(&f.identity, "replace-identity", false, "replace key stores that hold another identity")
	flags.BoolVar(&f.conf, "replace-conf", false, "replace a node.conf that is there already")
	flags.BoolVar(&f.noConf, "no-conf", false, "leave node.conf alone")
	flags.StringArrayVar(&f.set, "set", nil, "a `field=value` of the other machine's node.conf (several times)")
	flags.StringVar(&f.directory, "directory", "", "the base `directory` over there, where it is another one")
	flags.StringArrayVarP(&f.keys, "identity", "i", nil, "a private key `file` for SSH (several times)")
	flags.StringArrayVar(&f.knownHosts, "known-hosts", nil, "a `file` of known hosts instead of those of ssh (several times)")
	flags.BoolVar(&f.offline, "offline", false, "do not ask the database who is hot: you know that the other machine is not")
	flags.BoolVar(&f.parameters, "parameters", false, "only fetch network-parameters, as the hot agent put them into the database")
	_ = c.MarkFlagDirname("directory")
	return c
}

// selectionOf is what two machines of a configuration must have alike.
func selectionOf(c *config.Config) (clone.Selection, error) {
	s := clone.Selection{
		Exclude: c.Clone.Exclude, Never: clone.NeverOfAnyNode(), Identity: c.Preset.Identity, Loose: c.Preset.Loose,
		Secret: []string{"certificates", "ssh", "*.jks", "*.p12", "*.pfx", "*.key", "*.pem"},
	}
	for _, f := range c.Preset.Files {
		s.Wanted = append(s.Wanted, clone.Wanted{Path: f.Path, Required: f.Required, Why: f.Why})
	}
	for _, f := range c.Clone.Files {
		s.Wanted = append(s.Wanted, clone.Wanted{Path: f, Why: "hotcold.clone.files names it"})
	}
	for _, own := range []string{c.Drive.Path, c.RuntimeDir} {
		if name, ok := strings.CutPrefix(own, strings.TrimSuffix(c.BaseDir, "/")+"/"); ok {
			top, _, _ := strings.Cut(name, "/")
			s.Never = append(s.Never, top+"/")
		}
	}
	if err := s.Check(); err != nil {
		return s, &failure{code: exitConfig, err: fmt.Errorf("%v: hotcold.clone.files: %w", c.Where("hotcold.clone.files"), err)}
	}
	return s, nil
}

// errNothingSelected is why there is nothing to clone or to compare.
var errNothingSelected = errors.New("nothing is named that two machines must have alike")

// clone makes one machine like the other.
func (a *app) clone(ctx context.Context, c *config.Config, target string, f cloneFlags) error {
	sel, err := selectionOf(c)
	if err != nil {
		return err
	}
	if len(sel.Wanted) == 0 {
		return &failure{code: exitConfig, err: errNothingSelected, hint: "the preset command knows no files: name them in hotcold.clone.files"}
	}
	other, err := a.peer(c, target, f)
	if err != nil {
		return err
	}
	if !other.local() && !f.offline {
		if err := rightWay(ctx, c, f.from != ""); err != nil {
			return err
		}
	}
	here, err := clone.OpenDirectory(c.BaseDir)
	if err != nil {
		return err
	}
	defer here.Close()
	there, err := a.side(ctx, c, other, f)
	if err != nil {
		return err
	}
	defer there.Close()
	j := &cloneJob{app: a, config: c, flags: f, sel: sel, from: here, to: there, other: other}
	if f.from != "" {
		j.from, j.to = there, here
	}
	return j.run(ctx)
}

// rightWay refuses to write over the files of the machine that is hot: in the
// night somebody is on the wrong one.
func rightWay(ctx context.Context, c *config.Config, fetch bool) error {
	if !c.MutualExclusion.On {
		return nil
	}
	holder, err := holderOf(ctx, c)
	me := c.Instance.ID
	switch {
	case err != nil:
		_, hint := judge(err)
		return &failure{code: exitDatabase, err: fmt.Errorf("find out who is hot: %w", err),
			hint: strings.TrimPrefix(hint+"; ", "; ") + "--offline says that you know that the machine which is written to is not hot"}
	case !fetch && holder != "" && holder != me:
		return &failure{code: exitRefused, err: fmt.Errorf("%s holds the lease, and this is %s: nothing is written over the files of the machine that is hot", holder, me),
			hint: "run it on the machine that is hot, or fetch from there with --from"}
	case fetch && holder == me:
		return &failure{code: exitRefused, err: fmt.Errorf("this machine, %s, holds the lease: nothing is written over the files of the machine that is hot", me),
			hint: "without --from it copies to the other machine"}
	}
	return nil
}

// holderOf is who holds the lease now; empty: nobody.
func holderOf(ctx context.Context, c *config.Config) (string, error) {
	db, err := open(ctx, c, lease.MaxAttempt, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(ctx, databaseLimit)
	defer cancel()
	o, err := db.Read(ctx, c.LeaseName)
	if err != nil || !o.Exists || o.Record.Released {
		return "", err
	}
	return o.Record.Holder, nil
}

// inBase is a path's name in the base directory, and false where it lies elsewhere.
func inBase(c *config.Config, path string) (string, bool) {
	name, err := filepath.Rel(c.BaseDir, path)
	return filepath.ToSlash(name), path != "" && err == nil && filepath.IsLocal(name)
}
