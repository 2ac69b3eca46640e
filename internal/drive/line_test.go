package drive

import (
	"slices"
	"strings"
	"testing"
)

func azureShare() Share {
	return Share{Service: AzureFiles, Account: "cordastore", Name: "corda", Point: "/mnt/corda", UID: 997, GID: 996, Credentials: "/etc/smbcredentials/cordastore.cred"}
}

func efsShare() Share {
	return Share{Service: EFS, FileSystem: "fs-0123456789abcdef0", Region: "eu-west-1", Point: "/mnt/corda"}
}

func TestLinesForEachService(t *testing.T) {
	change := func(s Share, f func(*Share)) Share { f(&s); return s }
	for _, c := range []struct {
		name  string
		share Share
		want  string
	}{
		{"azure", azureShare(), "//cordastore.file.core.windows.net/corda /mnt/corda cifs _netdev,nofail,vers=3.1.1,credentials=/etc/smbcredentials/cordastore.cred,uid=997,gid=996,dir_mode=0700,file_mode=0600,serverino,nosharesock,nolease,actimeo=1,mfsymlinks 0 0"},
		{"azure, old kernel", change(azureShare(), func(s *Share) { s.Version = "3.0" }), "//cordastore.file.core.windows.net/corda /mnt/corda cifs _netdev,nofail,vers=3.0,credentials=/etc/smbcredentials/cordastore.cred,uid=997,gid=996,dir_mode=0700,file_mode=0600,serverino,nosharesock,nolease,actimeo=1,mfsymlinks 0 0"},
		{"azure, of the guide", change(azureShare(), func(s *Share) { s.Legacy = true }), "//cordastore.file.core.windows.net/corda /mnt/corda cifs vers=2.1,username=cordastore,password=<storage-account-key>,dir_mode=0700,file_mode=0700,serverino 0 0"},
		{"efs", efsShare(), "fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com:/ /mnt/corda nfs4 _netdev,nofail,nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport 0 0"},
		{"efs, of the guide", change(efsShare(), func(s *Share) { s.Legacy = true }), "fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com:/ /mnt/corda nfs4 nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,_netdev,noresvport 0 0"},
		{"efs, encrypted", change(efsShare(), func(s *Share) { s.Helper = true }), "fs-0123456789abcdef0:/ /mnt/corda efs _netdev,nofail,noresvport,tls 0 0"},
		{"nfs", Share{Service: NFSServer, Server: "files.example.com", Export: "/srv/my corda", Point: "/mnt/corda"}, `files.example.com:/srv/my\040corda /mnt/corda nfs4 _netdev,nofail,nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport 0 0`},
		{"smb", Share{Service: SMBServer, Server: "10.0.0.9", Name: "corda", Point: "/mnt/corda", Credentials: "/c"}, "//10.0.0.9/corda /mnt/corda cifs _netdev,nofail,vers=3.1.1,credentials=/c,uid=0,gid=0,dir_mode=0700,file_mode=0600,serverino,nosharesock,nolease,actimeo=1,mfsymlinks 0 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			made, err := c.share.Make()
			if err != nil {
				t.Fatal(err)
			}
			if got := made.Entry.Line(); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			for _, o := range made.Options {
				if o.Why == "" {
					t.Errorf("%s has no reason", o.Text)
				}
			}
			found := JudgeEntry(entryAt(t, made.Entry.Line()+"\n", "/mnt/corda"))
			bad := slices.ContainsFunc(found, func(f Finding) bool { return f.Level == Fault || f.Level == Warning })
			if legacy := c.share.Legacy && c.share.Service == AzureFiles; bad != legacy {
				t.Errorf("the check says %v of the line", found)
			}
		})
	}
}

func TestTheGuidesOwnLineIsWarnedOf(t *testing.T) {
	s := azureShare()
	s.Legacy = true
	made, err := s.Make()
	if err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(made.Warnings, "\n"); !strings.Contains(all, "Secure transfer") || !strings.Contains(all, "everybody on the machine may read") {
		t.Errorf("warnings: %s", all)
	}
}

func TestWhatIsNoShareIsRefused(t *testing.T) {
	for name, s := range map[string]Share{
		"an account with an option in it": {Service: AzureFiles, Account: "a,nobrl", Name: "s", Point: "/m"},
		"a share with a slash":            {Service: AzureFiles, Account: "abc", Name: "s/t", Point: "/m"},
		"a relative mount point":          {Service: AzureFiles, Account: "abc", Name: "s", Point: "m"},
		"the root as a mount point":       {Service: AzureFiles, Account: "abc", Name: "s", Point: "/m/.."},
		"SMB 2.1":                         {Service: AzureFiles, Account: "abc", Name: "s", Point: "/m", Version: "2.1"},
		"SMB 4":                           {Service: SMBServer, Server: "h", Name: "s", Point: "/m", Version: "4"},
		"NFS 3":                           {Service: NFSServer, Server: "h", Export: "/x", Point: "/m", Version: "3"},
		"no file system":                  {Service: EFS, Region: "eu-west-1", Point: "/m"},
		"no region":                       {Service: EFS, FileSystem: "fs-01234567", Point: "/m"},
		"a host with a blank":             {Service: NFSServer, Server: "h x", Export: "/x", Point: "/m"},
		"a relative export":               {Service: NFSServer, Server: "h", Export: "x", Point: "/m"},
		"no service":                      {Point: "/m"},
	} {
		if made, err := s.Make(); err == nil {
			t.Errorf("%s became %s", name, made.Entry.Line())
		}
	}
}
