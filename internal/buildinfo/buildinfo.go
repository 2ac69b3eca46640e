package buildinfo

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// version is set by the linker: -X github.com/hotcold/hotcold/internal/buildinfo.version=v1.2.3.
// The linker can set nothing but a variable of a package.
var version string

// unversioned is the version of a build that was given none.
const unversioned = "unversioned"

// shortCommit is how many digits of a commit are shown to a person.
const shortCommit = 12

// Info is what is known about a build. Empty fields are not known.
type Info struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Date     string `json:"date,omitempty"`     // of the commit, RFC 3339
	Modified bool   `json:"modified,omitempty"` // the sources differed from the commit
	Go       string `json:"go"`
	Platform string `json:"platform"` // such as linux/amd64
}

// Read returns what is known about this build.
func Read() Info {
	stamped, ok := debug.ReadBuildInfo()
	if !ok {
		stamped = &debug.BuildInfo{}
	}
	return from(version, stamped)
}

// String returns this build in one line, as Info.String does.
func String() string { return Read().String() }

// String returns the build in one line:
//
//	hotcold v1.2.3 (commit 0123456789ab of 2026-01-02T03:04:05Z, go1.26.0, linux/amd64)
func (i Info) String() string {
	var facts []string
	if i.Commit != "" {
		commit := "commit " + i.Commit[:min(len(i.Commit), shortCommit)]
		if i.Date != "" {
			commit += " of " + i.Date
		}
		if i.Modified {
			commit += ", modified"
		}
		facts = append(facts, commit)
	}
	facts = append(facts, i.Go, i.Platform)
	return fmt.Sprintf("hotcold %s (%s)", i.Version, strings.Join(facts, ", "))
}

// from puts together what the linker and Go say.
func from(linked string, stamped *debug.BuildInfo) Info {
	i := Info{
		Version:  linked,
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if i.Version == "" {
		i.Version = stamped.Main.Version
	}
	if i.Version == "" || i.Version == "(devel)" {
		i.Version = unversioned
	}
	for _, s := range stamped.Settings {
		switch s.Key {
		case "vcs.revision":
			i.Commit = s.Value
		case "vcs.time":
			i.Date = s.Value
		case "vcs.modified":
			i.Modified = s.Value == "true"
		}
	}
	return i
}
