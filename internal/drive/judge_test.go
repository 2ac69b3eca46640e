package drive

import (
	"slices"
	"strings"
	"testing"
)

// What the kernels of this table show was taken from mounts of Linux 6.1.
const (
	efsMounted   = "30 20 0:30 / /mnt/corda rw,relatime - nfs4 fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com:/ rw,vers=4.1,rsize=1048576,wsize=1048576,namlen=255,hard,noresvport,proto=tcp,timeo=600,retrans=2,sec=sys,clientaddr=10.0.0.4,local_lock=none,addr=10.0.0.9\n"
	azureMounted = "30 20 0:30 / /mnt/corda rw,relatime - cifs //cordastore.file.core.windows.net/corda rw,vers=3.1.1,cache=strict,username=cordastore,uid=997,forceuid,gid=997,forcegid,addr=10.0.0.9,file_mode=0600,dir_mode=0700,soft,nounix,serverino,mapposix,mfsymlinks,nosharesock,nolease,rsize=1048576,wsize=1048576,echo_interval=60,actimeo=1,closetimeo=1\n"
	rootMounted  = "20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
)

func swap(text, old, new string) string {
	if !strings.Contains(text, old) {
		panic("there is no " + old)
	}
	return strings.Replace(text, old, new, 1)
}

func TestEachWrongSetUpIsFoundInWhatIsMounted(t *testing.T) {
	nfs, smb := Expect{Path: "/mnt/corda", Kind: NFS}, Expect{Path: "/mnt/corda", Kind: SMB}
	for _, c := range []struct {
		name   string
		mounts string
		expect Expect
		code   string
		level  Level
	}{
		{"nothing is mounted", "", nfs, CodeNotMounted, Fault},
		{"a disk of this machine is", "30 20 8:2 / /mnt/corda rw - ext4 /dev/sdb rw\n", nfs, CodeNotMounted, Fault},
		{"something of another type is", azureMounted, nfs, CodeWrongType, Fault},
		{"another drive of that type is", efsMounted, Expect{Path: "/mnt/corda", Kind: NFS, Source: "fs-1.efs.eu-west-1.amazonaws.com:/"}, CodeWrongSource, Fault},
		{"another directory of that server is", "30 20 0:30 / /mnt/corda rw - nfs4 s:/a rw,vers=4.1\n", Expect{Path: "/mnt/corda", Kind: NFS, Source: "s:/"}, CodeWrongSource, Fault},
		{"it is read-only", swap(efsMounted, "rw,relatime", "ro,relatime"), nfs, CodeReadOnly, Fault},
		{"NFS 3", swap(efsMounted, "nfs4 fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com:/ rw,vers=4.1", "nfs srv:/x rw,vers=3"), nfs, "nfs3", Fault},
		{"NFS 4.0", swap(efsMounted, "vers=4.1", "vers=4.0"), nfs, "nfs40", Warning},
		{"nolock", swap(efsMounted, ",hard", ",hard,nolock"), nfs, "nolock", Fault},
		{"local_lock=all", swap(efsMounted, "local_lock=none", "local_lock=all"), nfs, "localLock", Fault},
		{"local_lock=posix", swap(efsMounted, "local_lock=none", "local_lock=posix"), nfs, "localLock", Fault},
		{"local_lock=flock", swap(efsMounted, "local_lock=none", "local_lock=flock"), nfs, "localLock", Fault},
		{"soft on NFS", swap(efsMounted, ",hard", ",soft"), nfs, "soft", Warning},
		{"softerr on NFS", swap(efsMounted, ",hard", ",softerr"), nfs, "soft", Warning},
		{"noac", swap(efsMounted, ",hard", ",hard,noac"), nfs, "noac", Note},
		{"sync", swap(efsMounted, "rw,vers", "rw,sync,vers"), nfs, "sync", Note},
		{"EFS without noresvport", swap(efsMounted, ",noresvport", ""), nfs, "noresvport", Warning},
		{"EFS with nconnect", swap(efsMounted, ",noresvport", ",noresvport,nconnect=4"), nfs, "nconnect", Warning},
		{"NFS over UDP", swap(efsMounted, "proto=tcp", "proto=udp"), nfs, "udp", Warning},
		{"nobrl", swap(azureMounted, ",nolease", ",nolease,nobrl"), smb, "nobrl", Fault},
		{"no nolease", swap(azureMounted, ",nolease", ""), smb, "nolease", Warning},
		{"nostrictsync", swap(azureMounted, ",nolease", ",nolease,nostrictsync"), smb, "nostrictsync", Fault},
		{"cache=loose", swap(azureMounted, "cache=strict", "cache=loose"), smb, "cacheLoose", Fault},
		{"SMB 2.1 on Azure", swap(azureMounted, "vers=3.1.1", "vers=2.1"), smb, "smb2", Fault},
		{"SMB 2.1 elsewhere", swap(swap(azureMounted, "vers=3.1.1", "vers=2.1"), "cordastore.file.core.windows.net", "files.example.com"), smb, "smb2", Warning},
		{"SMB 1", swap(azureMounted, "vers=3.1.1", "vers=1.0"), smb, "smb1", Fault},
		{"attributes kept for half a minute", swap(azureMounted, "actimeo=1", "actimeo=30"), smb, "actimeo", Warning},
		{"numbers of files made up", swap(azureMounted, ",serverino", ""), smb, "noserverino", Warning},
		{"sshfs", "30 20 0:30 / /mnt/corda rw - fuse.sshfs root@srv:/x rw,user_id=0\n", Expect{Path: "/mnt/corda", Kind: Any}, CodeLocksPerMount, Fault},
		{"a bucket", "30 20 0:30 / /mnt/corda rw - fuse.s3fs s3fs rw\n", Expect{Path: "/mnt/corda", Kind: Any}, CodeNoFiles, Fault},
		{"a program that nobody knows", "30 20 0:30 / /mnt/corda rw - fuse.strange x rw\n", Expect{Path: "/mnt/corda", Kind: Any}, "unknownType", Warning},
		{"memory", "30 20 0:30 / /mnt/corda rw - tmpfs tmpfs rw\n", Expect{Path: "/mnt/corda", Kind: Any}, "memory", Warning},
		{"a folder", "", Expect{Path: "/mnt/corda", Kind: Any}, "local", Warning},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := Judge(mustParse(t, rootMounted+c.mounts), c.expect)
			at := slices.IndexFunc(found, func(f Finding) bool { return f.Code == c.code })
			if at < 0 || found[at].Level != c.level {
				t.Fatalf("got %v, want %s %s", found, c.level, c.code)
			}
			if f := found[at]; f.Next == "" || f.Text == "" || strings.Contains(f.Text, "$") {
				t.Errorf("%+v says no next step", f)
			}
		})
	}
}

