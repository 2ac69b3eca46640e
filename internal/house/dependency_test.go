package house

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/hotcold/hotcold/internal/testserver"
)

func TestEveryDirectDependencyHasItsReason(t *testing.T) {
	required, explained := directDependencies(t), explainedDependencies(t)
	for _, module := range required {
		if _, ok := explained[module]; !ok {
			t.Errorf("docs/dependencies.md does not say why %s is needed", module)
		}
	}
	for _, module := range slices.Sorted(maps.Keys(explained)) {
		if !slices.Contains(required, module) {
			t.Errorf("docs/dependencies.md names %s, which go.mod does not require directly", module)
		}
	}
}

// The script fetches, the package looks: two places that must mean one release.
func TestTestsRunTheBrokerThatTheScriptFetches(t *testing.T) {
	script := read(t, "scripts/test-deps.sh")
	found := regexp.MustCompile(`(?m)^readonly artemis_version=(\S+)$`).FindStringSubmatch(script)
	if len(found) != 2 || found[1] != testserver.ArtemisVersion {
		t.Errorf("scripts/test-deps.sh fetches %q, internal/testserver looks for %q", found, testserver.ArtemisVersion)
	}
	found = regexp.MustCompile(`(?m)^readonly hocon_version=(\S+)$`).FindStringSubmatch(script)
	if len(found) != 2 || found[1] != testserver.HOCONVersion {
		t.Errorf("scripts/test-deps.sh fetches %q, internal/testserver looks for %q", found, testserver.HOCONVersion)
	}
	var jars []string
	for _, line := range regexp.MustCompile(`(?m)^\t'\S+:\S+:\S+ (\S+\.jar) [0-9a-f]{128}'$`).FindAllStringSubmatch(script, -1) {
		jars = append(jars, line[1])
	}
	if drivers := slices.Sorted(maps.Values(testserver.JDBCDrivers())); !slices.Equal(slices.Sorted(slices.Values(jars)), drivers) {
		t.Errorf("scripts/test-deps.sh fetches %q, internal/testserver looks for %q", jars, drivers)
	}
}

// directDependencies returns the modules that go.mod requires without "// indirect".
func directDependencies(t *testing.T) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
	cmd.Dir = root
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("read go.mod: %v", err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(output, &mod); err != nil {
		t.Fatalf("read go.mod: %v", err)
	}
	var direct []string
	for _, r := range mod.Require {
		if !r.Indirect {
			direct = append(direct, r.Path)
		}
	}
	return direct
}

// explainedDependencies returns module and reason of each line "- `module`: reason".
func explainedDependencies(t *testing.T) map[string]string {
	t.Helper()
	line := regexp.MustCompile("(?m)^- `([^`]+)`: (\\S.*)$")
	explained := map[string]string{}
	for _, found := range line.FindAllStringSubmatch(read(t, "docs/dependencies.md"), -1) {
		explained[found[1]] = found[2]
	}
	return explained
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
