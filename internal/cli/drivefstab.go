package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/drive"
)

// keyVar holds a share's password where no file and no person says it.
const keyVar = "HOTCOLD_DRIVE_KEY"

// fstabAsk is what was asked of `drive fstab`.
type fstabAsk struct {
	share   drive.Share
	user    string // of an SMB server
	keyFile string
	fstab   string
	owner   int // --uid and --gid where they were given
	group   int
	apply   bool
	move    bool
	explain bool
	dryRun  bool
}

func (a *app) driveFstabCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "fstab azure|efs|nfs|smb", Short: "the right line for /etc/fstab, with a reason for each option",
		Long: `fstab prints the line with which this machine mounts the drive at each start,
with today's options. Nothing is changed without --apply. With it, as root, it

  - writes user and key of an SMB share into a file of mode 0600, never into fstab
  - takes all rights from the empty mount point, so that a node which starts
    without its drive does not begin a new journal there
  - puts the line into /etc/fstab, keeps a copy of the file as it was, and leaves
    every other line as it is
  - mounts the drive as the next start will, and says what is wrong with it
  - marks it with a random id, and links the node's directory to it; with --move, on
    the machine where the node last ran, what is in that directory moves to the drive

Doing it twice is no harm. The key comes from --key-file, from the environment
(` + keyVar + `), or is asked for; never from the command line, which
everybody on the machine may read.`,
		Example: `  hotcold drive fstab azure --account cordastore --share corda --mount-point /mnt/corda --explain
  sudo hotcold drive fstab azure --account cordastore --share corda --apply
  sudo hotcold drive fstab efs --fs-id fs-0123456789abcdef0 --region eu-west-1 --apply`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return noSubcommand(c, args[0])
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.fstabAzure(), a.fstabEFS(), a.fstabNFS(), a.fstabSMB())
	return c
}

// fstabFor makes the command of one service.
func (a *app) fstabFor(service drive.Service, short, long, example string, flags func(*cobra.Command, *fstabAsk)) *cobra.Command {
	ask := &fstabAsk{share: drive.Share{Service: service}}
	c := &cobra.Command{
		Use: string(service), Short: short, Args: noArgs, Long: long, Example: example,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.fstab(cmd, ask) },
	}
	flags(c, ask)
	f := c.Flags()
	f.StringVar(&ask.share.Point, "mount-point", "", "`directory` to mount it on (default: hotcold.drive.path)")
	f.StringVar(&ask.share.Version, "vers", "", "`version` of the protocol (default: 3.1.1 for SMB, 4.1 for NFS)")
	f.BoolVar(&ask.apply, "apply", false, "write it, mount the drive, mark it, link it")
	f.BoolVar(&ask.move, "move", false, "with --apply: move the node's directory to the drive, verified, and keep the old one")
	f.BoolVar(&ask.dryRun, "dry-run", false, "only show what would be done (the default)")
	f.BoolVar(&ask.explain, "explain", false, "say why each option is there")
	f.StringVar(&ask.fstab, "fstab", drive.FstabFile, "the `file` to write")
	_ = c.MarkFlagDirname("mount-point")
	a.jsonFlag(c)
	return c
}

func smbFlags(c *cobra.Command, ask *fstabAsk) {
	f := c.Flags()
	f.IntVar(&ask.owner, "uid", -1, "`number` of the node's user (default: the owner of the base directory)")
	f.IntVar(&ask.group, "gid", -1, "`number` of its group")
	f.StringVar(&ask.share.Credentials, "credentials", "", "`file` for user and key (default: one in /etc/smbcredentials)")
	f.StringVar(&ask.keyFile, "key-file", "", "`file` whose first line is the key (default: $"+keyVar+", or it is asked for)")
}

func (a *app) fstabAzure() *cobra.Command {
	return a.fstabFor(drive.AzureFiles, "a file share of Azure Files, over SMB 3",
		`azure prints the line for a file share of Azure Files. The storage account has to
be of kind general purpose; leave "Secure transfer" on. The key is one of the two
under Security + networking, Access keys. TCP port 445 has to be open to the
internet, or use a private endpoint with --host.

The guide's own line, with vers=2.1 and the key in /etc/fstab, is shown with
--legacy, with what is wrong with it. It is never written.`,
		`  hotcold drive fstab azure --account cordastore --share corda --mount-point /mnt/corda --explain
  sudo hotcold drive fstab azure --account cordastore --share corda --key-file key --apply
  hotcold drive fstab azure --account cordastore --share corda --mount-point /mnt/corda --legacy`,
		func(c *cobra.Command, ask *fstabAsk) {
			f := c.Flags()
			f.StringVar(&ask.share.Account, "account", "", "`name` of the storage account")
			f.StringVar(&ask.share.Name, "share", "", "`name` of the file share")
			f.StringVar(&ask.share.Server, "host", "", "`host` of the share (default: ACCOUNT.file.core.windows.net)")
			f.BoolVar(&ask.share.Legacy, "legacy", false, "show the guide's own line, with what is wrong with it")
			smbFlags(c, ask)
		})
}

