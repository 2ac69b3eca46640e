package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/drive"
	"github.com/hotcold/hotcold/internal/status"
)

func (a *app) driveCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "drive", Short: "the drive that both machines share: mount it, link it, check it, measure it", GroupID: "set",
		Long: `drive is all about the network drive on which the node keeps its journal. From a
share to a node that uses it, on each machine:

  sudo hotcold drive fstab azure|efs|nfs|smb ... --apply
                            the line for /etc/fstab, the mount, the link
  hotcold drive check       is it mounted, the same on both machines, linked,
                            writable, locked for the other machine, fast enough?
  hotcold drive bench       how long a durable write takes, and whether that will
                            do for a broker's journal
  hotcold drive drill       with both machines: how long after the end of one the
                            other one has its lock

docs/drive.md tells the whole way.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return noSubcommand(c, args[0])
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.driveFstabCommand(), a.driveLinkCommand(), a.driveCheckCommand(), a.driveBenchCommand(), a.driveDrillCommand())
	silence(c)
	return c
}

// silence keeps commands that take no file from completing one.
func silence(c *cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.ValidArgsFunction == nil && len(sub.ValidArgs) == 0 {
			sub.ValidArgsFunction = cobra.NoFileCompletions
		}
		silence(sub)
	}
}

// shared is what the drive commands know of the drive and of the node.
type shared struct {
	path string
	conf *config.Config // nil: there is no configuration, and the path was given
}

// maybeConf reads the configuration, or returns nil where there is none: the drive may
// come before it.
func (a *app) maybeConf(ctx context.Context) (*config.Config, error) {
	if _, err := a.find(); err != nil && a.config == "" {
		return nil, nil
	}
	return a.load(ctx)
}

// sharedDrive finds the drive: the one that a flag names, or the configuration's.
func (a *app) sharedDrive(ctx context.Context, flag string) (shared, error) {
	load := a.load
	if flag != "" {
		load = a.maybeConf
	}
	c, err := load(ctx)
	if err != nil {
		return shared{}, err
	}
	s := shared{path: flag, conf: c}
	if s.path == "" {
		s.path = c.Drive.Path
	}
	if s.path == "" {
		return s, &failure{code: exitConfig, err: errors.New("hotcold.drive.path is not set: there is no drive to look at"),
			hint: "set it in hotcold.conf, or name the directory with --path"}
	}
	if s.path, err = filepath.Abs(s.path); err != nil {
		return s, err
	}
	return s, nil
}

// expect is what is known of the drive.
func (s shared) expect() drive.Expect {
	if s.conf == nil {
		return drive.Expect{Path: s.path, Kind: drive.Any}
	}
	e := expected(s.conf)
	e.Path = s.path
	return e
}

// user is who runs the node: the owner of its base directory. It is nil where that is
// not to be known.
func (s shared) user() *drive.User {
	if s.conf == nil {
		return nil
	}
	u, err := drive.OwnerOf(s.conf.BaseDir)
	if err != nil {
		return nil
	}
	return u
}

// links are the directories of the node that have to be on the drive.
func (s shared) links() []drive.Linked {
	if s.conf == nil {
		return nil
	}
	var all []drive.Linked
	for _, d := range s.conf.Preset.OnDrive {
		all = append(all, drive.Linked{Name: d.Name, Required: d.Required})
	}
	return all
}

func (s shared) machine(a *app) string {
	if s.conf != nil {
		return s.conf.Instance.MachineName
	}
	name, err := a.Hostname()
	if err != nil {
		return "this machine"
	}
	return name
}

func (a *app) driveCheckCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use: "check", Short: "is it mounted, shared, linked, writable, locked and fast?", Args: noArgs,
		Long: `check looks at the drive of this machine as a takeover would: what really serves
its directory, of which type, from where and with which options; the line in
/etc/fstab; the marker that tells this drive from another or from none; the link
from the node's base directory; whether the node's user may write; whether the lock
of the machine that is hot is seen here; how long a durable write takes; how much
room there is; and whether anything can be written under the mount.

