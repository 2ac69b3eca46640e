package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/hotcold/hotcold/internal/testserver"
)

func TestMain(m *testing.M) {
	if dsn := os.Getenv(writerVar); dsn != "" { // agents start this very program as their node
		os.Exit(writer(dsn))
	}
	if addr := os.Getenv(greeterVar); addr != "" {
		os.Exit(greeter(addr))
	}
	code := testserver.Main(m)
	if err := program.remove(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// program is the binary under test. It is a variable of the package because the
// testing package passes no state from TestMain to a test.
var program built

// built is built once, when the first test asks for it.
type built struct {
	once sync.Once
	err  error
	dir  string
	end  func() error // ends the keeper, which removes dir
}

// hotcold returns the path of the program.
func hotcold(t testing.TB) string {
	t.Helper()
	program.once.Do(func() { program.err = program.build() })
	if program.err != nil {
		t.Fatal(program.err)
	}
	return filepath.Join(program.dir, "hotcold")
}

// build makes the program as a release is made; its version does not matter here. With the race detector it is made as
// the tests of its packages are: what they have compiled need not be compiled once more, which takes many minutes.
func (b *built) build() error {
	dir, err := os.MkdirTemp("", "hotcold-e2e-")
	if err != nil {
		return err
	}
	b.dir = dir
	if err := b.keep(); err != nil {
		return err
	}
	args, env := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"}, append(os.Environ(), "CGO_ENABLED=0")
	if os.Getenv("HOTCOLD_E2E_RACE") == "1" {
		args, env = []string{"build", "-race", "-buildvcs=false"}, append(os.Environ(), "CGO_ENABLED=1")
	}
	args = append(args, "-o", filepath.Join(dir, "hotcold"))
	cmd := exec.Command("go", append(args, "github.com/hotcold/hotcold/cmd/hotcold")...)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return nil
}

// keep starts a process that removes the directory when this one closes its pipe,
// on purpose or by dying.
func (b *built) keep() error {
	cmd := exec.Command("/bin/sh", "-c", `trap '' HUP INT TERM; cat >/dev/null; rm -rf "$1"`, "hotcold-e2e-keeper", b.dir)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	b.end = func() error {
		if err := pipe.Close(); err != nil {
			return err
		}
		return cmd.Wait()
	}
	return nil
}

func (b *built) remove() error {
	if b.end == nil {
		return nil
	}
	return b.end()
}
