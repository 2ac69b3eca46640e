package testserver

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// orphanVariable makes TestNothingIsLeftWhenTheTestBinaryIsKilled start a server,
// say where, and wait to be killed.
const orphanVariable = "HOTCOLD_TESTSERVER_ORPHAN"

// The test runs itself as a child that starts PostgreSQL and freezes it, kills the
// child with SIGKILL, and waits for the end of the keeper.
func TestNothingIsLeftWhenTheTestBinaryIsKilled(t *testing.T) {
	if os.Getenv(orphanVariable) != "" {
		s := Postgres(t, NoFsync())
		s.Pause(t)
		fmt.Printf("\norphan %d %s\n", s.keeper.cmd.Process.Pid, s.dir)
		select {}
	}
	if _, err := findPostgres(); err != nil {
		missing(t, err)
	}
	keeperPID, dir := startOrphan(t)
	fd, err := unix.PidfdOpen(keeperPID, 0)
	if err == nil {
		defer func() { _ = unix.Close(fd) }()
		err = waitDead(keeperPID, fd)
	}
	if err != nil && !errors.Is(err, unix.ESRCH) {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("directory %s is left (%v)", dir, err)
	}
	if pids, err := processesIn(dir); err != nil || len(pids) != 0 {
		t.Errorf("processes %v are left (%v)", pids, err)
	}
}

// startOrphan runs the child until its server is up and kills it.
func startOrphan(t *testing.T) (keeperPID int, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), orphanVariable+"=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		said = append(said, lines.Text())
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 || fields[0] != "orphan" {
			continue
		}
		keeperPID, err = strconv.Atoi(fields[1])
		if err != nil {
			t.Fatal(err)
		}
		dir = fields[2]
		break
	}
	if pids, err := processesIn(dir); dir == "" || err != nil || len(pids) < 2 {
		t.Errorf("the child did not start its server: processes %v, %v; it said:\n%s", pids, err, strings.Join(said, "\n"))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, as it should be
	if dir == "" {
		t.FailNow()
	}
	return keeperPID, dir
}
