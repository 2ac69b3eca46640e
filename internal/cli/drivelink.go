package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/drive"
)

// linkAsk is what was asked of `drive link`.
type linkAsk struct {
	at, name string
	move     bool
	dryRun   bool
	certain  bool // only what has to be on the drive in every set-up
}

func (a *app) driveLinkCommand() *cobra.Command {
	var ask linkAsk
	c := &cobra.Command{
		Use: "link", Short: "link the node's directory to the drive, without hiding data", Args: noArgs,
		Long: `link makes the node's directory (artemis in the base directory of a Corda node, data
in that of a broker) a link to a directory on the drive, and marks the drive with a
random id, if it has none. The drive has to be mounted.

A directory that is there and not empty is never hidden. --move moves it to the
drive: every file is copied, made durable, read back and compared by SHA-256, before
the directory appears on the drive under its name; the old one stays beside the link,
with ` + drive.Kept + ` behind its name. The node has to be stopped. Move on one machine only:
the node's data is where the node last ran.`,
		Example: `  hotcold drive link --dry-run
  sudo hotcold drive link --move      # on the primary
  sudo hotcold drive link             # on the back-up`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.sharedDrive(cmd.Context(), "")
			if err != nil {
				return err
			}
			say := func(format string, args ...any) { fmt.Fprintf(a.Stderr, "hotcold: "+format+"\n", args...) }
			if len(s.links()) == 0 && ask.name == "" {
				return usage("the preset %s does not say which directory has to be on the drive: name it with --name", s.conf.Preset.Name)
			}
			return a.link(cmd.Context(), s, ask, say)
		},
	}
	f := c.Flags()
	f.StringVar(&ask.name, "name", "", "`name` of the directory in the base directory (default: what the preset says)")
	f.StringVar(&ask.at, "at", "", "`name` of the directory on the drive (default: the same)")
	f.BoolVar(&ask.move, "move", false, "move what is there to the drive, verified, and keep the old one")
	f.BoolVar(&ask.dryRun, "dry-run", false, "only say what would be done")
	return c
}

// link marks the drive and links to it, where it is mounted.
func (a *app) link(ctx context.Context, s shared, ask linkAsk, say func(string, ...any)) error {
	mounts, err := drive.ReadMounts()
	if err != nil {
		return err
	}
	for _, f := range drive.Judge(mounts, s.expect()) {
		if f.Unfit() {
			return &failure{code: exitFailed, err: errors.New(f.Text), hint: f.Next}
		}
		if f.Level == drive.Fault || f.Level == drive.Warning {
			report(a.Stderr, "warning", f.String())
		}
	}
	if ask.dryRun {
		return a.linkAll(ctx, s, ask, say)
	}
	if err := a.markDrive(s, say); err != nil {
		return err
	}
	return a.linkAll(ctx, s, ask, say)
}

// markDrive marks the drive, if it has no mark, once the node's user is seen to be able to write there.
func (a *app) markDrive(s shared, say func(string, ...any)) error {
	for _, f := range drive.CheckRights(s.path, s.user(), a.Clock) {
		if f.Level == drive.Fault {
			return &failure{code: exitFailed, err: errors.New(f.Text), hint: f.Next + "; then do this again"}
		}
	}
	m, made, err := drive.MakeMarker(s.path, s.machine(a), a.Clock.Now().Wall)
	switch {
	case err != nil:
		return err
	case made:
		say("this is drive %.8s: the other machine has to see the same", m.ID)
	default:
		say("this is drive %.8s, marked by %s", m.ID, m.By)
	}
	return nil
}

// linkAll links every directory that has to be on the drive.
func (a *app) linkAll(ctx context.Context, s shared, ask linkAsk, say func(string, ...any)) error {
	if s.conf == nil {
		return nil
	}
	dirs := s.conf.Preset.OnDrive
	if ask.name != "" {
		dirs = []config.DriveDir{{Name: ask.name, Required: true}}
	}
	for _, d := range dirs {
		if !d.Required && ask.certain {
			continue
		}
		at := ask.at
		if at == "" {
			at = d.Name
		}
		o := drive.LinkOptions{BaseDir: s.conf.BaseDir, Name: d.Name, Target: filepath.Join(s.path, at), Move: ask.move, User: s.user(), Progress: a.moved()}
		if err := a.linkOne(ctx, o, ask.dryRun, say); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) linkOne(ctx context.Context, o drive.LinkOptions, dryRun bool, say func(string, ...any)) error {
	path := filepath.Join(o.BaseDir, o.Name)
	do := drive.Link
	if dryRun {
		do = func(_ context.Context, o drive.LinkOptions) (drive.Linking, error) { return drive.PlanLink(o) }
	}
	done, err := do(ctx, o)
	if err != nil {
		return err
	}
	would := ""
	if dryRun {
		would = "would: "
	}
	switch done {
	case drive.Nothing:
		say("%s leads to %s already", path, o.Target)
	case drive.MoveAll:
		say("%s%s moved to %s, file by file, and verified; the old one is %s%s", would, path, o.Target, path, drive.Kept)
	default:
		say("%s%s leads to %s", would, path, o.Target)
	}
	return nil
}

// moved shows the progress of a move on a terminal.
func (a *app) moved() func(string, int64, int64) {
	if !terminal(a.Stderr) {
		return func(string, int64, int64) {}
	}
	return func(path string, done, all int64) {
		if path == "" {
			fmt.Fprintf(a.Stderr, "\r\x1b[Kmoved %d MiB\n", all>>20)
			return
		}
		fmt.Fprintf(a.Stderr, "\r\x1b[K%3.0f %%  %.60s", 100*float64(done)/float64(max(1, all)), path)
	}
}
