package drive

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hotcold/hotcold/internal/testserver"
)

func TestMain(m *testing.M) {
	// These tests wait for leases, far more than they compute: all run side by side, also
	// on two processors.
	if err := flag.Set("test.parallel", sideBySide); err != nil {
		panic(err)
	}
	code := testserver.Main(m)
	if program.dir != "" {
		if err := os.RemoveAll(program.dir); err != nil {
			fmt.Fprintln(os.Stderr, "e2e/drive:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// sideBySide is how many tests there are with guests or cells.
const sideBySide = "4"

// program is the binary under test, built once for all tests.
var program struct {
	once sync.Once
	dir  string
	err  error
}

// hotcold returns the path of the program: static, so that it runs on a guest whose
// libraries are those of this machine by chance only.
func hotcold(t *testing.T) string {
	t.Helper()
	program.once.Do(func() {
		if program.dir, program.err = os.MkdirTemp("", "hotcold-drive-"); program.err != nil {
			return
		}
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", filepath.Join(program.dir, "hotcold"), "github.com/hotcold/hotcold/cmd/hotcold")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			program.err = fmt.Errorf("build the program: %w\n%s", err, out)
		}
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return filepath.Join(program.dir, "hotcold")
}
