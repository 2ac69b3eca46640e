package machine

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// unlimited stands for no limit.
const unlimited = unix.RLIM_INFINITY

// minFiles is what a JVM with a journal, a pool of connections and some hundred jars
// does not come near.
const minFiles = 4096

// Limits are what the kernel allows the node's user, in force for the agent and so for the node.
type Limits struct {
	// Files is RLIMIT_NOFILE, Locked RLIMIT_MEMLOCK in bytes.
	Files, Locked uint64
	// Root: the superuser's locks have no limit.
	Root bool
}

// limitsOf reads the limits of a process; zero is this one.
func limitsOf(pid int) (Limits, error) {
	l := Limits{Root: os.Geteuid() == 0}
	if pid == 0 {
		pid = os.Getpid()
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return l, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if n, ok := softLimit(lines.Text(), "Max open files"); ok {
			l.Files = n
		}
		if n, ok := softLimit(lines.Text(), "Max locked memory"); ok {
			l.Locked = n
		}
	}
	return l, nil
}

// softLimit reads a line of /proc/PID/limits: name, soft, hard, unit.
func softLimit(line, name string) (uint64, bool) {
	rest, ok := strings.CutPrefix(line, name)
	fields := strings.Fields(rest)
	if !ok || len(fields) == 0 {
		return 0, false
	}
	if fields[0] == "unlimited" {
		return unlimited, true
	}
	n, err := strconv.ParseUint(fields[0], 10, 64)
	return n, err == nil
}

// JudgeLimits says what is too little.
func JudgeLimits(l Limits) []Finding {
	var all []Finding
	if l.Files < minFiles {
		all = append(all, finding(Warning, "limits", "LimitNOFILE=65536 in the unit, or nofile in /etc/security/limits.conf",
			"%d files may be open at once, and a node may want more than %d", l.Files, minFiles))
	}
	if l.Locked != unlimited && !l.Root {
		all = append(all, finding(Note, "limits", "LimitMEMLOCK=infinity in the unit",
			"%d bytes may be locked into memory, so that the guard may be paged out", l.Locked))
	}
	if len(all) == 0 {
		all = append(all, finding(OK, "limits", "", "%s files may be open at once, and the guard may lock itself into memory", countOf(l.Files)))
	}
	return all
}

func countOf(n uint64) string {
	if n == unlimited {
		return "any number of"
	}
	return strconv.FormatUint(n, 10)
}

// JudgeUser compares who looks with who owns the base directory.
func JudgeUser(euid int, owner uint32, dir string) Finding {
	switch {
	case uint32(euid) == owner:
		return finding(OK, "user", "", "user %d owns %s", euid, dir)
	case euid == 0:
		return finding(Note, "user", "look once more as that user", "looked at as root, and user %d owns %s: what that one may do is not seen so", owner, dir)
	}
	return finding(Warning, "user", "run the agent, and this, as the user of the node", "user %d looks, and user %d owns %s", euid, owner, dir)
}
