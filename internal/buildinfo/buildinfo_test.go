package buildinfo

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestBuildIsSaidInOneLine(t *testing.T) {
	tail := runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH + ")"
	const commit = "0123456789abcdef0123456789abcdef01234567"
	stamp := func(pairs ...string) *debug.BuildInfo {
		b := &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}
		for i := 0; i < len(pairs); i += 2 {
			b.Settings = append(b.Settings, debug.BuildSetting{Key: pairs[i], Value: pairs[i+1]})
		}
		return b
	}
	tests := map[string]struct {
		linked  string
		stamped *debug.BuildInfo
		want    string
	}{
		"nothing known": {"", stamp(), "hotcold unversioned (" + tail},
		"by make build": {
			"v1.2.3", stamp("vcs.revision", commit, "vcs.time", "2026-01-02T03:04:05Z", "vcs.modified", "false"),
			"hotcold v1.2.3 (commit 0123456789ab of 2026-01-02T03:04:05Z, " + tail,
		},
		"with local changes": {
			"v1.2.3-dirty", stamp("vcs.revision", commit, "vcs.modified", "true"),
			"hotcold v1.2.3-dirty (commit 0123456789ab, modified, " + tail,
		},
		"by go install": {
			"", &debug.BuildInfo{Main: debug.Module{Version: "v1.4.0"}}, "hotcold v1.4.0 (" + tail,
		},
		"short commit": {"v1", stamp("vcs.revision", "0123"), "hotcold v1 (commit 0123, " + tail},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := from(test.linked, test.stamped).String(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestThisBuildIsKnown(t *testing.T) {
	if got := String(); !strings.HasPrefix(got, "hotcold ") || strings.ContainsAny(got, "\n") {
		t.Errorf("got %q", got)
	}
}
