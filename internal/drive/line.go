package drive

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// Service is who keeps the drive.
type Service string

// The services that a line can be made for.
const (
	AzureFiles Service = "azure"
	EFS        Service = "efs"
	NFSServer  Service = "nfs"
	SMBServer  Service = "smb"
)

// Share says which drive is to be mounted where.
type Share struct {
	Service Service
	// Account and Name are Azure's storage account and the file share in it; Name is
	// also the share of an SMB server.
	Account, Name string
	// FileSystem and Region are EFS's: "fs-0123456789abcdef0", "eu-west-1".
	FileSystem, Region string
	// Server is the host of an NFS or SMB server, or of EFS where it has another name.
	Server string
	// Export is the directory of an NFS server.
	Export string
	// Point is where it is mounted.
	Point string
	// UID and GID own all files of an SMB share, which has no owners of its own.
	UID, GID int
	// Version is the protocol's; empty: 3.1.1 for SMB, 4.1 for NFS.
	Version string
	// Credentials is the file with user and password of an SMB share.
	Credentials string
	// Helper mounts EFS with amazon-efs-utils, which encrypts on the way.
	Helper bool
	// Legacy is the line of the guide from 2018, for comparison.
	Legacy bool
}

// Option is one option of a line, with the reason for it.
type Option struct {
	Text string `json:"option"`
	Why  string `json:"why"`
}

// Made is a line with its reasons.
type Made struct {
	Entry    Entry    `json:"-"`
	Options  []Option `json:"options"`
	Warnings []string `json:"warnings,omitempty"`
}

var (
	accountName = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
	shareName   = regexp.MustCompile(`^[^/\\:*?"<>|,\s]{1,80}$`)
	fileSystem  = regexp.MustCompile(`^fs-[0-9a-f]{8,40}$`)
	regionName  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	hostName    = regexp.MustCompile(`^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)$`)
)

// Make checks what was said and makes the line.
func (s Share) Make() (Made, error) {
	if !filepath.IsAbs(s.Point) || filepath.Clean(s.Point) == "/" {
		return Made{}, fmt.Errorf("the mount point is %q, want an absolute path, as in /mnt/corda", s.Point)
	}
	s.Point = filepath.Clean(s.Point)
	if err := s.check(); err != nil {
		return Made{}, err
	}
	switch {
	case s.Service == AzureFiles && s.Legacy:
		return s.legacyAzure(), nil
	case s.Service == AzureFiles, s.Service == SMBServer:
		return s.smb(), nil
	case s.Legacy:
		return s.nfs(legacyNFS()), nil
	case s.Helper:
		return s.efsHelper(), nil
	}
	return s.nfs(s.nfsOptions()), nil
}

func (s Share) check() error {
	want := func(what, got, form string, re *regexp.Regexp) error {
		if re.MatchString(got) {
			return nil
		}
		return fmt.Errorf("%s is %q, want %s", what, got, form)
	}
	first := func(errs ...error) error {
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	}
	share := want("the share", s.Name, "the name of a share, without slashes", shareName)
	server := want("the server", s.Server, "a host name or an address", hostName)
	switch s.Service {
	case AzureFiles:
		account := want("the storage account", s.Account, "3 to 24 small letters and digits", accountName)
		if s.Server != "" { // a private endpoint, or another cloud
			return first(account, share, server, s.smbVersion())
		}
		return first(account, share, s.smbVersion())
	case SMBServer:
		return first(server, share, s.smbVersion())
	case EFS:
		if s.Server != "" {
			return first(server, s.nfsVersion())
		}
		region := error(nil)
		if !s.Helper {
			region = want("the region", s.Region, "one like eu-west-1", regionName)
		}
		return first(want("the file system", s.FileSystem, "one like fs-0123456789abcdef0", fileSystem), region, s.nfsVersion())
	case NFSServer:
		if !strings.HasPrefix(s.Export, "/") || strings.ContainsAny(s.Export, "\n\t") {
			return fmt.Errorf("the export is %q, want a directory of the server, as in /srv/corda", s.Export)
		}
		return first(server, s.nfsVersion())
	}
	return fmt.Errorf("there is no service %q", s.Service)
}

func (s Share) smbVersion() error {
	switch s.Version {
	case "", "3.0", "3.0.2", "3.1.1":
		return nil
	case "2.1", "2.0", "1.0":
		if s.Legacy {
			return nil
		}
		return fmt.Errorf("SMB %s does not encrypt, and Azure refuses it where `Secure transfer` is on: want 3.1.1, or 3.0 on a kernel before 4.17; --legacy shows the guide's own line", s.Version)
	}
	return fmt.Errorf("the version of SMB is %q, want 3.1.1 or 3.0", s.Version)
}

func (s Share) nfsVersion() error {
	switch s.Version {
	case "", "4.1", "4.2":
		return nil
	}
	return fmt.Errorf("the version of NFS is %q, want 4.1 (or 4.2 where the server has it): older ones do not give up a dead machine's locks, or do requests twice", s.Version)
}

