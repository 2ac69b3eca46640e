package testserver

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
)

// keeperScript waits until its standard input ends, kills every process whose
// working directory is inside $1, and removes $1. PostgreSQL's death by SIGKILL
// leaves a System V memory segment; its number stands in line 7 of postmaster.pid.
const keeperScript = `
trap '' HUP INT TERM
cat >/dev/null
inside() {
	for link in /proc/[0-9]*/cwd; do
		case $(readlink "$link" 2>/dev/null) in
		"$1" | "$1"/*) pid=${link#/proc/}; echo "${pid%/cwd}" ;;
		esac
	done
}
segment=$(sed -n '7s/^ *[0-9]* *//p' "$1/data/postmaster.pid" 2>/dev/null)
for round in 1 2 3 4 5 6 7 8 9 10; do
	pids=$(inside "$1")
	[ -z "$pids" ] && break
	kill -KILL $pids 2>/dev/null
	[ "$round" -gt 2 ] && sleep 0.2
done
[ -n "$segment" ] && ipcrm -m "$segment" 2>/dev/null
rm -rf "$1"
if [ -e "$1" ] || [ -n "$(inside "$1")" ]; then
	echo "something is left in $1" >&2
	exit 1
fi
`

// keeper is the process that ends a server and removes its directory when the
// test binary closes the pipe, on purpose or by dying.
type keeper struct {
	cmd    *exec.Cmd
	pipe   io.WriteCloser
	stderr strings.Builder
}

// keep starts a keeper for dir, which must be absolute.
func keep(dir string) (*keeper, error) {
	k := &keeper{cmd: exec.Command("/bin/sh", "-c", keeperScript, "hotcold-test-keeper", dir)}
	k.cmd.Dir = "/"
	k.cmd.Stderr = &k.stderr
	// Its own session: a Ctrl-C in the terminal must not end the keeper first.
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := k.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("make the keeper's pipe: %w", err)
	}
	k.pipe = pipe
	if err := k.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the keeper: %w", err)
	}
	return k, nil
}

// finish makes the keeper do its work and waits until it is done. The keeper
// limits itself to ten rounds.
func (k *keeper) finish() error {
	err := errors.Join(k.pipe.Close(), k.cmd.Wait())
	if err != nil {
		return fmt.Errorf("end the server: %w: %s", err, strings.TrimSpace(k.stderr.String()))
	}
	return nil
}
