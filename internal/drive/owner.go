package drive

import (
	"io/fs"
	"syscall"
)

// ownerOf is who owns a file, where the system says it.
func ownerOf(info fs.FileInfo) (uid, gid int, ok bool) {
	if info == nil {
		return 0, 0, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(st.Uid), int(st.Gid), true
}
