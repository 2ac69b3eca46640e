package cloudinit_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/hotcold/hotcold/internal/cloud/cloudinit"
	"github.com/hotcold/hotcold/internal/cloud/systemd"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/testserver"
)

func machine() cloudinit.Machine {
	return cloudinit.Machine{
		Name: "machine-a", Address: "10.0.1.4", Directory: "/opt/corda", Conf: "hotcold { name = \"it's: one\" }\n",
		Packages: []string{"nfs-common"}, Mount: "/mnt/corda", Line: "fs-1.efs.eu-west-1.amazonaws.com:/ /mnt/corda nfs4 _netdev 0 0",
		Owned: true, MountNow: true, Link: "artemis",
		Binary: config.CloudBinary{URL: "https://example.com/hotcold", SHA256: strings.Repeat("AB", 32)},
		Agent:  systemd.Agent{Config: "/opt/corda/hotcold.conf", Mount: "/mnt/corda", Stop: time.Minute, Fence: 3 * time.Second},
	}
}

// userData is what cloud-init reads.
type userData struct {
	Hostname string
	Packages []string
	Files    []struct{ Path, Owner, Permissions, Content string } `yaml:"write_files"`
	Run      [][]string                                           `yaml:"runcmd"`
}

func (u userData) file(t *testing.T, path string) string {
	t.Helper()
	for _, f := range u.Files {
		if f.Path == path {
			return f.Content
		}
	}
	t.Fatalf("there is no file %s", path)
	return ""
}

func read(t *testing.T, m cloudinit.Machine) userData {
	t.Helper()
	f, err := m.File()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(f.Text, "#cloud-config\n") {
		t.Error("cloud-init would not take it for its own")
	}
	var u userData
	if err := yaml.Unmarshal([]byte(f.Text), &u); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestAMachineIsToldWhoItIsAndNoSecret(t *testing.T) {
	u := read(t, machine())
	if u.Hostname != "machine-a" || !slices.Equal(u.Packages, []string{"nfs-common"}) {
		t.Errorf("it is %s, with the packages %v", u.Hostname, u.Packages)
	}
	if got := u.file(t, "/opt/corda/hotcold.conf"); got != machine().Conf {
		t.Errorf("its configuration is %q", got)
	}
	if got := u.file(t, "/etc/hotcold/environment"); !strings.HasSuffix(got, "\nNODE_MACHINE_ADDRESS=10.0.1.4\n") {
		t.Errorf("its environment is %q", got)
	}
	if got := u.file(t, "/etc/systemd/system/hotcold.service"); !strings.Contains(got, "\nTimeoutStopSec=78\n") {
		t.Errorf("its unit is\n%s", got)
	}
	last := u.Run[len(u.Run)-1]
	if !slices.Equal(last, []string{"systemctl", "enable", "hotcold.service"}) || slices.ContainsFunc(u.Run, func(c []string) bool { return slices.Contains(c, "start") }) {
		t.Errorf("the agent is to be enabled and not started; it runs %q", u.Run)
	}
}

func TestADriveThatNeedsAKeyIsNotMountedAtTheFirstBoot(t *testing.T) {
	mounts := func(m cloudinit.Machine) bool {
		return slices.ContainsFunc(read(t, m).Run, func(c []string) bool { return c[0] == "/usr/local/sbin/hotcold-drive" })
	}
	m := machine()
	if !mounts(m) {
		t.Error("a drive without a key is not mounted")
	}
	m.MountNow = false
	if mounts(m) {
		t.Error("a drive that needs a key is mounted")
	}
	m.Line = ""
	if u := read(t, m); slices.ContainsFunc(u.Run, func(c []string) bool { return strings.Contains(strings.Join(c, " "), "fstab") }) {
		t.Error("a drive that is not known yet is in fstab")
	}
}

// The commands that go through a shell do what they say, and nothing twice.
func TestTheLineComesIntoFstabOnce(t *testing.T) {
	fstab := filepath.Join(t.TempDir(), "fstab")
	for range 2 {
		for _, c := range read(t, machine()).Run {
			if line := strings.Join(c, " "); strings.Contains(line, "/etc/fstab") {
				out, err := exec.CommandContext(t.Context(), c[0], c[1], strings.ReplaceAll(c[2], "/etc/fstab", fstab)).CombinedOutput()
				if err != nil {
					t.Fatalf("%s: %v: %s", line, err, out)
				}
			}
		}
	}
	if got, err := os.ReadFile(fstab); err != nil || string(got) != machine().Line+"\n" {
		t.Errorf("fstab has %q, %v", got, err)
	}
}

func TestAProgramOfAnotherDigestIsNotInstalled(t *testing.T) {
	dir := t.TempDir()
	const program = "/usr/local/bin/hotcold"
	here := filepath.Join(dir, "hotcold")
	if err := os.WriteFile(here+".new", []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	install := func(digest string) error {
		m := machine()
		m.Binary.SHA256 = digest
		for _, c := range read(t, m).Run {
			if len(c) == 3 && strings.Contains(c[2], "sha256sum") {
				return exec.CommandContext(t.Context(), c[0], c[1], strings.ReplaceAll(c[2], program, here)).Run()
			}
		}
		t.Fatal("nothing compares the program's digest")
		return nil
	}
	if err := install(strings.Repeat("0", 64)); err == nil {
		t.Error("a program of another digest was installed")
	}
	if _, err := os.Stat(here); err == nil {
		t.Error("a program of another digest lies there")
	}
	if err := install("A8076D3D28D21E02012B20EAF7DBF75409A6277134439025F282E368E3305ABF"); err != nil {
		t.Errorf("the right program is not installed: %v", err)
	}
}

// The script runs for real, on folders of its own, with a mount that is there already.
func TestTheDriveIsLinkedOnceAndHidesNothing(t *testing.T) {
	testserver.Program(t, "bash")
	dir := t.TempDir()
	mount, node := filepath.Join(dir, "mnt"), filepath.Join(dir, "node")
	for _, d := range []string{mount, node} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m := machine()
	m.Mount, m.Directory, m.Owned = mount, node, false
	script := read(t, m).file(t, "/usr/local/sbin/hotcold-drive")
	script = strings.NewReplacer("-o hotcold -g hotcold ", "", "! mountpoint -q", "false &&").Replace(script)
	run := func() (string, error) {
		c := exec.CommandContext(t.Context(), "bash")
		c.Stdin = strings.NewReader(script)
		var out bytes.Buffer
		c.Stdout, c.Stderr = &out, &out
		err := c.Run()
		return out.String(), err
	}
	for range 2 {
		if out, err := run(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if to, err := os.Readlink(filepath.Join(node, "artemis")); err != nil || to != filepath.Join(mount, "artemis") {
		t.Errorf("artemis leads to %s, %v", to, err)
	}
	if err := os.Remove(filepath.Join(node, "artemis")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(node, "artemis"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := run(); err == nil || !strings.Contains(out, "is a directory of this machine") {
		t.Errorf("a directory of the machine's own was hidden: %v, %s", err, out)
	}
}

func TestTheScriptOfTheDriveIsClean(t *testing.T) {
	program := testserver.Program(t, "shellcheck")
	c := exec.CommandContext(t.Context(), program, "-")
	c.Stdin = strings.NewReader(read(t, machine()).file(t, "/usr/local/sbin/hotcold-drive"))
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("shellcheck: %v:\n%s", err, out)
	}
}
