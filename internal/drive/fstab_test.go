package drive

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const someFstab = "# /etc/fstab: static file system information.\nUUID=0a1b /\text4   errors=remount-ro 0       1\n\n  # a comment with blanks before it\nLABEL=swap none swap sw 0 0\nsrv:/old\\040one /mnt/with\\040blank nfs4 _netdev 0 0\n"

func entryAt(t *testing.T, text, point string) Entry {
	t.Helper()
	e, ok := ParseFstab(text).At(point)
	if !ok {
		t.Fatalf("nothing at %s", point)
	}
	return e
}

func TestFstabKeepsEverythingElseByteForByte(t *testing.T) {
	e := Entry{Source: "srv:/x", Point: "/mnt/corda", Type: "nfs4", Options: []string{"_netdev", "hard"}}
	with, replaced, changed, err := ParseFstab(someFstab).With(e)
	if err != nil || !changed || replaced != "" {
		t.Fatal(replaced, changed, err)
	}
	if want := someFstab + "srv:/x /mnt/corda nfs4 _netdev,hard 0 0\n"; with.String() != want {
		t.Errorf("got %q", with)
	}
	if again, _, changed, err := with.With(e); err != nil || changed || again.String() != with.String() {
		t.Errorf("a second time changed it: %v, %v", changed, err)
	}
	e.Options = append(e.Options, "nofail")
	other, replaced, _, err := with.With(e)
	if err != nil || replaced != "srv:/x /mnt/corda nfs4 _netdev,hard 0 0" || other.String() != someFstab+"srv:/x /mnt/corda nfs4 _netdev,hard,nofail 0 0\n" {
		t.Errorf("replaced %q, %v, got %q", replaced, err, other)
	}
}

func TestFstabWithoutALineEndGetsOne(t *testing.T) {
	with, _, _, err := ParseFstab("a /b ext4 x 0 0").With(Entry{Source: "s:/", Point: "/c", Type: "nfs4"})
	if err != nil || with.String() != "a /b ext4 x 0 0\ns:/ /c nfs4 defaults 0 0\n" {
		t.Errorf("got %q, %v", with, err)
	}
}

func TestBlanksGoThroughFstabAndBack(t *testing.T) {
	e := entryAt(t, someFstab, "/mnt/with blank")
	if e.Source != "srv:/old one" {
		t.Errorf("source %q", e.Source)
	}
	if line := e.Line(); line != `srv:/old\040one /mnt/with\040blank nfs4 _netdev 0 0` {
		t.Errorf("line %q", line)
	}
}

func TestTwoLinesForOneMountPointAreForAPerson(t *testing.T) {
	_, _, _, err := ParseFstab("a /m nfs4 x 0 0\nb /m/ nfs4 x 0 0\n").With(Entry{Source: "c", Point: "/m", Type: "nfs4"})
	if err == nil || !strings.Contains(err.Error(), "line 1 and line 2") {
		t.Errorf("got %v", err)
	}
}

func TestWritingFstabKeepsACopyAndItsRights(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "fstab")
	if err := os.WriteFile(path, []byte(someFstab), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	e := Entry{Source: "srv:/x", Point: "/mnt/corda", Type: "nfs4"}
	now := time.Date(2026, 3, 2, 3, 4, 5, 0, time.UTC)
	backup, err := WriteFstab(filepath.Join(dir, "link"), e, now)
	if err != nil || backup != path+".before-hotcold-20260302-030405" {
		t.Fatal(backup, err)
	}
	if text, err := os.ReadFile(backup); err != nil || string(text) != someFstab {
		t.Errorf("the copy is %q, %v", text, err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if info, err := os.Lstat(filepath.Join(dir, "link")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced by a file")
	}
	if backup, err = WriteFstab(path, e, now.Add(time.Hour)); err != nil || backup != "" {
		t.Errorf("a second time wrote %q, %v", backup, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".hotcold-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestCredentialsAreForRootAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "smb", "account.cred")
	for range 2 {
		if err := WriteCredentials(path, "account", "se=cret/+"); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "username=account\npassword=se=cret/+\n" {
		t.Errorf("got %q, %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := WriteCredentials(path, "account", "two\nlines"); err == nil || strings.Contains(err.Error(), "two") {
		t.Errorf("got %v", err)
	}
}

func TestEachWrongLineOfFstabIsFound(t *testing.T) {
	const good = "//a.file.core.windows.net/s /mnt/corda cifs _netdev,nofail,vers=3.1.1,credentials=/c,serverino,nolease,actimeo=1 0 0"
	for _, c := range []struct {
		name, line, code string
		level            Level
	}{
		{"the password in the line", swap(good, "credentials=/c", "username=a,password=k"), "password", Fault},
		{"the password behind the user", swap(good, "credentials=/c", "username=a%k"), "password", Fault},
		{"vers=2.1 against secure transfer", swap(good, "vers=3.1.1", "vers=2.1"), "smb2", Fault},
		{"no _netdev", swap(good, "_netdev,", ""), "netdev", Warning},
		{"no nolease", swap(good, "nolease,", ""), "nolease", Warning},
		{"nobrl", swap(good, "nolease", "nolease,nobrl"), "nobrl", Fault},
		{"noauto", swap(good, "nofail", "noauto"), "noauto", Warning},
		{"NFS 3", "srv:/x /mnt/corda nfs _netdev,vers=3 0 0", "nfs3", Fault},
		{"NFS 3 by its other name", "srv:/x /mnt/corda nfs _netdev,nfsvers=3 0 0", "nfs3", Fault},
		{"nolock", "srv:/x /mnt/corda nfs _netdev,nolock 0 0", "nolock", Fault},
		{"local_lock", "srv:/x /mnt/corda nfs _netdev,vers=3,local_lock=all 0 0", "localLock", Fault},
		{"nolock, which NFS 4 does not heed", "srv:/x /mnt/corda nfs4 _netdev,nolock 0 0", "nolock", Warning},
		{"local_lock, which NFS 4 does not heed", "srv:/x /mnt/corda nfs _netdev,nfsvers=4.1,local_lock=all 0 0", "localLock", Warning},
		{"sshfs", "u@srv:/x /mnt/corda fuse.sshfs _netdev 0 0", CodeLocksPerMount, Fault},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := JudgeEntry(entryAt(t, c.line, "/mnt/corda"))
			if !slices.ContainsFunc(found, func(f Finding) bool {
				return f.Code == c.code && f.Level == c.level && f.About == "fstab" && f.Next != ""
			}) {
				t.Errorf("got %v, want %s %s", found, c.level, c.code)
			}
		})
	}
	if found := JudgeEntry(entryAt(t, good, "/mnt/corda")); len(found) != 1 || found[0].Level != OK {
		t.Errorf("the good one: %v", found)
	}
}
