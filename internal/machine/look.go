package machine

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Options say what is looked at.
type Options struct {
	// BaseDir is the node's base directory; who owns it is the node's user.
	BaseDir string
	// Rooms are directories that need room, by what they are.
	Rooms []Directory
	// Java is how the node starts Java; no Program: it does not, or nobody knows.
	Java Java
	// Agent is the process of the running agent, whose limits are the node's; zero is this one.
	Agent int
	// StopTime is how long an orderly end of agent and node may take.
	StopTime time.Duration
}

// Directory is one that needs room.
type Directory struct{ What, Path string }

// Look looks at this machine.
func Look(ctx context.Context, o Options) []Finding {
	var all []Finding
	if o.Java.Program != "" {
		all = append(all, o.Java.look(ctx))
	}
	var st unix.Stat_t
	if err := unix.Stat(o.BaseDir, &st); err == nil { // else somebody else tells it
		all = append(all, JudgeUser(os.Geteuid(), st.Uid, o.BaseDir))
	}
	if l, err := limitsOf(o.Agent); err == nil {
		all = append(all, JudgeLimits(l)...)
	} else {
		all = append(all, finding(Note, "limits", "", "the limits of the node's user cannot be read: %v", err))
	}
	all = append(all, lookUnit(ctx, o.StopTime)...)
	all = append(all, lookClock())
	seen := map[[2]int32]bool{}
	for _, d := range o.Rooms {
		var fs unix.Statfs_t
		if err := unix.Statfs(d.Path, &fs); err != nil || seen[fs.Fsid.Val] {
			continue // it is not there yet, or on a disk that was looked at
		}
		seen[fs.Fsid.Val] = fs.Fsid.Val != [2]int32{} // some have no name
		if r, err := roomOf(d.Path); err == nil {
			all = append(all, JudgeRoom(d.What, d.Path, r))
		}
	}
	return all
}
