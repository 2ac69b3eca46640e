package awsproof

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/testserver"
)

// interpreterVariable names the socket of the process that has AWS's command line loaded.
const interpreterVariable = "AWSPROOF_INTERPRETER"

// TestMain makes this test binary the command `aws` of the scripts.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "aws" {
		code, err := ask(os.Getenv(interpreterVariable))
		if err != nil {
			fmt.Fprintln(os.Stderr, "aws:", err)
		}
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// ask has this process's command run by the interpreter, and returns its exit code.
func ask(socket string) (int, error) {
	const failed = 255
	dir, err := os.Getwd()
	if err != nil {
		return failed, err
	}
	request, err := json.Marshal(map[string]any{"words": os.Args[1:], "env": os.Environ(), "dir": dir})
	if err != nil {
		return failed, err
	}
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return failed, err
	}
	defer c.Close()
	if n, _, err := c.WriteMsgUnix(request, unix.UnixRights(1, 2), nil); err != nil || n != len(request) {
		return failed, fmt.Errorf("ask for a command: %d bytes of %d, %w", n, len(request), err)
	}
	if err := c.CloseWrite(); err != nil {
		return failed, err
	}
	code, err := io.ReadAll(c)
	if err != nil || len(code) != 1 {
		return failed, fmt.Errorf("the interpreter answers %q, %w", code, err)
	}
	return int(code[0]), nil
}

// interpreter starts a process that has AWS's command line loaded and ends with the test. It returns the folder in which
// `aws` asks it, and its socket.
func interpreter(t *testing.T) (commands, socket string) {
	t.Helper()
	program := testserver.CloudTool(t, "python3")
	script, err := filepath.Abs("testdata/awsd.py")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	commands, socket = t.TempDir(), filepath.Join(testserver.Dir(t), "aws.sock")
	if err := os.Symlink(self, filepath.Join(commands, "aws")); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program, script, socket)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + commands}
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill() // the test's context has ended it already
		_ = c.Wait()
	})
	// What it waits for is its own loading; the test's own limit ends it.
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the interpreter says %q, %v", line, err)
	}
	return commands, socket
}