func TestWhatTheCommandWritesIsJudgedGood(t *testing.T) {
	for name, c := range map[string]struct {
		mounts string
		expect Expect
	}{
		"EFS":         {efsMounted, Expect{Path: "/mnt/corda", Kind: NFS, Source: "fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com:/"}},
		"Azure Files": {azureMounted, Expect{Path: "/mnt/corda/artemis", Kind: SMB, Source: "//CORDASTORE.file.core.windows.net/corda/"}},
		"GlusterFS":   {"30 20 0:30 / /mnt/corda rw - fuse.glusterfs srv:/hc rw,user_id=0\n", Expect{Path: "/mnt/corda", Kind: GlusterFS}},
	} {
		for _, f := range Judge(mustParse(t, rootMounted+c.mounts), c.expect) {
			if f.Level != OK {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}

func TestOnlyWhatIsNoDriveAtAllKeepsAMachineFromTakingOver(t *testing.T) {
	unfit := func(text string, e Expect) bool {
		return slices.ContainsFunc(Judge(mustParse(t, rootMounted+text), e), Finding.Unfit)
	}
	e := Expect{Path: "/mnt/corda", Kind: SMB}
	if unfit(swap(azureMounted, ",nolease", ",nobrl"), e) {
		t.Error("an option that a person should mend took the back-up away")
	}
	if !unfit("", e) || !unfit(efsMounted, e) {
		t.Error("a machine without its drive counts as fit")
	}
}
