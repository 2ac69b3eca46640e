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

// orphanVariable makes TestNothingIsLeftWhenTheTestBinaryIsKilled start that server,
// say where, and wait to be killed.
const orphanVariable = "HOTCOLD_TESTSERVER_ORPHAN"

// The test runs itself as a child that starts a server and freezes it, kills the
// child with SIGKILL, and waits for the end of the keeper.
func TestNothingIsLeftWhenTheTestBinaryIsKilled(t *testing.T) {
	if os.Getenv(orphanVariable) != "" {
		orphan(t, os.Getenv(orphanVariable))
	}
	_, noPostgres := findPostgres()
	_, noMariaDB := findMariaDB()
	for server, absent := range map[string]error{"postgres": noPostgres, "mariadb": noMariaDB} {
		t.Run(server, func(t *testing.T) {
			if absent != nil {
				missing(t, absent)
			}
			nothingIsLeft(t, server)
		})
	}
}

// orphan starts a server, freezes it, and waits to be killed.
func orphan(t *testing.T, server string) {
	var k *keeper
	var dir string
	if server == "mariadb" {
		s := MariaDB(t)
		s.Pause(t)
		k, dir = s.keeper, s.dir
	} else {
		s := Postgres(t, NoFsync())
		s.Pause(t)
		k, dir = s.keeper, s.dir
	}
	fmt.Printf("\norphan %d %s\n", k.cmd.Process.Pid, dir)
	select {}
}

func nothingIsLeft(t *testing.T, server string) {
	keeperPID, dir := startOrphan(t, server)
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
func startOrphan(t *testing.T, server string) (keeperPID int, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNothingIsLeftWhenTheTestBinaryIsKilled$", "-test.v")
	cmd.Env = append(os.Environ(), orphanVariable+"="+server)
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
	if pids, err := processesIn(dir); dir == "" || err != nil || len(pids) < 1 {
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