func (a *app) fstabEFS() *cobra.Command {
	return a.fstabFor(drive.EFS, "an Amazon Elastic File System, over NFS 4.1",
		`efs prints the line for an Elastic File System. There has to be a mount target in
the machine's own availability zone, and its security group has to let the machine
in on TCP port 2049.

With --tls the mount is made by amazon-efs-utils, which encrypts what crosses the
network; install it first. --legacy shows the guide's own line.`,
		`  hotcold drive fstab efs --fs-id fs-0123456789abcdef0 --region eu-west-1 --mount-point /mnt/corda --explain
  sudo hotcold drive fstab efs --fs-id fs-0123456789abcdef0 --region eu-west-1 --apply`,
		func(c *cobra.Command, ask *fstabAsk) {
			f := c.Flags()
			f.StringVar(&ask.share.FileSystem, "fs-id", "", "`id` of the file system: fs-0123456789abcdef0")
			f.StringVar(&ask.share.Region, "region", "", "its `region`: eu-west-1")
			f.StringVar(&ask.share.Server, "host", "", "`host` of the mount target (default: FS-ID.efs.REGION.amazonaws.com)")
			f.BoolVar(&ask.share.Helper, "tls", false, "mount it with amazon-efs-utils, encrypted")
			f.BoolVar(&ask.share.Legacy, "legacy", false, "show the guide's own line")
		})
}

func (a *app) fstabNFS() *cobra.Command {
	return a.fstabFor(drive.NFSServer, "a directory of any server of NFS 4.1",
		`nfs prints the line for a directory that a server of NFS 4.1 exports. The server has
to let both machines in, also from ports above 1023 (insecure, in /etc/exports), and
to write with sync.`,
		`  hotcold drive fstab nfs --server files.example.com --export /srv/corda --mount-point /mnt/corda
  sudo hotcold drive fstab nfs --server files.example.com --export /srv/corda --apply`,
		func(c *cobra.Command, ask *fstabAsk) {
			c.Flags().StringVar(&ask.share.Server, "server", "", "`host` name or address of the server")
			c.Flags().StringVar(&ask.share.Export, "export", "", "`directory` that it exports")
		})
}

func (a *app) fstabSMB() *cobra.Command {
	return a.fstabFor(drive.SMBServer, "a share of any server of SMB 3",
		`smb prints the line for a share of a server of SMB 3: Windows, Samba, a storage
appliance. Let the server encrypt, and let it look for dead clients: a machine that
lost its power keeps its locks until the server has noticed. Samba: "socket options =
TCP_NODELAY SO_KEEPALIVE TCP_KEEPIDLE=10 TCP_KEEPINTVL=5 TCP_KEEPCNT=3
TCP_USER_TIMEOUT=25000"; keepalive alone does not help while an answer is on its way.`,
		`  hotcold drive fstab smb --server files.example.com --share corda --user corda --mount-point /mnt/corda
  sudo hotcold drive fstab smb --server files.example.com --share corda --user corda --apply`,
		func(c *cobra.Command, ask *fstabAsk) {
			f := c.Flags()
			f.StringVar(&ask.share.Server, "server", "", "`host` name or address of the server")
			f.StringVar(&ask.share.Name, "share", "", "`name` of the share")
			f.StringVar(&ask.user, "user", "", "`name` of the user on the server")
			smbFlags(c, ask)
		})
}