// source is what is mounted.
func (s Share) source() string {
	switch s.Service {
	case AzureFiles:
		host := s.Server
		if host == "" {
			host = s.Account + ".file.core.windows.net"
		}
		return "//" + host + "/" + s.Name
	case SMBServer:
		return "//" + s.Server + "/" + s.Name
	case EFS:
		if s.Server != "" {
			return s.Server + ":/"
		}
		return s.FileSystem + ".efs." + s.Region + ".amazonaws.com:/"
	}
	return s.Server + ":" + filepath.Clean(s.Export)
}

func (s Share) made(kind string, options []Option, warnings ...string) Made {
	m := Made{Options: options, Warnings: warnings, Entry: Entry{Source: s.source(), Point: s.Point, Type: kind}}
	for _, o := range options {
		m.Entry.Options = append(m.Entry.Options, o.Text)
	}
	return m
}

// smb is today's line for Azure Files and any other SMB server.
func (s Share) smb() Made {
	version := s.Version
	if version == "" {
		version = "3.1.1"
	}
	options := []Option{
		{"_netdev", "the machine mounts it once it has a network, and does not hang at its start"},
		{"nofail", "the machine starts also without the drive; the agent is not ready then, and says so"},
		{"vers=" + version, "encrypts, as `Secure transfer` asks; 3.0 for a kernel before 4.17, and never 2.1"},
		{"credentials=" + s.Credentials, "user and password in a file of mode 0600: /etc/fstab is for all to read"},
		{fmt.Sprintf("uid=%d", s.UID), "a share has no owners: all of it belongs to the node's user"},
		{fmt.Sprintf("gid=%d", s.GID), "and to its group"},
		{"dir_mode=0700", "nobody else on this machine has business in a journal"},
		{"file_mode=0600", "nor in its files"},
		{"serverino", "numbers of files come from the server, so that both machines know a file by the same one"},
		{"nosharesock", "a connection of its own: another share that hangs does not hold this one up"},
		{"nolease", "locks and writes go to the server at once; else the client keeps them to itself until somebody else comes, and a machine that freezes loses them unnoticed"},
		{"actimeo=1", "a change of the other machine is seen after a second; the often seen 30 hides it for half a minute"},
		{"mfsymlinks", "symbolic links can be made on the share"},
	}
	return s.made("cifs", options)
}

// nfsOptions is today's line: AWS's own, and right for any server of NFS 4.1.
func (s Share) nfsOptions() []Option {
	version := s.Version
	if version == "" {
		version = "4.1"
	}
	return []Option{
		{"_netdev", "the machine mounts it once it has a network, and does not hang at its start"},
		{"nofail", "the machine starts also without the drive; the agent is not ready then, and says so"},
		{"nfsvers=" + version, "locks are a part of it and end with the lease of a machine that died; 3 never gives them up"},
		{"rsize=1048576", "reads of up to 1 MiB in one request"},
		{"wsize=1048576", "and writes"},
		{"hard", "a slow server delays a write and never fails one that the node takes for done; the agent watches for a drive that hangs"},
		{"timeo=600", "a minute until a request is sent again"},
		{"retrans=2", "twice until the log speaks of a server that does not answer"},
		{"noresvport", "after a break the client may come back from another port, which EFS and firewalls want"},
	}
}

// legacyNFS is what the guide has.
func legacyNFS() []Option {
	var options []Option
	for _, o := range []string{"nfsvers=4.1", "rsize=1048576", "wsize=1048576", "hard", "timeo=600", "retrans=2", "_netdev", "noresvport"} {
		options = append(options, Option{o, "as the guide has it"})
	}
	return options
}

func (s Share) nfs(options []Option) Made {
	var warnings []string
	if s.Service == EFS {
		warnings = append(warnings, "nothing encrypts what crosses the network: --tls does, with amazon-efs-utils on the machine")
	}
	if s.Legacy {
		warnings = append(warnings, "without nofail a machine whose drive is away waits for it at its start")
	}
	return s.made("nfs4", options, warnings...)
}

// efsHelper leaves the options of NFS to mount.efs, which fills in the same ones.
func (s Share) efsHelper() Made {
	m := s.made("efs", []Option{
		{"_netdev", "the machine mounts it once it has a network, and does not hang at its start"},
		{"nofail", "the machine starts also without the drive; the agent is not ready then, and says so"},
		{"noresvport", "after a break the client may come back from another port"},
		{"tls", "encrypts what crosses the network; amazon-efs-utils does it, and fills in NFS 4.1, hard and the rest"},
	}, "mountinfo then shows nfs4 from 127.0.0.1:/, where the helper listens: leave hotcold.drive.source out")
	if s.Server == "" {
		m.Entry.Source = s.FileSystem + ":/"
	}
	return m
}

// legacyAzure is the guide's own line, with what is wrong with it.
func (s Share) legacyAzure() Made {
	var options []Option
	for _, o := range []string{"vers=2.1", "username=" + s.Account, "password=<storage-account-key>", "dir_mode=0700", "file_mode=0700", "serverino"} {
		options = append(options, Option{o, "as the guide has it"})
	}
	return s.made("cifs", options,
		"the guide contradicts itself: vers=2.1 does not encrypt, and with `Secure transfer` on Azure takes SMB 3.0 or newer only",
		"the account's key stands in /etc/fstab, which everybody on the machine may read",
		"without uid and gid all files belong to root, and the node can run as root only",
		"without nolease the server hears of locks late; without _netdev the machine may hang at its start")
}
