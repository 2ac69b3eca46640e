package process

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lockMemory keeps what the guard needs in memory: all that it has touched, and its
// whole program, also the part that runs only when a node has to be killed. By then
// the disk that the program came from, or the one with the swap on it, may hang.
func lockMemory() error {
	// On fault: the Go runtime maps far more than it touches.
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		var limit unix.Rlimit
		if errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EAGAIN) {
			_ = unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit) // it is a hint only
			return fmt.Errorf("%w: RLIMIT_MEMLOCK is %s, want unlimited (LimitMEMLOCK=infinity)", err, limitText(limit.Cur))
		}
		return err
	}
	return lockProgram()
}

func limitText(n uint64) string {
	if n == unix.RLIM_INFINITY {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10) + " bytes"
}

// lockProgram locks the code and the constants of this program.
func lockProgram() error {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		m, ok := parseMapping(lines.Text())
		if !ok || m.path != self || m.writable {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MLOCK, m.from, m.to-m.from, 0); errno != 0 {
			return fmt.Errorf("lock the program: %w", errno)
		}
	}
	return lines.Err()
}

// mapping is one line of /proc/self/maps.
type mapping struct {
	from, to uintptr
	writable bool
	path     string
}

// parseMapping reads "from-to perms offset dev inode path".
func parseMapping(line string) (mapping, bool) {
	f := strings.Fields(line)
	if len(f) < 6 || len(f[1]) < 4 {
		return mapping{}, false
	}
	low, high, ok := strings.Cut(f[0], "-")
	from, err1 := strconv.ParseUint(low, 16, int(unsafe.Sizeof(uintptr(0)))*8)
	to, err2 := strconv.ParseUint(high, 16, int(unsafe.Sizeof(uintptr(0)))*8)
	if !ok || err1 != nil || err2 != nil || to <= from || f[1][0] != 'r' {
		return mapping{}, false
	}
	return mapping{from: uintptr(from), to: uintptr(to), writable: f[1][1] == 'w', path: strings.Join(f[5:], " ")}, true
}