// fstab shows the line, and does what it says where that is asked for.
func (a *app) fstab(cmd *cobra.Command, ask *fstabAsk) error {
	ctx := cmd.Context()
	if ask.apply && ask.dryRun {
		return usage("--apply and --dry-run say two things")
	}
	if ask.move && !ask.apply {
		return usage("--move is a part of --apply: `hotcold drive link --move --dry-run` says what would be moved")
	}
	conf, err := a.maybeConf(ctx)
	if err != nil {
		return err
	}
	if err := ask.complete(conf); err != nil {
		return err
	}
	made, err := ask.share.Make()
	if err != nil {
		return &failure{code: exitUsage, err: err, hint: fmt.Sprintf("`%s --help` shows what is wanted", cmd.CommandPath())}
	}
	if err := a.showLine(made, ask.explain); err != nil {
		return err
	}
	if !ask.apply {
		a.sayPlan(ask, conf)
		return nil
	}
	if ask.share.Legacy {
		return usage("--legacy is there to be looked at: leave it out to write today's line")
	}
	return a.applyFstab(ctx, ask, made, conf)
}

// complete fills in what follows from the configuration.
func (ask *fstabAsk) complete(c *config.Config) error {
	s := &ask.share
	if s.Point == "" && c != nil {
		s.Point = c.Drive.Path
	}
	if s.Point == "" {
		return usage("--mount-point is missing: where shall the drive be mounted?")
	}
	if s.Service != drive.AzureFiles && s.Service != drive.SMBServer {
		return nil
	}
	if s.Service == drive.AzureFiles {
		ask.user = s.Account
	} else if ask.user == "" {
		return usage("--user is missing: who is let in by the server?")
	}
	if s.Credentials == "" {
		s.Credentials = filepath.Join("/etc/smbcredentials", ask.user+".cred")
	}
	owner := &drive.User{UID: os.Getuid(), GID: os.Getgid()}
	if c != nil {
		if u, err := drive.OwnerOf(c.BaseDir); err == nil {
			owner = u
		}
	}
	if s.UID, s.GID = owner.UID, owner.GID; ask.owner >= 0 {
		s.UID, s.GID = ask.owner, ask.owner
	}
	if ask.group >= 0 {
		s.GID = ask.group
	}
	return nil
}

// showLine prints the line as data, and all else as talk.
func (a *app) showLine(made drive.Made, explain bool) error {
	if explain && !a.json {
		for _, o := range made.Options {
			fmt.Fprintf(a.Stderr, "# %-26s %s\n", o.Text, o.Why)
		}
	}
	for _, w := range made.Warnings {
		report(a.Stderr, "warning", w)
	}
	if a.json {
		text, err := json.MarshalIndent(struct {
			Line string `json:"line"`
			drive.Made
		}{made.Entry.Line(), made}, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(a.Stdout, "%s\n", text)
		return nil
	}
	fmt.Fprintln(a.Stdout, made.Entry.Line())
	return nil
}

// sayPlan tells what --apply would do.
func (a *app) sayPlan(ask *fstabAsk, c *config.Config) {
	if a.json || ask.share.Legacy {
		return
	}
	var steps []string
	if f := ask.share.Credentials; f != "" {
		steps = append(steps, "write user and key into "+f)
	}
	steps = append(steps, "write the line into "+ask.fstab, "mount "+ask.share.Point, "mark the drive")
	if c != nil {
		for _, d := range c.Preset.OnDrive {
			if d.Required {
				steps = append(steps, fmt.Sprintf("link %s to it", filepath.Join(c.BaseDir, d.Name)))
			}
		}
	}
	report(a.Stderr, "hint", "nothing was changed; --apply would "+strings.Join(steps, ", ")+"; --explain says why each option is there")
}

// applyFstab does it all, in the order in which a person would.
func (a *app) applyFstab(ctx context.Context, ask *fstabAsk, made drive.Made, c *config.Config) error {
	if os.Geteuid() != 0 {
		return &failure{code: exitFailed, err: errors.New("only root may write fstab and mount"), hint: "run it with sudo"}
	}
	say := func(format string, args ...any) { fmt.Fprintf(a.Stderr, "hotcold: "+format+"\n", args...) }
	if err := a.credentials(ctx, ask, say); err != nil {
		return err
	}
	mounts, err := drive.ReadMounts()
	if err != nil {
		return err
	}
	point := made.Entry.Point
	serving, _ := drive.Serving(mounts, point)
	mounted := serving.Point == point
	if !mounted {
		if err := drive.Protect(point); err != nil {
			return err
		}
		say("nothing can be written to %s while the drive is not mounted", point)
	}
	backup, err := drive.WriteFstab(ask.fstab, made.Entry, a.Clock.Now().Wall)
	switch {
	case err != nil:
		return err
	case backup != "":
		say("the line is in %s; as it was before: %s", ask.fstab, backup)
	default:
		say("the line is in %s", ask.fstab)
	}
	reloadUnits(ctx)
	if mounted {
		say("%s is mounted already: options that changed hold from the next mount on", point)
	} else if err := drive.MountPoint(ctx, ask.fstab, point); err != nil {
		return &failure{code: exitFailed, err: err, hint: drive.MountHint(ask.share, err) + "; the line stays, do it again when that is mended"}
	} else {
		say("%s is mounted", point)
	}
	return a.settleDrive(ctx, shared{path: point, conf: c}, ask.move, say)
}

// reloadUnits lets systemd know of the line; where there is no systemd nobody has to.
func reloadUnits(ctx context.Context) {
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		_ = exec.CommandContext(ctx, "systemctl", "daemon-reload").Run() // it reads the line at the next start in any case
	}
}

