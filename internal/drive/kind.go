package drive

import "strings"

// Kind is a family of file systems that behave alike.
type Kind string

// The kinds. Any is no kind: it is asked for where nobody says what to expect.
const (
	Any         Kind = "any"
	NFS         Kind = "nfs"
	SMB         Kind = "smb"
	GlusterFS   Kind = "glusterfs"
	Cluster     Kind = "cluster"     // a disk or a store that several machines mount: Ceph, GFS2, OCFS2, Lustre
	SSHFS       Kind = "sshfs"       // files over SSH: locks end at the mount
	ObjectStore Kind = "objectStore" // blobs that look like files
	FUSE        Kind = "fuse"        // a program of which nothing is known here
	Memory      Kind = "memory"
	Automount   Kind = "autofs" // something will be mounted at the first look
	Local       Kind = "local"
)

// Kind tells to which family a mount belongs.
func (m Mount) Kind() Kind {
	switch m.Type {
	case "nfs", "nfs4", "efs":
		return NFS
	case "cifs", "smb3", "smbfs":
		return SMB
	case "fuse.glusterfs", "glusterfs":
		return GlusterFS
	case "ceph", "fuse.ceph", "fuse.ceph-fuse", "gfs2", "ocfs2", "lustre", "gpfs", "beegfs", "fuse.mfs", "fuse.moosefs":
		return Cluster
	case "fuse.sshfs":
		return SSHFS
	case "fuse.s3fs", "fuse.rclone", "fuse.goofys", "fuse.mount-s3", "fuse.blobfuse", "fuse.blobfuse2", "fuse.gcsfuse", "fuse.davfs", "davfs":
		return ObjectStore
	case "tmpfs", "ramfs":
		return Memory
	case "autofs":
		return Automount
	}
	if m.Type == "fuse" || strings.HasPrefix(m.Type, "fuse.") {
		return FUSE
	}
	return Local
}

// Shared tells whether another machine may mount the very same files.
func (k Kind) Shared() bool {
	return k == NFS || k == SMB || k == GlusterFS || k == Cluster
}

// azure and efs tell whose service stands behind a source.
func azure(source string) bool {
	host, _, _ := strings.Cut(strings.TrimPrefix(source, "//"), "/")
	return strings.Contains(host, ".file.core.") // .windows.net, .chinacloudapi.cn, .usgovcloudapi.net
}

func efs(source string) bool {
	return strings.Contains(source, ".efs.") && strings.Contains(source, ".amazonaws.com") || strings.HasPrefix(source, "fs-")
}
