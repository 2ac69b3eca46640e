package cloud_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/hotcold/hotcold/internal/testserver"
)

// The scripts of both clouds, as they are rendered.
func TestTheRenderedScriptsAreClean(t *testing.T) {
	program := testserver.Program(t, "shellcheck")
	scripts, err := filepath.Glob("*/testdata/*.sh")
	if err != nil || len(scripts) < 3 {
		t.Fatalf("the scripts are %v, %v", scripts, err)
	}
	if out, err := exec.CommandContext(t.Context(), program, scripts...).CombinedOutput(); err != nil {
		t.Errorf("shellcheck: %v:\n%s", err, out)
	}
}