// settleDrive judges what was mounted, marks it and links the node to it, where it is certain that it has to be.
func (a *app) settleDrive(ctx context.Context, s shared, move bool, say func(string, ...any)) error {
	mounts, err := drive.ReadMounts()
	if err != nil {
		return err
	}
	for _, f := range drive.Judge(mounts, s.expect()) {
		if f.Level == drive.Fault || f.Level == drive.Warning {
			report(a.Stderr, "warning", f.String())
		}
		if f.Unfit() {
			return &failure{code: exitFailed, err: errors.New(f.Text), hint: f.Next}
		}
	}
	owner := s.user()
	if done, err := drive.Own(s.path, owner); err != nil {
		return err
	} else if done {
		say("%s belongs to user %d now", s.path, owner.UID)
	}
	if err := a.markDrive(s, say); err != nil {
		return err
	}
	return a.linkAll(ctx, s, linkAsk{move: move, certain: true}, say)
}

// credentials writes the file with the key of a share. One that is there stays, unless
// a key was given.
func (a *app) credentials(ctx context.Context, ask *fstabAsk, say func(string, ...any)) error {
	file := ask.share.Credentials
	if file == "" {
		return nil
	}
	_, statErr := os.Stat(file)
	key, err := a.shareKey(ctx, ask, statErr == nil)
	switch {
	case err != nil:
		return err
	case key.Empty() && statErr == nil:
		say("user and key stay as they are in %s", file)
		return nil
	}
	if err := drive.WriteCredentials(file, ask.user, key.Reveal()); err != nil {
		return err
	}
	say("user and key are in %s, for root alone", file)
	return nil
}

// shareKey is the key: from a file, the environment, or a person. It is empty where
// nobody says one and there is one already.
func (a *app) shareKey(ctx context.Context, ask *fstabAsk, there bool) (config.Secret, error) {
	if ask.keyFile != "" {
		text, err := os.ReadFile(ask.keyFile)
		if err != nil {
			return config.Secret{}, fmt.Errorf("read the key: %w", err)
		}
		line, _, _ := strings.Cut(string(text), "\n")
		if line = strings.TrimSpace(line); line == "" {
			return config.Secret{}, fmt.Errorf("the first line of %s is empty, want the key", ask.keyFile)
		}
		return config.NewSecret(line), nil
	}
	if key, ok := a.Lookup(keyVar); ok && key != "" {
		return config.NewSecret(key), nil
	}
	if there {
		return config.Secret{}, nil
	}
	if !terminal(a.Stdin) {
		return config.Secret{}, &failure{code: exitUsage, err: errors.New("the key is missing"), hint: "name a file with --key-file, or set " + keyVar}
	}
	return a.askKey(ctx, ask.user)
}

// askKey asks a person, without showing what is typed.
func (a *app) askKey(ctx context.Context, user string) (config.Secret, error) {
	fmt.Fprintf(a.Stderr, "key of %s: ", user)
	type answer struct {
		text []byte
		err  error
	}
	fd := int(a.Stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		line, err := bufio.NewReader(a.Stdin).ReadString('\n')
		return config.NewSecret(strings.TrimSpace(line)), err
	}
	done := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		done <- answer{text, err}
	}()
	select {
	case got := <-done:
		fmt.Fprintln(a.Stderr)
		return config.NewSecret(strings.TrimSpace(string(got.text))), got.err
	case <-ctx.Done():
		_ = term.Restore(fd, before) // what hangs ends with the process
		return config.Secret{}, context.Cause(ctx)
	}
}