It writes one small file beside the node's own, and removes it. As root it sees
more. Run it on both machines. It ends with 0 when nothing is at fault, and with 8
otherwise.`,
		Example: `  sudo hotcold drive check
  hotcold drive check --json
  hotcold drive check --path /mnt/corda`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.sharedDrive(cmd.Context(), path)
			if err != nil {
				return err
			}
			return a.sayDrive(s, drive.Check(cmd.Context(), a.driveCheck(cmd.Context(), s)))
		},
	}
	pathFlag(c, &path)
	a.jsonFlag(c)
	return c
}

func pathFlag(c *cobra.Command, path *string) {
	c.Flags().StringVar(path, "path", "", "`directory` of the drive (default: hotcold.drive.path)")
	_ = c.MarkFlagDirname("path")
}

// driveCheck are the options of a check, with what the other machine last said.
func (a *app) driveCheck(ctx context.Context, s shared) drive.CheckOptions {
	o := drive.CheckOptions{Expect: s.expect(), User: s.user(), Links: s.links(), Fstab: drive.FstabFile, Clock: a.Clock}
	if s.conf == nil {
		return o
	}
	o.EpochFile, o.Instance, o.BaseDir = s.conf.Drive.EpochFile, s.conf.Instance.ID, s.conf.BaseDir
	o.Other = a.otherDrive(ctx, s.conf)
	return o
}

// otherDriveLimit is how long a check of the drive waits for the database, which is
// not what it is about.
const otherDriveLimit = 3 * time.Second

// otherDrive asks the database which drive the other machine's agent sees; nothing
// where it does not answer.
func (a *app) otherDrive(ctx context.Context, c *config.Config) drive.Other {
	if !c.MutualExclusion.On {
		return drive.Other{}
	}
	ctx, cancel := context.WithTimeout(ctx, otherDriveLimit)
	defer cancel()
	_, db, err := a.opened(ctx)
	if err != nil {
		return drive.Other{}
	}
	defer db.Close()
	o, err := overview(ctx, c, db)
	if err != nil {
		return drive.Other{}
	}
	return otherDriveOf(o, c.Instance.ID)
}

func otherDriveOf(o status.Overview, self string) drive.Other {
	for _, m := range o.Instances {
		if m.ID != self && !m.Stale && m.DriveID() != "" {
			return drive.Other{Instance: m.ID, DriveID: m.DriveID()}
		}
	}
	return drive.Other{}
}

// driveReport is what `drive check --json` prints.
type driveReport struct {
	Path     string          `json:"path"`
	Findings []drive.Finding `json:"findings"`
	Faults   int             `json:"faults"`
	Warnings int             `json:"warnings"`
}

// sayDrive prints findings, and ends as they say.
func (a *app) sayDrive(s shared, found []drive.Finding) error {
	r := driveReport{Path: s.path, Findings: found}
	for _, f := range found {
		switch f.Level {
		case drive.Fault:
			r.Faults++
		case drive.Warning:
			r.Warnings++
		}
	}
	if a.json {
		if err := a.printJSON(r); err != nil {
			return err
		}
	} else {
		a.printDrive(r)
	}
	if r.Faults > 0 {
		return &failure{code: exitNotWell, err: errNotWell}
	}
	return nil
}

// sign is a level at one look.
func sign(l drive.Level) string {
	switch l {
	case drive.OK:
		return "✓"
	case drive.Warning:
		return "!"
	case drive.Fault:
		return "✗"
	}
	return "-"
}

func (a *app) printDrive(r driveReport) {
	for _, f := range r.Findings {
		fmt.Fprintf(a.Stdout, "%s %-12s %s\n", sign(f.Level), f.About, strings.ReplaceAll(f.Text, "\n", "; "))
		if f.Next != "" && f.Level != drive.OK {
			fmt.Fprintf(a.Stdout, "  %-12s > %s\n", "", f.Next)
		}
	}
	fmt.Fprintf(a.Stderr, "%s, %s\n", count(r.Faults, "fault"), count(r.Warnings, "warning"))
}
