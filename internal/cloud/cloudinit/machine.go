package cloudinit

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hotcold/hotcold/internal/cloud"
	"github.com/hotcold/hotcold/internal/cloud/systemd"
	"github.com/hotcold/hotcold/internal/config"
)

// Machine is what one machine is told.
type Machine struct {
	// Name is its host name, Address its private address.
	Name, Address string
	// Directory is the node's base directory, Conf what hotcold.conf there says.
	Directory, Conf string
	// Packages are what the distribution has to bring, Debian's names.
	Packages []string
	// Mount is where the drive is mounted, Line its line of fstab; empty as long as the drive is not known.
	Mount, Line string
	// Owned says whether the drive's root has to be given to the node's user: one that is mounted by NFS.
	Owned bool
	// MountNow says whether it can be mounted at the first boot, without a key that somebody has to bring.
	MountNow bool
	// Link is the directory of the node that is to lie on the drive, "artemis"; empty for none.
	Link string
	// Binary is where the program is fetched from; the zero value where the image has it.
	Binary config.CloudBinary
	// Agent is the agent's unit.
	Agent systemd.Agent
}

// The user of node and agent. Its number is the same on both machines, since files on an NFS drive have numbers.
const (
	user = "hotcold"
	// UID is the user's number, and that of its group.
	UID = 4653
)

// Where things lie on a machine.
const (
	program     = "/usr/local/bin/hotcold"
	driveScript = "/usr/local/sbin/hotcold-drive"
)

type document struct {
	Hostname string    `yaml:"hostname"`
	Update   bool      `yaml:"package_update"`
	Packages []string  `yaml:"packages,omitempty"`
	Users    []any     `yaml:"users"`
	Files    []written `yaml:"write_files"`
	Run      []command `yaml:"runcmd"`
}

type account struct {
	Name   string `yaml:"name"`
	UID    string `yaml:"uid"`
	Home   string `yaml:"homedir"`
	Shell  string `yaml:"shell"`
	System bool   `yaml:"system"`
}

type written struct {
	Path  string `yaml:"path"`
	Owner string `yaml:"owner"`
	Mode  string `yaml:"permissions"`
	// Defer writes it once the user is there.
	Defer   bool   `yaml:"defer"`
	Content string `yaml:"content"`
}

// command is a program with its arguments, written in one line.
type command []string

// MarshalYAML writes the command as [a, b].
func (c command) MarshalYAML() (any, error) {
	var n yaml.Node
	if err := n.Encode([]string(c)); err != nil {
		return nil, err
	}
	n.Style = yaml.FlowStyle
	return &n, nil
}

// File writes the machine's user data.
func (m Machine) File() (cloud.File, error) {
	agent, err := m.Agent.Unit()
	if err != nil {
		return cloud.File{}, err
	}
	d := document{
		Hostname: m.Name, Update: true, Packages: m.Packages,
		Users: []any{"default", account{user, strconv.Itoa(UID), m.Directory, "/usr/sbin/nologin", true}},
		Files: []written{
			{m.Directory + "/hotcold.conf", user + ":" + user, "0640", true, m.Conf},
			{"/etc/hotcold/environment", "root:root", "0600", true, m.environment()},
			{"/etc/systemd/system/" + systemd.AgentUnit, "root:root", "0644", true, agent.Text},
		},
		Run: m.commands(),
	}
	if m.Line != "" {
		d.Files = append(d.Files, written{driveScript, "root:root", "0755", true, m.script()})
	}
	var text bytes.Buffer
	text.WriteString("#cloud-config\n# The machine " + m.Name + " of the pair, written by `hotcold render`. It holds no secret.\n")
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(d); err != nil {
		return cloud.File{}, fmt.Errorf("write the machine %s as YAML: %w", m.Name, err)
	}
	return cloud.File{Name: "cloud-init-" + m.Name + ".yaml", Mode: 0o644, Text: text.String()}, nil
}

// environment begins the file of variables: what is known, and no secret.
func (m Machine) environment() string {
	return "# Values of ${NAME} in hotcold.conf and node.conf, NAME=value, one a line. Mode 0600: secrets stand here.\n" +
		"NODE_MACHINE_ADDRESS=" + m.Address + "\n"
}

// commands are what is run at the end of the first boot. cloud-init mounts by itself before it installs packages, so the
// drive is mounted here.
func (m Machine) commands() []command {
	var all []command
	if b := m.Binary; b.URL != "" {
		all = append(all,
			command{"curl", "--fail", "--silent", "--show-error", "--location", "--output", program + ".new", b.URL},
			command{"sh", "-c", fmt.Sprintf("echo '%s  %s.new' | sha256sum --check --quiet && install -m 0755 %s.new %s", strings.ToLower(b.SHA256), program, program, program)},
			command{"rm", "-f", program + ".new"},
		)
	}
	all = append(all, command{"install", "-d", "-o", user, "-g", user, "-m", "0750", m.Directory})
	if m.Line != "" {
		all = append(all, command{"sh", "-c", fmt.Sprintf("grep -qs ' %s ' /etc/fstab || echo '%s' >>/etc/fstab", m.Mount, m.Line)})
		if m.MountNow {
			all = append(all, command{driveScript})
		}
	}
	return append(all, command{"systemctl", "daemon-reload"}, command{"systemctl", "enable", systemd.AgentUnit})
}

// script mounts the drive. A mount point without a drive can be written to by nobody, so that no node ever writes
// beneath a drive that is not there.
func (m Machine) script() string {
	s := cloud.NewScript("Mounts the drive that both machines share, and links the node to it. Safe to run again.")
	s.Line("", "if ! mountpoint -q "+m.Mount+"; then", "  install -d -m 0000 "+m.Mount, "  mount "+m.Mount, "fi")
	if m.Owned {
		s.Line("chown "+user+":"+user+" "+m.Mount, "chmod 0700 "+m.Mount)
	}
	if m.Link != "" {
		here, there := m.Directory+"/"+m.Link, m.Mount+"/"+m.Link
		s.Line(
			"install -d -o "+user+" -g "+user+" -m 0700 "+there,
			"if [[ -d "+here+" && ! -L "+here+" ]]; then",
			"  echo '"+here+" is a directory of this machine: move what is in it to "+there+" and remove it, then run this again' >&2",
			"  exit 1",
			"fi",
			"ln -sfn "+there+" "+here)
	}
	return s.String()
}
