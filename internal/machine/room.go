package machine

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	// leastBytes and leastShare are below what a node that logs and dumps its heap should find.
	leastBytes = 1 << 30
	leastShare = 0.05
)

// Room is what a file system has left.
type Room struct {
	Bytes, AllBytes uint64
	Files, AllFiles uint64 // zero where it does not count them
}

func roomOf(dir string) (Room, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return Room{}, err
	}
	size := uint64(s.Bsize)
	return Room{Bytes: s.Bavail * size, AllBytes: s.Blocks * size, Files: s.Ffree, AllFiles: s.Files}, nil
}

// JudgeRoom says whether there is enough.
func JudgeRoom(what, dir string, r Room) Finding {
	if r.AllBytes == 0 {
		return finding(Note, "room", "", "the file system of the %s %s does not say how large it is", what, dir)
	}
	share := float64(r.Bytes) / float64(r.AllBytes)
	text := fmt.Sprintf("the %s %s has %.1f GB left (%.0f %%)", what, dir, float64(r.Bytes)/1e9, share*100)
	switch {
	case r.Bytes < leastBytes || share < leastShare:
		return finding(Warning, "room", "make room, or a larger disk", "%s", text)
	case r.AllFiles > 0 && float64(r.Files) < leastShare*float64(r.AllFiles):
		return finding(Warning, "room", "remove files, or make a file system with more inodes", "%s, and room for %d more files only", text, r.Files)
	}
	return finding(OK, "room", "", "%s", text)
}
