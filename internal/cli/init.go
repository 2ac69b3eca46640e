package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/internal/corda"
	"github.com/hotcold/hotcold/internal/drive"
)

// answers are what a new hotcold.conf is made of.
type answers struct {
	nodeConf, preset, cloud, database, drive, driveType, command, name string

	machines []string // NAME=ADDRESS
	service  bool
}

func (a *app) initCommand() *cobra.Command {
	var s answers
	var output string
	presets, clouds := []string{"corda", "artemis", "command"}, []string{"azure", "aws", "none"}
	c := &cobra.Command{
		Use: "init", Short: "write a first hotcold.conf", Args: noArgs, GroupID: "set",
		Long: `init writes a commented hotcold.conf beside an existing node.conf, or for any other
program. On a terminal it asks for what no flag says; otherwise it takes the
defaults. It never overwrites a file. The same file goes to both machines.`,
		Example: `  hotcold init
  hotcold init --node-conf node.conf --cloud azure --drive /mnt/corda
  hotcold init --drive /mnt/corda --drive-type nfs --service \
      --machine machine-a=10.0.1.4 --machine machine-b=10.0.2.4
  hotcold init --preset command --name orders --command /usr/bin/orders \
      --database postgres://db.example.com:5432/orders`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.fill(a, cmd, presets, clouds); err != nil {
				return err
			}
			dir, err := a.WorkDir()
			if err != nil {
				return err
			}
			s.nodeConf = included(dir, output, s.nodeConf)
			return a.writeFirst(cmd.Context(), output, s.text())
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "hotcold.conf", "the `file` to write")
	c.Flags().StringVar(&s.nodeConf, "node-conf", "", "the node's own `file` (default: node.conf, if it is there)")
	c.Flags().StringVar(&s.preset, "preset", "", "`kind` of node: corda, artemis or command")
	c.Flags().StringVar(&s.cloud, "cloud", "", "`where` the machines are: azure, aws or none")
	c.Flags().StringVar(&s.database, "database", "", "`URL` of the lease's database, without a password (default: the node's)")
	c.Flags().StringVar(&s.drive, "drive", "", "`directory` on which the shared drive is mounted")
	c.Flags().StringVar(&s.driveType, "drive-type", "", "`type` of what serves it: nfs, smb, glusterfs or any (default: as mounted, or as the cloud has it)")
	c.Flags().StringVar(&s.command, "command", "", "what starts the node, a `command` for /bin/sh")
	c.Flags().StringVar(&s.name, "name", "", "`name` of the pair (default: the node's legal name)")
	c.Flags().StringArrayVar(&s.machines, "machine", nil, "one of the pair, as `name=address`; once for each")
	c.Flags().BoolVar(&s.service, "service", false, "the agent runs as the service that render systemd writes")
	_ = c.RegisterFlagCompletionFunc("preset", cobra.FixedCompletions(presets, cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("cloud", cobra.FixedCompletions(clouds, cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("drive-type", cobra.FixedCompletions(driveTypes(), cobra.ShellCompDirectiveNoFileComp))
	_ = c.MarkFlagDirname("drive")
	_ = c.MarkFlagFilename("node-conf", "conf")
	return c
}

// fill asks for what no flag said, and checks what there is.
func (s *answers) fill(a *app, c *cobra.Command, presets, clouds []string) error {
	given := c.Flags().Changed
	q := &questions{in: bufio.NewReader(a.Stdin), out: a.Stderr, on: terminal(a.Stdin)}
	if _, err := os.Stat("node.conf"); err == nil && s.nodeConf == "" && (s.preset == "" || s.preset == "corda") {
		s.nodeConf = "node.conf"
	}
	q.ask(c.Context(), given("node-conf"), &s.nodeConf, "node.conf of the node (- for none)", s.nodeConf)
	if s.nodeConf == "-" {
		s.nodeConf = ""
	}
	kind := "command"
	if s.nodeConf != "" {
		kind = "corda"
	}
	q.ask(c.Context(), given("preset"), &s.preset, "kind of node: "+strings.Join(presets, ", "), kind)
	if s.preset != "corda" {
		q.ask(c.Context(), given("name"), &s.name, "name of the pair", "")
		q.ask(c.Context(), given("database"), &s.database, "URL of a PostgreSQL for the lease, without a password", "")
	}
	if s.preset == "command" {
		q.ask(c.Context(), given("command"), &s.command, "what starts the node", "")
	}
	q.ask(c.Context(), given("cloud"), &s.cloud, "where the machines are: "+strings.Join(clouds, ", "), "none")
	q.ask(c.Context(), given("drive"), &s.drive, "directory of the shared drive (empty for none)", "")
	if s.drive != "" {
		q.ask(c.Context(), given("drive-type"), &s.driveType, "what serves the shared drive: "+strings.Join(driveTypes(), ", "), servedBy(s.drive, s.cloud))
	}
	switch {
	case q.err != nil:
		return q.err
	case s.drive == "" && s.driveType != "":
		return usage("--drive-type is %s, and no directory of a drive is named: add --drive", s.driveType)
	case s.drive != "" && !slices.Contains(driveTypes(), s.driveType):
		return usage("the type of the drive is %q, want one of %s", s.driveType, strings.Join(driveTypes(), ", "))
	case !slices.Contains(presets, s.preset):
		return usage("the preset is %q, want one of %s", s.preset, strings.Join(presets, ", "))
	case !slices.Contains(clouds, s.cloud):
		return usage("the cloud is %q, want one of %s", s.cloud, strings.Join(clouds, ", "))
	case s.preset == "command" && s.command == "":
		return usage("the preset command needs --command, what starts the node")
	case s.preset != "corda" && s.name == "":
		return usage("the preset %s needs --name, a name for the pair", s.preset)
	case s.preset != "corda" && s.database == "":
		return usage("the preset %s needs --database, as in postgres://host:5432/database", s.preset)
	case s.preset == "corda" && s.nodeConf == "":
		return usage("the preset corda needs --node-conf, the node's own file")
	}
	return s.checkMachines()
}

// checkMachines wants a name and an address of each machine. What else is wrong with them the configuration says.
func (s *answers) checkMachines() error {
	var names []string
	for _, m := range s.machines {
		name, address, _ := strings.Cut(m, "=")
		switch {
		case name == "" || address == "":
			return usage("--machine is %q, want a name and an address, as in machine-a=10.0.1.4", m)
		case slices.Contains(names, name):
			return usage("--machine names %s twice", name)
		}
		names = append(names, name)
	}
	return nil
}

// driveTypes are the answers to what serves the shared drive.
func driveTypes() []string {
	return []string{string(drive.NFS), string(drive.SMB), string(drive.GlusterFS), string(drive.Any)}
}

// servedBy is what serves a drive as far as can be seen: what is mounted there, or else
// what the cloud is known for.
func servedBy(path, cloud string) string {
	if mounts, err := drive.ReadMounts(); err == nil { // without it nothing is known
		if m, ok := drive.Serving(mounts, path); ok && slices.Contains(driveTypes(), string(m.Kind())) {
			return string(m.Kind())
		}
	}
	switch cloud {
	case "azure":
		return string(drive.SMB)
	case "aws":
		return string(drive.NFS)
	}
	return string(drive.Any)
}

// included is the name of node.conf as hotcold.conf has to include it: relative to where that is.
func included(dir, output, nodeConf string) string {
	if nodeConf == "" || filepath.IsAbs(nodeConf) {
		return nodeConf
	}
	if !filepath.IsAbs(output) {
		output = filepath.Join(dir, output)
	}
	if name, err := filepath.Rel(filepath.Dir(output), filepath.Join(dir, nodeConf)); err == nil {
		return name
	}
	return filepath.Join(dir, nodeConf)
}

// questions asks a person, where there is one.
type questions struct {
	in  *bufio.Reader
	out io.Writer
	on  bool
	err error
}

// ask takes an answer, or the default where nobody is there or nothing was answered.
func (q *questions) ask(ctx context.Context, given bool, answer *string, question, otherwise string) {
	if given || q.err != nil {
		return
	}
	*answer = otherwise
	if !q.on {
		return
	}
	fmt.Fprintf(q.out, "%s [%s]: ", question, otherwise)
	line, err := q.line(ctx)
	if err != nil {
		q.err = fmt.Errorf("read the answer: %w", err)
		return
	}
	if line = strings.TrimSpace(line); line != "" {
		*answer = line
	}
}

// line reads a line, or gives up with the context, so that Ctrl-C works. What hangs ends with the process.
func (q *questions) line(ctx context.Context) (string, error) {
	type answer struct {
		text string
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		text, err := q.in.ReadString('\n')
		done <- answer{text, err}
	}()
	select {
	case a := <-done:
		return a.text, a.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// text is the file.
func (s answers) text() string {
	var b strings.Builder
	b.WriteString("# Settings of hotcold, the same file on both machines. `hotcold config explain PATH` says what each one\n# means, `hotcold config lint` what is wrong.\n")
	if s.nodeConf != "" {
		fmt.Fprintf(&b, "include %s\n", corda.Quote(s.nodeConf))
	}
	fmt.Fprintf(&b, "\nhotcold {\n    preset = %s\n", s.preset)
	if s.name != "" {
		fmt.Fprintf(&b, "\n    # Name of the pair: the same on both machines, and no other pair in the database has it.\n    name = %s\n", corda.Quote(s.name))
	}
	b.WriteString(s.machinesText())
	if s.service {
		b.WriteString("\n    # Where the agent has its lock and its socket: the directory that its unit makes for it.\n    runtimeDir = \"/run/hotcold\"\n")
	}
	b.WriteString(`
    # The lease. A dead machine is replaced after about waitInterval and a little more, plus the node's own start.
    # Both machines must have the same numbers; a number without a unit is milliseconds.
    mutualExclusion {
        on = true
        updateInterval = 2000
        waitInterval = 10000
        # Unique in the pair; the default is the host name.
        # machineName = "machine-a"
    }
`)
	b.WriteString(s.databaseText())
	if s.command != "" {
		fmt.Fprintf(&b, "\n    # What starts the node. It must stay in the foreground.\n    node.command = %s\n", corda.Quote("exec "+strings.TrimPrefix(s.command, "exec ")))
	}
	if s.drive != "" {
		b.WriteString(s.driveText())
	}
	b.WriteString(s.listenText())
	b.WriteString("}\n")
	return b.String()
}

func (s answers) machinesText() string {
	if len(s.machines) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n    # The machines of the pair, each by its host name.\n    machines {\n")
	for _, m := range s.machines {
		name, address, _ := strings.Cut(m, "=")
		fmt.Fprintf(&b, "        %s.address = %s\n", corda.Quote(name), corda.Quote(address))
	}
	b.WriteString("    }\n")
	return b.String()
}

func (s answers) databaseText() string {
	if s.database == "" {
		return "\n    # The lease is kept in the node's own database (dataSourceProperties), if that is PostgreSQL. Another one:\n" +
			"    # database { url = \"postgres://db.example.com:5432/hotcold\", user = hotcold, passwordFile = \"/etc/hotcold/password\" }\n"
	}
	return fmt.Sprintf("\n    # Where the lease is kept. The password is in a file that only the agent's user may read.\n    database {\n        url = %s\n        # user = hotcold\n        # passwordFile = \"/etc/hotcold/password\"\n    }\n", corda.Quote(s.database))
}

func (s answers) driveText() string {
	return fmt.Sprintf(`
    # The drive that both machines mount.%s
    drive {
        path = %s
        # What has to serve it: nfs (EFS is one), smb (Azure Files is one) or glusterfs. A machine where anything else is
        # there, an empty mount point for example, does not take over. With any a local folder will do: for a trial only.
        type = %s
    }
`, s.driveAdvice(), corda.Quote(s.drive), s.driveType)
}

func (s answers) driveAdvice() string {
	switch s.cloud {
	case "azure":
		return " Azure Files: with `Secure transfer` it takes SMB 3.0 or\n    # newer only; keep the account's key in a file of mode 0600, not in fstab."
	case "aws":
		return " EFS: mount it with NFS 4.1 and `hard`, by its\n    # mount target in the machine's own availability zone."
	}
	return ""
}

func (s answers) listenText() string {
	who := "A balancer"
	switch s.cloud {
	case "azure":
		who = "Azure's balancer (its probes come from 168.63.129.16)"
	case "aws":
		who = "AWS's balancer"
	}
	return "\n    # " + who + " asks /hot of each agent. From another machine that wants TLS and a proof of the caller:\n" +
		"    # listen { address = \"0.0.0.0:4653\", tls { certificate = \"agent.pem\", key = \"agent.key\", clientCA = \"ca.pem\" } }\n"
}

// writeFirst writes a file that was not there, and says what would be wrong with it.
func (a *app) writeFirst(ctx context.Context, path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &failure{code: exitFailed, err: fmt.Errorf("%s is there, and is not overwritten", path), hint: "name another file with --output, or move it away"}
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(path)))
	}
	fmt.Fprintf(a.Stderr, "%s is written\n", path)
	found, err := a.lintFile(ctx, []string{path}, corda.AnyEdition)
	if err != nil {
		return err
	}
	for _, f := range found {
		if f.Severity == corda.Error {
			report(a.Stderr, "warning", f.String())
		}
	}
	report(a.Stderr, "hint", "`hotcold config lint` and `hotcold check` say what is still missing")
	return nil
}
